// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * group: one classic consumer group as a pure state machine: members, generations, who waits for
 * what. It knows no bytes, no sockets and no log: whoever owns it stores what it is asked to store
 * (hooks) and answers when that is committed. Lives on the home loop of its offsets partition; all
 * slices passed in are copied. Fields are for reading outside group*.c.
 */
#include "base/list.h"
#include "base/map.h"
#include "base/slice.h"
#include "loop/loop.h"

#include <stdbool.h>
#include <stdint.h>

/* Members that were given an id and have not come back with it yet, per group: ten thousand may
 * come at once. */
#define GROUP_PENDING_COUNT_MAX 32768
/* The join-coalescing window is extended at most this often while members keep arriving. */
#define GROUP_JOIN_WINDOWS_MAX 4

enum group_state {
    GROUP_EMPTY,
    GROUP_PREPARING_REBALANCE,  /* waits for all members to join */
    GROUP_COMPLETING_REBALANCE, /* waits for the leader's assignment */
    GROUP_STABLE,
    GROUP_DEAD, /* being dropped: every request is refused */
    GROUP_STATES_COUNT,
};

/* What moves a group from state to state; group.c has the table. */
enum group_event {
    GROUP_EVENT_UNSETTLED, /* a member came, went or changed, or the log refused an assignment */
    GROUP_EVENT_GATHERED,  /* all members have joined, or time is up and some have */
    GROUP_EVENT_DESERTED,  /* nobody is left */
    GROUP_EVENT_ASSIGNED,  /* the leader's assignment is on the log */
    GROUP_EVENT_DROPPED,
    GROUP_EVENTS_COUNT,
};

/* Conditions of everything about groups; api maps them to error codes in one switch. */
enum group_error {
    GROUP_OK = 0,
    GROUP_E_UNKNOWN_MEMBER,
    GROUP_E_FENCED_INSTANCE,
    GROUP_E_ILLEGAL_GENERATION,
    GROUP_E_REBALANCING,
    GROUP_E_INCONSISTENT_PROTOCOL,
    GROUP_E_MEMBER_ID_REQUIRED,
    GROUP_E_FULL,
    GROUP_E_INVALID_SESSION_TIMEOUT,
    GROUP_E_INVALID_GROUP_ID,
    GROUP_E_NOT_COORDINATOR, /* the offsets partition is not (or no longer) here */
    GROUP_E_UNAVAILABLE,     /* the coordinator cannot serve now; try again */
    GROUP_E_LOADING,         /* more requests wait for the replay than may wait */
    GROUP_E_NOT_FOUND,
    GROUP_E_NON_EMPTY,
    GROUP_E_SUBSCRIBED,
    GROUP_E_METADATA_TOO_LARGE,
    GROUP_E_UNKNOWN_PARTITION,
    GROUP_E_UNKNOWN_TOPIC_ID,
    GROUP_E_FENCED_PRODUCER,  /* transactional: a newer producer has taken over */
    GROUP_E_UNKNOWN_PRODUCER, /* transactional: the id belongs to another producer id */
    GROUP_E_NOT_IN_TXN,       /* transactional: the group was not added to the transaction */
    /* KIP-848 */
    GROUP_E_FENCED_EPOCH,
    GROUP_E_STALE_EPOCH,
    GROUP_E_UNRELEASED_INSTANCE,
    GROUP_E_UNSUPPORTED_ASSIGNOR,
    GROUP_E_INVALID_REGEX,
    GROUP_E_UNSUPPORTED, /* the protocol is switched off */
};

struct group;
struct group_member;

struct group_protocol {
    struct slice name, metadata;
};

/* A join on its way; the caller's memory until done. */
struct group_join;
struct group_join_answer {
    enum group_error error;
    int32_t generation;                   /* -1: none */
    struct slice protocol_type, protocol; /* null: none */
    struct slice leader, member_id;       /* empty: none */
    bool skip_assignment;
    const struct group *members; /* the leader's answer lists this group's members; else NULL */
};
struct group_join {
    /* in; slices need to live during group_join only */
    struct slice member_id;   /* empty: new */
    struct slice instance_id; /* null: dynamic */
    struct slice client_id, client_host, protocol_type;
    const struct group_protocol *protocols;
    int32_t protocols_count;
    int32_t session_timeout_ms, rebalance_timeout_ms;
    bool require_member_id;   /* v4+: a new dynamic member is told its id first */
    bool may_skip_assignment; /* v9+ */
    struct slice reason;      /* the client's, null: none given */
    uint64_t conn_id;         /* 0: not to be watched */
    /* Exactly once, from within group_join or later; everything in the answer is borrowed. */
    void (*done)(struct group_join *join, const struct group_join_answer *answer);
};

struct group_sync;
struct group_sync_answer {
    enum group_error error;
    struct slice protocol_type, protocol; /* null: none */
    struct slice assignment;              /* empty: none */
};
struct group_assignment {
    struct slice member_id, assignment;
};
struct group_sync {
    /* in */
    struct slice member_id, instance_id;
    int32_t generation;
    struct slice protocol_type, protocol; /* null: not checked */
    const struct group_assignment *assignments;
    int32_t assignments_count;
    uint64_t conn_id;
    void (*done)(struct group_sync *sync, const struct group_sync_answer *answer);
};

struct group_config {
    int32_t initial_delay_ms; /* group.initial.rebalance.delay.ms */
    int32_t join_window_ms;   /* takes the place of an initial delay of 0 */
    int32_t size_max;         /* group.max.size */
    int32_t session_ms_min, session_ms_max;
    int32_t new_member_ms_max;    /* how long a new member's first join may wait */
    int32_t disconnect_expiry_ms; /* < 0: a closed connection means nothing */
};

/* One write of the group's metadata on its way to the log. Made by the machine, ended by
 * group_store_done. */
struct group_store;

struct group_hooks {
    /*
     * Writes group_* as it stands (members with their assignments). GROUP_OK: group_store_done
     * follows, never from within; else nothing was written and group_store_done must not be called.
     */
    enum group_error (*store)(void *ctx, struct group *group, struct group_store *store);
    /* The member was heard of on this connection; member->conn_link is the owner's. */
    void (*attach)(void *ctx, struct group_member *member, uint64_t conn_id);
    int64_t (*real_ms)(void *ctx);
    void (*random)(void *ctx, void *data, size_t size);
};

struct group_member {
    struct list_link link; /* group->members in order of joining, or group->pending */
    struct group *group;
    struct slice id;          /* owned, as all slices here */
    struct slice instance_id; /* null: dynamic */
    struct slice replaced_id; /* the id a static member had before; null: none */
    struct slice client_id, client_host;
    int32_t session_timeout_ms, rebalance_timeout_ms;
    struct group_protocol *protocols; /* in the member's order of preference */
    int32_t protocols_count;
    struct slice assignment;
    struct group_join *join; /* waiting */
    uint64_t join_serial;    /* tells this join from a later one at the same address */
    struct group_sync *sync; /* waiting */
    bool pending;            /* was told its id, has not joined with it yet */
    bool is_new;             /* has not finished its first join */
    bool sync_pending;       /* has not synced in this generation */
    bool disconnected;       /* its connection closed; any sign of life clears it */
    struct timer timer;      /* session */
    uint64_t conn_id;
    struct list_link conn_link; /* the owner's: members by connection */
};

struct group {
    struct slice id;
    enum group_state state;
    int64_t state_ms; /* real time of the last transition; -1: unknown */
    int32_t generation;
    struct slice protocol_type, protocol; /* null: none */
    struct group_member *leader;
    struct slice restored_leader; /* between group_restore and group_restore_end */
    struct list_link members;
    size_t members_count;
    size_t joining_count; /* members with a waiting join */
    struct list_link pending;
    size_t pending_count;
    size_t sync_pending_count;
    struct map by_id;       /* members and pending */
    struct map by_instance; /* static members */
    struct timer timer;     /* end of the join phase, or of the sync phase */
    /* the first rebalance of an empty group waits for company */
    bool initial, member_added;
    bool storing; /* this generation's assignment is on its way to the log */
    int64_t initial_delay_ms, initial_remaining_ms;
    uint64_t join_serial;
    struct list_link stores; /* writes on their way */
    struct loop *loop;
    const struct group_config *config;
    const struct group_hooks *hooks;
    void *ctx; /* the hooks' */
    void *owner;
};

struct group *group_new(struct slice id, struct loop *loop, const struct group_config *config,
    const struct group_hooks *hooks, void *ctx);
/* Waiting requests are answered with `error` first. */
void group_free(struct group *group, enum group_error error);

/* --- requests --- */
void group_join(struct group *group, struct group_join *join);
void group_sync(struct group *group, struct group_sync *sync);
enum group_error group_heartbeat(struct group *group, struct slice member_id,
    struct slice instance_id, int32_t generation, uint64_t conn_id);
/* One member; an empty member id with an instance id removes the static member whatever its id. */
enum group_error group_leave(
    struct group *group, struct slice member_id, struct slice instance_id, struct slice reason);
/* May this member commit offsets now? Refreshes its session when it may. */
enum group_error group_may_commit(
    struct group *group, struct slice member_id, struct slice instance_id, int32_t generation);
/* The same within a transaction: who names no member is believed, and the end of a rebalance is not
 * waited for. */
enum group_error group_may_commit_in_txn(
    struct group *group, struct slice member_id, struct slice instance_id, int32_t generation);

/* --- events --- */
/* Members whose session is over by now go, though their timers have not fired yet. */
void group_expire(struct group *group);
void group_store_done(struct group_store *store, enum group_error error);
/* The member's connection closed. */
void group_member_disconnect(struct group_member *member);
/* No member, no waiting: EMPTY -> DEAD, before group_free. */
void group_kill(struct group *group);

/* --- replay --- */
struct group_restored {
    int32_t generation;
    struct slice protocol_type, protocol, leader; /* null: none */
    int64_t state_ms;
};
/* Into a fresh group: EMPTY, or STABLE once members are added; sessions start with
 * group_restore_end, which may start a rebalance and so write. */
void group_restore(struct group *group, const struct group_restored *restored);
/* `metadata` is what it gave for the group's protocol, where the join does not name all of its
 * protocols. False when a member of that id or instance is there already. */
bool group_restore_member(struct group *group, const struct group_join *join, struct slice metadata,
    struct slice assignment);
void group_restore_end(struct group *group);

/* --- questions --- */
const char *group_state_name(enum group_state state);
bool group_session_valid(const struct group_config *config, int32_t session_timeout_ms);
/* Whether the event happens in this state, and what it makes of it. */
bool group_event_next(enum group_state state, enum group_event event, enum group_state *ret_next);
struct group_member *group_member(const struct group *group, struct slice id); /* not pending */
/* The metadata the member gave for the group's protocol; empty when it has none. */
struct slice group_member_metadata(const struct group_member *member, struct slice protocol);
/* Nothing would be lost with it (offsets apart): never completed a generation, nobody in it. */
bool group_is_blank(const struct group *group);
