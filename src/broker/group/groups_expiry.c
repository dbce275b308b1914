// SPDX-License-Identifier: BSD-2-Clause
/*
 * What nobody needs any more goes, every offsets.retention.check.interval.ms and when a topic is
 * deleted: offsets past their retention, and groups left with neither members nor offsets. Memory
 * forgets at once; when a tombstone then fails to be written, the next replay brings the offset
 * back and the next pass removes it again.
 */
#include "base/log.h"
#include "broker/group/group_subscription.h"
#include "broker/group/groups_shard.h"
#include "broker/config/settings.h"

#include <inttypes.h>

/* Tombstones in one batch. */
#define GROUPS_TOMBSTONES_COUNT_MAX 5000

struct groups_sweep {
    struct groups_shard *shard;
    struct group_write *write;
    int64_t now_ms, retention_ms;
    struct slice topic; /* non-null: this topic's offsets, whatever their age */
    size_t offsets_count, groups_count;
};

static void groups_sweep_on_written(struct group_write *write, enum group_error error)
{
    (void)write;
    if (error != GROUP_OK)
        log_warn("groups.sweep.failed", "error=%d", (int)error);
}

static void groups_sweep_flush(struct groups_sweep *sweep)
{
    struct group_write *write = steal(&sweep->write);
    if (write == NULL)
        return;
    if (group_write_empty(write))
        group_write_free(write);
    else if (group_write_submit(
                 write, sweep->shard->base.partition, groups_sweep_on_written, NULL) != GROUP_OK)
        log_warn("groups.sweep.failed", "partition=%" PRId32, sweep->shard->base.index);
}

static struct group_write *groups_sweep_write(struct groups_sweep *sweep)
{
    if (sweep->write != NULL && sweep->write->builder.records_count >= GROUPS_TOMBSTONES_COUNT_MAX)
        groups_sweep_flush(sweep);
    if (sweep->write == NULL)
        sweep->write = group_write_new(sweep->now_ms);
    return sweep->write;
}

/* Retention counts from when the group became empty, for groups that nobody joins (and topics that
 * no member reads any more) from the commit. */
static bool groups_offset_expired(
    const struct groups_sweep *sweep, struct groups_entry *entry, const struct group_offset *offset)
{
    const struct group *group = entry->group;
    if (!slice_is_null(sweep->topic))
        return slice_equal(sweep->topic, offset->topic);
    if (groups_is_unstable(entry, offset->topic, offset->partition))
        return false;
    int64_t base_ms = offset->commit_ms;
    if (entry->consumer != NULL && consumer_group_is_subscribed(entry->consumer, offset->topic))
        return false;
    if (entry->consumer != NULL || slice_is_null(group->protocol_type)) {
        base_ms = offset->commit_ms;
    } else if (group->state == GROUP_EMPTY) {
        base_ms = group->state_ms < 0 ? offset->commit_ms : group->state_ms;
    } else if (group->state != GROUP_STABLE || !group_is_consumer(group) ||
               !group_subscription_known(group) || group_is_subscribed(group, offset->topic)) {
        return false;
    }
    if (offset->expire_ms >= 0)
        return sweep->now_ms >= offset->expire_ms;
    return sweep->now_ms - base_ms >= sweep->retention_ms;
}

static void groups_sweep_entry(struct groups_sweep *sweep, struct groups_entry *entry)
{
    if (groups_entry_is_share(entry)) {
        groups_share_next(entry); /* what failed before */
        return;
    }
    size_t count = 0;
    const struct group_offset **expired =
        xnew_n(const struct group_offset *, entry->offsets.map.count + 1);
    group_offsets_for_each(&entry->offsets, offset)
    {
        if (groups_offset_expired(sweep, entry, offset))
            expired[count++] = offset;
    }
    for (size_t i = 0; i < count; i++) {
        group_write_offset_tombstone(
            groups_sweep_write(sweep), entry->group->id, expired[i]->topic, expired[i]->partition);
        group_offsets_remove(&entry->offsets, expired[i]->topic, expired[i]->partition, INT64_MAX);
    }
    free(expired);
    sweep->offsets_count += count;
    sweep->groups_count += groups_entry_reap(entry, groups_sweep_write(sweep));
}

static void groups_sweep_shard(struct groups_shard *shard, struct slice topic, int64_t retention_ms)
{
    struct groups_sweep sweep = {.shard = shard,
        .topic = topic,
        .now_ms = groups_real_ms(shard->groups),
        .retention_ms = retention_ms};
    size_t count = 0;
    struct groups_entry **entries = xnew_n(struct groups_entry *, shard->entries.count + 1);
    map_for_each (&shard->entries, found)
        entries[count++] = found->value;
    for (size_t i = 0; i < count; i++)
        groups_sweep_entry(&sweep, entries[i]);
    free(entries);
    groups_sweep_flush(&sweep);
    if (sweep.offsets_count > 0 || sweep.groups_count > 0)
        log_info("groups.expired", "partition=%" PRId32 " offsets=%zu groups=%zu reason=%s",
            shard->base.index, sweep.offsets_count, sweep.groups_count,
            slice_is_null(topic) ? "retention" : "topic-deleted");
}

static void groups_sweep(struct groups *groups, struct slice topic)
{
    int64_t retention_ms = broker_settings(groups->broker)->group.offsets_retention_ms;
    struct groups_shard *shard;
    list_for_each_entry (shard, &groups->shards.list, base.link) {
        if (shard->base.state == SHARD_READY && shard->entries.count > 0)
            groups_sweep_shard(shard, topic, retention_ms);
    }
}

/* Connections whose end came before the last member that named them: nobody frees those. */
static void groups_sweep_conns(struct groups *groups)
{
    size_t count = 0;
    struct groups_conn **idle = xnew_n(struct groups_conn *, groups->conns.count + 1);
    map_for_each (&groups->conns, found) {
        struct groups_conn *conn = found->value;
        if (list_empty(&conn->members) && list_empty(&conn->consumers))
            idle[count++] = conn;
    }
    for (size_t i = 0; i < count; i++) {
        map_remove(&groups->conns, slice_make(&idle[i]->id, sizeof(idle[i]->id)));
        free(idle[i]);
    }
    free(idle);
}

static void groups_expiry_on_timer(struct timer *timer)
{
    struct groups *groups = container_of(timer, struct groups, expiry);
    groups_sweep_conns(groups);
    groups_sweep(groups, SLICE_NULL);
    groups_expiry_start(groups);
}

void groups_expiry_start(struct groups *groups)
{
    timer_start(&groups->expiry, groups->loop,
        broker_settings(groups->broker)->group.offsets_retention_check_ms, groups_expiry_on_timer);
}

void groups_on_topic_deleted(struct groups *groups, struct uuid id, struct slice name)
{
    loop_assert_owner(groups->loop);
    struct groups_shard *shard;
    list_for_each_entry (shard, &groups->shards.list, base.link) {
        if (shard->base.state != SHARD_READY)
            continue;
        map_for_each (&shard->entries, found) {
            struct groups_entry *entry = found->value;
            if (groups_entry_is_share(entry))
                groups_share_on_topic_deleted(entry, id);
        }
    }
    /* offsets are kept by name */
    groups_sweep(groups, name);
}
