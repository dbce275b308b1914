// SPDX-License-Identifier: BSD-2-Clause
/*
 * Life, states, what is to be logged, and what replay restores. Members are in consumer_member.c,
 * what they subscribe to in consumer_topics.c, the target and the way to it in consumer_target.c,
 * requests in consumer_requests.c and consumer_classic.c.
 */
#include "broker/group/consumer_internal.h"
#include "broker/group/share_group.h"

#include "base/log.h"

#include <assert.h>

const char *consumer_state_name(enum consumer_state state)
{
    static const char *const names[CONSUMER_STATES_COUNT] = {
        [CONSUMER_EMPTY] = "Empty",
        [CONSUMER_ASSIGNING] = "Assigning",
        [CONSUMER_RECONCILING] = "Reconciling",
        [CONSUMER_STABLE] = "Stable",
        [CONSUMER_DEAD] = "Dead",
    };
    assert(state < CONSUMER_STATES_COUNT);
    return names[state];
}

struct consumer_group *consumer_group_new(
    struct slice id, struct loop *loop, const struct consumer_hooks *hooks, void *ctx)
{
    struct consumer_group *group = xnew(struct consumer_group);
    group->id = slice_copy(id);
    group->loop = loop;
    group->hooks = hooks;
    group->ctx = ctx;
    group->topics_revision = UINT64_MAX;
    list_init(&group->members);
    list_init(&group->dirty_members);
    group->by_id = group->by_instance = group->owners = MAP_NULL;
    group->subscriptions = group->patterns = MAP_NULL;
    group->dirty = CONSUMER_DIRTY_EPOCH | CONSUMER_DIRTY_TARGET_EPOCH;
    return group;
}

static void consumer_group_forget_gone(struct consumer_group *group)
{
    for (size_t i = 0; i < group->gone_count; i++)
        slice_drop(&group->gone[i]);
    group->gone_count = 0;
}

void consumer_group_free(struct consumer_group *group)
{
    if (group == NULL)
        return;
    group->dead = true;
    struct consumer_member *member, *following;
    list_for_each_entry_safe (member, following, &group->members, link)
        consumer_member_remove(group, member);
    assert(group->members_count == 0 && group->owners.count == 0);
    assert(group->subscriptions.count == 0 && group->classic_count == 0);
    consumer_group_forget_gone(group);
    share_group_free(group->share);
    free(group->gone);
    map_for_each (&group->patterns, found) {
        struct consumer_pattern *pattern = found->value;
        slice_drop(&pattern->text);
        free(pattern);
    }
    map_deinit(&group->patterns);
    map_deinit(&group->by_id);
    map_deinit(&group->by_instance);
    map_deinit(&group->owners);
    map_deinit(&group->subscriptions);
    slice_drop(&group->id);
    free(group);
}

void consumer_group_make_share(struct consumer_group *group)
{
    assert(group->members_count == 0 && group->share == NULL);
    group->share = share_group_new();
}

enum consumer_state consumer_group_state(const struct consumer_group *group)
{
    if (group->dead)
        return CONSUMER_DEAD;
    if (group->members_count == 0)
        return CONSUMER_EMPTY;
    if (group->share != NULL)
        return CONSUMER_STABLE;
    if (group->epoch > group->target_epoch)
        return CONSUMER_ASSIGNING;
    const struct consumer_member *member;
    list_for_each_entry (member, &group->members, link) {
        if (member->progress != CONSUMER_AT_TARGET || member->epoch != group->target_epoch)
            return CONSUMER_RECONCILING;
    }
    return CONSUMER_STABLE;
}

struct consumer_member *consumer_group_member(const struct consumer_group *group, struct slice id)
{
    return map_get(&group->by_id, id);
}

/* --- for the log --- */

bool consumer_group_is_dirty(const struct consumer_group *group)
{
    return group->dirty != 0 || group->gone_count > 0 || !list_empty(&group->dirty_members);
}

void consumer_group_mark_clean(struct consumer_group *group)
{
    group->dirty = 0;
    consumer_group_forget_gone(group);
    struct consumer_member *member, *following;
    list_for_each_entry_safe (member, following, &group->dirty_members, dirty_link) {
        list_remove(&member->dirty_link);
        member->dirty = 0;
    }
}

void consumer_group_mark_dirty(struct consumer_group *group)
{
    group->dirty = CONSUMER_DIRTY_ALL;
    struct consumer_member *member;
    list_for_each_entry (member, &group->members, link)
        consumer_member_touch(member, CONSUMER_DIRTY_ALL);
}

/* --- replay --- */

struct consumer_member *consumer_restore_member(struct consumer_group *group, struct slice id)
{
    struct consumer_member *member = consumer_group_member(group, id);
    if (member == NULL) {
        member = consumer_member_new(group, id);
        consumer_member_add(group, member);
    }
    return member;
}

void consumer_restore_drop(struct consumer_group *group, struct slice id)
{
    struct consumer_member *member = consumer_group_member(group, id);
    if (member != NULL)
        consumer_member_remove(group, member);
}

void consumer_restore_subscription(struct consumer_member *member, const struct slice *names,
    int32_t names_count, struct slice pattern)
{
    struct consumer_group *group = member->group;
    struct consumer_subscription *subscription =
        consumer_subscription_get(group, names, names_count, pattern);
    if (subscription == NULL) /* an expression that we do not take: as if there were none */
        subscription = consumer_subscription_get(group, names, names_count, SLICE_NULL);
    if (member->subscription != NULL)
        consumer_subscription_put(group, member->subscription);
    member->subscription = subscription;
}

void consumer_restore_pattern(struct consumer_group *group, struct slice text, bool gone)
{
    struct consumer_pattern *pattern = map_get(&group->patterns, text);
    if (pattern == NULL && !gone) {
        pattern = xnew(struct consumer_pattern);
        pattern->text = slice_copy(text);
        map_put(&group->patterns, pattern->text, pattern);
    } else if (pattern != NULL && gone) {
        map_remove(&group->patterns, text);
        slice_drop(&pattern->text);
        free(pattern);
    }
}

/* What the log says of ownership, each partition once. */
static void consumer_restore_owners(struct consumer_member *member)
{
    struct consumer_parts owned = member->owned, revoking = member->revoking;
    member->owned = member->revoking = CONSUMER_PARTS_NULL;
    consumer_parts_sort(&owned);
    consumer_parts_sort(&revoking);
    consumer_parts_sort(&member->target);
    struct consumer_parts free_owned = CONSUMER_PARTS_NULL, free_revoking = CONSUMER_PARTS_NULL;
    const struct map *owners = &member->group->owners;
    for (size_t i = 0; i < owned.count; i++) {
        if (map_get(owners, consumer_part_key(&owned.items[i])) == NULL)
            consumer_parts_add(&free_owned, owned.items[i].topic, owned.items[i].partition);
    }
    for (size_t i = 0; i < revoking.count; i++) {
        if (map_get(owners, consumer_part_key(&revoking.items[i])) == NULL &&
            !consumer_parts_contain(&free_owned, &revoking.items[i]))
            consumer_parts_add(
                &free_revoking, revoking.items[i].topic, revoking.items[i].partition);
    }
    if (free_owned.count != owned.count || free_revoking.count != revoking.count)
        log_warn("consumer.load.two.owners", "group=%s member=%s", log_quote(member->group->id).str,
            log_quote(member->id).str);
    consumer_parts_free(&owned);
    consumer_parts_free(&revoking);
    consumer_member_set_parts(member, free_owned, free_revoking);
}

void consumer_restore_end(struct consumer_group *group)
{
    struct consumer_limits limits;
    group->hooks->limits(group->ctx, group, &limits);
    struct consumer_member *member, *following;
    list_for_each_entry_safe (member, following, &group->members, link) {
        if (!member->known || member->subscription == NULL) {
            consumer_member_remove(group, member);
            continue;
        }
        if (group->share == NULL)
            consumer_restore_owners(member);
        else
            share_group_restore_member(member);
    }
    consumer_group_mark_clean(group);
    list_for_each_entry (member, &group->members, link) {
        consumer_session_start(
            member, member->classic ? member->session_timeout_ms : limits.session_ms);
        if (member->progress == CONSUMER_REVOKING && !member->classic)
            consumer_rebalance_start(member);
    }
}
