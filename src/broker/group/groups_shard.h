// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * groups_shard: what is behind struct groups, shared by groups*.c alone. A shard is one partition
 * of __consumer_offsets (coordinator/shard.h).
 */
#include "broker/coordinator/shard.h"
#include "broker/group/group_log.h"
#include "broker/group/groups.h"

struct groups_load;

/* A marker that came during a replay. */
struct groups_txn_end {
    struct list_link link;
    int64_t producer_id;
    bool commit;
};

struct groups_shard {
    struct shard base; /* of groups->shards */
    struct groups *groups;
    struct map entries;        /* id -> struct groups_entry */
    struct groups_load *load;  /* LOADING */
    struct list_link pending;  /* struct groups_entry with offsets of open transactions */
    struct list_link txn_ends; /* struct groups_txn_end; LOADING */
};

struct groups_conn {
    uint64_t id; /* also the key */
    struct list_link members;
    struct list_link consumers; /* struct consumer_member */
};

struct groups {
    struct broker *broker;
    struct loop *loop;
    struct group_config config; /* refreshed from the settings on each entry */
    struct shards shards;
    struct map conns; /* connections that members use */
    size_t entries_count;
    struct timer expiry;
    struct arena scratch;
};

extern const struct shards_kind groups_shards;
extern const struct group_hooks groups_hooks;
extern const struct consumer_hooks groups_consumer_hooks;

/* The connection as members know it; made when missing. */
struct groups_conn *groups_conn_at(struct groups *groups, uint64_t conn_id);

struct groups_shard *groups_shard_at(struct groups *groups, int32_t index); /* made when missing */
void groups_refresh_config(struct groups *groups);
int64_t groups_real_ms(const struct groups *groups);

/* --- entries --- */
struct groups_entry *groups_entry_new(struct groups_shard *shard, struct slice group);
/* Takes it out of its shard; waiting requests are answered with the error. */
void groups_entry_kill(struct groups_entry *entry, enum group_error error);
/* A write is over: a dead entry goes with its last one. */
void groups_entry_put(struct groups_entry *entry);
/* Forgets a group that holds nothing; one that ever was on the log gets a tombstone into `write`.
 */
bool groups_entry_reap(struct groups_entry *entry, struct group_write *write);

/* --- groups of the newer protocol --- */
void groups_consumer_new(struct groups_entry *entry);
/* No longer one; its records are not removed by this. Whoever waits for a share group's states gets
 * the error. */
void groups_consumer_drop(struct groups_entry *entry, enum group_error error);
/* Writes what has changed; the waiter (may be NULL) learns when it is in the log. */
void groups_consumer_flush(struct groups_entry *entry, struct groups_waiter *waiter);
/* After any change: back to a classic group when nobody speaks the newer protocol; then a flush. */
void groups_consumer_settle(struct groups_entry *entry, struct groups_waiter *waiter);
/* A group that nobody is in becomes a classic one. */
void groups_consumer_to_classic(struct groups_entry *entry);
void groups_consumer_join(struct groups_entry *entry, struct group_join *join);
void groups_consumer_sync(struct groups_entry *entry, struct group_sync *sync);

/* --- share groups --- */
/* Goes on with what there is to do: states to be made or removed. To be called after any change. */
void groups_share_next(struct groups_entry *entry);
/* The join, or the new subscription, waits until the partitions that are new to the group have
 * their states. False: there are none. */
bool groups_share_wait(struct groups_entry *entry, struct groups_consumer_call *call);
/* The group is about to be freed; whoever waits gets the error. */
void groups_share_drop(struct groups_entry *entry, enum group_error error);
/* Nobody is in it: its states go, and then the group (groups_delete_finish). */
void groups_share_delete(struct groups_entry *entry, struct groups_deletion *deletion);
void groups_delete_finish(struct groups_entry *entry, struct groups_deletion *deletion);
void groups_share_on_topic_deleted(struct groups_entry *entry, struct uuid topic);
/* Replay is over. */
void groups_share_restored(struct groups_entry *entry);

/* --- transactions --- */
void groups_pending_put(
    struct groups_entry *entry, int64_t producer_id, const struct group_offset *offset);
void groups_pending_end(struct groups_shard *shard, int64_t producer_id, bool commit);
void groups_txn_ends_run(struct groups_shard *shard, bool apply);

/* --- replay --- */
void groups_load_start(struct groups_shard *shard, void (*done)(void *ctx), void *ctx);
void groups_load_cancel(struct groups_load *load);

/* --- expiry --- */
void groups_expiry_start(struct groups *groups);
