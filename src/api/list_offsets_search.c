// SPDX-License-Identifier: BSD-2-Clause
/*
 * Times are per record, the engine's answer is the first batch that can hold the time. From there
 * batches are walked, and records within them, until one fits; usually it is in that batch. The
 * work is bounded: after SEARCH_BATCHES_MAX batches, or where a batch inflates to more than
 * SEARCH_INFLATED_SIZE_MAX, the batch's base offset is the answer, which is never later than the
 * record asked for.
 */
#include "api/list_offsets_internal.h"
#include "api/lookup.h"
#include "store/batch/compression.h"
#include "store/batch/records.h"
#include "wire/errors.gen.h"

#define SEARCH_BATCHES_MAX       256
#define SEARCH_INFLATED_SIZE_MAX ((size_t)16 << 20)

static void search_set(struct list_offsets_item *item, const struct batch_header *header,
    int64_t offset, int64_t timestamp)
{
    item->found.offset = offset;
    item->found.timestamp = timestamp;
    item->found.leader_epoch = header->leader_epoch;
}

/* The first record of the batch at or after `timestamp` and not before `offset_min`. */
static bool search_records(struct list_offsets_item *item, const struct batch_header *header,
    struct slice records, int64_t timestamp, int64_t offset_min)
{
    struct record_cursor cursor = record_cursor_make(records, header->records_count);
    struct record record;
    while (record_next(&cursor, &record)) {
        int64_t at, offset = header->base_offset + record.offset_delta;
        if (__builtin_add_overflow(header->base_timestamp, record.timestamp_delta, &at))
            continue;
        if (at >= timestamp && offset >= offset_min) {
            search_set(item, header, offset, at);
            return true;
        }
    }
    return false;
}

static bool search_batch(struct list_offsets_item *item, const struct batch_header *header,
    struct slice batch, int64_t timestamp)
{
    struct part_state state;
    partition_get_state(item->partition, &state);
    int64_t first = header->base_offset > state.log_start ? header->base_offset : state.log_start;
    if ((header->attributes & BATCH_LOG_APPEND_TIME) != 0) { /* all records have that one time */
        search_set(item, header, item->greatest ? batch_last_offset(header) : first,
            header->max_timestamp);
        return true;
    }
    struct slice records =
        slice_make(batch.data + BATCH_HEADER_SIZE, batch.size - BATCH_HEADER_SIZE);
    enum batch_compression codec =
        (enum batch_compression)(header->attributes & BATCH_COMPRESSION_MASK);
    if (codec == BATCH_NONE)
        return search_records(item, header, records, timestamp, first);
    _cleanup_(buffer_deinit) struct buffer inflated = BUFFER_NULL;
    if (compression_inflate(codec, records, SEARCH_INFLATED_SIZE_MAX, &inflated) != 0) {
        search_set(item, header, first, header->max_timestamp);
        return true;
    }
    return search_records(item, header, buffer_slice(&inflated), timestamp, first);
}

/* Non-zero ends the walk. */
static int search_on_batch(
    struct engine_replay *replay, const struct batch_header *header, struct slice batch)
{
    struct list_offsets_item *item = container_of(replay, struct list_offsets_item, replay);
    if (header->base_offset >= list_offsets_readable_end(item))
        return 1;
    if (header->max_timestamp < item->call.timestamp || (header->attributes & BATCH_CONTROL) != 0)
        return 0;
    if (++item->batches_count > SEARCH_BATCHES_MAX) {
        search_set(item, header, header->base_offset, header->max_timestamp);
        return 1;
    }
    return search_batch(item, header, batch, item->call.timestamp);
}

static void search_on_walked(struct engine_replay *replay, enum engine_status status)
{
    struct list_offsets_item *item = container_of(replay, struct list_offsets_item, replay);
    if (status != ENGINE_OK)
        list_offsets_end(item, lookup_engine_error(status));
    else
        list_offsets_answer(
            item, item->found.offset, item->found.timestamp, item->found.leader_epoch);
}

/* The engine named a batch; item->call.timestamp is what a record must reach. */
static void search_on_batch_found(struct engine_call *call, enum engine_status status)
{
    struct list_offsets_item *item = container_of(call, struct list_offsets_item, call);
    if (status != ENGINE_OK) {
        list_offsets_end(item, lookup_engine_error(status));
        return;
    }
    item->found.offset = -1;
    if (call->offset < 0) {
        list_offsets_answer(item, -1, -1, -1);
        return;
    }
    item->replay = (struct engine_replay){
        .from = call->offset,
        .visit = search_on_batch,
        .done = search_on_walked,
    };
    partition_engine(item->partition)
        ->ops->part_replay(partition_part(item->partition), &item->replay);
}

void list_offsets_search_time(struct list_offsets_item *item)
{
    item->call = (struct engine_call){
        .done = search_on_batch_found,
        .timestamp = item->request->timestamp,
    };
    partition_engine(item->partition)
        ->ops->part_offset_for_time(partition_part(item->partition), &item->call);
}

void list_offsets_search_max(struct list_offsets_item *item)
{
    item->greatest = true;
    item->call = (struct engine_call){.done = search_on_batch_found};
    partition_engine(item->partition)
        ->ops->part_max_timestamp(partition_part(item->partition), &item->call);
}
