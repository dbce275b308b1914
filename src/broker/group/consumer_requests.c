// SPDX-License-Identifier: BSD-2-Clause
/*
 * What members of the newer protocol ask. A heartbeat is everything at once: joining, telling a
 * new subscription, letting go of partitions, being alive. Its answer is what the member is to own
 * now, when that is news.
 *
 * A member whose epoch is not the one we gave it is fenced: it lets everything go and joins anew.
 * The epoch before is taken too when what it says it owns fits, because our answer may have been
 * lost.
 */
#include "broker/group/consumer_internal.h"

#include "base/log.h"

#include <assert.h>
#include <inttypes.h>

/* --- who is it? --- */

static enum group_error consumer_check_epoch(
    const struct consumer_member *member, struct consumer_heartbeat *heartbeat)
{
    if (heartbeat->epoch == CONSUMER_EPOCH_JOIN || heartbeat->epoch == member->epoch)
        return GROUP_OK;
    if (heartbeat->epoch > member->epoch) {
        heartbeat->message = "The member's epoch is greater than the one the coordinator knows. "
                             "The member must abandon all its partitions and rejoin.";
        return GROUP_E_FENCED_EPOCH;
    }
    if (heartbeat->epoch == member->previous_epoch &&
        (member->group->share != NULL ||
            (heartbeat->owned != NULL && consumer_parts_subset(heartbeat->owned, &member->owned))))
        return GROUP_OK;
    heartbeat->message = "The member's epoch is smaller than the one the coordinator knows. The "
                         "member must abandon all its partitions and rejoin.";
    return GROUP_E_FENCED_EPOCH;
}

static enum group_error consumer_find_dynamic(struct consumer_group *group,
    struct consumer_heartbeat *heartbeat, struct consumer_member **ret_member)
{
    struct consumer_member *member = consumer_group_member(group, heartbeat->member_id);
    *ret_member = member;
    if (member == NULL) {
        if (heartbeat->epoch == CONSUMER_EPOCH_JOIN)
            return GROUP_OK;
        heartbeat->message = "The member is not a member of the group.";
        return GROUP_E_UNKNOWN_MEMBER;
    }
    return consumer_check_epoch(member, heartbeat);
}

/* Who comes back as an instance that went for a while takes its place. */
static enum group_error consumer_find_static(struct consumer_group *group,
    struct consumer_heartbeat *heartbeat, struct consumer_member **ret_member)
{
    struct consumer_member *member = map_get(&group->by_instance, heartbeat->instance_id);
    *ret_member = member;
    if (member == NULL) {
        if (heartbeat->epoch == CONSUMER_EPOCH_JOIN)
            return consumer_find_dynamic(group, heartbeat, ret_member);
        heartbeat->message = "The instance id is unknown.";
        return GROUP_E_UNKNOWN_MEMBER;
    }
    bool same = slice_equal(member->id, heartbeat->member_id);
    if (heartbeat->epoch != CONSUMER_EPOCH_JOIN) {
        if (same)
            return consumer_check_epoch(member, heartbeat);
        heartbeat->message = "The instance id is in use by another member.";
        return GROUP_E_FENCED_INSTANCE;
    }
    if (!same && !member->classic && member->epoch != CONSUMER_EPOCH_LEAVE_STATIC) {
        heartbeat->message = "The instance id is still in use by another member.";
        return GROUP_E_UNRELEASED_INSTANCE;
    }
    if (!same && consumer_group_member(group, heartbeat->member_id) != NULL) {
        heartbeat->message = "The member id is in use without this instance id.";
        return GROUP_E_UNRELEASED_INSTANCE;
    }
    return GROUP_OK;
}

/* --- what does it say? --- */

static struct consumer_subscription *consumer_wanted_subscription(struct consumer_group *group,
    const struct consumer_member *member, const struct consumer_heartbeat *heartbeat)
{
    const struct consumer_subscription *before = member == NULL ? NULL : member->subscription;
    const struct slice *names = heartbeat->names;
    int32_t count = heartbeat->names_count;
    struct slice pattern = heartbeat->pattern;
    if (count < 0) {
        names = before == NULL ? NULL : before->names;
        count = before == NULL ? 0 : before->names_count;
    }
    if (slice_is_null(pattern) && before != NULL)
        pattern = before->pattern;
    return consumer_subscription_get(group, names, count, pattern);
}

static void consumer_member_update(
    struct consumer_member *member, const struct consumer_heartbeat *heartbeat)
{
    bool changed = consumer_member_set_text(&member->client_id, heartbeat->client_id);
    changed |= consumer_member_set_text(&member->client_host, heartbeat->client_host);
    if (!slice_is_null(heartbeat->rack_id))
        changed |= consumer_member_set_text(&member->rack_id, heartbeat->rack_id);
    if (!slice_is_null(heartbeat->assignor))
        changed |= consumer_member_set_text(&member->assignor, heartbeat->assignor);
    if (!slice_is_null(heartbeat->instance_id) && slice_is_null(member->instance_id)) {
        consumer_member_set_instance(member, heartbeat->instance_id);
        changed = true;
    }
    if (heartbeat->rebalance_timeout_ms >= 0 &&
        heartbeat->rebalance_timeout_ms != member->rebalance_timeout_ms) {
        member->rebalance_timeout_ms = heartbeat->rebalance_timeout_ms;
        changed = true;
    }
    if (member->classic) { /* it speaks the newer protocol from now on */
        consumer_member_set_classic(member, 0, NULL, 0);
        timer_stop(&member->rebalance);
        changed = true;
    }
    if (changed)
        consumer_member_touch(member, CONSUMER_DIRTY_META);
}

/* --- heartbeat --- */

static struct consumer_member *consumer_admit(struct consumer_group *group,
    struct consumer_member *member, const struct consumer_heartbeat *heartbeat)
{
    if (member == NULL) {
        member = consumer_member_new(group, heartbeat->member_id);
        consumer_member_add(group, member);
    } else if (!slice_equal(member->id, heartbeat->member_id)) {
        consumer_member_rename(member, heartbeat->member_id);
        if (member->progress == CONSUMER_REVOKING) {
            /* whoever comes back owns nothing of what it was to give back */
            consumer_member_set_parts(
                member, consumer_parts_copy(&member->owned), CONSUMER_PARTS_NULL);
            member->progress = CONSUMER_WAITING;
        }
        member->epoch = member->previous_epoch = 0;
    }
    return member;
}

static void consumer_heartbeat_answer(struct consumer_heartbeat *heartbeat,
    const struct consumer_member *member, bool news, const struct consumer_limits *limits)
{
    bool share = member->group->share != NULL;
    heartbeat->ret_member_id = member->id;
    heartbeat->ret_epoch = member->epoch;
    heartbeat->heartbeat_ms = limits->heartbeat_ms;
    bool full = heartbeat->epoch == CONSUMER_EPOCH_JOIN || (share && heartbeat->names_count >= 0) ||
                (heartbeat->rebalance_timeout_ms != -1 && heartbeat->owned != NULL &&
                    (heartbeat->names_count >= 0 || !slice_is_null(heartbeat->pattern)));
    heartbeat->assignment = news || full ? &member->owned : NULL;
}

static enum group_error consumer_check_assignor(
    struct consumer_heartbeat *heartbeat, const struct consumer_limits *limits)
{
    enum consumer_assignor assignor;
    if (slice_is_null(heartbeat->assignor) ||
        (consumer_assignor_find(heartbeat->assignor, &assignor) &&
            (limits->assignors & (1u << assignor)) != 0))
        return GROUP_OK;
    heartbeat->message = "The server assignor is not supported.";
    return GROUP_E_UNSUPPORTED_ASSIGNOR;
}

enum group_error consumer_group_heartbeat(
    struct consumer_group *group, struct consumer_heartbeat *heartbeat)
{
    assert(!group->dead && heartbeat->epoch >= 0);
    struct consumer_limits limits;
    group->hooks->limits(group->ctx, group, &limits);
    enum group_error error = consumer_check_assignor(heartbeat, &limits);
    if (error != GROUP_OK)
        return error;
    if (group->members_count >= (size_t)limits.size_max &&
        consumer_group_member(group, heartbeat->member_id) == NULL) {
        heartbeat->message = group->share == NULL
                                 ? "The consumer group has reached its maximum capacity."
                                 : "The share group has reached its maximum capacity.";
        return GROUP_E_FULL;
    }
    struct consumer_member *member;
    error = (slice_is_null(heartbeat->instance_id) ? consumer_find_dynamic : consumer_find_static)(
        group, heartbeat, &member);
    if (error != GROUP_OK)
        return error;
    struct consumer_subscription *subscription =
        consumer_wanted_subscription(group, member, heartbeat);
    if (subscription == NULL) {
        heartbeat->message = "SubscribedTopicRegex is not a valid regular expression.";
        return GROUP_E_INVALID_REGEX;
    }
    member = consumer_admit(group, member, heartbeat);
    consumer_member_update(member, heartbeat);
    struct consumer_parts before = consumer_parts_copy(&member->owned);
    consumer_group_subscribe(member, subscription);
    consumer_member_reconcile(member, heartbeat->owned);
    consumer_member_refresh(member, &limits, heartbeat->conn_id);
    consumer_heartbeat_answer(
        heartbeat, member, !consumer_parts_equal(&before, &member->owned), &limits);
    consumer_parts_free(&before);
    return GROUP_OK;
}

enum group_error consumer_group_resume(
    struct consumer_group *group, struct consumer_heartbeat *heartbeat)
{
    struct consumer_limits limits;
    group->hooks->limits(group->ctx, group, &limits);
    struct consumer_member *member = consumer_group_member(group, heartbeat->member_id);
    if (member == NULL) {
        heartbeat->message = "The member is not a member of the group.";
        return GROUP_E_UNKNOWN_MEMBER;
    }
    consumer_member_reconcile(member, NULL);
    consumer_heartbeat_answer(heartbeat, member, true, &limits);
    return GROUP_OK;
}

/* The member subscribes to this; the group gets a new epoch and target where that changes them. */
void consumer_group_subscribe(
    struct consumer_member *member, struct consumer_subscription *take_subscription)
{
    struct consumer_group *group = member->group;
    struct consumer_subscription *before = member->subscription;
    bool changed = before != take_subscription, joined = before == NULL;
    if (before != NULL)
        consumer_subscription_put(group, before);
    member->subscription = take_subscription;
    if (changed)
        consumer_member_touch(member, CONSUMER_DIRTY_META);
    bool moved = consumer_group_resolve(group, changed);
    if (changed || moved)
        consumer_group_bump(group, member,
            joined    ? "joined"
            : changed ? "subscription-changed"
                      : "topics-changed");
    if (group->epoch > group->target_epoch && loop_now_ms(group->loop) >= group->retarget_ms)
        consumer_group_retarget(group);
}

/* --- leave --- */

enum group_error consumer_group_leave(
    struct consumer_group *group, struct consumer_heartbeat *heartbeat)
{
    struct consumer_member *member;
    heartbeat->ret_member_id = heartbeat->member_id;
    heartbeat->ret_epoch = heartbeat->epoch;
    if (slice_is_null(heartbeat->instance_id)) {
        member = consumer_group_member(group, heartbeat->member_id);
        if (member == NULL) {
            heartbeat->message = "The member is not a member of the group.";
            return GROUP_E_UNKNOWN_MEMBER;
        }
    } else {
        member = map_get(&group->by_instance, heartbeat->instance_id);
        if (member == NULL) {
            heartbeat->message = "The instance id is unknown.";
            return GROUP_E_UNKNOWN_MEMBER;
        }
        if (!slice_equal(member->id, heartbeat->member_id)) {
            heartbeat->message = "The instance id is in use by another member.";
            return GROUP_E_FENCED_INSTANCE;
        }
    }
    if (heartbeat->epoch == CONSUMER_EPOCH_LEAVE) {
        consumer_member_fence(member, "left");
        return GROUP_OK;
    }
    /* It will be back: what it owns stays its own until its session ends. */
    log_info("consumer.static.away", "group=%s epoch=%" PRId32 " instance=%s member=%s",
        log_quote(group->id).str, group->epoch, log_quote(member->instance_id).str,
        log_quote(member->id).str);
    member->epoch = CONSUMER_EPOCH_LEAVE_STATIC;
    timer_stop(&member->rebalance);
    consumer_member_set_parts(member, consumer_parts_copy(&member->owned), CONSUMER_PARTS_NULL);
    if (member->progress == CONSUMER_REVOKING)
        member->progress = CONSUMER_WAITING;
    consumer_member_touch(member, CONSUMER_DIRTY_CURRENT);
    return GROUP_OK;
}

/* --- offsets --- */

enum group_error consumer_group_may_commit(
    struct consumer_group *group, struct slice member_id, int32_t epoch, bool no_epochs)
{
    if (group->share != NULL)
        return GROUP_E_NOT_FOUND;
    if (epoch < 0 && group->members_count == 0)
        return GROUP_OK;
    struct consumer_member *member = consumer_group_member(group, member_id);
    if (member == NULL)
        return GROUP_E_UNKNOWN_MEMBER;
    if (no_epochs && !member->classic)
        return GROUP_E_UNSUPPORTED;
    if (epoch == member->epoch)
        return GROUP_OK;
    return member->classic ? GROUP_E_ILLEGAL_GENERATION : GROUP_E_STALE_EPOCH;
}

enum group_error consumer_group_may_fetch(
    const struct consumer_group *group, struct slice member_id, int32_t epoch)
{
    if (group->share != NULL)
        return GROUP_OK; /* it has committed nothing */
    if (member_id.size == 0 && epoch < 0)
        return GROUP_OK;
    const struct consumer_member *member = consumer_group_member(group, member_id);
    if (member == NULL)
        return GROUP_E_UNKNOWN_MEMBER;
    if (epoch == member->epoch)
        return GROUP_OK;
    return member->classic ? GROUP_E_ILLEGAL_GENERATION : GROUP_E_STALE_EPOCH;
}
