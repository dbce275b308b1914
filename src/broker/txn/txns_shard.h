// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * txns_shard: what is behind struct txns, shared by txns*.c alone. A shard is one partition of
 * __transaction_state (coordinator/shard.h).
 */
#include "broker/txn/txn_marker.h"
#include "broker/txn/txns.h"

struct txns_load;
struct txns_mark;

struct txns_shard {
    struct shard base; /* of txns->shards */
    struct txns *txns;
    int32_t epoch;          /* the coordinator's: the partition's leader epoch */
    struct map entries;     /* id -> struct txns_entry */
    struct txns_load *load; /* LOADING */
};

/* One transactional id. Freed with its shard; a write, markers or a question on their way keep the
 * memory (the entry is then dead: shard == NULL). */
struct txns_entry {
    struct txns_shard *shard; /* NULL: dead */
    struct txn *txn;
    struct list_link line; /* struct txns_op that wait for their turn */
    size_t line_count;
    bool busy;               /* something is on its way: the line waits */
    struct txns_op *current; /* whose request that is; NULL: our own doing, or answered already */
    unsigned holds;          /* things on their way */
    struct txns_mark *marks; /* markers on their way */
    size_t marks_left;
    bool marks_failed;
    struct timer retry;
};

struct txns {
    struct broker *broker;
    struct loop *loop;
    struct shards shards;
    size_t entries_count;
    struct timer sweep;
    int64_t expired_ms; /* monotonic: when expired ids were last looked for */
};

int64_t txns_real_ms(const struct txns *txns);
void txns_sweep_start(struct txns *txns);

/* --- entries: txns_entry.c --- */
struct txns_entry *txns_entry_new(struct txns_shard *shard, struct slice id,
    const struct txn_facts *facts); /* the caller has looked that there is none */
/* Takes it out of its shard; who waits is answered with the error. */
void txns_entry_kill(struct txns_entry *entry, enum txn_error error);
/* Serves the request now or in its turn. */
void txns_entry_push(struct txns_entry *entry, struct txns_op *op);
/* Late: abort it. Expired: forget it. Does nothing to a busy one. */
void txns_entry_sweep(struct txns_entry *entry, int64_t now_ms, bool look_for_expired);
/* After a replay: goes on where the log ends. */
void txns_entry_resume(struct txns_entry *entry);
void txns_entry_put(struct txns_entry *entry); /* something on its way is over */

/* --- markers: txns_marks.c --- */
/* State PREPARE_x: one marker into each partition that is still there; then
 * txns_entry_on_marked, always later. */
void txns_marks_write(struct txns_entry *entry);
void txns_entry_on_marked(struct txns_entry *entry, bool all);

/* --- replay: txns_load.c --- */
void txns_load_start(struct txns_shard *shard, void (*done)(void *ctx), void *ctx);
void txns_load_cancel(struct txns_load *load);
