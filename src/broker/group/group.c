// SPDX-License-Identifier: BSD-2-Clause
/*
 * A group goes round: EMPTY -> PREPARING (members join) -> COMPLETING (the leader assigns) ->
 * STABLE -> PREPARING ... Requests are in group_requests.c, the way from one generation to the next
 * in group_rebalance.c; here are life, states and what replay restores.
 *
 * Members are owned by the group, waiting joins and syncs by their requests: each is answered
 * exactly once, at the latest when its member or the group goes. A write on its way to the log may
 * outlive the group (group_detach_stores).
 */
#include "broker/group/group.h"

#include "broker/group/group_rebalance.h"

#include <assert.h>

#define NOWHERE GROUP_STATES_COUNT

/* What an event makes of a state; NOWHERE: it does not happen there. */
static const enum group_state group_transitions[GROUP_STATES_COUNT][GROUP_EVENTS_COUNT] = {
    [GROUP_EMPTY] =
        {
            [GROUP_EVENT_UNSETTLED] = GROUP_PREPARING_REBALANCE,
            [GROUP_EVENT_GATHERED] = NOWHERE,
            [GROUP_EVENT_DESERTED] = NOWHERE,
            [GROUP_EVENT_ASSIGNED] = NOWHERE,
            [GROUP_EVENT_DROPPED] = GROUP_DEAD,
        },
    [GROUP_PREPARING_REBALANCE] =
        {
            [GROUP_EVENT_UNSETTLED] = NOWHERE, /* a rebalance is under way */
            [GROUP_EVENT_GATHERED] = GROUP_COMPLETING_REBALANCE,
            [GROUP_EVENT_DESERTED] = GROUP_EMPTY,
            [GROUP_EVENT_ASSIGNED] = NOWHERE,
            [GROUP_EVENT_DROPPED] = GROUP_DEAD,
        },
    [GROUP_COMPLETING_REBALANCE] =
        {
            [GROUP_EVENT_UNSETTLED] = GROUP_PREPARING_REBALANCE,
            [GROUP_EVENT_GATHERED] = NOWHERE,
            [GROUP_EVENT_DESERTED] = NOWHERE, /* the last one's going unsettles first */
            [GROUP_EVENT_ASSIGNED] = GROUP_STABLE,
            [GROUP_EVENT_DROPPED] = GROUP_DEAD,
        },
    [GROUP_STABLE] =
        {
            [GROUP_EVENT_UNSETTLED] = GROUP_PREPARING_REBALANCE,
            [GROUP_EVENT_GATHERED] = NOWHERE,
            [GROUP_EVENT_DESERTED] = NOWHERE,
            [GROUP_EVENT_ASSIGNED] = NOWHERE,
            [GROUP_EVENT_DROPPED] = GROUP_DEAD,
        },
    [GROUP_DEAD] =
        {
            [GROUP_EVENT_UNSETTLED] = NOWHERE,
            [GROUP_EVENT_GATHERED] = NOWHERE,
            [GROUP_EVENT_DESERTED] = NOWHERE,
            [GROUP_EVENT_ASSIGNED] = NOWHERE,
            [GROUP_EVENT_DROPPED] = GROUP_DEAD,
        },
};

bool group_event_next(enum group_state state, enum group_event event, enum group_state *ret_next)
{
    assert(state < GROUP_STATES_COUNT && event < GROUP_EVENTS_COUNT);
    enum group_state next = group_transitions[state][event];
    if (next == NOWHERE)
        return false;
    if (ret_next != NULL)
        *ret_next = next;
    return true;
}

const char *group_state_name(enum group_state state)
{
    static const char *const names[GROUP_STATES_COUNT] = {
        [GROUP_EMPTY] = "Empty",
        [GROUP_PREPARING_REBALANCE] = "PreparingRebalance",
        [GROUP_COMPLETING_REBALANCE] = "CompletingRebalance",
        [GROUP_STABLE] = "Stable",
        [GROUP_DEAD] = "Dead",
    };
    assert(state < GROUP_STATES_COUNT);
    return names[state];
}

void group_happen(struct group *group, enum group_event event)
{
    enum group_state state = GROUP_DEAD;
    bool happens = group_event_next(group->state, event, &state);
    assert(happens);
    assert(state != GROUP_EMPTY || group->members_count == 0);
    assert(
        (state != GROUP_STABLE && state != GROUP_COMPLETING_REBALANCE) || group->members_count > 0);
    group->state = state;
    group->state_ms = group->hooks->real_ms(group->ctx);
}

struct group *group_new(struct slice id, struct loop *loop, const struct group_config *config,
    const struct group_hooks *hooks, void *ctx)
{
    struct group *group = xnew(struct group);
    group->id = slice_copy(id);
    group->loop = loop;
    group->config = config;
    group->hooks = hooks;
    group->ctx = ctx;
    group->state = GROUP_EMPTY;
    group->state_ms = hooks->real_ms(ctx);
    list_init(&group->members);
    list_init(&group->pending);
    list_init(&group->stores);
    group->by_id = MAP_NULL;
    group->by_instance = MAP_NULL;
    group->timer = TIMER_NULL;
    return group;
}

void group_free(struct group *group, enum group_error error)
{
    if (group == NULL)
        return;
    group_happen(group, GROUP_EVENT_DROPPED);
    timer_stop(&group->timer);
    struct group_member *member, *following;
    list_for_each_entry_safe (member, following, &group->members, link)
        group_remove_member(group, member, error);
    list_for_each_entry_safe (member, following, &group->pending, link)
        group_remove_member(group, member, error);
    group_detach_stores(group);
    assert(group->members_count == 0 && group->pending_count == 0 && group->joining_count == 0);
    map_deinit(&group->by_id);
    map_deinit(&group->by_instance);
    slice_drop(&group->id);
    slice_drop(&group->protocol_type);
    slice_drop(&group->protocol);
    slice_drop(&group->restored_leader);
    free(group);
}

void group_kill(struct group *group)
{
    assert(group->state == GROUP_EMPTY && group->members_count == 0);
    group_happen(group, GROUP_EVENT_DROPPED);
}

struct group_member *group_member(const struct group *group, struct slice id)
{
    struct group_member *member = map_get(&group->by_id, id);
    return member == NULL || member->pending ? NULL : member;
}

bool group_is_blank(const struct group *group)
{
    return group->state == GROUP_EMPTY && group->generation == 0 && group->pending_count == 0 &&
           list_empty((struct list_link *)(uintptr_t)&group->stores) &&
           slice_is_null(group->protocol_type);
}

void group_restore(struct group *group, const struct group_restored *restored)
{
    assert(group->state == GROUP_EMPTY && group->members_count == 0);
    assert(slice_is_null(group->protocol_type) && slice_is_null(group->protocol));
    group->generation = restored->generation;
    if (restored->protocol_type.size > 0)
        group->protocol_type = slice_copy(restored->protocol_type);
    group->protocol = slice_copy(restored->protocol);
    group->restored_leader = slice_copy(restored->leader);
    group->state_ms = restored->state_ms;
}

bool group_restore_member(struct group *group, const struct group_join *join, struct slice metadata,
    struct slice assignment)
{
    if (map_get(&group->by_id, join->member_id) != NULL ||
        (!slice_is_null(join->instance_id) &&
            map_get(&group->by_instance, join->instance_id) != NULL))
        return false;
    struct group_member *member = group_member_new(
        group, join->member_id, join->instance_id, join->client_id, join->client_host);
    member->session_timeout_ms = join->session_timeout_ms;
    member->rebalance_timeout_ms = join->rebalance_timeout_ms;
    struct group_protocol protocol = {group->protocol, metadata};
    if (join->protocols_count > 0)
        group_member_set_protocols(member, join->protocols, join->protocols_count);
    else
        group_member_set_protocols(member, &protocol, 1);
    group_member_set_assignment(member, assignment);
    group_add_member(group, member);
    group->state = GROUP_STABLE;
    return true;
}

void group_restore_end(struct group *group)
{
    struct group_member *member =
        slice_is_null(group->restored_leader) ? NULL : group_member(group, group->restored_leader);
    slice_drop(&group->restored_leader);
    if (member != NULL)
        group->leader = member;
    list_for_each_entry (member, &group->members, link)
        group_start_timer(member, member->session_timeout_ms);
    if (group->members_count > (size_t)group->config->size_max)
        group_rebalance(group, NULL, "over-capacity", SLICE_NULL);
}

bool group_session_valid(const struct group_config *config, int32_t session_timeout_ms)
{
    return session_timeout_ms >= config->session_ms_min &&
           session_timeout_ms <= config->session_ms_max;
}
