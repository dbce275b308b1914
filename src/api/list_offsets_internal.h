// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/* list_offsets_internal: what list_offsets.c and its search for times share; an item is its home's.
 */
#include "api/fanout.h"
#include "broker/broker.h"
#include "broker/partition/partition.h"
#include "net/request.h"
#include "wire/list_offsets.gen.h"

struct list_offsets {
    struct request *req;
    struct broker *broker;
    struct fanout *fanout;
};

struct list_offsets_item {
    struct fanout_item item;
    struct part_id id;
    const struct list_offsets_request_partition *request;
    struct list_offsets_response_partition *response;
    int16_t version;
    bool read_committed;
    struct partition *partition;
    struct partition_ready ready;
    int64_t old_style[2];
    /* the search */
    struct engine_call call;
    struct engine_replay replay;
    bool greatest;         /* the record with the greatest timestamp is wanted */
    int32_t batches_count; /* walked so far */
    struct {
        int64_t offset, timestamp;
        int32_t leader_epoch;
    } found; /* offset -1: nothing yet */
};

/* Ends the item with an error. */
void list_offsets_end(struct list_offsets_item *item, int16_t error_code);
/* Ends it with a record, or with none when the offset is -1 or not readable yet. */
void list_offsets_answer(
    struct list_offsets_item *item, int64_t offset, int64_t timestamp, int32_t leader_epoch);
/* First offset that the client may not read: high watermark or last stable offset. */
int64_t list_offsets_readable_end(const struct list_offsets_item *item);

/* The first record with a timestamp >= the one asked for. */
void list_offsets_search_time(struct list_offsets_item *item);
/* The record with the greatest timestamp. */
void list_offsets_search_max(struct list_offsets_item *item);
