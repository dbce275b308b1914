// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * lookup: from what a request names to a partition of this loop's image, and from the conditions of
 * the layers below to the protocol's error codes. Any loop.
 */
#include "broker/broker.h"
#include "broker/partition/partition.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct request;

/* A topic by id when the id is not zero, else by name; NULL when there is none. */
struct topic *lookup_topic(struct broker *broker, struct slice name, struct uuid id);
/* KAFKA_ERROR_NONE and the id, or what to answer: no such topic (unknown id, unknown name) or
 * partition, or the broker that was asked is not its leader (then the id is filled in, too). */
int16_t lookup_partition(const struct request *req, const struct topic *topic, struct uuid asked_id,
    int32_t index, struct part_id *ret_id);

/* A request may name as many partitions as may exist; what names more (each costs some hundred
 * bytes of state, and a few in the frame) is not answered: true after a log line, the caller
 * closes. */
bool lookup_too_many(const struct request *req, size_t partitions_count);

int16_t lookup_partition_error(enum partition_error error);
int16_t lookup_engine_error(enum engine_status status);
/* The client's idea of the leader epoch against ours; -1: it has none. */
int16_t lookup_epoch_error(int32_t asked_epoch, int32_t leader_epoch);
