// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/* consumer_internal: shared by consumer_*.c alone. */
#include "broker/group/consumer_group.h"
#include "broker/group/group_member.h"

/* Who may have a partition now: the member that owns it or has still to give it back. */
struct consumer_owner {
    struct consumer_part part; /* also the key */
    struct consumer_member *member;
};

/* --- members --- */
struct consumer_member *consumer_member_new(struct consumer_group *group, struct slice id);
void consumer_member_add(struct consumer_group *group, struct consumer_member *member);
/* Marks it for the log. */
void consumer_member_touch(struct consumer_member *member, unsigned dirty);
/* Takes it out (what it owned is free) and frees it; its records are to go. */
void consumer_member_remove(struct consumer_group *group, struct consumer_member *member);
/* As above, and the group reacts: a new epoch. */
void consumer_member_fence(struct consumer_member *member, const char *why);
/* The same place under another id. */
void consumer_member_rename(struct consumer_member *member, struct slice id);
void consumer_member_set_instance(struct consumer_member *member, struct slice instance_id);
/* True: it is another than before. */
bool consumer_member_set_text(struct slice *text, struct slice value);
/* Takes both sets; owners follow. */
void consumer_member_set_parts(struct consumer_member *member, struct consumer_parts take_owned,
    struct consumer_parts take_revoking);
void consumer_member_gone(struct consumer_group *group, struct slice id);
void consumer_member_refresh(
    struct consumer_member *member, const struct consumer_limits *limits, uint64_t conn_id);
void consumer_session_start(struct consumer_member *member, int32_t session_ms);
void consumer_rebalance_start(struct consumer_member *member);

/* --- subscriptions --- */
/* Shared and counted. NULL: the pattern is none. */
struct consumer_subscription *consumer_subscription_get(struct consumer_group *group,
    const struct slice *names, int32_t names_count, struct slice pattern);
void consumer_subscription_put(
    struct consumer_group *group, struct consumer_subscription *subscription);
/* Finds out which topics there are for all subscriptions, when that may have changed. True: some
 * of what assignments depend on did. */
bool consumer_group_resolve(struct consumer_group *group, bool subscriptions_changed);

/* --- target and reconciliation --- */
void consumer_group_bump(
    struct consumer_group *group, const struct consumer_member *cause, const char *why);
void consumer_group_retarget(struct consumer_group *group);
/* The member subscribes to this; the group gets a new epoch and target where that changes them. */
void consumer_group_subscribe(
    struct consumer_member *member, struct consumer_subscription *take_subscription);
/* One step towards the target; `owned`: what the member says it has, NULL: it does not say. */
void consumer_member_reconcile(struct consumer_member *member, const struct consumer_parts *owned);
/* Partitions that others have not released stand between the member and its target. */
bool consumer_member_is_blocked(const struct consumer_member *member);
