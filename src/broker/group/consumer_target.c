// SPDX-License-Identifier: BSD-2-Clause
/*
 * The target, and each member's way to it. A step of a member:
 *
 *   AT_TARGET --(the target is newer)--+--> REVOKING   it owns what is not in its target
 *   WAITING ---------------------------+--> WAITING    something of its target is another's still
 *   REVOKING --(says it let go)--------+--> AT_TARGET  at the target's epoch
 *
 * While it has to give something back it stays at its epoch, so that it may still commit; what it
 * gains it gets with the new epoch, never before it is free.
 */
#include "broker/group/consumer_internal.h"
#include "broker/group/share_group.h"

#include "base/log.h"

#include <assert.h>
#include <inttypes.h>

void consumer_group_bump(
    struct consumer_group *group, const struct consumer_member *cause, const char *why)
{
    group->epoch++;
    group->dirty |= CONSUMER_DIRTY_EPOCH;
    log_info("consumer.rebalance",
        "group=%s epoch=%" PRId32 " reason=%s member=%s client=%s host=%s members=%zu",
        log_quote(group->id).str, group->epoch, why,
        log_quote(cause == NULL ? SLICE_LIT("") : cause->id).str,
        log_quote(cause == NULL ? SLICE_LIT("") : cause->client_id).str,
        log_quote(cause == NULL ? SLICE_LIT("") : cause->client_host).str, group->members_count);
}

/* --- the target --- */

/* What most members ask for; where none asks, the broker's. */
enum consumer_assignor consumer_group_assignor(const struct consumer_group *group)
{
    size_t votes[CONSUMER_ASSIGNORS_COUNT] = {0};
    struct consumer_limits limits;
    group->hooks->limits(group->ctx, group, &limits);
    const struct consumer_member *member;
    list_for_each_entry (member, &group->members, link) {
        enum consumer_assignor wish;
        if (!slice_is_null(member->assignor) && consumer_assignor_find(member->assignor, &wish))
            votes[wish]++;
    }
    enum consumer_assignor best = limits.assignor;
    for (unsigned i = 0; i < CONSUMER_ASSIGNORS_COUNT; i++) {
        if (votes[i] > votes[best])
            best = (enum consumer_assignor)i;
    }
    return best;
}

void consumer_group_retarget(struct consumer_group *group)
{
    size_t count = 0;
    struct assign_member *members = xnew_n(struct assign_member, group->members_count + 1);
    struct consumer_member *member;
    list_for_each_entry (member, &group->members, link)
        members[count++] = (struct assign_member){.id = member->id,
            .instance_id = member->instance_id,
            .topics = &member->subscription->topics,
            .before = &member->target,
            .context = member};
    assert(count == group->members_count);
    if (group->share != NULL)
        share_assign(&group->share->initialized, members, count);
    else
        consumer_assign(consumer_group_assignor(group), members, count);
    for (size_t i = 0; i < count; i++) {
        member = members[i].context;
        if (consumer_parts_replace(&member->target, members[i].after))
            consumer_member_touch(member, CONSUMER_DIRTY_TARGET);
    }
    free(members);
    group->target_epoch = group->epoch;
    if (count > CONSUMER_RETARGET_COUNT_MAX)
        group->retarget_ms =
            loop_now_ms(group->loop) + (int64_t)count / CONSUMER_RETARGET_COUNT_PER_MS;
    group->dirty |= CONSUMER_DIRTY_TARGET_EPOCH;
    log_debug("consumer.target", "group=%s epoch=%" PRId32 " members=%zu", log_quote(group->id).str,
        group->epoch, count);
}

void consumer_group_reassign(struct consumer_group *group, const char *why)
{
    consumer_group_resolve(group, false); /* after a replay nobody has looked yet */
    consumer_group_bump(group, NULL, why);
    consumer_group_retarget(group);
}

/* --- reconciliation --- */

static bool consumer_part_is_free(
    const struct consumer_member *member, const struct consumer_part *part)
{
    const struct consumer_owner *owner = map_get(&member->group->owners, consumer_part_key(part));
    return owner == NULL || owner->member == member;
}

bool consumer_member_is_blocked(const struct consumer_member *member)
{
    for (size_t i = 0; i < member->target.count; i++) {
        if (!consumer_part_is_free(member, &member->target.items[i]))
            return true;
    }
    return false;
}

static bool consumer_member_holds(
    const struct consumer_parts *owned, const struct consumer_parts *revoking)
{
    return owned == NULL || consumer_parts_meet(revoking, owned);
}

static void consumer_member_settle(struct consumer_member *member, enum consumer_progress progress,
    int32_t epoch, struct consumer_parts take_owned, struct consumer_parts take_revoking)
{
    bool same = member->progress == progress && member->epoch == epoch &&
                consumer_parts_equal(&member->owned, &take_owned) &&
                consumer_parts_equal(&member->revoking, &take_revoking);
    if (same && member->previous_epoch == epoch) {
        consumer_parts_free(&take_owned);
        consumer_parts_free(&take_revoking);
        return;
    }
    member->previous_epoch = member->epoch;
    member->epoch = epoch;
    member->progress = progress;
    consumer_member_set_parts(member, take_owned, take_revoking);
    consumer_member_touch(member, CONSUMER_DIRTY_CURRENT);
    if (member->classic)
        return;
    if (progress == CONSUMER_REVOKING)
        consumer_rebalance_start(member);
    else
        timer_stop(&member->rebalance);
}

/* From `epoch`, with what it owns, as near to the target as others let it. */
static void consumer_member_advance(
    struct consumer_member *member, int32_t epoch, const struct consumer_parts *said)
{
    const struct consumer_parts *target = &member->target;
    if (member->group->share != NULL) { /* nobody else's it can be */
        consumer_member_settle(member, CONSUMER_AT_TARGET, member->group->target_epoch,
            consumer_parts_copy(target), CONSUMER_PARTS_NULL);
        return;
    }
    struct consumer_parts kept = consumer_parts_both(&member->owned, target);
    struct consumer_parts revoking = consumer_parts_without(&member->owned, target);
    if (revoking.count > 0 && consumer_member_holds(said, &revoking)) {
        consumer_member_settle(member, CONSUMER_REVOKING, epoch, kept, revoking);
        return;
    }
    consumer_parts_free(&revoking);
    bool blocked = false;
    size_t kept_count = kept.count;
    for (size_t i = 0; i < target->count; i++) {
        const struct consumer_part *part = &target->items[i];
        if (!consumer_part_is_free(member, part))
            blocked = true;
        else
            consumer_parts_add(&kept, part->topic, part->partition);
    }
    if (kept.count > kept_count)
        consumer_parts_sort(&kept);
    consumer_member_settle(member, blocked ? CONSUMER_WAITING : CONSUMER_AT_TARGET,
        member->group->target_epoch, kept, CONSUMER_PARTS_NULL);
}

void consumer_member_reconcile(struct consumer_member *member, const struct consumer_parts *owned)
{
    const struct consumer_group *group = member->group;
    switch (member->progress) {
    case CONSUMER_AT_TARGET:
        if (member->epoch != group->target_epoch)
            consumer_member_advance(member, member->epoch, owned);
        return;
    case CONSUMER_REVOKING:
        if (consumer_member_holds(owned, &member->revoking))
            return;
        consumer_member_advance(member, member->epoch + 1, owned);
        return;
    case CONSUMER_WAITING: consumer_member_advance(member, member->epoch, owned); return;
    }
}
