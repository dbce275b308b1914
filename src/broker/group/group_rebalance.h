// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * group_rebalance: how a group gets from one generation to the next; used by group.c and
 * group_requests.c alone. "Why" texts are words for the log: "joined", "left", "session-expired".
 */
#include "broker/group/group_member.h"

enum group_store_kind {
    GROUP_STORE_ASSIGNMENT, /* a generation is complete: members wait for their assignment */
    GROUP_STORE_EMPTY,      /* the last member went */
    GROUP_STORE_REPLACED,   /* a static member came back under a new id */
};

/* The event has to happen in the group's state. */
void group_happen(struct group *group, enum group_event event);
/* What of `group` is to be on the log; the rest happens in group_on_stored. */
enum group_error group_store_begin(
    struct group *group, enum group_store_kind kind, const struct group_member *member);
void group_detach_stores(struct group *group);

/* Adds to the indexes; the member is not waiting yet. */
void group_add_member(struct group *group, struct group_member *member);
/* Takes the member (or pending one) out and frees it; what it waits for is answered with `error`.
 * Does not start a rebalance. */
void group_remove_member(struct group *group, struct group_member *member, enum group_error error);
/* As above and lets the group react. */
void group_evict(struct group *group, struct group_member *member, enum group_error error,
    const char *why, struct slice client_why);

/* The member waits with this join (an earlier one of its own is answered REBALANCING). */
void group_park_join(struct group_member *member, struct group_join *join);
void group_answer_join(struct group_member *member, const struct group_join_answer *answer);
void group_fail_join(struct group_member *member, enum group_error error);
/* The current generation, as this member is to see it. */
struct group_join_answer group_current(const struct group_member *member);
void group_answer_sync(struct group_member *member, enum group_error error);

/* A sign of life: the session starts anew. */
void group_refresh(struct group_member *member, uint64_t conn_id);
void group_start_timer(struct group_member *member, int64_t delay_ms);

/* Starts a rebalance where the state allows one. */
void group_rebalance(struct group *group, const struct group_member *cause, const char *why,
    struct slice client_why);
/* In the join phase: ends it when everybody is there. */
void group_try_complete(struct group *group);
/* The log refused the assignment: waiting syncs get the error, a new round begins. */
void group_assignment_failed(struct group *group, enum group_error error);
void group_synced(struct group_member *member);
