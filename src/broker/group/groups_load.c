// SPDX-License-Identifier: BSD-2-Clause
/*
 * Replay: walks a partition of __consumer_offsets from its start and keeps, per key, the last
 * value. Offsets go straight into the entries; of a group only the bytes of its last record are
 * kept and built into members at the end, so that a group rewritten a thousand times is built once.
 * Every member then gets a fresh session: a restart by itself makes nobody rebalance.
 *
 * What was committed within a transaction counts when its commit marker comes.
 *
 * Failure modes: a record we cannot read is skipped and counted (one log line); the partition is
 * lost meanwhile -> the load is cancelled and `done` still comes; the engine fails -> the shard
 * stays absent and its requests get NOT_COORDINATOR.
 */
#include "base/log.h"
#include "broker/group/consumer_log.h"
#include "broker/group/groups_shard.h"
#include "broker/txn/txn_log.h"
#include "store/batch/compression.h"

#include <assert.h>
#include <inttypes.h>

/* One batch of records, inflated. Ours are never compressed; those of a carried-over directory may
 * be. */
#define GROUPS_LOAD_BATCH_SIZE_MAX ((size_t)64 << 20)

struct groups_loaded {
    struct slice id, value; /* one allocation */
};

struct groups_load {
    struct engine_replay replay;
    struct groups_shard *shard; /* NULL: cancelled */
    struct partition *partition;
    void (*done)(void *ctx);
    void *ctx;
    struct map groups; /* id -> struct groups_loaded */
    struct buffer inflated;
    struct arena scratch;
    uint64_t records_count, skipped_count;
    int64_t started_ms;
};

static void groups_load_free(struct groups_load *load)
{
    map_for_each (&load->groups, found)
        free(found->value);
    map_deinit(&load->groups);
    buffer_deinit(&load->inflated);
    arena_deinit(&load->scratch);
    free(load);
}

static void groups_load_keep_group(struct groups_load *load, struct slice id, struct slice value)
{
    struct groups_loaded *before = map_remove(&load->groups, id);
    free(before);
    if (slice_is_null(value))
        return;
    struct groups_loaded *loaded = xmalloc(sizeof(*loaded) + id.size + value.size);
    uint8_t *bytes = (uint8_t *)(loaded + 1);
    if (id.size > 0)
        memcpy(bytes, id.data, id.size);
    memcpy(bytes + id.size, value.data, value.size);
    loaded->id = slice_make(bytes, id.size);
    loaded->value = slice_make(bytes + id.size, value.size);
    map_put(&load->groups, loaded->id, loaded);
}

static bool groups_load_offset(struct groups_load *load, const struct batch_header *header,
    const struct group_log_key *key, struct slice value)
{
    int64_t log_offset = header->base_offset;
    struct groups_entry *entry = groups_find(load->shard, key->group);
    if (slice_is_null(value)) {
        if (entry != NULL) {
            group_offsets_remove(&entry->offsets, key->topic, key->partition, log_offset);
            group_pending_remove(&entry->pending, key->topic, key->partition, log_offset);
        }
        return true;
    }
    struct group_offset offset = {
        .topic = key->topic, .partition = key->partition, .log_offset = log_offset};
    if (!group_log_parse_offset(value, &load->scratch, &offset))
        return false;
    if (entry == NULL)
        entry = groups_entry_new(load->shard, key->group);
    if ((header->attributes & BATCH_TRANSACTIONAL) != 0)
        groups_pending_put(entry, header->producer_id, &offset);
    else
        group_offsets_put(&entry->offsets, &offset);
    return true;
}

/* Goes straight into the group: what comes later in the log takes the place of what came before. */
static bool groups_load_consumer(
    struct groups_load *load, const struct group_log_key *key, struct slice value)
{
    if (key->type == GROUP_LOG_CONSUMER_TOPICS)
        return true;
    bool share = key->type >= GROUP_LOG_SHARE_GROUP && key->type <= GROUP_LOG_SHARE_STATES;
    struct groups_entry *entry = groups_find(load->shard, key->group);
    if (slice_is_null(value)) {
        if (entry == NULL || entry->consumer == NULL || (entry->consumer->share != NULL) != share)
            return true;
        if (key->type == GROUP_LOG_CONSUMER_GROUP || key->type == GROUP_LOG_SHARE_GROUP)
            groups_consumer_drop(entry, GROUP_E_NOT_COORDINATOR);
        else
            consumer_log_apply(entry->consumer, key, value, &load->scratch);
        return true;
    }
    if (entry == NULL)
        entry = groups_entry_new(load->shard, key->group);
    if (entry->consumer != NULL && (entry->consumer->share != NULL) != share)
        groups_consumer_drop(entry, GROUP_E_NOT_COORDINATOR);
    if (entry->consumer == NULL)
        groups_consumer_new(entry);
    if (share && entry->consumer->share == NULL)
        consumer_group_make_share(entry->consumer);
    entry->consumer->logged = true;
    return consumer_log_apply(entry->consumer, key, value, &load->scratch);
}

static bool groups_load_record(
    struct groups_load *load, const struct batch_header *header, const struct record *record)
{
    struct group_log_key key;
    if (slice_is_null(record->key) || !group_log_parse_key(record->key, &load->scratch, &key))
        return false;
    switch (key.type) {
    case GROUP_LOG_OFFSET: return groups_load_offset(load, header, &key, record->value);
    case GROUP_LOG_GROUP: groups_load_keep_group(load, key.group, record->value); return true;
    case GROUP_LOG_CONSUMER_GROUP:
    case GROUP_LOG_CONSUMER_TOPICS:
    case GROUP_LOG_CONSUMER_MEMBER:
    case GROUP_LOG_CONSUMER_TARGET_EPOCH:
    case GROUP_LOG_CONSUMER_TARGET:
    case GROUP_LOG_CONSUMER_CURRENT:
    case GROUP_LOG_CONSUMER_PATTERN:
    case GROUP_LOG_SHARE_GROUP:
    case GROUP_LOG_SHARE_MEMBER:
    case GROUP_LOG_SHARE_TARGET_EPOCH:
    case GROUP_LOG_SHARE_TARGET:
    case GROUP_LOG_SHARE_CURRENT:
    case GROUP_LOG_SHARE_STATES: return groups_load_consumer(load, &key, record->value);
    case GROUP_LOG_OTHER: break;
    }
    return false;
}

/* --- batches --- */

static void groups_load_marker(
    struct groups_load *load, const struct batch_header *header, struct slice batch)
{
    struct txn_marker_facts marker;
    if (txn_log_parse_marker(header, batch, &marker))
        groups_pending_end(load->shard, marker.producer_id, marker.commit);
    else
        load->skipped_count++;
}

static bool groups_load_inflate(
    struct groups_load *load, const struct batch_header *header, struct slice *records)
{
    enum batch_compression codec = header->attributes & BATCH_COMPRESSION_MASK;
    if (codec == BATCH_NONE)
        return true;
    load->inflated.size = 0;
    if (compression_inflate(codec, *records, GROUPS_LOAD_BATCH_SIZE_MAX, &load->inflated) != 0)
        return false;
    *records = buffer_slice(&load->inflated);
    return true;
}

static int groups_load_on_batch(
    struct engine_replay *replay, const struct batch_header *header, struct slice batch)
{
    struct groups_load *load = container_of(replay, struct groups_load, replay);
    if (load->shard == NULL)
        return 1;
    if ((header->attributes & BATCH_CONTROL) != 0) {
        groups_load_marker(load, header, batch);
        return 0;
    }
    struct slice records =
        slice_make(batch.data + BATCH_HEADER_SIZE, batch.size - BATCH_HEADER_SIZE);
    if (!groups_load_inflate(load, header, &records)) {
        load->skipped_count += (uint64_t)header->records_count;
        return 0;
    }
    struct record_cursor cursor = record_cursor_make(records, header->records_count);
    struct record record;
    while (record_next(&cursor, &record)) {
        load->records_count++;
        if (!groups_load_record(load, header, &record))
            load->skipped_count++;
        arena_reset(&load->scratch);
    }
    load->skipped_count += cursor.fault != NULL;
    return 0;
}

static void groups_load_member(
    struct group *group, const struct group_metadata_value *value, int16_t version, int32_t index)
{
    const struct group_metadata_value_member *stored = &value->members[index];
    struct group_join join = {.member_id = stored->member_id,
        .instance_id = stored->group_instance_id,
        .client_id = stored->client_id,
        .client_host = stored->client_host,
        .session_timeout_ms = stored->session_timeout,
        .rebalance_timeout_ms = version == 0 ? stored->session_timeout : stored->rebalance_timeout};
    if (!group_restore_member(group, &join, stored->subscription, stored->assignment))
        log_warn("group.load.duplicate", "group=%s member=%s", log_quote(group->id).str,
            log_quote(stored->member_id).str);
}

static void groups_load_build(struct groups_load *load, const struct groups_loaded *loaded)
{
    struct group_metadata_value value;
    int16_t version;
    if (!group_log_parse_group(loaded->value, &load->scratch, &version, &value)) {
        load->skipped_count++;
        return;
    }
    struct groups_entry *entry = groups_find(load->shard, loaded->id);
    if (entry == NULL)
        entry = groups_entry_new(load->shard, loaded->id);
    if (entry->consumer != NULL) {
        log_warn("groups.load.both.kinds", "group=%s", log_quote(entry->group->id).str);
        entry->classic_gone = true;
        return;
    }
    struct group_restored restored = {.generation = value.generation,
        .protocol_type = value.protocol_type,
        .protocol = value.protocol,
        .leader = value.leader,
        .state_ms = value.current_state_timestamp};
    group_restore(entry->group, &restored);
    for (int32_t i = 0; i < value.members_count && !slice_is_null(value.protocol); i++)
        groups_load_member(entry->group, &value, version, i);
}

/* Deleted groups and deleted offsets leave entries with nothing in them. */
static void groups_load_sweep(struct groups_shard *shard)
{
    size_t count = 0;
    struct groups_entry **blank = xnew_n(struct groups_entry *, shard->entries.count + 1);
    map_for_each (&shard->entries, found) {
        struct groups_entry *entry = found->value;
        if (entry->consumer == NULL && entry->offsets.map.count == 0 &&
            entry->pending.by_producer.count == 0 && group_is_blank(entry->group))
            blank[count++] = entry;
    }
    for (size_t i = 0; i < count; i++)
        groups_entry_kill(blank[i], GROUP_E_NOT_COORDINATOR);
    free(blank);
}

static void groups_load_finish(struct groups_load *load)
{
    struct groups_shard *shard = load->shard;
    map_for_each (&load->groups, found) {
        groups_load_build(load, found->value);
        arena_reset(&load->scratch);
    }
    groups_txn_ends_run(shard, true);
    groups_load_sweep(shard);
    shard->load = NULL;
    shard->base.state = SHARD_READY;
    map_for_each (&shard->entries, found) {
        struct groups_entry *entry = found->value;
        if (entry->consumer != NULL)
            consumer_restore_end(entry->consumer);
        else
            group_restore_end(entry->group);
        if (groups_entry_is_share(entry))
            groups_share_restored(entry);
    }
    if (load->records_count > 0 || load->skipped_count > 0)
        log_info("groups.loaded",
            "partition=%" PRId32 " groups=%zu records=%" PRIu64 " skipped=%" PRIu64 " ms=%" PRId64,
            shard->base.index, shard->entries.count, load->records_count, load->skipped_count,
            loop_now_ms(shard->groups->loop) - load->started_ms);
    shard_release(&shard->base, SHARD_OK);
}

static void groups_load_on_done(struct engine_replay *replay, enum engine_status status)
{
    struct groups_load *load = container_of(replay, struct groups_load, replay);
    struct groups_shard *shard = load->shard;
    if (shard != NULL && status == ENGINE_OK) {
        groups_load_finish(load);
    } else if (shard != NULL) {
        log_error("groups.load.failed", "partition=%" PRId32 " status=%d", shard->base.index,
            (int)status);
        groups_drop(shard->groups, shard->base.index);
        shard_release(&shard->base, SHARD_E_NOT_COORDINATOR);
    }
    load->done(load->ctx);
    groups_load_free(load);
}

void groups_load_start(struct groups_shard *shard, void (*done)(void *ctx), void *ctx)
{
    struct groups_load *load = xnew(struct groups_load);
    load->shard = shard;
    load->partition = shard->base.partition;
    load->done = done;
    load->ctx = ctx;
    load->groups = MAP_NULL;
    load->started_ms = loop_now_ms(shard->groups->loop);
    arena_init(&load->scratch, SIZE_MAX);
    shard->load = load;
    struct part *part = partition_part(shard->base.partition);
    struct part_state state;
    partition_get_state(shard->base.partition, &state);
    load->replay = (struct engine_replay){.from = state.log_start,
        .headers_only = false,
        .visit = groups_load_on_batch,
        .done = groups_load_on_done};
    partition_engine(shard->base.partition)->ops->part_replay(part, &load->replay);
}

void groups_load_cancel(struct groups_load *load)
{
    load->shard->load = NULL;
    load->shard = NULL;
}
