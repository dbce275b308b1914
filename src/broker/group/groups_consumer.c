// SPDX-License-Identifier: BSD-2-Clause
/*
 * Groups of the newer protocol in their shard: the hooks of the machine, its writes, and groups
 * that change their kind. A request changes the group at once; its answer waits until the batch
 * with the change is in the log, and so does one without a change while earlier batches are on
 * their way.
 *
 * Failure modes: the log refuses a batch -> its requests get the error and the next batch says
 * everything again, so that the log catches up with what the group is; the shard is dropped -> the
 * requests get the error of their own writes.
 */
#include "broker/group/consumer_log.h"
#include "broker/group/group_overrides.h"
#include "broker/group/groups_shard.h"
#include "broker/group/share_group.h"
#include "broker/config/settings.h"

#include "base/log.h"
#include "base/regex.h"

#include <assert.h>
#include <inttypes.h>

/* --- hooks --- */

static void groups_on_limits(
    void *ctx, const struct consumer_group *group, struct consumer_limits *ret_limits)
{
    const struct groups *groups = ctx;
    const struct group_settings *settings = &broker_settings(groups->broker)->group;
    const struct group_overrides *own = NULL;
    if (group != NULL)
        own = group_configs_find(broker_image(groups->broker)->group_configs, group->id);
    bool share = group != NULL && group->share != NULL;
    *ret_limits = (struct consumer_limits){
        .session_ms = group_overrides_effective(
            own, settings, share ? GROUP_KEY_SHARE_SESSION_MS : GROUP_KEY_SESSION_MS),
        .heartbeat_ms = group_overrides_effective(
            own, settings, share ? GROUP_KEY_SHARE_HEARTBEAT_MS : GROUP_KEY_HEARTBEAT_MS),
        .size_max = share ? settings->share_size_max : settings->consumer_size_max,
        .assignor = (enum consumer_assignor)settings->consumer_assignor_default,
        .assignors = settings->consumer_assignors,
        .upgrade = settings->consumer_upgrade,
        .downgrade = settings->consumer_downgrade,
        .session_ms_min = settings->session_timeout_ms_min,
        .session_ms_max = settings->session_timeout_ms_max,
        .disconnect_expiry_ms = settings->disconnect_expiry_ms,
    };
}

static uint64_t groups_on_topics_revision(void *ctx)
{
    const struct groups *groups = ctx;
    return broker_image(groups->broker)->revision;
}

static bool groups_topic_fill(const struct topic *topic, struct consumer_topic *ret_topic)
{
    if (topic == NULL)
        return false;
    *ret_topic =
        (struct consumer_topic){topic->id, slice_from_str(topic->name), topic->partitions_count};
    return true;
}

static bool groups_on_topic(void *ctx, struct slice name, struct consumer_topic *ret_topic)
{
    const struct groups *groups = ctx;
    return groups_topic_fill(image_topic(broker_image(groups->broker), name), ret_topic);
}

static bool groups_on_topic_by_id(void *ctx, struct uuid id, struct consumer_topic *ret_topic)
{
    const struct groups *groups = ctx;
    return groups_topic_fill(image_topic_by_id(broker_image(groups->broker), id), ret_topic);
}

static void groups_on_topics_each(
    void *ctx, void (*fn)(void *arg, const struct consumer_topic *topic), void *arg)
{
    const struct groups *groups = ctx;
    const struct image *image = broker_image(groups->broker);
    for (size_t i = 0; i < image->topics_count; i++) {
        struct consumer_topic topic;
        if (groups_topic_fill(image->topics[i], &topic))
            fn(arg, &topic);
    }
}

static void groups_on_changed(void *ctx, struct consumer_group *group)
{
    (void)ctx;
    groups_consumer_settle(group->owner, NULL);
}

static void groups_on_consumer_attach(void *ctx, struct consumer_member *member, uint64_t conn_id)
{
    if (list_linked(&member->conn_link))
        list_remove(&member->conn_link);
    member->conn_id = conn_id;
    list_append(&groups_conn_at(ctx, conn_id)->consumers, &member->conn_link);
}

static void groups_on_consumer_random(void *ctx, void *data, size_t size)
{
    groups_hooks.random(ctx, data, size);
}

const struct consumer_hooks groups_consumer_hooks = {
    .limits = groups_on_limits,
    .topics_revision = groups_on_topics_revision,
    .topic = groups_on_topic,
    .topic_by_id = groups_on_topic_by_id,
    .topics_each = groups_on_topics_each,
    .changed = groups_on_changed,
    .attach = groups_on_consumer_attach,
    .random = groups_on_consumer_random,
};

/* --- kinds --- */

void groups_consumer_new(struct groups_entry *entry)
{
    struct groups *groups = entry->shard->groups;
    assert(entry->consumer == NULL);
    entry->consumer =
        consumer_group_new(entry->group->id, groups->loop, &groups_consumer_hooks, groups);
    entry->consumer->owner = entry;
}

void groups_consumer_drop(struct groups_entry *entry, enum group_error error)
{
    if (groups_entry_is_share(entry))
        groups_share_drop(entry, error);
    consumer_group_free(steal(&entry->consumer));
}

/* A classic machine that knows nothing, in the old one's place; whoever waits is told to come
 * again. */
static void groups_classic_reset(struct groups_entry *entry)
{
    struct groups_shard *shard = entry->shard;
    struct group *before = entry->group;
    entry->classic_gone |= before->generation > 0;
    struct group *group = group_new(
        before->id, shard->groups->loop, &shard->groups->config, &groups_hooks, shard->groups);
    group->owner = entry;
    map_remove(&shard->entries, before->id);
    entry->group = group;
    map_put(&shard->entries, group->id, entry);
    group_free(before, GROUP_E_REBALANCING);
}

/* What would be refused anyway must not make a group change its kind first. */
static enum group_error groups_check_joiner(
    const struct groups *groups, struct consumer_heartbeat *heartbeat)
{
    const struct group_settings *settings = &broker_settings(groups->broker)->group;
    enum consumer_assignor assignor;
    if (!slice_is_null(heartbeat->assignor) &&
        (!consumer_assignor_find(heartbeat->assignor, &assignor) ||
            (settings->consumer_assignors & (1u << assignor)) == 0)) {
        heartbeat->message = "The server assignor is not supported.";
        return GROUP_E_UNSUPPORTED_ASSIGNOR;
    }
    struct regex *regex = NULL;
    if (heartbeat->pattern.size > 0 && regex_new(heartbeat->pattern, &regex) != 0) {
        heartbeat->message = "SubscribedTopicRegex is not a valid regular expression.";
        return GROUP_E_INVALID_REGEX;
    }
    regex_free(regex);
    return GROUP_OK;
}

static bool groups_may_upgrade(const struct groups_entry *entry, enum group_error *ret_error)
{
    const struct group *group = entry->group;
    struct consumer_limits limits;
    *ret_error = GROUP_E_NOT_FOUND;
    groups_on_limits(entry->shard->groups, NULL, &limits);
    return limits.upgrade && slice_equal_str(group->protocol_type, "consumer") &&
           group->members_count < (size_t)limits.size_max;
}

/* The group becomes one of the newer kind, with the members that it has. */
static enum group_error groups_consumer_upgrade(struct groups_entry *entry)
{
    enum group_error error;
    bool empty = entry->group->members_count == 0;
    if (!empty && !groups_may_upgrade(entry, &error))
        return error;
    groups_consumer_new(entry);
    if (!empty && !consumer_group_take_classic(entry->consumer, entry->group)) {
        groups_consumer_drop(entry, GROUP_E_NOT_FOUND);
        return GROUP_E_NOT_FOUND;
    }
    if (!empty)
        log_info("group.upgraded", "group=%s generation=%" PRId32 " members=%zu",
            log_quote(entry->group->id).str, entry->group->generation, entry->group->members_count);
    groups_classic_reset(entry);
    return GROUP_OK;
}

/* --- writes --- */

struct groups_flush {
    struct list_link link; /* entry->flushes */
    struct groups_entry *entry;
    struct list_link waiting; /* struct groups_waiter */
};

static void groups_flush_on_written(struct group_write *write, enum group_error error)
{
    struct groups_flush *flush = write->ctx;
    struct groups_entry *entry = flush->entry;
    if (error != GROUP_OK && entry->consumer != NULL) {
        log_warn("consumer.store.failed", "group=%s epoch=%" PRId32 " error=%d",
            log_quote(entry->consumer->id).str, entry->consumer->epoch, (int)error);
        consumer_group_mark_dirty(entry->consumer);
    }
    list_remove(&flush->link);
    while (!list_empty(&flush->waiting)) {
        struct groups_waiter *waiter =
            list_entry(list_first(&flush->waiting), struct groups_waiter, link);
        list_remove(&waiter->link);
        waiter->done(waiter, error);
    }
    free(flush);
    groups_entry_put(entry);
}

static void groups_flush_submit(
    struct groups_entry *entry, struct group_write *write, struct groups_waiter *waiter)
{
    struct groups_flush *flush = xnew(struct groups_flush);
    flush->entry = entry;
    list_init(&flush->waiting);
    enum group_error error =
        group_write_submit(write, entry->shard->base.partition, groups_flush_on_written, flush);
    if (error != GROUP_OK) {
        free(flush);
        if (entry->consumer != NULL)
            consumer_group_mark_dirty(entry->consumer);
        if (waiter != NULL)
            waiter->done(waiter, error);
        return;
    }
    entry->writes_count++;
    list_append(&entry->flushes, &flush->link);
    if (waiter != NULL)
        list_append(&flush->waiting, &waiter->link);
}

void groups_consumer_flush(struct groups_entry *entry, struct groups_waiter *waiter)
{
    bool dirty = entry->classic_gone ||
                 (entry->consumer != NULL && consumer_group_is_dirty(entry->consumer));
    if (dirty) {
        struct group_write *write = group_write_new(groups_real_ms(entry->shard->groups));
        if (entry->classic_gone)
            group_write_group_tombstone(write, entry->group->id);
        entry->classic_gone = false;
        if (entry->consumer != NULL)
            consumer_log_write(write, entry->consumer);
        groups_flush_submit(entry, write, waiter);
    } else if (waiter != NULL && !list_empty(&entry->flushes)) {
        struct groups_flush *last = list_entry(entry->flushes.prev, struct groups_flush, link);
        list_append(&last->waiting, &waiter->link);
    } else if (waiter != NULL) {
        waiter->done(waiter, GROUP_OK);
    }
}

void groups_consumer_to_classic(struct groups_entry *entry)
{
    struct consumer_group *consumer = entry->consumer;
    struct group_write *write = group_write_new(groups_real_ms(entry->shard->groups));
    bool logged = consumer->logged;
    if (logged)
        consumer_log_write_gone(write, consumer);
    if (consumer->members_count > 0) {
        log_info("group.downgraded", "group=%s epoch=%" PRId32 " members=%zu",
            log_quote(consumer->id).str, consumer->epoch, consumer->members_count);
        consumer_group_give_classic(consumer, entry->group);
        group_write_group(write, entry->group);
    }
    groups_consumer_drop(entry, GROUP_E_NOT_FOUND);
    if (group_write_empty(write))
        group_write_free(write);
    else
        groups_flush_submit(entry, write, NULL);
}

void groups_consumer_settle(struct groups_entry *entry, struct groups_waiter *waiter)
{
    struct consumer_limits limits;
    groups_on_limits(entry->shard->groups, entry->consumer, &limits);
    if (limits.downgrade && consumer_group_is_all_classic(entry->consumer) &&
        entry->consumer->members_count <= (size_t)entry->shard->groups->config.size_max)
        groups_consumer_to_classic(entry);
    groups_consumer_flush(entry, waiter);
}

/* --- heartbeats --- */

static void groups_consumer_on_flushed(struct groups_waiter *waiter, enum group_error error)
{
    struct groups_consumer_call *call = container_of(waiter, struct groups_consumer_call, waiter);
    call->done(call, error);
}

static void groups_consumer_fail(
    struct groups_consumer_call *call, enum group_error error, const char *message)
{
    if (message != NULL)
        call->heartbeat.message = message;
    call->done(call, error);
}

/* One that is about to go takes no members. */
static enum group_error groups_share_usable(const struct groups_entry *entry)
{
    return entry->consumer->share->deletion == NULL ? GROUP_OK : GROUP_E_UNAVAILABLE;
}

static enum group_error groups_consumer_find(struct groups_shard *shard, struct slice group,
    struct groups_consumer_call *call, struct groups_entry **ret_entry)
{
    struct groups_entry *entry = groups_find(shard, group);
    bool share = call->heartbeat.share;
    *ret_entry = entry;
    if (entry != NULL && entry->consumer != NULL && groups_entry_is_share(entry) == share)
        return share ? groups_share_usable(entry) : GROUP_OK;
    if (entry != NULL && (share || entry->consumer != NULL)) {
        call->heartbeat.message =
            share ? "The group is not a share group." : "The group is not a consumer group.";
        return GROUP_E_NOT_FOUND;
    }
    if (call->heartbeat.epoch != CONSUMER_EPOCH_JOIN) {
        call->heartbeat.message =
            share ? "The share group was not found." : "The consumer group was not found.";
        return GROUP_E_NOT_FOUND;
    }
    enum group_error error = groups_check_joiner(shard->groups, &call->heartbeat);
    if (error != GROUP_OK)
        return error;
    if (entry == NULL) {
        if (shard->groups->entries_count >= GROUPS_COUNT_MAX)
            return GROUP_E_UNAVAILABLE;
        *ret_entry = entry = groups_entry_new(shard, group);
    }
    if (share) {
        groups_consumer_new(entry);
        consumer_group_make_share(entry->consumer);
        return GROUP_OK;
    }
    error = groups_consumer_upgrade(entry);
    if (error == GROUP_E_NOT_FOUND)
        call->heartbeat.message = "The group is not a consumer group and cannot become one.";
    return error;
}

void groups_consumer_heartbeat(
    struct groups_shard *shard, struct slice group, struct groups_consumer_call *call)
{
    groups_refresh_config(shard->groups);
    struct groups_entry *entry;
    enum group_error error = groups_consumer_find(shard, group, call, &entry);
    if (error != GROUP_OK) {
        groups_consumer_fail(call, error, NULL);
        return;
    }
    struct consumer_heartbeat *heartbeat = &call->heartbeat;
    error = heartbeat->epoch < 0 ? consumer_group_leave(entry->consumer, heartbeat)
                                 : consumer_group_heartbeat(entry->consumer, heartbeat);
    if (error != GROUP_OK) {
        groups_consumer_fail(call, error, NULL);
        if (entry->consumer->members_count == 0 && !entry->consumer->logged) {
            groups_consumer_drop(entry, error);
            groups_consumer_flush(entry, NULL);
            if (group_is_blank(entry->group))
                groups_entry_reap(entry, NULL);
        } else {
            groups_consumer_settle(entry, NULL);
        }
        return;
    }
    call->waiter.done = groups_consumer_on_flushed;
    if (heartbeat->share)
        groups_share_next(entry);
    bool asks = heartbeat->epoch == CONSUMER_EPOCH_JOIN || heartbeat->names_count > 0;
    if (heartbeat->share && heartbeat->epoch >= 0 && asks && groups_share_wait(entry, call)) {
        groups_consumer_settle(entry, NULL);
        return;
    }
    call->answer(call);
    groups_consumer_settle(entry, &call->waiter);
}

/* --- members of the classic protocol --- */

struct groups_joining {
    struct groups_waiter waiter;
    struct group_join *join;
    int32_t generation;
    struct slice member_id, protocol; /* owned */
};

static void groups_joining_on_flushed(struct groups_waiter *waiter, enum group_error error)
{
    struct groups_joining *joining = container_of(waiter, struct groups_joining, waiter);
    struct group_join_answer answer = {
        .error = error, .generation = -1, .leader = SLICE_LIT(""), .member_id = joining->member_id};
    if (error == GROUP_OK) {
        answer.generation = joining->generation;
        answer.protocol_type = SLICE_LIT("consumer");
        answer.protocol = joining->protocol;
    }
    joining->join->done(joining->join, &answer);
    free((void *)(uintptr_t)joining->member_id.data);
    free((void *)(uintptr_t)joining->protocol.data);
    free(joining);
}

static struct slice groups_keep(struct slice text)
{
    uint8_t *bytes = xmalloc(text.size + 1);
    if (text.size > 0)
        memcpy(bytes, text.data, text.size);
    return slice_make(bytes, text.size);
}

void groups_consumer_join(struct groups_entry *entry, struct group_join *join)
{
    struct slice new_id;
    struct consumer_join_answer answer =
        consumer_group_classic_join(entry->consumer, join, &new_id);
    if (answer.error != GROUP_OK) {
        struct group_join_answer refusal = {.error = answer.error,
            .generation = -1,
            .leader = SLICE_LIT(""),
            .member_id = answer.member_id};
        join->done(join, &refusal);
    } else {
        struct groups_joining *joining = xnew(struct groups_joining);
        *joining = (struct groups_joining){.waiter = {.done = groups_joining_on_flushed},
            .join = join,
            .generation = answer.generation,
            .member_id = groups_keep(answer.member_id),
            .protocol = groups_keep(answer.protocol)};
        groups_consumer_settle(entry, &joining->waiter);
    }
    free((void *)(uintptr_t)new_id.data);
}

void groups_consumer_sync(struct groups_entry *entry, struct group_sync *sync)
{
    const struct consumer_member *member;
    struct group_sync_answer answer = {.assignment = SLICE_LIT("")};
    struct buffer assignment = BUFFER_NULL;
    answer.error = consumer_group_classic_sync(entry->consumer, sync, &member);
    if (answer.error == GROUP_OK) {
        consumer_member_encode(member, &member->owned, &assignment);
        answer.protocol_type = SLICE_LIT("consumer");
        answer.protocol = member->protocols[0].name;
        answer.assignment = buffer_slice(&assignment);
    }
    sync->done(sync, &answer);
    buffer_deinit(&assignment);
}
