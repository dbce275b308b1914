// SPDX-License-Identifier: BSD-2-Clause
/*
 * The producers' state is a pure function of the log; a snapshot only shortens the replay. Happy
 * path: acquired -> snapshot look-up -> replay of batch headers above it -> built. A snapshot that
 * cannot be read is as good as none. Of the log only headers are read, and the markers that end
 * transactions. When an append fails after its offset was given (the medium
 * failed and the log was cut), the state may know batches that are gone: it is built again in the
 * same way.
 */
#include "broker/partition/partition_internal.h"
#include "base/canary.h"
#include "base/log.h"
#include "broker/broker.h"
#include "broker/config/settings.h"
#include "broker/txn/txn_log.h"

#include <assert.h>

/* Bytes between snapshots: what a replay after a crash reads headers of. */
#define PARTITION_SNAPSHOT_INTERVAL ((uint64_t)64 << 20)

/* How often a replay that the medium failed is begun again. */
#define PARTITION_BUILD_TRIES 3

static void partition_build_end(struct partition *partition)
{
    partition->build_running = false;
    buffer_deinit(&partition->snapshot);
    if (partition->state != PARTITION_BUILDING)
        return;
    if (partition->build_again)
        partition_build(partition);
    else
        partition_on_built(partition);
}

static void partition_on_replayed(struct engine_replay *replay, enum engine_status status)
{
    struct partition *partition = container_of(replay, struct partition, replay);
    /* Damage in the log leaves a gap in what is remembered, which makes sequences acceptable that
     * would have been refused; reading the damaged batches is answered with an error elsewhere. */
    if (status == ENGINE_STORAGE && partition->build_tries++ < PARTITION_BUILD_TRIES)
        partition->build_again = true; /* a call failed; the next one may not */
    else if (status != ENGINE_OK && status != ENGINE_NOT_OWNER)
        log_warn("partition.replay.incomplete", "topic=%s partition=%d status=%d",
            log_quote(slice_from_str(partition->topic->name)).str, partition->index, (int)status);
    if (status != ENGINE_STORAGE)
        partition->build_tries = 0;
    partition_build_end(partition);
}

static int partition_on_header(
    struct engine_replay *replay, const struct batch_header *header, struct slice batch)
{
    struct partition *partition = container_of(replay, struct partition, replay);
    struct txn_marker_facts facts;
    struct producers_marker marker = {0};
    bool marked = txn_log_parse_marker(header, batch, &facts);
    if (marked)
        marker = (struct producers_marker){facts.commit, facts.coordinator_epoch};
    producers_record(&partition->producers, header, marked ? &marker : NULL,
        env_real_ms(loop_env(partition->loop)));
    return 0;
}

static void partition_on_snapshot(struct engine_call *call, enum engine_status status)
{
    struct partition *partition = container_of(call, struct partition, call);
    if (partition->state != PARTITION_BUILDING || partition->build_again) {
        partition_build_end(partition);
        return;
    }
    struct part_state state;
    partition_get_state(partition, &state);
    int64_t from = state.log_start;
    producers_clear(&partition->producers);
    if (status == ENGINE_OK && call->offset >= state.log_start && call->offset <= state.log_end &&
        producers_load(&partition->producers, buffer_slice(&partition->snapshot)))
        from = call->offset;
    partition->size_since_snapshot = 0;
    partition->changed_since_snapshot = from < state.log_end;
    if (from == state.log_end) {
        partition_build_end(partition);
        return;
    }
    partition->replay = (struct engine_replay){
        .from = from,
        .headers_only = true,
        .visit = partition_on_header,
        .done = partition_on_replayed,
    };
    partition_ops(partition)->part_replay(partition->part, &partition->replay);
}

void partition_build(struct partition *partition)
{
    assert(partition->state == PARTITION_BUILDING);
    if (partition->build_running) { /* what runs was begun for another state of the log */
        partition->build_again = true;
        return;
    }
    partition->build_again = false;
    producers_clear(&partition->producers);
    struct part_state state;
    partition_get_state(partition, &state);
    if ((partition->fresh && state.log_end == 0) ||
        canary(PRODUCERS_LOST)) { /* a new topic is usable at once */
        partition_on_built(partition);
        return;
    }
    /* Also for an empty log: the look-up is where the engine drops snapshots of what is gone. */
    partition->build_running = true;
    partition->call = (struct engine_call){.done = partition_on_snapshot, .offset = -1};
    partition_ops(partition)->part_snapshot_get(
        partition->part, &partition->snapshot, &partition->call);
}

void partition_save(struct partition *partition, bool now)
{
    if (!partition->changed_since_snapshot ||
        (!now && partition->size_since_snapshot < PARTITION_SNAPSHOT_INTERVAL))
        return;
    /* It describes the whole log, so all of the log must have been written; while more is under way
     * the next commit is a better moment. */
    struct part_state state;
    partition_get_state(partition, &state);
    if (!now && state.high_watermark < state.log_end)
        return;
    _cleanup_(buffer_deinit) struct buffer blob = BUFFER_NULL;
    producers_save(&partition->producers, &blob);
    partition_ops(partition)->part_snapshot_put(
        partition->part, state.log_end, buffer_slice(&blob));
    if (partition_ops(partition)->part_aborted_put != NULL) {
        blob.size = 0;
        txn_index_aborted(&partition->producers.txns, &blob);
        partition_ops(partition)->part_aborted_put(
            partition->part, (const void *)blob.data, blob.size / sizeof(struct engine_aborted));
    }
    partition->size_since_snapshot = 0;
    partition->changed_since_snapshot = false;
}

static void partition_on_expiry(struct timer *timer)
{
    struct partition *partition = container_of(timer, struct partition, expiry);
    const struct producer_settings *settings = &broker_settings(partition->broker)->producer;
    producers_expire(
        &partition->producers, env_real_ms(loop_env(partition->loop)), settings->id_expiration_ms);
    partition_producers_watch(partition);
}

void partition_producers_watch(struct partition *partition)
{
    if (producers_count(&partition->producers) == 0 || timer_running(&partition->expiry))
        return;
    timer_start(&partition->expiry, partition->loop,
        broker_settings(partition->broker)->producer.id_expiration_check_ms, partition_on_expiry);
}
