// SPDX-License-Identifier: BSD-2-Clause
/*
 * Replay: walks a partition of __share_group_state from its start: a snapshot replaces what was
 * known, an update changes it. What belongs to topics that are gone meanwhile is removed at the
 * end.
 *
 * Failure modes: a record we cannot read is skipped and counted (one log line); the partition is
 * lost meanwhile -> the load is cancelled and `done` still comes; the engine fails -> the shard
 * stays absent and its questions get NOT_COORDINATOR.
 */
#include "base/log.h"
#include "broker/share/share_coords_shard.h"
#include "store/batch/records.h"

#include <inttypes.h>
#include <stdlib.h>

struct share_load {
    struct engine_replay replay;
    struct share_shard *shard; /* NULL: cancelled */
    void (*done)(void *ctx);
    void *ctx;
    struct arena scratch;
    uint64_t records_count, skipped_count;
    int64_t started_ms;
};

static bool share_load_record(struct share_load *load, const struct record *record, int64_t offset)
{
    enum share_log_type type;
    struct share_key id;
    struct share_facts facts;
    if (slice_is_null(record->key) || !share_log_parse_key(record->key, &load->scratch, &type, &id))
        return false;
    _cleanup_(freep) char *key = share_state_key(id.group, id.topic_id, id.partition);
    struct share_entry *entry = map_get(&load->shard->entries, slice_from_str(key));
    if (slice_is_null(record->value)) {
        if (entry != NULL)
            share_entry_kill(entry, SHARE_STATE_E_NOT_COORDINATOR);
        return true;
    }
    if (!share_log_parse_value(record->value, type, &load->scratch, &facts))
        return false;
    if (entry == NULL)
        entry = share_entry_new(load->shard, slice_from_str(key), &id);
    return share_entry_replay(entry, type, &facts, offset);
}

static int share_load_on_batch(
    struct engine_replay *replay, const struct batch_header *header, struct slice batch)
{
    struct share_load *load = container_of(replay, struct share_load, replay);
    if (load->shard == NULL)
        return 1;
    if ((header->attributes & (BATCH_CONTROL | BATCH_TRANSACTIONAL | BATCH_COMPRESSION_MASK)) !=
        0) {
        load->skipped_count += (uint64_t)header->records_count;
        return 0;
    }
    struct record_cursor cursor = record_cursor_make(
        slice_make(batch.data + BATCH_HEADER_SIZE, batch.size - BATCH_HEADER_SIZE),
        header->records_count);
    struct record record;
    while (record_next(&cursor, &record)) {
        load->records_count++;
        if (!share_load_record(load, &record, header->base_offset + record.offset_delta))
            load->skipped_count++;
        arena_reset(&load->scratch);
    }
    load->skipped_count += cursor.fault != NULL;
    return 0;
}

static void share_load_finish(struct share_load *load)
{
    struct share_shard *shard = load->shard;
    shard->load = NULL;
    shard->base.state = SHARD_READY;
    if (load->records_count > 0 || load->skipped_count > 0)
        log_info("share.loaded",
            "partition=%" PRId32 " states=%zu records=%" PRIu64 " skipped=%" PRIu64 " ms=%" PRId64,
            shard->base.index, shard->entries.count, load->records_count, load->skipped_count,
            loop_now_ms(shard->coords->loop) - load->started_ms);
    const struct image *image = broker_image(shard->coords->broker);
    map_for_each (&shard->entries, found) {
        struct share_entry *entry = found->value; /* a write that begins changes no table */
        if (image_topic_by_id(image, entry->id.topic_id) == NULL)
            share_entry_push_own(entry, SHARE_STATE_DELETE);
    }
    shard_release(&shard->base, SHARD_OK);
}

static void share_load_on_done(struct engine_replay *replay, enum engine_status status)
{
    struct share_load *load = container_of(replay, struct share_load, replay);
    struct share_shard *shard = load->shard;
    if (shard != NULL && status == ENGINE_OK) {
        share_load_finish(load);
    } else if (shard != NULL) {
        log_error(
            "share.load.failed", "partition=%" PRId32 " status=%d", shard->base.index, (int)status);
        share_coords_drop(shard->coords, shard->base.index);
        shard_release(&shard->base, SHARD_E_NOT_COORDINATOR);
    }
    load->done(load->ctx);
    arena_deinit(&load->scratch);
    free(load);
}

void share_load_start(struct share_shard *shard, void (*done)(void *ctx), void *ctx)
{
    struct share_load *load = xnew(struct share_load);
    load->shard = shard;
    load->done = done;
    load->ctx = ctx;
    load->started_ms = loop_now_ms(shard->coords->loop);
    arena_init(&load->scratch, SIZE_MAX);
    shard->load = load;
    struct part_state state;
    partition_get_state(shard->base.partition, &state);
    load->replay = (struct engine_replay){.from = state.log_start,
        .headers_only = false,
        .visit = share_load_on_batch,
        .done = share_load_on_done};
    partition_engine(shard->base.partition)
        ->ops->part_replay(partition_part(shard->base.partition), &load->replay);
}

void share_load_cancel(struct share_load *load)
{
    load->shard->load = NULL;
    load->shard = NULL;
}
