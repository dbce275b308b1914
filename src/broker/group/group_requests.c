// SPDX-License-Identifier: BSD-2-Clause
/*
 * What members ask of their group: join, sync, heartbeat, leave, and whether they may commit.
 * Each request is checked against the group's state and either answered at once or parked in its
 * member. A static member (with an instance id) that comes back under no id takes its old place:
 * the old id is fenced, and nobody has to rebalance as long as the vote stays the same.
 */
#include "broker/group/group_rebalance.h"

#include "base/canary.h"
#include "base/log.h"

#include <assert.h>
#include <inttypes.h>

static void group_refuse_join(
    struct group_join *join, struct slice member_id, enum group_error error)
{
    struct group_join_answer answer = {
        .error = error, .generation = -1, .leader = SLICE_LIT(""), .member_id = member_id};
    join->done(join, &answer);
}

/* Is there a member of that id, and does its instance (when given) say so too? */
static enum group_error group_check_member(
    const struct group *group, struct slice member_id, struct slice instance_id)
{
    if (!slice_is_null(instance_id)) {
        const struct group_member *member = map_get(&group->by_instance, instance_id);
        if (member == NULL)
            return GROUP_E_UNKNOWN_MEMBER;
        return slice_equal(member->id, member_id) ? GROUP_OK : GROUP_E_FENCED_INSTANCE;
    }
    return group_member(group, member_id) == NULL ? GROUP_E_UNKNOWN_MEMBER : GROUP_OK;
}

/* --- join --- */

/* Room for one more? Those that wait or are known already may always come. */
static bool group_has_room(const struct group *group, struct slice member_id)
{
    const struct group_member *member = group_member(group, member_id);
    size_t size_max = (size_t)group->config->size_max;
    switch (group->state) {
    case GROUP_PREPARING_REBALANCE:
        return (member != NULL && member->join != NULL) || group->joining_count < size_max;
    case GROUP_COMPLETING_REBALANCE:
    case GROUP_STABLE: return member != NULL || group->members_count < size_max;
    default: return true;
    }
}

/* The joiner shares at least one protocol with all who are there. */
static bool group_accepts_protocols(const struct group *group, const struct group_join *join)
{
    if (group->state == GROUP_EMPTY)
        return join->protocol_type.size > 0 && join->protocols_count > 0;
    if (!slice_equal(group->protocol_type, join->protocol_type))
        return false;
    for (int32_t i = 0; i < join->protocols_count; i++) {
        if (group_supports(group, join->protocols[i].name))
            return true;
    }
    return false;
}

static void group_update_member(struct group_member *member, const struct group_join *join)
{
    group_member_set_protocols(member, join->protocols, join->protocols_count);
    member->session_timeout_ms = join->session_timeout_ms;
    member->rebalance_timeout_ms = join->rebalance_timeout_ms;
}

static void group_admit(struct group *group, struct group_member *member, struct group_join *join)
{
    group_update_member(member, join);
    member->is_new = true;
    if (group->members_count == 0) {
        slice_drop(&group->protocol_type);
        group->protocol_type = slice_copy(join->protocol_type);
    }
    if (group->state == GROUP_PREPARING_REBALANCE && group->generation == 0)
        group->member_added = true;
    group_add_member(group, member);
    group_park_join(member, join);
    group_refresh(member, join->conn_id);
    group_rebalance(group, member, "joined", join->reason);
}

/* A new dynamic member of a newer client is told its id and has to come back with it. */
static void group_announce(
    struct group *group, struct group_member *member, struct group_join *join)
{
    if (group->pending_count >= GROUP_PENDING_COUNT_MAX) {
        group_refuse_join(join, SLICE_LIT(""), GROUP_E_FULL);
        group_member_free(member);
        return;
    }
    member->pending = true;
    member->session_timeout_ms = join->session_timeout_ms;
    list_append(&group->pending, &member->link);
    group->pending_count++;
    map_put(&group->by_id, member->id, member);
    group_refresh(member, join->conn_id);
    group_refuse_join(join, member->id, GROUP_E_MEMBER_ID_REQUIRED);
}

/* The static member's place goes to a new id; whoever still waits under the old one is fenced. */
static void group_replace_id(struct group_member *member, struct slice take_id)
{
    struct group *group = member->group;
    if (member->join != NULL)
        group_fail_join(member, GROUP_E_FENCED_INSTANCE);
    if (member->sync != NULL)
        group_answer_sync(member, GROUP_E_FENCED_INSTANCE);
    map_remove(&group->by_id, member->id);
    slice_drop(&member->replaced_id);
    member->replaced_id = member->id;
    member->id = take_id;
    map_put(&group->by_id, member->id, member);
}

static void group_rejoin_static(
    struct group *group, struct group_member *member, struct slice take_id, struct group_join *join)
{
    log_info("group.static.replaced",
        "group=%s generation=%" PRId32 " instance=%s old=%s new=%s state=%s",
        log_quote(group->id).str, group->generation, log_quote(member->instance_id).str,
        log_quote(member->id).str, log_quote(take_id).str, group_state_name(group->state));
    group_replace_id(member, take_id);
    group_update_member(member, join);
    group_refresh(member, join->conn_id);
    group_park_join(member, join);
    if (group->state == GROUP_COMPLETING_REBALANCE) {
        group_rebalance(group, member, "static-member-back", join->reason);
    } else if (group->state == GROUP_STABLE) {
        if (!slice_equal(group_vote(group), group->protocol)) {
            group_rebalance(group, member, "static-member-changed-protocol", join->reason);
            return;
        }
        group_synced(member); /* its former self may not have; only its session counts now */
        enum group_error error = group_store_begin(group, GROUP_STORE_REPLACED, member);
        if (error != GROUP_OK)
            group_fail_join(member, error);
    } else {
        assert(group->state == GROUP_PREPARING_REBALANCE);
    }
}

static void group_join_new(struct group *group, struct group_join *join)
{
    bool is_static = !slice_is_null(join->instance_id);
    struct slice id = group_member_id_new(group, is_static ? join->instance_id : join->client_id);
    struct group_member *known = is_static ? map_get(&group->by_instance, join->instance_id) : NULL;
    if (known != NULL) {
        group_rejoin_static(group, known, id, join);
        return;
    }
    struct group_member *member =
        group_member_new(group, id, join->instance_id, join->client_id, join->client_host);
    slice_drop(&id);
    if (!is_static && join->require_member_id)
        group_announce(group, member, join);
    else
        group_admit(group, member, join);
}

/* Whoever is in the current generation gets it again, as long as nothing changed. */
static void group_rejoin(struct group *group, struct group_member *member, struct group_join *join)
{
    bool same = group_member_matches(member, join->protocols, join->protocols_count);
    bool leads = group->leader == member;
    bool settled = group->state == GROUP_COMPLETING_REBALANCE || group->state == GROUP_STABLE;
    if (settled && same && !(leads && group->state == GROUP_STABLE)) {
        struct group_join_answer answer = group_current(member);
        if (leads)
            answer.members = group;
        group_refresh(member, join->conn_id);
        join->done(join, &answer);
        return;
    }
    if (group->state == GROUP_EMPTY || group->state == GROUP_DEAD) {
        group_refuse_join(join, join->member_id, GROUP_E_UNKNOWN_MEMBER);
        return;
    }
    const char *why = leads && same ? "leader-rejoined" : "metadata-changed";
    group_update_member(member, join);
    group_park_join(member, join);
    group_refresh(member, join->conn_id);
    group_rebalance(group, member, why, join->reason);
}

static void group_join_known(struct group *group, struct group_join *join)
{
    struct group_member *member = map_get(&group->by_id, join->member_id);
    if (member != NULL && member->pending) {
        if (!slice_is_null(join->instance_id)) {
            group_refuse_join(join, join->member_id, GROUP_E_UNKNOWN_MEMBER);
            return;
        }
        member->pending = false;
        list_remove(&member->link);
        group->pending_count--;
        group_admit(group, member, join);
        return;
    }
    enum group_error error = group_check_member(group, join->member_id, join->instance_id);
    if (error != GROUP_OK)
        group_refuse_join(join, join->member_id, error);
    else
        group_rejoin(group, member, join);
}

void group_join(struct group *group, struct group_join *join)
{
    bool is_new = join->member_id.size == 0;
    if (!group_session_valid(group->config, join->session_timeout_ms)) {
        group_refuse_join(join, join->member_id, GROUP_E_INVALID_SESSION_TIMEOUT);
    } else if (group->state == GROUP_DEAD) {
        group_refuse_join(join, join->member_id, GROUP_E_UNAVAILABLE);
    } else if (!group_has_room(group, join->member_id)) {
        struct group_member *member = map_get(&group->by_id, join->member_id);
        if (member != NULL)
            group_remove_member(group, member, GROUP_E_FULL);
        group_refuse_join(join, SLICE_LIT(""), GROUP_E_FULL);
    } else if (!group_accepts_protocols(group, join)) {
        group_refuse_join(
            join, is_new ? SLICE_LIT("") : join->member_id, GROUP_E_INCONSISTENT_PROTOCOL);
    } else if (is_new) {
        group_join_new(group, join);
    } else {
        group_join_known(group, join);
    }
    if (group->state == GROUP_PREPARING_REBALANCE)
        group_try_complete(group);
}

/* --- sync --- */

static void group_refuse_sync(struct group_sync *sync, enum group_error error)
{
    struct group_sync_answer answer = {.error = error, .assignment = SLICE_LIT("")};
    sync->done(sync, &answer);
}

static enum group_error group_check_sync(const struct group *group, const struct group_sync *sync)
{
    if (group->state == GROUP_DEAD)
        return GROUP_E_UNAVAILABLE;
    enum group_error error = group_check_member(group, sync->member_id, sync->instance_id);
    if (error != GROUP_OK)
        return error;
    if (sync->generation != group->generation)
        return GROUP_E_ILLEGAL_GENERATION;
    if (!slice_is_null(sync->protocol_type) &&
        !slice_equal(sync->protocol_type, group->protocol_type))
        return GROUP_E_INCONSISTENT_PROTOCOL;
    if (!slice_is_null(sync->protocol) && !slice_equal(sync->protocol, group->protocol))
        return GROUP_E_INCONSISTENT_PROTOCOL;
    return group->state == GROUP_PREPARING_REBALANCE ? GROUP_E_REBALANCING : GROUP_OK;
}

/* The leader's word: members it did not mention get nothing. */
static void group_take_assignments(struct group *group, const struct group_sync *sync)
{
    size_t assigned = 0;
    for (int32_t i = 0; i < sync->assignments_count; i++) {
        struct group_member *member = group_member(group, sync->assignments[i].member_id);
        if (member == NULL)
            continue;
        assigned++;
        group_member_set_assignment(member, sync->assignments[i].assignment);
    }
    if (assigned < group->members_count)
        log_debug("group.assignment.partial",
            "group=%s generation=%" PRId32 " members=%zu assigned=%zu", log_quote(group->id).str,
            group->generation, group->members_count, assigned);
    group->storing = true;
    enum group_error error = group_store_begin(group, GROUP_STORE_ASSIGNMENT, NULL);
    if (error != GROUP_OK)
        group_assignment_failed(group, error);
}

void group_sync(struct group *group, struct group_sync *sync)
{
    enum group_error error = group_check_sync(group, sync);
    if (error != GROUP_OK) {
        group_refuse_sync(sync, error);
        return;
    }
    struct group_member *member = group_member(group, sync->member_id);
    group_synced(member);
    group_refresh(member, sync->conn_id);
    if (member->sync != NULL)
        group_answer_sync(member, GROUP_E_REBALANCING);
    member->sync = sync;
    if (group->state == GROUP_STABLE)
        group_answer_sync(member, GROUP_OK);
    else if (member == group->leader && !group->storing)
        group_take_assignments(group, sync);
}

/* --- heartbeat, leave, commit --- */

enum group_error group_heartbeat(struct group *group, struct slice member_id,
    struct slice instance_id, int32_t generation, uint64_t conn_id)
{
    if (group->state == GROUP_DEAD)
        return GROUP_E_UNAVAILABLE;
    enum group_error error = group_check_member(group, member_id, instance_id);
    if (error != GROUP_OK)
        return error;
    if (generation != group->generation)
        return GROUP_E_ILLEGAL_GENERATION;
    group_refresh(group_member(group, member_id), conn_id);
    return group->state == GROUP_PREPARING_REBALANCE ? GROUP_E_REBALANCING : GROUP_OK;
}

enum group_error group_leave(
    struct group *group, struct slice member_id, struct slice instance_id, struct slice reason)
{
    if (group->state == GROUP_DEAD)
        return GROUP_E_UNAVAILABLE;
    struct group_member *member;
    if (member_id.size == 0) {
        member = slice_is_null(instance_id) ? NULL : map_get(&group->by_instance, instance_id);
        if (member == NULL)
            return GROUP_E_UNKNOWN_MEMBER;
    } else {
        member = map_get(&group->by_id, member_id);
        if (member == NULL || !member->pending) {
            enum group_error error = group_check_member(group, member_id, instance_id);
            if (error != GROUP_OK)
                return error;
        }
    }
    group_evict(group, member, GROUP_E_UNKNOWN_MEMBER, "left", reason);
    return GROUP_OK;
}

enum group_error group_may_commit(
    struct group *group, struct slice member_id, struct slice instance_id, int32_t generation)
{
    if (group->state == GROUP_DEAD)
        return GROUP_E_UNAVAILABLE;
    if (group->state == GROUP_EMPTY && generation < 0)
        return GROUP_OK;
    if (generation < 0 && member_id.size == 0 && slice_is_null(instance_id))
        return GROUP_E_UNKNOWN_MEMBER;
    enum group_error error = group_check_member(group, member_id, instance_id);
    if (error != GROUP_OK)
        return error;
    if (generation != group->generation && !canary(STALE_GENERATION))
        return GROUP_E_ILLEGAL_GENERATION;
    if (group->state == GROUP_COMPLETING_REBALANCE)
        return GROUP_E_REBALANCING;
    group_refresh(group_member(group, member_id), 0);
    return GROUP_OK;
}

enum group_error group_may_commit_in_txn(
    struct group *group, struct slice member_id, struct slice instance_id, int32_t generation)
{
    if (group->state == GROUP_DEAD)
        return GROUP_E_UNAVAILABLE;
    if (generation < 0 && member_id.size == 0 && slice_is_null(instance_id))
        return GROUP_OK;
    if (group->state == GROUP_EMPTY && generation < 0)
        return GROUP_OK;
    enum group_error error = group_check_member(group, member_id, instance_id);
    if (error != GROUP_OK)
        return error;
    if (generation != group->generation)
        return GROUP_E_ILLEGAL_GENERATION;
    group_refresh(group_member(group, member_id), 0);
    return GROUP_OK;
}
