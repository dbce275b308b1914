// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * share_states: what the five APIs of share coordinators have in common: a request about many share
 * partitions becomes as many questions, and is answered when all are.
 *
 *   struct share_states *states = share_states_new(req, group, count);
 *   share_states_add(states, ...)      for each, up to count; fills in what else the question needs
 *   return share_states_start(states);
 */
#include "broker/share/share_state.h"
#include "net/request.h"

struct share_states;

struct share_states *share_states_new(struct request *req, struct slice group, size_t count);
/* `answer` is called with the answered question (its error also as Kafka's code and text) and
 * `response`. */
struct share_state_op *share_states_add(struct share_states *states, enum share_state_kind kind,
    struct uuid topic_id, int32_t partition,
    void (*answer)(struct request *req, const struct share_state_op *op, int16_t error_code,
        struct slice error_message, void *response),
    void *response);
enum handle_result share_states_start(struct share_states *states);
