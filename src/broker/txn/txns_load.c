// SPDX-License-Identifier: BSD-2-Clause
/*
 * Replay: walks a partition of __transaction_state from its start and keeps, per id, the last
 * value. Transactions that were decided and not completed go on at the end: their markers are
 * written (again).
 *
 * Failure modes: a record we cannot read is skipped and counted (one log line); the partition is
 * lost meanwhile -> the load is cancelled and `done` still comes; the engine fails -> the shard
 * stays absent and its requests get NOT_COORDINATOR.
 */
#include "base/log.h"
#include "broker/txn/txns_shard.h"
#include "store/batch/records.h"

#include <assert.h>
#include <inttypes.h>

struct txns_load {
    struct engine_replay replay;
    struct txns_shard *shard; /* NULL: cancelled */
    void (*done)(void *ctx);
    void *ctx;
    struct arena scratch;
    uint64_t records_count, skipped_count;
    int64_t started_ms;
};

static bool txns_load_record(struct txns_load *load, const struct record *record)
{
    struct slice id;
    if (slice_is_null(record->key) || !txn_log_parse_key(record->key, &load->scratch, &id))
        return false;
    struct txns_entry *before = map_get(&load->shard->entries, id);
    if (slice_is_null(record->value)) {
        if (before != NULL)
            txns_entry_kill(before, TXN_E_NOT_COORDINATOR);
        return true;
    }
    struct txn_log_value value;
    if (!txn_log_parse_value(record->value, &load->scratch, &value))
        return false;
    if (before != NULL)
        txns_entry_kill(before, TXN_E_NOT_COORDINATOR);
    struct txns_entry *entry = txns_entry_new(load->shard, id, &value.facts);
    for (size_t i = 0; i < value.partitions_count; i++)
        txn_restore_partition(entry->txn, &value.partitions[i]);
    return true;
}

static int txns_load_on_batch(
    struct engine_replay *replay, const struct batch_header *header, struct slice batch)
{
    struct txns_load *load = container_of(replay, struct txns_load, replay);
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
        if (!txns_load_record(load, &record))
            load->skipped_count++;
        arena_reset(&load->scratch);
    }
    load->skipped_count += cursor.fault != NULL;
    return 0;
}

static void txns_load_finish(struct txns_load *load)
{
    struct txns_shard *shard = load->shard;
    size_t resumed_count = 0;
    shard->load = NULL;
    shard->base.state = SHARD_READY;
    map_for_each (&shard->entries, found) {
        struct txns_entry *entry = found->value;
        resumed_count += txn_is_prepared(entry->txn);
        txns_entry_resume(entry);
    }
    if (load->records_count > 0 || load->skipped_count > 0)
        log_info("transactions.loaded",
            "partition=%" PRId32 " ids=%zu resumed=%zu records=%" PRIu64 " skipped=%" PRIu64
            " ms=%" PRId64,
            shard->base.index, shard->entries.count, resumed_count, load->records_count,
            load->skipped_count, loop_now_ms(shard->txns->loop) - load->started_ms);
    shard_release(&shard->base, SHARD_OK);
}

static void txns_load_on_done(struct engine_replay *replay, enum engine_status status)
{
    struct txns_load *load = container_of(replay, struct txns_load, replay);
    struct txns_shard *shard = load->shard;
    if (shard != NULL && status == ENGINE_OK) {
        txns_load_finish(load);
    } else if (shard != NULL) {
        log_error("transactions.load.failed", "partition=%" PRId32 " status=%d", shard->base.index,
            (int)status);
        txns_drop(shard->txns, shard->base.index);
        shard_release(&shard->base, SHARD_E_NOT_COORDINATOR);
    }
    load->done(load->ctx);
    arena_deinit(&load->scratch);
    free(load);
}

void txns_load_start(struct txns_shard *shard, void (*done)(void *ctx), void *ctx)
{
    struct txns_load *load = xnew(struct txns_load);
    load->shard = shard;
    load->done = done;
    load->ctx = ctx;
    load->started_ms = loop_now_ms(shard->txns->loop);
    arena_init(&load->scratch, SIZE_MAX);
    shard->load = load;
    struct part_state state;
    partition_get_state(shard->base.partition, &state);
    shard->epoch = state.leader_epoch;
    load->replay = (struct engine_replay){.from = state.log_start,
        .headers_only = false,
        .visit = txns_load_on_batch,
        .done = txns_load_on_done};
    partition_engine(shard->base.partition)
        ->ops->part_replay(partition_part(shard->base.partition), &load->replay);
}

void txns_load_cancel(struct txns_load *load)
{
    load->shard->load = NULL;
    load->shard = NULL;
}
