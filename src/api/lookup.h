// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * lookup: from what a request names to a partition of this loop's image, and from the conditions of
 * the layers below to the protocol's error codes. Any loop.
 */
#include "broker/broker.h"
#include "broker/partition.h"

#include <stdint.h>

/* A topic by id when the id is not zero, else by name; NULL when there is none. */
struct topic *lookup_topic(struct broker *broker, struct slice name, struct uuid id);
/* KAFKA_ERROR_NONE and the id, or what to answer: no such topic (unknown id, unknown name) or
 * partition. */
int16_t lookup_partition(
    const struct topic *topic, struct uuid asked_id, int32_t index, struct part_id *ret_id);

int16_t lookup_partition_error(enum partition_error error);
int16_t lookup_engine_error(enum engine_status status);
/* The client's idea of the leader epoch against ours; -1: it has none. */
int16_t lookup_epoch_error(int32_t asked_epoch, int32_t leader_epoch);
