// SPDX-License-Identifier: BSD-2-Clause
/*
 * From one generation to the next. group_rebalance opens the join phase: an empty group waits a
 * little for company (initial), any other until all its members have joined again or the longest
 * rebalance timeout has passed. group_complete then drops the dynamic members that stayed away,
 * picks the leader and the protocol, and answers every waiting join. The sync phase ends when the
 * leader's assignment is on the log (group_on_stored); members that never sync are dropped at the
 * same timeout.
 *
 * Failure modes: nobody joins -> wait again while static members remain; the log refuses the
 * assignment -> waiting syncs get the error and a new round begins; members vanish at any time ->
 * group_evict, which re-checks the phase.
 */
#include "broker/group/group_rebalance.h"

#include "base/log.h"

#include <assert.h>
#include <inttypes.h>

struct group_store {
    struct list_link link;
    struct group *group; /* NULL: it is gone */
    enum group_store_kind kind;
    int32_t generation;
    struct slice member_id; /* REPLACED: whose join waits, with what serial */
    uint64_t join_serial;
};

static void group_on_timer(struct timer *timer);
static int64_t group_rebalance_ms(const struct group *group);

/* --- members in and out --- */

void group_add_member(struct group *group, struct group_member *member)
{
    assert(group->members_count > 0 || group->joining_count == 0);
    list_append(&group->members, &member->link);
    group->members_count++;
    map_put(&group->by_id, member->id, member);
    if (!slice_is_null(member->instance_id)) {
        void *before = map_put(&group->by_instance, member->instance_id, member);
        assert(before == NULL);
    }
    if (group->leader == NULL)
        group->leader = member;
}

void group_remove_member(struct group *group, struct group_member *member, enum group_error error)
{
    if (member->join != NULL)
        group_fail_join(member, error);
    if (member->sync != NULL)
        group_answer_sync(member, error);
    map_remove(&group->by_id, member->id);
    list_remove(&member->link);
    if (member->pending) {
        group->pending_count--;
        group_member_free(member);
        return;
    }
    group->members_count--;
    if (!slice_is_null(member->instance_id))
        map_remove(&group->by_instance, member->instance_id);
    if (member->sync_pending)
        group->sync_pending_count--;
    if (group->leader == member) {
        struct list_link *first = list_first(&group->members);
        group->leader = first == NULL ? NULL : list_entry(first, struct group_member, link);
    }
    group_member_free(member);
}

void group_evict(struct group *group, struct group_member *member, enum group_error error,
    const char *why, struct slice client_why)
{
    bool starts = !member->pending && group_event_next(group->state, GROUP_EVENT_UNSETTLED, NULL);
    if (starts)
        group_rebalance(group, member, why, client_why);
    else
        log_info("group.member.gone",
            "group=%s generation=%" PRId32 " reason=%s member=%s client=%s host=%s state=%s",
            log_quote(group->id).str, group->generation, why, log_quote(member->id).str,
            log_quote(member->client_id).str, log_quote(member->client_host).str,
            group_state_name(group->state));
    group_remove_member(group, member, error);
    if (starts) /* without the time that the one who went would have been given */
        timer_start(&group->timer, group->loop, group_rebalance_ms(group), group_on_timer);
    if (group->state == GROUP_PREPARING_REBALANCE)
        group_try_complete(group);
}

/* --- answers --- */

void group_park_join(struct group_member *member, struct group_join *join)
{
    if (member->join != NULL)
        group_fail_join(member, GROUP_E_REBALANCING);
    member->join = join;
    member->join_serial = ++member->group->join_serial;
    member->group->joining_count++;
}

void group_answer_join(struct group_member *member, const struct group_join_answer *answer)
{
    struct group_join *join = steal(&member->join);
    assert(join != NULL && member->group->joining_count > 0);
    member->group->joining_count--;
    join->done(join, answer);
}

void group_fail_join(struct group_member *member, enum group_error error)
{
    struct group_join_answer answer = {.error = error,
        .generation = -1,
        .leader = SLICE_LIT(""),
        .member_id = error == GROUP_E_UNKNOWN_MEMBER ? SLICE_LIT("") : member->id};
    group_answer_join(member, &answer);
}

struct group_join_answer group_current(const struct group_member *member)
{
    const struct group *group = member->group;
    return (struct group_join_answer){.error = GROUP_OK,
        .generation = group->generation,
        .protocol_type = group->protocol_type,
        .protocol = group->protocol,
        .leader = group->leader == NULL ? SLICE_LIT("") : group->leader->id,
        .member_id = member->id,
        .members = NULL};
}

void group_answer_sync(struct group_member *member, enum group_error error)
{
    struct group_sync *sync = steal(&member->sync);
    assert(sync != NULL);
    const struct group *group = member->group;
    struct group_sync_answer answer = {.error = error, .assignment = SLICE_LIT("")};
    if (error == GROUP_OK) {
        answer.protocol_type = group->protocol_type;
        answer.protocol = group->protocol;
        answer.assignment = member->assignment;
    }
    sync->done(sync, &answer);
}

/* --- sessions --- */

static void group_member_on_timer(struct timer *timer)
{
    struct group_member *member = container_of(timer, struct group_member, timer);
    struct group *group = member->group;
    if (!member->disconnected && !member->pending && !member->is_new &&
        (member->join != NULL || member->sync != NULL))
        return; /* whoever waits for us is alive; the session starts anew with the answer */
    group_evict(group, member, GROUP_E_UNKNOWN_MEMBER,
        member->disconnected ? "connection-closed" : "session-expired", SLICE_NULL);
}

void group_expire(struct group *group)
{
    struct group_member *member, *following;
    list_for_each_entry_safe (member, following, &group->members, link) {
        if (!timer_is_due(&member->timer))
            continue;
        timer_stop(&member->timer);
        group_member_on_timer(&member->timer);
    }
}

void group_start_timer(struct group_member *member, int64_t delay_ms)
{
    if (!member->disconnected)
        timer_start(&member->timer, member->group->loop, delay_ms, group_member_on_timer);
}

void group_refresh(struct group_member *member, uint64_t conn_id)
{
    struct group *group = member->group;
    member->disconnected = false;
    group_start_timer(member,
        member->is_new ? member->group->config->new_member_ms_max : member->session_timeout_ms);
    if (conn_id != 0 && conn_id != member->conn_id)
        group->hooks->attach(group->ctx, member, conn_id);
}

void group_member_disconnect(struct group_member *member)
{
    const struct group_config *config = member->group->config;
    if (config->disconnect_expiry_ms < 0 || !slice_is_null(member->instance_id))
        return;
    group_start_timer(member, config->disconnect_expiry_ms);
    member->disconnected = true;
    member->conn_id = 0;
}

/* --- the join phase --- */

static int64_t group_rebalance_ms(const struct group *group)
{
    int64_t longest_ms = 0;
    const struct group_member *member;
    list_for_each_entry (member, &group->members, link) {
        if (member->rebalance_timeout_ms > longest_ms)
            longest_ms = member->rebalance_timeout_ms;
    }
    return longest_ms;
}

static void group_fail_syncs(struct group *group, enum group_error error)
{
    struct group_member *member;
    list_for_each_entry (member, &group->members, link) {
        group_member_set_assignment(member, SLICE_NULL);
        if (member->sync != NULL) {
            group_answer_sync(member, error);
            group_start_timer(member, member->session_timeout_ms);
        }
    }
}

static void group_clear_sync_pending(struct group *group)
{
    struct group_member *member;
    list_for_each_entry (member, &group->members, link)
        member->sync_pending = false;
    group->sync_pending_count = 0;
}

/* The first rebalance waits group.initial.rebalance.delay.ms, again and again while members arrive,
 * at most as long as a rebalance may take; where that delay is short, a coalescing window takes its
 * place, with a bound of its own. */
static void group_start_initial(struct group *group)
{
    const struct group_config *config = group->config;
    int64_t delay_ms = config->initial_delay_ms;
    int64_t remaining_ms = group_rebalance_ms(group) - delay_ms;
    if (delay_ms == 0) {
        delay_ms = config->join_window_ms;
        remaining_ms = group_rebalance_ms(group) - delay_ms;
        if (remaining_ms > delay_ms * GROUP_JOIN_WINDOWS_MAX)
            remaining_ms = delay_ms * GROUP_JOIN_WINDOWS_MAX;
    }
    group->initial = true;
    group->member_added = false;
    group->initial_delay_ms = delay_ms;
    group->initial_remaining_ms = remaining_ms > 0 ? remaining_ms : 0;
    timer_start(&group->timer, group->loop, delay_ms, group_on_timer);
}

static bool group_extend_initial(struct group *group)
{
    bool expected =
        group->config->join_window_ms > group->config->initial_delay_ms && group->pending_count > 0;
    if ((!group->member_added && !expected) || group->initial_remaining_ms == 0)
        return false;
    group->member_added = false;
    int64_t delay_ms = group->initial_delay_ms < group->initial_remaining_ms
                           ? group->initial_delay_ms
                           : group->initial_remaining_ms;
    group->initial_remaining_ms -= delay_ms;
    timer_start(&group->timer, group->loop, delay_ms, group_on_timer);
    return true;
}

void group_rebalance(
    struct group *group, const struct group_member *cause, const char *why, struct slice client_why)
{
    if (!group_event_next(group->state, GROUP_EVENT_UNSETTLED, NULL))
        return;
    log_info("group.rebalance",
        "group=%s generation=%" PRId32
        " reason=%s member=%s client=%s host=%s state=%s members=%zu client_reason=%s",
        log_quote(group->id).str, group->generation, why,
        log_quote(cause == NULL ? SLICE_LIT("") : cause->id).str,
        log_quote(cause == NULL ? SLICE_LIT("") : cause->client_id).str,
        log_quote(cause == NULL ? SLICE_LIT("") : cause->client_host).str,
        group_state_name(group->state), group->members_count, log_quote(client_why).str);
    if (group->state == GROUP_COMPLETING_REBALANCE)
        group_fail_syncs(group, GROUP_E_REBALANCING);
    group_clear_sync_pending(group);
    bool was_empty = group->state == GROUP_EMPTY;
    group_happen(group, GROUP_EVENT_UNSETTLED);
    group->initial = group->storing = false;
    if (was_empty)
        group_start_initial(group);
    else
        timer_start(&group->timer, group->loop, group_rebalance_ms(group), group_on_timer);
}

/* The leader stays when it joined; else the first who did takes over. False: nobody joined. */
static bool group_elect(struct group *group)
{
    if (group->leader != NULL && group->leader->join != NULL)
        return true;
    struct group_member *member;
    list_for_each_entry (member, &group->members, link) {
        if (member->join != NULL) {
            group->leader = member;
            return true;
        }
    }
    return false;
}

static void group_drop_absent(struct group *group)
{
    struct group_member *member, *following;
    list_for_each_entry_safe (member, following, &group->members, link) {
        if (member->join != NULL || !slice_is_null(member->instance_id))
            continue;
        log_info("group.member.gone",
            "group=%s generation=%" PRId32
            " reason=did-not-rejoin member=%s client=%s host=%s timeout_ms=%" PRId32,
            log_quote(group->id).str, group->generation, log_quote(member->id).str,
            log_quote(member->client_id).str, log_quote(member->client_host).str,
            member->rebalance_timeout_ms);
        group_remove_member(group, member, GROUP_E_UNKNOWN_MEMBER);
    }
}

static void group_become_empty(struct group *group)
{
    group->generation++;
    slice_drop(&group->protocol);
    group_happen(group, GROUP_EVENT_DESERTED);
    timer_stop(&group->timer);
    log_info(
        "group.empty", "group=%s generation=%" PRId32, log_quote(group->id).str, group->generation);
    if (group_store_begin(group, GROUP_STORE_EMPTY, NULL) != GROUP_OK)
        log_warn("group.store.failed", "group=%s generation=%" PRId32 " what=empty",
            log_quote(group->id).str, group->generation);
}

static void group_open_generation(struct group *group)
{
    struct slice protocol = slice_copy(group_vote(group));
    assert(!slice_is_null(protocol));
    group->generation++;
    slice_drop(&group->protocol);
    group->protocol = protocol;
    group_happen(group, GROUP_EVENT_GATHERED);
    log_info("group.generation",
        "group=%s generation=%" PRId32 " members=%zu leader=%s protocol=%s",
        log_quote(group->id).str, group->generation, group->members_count,
        log_quote(group->leader->id).str, log_quote(protocol).str);
    group->sync_pending_count = group->members_count;
    struct group_member *member;
    list_for_each_entry (member, &group->members, link) {
        member->is_new = false;
        member->sync_pending = true;
        group_start_timer(member, member->session_timeout_ms);
    }
    timer_start(&group->timer, group->loop, group_rebalance_ms(group), group_on_timer);
    list_for_each_entry (member, &group->members, link) {
        if (member->join == NULL)
            continue; /* static and away */
        struct group_join_answer answer = group_current(member);
        if (member == group->leader)
            answer.members = group;
        group_answer_join(member, &answer);
    }
}

static void group_complete(struct group *group)
{
    assert(group->state == GROUP_PREPARING_REBALANCE);
    group->initial = false;
    group_drop_absent(group);
    if (group->members_count == 0) {
        group_become_empty(group);
    } else if (!group_elect(group)) {
        log_warn("group.nobody.joined", "group=%s generation=%" PRId32 " members=%zu",
            log_quote(group->id).str, group->generation, group->members_count);
        timer_start(&group->timer, group->loop, group_rebalance_ms(group), group_on_timer);
    } else {
        group_open_generation(group);
    }
}

void group_try_complete(struct group *group)
{
    assert(group->state == GROUP_PREPARING_REBALANCE);
    if (!group->initial && group->members_count == group->joining_count &&
        group->pending_count == 0)
        group_complete(group);
}

/* --- the sync phase --- */

void group_synced(struct group_member *member)
{
    struct group *group = member->group;
    if (!member->sync_pending)
        return;
    member->sync_pending = false;
    if (--group->sync_pending_count == 0)
        timer_stop(&group->timer);
}

static void group_drop_unsynced(struct group *group)
{
    struct group_member *cause = NULL, *member, *following;
    list_for_each_entry_safe (member, following, &group->members, link) {
        if (!member->sync_pending)
            continue;
        if (cause == NULL)
            cause = member;
        else
            group_remove_member(group, member, GROUP_E_UNKNOWN_MEMBER);
    }
    if (cause != NULL)
        group_evict(group, cause, GROUP_E_UNKNOWN_MEMBER, "did-not-sync", SLICE_NULL);
}

static void group_on_timer(struct timer *timer)
{
    struct group *group = container_of(timer, struct group, timer);
    if (group->state == GROUP_PREPARING_REBALANCE) {
        if (!group->initial || !group_extend_initial(group))
            group_complete(group);
    } else if (group->state == GROUP_COMPLETING_REBALANCE || group->state == GROUP_STABLE) {
        group_drop_unsynced(group);
    }
}

/* --- writes --- */

enum group_error group_store_begin(
    struct group *group, enum group_store_kind kind, const struct group_member *member)
{
    struct group_store *store = xnew(struct group_store);
    store->group = group;
    store->kind = kind;
    store->generation = group->generation;
    if (member != NULL) {
        store->member_id = slice_copy(member->id);
        store->join_serial = member->join_serial;
    }
    list_append(&group->stores, &store->link);
    enum group_error error = group->hooks->store(group->ctx, group, store);
    if (error == GROUP_OK)
        return GROUP_OK;
    list_remove(&store->link);
    slice_drop(&store->member_id);
    free(store);
    return error;
}

void group_detach_stores(struct group *group)
{
    struct group_store *store, *following;
    list_for_each_entry_safe (store, following, &group->stores, link) {
        list_remove(&store->link);
        store->group = NULL;
    }
}

void group_assignment_failed(struct group *group, enum group_error error)
{
    group_fail_syncs(group, error);
    group_rebalance(group, group->leader, "store-failed", SLICE_NULL);
}

static void group_on_assignment_stored(struct group *group, enum group_error error)
{
    group->storing = false;
    if (error != GROUP_OK) {
        group_assignment_failed(group, error);
        return;
    }
    group_happen(group, GROUP_EVENT_ASSIGNED);
    log_info("group.stable", "group=%s generation=%" PRId32 " members=%zu",
        log_quote(group->id).str, group->generation, group->members_count);
    struct group_member *member;
    list_for_each_entry (member, &group->members, link) {
        if (member->sync != NULL) {
            group_answer_sync(member, GROUP_OK);
            group_start_timer(member, member->session_timeout_ms);
        }
    }
}

static void group_on_replaced_stored(
    struct group *group, const struct group_store *store, enum group_error error)
{
    struct group_member *member = group_member(group, store->member_id);
    if (member == NULL || member->join == NULL || member->join_serial != store->join_serial ||
        group->state != GROUP_STABLE)
        return; /* a rebalance that began meanwhile answers it */
    if (error != GROUP_OK) {
        group_fail_join(member, error);
        return;
    }
    struct group_join_answer answer = group_current(member);
    bool leads = member == group->leader;
    if (member->join->may_skip_assignment) {
        answer.members = leads ? group : NULL;
        answer.skip_assignment = leads;
    } else if (leads) {
        /* A client that knows no "skip" must not think it leads, or it would assign anew. */
        answer.leader = member->replaced_id;
    }
    group_answer_join(member, &answer);
}

void group_store_done(struct group_store *store, enum group_error error)
{
    struct group *group = store->group;
    if (group != NULL) {
        list_remove(&store->link);
        if (store->kind == GROUP_STORE_ASSIGNMENT && store->generation == group->generation &&
            group->state == GROUP_COMPLETING_REBALANCE)
            group_on_assignment_stored(group, error);
        else if (store->kind == GROUP_STORE_REPLACED)
            group_on_replaced_stored(group, store, error);
        else if (error != GROUP_OK)
            log_warn("group.store.failed", "group=%s generation=%" PRId32 " error=%d",
                log_quote(group->id).str, store->generation, (int)error);
    }
    slice_drop(&store->member_id);
    free(store);
}
