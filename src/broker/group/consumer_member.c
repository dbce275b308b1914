// SPDX-License-Identifier: BSD-2-Clause
/*
 * Members: their memory, what they own, their sessions. A partition is free exactly when
 * group->owners does not know it.
 */
#include "broker/group/consumer_internal.h"

#include "base/log.h"

#include <assert.h>
#include <inttypes.h>

struct consumer_member *consumer_member_new(struct consumer_group *group, struct slice id)
{
    struct consumer_member *member = xnew(struct consumer_member);
    member->group = group;
    member->id = slice_copy(id);
    member->client_id = slice_copy(SLICE_LIT(""));
    member->client_host = slice_copy(SLICE_LIT(""));
    member->rebalance_timeout_ms = -1;
    member->session = member->rebalance = TIMER_NULL;
    return member;
}

void consumer_member_touch(struct consumer_member *member, unsigned dirty)
{
    member->dirty |= dirty;
    if (!list_linked(&member->dirty_link))
        list_append(&member->group->dirty_members, &member->dirty_link);
}

void consumer_member_add(struct consumer_group *group, struct consumer_member *member)
{
    list_append(&group->members, &member->link);
    group->members_count++;
    void *before = map_put(&group->by_id, member->id, member);
    assert(before == NULL);
    consumer_member_touch(member, CONSUMER_DIRTY_ALL);
}

bool consumer_member_set_text(struct slice *text, struct slice value)
{
    if (slice_is_null(*text) == slice_is_null(value) && slice_equal(*text, value))
        return false;
    struct slice copy = slice_copy(value);
    slice_drop(text);
    *text = copy;
    return true;
}

void consumer_member_set_instance(struct consumer_member *member, struct slice instance_id)
{
    struct map *by_instance = &member->group->by_instance;
    if (slice_is_null(instance_id) || slice_equal(member->instance_id, instance_id))
        return;
    if (!slice_is_null(member->instance_id) && map_get(by_instance, member->instance_id) == member)
        map_remove(by_instance, member->instance_id);
    consumer_member_set_text(&member->instance_id, instance_id);
    map_put(by_instance, member->instance_id, member);
}

void consumer_member_set_texts(struct consumer_member *member, struct slice instance_id,
    struct slice rack_id, struct slice client_id, struct slice client_host, struct slice assignor)
{
    consumer_member_set_instance(member, instance_id);
    consumer_member_set_text(&member->rack_id, rack_id);
    consumer_member_set_text(
        &member->client_id, slice_is_null(client_id) ? SLICE_LIT("") : client_id);
    consumer_member_set_text(
        &member->client_host, slice_is_null(client_host) ? SLICE_LIT("") : client_host);
    consumer_member_set_text(&member->assignor, assignor);
}

static void consumer_member_drop_protocols(struct consumer_member *member)
{
    for (int32_t i = 0; i < member->protocols_count; i++) {
        slice_drop(&member->protocols[i].name);
        slice_drop(&member->protocols[i].metadata);
    }
    free(steal(&member->protocols));
    member->protocols_count = 0;
}

void consumer_member_set_classic(struct consumer_member *member, int32_t session_timeout_ms,
    const struct group_protocol *protocols, int32_t count)
{
    bool classic = count > 0;
    member->group->classic_count += classic && !member->classic;
    member->group->classic_count -= !classic && member->classic;
    struct group_protocol *copies = classic ? xnew_n(struct group_protocol, (size_t)count) : NULL;
    for (int32_t i = 0; i < count; i++)
        copies[i] = (struct group_protocol){
            slice_copy(protocols[i].name), slice_copy(protocols[i].metadata)};
    consumer_member_drop_protocols(member);
    member->classic = classic;
    member->session_timeout_ms = session_timeout_ms;
    member->protocols = copies;
    member->protocols_count = count;
}

/* --- what it owns --- */

static void consumer_member_release(
    struct consumer_member *member, const struct consumer_parts *parts)
{
    if (member->group->share != NULL)
        return; /* there are no owners */
    for (size_t i = 0; i < parts->count; i++) {
        struct consumer_owner *owner =
            map_remove(&member->group->owners, consumer_part_key(&parts->items[i]));
        assert(owner == NULL || owner->member == member);
        free(owner);
    }
}

static void consumer_member_claim(
    struct consumer_member *member, const struct consumer_parts *parts)
{
    if (member->group->share != NULL)
        return;
    for (size_t i = 0; i < parts->count; i++) {
        struct consumer_owner *owner = xnew(struct consumer_owner);
        owner->part = parts->items[i];
        owner->member = member;
        void *before = map_put(&member->group->owners, consumer_part_key(&owner->part), owner);
        assert(before == NULL); /* one owner at a time */
    }
}

void consumer_member_set_parts(struct consumer_member *member, struct consumer_parts take_owned,
    struct consumer_parts take_revoking)
{
    consumer_member_release(member, &member->owned);
    consumer_member_release(member, &member->revoking);
    consumer_parts_replace(&member->owned, take_owned);
    consumer_parts_replace(&member->revoking, take_revoking);
    consumer_member_claim(member, &member->owned);
    consumer_member_claim(member, &member->revoking);
}

/* --- out --- */

void consumer_member_gone(struct consumer_group *group, struct slice id)
{
    if (group->gone_count == group->gone_capacity) {
        group->gone_capacity = group->gone_capacity == 0 ? 4 : group->gone_capacity * 2;
        group->gone = xrealloc(group->gone, group->gone_capacity * sizeof(struct slice));
    }
    group->gone[group->gone_count++] = slice_copy(id);
}

void consumer_member_remove(struct consumer_group *group, struct consumer_member *member)
{
    timer_stop(&member->session);
    timer_stop(&member->rebalance);
    if (list_linked(&member->conn_link))
        list_remove(&member->conn_link);
    consumer_member_set_parts(member, CONSUMER_PARTS_NULL, CONSUMER_PARTS_NULL);
    consumer_parts_free(&member->target);
    consumer_member_set_classic(member, 0, NULL, 0);
    map_remove(&group->by_id, member->id);
    if (!slice_is_null(member->instance_id) &&
        map_get(&group->by_instance, member->instance_id) == member)
        map_remove(&group->by_instance, member->instance_id);
    list_remove(&member->link);
    if (list_linked(&member->dirty_link))
        list_remove(&member->dirty_link);
    group->members_count--;
    if (member->subscription != NULL)
        consumer_subscription_put(group, member->subscription);
    if (!group->dead)
        consumer_member_gone(group, member->id);
    slice_drop(&member->id);
    slice_drop(&member->instance_id);
    slice_drop(&member->rack_id);
    slice_drop(&member->client_id);
    slice_drop(&member->client_host);
    slice_drop(&member->assignor);
    free(member);
}

void consumer_member_fence(struct consumer_member *member, const char *why)
{
    struct consumer_group *group = member->group;
    consumer_group_bump(group, member, why);
    consumer_member_remove(group, member);
    consumer_group_resolve(group, true);
}

void consumer_member_rename(struct consumer_member *member, struct slice id)
{
    struct consumer_group *group = member->group;
    log_info("consumer.static.replaced", "group=%s epoch=%" PRId32 " instance=%s old=%s new=%s",
        log_quote(group->id).str, group->epoch, log_quote(member->instance_id).str,
        log_quote(member->id).str, log_quote(id).str);
    consumer_member_gone(group, member->id);
    map_remove(&group->by_id, member->id);
    consumer_member_set_text(&member->id, id);
    map_put(&group->by_id, member->id, member);
    consumer_member_touch(member, CONSUMER_DIRTY_ALL);
}

/* --- sessions --- */

static void consumer_member_on_session(struct timer *timer)
{
    struct consumer_member *member = container_of(timer, struct consumer_member, session);
    struct consumer_group *group = member->group;
    consumer_member_fence(member, member->disconnected ? "connection-closed" : "session-expired");
    group->hooks->changed(group->ctx, group);
}

bool consumer_group_expire_one(struct consumer_group *group)
{
    struct consumer_member *member;
    list_for_each_entry (member, &group->members, link) {
        if (!timer_is_due(&member->session))
            continue;
        timer_stop(&member->session);
        consumer_member_on_session(&member->session);
        return true;
    }
    return false;
}

void consumer_session_start(struct consumer_member *member, int32_t session_ms)
{
    timer_start(&member->session, member->group->loop, session_ms, consumer_member_on_session);
}

void consumer_member_refresh(
    struct consumer_member *member, const struct consumer_limits *limits, uint64_t conn_id)
{
    struct consumer_group *group = member->group;
    member->disconnected = false;
    consumer_session_start(
        member, member->classic ? member->session_timeout_ms : limits->session_ms);
    if (conn_id != 0 && conn_id != member->conn_id)
        group->hooks->attach(group->ctx, member, conn_id);
}

void consumer_member_disconnect(struct consumer_member *member)
{
    struct consumer_limits limits;
    member->group->hooks->limits(member->group->ctx, member->group, &limits);
    member->conn_id = 0;
    if (limits.disconnect_expiry_ms < 0 || !slice_is_null(member->instance_id))
        return;
    consumer_session_start(member, limits.disconnect_expiry_ms);
    member->disconnected = true;
}

static void consumer_member_on_rebalance(struct timer *timer)
{
    struct consumer_member *member = container_of(timer, struct consumer_member, rebalance);
    struct consumer_group *group = member->group;
    consumer_member_fence(member, member->classic ? "did-not-rejoin" : "did-not-revoke");
    group->hooks->changed(group->ctx, group);
}

void consumer_rebalance_start(struct consumer_member *member)
{
    int32_t timeout_ms = member->rebalance_timeout_ms < 0 ? 0 : member->rebalance_timeout_ms;
    timer_start(&member->rebalance, member->group->loop, timeout_ms, consumer_member_on_rebalance);
}
