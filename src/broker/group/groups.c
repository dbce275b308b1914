// SPDX-License-Identifier: BSD-2-Clause
/*
 * The life of shards and entries, and what broker tells: partitions come and go, topics are
 * deleted, connections close. groups_route.c brings requests here, groups_load.c replays,
 * groups_commit.c writes offsets.
 *
 * An entry is owned by its shard. Writes on their way count in writes_count; when the shard is
 * dropped first, the entry stays behind dead until the last of them has answered.
 */
#include "broker/group/groups.h"

#include "base/log.h"
#include "broker/group/consumer_log.h"
#include "broker/group/group_subscription.h"
#include "broker/group/groups_shard.h"
#include "broker/config/settings.h"

#include <assert.h>
#include <inttypes.h>

/* --- hooks of the machine --- */

struct groups_store {
    struct groups_entry *entry;
    struct group_store *store;
};

static void groups_on_stored(struct group_write *write, enum group_error error)
{
    struct groups_store *context = write->ctx;
    group_store_done(context->store, error);
    groups_entry_put(context->entry);
    free(context);
}

static enum group_error groups_on_store(void *ctx, struct group *group, struct group_store *store)
{
    struct groups *groups = ctx;
    struct groups_entry *entry = group->owner;
    if (entry->shard == NULL || entry->shard->base.state != SHARD_READY)
        return GROUP_E_NOT_COORDINATOR;
    struct group_write *write = group_write_new(groups_real_ms(groups));
    group_write_group(write, group);
    struct groups_store *context = xnew(struct groups_store);
    *context = (struct groups_store){entry, store};
    enum group_error error =
        group_write_submit(write, entry->shard->base.partition, groups_on_stored, context);
    if (error == GROUP_OK)
        entry->writes_count++;
    else
        free(context);
    return error;
}

struct groups_conn *groups_conn_at(struct groups *groups, uint64_t conn_id)
{
    struct slice key = slice_make(&conn_id, sizeof(conn_id));
    struct groups_conn *conn = map_get(&groups->conns, key);
    if (conn == NULL) {
        conn = xnew(struct groups_conn);
        conn->id = conn_id;
        list_init(&conn->members);
        list_init(&conn->consumers);
        map_put(&groups->conns, slice_make(&conn->id, sizeof(conn->id)), conn);
    }
    return conn;
}

static void groups_on_attach(void *ctx, struct group_member *member, uint64_t conn_id)
{
    if (list_linked(&member->conn_link))
        list_remove(&member->conn_link);
    member->conn_id = conn_id;
    list_append(&groups_conn_at(ctx, conn_id)->members, &member->conn_link);
}

static int64_t groups_on_real_ms(void *ctx)
{
    return groups_real_ms(ctx);
}

static void groups_on_random(void *ctx, void *data, size_t size)
{
    struct groups *groups = ctx;
    struct env *env = broker_env(groups->broker);
    env->ops->random(env, data, size);
}

const struct group_hooks groups_hooks = {
    .store = groups_on_store,
    .attach = groups_on_attach,
    .real_ms = groups_on_real_ms,
    .random = groups_on_random,
};

int64_t groups_real_ms(const struct groups *groups)
{
    return env_real_ms(broker_env(groups->broker));
}

void groups_refresh_config(struct groups *groups)
{
    const struct group_settings *settings = &broker_settings(groups->broker)->group;
    groups->config = (struct group_config){
        .initial_delay_ms = settings->initial_rebalance_delay_ms,
        .join_window_ms = settings->join_window_ms,
        .size_max = settings->size_max,
        .session_ms_min = settings->session_timeout_ms_min,
        .session_ms_max = settings->session_timeout_ms_max,
        .new_member_ms_max = settings->new_member_ms_max,
        .disconnect_expiry_ms = settings->disconnect_expiry_ms,
    };
}

/* --- life --- */

struct groups *groups_new(struct broker *broker, struct loop *loop)
{
    struct groups *groups = xnew(struct groups);
    groups->broker = broker;
    groups->loop = loop;
    groups->conns = MAP_NULL;
    groups->expiry = TIMER_NULL;
    shards_init(&groups->shards, &groups_shards, broker, loop);
    arena_init(&groups->scratch, SIZE_MAX);
    return groups;
}

static void groups_shard_empty(struct groups_shard *shard, enum group_error error)
{
    while (shard->entries.count > 0) {
        struct groups_entry *entry = NULL;
        map_for_each (&shard->entries, found)
            entry = found->value;
        groups_entry_kill(entry, error);
    }
    map_deinit(&shard->entries);
}

void groups_stop(struct groups *groups)
{
    groups->shards.stopped = true;
    timer_stop(&groups->expiry);
    struct groups_shard *shard;
    list_for_each_entry (shard, &groups->shards.list, base.link) {
        groups_shard_empty(shard, GROUP_E_UNAVAILABLE);
        shard_release(&shard->base, SHARD_E_UNAVAILABLE);
    }
}

void groups_free(struct groups *groups)
{
    if (groups == NULL)
        return;
    struct groups_shard *shard, *following;
    list_for_each_entry_safe (shard, following, &groups->shards.list, base.link) {
        if (shard->load != NULL)
            groups_load_cancel(shard->load);
        groups_shard_empty(shard, GROUP_E_UNAVAILABLE);
        groups_txn_ends_run(shard, false);
        shard_deinit(&shard->base);
        free(shard);
    }
    timer_stop(&groups->expiry);
    map_for_each (&groups->conns, entry)
        free(entry->value);
    map_deinit(&groups->conns);
    arena_deinit(&groups->scratch);
    free(groups);
}

/* --- entries --- */

struct groups_entry *groups_entry_new(struct groups_shard *shard, struct slice group)
{
    struct groups *groups = shard->groups;
    struct groups_entry *entry = xnew(struct groups_entry);
    entry->shard = shard;
    entry->group = group_new(group, groups->loop, &groups->config, &groups_hooks, groups);
    entry->group->owner = entry;
    entry->offsets = GROUP_OFFSETS_NULL;
    entry->pending = GROUP_PENDING_NULL;
    list_init(&entry->txn_commits);
    list_init(&entry->flushes);
    map_put(&shard->entries, entry->group->id, entry);
    groups->entries_count++;
    return entry;
}

static void groups_entry_free(struct groups_entry *entry)
{
    assert(entry->group == NULL && entry->shard == NULL && entry->writes_count == 0);
    assert(list_empty(&entry->txn_commits));
    group_offsets_deinit(&entry->offsets);
    group_pending_deinit(&entry->pending);
    free(entry);
}

void groups_entry_kill(struct groups_entry *entry, enum group_error error)
{
    struct groups_shard *shard = entry->shard;
    map_remove(&shard->entries, entry->group->id);
    shard->groups->entries_count--;
    if (list_linked(&entry->pending_link))
        list_remove(&entry->pending_link);
    entry->shard = NULL;
    groups_consumer_drop(entry, error);
    group_free(steal(&entry->group), error);
    if (entry->writes_count == 0)
        groups_entry_free(entry);
}

void groups_entry_put(struct groups_entry *entry)
{
    assert(entry->writes_count > 0);
    if (--entry->writes_count == 0 && entry->group == NULL)
        groups_entry_free(entry);
}

bool groups_entry_reap(struct groups_entry *entry, struct group_write *write)
{
    struct group *group = entry->group;
    if (group->state != GROUP_EMPTY || group->pending_count > 0 || entry->writes_count > 0 ||
        entry->offsets.map.count > 0 || entry->pending.by_producer.count > 0)
        return false;
    if (entry->consumer != NULL &&
        (entry->consumer->members_count > 0 ||
            (entry->consumer->logged && (write == NULL || entry->consumer->share != NULL))))
        return false;
    if (entry->consumer != NULL && entry->consumer->logged) {
        consumer_log_write_gone(write, entry->consumer);
        log_info("consumer.forgotten", "group=%s epoch=%" PRId32, log_quote(group->id).str,
            entry->consumer->epoch);
    }
    if (group->generation > 0) {
        if (write == NULL)
            return false;
        group_write_group_tombstone(write, group->id);
        log_info("group.forgotten", "group=%s generation=%" PRId32, log_quote(group->id).str,
            group->generation);
    }
    groups_entry_kill(entry, GROUP_E_NOT_COORDINATOR);
    return true;
}

struct groups_entry *groups_find(struct groups_shard *shard, struct slice group)
{
    return map_get(&shard->entries, slice_is_null(group) ? SLICE_LIT("") : group);
}

void groups_each(
    struct broker *broker, void (*fn)(void *ctx, const struct groups_entry *entry), void *ctx)
{
    struct groups *groups = broker_groups(broker);
    loop_assert_owner(groups->loop);
    struct groups_shard *shard;
    list_for_each_entry (shard, &groups->shards.list, base.link) {
        if (shard->base.state != SHARD_READY)
            continue;
        map_for_each (&shard->entries, found)
            fn(ctx, found->value);
    }
}

/* --- partitions come and go --- */

void groups_load(struct groups *groups, int32_t index, struct partition *partition,
    void (*done)(void *ctx), void *ctx)
{
    loop_assert_owner(groups->loop);
    groups_refresh_config(groups);
    struct groups_shard *shard = groups_shard_at(groups, index);
    assert(shard->base.state == SHARD_ABSENT && shard->entries.count == 0);
    shard->base.state = SHARD_LOADING;
    shard->base.partition = partition;
    groups_load_start(shard, done, ctx);
    if (!timer_running(&groups->expiry))
        groups_expiry_start(groups);
}

void groups_drop(struct groups *groups, int32_t index)
{
    loop_assert_owner(groups->loop);
    struct groups_shard *shard = groups_shard_at(groups, index);
    if (shard->base.state == SHARD_ABSENT)
        return;
    if (shard->load != NULL)
        groups_load_cancel(shard->load);
    shard->base.state = SHARD_ABSENT;
    shard->base.partition = NULL;
    groups_txn_ends_run(shard, false);
    if (shard->entries.count > 0)
        log_info("groups.dropped", "partition=%" PRId32 " groups=%zu", index, shard->entries.count);
    groups_shard_empty(shard, GROUP_E_NOT_COORDINATOR);
}

/* --- connections --- */

void groups_on_conn_close(struct groups *groups, uint64_t conn_id)
{
    loop_assert_owner(groups->loop);
    struct groups_shard *shard;
    list_for_each_entry (shard, &groups->shards.list, base.link) {
        struct groups_op *op;
        list_for_each_entry (op, &shard->base.waiting, way.link) {
            if (op->conn_id == conn_id)
                op->conn_id = 0;
        }
    }
    struct groups_conn *conn = map_remove(&groups->conns, slice_make(&conn_id, sizeof(conn_id)));
    if (conn == NULL)
        return;
    struct group_member *member, *following;
    list_for_each_entry_safe (member, following, &conn->members, conn_link) {
        list_remove(&member->conn_link);
        group_member_disconnect(member);
    }
    struct consumer_member *consumer, *next;
    list_for_each_entry_safe (consumer, next, &conn->consumers, conn_link) {
        list_remove(&consumer->conn_link);
        consumer_member_disconnect(consumer);
    }
    free(conn);
}

/* --- requests of members --- */

void groups_join(struct groups_shard *shard, struct slice group, struct group_join *join)
{
    groups_refresh_config(shard->groups);
    const struct group_config *config = &shard->groups->config;
    enum group_error error = GROUP_OK;
    struct groups_entry *entry = NULL;
    if (!group_session_valid(config, join->session_timeout_ms)) {
        error = GROUP_E_INVALID_SESSION_TIMEOUT;
    } else {
        entry = groups_find(shard, group);
        if (entry == NULL && join->member_id.size > 0)
            error = GROUP_E_UNKNOWN_MEMBER;
        else if (entry == NULL && shard->groups->entries_count >= GROUPS_COUNT_MAX)
            error = GROUP_E_UNAVAILABLE;
        else if (entry == NULL)
            entry = groups_entry_new(shard, group);
    }
    if (error != GROUP_OK) {
        struct group_join_answer answer = {.error = error,
            .generation = -1,
            .leader = SLICE_LIT(""),
            .member_id = join->member_id};
        join->done(join, &answer);
        return;
    }
    if (groups_entry_is_share(entry)) {
        struct group_join_answer answer = {.error = GROUP_E_INCONSISTENT_PROTOCOL,
            .generation = -1,
            .leader = SLICE_LIT(""),
            .member_id = join->member_id};
        join->done(join, &answer);
        return;
    }
    if (entry->consumer != NULL && entry->consumer->members_count == 0)
        groups_consumer_to_classic(entry);
    if (entry->consumer != NULL) {
        groups_consumer_join(entry, join);
        return;
    }
    group_join(entry->group, join);
    if (group_is_blank(entry->group))
        groups_entry_reap(entry, NULL);
}

void groups_sync(struct groups_shard *shard, struct slice group, struct group_sync *sync)
{
    groups_refresh_config(shard->groups);
    struct groups_entry *entry = groups_find(shard, group);
    if (entry == NULL) {
        struct group_sync_answer answer = {
            .error = GROUP_E_UNKNOWN_MEMBER, .assignment = SLICE_LIT("")};
        sync->done(sync, &answer);
        return;
    }
    if (groups_entry_is_share(entry)) {
        struct group_sync_answer answer = {
            .error = GROUP_E_UNKNOWN_MEMBER, .assignment = SLICE_LIT("")};
        sync->done(sync, &answer);
    } else if (entry->consumer != NULL)
        groups_consumer_sync(entry, sync);
    else
        group_sync(entry->group, sync);
}

enum group_error groups_heartbeat(struct groups_entry *entry, struct slice member_id,
    struct slice instance_id, int32_t generation, uint64_t conn_id)
{
    if (groups_entry_is_share(entry))
        return GROUP_E_UNKNOWN_MEMBER;
    return entry->consumer == NULL
               ? group_heartbeat(entry->group, member_id, instance_id, generation, conn_id)
               : consumer_group_classic_heartbeat(
                     entry->consumer, member_id, instance_id, generation, conn_id);
}

enum group_error groups_leave(struct groups_entry *entry, struct slice member_id,
    struct slice instance_id, struct slice reason)
{
    if (groups_entry_is_share(entry))
        return GROUP_E_UNKNOWN_MEMBER;
    if (entry->consumer == NULL)
        return group_leave(entry->group, member_id, instance_id, reason);
    enum group_error error = consumer_group_classic_leave(entry->consumer, member_id, instance_id);
    if (error == GROUP_OK)
        groups_consumer_settle(entry, NULL);
    return error;
}

const char *groups_entry_state(const struct groups_entry *entry)
{
    return entry->consumer == NULL ? group_state_name(entry->group->state)
                                   : consumer_state_name(consumer_group_state(entry->consumer));
}

bool groups_entry_is_subscribed(const struct groups_entry *entry, struct slice topic)
{
    return entry->consumer == NULL ? group_is_subscribed(entry->group, topic)
                                   : consumer_group_is_subscribed(entry->consumer, topic);
}
