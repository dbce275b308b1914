// SPDX-License-Identifier: BSD-2-Clause
/*
 * Share groups in their shard. What a group remembers of its partitions lies with the share
 * coordinators (share/share_state.h); here is who asks them to make and to remove it:
 *
 *   a member subscribes to something new -> its partitions are "initializing" in the group's log
 *      -> each is asked for -> "initialized", a new target, and the members get them
 *   a topic or the group is deleted -> "deleting" in the log -> each is asked to go -> forgotten
 *
 * There is one such piece of work of a group at a time; what comes meanwhile waits in the sets of
 * share_group.h. A member that joins waits for it, so that its first answer has partitions.
 *
 * Failure modes: a coordinator refuses or does not answer -> those partitions stay in their sets
 * and are tried again with a later heartbeat or sweep; an admin's request gets the error. The shard
 * is dropped -> the log says what there is to do, to whoever loads it next.
 */
#include "broker/config/settings.h"
#include "broker/group/group_member.h"
#include "broker/group/groups_shard.h"
#include "broker/group/share_group.h"
#include "broker/share/share_state.h"

#include "base/canary.h"
#include "base/log.h"

#include <assert.h>
#include <inttypes.h>

#define GROUPS_SHARE_RETRY_MS 1000

/* One partition's part of it. */
struct groups_share_op {
    struct share_state_op state;
    struct groups_share_work *work;
    struct groups_share_item *item; /* the change's; NULL: none */
};

struct groups_share_work {
    struct groups_waiter waiter;
    struct groups_entry *entry;
    struct consumer_group *consumer; /* NULL: the group is gone */
    struct slice group;              /* owned */
    enum share_state_kind kind;      /* INITIALIZE, DELETE */
    struct groups_share_op *ops;
    size_t ops_count, left;
    enum group_error error; /* the first one */
};

static enum group_error groups_share_error(enum share_state_error error)
{
    switch (error) {
    case SHARE_STATE_OK: return GROUP_OK;
    case SHARE_STATE_E_UNKNOWN_TOPIC: return GROUP_E_UNKNOWN_PARTITION;
    case SHARE_STATE_E_LOADING: return GROUP_E_LOADING;
    default: return GROUP_E_UNAVAILABLE;
    }
}

/* --- the end of it --- */

static void groups_share_release(struct groups_entry *entry)
{
    struct consumer_group *consumer = entry->consumer;
    struct list_link waiting;
    list_init(&waiting);
    list_splice(&waiting, &consumer->share->waiting);
    while (!list_empty(&waiting)) {
        struct groups_consumer_call *call =
            list_entry(list_first(&waiting), struct groups_consumer_call, waiter.link);
        list_remove(&call->waiter.link);
        enum group_error error = consumer_group_resume(consumer, &call->heartbeat);
        if (error != GROUP_OK) {
            call->done(call, error);
            continue;
        }
        call->answer(call);
        groups_consumer_flush(entry, &call->waiter);
    }
}

static void groups_share_change_end(struct groups_entry *entry, enum group_error error)
{
    struct groups_share_change *change = steal(&entry->consumer->share->change);
    if (change != NULL)
        change->done(change, error);
}

/* What could not be removed yet is the answer of those who asked for it. */
static void groups_share_change_fail(struct share_group *share, enum group_error error)
{
    struct groups_share_change *change = share->change;
    for (int32_t i = 0; change != NULL && i < change->items_count; i++) {
        struct groups_share_item *item = &change->items[i];
        if (item->error == GROUP_OK && share_topics_contain(&share->deleting, item->topic))
            item->error = error;
    }
}

static void groups_share_finish(struct groups_share_work *work, bool moved)
{
    struct groups_entry *entry = work->entry;
    struct consumer_group *consumer = work->consumer;
    struct share_group *share = consumer->share;
    share->work = NULL;
    if (work->error != GROUP_OK) {
        share->retry_ms = loop_now_ms(consumer->loop) + GROUPS_SHARE_RETRY_MS;
        log_warn("share.states.failed", "group=%s what=%s error=%d", log_quote(work->group).str,
            work->kind == SHARE_STATE_DELETE ? "delete" : "initialize", (int)work->error);
    }
    share->delete_failed = work->kind == SHARE_STATE_DELETE && work->error != GROUP_OK;
    if (work->kind == SHARE_STATE_DELETE)
        share_group_forget_deleted(consumer);
    if (share->delete_failed)
        groups_share_change_fail(share, work->error);
    if (moved && work->kind == SHARE_STATE_INITIALIZE) {
        consumer->dirty |= CONSUMER_DIRTY_STATES;
        if (share->change == NULL)
            consumer_group_reassign(consumer, "partitions-initialized");
    }
    struct groups_deletion *deletion = steal(&share->deletion);
    if (deletion != NULL && work->error == GROUP_OK) {
        groups_delete_finish(entry, deletion); /* frees the group */
        return;
    }
    groups_share_release(entry);
    groups_consumer_flush(entry, NULL);
    groups_share_change_end(entry, GROUP_OK); /* each item has its own */
    if (deletion != NULL)
        deletion->done(deletion, work->error);
    if (entry->consumer != NULL)
        groups_share_next(entry);
}

static void groups_share_work_free(struct groups_share_work *work)
{
    struct groups_entry *entry = work->entry;
    slice_drop(&work->group);
    free(work->ops);
    free(work);
    groups_entry_put(entry);
}

static void groups_share_work_end(struct groups_share_work *work)
{
    bool moved = false;
    for (size_t i = 0; i < work->ops_count; i++) {
        const struct share_state_op *state = &work->ops[i].state;
        struct consumer_part part = {state->topic_id, state->partition};
        if (state->error != SHARE_STATE_OK || work->consumer == NULL)
            continue;
        moved = true;
        if (work->kind == SHARE_STATE_DELETE)
            share_group_deleted(work->consumer, &part);
        else
            share_group_initialized(work->consumer->share, &part);
    }
    if (work->consumer != NULL)
        groups_share_finish(work, moved);
    groups_share_work_free(work);
}

/* --- its way --- */

static void groups_share_on_state(struct share_state_op *state)
{
    struct groups_share_op *op = container_of(state, struct groups_share_op, state);
    struct groups_share_work *work = op->work;
    if (state->error == SHARE_STATE_E_UNKNOWN_TOPIC && work->kind == SHARE_STATE_DELETE)
        state->error = SHARE_STATE_OK; /* it went with its topic */
    enum group_error error = groups_share_error(state->error);
    if (error != GROUP_OK && work->error == GROUP_OK)
        work->error = error;
    if (op->item != NULL && work->consumer != NULL)
        op->item->error = error;
    share_state_op_deinit(state);
    if (--work->left == 0)
        groups_share_work_end(work);
}

static void groups_share_on_logged(struct groups_waiter *waiter, enum group_error error)
{
    struct groups_share_work *work = container_of(waiter, struct groups_share_work, waiter);
    if (error != GROUP_OK || work->consumer == NULL) {
        work->error = error == GROUP_OK ? GROUP_E_NOT_COORDINATOR : error;
        for (size_t i = 0; i < work->ops_count; i++) {
            work->ops[i].state.error = SHARE_STATE_E_UNAVAILABLE;
            if (work->ops[i].item != NULL && work->consumer != NULL)
                work->ops[i].item->error = work->error;
        }
        groups_share_work_end(work);
        return;
    }
    size_t count = work->ops_count; /* the work may end with the last one */
    for (size_t i = 0; i < count; i++)
        share_state_submit(&work->ops[i].state);
}

static struct groups_share_work *groups_share_work_new(
    struct groups_entry *entry, enum share_state_kind kind, size_t count)
{
    struct groups_share_work *work = xnew(struct groups_share_work);
    work->entry = entry;
    work->consumer = entry->consumer;
    work->group = slice_copy(entry->consumer->id);
    work->kind = kind;
    work->ops = xnew_n(struct groups_share_op, count);
    work->waiter.done = groups_share_on_logged;
    entry->consumer->share->work = work;
    entry->writes_count++;
    return work;
}

static struct groups_share_op *groups_share_work_add(
    struct groups_share_work *work, struct uuid topic, int32_t partition, int64_t start_offset)
{
    struct groups_share_op *op = &work->ops[work->ops_count++];
    *op = (struct groups_share_op){.work = work,
        .state = {.broker = work->entry->shard->groups->broker,
            .kind = work->kind,
            .group = work->group,
            .topic_id = topic,
            .partition = partition,
            .state_epoch = work->consumer->epoch,
            .leader_epoch = -1,
            .start_offset = start_offset,
            .done = groups_share_on_state}};
    work->left++;
    return op;
}

/* First the log, then the states. */
static void groups_share_work_start(struct groups_share_work *work)
{
    groups_consumer_flush(work->entry, &work->waiter);
}

static bool groups_share_is_enabled(const struct groups_entry *entry)
{
    return broker_settings(entry->shard->groups->broker)->group.share_enabled;
}

void groups_share_next(struct groups_entry *entry)
{
    struct consumer_group *consumer = entry->consumer;
    struct share_group *share = consumer->share;
    if (share->work != NULL || !groups_share_is_enabled(entry))
        return;
    share_group_find_new(consumer);
    if (loop_now_ms(consumer->loop) < share->retry_ms)
        return;
    bool doomed =
        share->doomed.count > 0 && (!share->delete_failed || share->initializing.count == 0);
    const struct consumer_parts *parts = doomed ? &share->doomed : &share->initializing;
    if (parts->count == 0)
        return;
    struct groups_share_work *work = groups_share_work_new(
        entry, doomed ? SHARE_STATE_DELETE : SHARE_STATE_INITIALIZE, parts->count);
    for (size_t i = 0; i < parts->count; i++)
        groups_share_work_add(
            work, parts->items[i].topic, parts->items[i].partition, SHARE_START_UNKNOWN);
    groups_share_work_start(work);
}

bool groups_share_wait(struct groups_entry *entry, struct groups_consumer_call *call)
{
    struct share_group *share = entry->consumer->share;
    if (share->work == NULL || share->work->kind != SHARE_STATE_INITIALIZE)
        return false;
    list_append(&share->waiting, &call->waiter.link);
    return true;
}

/* --- the group goes --- */

void groups_share_drop(struct groups_entry *entry, enum group_error error)
{
    struct share_group *share = entry->consumer->share;
    if (share->work != NULL)
        steal(&share->work)->consumer = NULL;
    while (!list_empty(&share->waiting)) {
        struct groups_consumer_call *call =
            list_entry(list_first(&share->waiting), struct groups_consumer_call, waiter.link);
        list_remove(&call->waiter.link);
        call->done(call, error);
    }
    groups_share_change_end(entry, error);
    struct groups_deletion *deletion = steal(&share->deletion);
    if (deletion != NULL)
        deletion->done(deletion, error);
}

void groups_share_delete(struct groups_entry *entry, struct groups_deletion *deletion)
{
    struct share_group *share = entry->consumer->share;
    if (share->work != NULL) {
        deletion->done(deletion, GROUP_E_UNAVAILABLE); /* the client tries again */
        return;
    }
    if (!canary(SHARE_STATES_KEPT))
        share_group_doom_all(entry->consumer);
    if (share->doomed.count == 0) {
        groups_delete_finish(entry, deletion);
        return;
    }
    share->retry_ms = 0;
    share->delete_failed = false;
    share->deletion = deletion;
    groups_share_next(entry);
}

void groups_share_on_topic_deleted(struct groups_entry *entry, struct uuid topic)
{
    if (share_group_doom_topic(entry->consumer, topic)) {
        groups_share_next(entry);
        groups_consumer_flush(entry, NULL);
    }
}

void groups_share_restored(struct groups_entry *entry)
{
    struct consumer_group *consumer = entry->consumer;
    struct share_group *share = consumer->share;
    for (size_t i = 0; i < share->deleting.count; i++) {
        struct consumer_topic topic;
        struct uuid id = share->deleting.items[i].id;
        if (!consumer->hooks->topic_by_id(consumer->ctx, id, &topic))
            continue; /* its states went with it */
        for (int32_t p = 0; p < topic.partitions_count; p++)
            share_group_doom_part(share, id, p);
    }
    for (size_t i = 0; i < share->names.count; i++) {
        struct consumer_topic topic;
        if (!consumer->hooks->topic_by_id(consumer->ctx, share->names.items[i].id, &topic))
            share_group_doom_topic(consumer, share->names.items[i].id);
    }
    share_group_forget_deleted(consumer);
    groups_share_next(entry);
    groups_consumer_flush(entry, NULL);
}

/* --- an admin's changes --- */

/* NULL: refused. */
static struct groups_entry *groups_share_changeable(
    struct groups_shard *shard, struct slice group, bool create, struct groups_share_change *change)
{
    struct groups_entry *entry = groups_find(shard, group);
    enum group_error error = GROUP_OK;
    if (entry == NULL && create && shard->groups->entries_count < GROUPS_COUNT_MAX) {
        entry = groups_entry_new(shard, group);
        groups_consumer_new(entry);
        consumer_group_make_share(entry->consumer);
    }
    if (entry == NULL || !groups_entry_is_share(entry))
        error = GROUP_E_NOT_FOUND;
    else if (entry->consumer->members_count > 0)
        error = GROUP_E_NON_EMPTY;
    else if (entry->consumer->share->work != NULL)
        error = GROUP_E_UNAVAILABLE;
    if (error == GROUP_OK)
        return entry;
    change->done(change, error);
    return NULL;
}

void groups_share_alter(
    struct groups_shard *shard, struct slice group, struct groups_share_change *change)
{
    bool any = false;
    for (int32_t i = 0; i < change->items_count; i++)
        any |= change->items[i].error == GROUP_OK;
    if (!any && groups_find(shard, group) == NULL) {
        change->done(change, GROUP_OK); /* nothing that a group would be made for */
        return;
    }
    struct groups_entry *entry = groups_share_changeable(shard, group, any, change);
    if (entry == NULL)
        return;
    if (!any) {
        change->done(change, GROUP_OK);
        return;
    }
    struct consumer_group *consumer = entry->consumer;
    consumer_group_reassign(consumer, "offsets-altered"); /* the states' new epoch */
    struct groups_share_work *work =
        groups_share_work_new(entry, SHARE_STATE_INITIALIZE, (size_t)change->items_count + 1);
    for (int32_t i = 0; i < change->items_count; i++) {
        struct groups_share_item *item = &change->items[i];
        struct consumer_part part = {item->topic, item->partition};
        if (item->error == GROUP_OK &&
            share_topics_contain(&consumer->share->deleting, item->topic))
            item->error = GROUP_E_UNAVAILABLE; /* when that is over */
        if (item->error != GROUP_OK)
            continue;
        if (!consumer_parts_contain(&consumer->share->initialized, &part) &&
            !consumer_parts_contain(&consumer->share->initializing, &part))
            share_group_add(consumer->share, item->topic, item->name, item->partition, false);
        consumer->dirty |= CONSUMER_DIRTY_STATES;
        groups_share_work_add(work, item->topic, item->partition, item->start_offset)->item = item;
    }
    consumer->share->change = change;
    if (work->ops_count == 0)
        groups_share_work_end(work);
    else
        groups_share_work_start(work);
}

void groups_share_delete_topics(
    struct groups_shard *shard, struct slice group, struct groups_share_change *change)
{
    struct groups_entry *entry = groups_share_changeable(shard, group, false, change);
    if (entry == NULL)
        return;
    struct share_group *share = entry->consumer->share;
    for (int32_t i = 0; i < change->items_count; i++) {
        if (change->items[i].error == GROUP_OK)
            share_group_doom_topic(entry->consumer, change->items[i].topic);
    }
    if (share->doomed.count == 0) {
        change->done(change, GROUP_OK);
        return;
    }
    share->retry_ms = 0;
    share->delete_failed = false;
    share->change = change;
    groups_share_next(entry);
}
