// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * share_coords_shard: what is behind struct share_coords, shared by share_coords*.c alone. A shard
 * is one partition of __share_group_state (coordinator/shard.h); an entry one share partition in
 * it.
 */
#include "broker/share/share_coords.h"
#include "broker/share/share_log.h"

struct share_load;

struct share_shard {
    struct shard base; /* of coords->shards */
    struct share_coords *coords;
    struct map entries;      /* share_entry.key -> struct share_entry */
    struct share_load *load; /* LOADING */
    struct engine_call prune;
    bool pruning; /* prune is on its way */
};

struct share_memory { /* of one share partition, at one time */
    bool known;       /* it was initialized */
    struct share_facts facts;
    int32_t leader_epoch_max, state_epoch_max; /* seen in any question */
    int32_t updates;                           /* since the snapshot */
};

/* Freed with its shard; a write on its way keeps the memory (the entry is then dead: shard ==
 * NULL). */
struct share_entry {
    struct share_shard *shard; /* NULL: dead */
    struct slice key;          /* the map's; behind it the group */
    struct share_key id;
    struct share_memory now;
    struct share_memory next; /* busy: what it becomes once it is written */
    bool busy;                /* a write is on its way: the line waits */
    struct list_link line;    /* struct share_state_op that wait for their turn */
    size_t line_count;
    struct list_link current; /* those that the write answers */
    int64_t snapshot_offset;  /* in the partition: nothing before it is needed; -1: not known */
    int32_t snapshot_place;   /* in the write; -1: there is none in it */
};

struct share_coords {
    struct broker *broker;
    struct loop *loop;
    struct shards shards;
    size_t entries_count;
    struct timer sweep;
    int64_t snapshots_ms; /* monotonic: when cold ones were last written anew */
    int64_t pruned_ms;
};

int64_t share_coords_real_ms(const struct share_coords *coords);

/* --- entries: share_entry.c --- */
struct share_entry *share_entry_new(struct share_shard *shard, struct slice key,
    const struct share_key *id); /* the caller has looked that there is none */
/* Takes it out of its shard; who waits is answered with the error. */
void share_entry_kill(struct share_entry *entry, enum share_state_error error);
/* Serves the question now or in its turn. */
void share_entry_push(struct share_entry *entry, struct share_state_op *op);
/* A question of our own that nobody waits for. */
void share_entry_push_own(struct share_entry *entry, enum share_state_kind kind);
/* One record of the log, at its offset. False: it makes no sense. */
bool share_entry_replay(struct share_entry *entry, enum share_log_type type,
    const struct share_facts *facts, int64_t offset);
/* The answer goes back to where the question came from. */
void share_state_end(struct share_state_op *op, enum share_state_error error);

/* --- replay: share_coords_load.c --- */
void share_load_start(struct share_shard *shard, void (*done)(void *ctx), void *ctx);
void share_load_cancel(struct share_load *load);
