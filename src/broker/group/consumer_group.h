// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * consumer_group: one group of the newer protocol (KIP-848) as a pure state machine. The group has
 * an epoch, which every change of its members, of what they subscribe to or of those topics raises;
 * a target, which says for one such epoch who is to own what; and members, each on its own way from
 * what it owns to its target: it first gives back what it has to, and only then, at the new epoch,
 * gets what others have released. A partition never has two owners.
 *
 * It knows no bytes, no sockets and no log: changes are marked (the dirty fields) and whoever owns
 * the group stores them before the answer leaves. Lives on the home loop of its offsets partition;
 * slices passed in are copied. Fields are for reading outside consumer_*.c.
 *
 * Members may also speak the classic protocol to it (consumer_classic.c), so that an application
 * can be moved from one to the other while it runs.
 */
#include "base/buffer.h"
#include "broker/group/consumer_assign.h"
#include "broker/group/group.h"

struct regex;

enum consumer_state {
    CONSUMER_EMPTY,
    CONSUMER_ASSIGNING,   /* the target is older than the group */
    CONSUMER_RECONCILING, /* some member is not at its target */
    CONSUMER_STABLE,
    CONSUMER_DEAD,
    CONSUMER_STATES_COUNT,
};
const char *consumer_state_name(enum consumer_state state);

/* The numbers are Kafka's, in the log. */
enum consumer_progress {
    CONSUMER_AT_TARGET = 0, /* owns its target of its epoch */
    CONSUMER_REVOKING = 1,  /* has to give something back */
    CONSUMER_WAITING = 2,   /* waits for what others have not given back */
};

/* A target costs as much as the group is large. Up to this many members each change gets one at
 * once; in a larger group they wait until this many members' worth of milliseconds has passed since
 * the last, so that thousands that join together share a few. */
#define CONSUMER_RETARGET_COUNT_MAX    200
#define CONSUMER_RETARGET_COUNT_PER_MS 20

#define CONSUMER_EPOCH_JOIN         0
#define CONSUMER_EPOCH_LEAVE        (-1)
#define CONSUMER_EPOCH_LEAVE_STATIC (-2)

/* What is not in the log yet. */
enum consumer_dirty {
    CONSUMER_DIRTY_EPOCH = 1,        /* group */
    CONSUMER_DIRTY_TARGET_EPOCH = 2, /* group */
    CONSUMER_DIRTY_META = 4,         /* member */
    CONSUMER_DIRTY_TARGET = 8,       /* member */
    CONSUMER_DIRTY_CURRENT = 16,     /* member */
    CONSUMER_DIRTY_STATES = 32,      /* share group: the partitions it has states of */
    CONSUMER_DIRTY_ALL = 63,
};

struct consumer_group;
struct consumer_member;
struct share_group;

/* What some members subscribe to: shared by all that say the same. */
struct consumer_subscription {
    struct slice key; /* owned: names and expression */
    struct slice *names;
    int32_t names_count;
    struct slice pattern; /* null: none */
    struct regex *regex;
    size_t members_count;
    /* found for group->topics_revision */
    struct consumer_topics topics;
    bool resolved;
};

/* A group's subscriptions by regular expression are in the log with the topics they stood for. */
struct consumer_pattern {
    struct slice text; /* owned; also the key */
    bool gone;         /* to be removed from the log */
};

struct consumer_member {
    struct list_link link; /* group->members in order of joining */
    struct consumer_group *group;
    struct slice id, instance_id, rack_id; /* owned, as all slices here; null: none */
    struct slice client_id, client_host;
    int32_t rebalance_timeout_ms;
    struct consumer_subscription *subscription; /* NULL: replay has not said yet */
    struct slice assignor;                      /* null: no wish */
    int32_t epoch, previous_epoch;
    enum consumer_progress progress;
    struct consumer_parts target;
    struct consumer_parts owned;    /* may work with them */
    struct consumer_parts revoking; /* has to stop working with them; nobody else gets them yet */
    unsigned dirty;
    struct list_link dirty_link; /* group->dirty_members */
    bool known;                  /* replay: there was a record about it */
    /* classic */
    bool classic;
    int32_t session_timeout_ms;
    struct group_protocol *protocols;
    int32_t protocols_count;

    struct timer session;   /* no sign of life */
    struct timer rebalance; /* does not give back; classic: does not join or sync */
    bool disconnected;
    uint64_t conn_id;
    struct list_link conn_link; /* the owner's: members by connection */
};

/* Looked up anew with each request. */
struct consumer_limits {
    int32_t session_ms, heartbeat_ms;
    int32_t size_max;
    enum consumer_assignor assignor;        /* where members have no wish */
    unsigned assignors;                     /* bit set of those allowed */
    bool upgrade, downgrade;                /* migration policy */
    int32_t session_ms_min, session_ms_max; /* of classic members */
    int32_t disconnect_expiry_ms;           /* < 0: a closed connection means nothing */
};

struct consumer_hooks {
    void (*limits)(void *ctx, const struct consumer_group *group, struct consumer_limits *ret);
    /* The topics there are now; the revision changes with them. Names live until control returns
     * to the loop. */
    uint64_t (*topics_revision)(void *ctx);
    bool (*topic)(void *ctx, struct slice name, struct consumer_topic *ret_topic);
    bool (*topic_by_id)(void *ctx, struct uuid id, struct consumer_topic *ret_topic);
    void (*topics_each)(
        void *ctx, void (*fn)(void *arg, const struct consumer_topic *topic), void *arg);
    /* Something happened without a request (a session expired): what is dirty is to be stored.
     * The group may be freed or turned into a classic one within. */
    void (*changed)(void *ctx, struct consumer_group *group);
    void (*attach)(void *ctx, struct consumer_member *member, uint64_t conn_id);
    void (*random)(void *ctx, void *data, size_t size);
};

struct consumer_group {
    struct slice id;
    int32_t epoch, target_epoch;
    int64_t retarget_ms;  /* not before this; loop time */
    uint64_t topics_hash; /* of all that is subscribed to */
    uint64_t topics_revision;
    struct list_link members;
    size_t members_count;
    struct map by_id, by_instance;
    struct map owners;         /* part -> struct consumer_owner */
    struct map subscriptions;  /* key -> struct consumer_subscription */
    size_t classic_count;      /* members that speak the classic protocol */
    struct share_group *share; /* owned; NULL: not a share group */
    bool dead;
    /* for the log */
    unsigned dirty;
    struct list_link dirty_members;
    struct slice *gone; /* ids of members to be removed from it */
    size_t gone_count, gone_capacity;
    struct map patterns; /* text -> struct consumer_pattern, as the log has them */
    bool logged;         /* some record of it is there */
    struct loop *loop;
    const struct consumer_hooks *hooks;
    void *ctx;
    void *owner;
};

struct consumer_group *consumer_group_new(
    struct slice id, struct loop *loop, const struct consumer_hooks *hooks, void *ctx);
void consumer_group_free(struct consumer_group *group);

/* A fresh group becomes a share group (KIP-932): partitions have no owners, each may be given to
 * many members; there is nothing to give back, so that a member is at its target with its next
 * heartbeat. */
void consumer_group_make_share(struct consumer_group *group);

/* --- requests --- */

struct consumer_heartbeat {
    bool share; /* of a member of a share group */
    /* in; borrowed during the call */
    struct slice member_id, instance_id, rack_id; /* null: none */
    struct slice client_id, client_host;
    int32_t epoch;
    int32_t rebalance_timeout_ms; /* -1: as before */
    const struct slice *names;
    int32_t names_count;                /* -1: as before */
    struct slice pattern;               /* null: as before; empty: none any more */
    struct slice assignor;              /* null: as before */
    const struct consumer_parts *owned; /* NULL: not said */
    uint64_t conn_id;
    /* out */
    const char *message;        /* with an error; static */
    struct slice ret_member_id; /* borrowed from the member or the request */
    int32_t ret_epoch;
    int32_t heartbeat_ms;
    const struct consumer_parts *assignment; /* NULL: as before; borrowed from the member */
};
/* Everything but leaving. */
enum group_error consumer_group_heartbeat(
    struct consumer_group *group, struct consumer_heartbeat *heartbeat);
/* Epochs -1 and -2. */
enum group_error consumer_group_leave(
    struct consumer_group *group, struct consumer_heartbeat *heartbeat);
/* A share group's member that waited: what it has by now. */
enum group_error consumer_group_resume(
    struct consumer_group *group, struct consumer_heartbeat *heartbeat);
/* May this member commit (or ask for) offsets at this epoch? `no_epochs`: it asks in a version that
 * only members of the classic protocol may use. */
enum group_error consumer_group_may_commit(
    struct consumer_group *group, struct slice member_id, int32_t epoch, bool no_epochs);
enum group_error consumer_group_may_fetch(
    const struct consumer_group *group, struct slice member_id, int32_t epoch);

/* --- requests of the classic protocol --- */

struct consumer_join_answer {
    enum group_error error;
    int32_t generation;
    struct slice protocol, member_id; /* borrowed from the member or *ret_id */
};
/* *ret_id holds a new id (heap) when there is one; the caller's to drop. */
struct consumer_join_answer consumer_group_classic_join(
    struct consumer_group *group, const struct group_join *join, struct slice *ret_id);
/* On GROUP_OK *ret_member owns what is to be answered. */
enum group_error consumer_group_classic_sync(struct consumer_group *group,
    const struct group_sync *sync, const struct consumer_member **ret_member);
enum group_error consumer_group_classic_heartbeat(struct consumer_group *group,
    struct slice member_id, struct slice instance_id, int32_t generation, uint64_t conn_id);
enum group_error consumer_group_classic_leave(
    struct consumer_group *group, struct slice member_id, struct slice instance_id);

/* Takes the members of a classic group over; false when they cannot be understood. The classic one
 * is left as it is. */
bool consumer_group_take_classic(struct consumer_group *group, const struct group *classic);
/* Nobody speaks the newer protocol any more, and there are members. */
bool consumer_group_is_all_classic(const struct consumer_group *group);
/* Puts the members into a fresh classic group, where a rebalance begins. */
void consumer_group_give_classic(const struct consumer_group *group, struct group *classic);
/* A member's partitions as classic clients read them, into `buffer`. */
void consumer_member_encode(const struct consumer_member *member,
    const struct consumer_parts *parts, struct buffer *buffer);

/* --- events --- */
/* A member whose session is over by now goes, though its timer has not fired yet. False: there is
 * none. The group may be gone or a classic one afterwards. */
bool consumer_group_expire_one(struct consumer_group *group);
void consumer_member_disconnect(struct consumer_member *member);

/* There is more, or less, to be assigned than before: a new epoch, and a target for it. */
void consumer_group_reassign(struct consumer_group *group, const char *why);

/* --- the log --- */
bool consumer_group_is_dirty(const struct consumer_group *group);
/* Everything dirty is in a write now. */
void consumer_group_mark_clean(struct consumer_group *group);
/* A write failed: the next one has to say everything. */
void consumer_group_mark_dirty(struct consumer_group *group);

/* --- replay --- */
struct consumer_member *consumer_restore_member(struct consumer_group *group, struct slice id);
void consumer_restore_drop(struct consumer_group *group, struct slice id);
void consumer_restore_subscription(struct consumer_member *member, const struct slice *names,
    int32_t names_count, struct slice pattern);
void consumer_restore_pattern(struct consumer_group *group, struct slice text, bool gone);
void consumer_member_set_classic(struct consumer_member *member, int32_t session_timeout_ms,
    const struct group_protocol *protocols, int32_t count);
void consumer_member_set_texts(struct consumer_member *member, struct slice instance_id,
    struct slice rack_id, struct slice client_id, struct slice client_host, struct slice assignor);
/* Owners are sorted out, sessions start. */
void consumer_restore_end(struct consumer_group *group);

/* --- questions --- */
enum consumer_state consumer_group_state(const struct consumer_group *group);
struct consumer_member *consumer_group_member(const struct consumer_group *group, struct slice id);
bool consumer_group_is_subscribed(const struct consumer_group *group, struct slice topic);
/* The one that would be used now. */
enum consumer_assignor consumer_group_assignor(const struct consumer_group *group);
