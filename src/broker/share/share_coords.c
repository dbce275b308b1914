// SPDX-License-Identifier: BSD-2-Clause
/*
 * The life of shards, the way of a question to its share partition (coordinator/shard.h says how in
 * general), and what is done from time to time: state that was not written for long is written
 * anew, and what lies before everybody's last snapshot is removed from the log.
 */
#include "broker/share/share_coords.h"

#include "base/log.h"
#include "broker/config/settings.h"
#include "broker/share/share_coords_shard.h"

#include <inttypes.h>
#include <stdlib.h>

int64_t share_coords_real_ms(const struct share_coords *coords)
{
    return env_real_ms(broker_env(coords->broker));
}

/* --- shards --- */

static struct shards *share_here(struct broker *broker)
{
    return &broker_share_coords(broker)->shards;
}

static const struct topic *share_topic(struct broker *broker)
{
    return broker_image(broker)->share_state;
}

static struct shard *share_shard_make(struct shards *shards)
{
    struct share_shard *shard = xnew(struct share_shard);
    shard->coords = container_of(shards, struct share_coords, shards);
    shard->entries = MAP_NULL;
    return &shard->base;
}

static const struct shards_kind share_shards = {
    .waited = "share.waited",
    .here = share_here,
    .topic = share_topic,
    .ensure = broker_share_state_ensure,
    .index = broker_share_partition,
    .make = share_shard_make,
};

static struct share_shard *share_shard_at(struct share_coords *coords, int32_t index)
{
    return container_of(shard_at(&coords->shards, index), struct share_shard, base);
}

/* --- life --- */

struct share_coords *share_coords_new(struct broker *broker, struct loop *loop)
{
    struct share_coords *coords = xnew(struct share_coords);
    coords->broker = broker;
    coords->loop = loop;
    coords->sweep = TIMER_NULL;
    shards_init(&coords->shards, &share_shards, broker, loop);
    return coords;
}

static void share_shard_empty(struct share_shard *shard, enum share_state_error error)
{
    while (shard->entries.count > 0) {
        struct share_entry *entry = NULL;
        map_for_each (&shard->entries, found)
            entry = found->value;
        share_entry_kill(entry, error);
    }
    map_deinit(&shard->entries);
}

void share_coords_stop(struct share_coords *coords)
{
    coords->shards.stopped = true;
    timer_stop(&coords->sweep);
    struct share_shard *shard;
    list_for_each_entry (shard, &coords->shards.list, base.link) {
        share_shard_empty(shard, SHARE_STATE_E_UNAVAILABLE);
        shard_release(&shard->base, SHARD_E_UNAVAILABLE);
    }
}

void share_coords_free(struct share_coords *coords)
{
    if (coords == NULL)
        return;
    struct share_shard *shard, *following;
    list_for_each_entry_safe (shard, following, &coords->shards.list, base.link) {
        if (shard->load != NULL)
            share_load_cancel(shard->load);
        share_shard_empty(shard, SHARE_STATE_E_UNAVAILABLE);
        shard_deinit(&shard->base);
        free(shard);
    }
    timer_stop(&coords->sweep);
    free(coords);
}

static void share_sweep_start(struct share_coords *coords);

void share_coords_load(struct share_coords *coords, int32_t index, struct partition *partition,
    void (*done)(void *ctx), void *ctx)
{
    loop_assert_owner(coords->loop);
    struct share_shard *shard = share_shard_at(coords, index);
    assert(shard->base.state == SHARD_ABSENT && shard->entries.count == 0);
    shard->base.state = SHARD_LOADING;
    shard->base.partition = partition;
    share_load_start(shard, done, ctx);
    if (!timer_running(&coords->sweep)) {
        coords->snapshots_ms = coords->pruned_ms = loop_now_ms(coords->loop);
        share_sweep_start(coords);
    }
}

void share_coords_drop(struct share_coords *coords, int32_t index)
{
    loop_assert_owner(coords->loop);
    struct share_shard *shard = share_shard_at(coords, index);
    if (shard->base.state == SHARD_ABSENT)
        return;
    if (shard->load != NULL)
        share_load_cancel(shard->load);
    shard->base.state = SHARD_ABSENT;
    shard->base.partition = NULL;
    share_shard_empty(shard, SHARE_STATE_E_NOT_COORDINATOR);
}

void share_coords_on_topic_deleted(struct share_coords *coords, struct uuid topic_id)
{
    struct share_shard *shard;
    list_for_each_entry (shard, &coords->shards.list, base.link) {
        if (shard->base.state != SHARD_READY)
            continue; /* a load looks for such topics when it ends */
        map_for_each (&shard->entries, found) {
            struct share_entry *entry = found->value; /* a write that begins changes no table */
            if (uuid_equal(entry->id.topic_id, topic_id) && (entry->now.known || entry->busy))
                share_entry_push_own(entry, SHARE_STATE_DELETE);
        }
    }
}

/* --- from time to time --- */

static void share_shard_rewrite(struct share_shard *shard, int64_t real_ms, int64_t cold_ms)
{
    size_t rewritten = 0;
    map_for_each (&shard->entries, found) {
        const struct share_facts *facts = &((struct share_entry *)found->value)->now.facts;
        rewritten += facts->created_ms != facts->written_ms;
    }
    if (rewritten == shard->entries.count) /* nothing happens here: there is nothing to remove */
        return;
    map_for_each (&shard->entries, found) {
        struct share_entry *entry = found->value; /* a write that begins changes no table */
        if (entry->now.known && real_ms - entry->now.facts.written_ms >= cold_ms)
            share_entry_push_own(entry, SHARE_STATE_REWRITE);
    }
}

static void share_shard_on_pruned(struct engine_call *call, enum engine_status status)
{
    struct share_shard *shard = container_of(call, struct share_shard, prune);
    (void)status; /* it is tried again */
    shard->pruning = false;
}

static void share_shard_prune(struct share_shard *shard)
{
    struct part_state state;
    partition_get_state(shard->base.partition, &state);
    int64_t needed = INT64_MAX;
    map_for_each (&shard->entries, found) {
        const struct share_entry *entry = found->value;
        if (entry->snapshot_offset < needed)
            needed = entry->snapshot_offset;
    }
    if (shard->pruning || needed == INT64_MAX || needed <= state.log_start)
        return;
    shard->pruning = true;
    shard->prune = (struct engine_call){.done = share_shard_on_pruned, .offset = needed};
    partition_engine(shard->base.partition)
        ->ops->part_set_log_start(partition_part(shard->base.partition), &shard->prune);
}

static void share_coords_on_sweep(struct timer *timer)
{
    struct share_coords *coords = container_of(timer, struct share_coords, sweep);
    const struct share_settings *settings = &broker_settings(coords->broker)->share;
    int64_t now_ms = loop_now_ms(coords->loop), real_ms = share_coords_real_ms(coords);
    bool cold = now_ms - coords->snapshots_ms >= settings->cold_interval_ms;
    bool prune = now_ms - coords->pruned_ms >= settings->prune_interval_ms;
    struct share_shard *shard;
    list_for_each_entry (shard, &coords->shards.list, base.link) {
        if (shard->base.state != SHARD_READY)
            continue;
        if (cold)
            share_shard_rewrite(shard, real_ms, settings->cold_interval_ms);
        if (prune)
            share_shard_prune(shard);
    }
    coords->snapshots_ms = cold ? now_ms : coords->snapshots_ms;
    coords->pruned_ms = prune ? now_ms : coords->pruned_ms;
    share_sweep_start(coords);
}

static void share_sweep_start(struct share_coords *coords)
{
    const struct share_settings *settings = &broker_settings(coords->broker)->share;
    int64_t every_ms = settings->cold_interval_ms < settings->prune_interval_ms
                           ? settings->cold_interval_ms
                           : settings->prune_interval_ms;
    timer_start(&coords->sweep, coords->loop, every_ms, share_coords_on_sweep);
}

/* --- the way of a question --- */

char *share_state_key(struct slice group, struct uuid topic_id, int32_t partition)
{
    return xasprintf("%.*s:%s:%" PRId32, SLICE_FMT(group), uuid_to_text(topic_id).str, partition);
}

static void share_state_on_end(struct loop_msg *msg)
{
    struct share_state_op *op = container_of(msg, struct share_state_op, msg);
    op->done(op);
}

void share_state_end(struct share_state_op *op, enum share_state_error error)
{
    op->error = error;
    loop_post(op->loop, &op->msg, share_state_on_end);
}

void share_state_op_deinit(struct share_state_op *op)
{
    free(steal(&op->owned));
    free(steal(&op->key));
}

static void share_state_fail(struct share_state_op *op, enum shard_error error)
{
    switch (error) {
    case SHARD_OK: break;
    case SHARD_E_NO_TOPIC: /* nothing is remembered of anything */
        op->start_offset = SHARE_START_UNKNOWN;
        op->complete_count = SHARE_COUNT_UNKNOWN;
        op->leader_epoch = op->state_epoch = 0;
        share_state_end(op, op->kind == SHARE_STATE_SUMMARY || op->kind == SHARE_STATE_DELETE
                                ? SHARE_STATE_OK
                                : SHARE_STATE_E_INVALID);
        return;
    case SHARD_E_LOADING: share_state_end(op, SHARE_STATE_E_LOADING); return;
    case SHARD_E_NOT_COORDINATOR: share_state_end(op, SHARE_STATE_E_NOT_COORDINATOR); return;
    case SHARD_E_UNAVAILABLE: break;
    }
    share_state_end(op, SHARE_STATE_E_UNAVAILABLE);
}

static void share_state_on_arrival(struct shard_op *way)
{
    struct share_state_op *op = container_of(way, struct share_state_op, way);
    if (way->shard == NULL) {
        share_state_fail(op, way->error);
        return;
    }
    struct share_shard *shard = container_of(way->shard, struct share_shard, base);
    struct share_entry *entry = map_get(&shard->entries, way->key);
    if (entry == NULL && shard->coords->entries_count >= SHARE_STATES_COUNT_MAX) {
        share_state_end(op, SHARE_STATE_E_UNAVAILABLE);
        return;
    }
    if (entry == NULL)
        entry = share_entry_new(
            shard, way->key, &(struct share_key){op->group, op->topic_id, op->partition});
    share_entry_push(entry, op);
}

void share_state_submit(struct share_state_op *op)
{
    op->loop = loop_current();
    op->owned = NULL;
    op->forced = false;
    op->key = share_state_key(op->group, op->topic_id, op->partition);
    op->way = (struct shard_op){.broker = op->broker,
        .kind = &share_shards,
        .key = slice_from_str(op->key),
        .create = op->kind == SHARE_STATE_INITIALIZE,
        .run = share_state_on_arrival};
    if (shard_enter(&op->way))
        share_state_on_arrival(&op->way);
}
