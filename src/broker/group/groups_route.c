// SPDX-License-Identifier: BSD-2-Clause
/*
 * How a request gets to its group: make __consumer_offsets when this is the first need of it, hop
 * to the home loop of the group's partition, wait there until that partition's groups are loaded.
 * In the common case all of that is true already and nothing is posted.
 *
 * Failure modes: too many wait -> LOADING; the partition does not come within the commit timeout ->
 * NOT_COORDINATOR, and the client looks for its coordinator anew; the broker stops -> UNAVAILABLE.
 */
#include "broker/group/groups_shard.h"
#include "broker/config/settings.h"

#include "base/log.h"

#include <assert.h>
#include <inttypes.h>

struct groups_shard *groups_shard_at(struct groups *groups, int32_t index)
{
    struct groups_shard *shard;
    list_for_each_entry (shard, &groups->shards, link) {
        if (shard->index == index)
            return shard;
    }
    shard = xnew(struct groups_shard);
    shard->groups = groups;
    shard->index = index;
    shard->state = SHARD_ABSENT;
    shard->entries = MAP_NULL;
    shard->timer = TIMER_NULL;
    list_init(&shard->waiting);
    list_init(&shard->pending);
    list_init(&shard->txn_ends);
    list_append(&groups->shards, &shard->link);
    return shard;
}

static void groups_visit_next(struct groups_op *op);

void groups_shard_release(struct groups_shard *shard, enum group_error error)
{
    timer_stop(&shard->timer);
    struct list_link waiting;
    list_init(&waiting);
    list_splice(&waiting, &shard->waiting);
    shard->waiting_count = 0;
    while (!list_empty(&waiting)) {
        struct groups_op *op = list_entry(list_first(&waiting), struct groups_op, link);
        list_remove(&op->link);
        op->shard = error == GROUP_OK ? shard : NULL;
        op->error = error;
        if (op->visiting && error == GROUP_OK)
            groups_visit_next(op);
        else
            op->run(op);
    }
}

static void groups_shard_on_timer(struct timer *timer)
{
    struct groups_shard *shard = container_of(timer, struct groups_shard, timer);
    log_warn("groups.waited", "partition=%" PRId32 " requests=%zu state=%s", shard->index,
        shard->waiting_count, shard->state == SHARD_LOADING ? "loading" : "absent");
    groups_shard_release(
        shard, shard->state == SHARD_LOADING ? GROUP_E_LOADING : GROUP_E_NOT_COORDINATOR);
}

/* False: there is no room to wait. */
static bool groups_wait(struct groups_shard *shard, struct groups_op *op)
{
    if (shard->waiting_count >= GROUPS_WAITING_COUNT_MAX)
        return false;
    list_append(&shard->waiting, &op->link);
    shard->waiting_count++;
    if (!timer_running(&shard->timer))
        timer_start(&shard->timer, shard->groups->loop,
            broker_settings(shard->groups->broker)->group.offsets_commit_timeout_ms,
            groups_shard_on_timer);
    return true;
}

static enum groups_entered groups_fail(struct groups_op *op, enum group_error error)
{
    op->shard = NULL;
    op->error = error;
    return GROUPS_HERE;
}

/* On the home loop. */
static enum groups_entered groups_arrive(struct groups_op *op)
{
    struct groups *groups = broker_groups(op->broker);
    loop_assert_owner(groups->loop);
    if (groups->stopped)
        return groups_fail(op, GROUP_E_UNAVAILABLE);
    struct groups_shard *shard = groups_shard_at(groups, op->index);
    if (shard->state == SHARD_READY) {
        groups_refresh_config(groups);
        op->shard = shard;
        op->error = GROUP_OK;
        return GROUPS_HERE;
    }
    return groups_wait(shard, op) ? GROUPS_LATER : groups_fail(op, GROUP_E_LOADING);
}

static void groups_on_arrival(struct loop_msg *msg)
{
    struct groups_op *op = container_of(msg, struct groups_op, msg);
    if (groups_arrive(op) == GROUPS_HERE)
        op->run(op);
}

static void groups_on_ensured(struct broker_call *call)
{
    struct groups_op *op = container_of(call, struct groups_op, call);
    enum groups_entered entered;
    if (call->result < 0 || broker_image(op->broker)->offsets == NULL)
        entered = groups_fail(op, GROUP_E_UNAVAILABLE);
    else
        entered = groups_enter(op);
    if (entered == GROUPS_HERE)
        op->run(op);
}

enum groups_entered groups_enter(struct groups_op *op)
{
    if (slice_is_null(op->group))
        op->group = SLICE_LIT("");
    if (broker_image(op->broker)->offsets == NULL) {
        if (!op->create)
            return groups_fail(op, GROUP_E_NOT_FOUND);
        op->call.done = groups_on_ensured;
        broker_offsets_ensure(op->broker, &op->call);
        return GROUPS_LATER;
    }
    op->index = broker_group_partition(op->broker, op->group);
    struct loop *home = broker_group_home(op->broker, op->group);
    if (home == loop_current())
        return groups_arrive(op);
    loop_post(home, &op->msg, groups_on_arrival);
    return GROUPS_LATER;
}

/* --- a whole loop --- */

static void groups_visit_next(struct groups_op *op)
{
    struct groups *groups = broker_groups(op->broker);
    struct groups_shard *shard;
    list_for_each_entry (shard, &groups->shards, link) {
        if (shard->state == SHARD_LOADING && !groups->stopped && groups_wait(shard, op))
            return;
    }
    op->error = groups->stopped ? GROUP_E_UNAVAILABLE : GROUP_OK;
    op->run(op);
}

static void groups_on_visit(struct loop_msg *msg)
{
    groups_visit_next(container_of(msg, struct groups_op, msg));
}

void groups_visit(struct groups_op *op, unsigned loop_index)
{
    op->shard = NULL;
    op->visiting = true;
    loop_post(broker_loop(op->broker, loop_index), &op->msg, groups_on_visit);
}
