// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * groups: the group coordinators of one loop. A group lives on the loop of its partition of
 * __consumer_offsets; its state is built by replay when that partition becomes usable and dropped
 * when it is lost. Created, freed and told about partitions by broker, all on the loop itself.
 * Handlers get to a group by groups_enter, from any loop, and then work on its home loop.
 */
#include "base/slice.h"
#include "base/uuid.h"
#include "broker/broker.h"
#include "broker/coordinator/shard.h"
#include "broker/group/consumer_group.h"
#include "broker/group/group.h"
#include "broker/group/group_offsets.h"
#include "broker/group/group_pending.h"
#include "loop/loop.h"

struct broker;
struct groups;
struct partition;

/* Groups on one loop; beyond it new ones are refused (GROUP_E_UNAVAILABLE). */
#define GROUPS_COUNT_MAX 250000

struct groups *groups_new(struct broker *broker, struct loop *loop);
/* The loop has stopped taking requests: parked requests were completed by groups_stop. */
void groups_free(struct groups *groups);
/* Answers every parked request (COORDINATOR_NOT_AVAILABLE), stops timers: the broker is going down.
 */
void groups_stop(struct groups *groups);

/* A partition of __consumer_offsets became usable: replay it. `done` is called exactly once, from
 * the loop, when its groups can be served (or the partition was lost meanwhile). */
void groups_load(struct groups *groups, int32_t index, struct partition *partition,
    void (*done)(void *ctx), void *ctx);
/* It was lost or is closing: forget its groups; their parked requests end with NOT_COORDINATOR. */
void groups_drop(struct groups *groups, int32_t index);

/* A topic was deleted: its committed offsets go (tombstones are written). */
void groups_on_topic_deleted(struct groups *groups, struct uuid id, struct slice name);
/* A transaction's marker was written into this partition of __consumer_offsets: the offsets that it
 * committed count from here on, or are forgotten. */
void groups_on_txn_end(struct groups *groups, int32_t index, int64_t producer_id, bool commit);
/* A connection that asked for it (request_watch_close) ended; called on every loop. */
void groups_on_conn_close(struct groups *groups, uint64_t conn_id);

/* --- the way to a group --- */

struct groups_shard; /* the groups of one partition of __consumer_offsets */

/* One group of a shard: the machine and what it committed. A group of the newer protocol has
 * `consumer`, and its classic machine lies idle. Freed with the shard; a write on its way
 * keeps the memory (groups_entry is then dead: group == NULL). */
struct groups_entry {
    struct groups_shard *shard;      /* NULL: dead */
    struct group *group;             /* NULL: dead */
    struct consumer_group *consumer; /* NULL: a classic group */
    bool classic_gone;        /* its record as a classic group is to be removed from the log */
    struct list_link flushes; /* struct groups_flush: the consumer group's writes on their way */
    struct group_offsets offsets;
    struct group_pending pending;  /* offsets of transactions that have not ended */
    struct list_link pending_link; /* in the shard's list, while there are such */
    struct list_link txn_commits;  /* struct groups_commit: theirs on their way to the log */
    unsigned writes_count;         /* on their way, the machine's own included */
};

enum groups_entered {
    GROUPS_HERE,  /* op->shard, or op->error when there is none */
    GROUPS_LATER, /* run comes, on the group's home loop, with the same */
};

struct groups_op {
    /* in; the caller's memory until GROUPS_HERE or run */
    struct broker *broker;
    struct slice group;
    bool create;      /* make __consumer_offsets when it does not exist; else GROUP_E_NOT_FOUND */
    uint64_t conn_id; /* whose request this is; set to 0 when that connection ends meanwhile */
    void (*run)(struct groups_op *op);
    /* out */
    struct groups_shard *shard; /* usable now; do not keep it beyond this turn of the loop */
    enum group_error error;     /* NOT_FOUND, NOT_COORDINATOR, UNAVAILABLE, LOADING */
    /* own */
    struct shard_op way;
};
/* Any loop. */
enum groups_entered groups_enter(struct groups_op *op);

/* Goes to a loop and waits there until all its shards are loaded; run always comes later.
 * op->group is not used. */
void groups_visit(struct groups_op *op, unsigned loop_index);
/* On that loop then: every group there is. */
void groups_each(
    struct broker *broker, void (*fn)(void *ctx, const struct groups_entry *entry), void *ctx);

/* --- on the home loop, with a shard --- */

struct groups_entry *groups_find(struct groups_shard *shard, struct slice group); /* or NULL */

/* As the machine's, with the group looked up, created for a new member, and forgotten again when
 * nothing came of it. */
void groups_join(struct groups_shard *shard, struct slice group, struct group_join *join);
void groups_sync(struct groups_shard *shard, struct slice group, struct group_sync *sync);

/* Those of a member that is answered at once. */
enum group_error groups_heartbeat(struct groups_entry *entry, struct slice member_id,
    struct slice instance_id, int32_t generation, uint64_t conn_id);
enum group_error groups_leave(struct groups_entry *entry, struct slice member_id,
    struct slice instance_id, struct slice reason);

/* Waits until what was changed is in the log. */
struct groups_waiter {
    struct list_link link;
    void (*done)(struct groups_waiter *waiter, enum group_error error); /* maybe from within */
};

/* A heartbeat of the newer protocol. The caller's memory until done. */
struct groups_consumer_call {
    struct consumer_heartbeat heartbeat;
    /* Once, from within, when the machine has accepted it: what the heartbeat borrows lives until
     * this returns. */
    void (*answer)(struct groups_consumer_call *call);
    /* Once, maybe from within, after answer; an error takes the answer's place. */
    void (*done)(struct groups_consumer_call *call, enum group_error error);
    struct groups_waiter waiter; /* own */
};
void groups_consumer_heartbeat(
    struct groups_shard *shard, struct slice group, struct groups_consumer_call *call);

/* --- share groups --- */

/* An admin's change of where a share group stands. The caller's memory until done. */
struct groups_share_item {
    struct uuid topic; /* of a topic that there is */
    struct slice name;
    int32_t partition;      /* not for deletion */
    int64_t start_offset;   /* not for deletion */
    enum group_error error; /* in: already refused; out */
};
struct groups_share_change {
    struct groups_share_item *items;
    int32_t items_count;
    /* Once, maybe from within; an error is that of all items. */
    void (*done)(struct groups_share_change *change, enum group_error error);
};
/* Partitions get new start offsets; the group is made when there is none. */
void groups_share_alter(
    struct groups_shard *shard, struct slice group, struct groups_share_change *change);
/* Topics are forgotten; those it knows nothing of are no error. */
void groups_share_delete_topics(
    struct groups_shard *shard, struct slice group, struct groups_share_change *change);

static inline bool groups_entry_is_share(const struct groups_entry *entry)
{
    return entry->consumer != NULL && entry->consumer->share != NULL;
}

/* What a group of either kind looks like from outside. */
const char *groups_entry_state(const struct groups_entry *entry);
bool groups_entry_is_subscribed(const struct groups_entry *entry, struct slice topic);

struct groups_commit_item {
    struct group_offset offset; /* topic, partition, offset, leader_epoch, metadata, expire_ms */
    enum group_error error;     /* in: already refused; out */
};
/* Offsets of one request. The caller's memory, with all slices, until done. */
struct groups_commit {
    struct slice member_id, instance_id;
    int32_t generation;
    bool no_epochs;       /* asked in a version that is older than the newer protocol */
    int64_t retention_ms; /* -1: the broker's */
    struct groups_commit_item *items;
    int32_t items_count;
    /* Exactly once, maybe from within: each item's error is its answer. `absent`: there is no such
     * group and the commit claims a generation. */
    bool absent;
    void (*done)(struct groups_commit *commit);
    /* within a transaction: its id (null: none), and whether the group is added to it by this */
    struct slice transactional_id;
    int64_t producer_id;
    int16_t producer_epoch;
    bool txn_add;
    struct groups_entry *entry; /* own */
    struct list_link link;
};
/* Some transaction that has not ended has an offset for this partition. */
bool groups_is_unstable(struct groups_entry *entry, struct slice topic, int32_t partition);
void groups_commit(struct groups_shard *shard, struct slice group, struct groups_commit *commit);

/* Deletions: answered when their tombstones are committed. */
struct groups_deletion {
    void (*done)(struct groups_deletion *deletion, enum group_error error); /* maybe from within */
    /* groups_delete_offsets: in topic, partition and error; out error */
    struct groups_commit_item *items;
    int32_t items_count;
    struct groups_entry *entry; /* own */
};
void groups_delete(
    struct groups_shard *shard, struct slice group, struct groups_deletion *deletion);
void groups_delete_offsets(
    struct groups_shard *shard, struct slice group, struct groups_deletion *deletion);
