// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * txns: the transaction coordinators of one loop. A transactional id lives on the loop of its
 * partition of __transaction_state; its state is built by replay when that partition becomes usable
 * and dropped when it is lost. Created, freed and told about partitions by broker, all on the loop
 * itself. Requests come from any loop by txns_submit.
 *
 * Requests about one id are served one at a time, in order: who comes while a transaction is being
 * ended waits for its markers instead of being sent away.
 */
#include "broker/broker.h"
#include "broker/coordinator/shard.h"
#include "broker/txn/txn.h"
#include "loop/loop.h"

struct broker;
struct partition;
struct txns;

/* Requests that wait for one transactional id. */
#define TXNS_LINE_COUNT_MAX 100
/* Ids on one loop; beyond it new ones are refused (TXN_E_UNAVAILABLE). */
#define TXNS_COUNT_MAX 250000

struct txns *txns_new(struct broker *broker, struct loop *loop);
void txns_free(struct txns *txns);
/* Answers whatever waits (TXN_E_UNAVAILABLE), stops timers: the broker is going down. */
void txns_stop(struct txns *txns);

/* A partition of __transaction_state became usable: replay it. `done` is called exactly once, from
 * the loop, when its ids can be served (or the partition was lost meanwhile). */
void txns_load(struct txns *txns, int32_t index, struct partition *partition,
    void (*done)(void *ctx), void *ctx);
/* It was lost or is closing: forget its ids; who waits gets NOT_COORDINATOR. */
void txns_drop(struct txns *txns, int32_t index);

enum txns_kind {
    TXNS_INIT,
    TXNS_ADD,
    TXNS_VERIFY, /* partitions[0] */
    TXNS_END,
    TXNS_LOOK, /* at it as it is, without waiting */
};

struct txns_op {
    /* in; the caller's memory until done */
    struct broker *broker;
    struct slice id;
    enum txns_kind kind;
    int64_t producer_id; /* INIT: -1, or what the producer had; out: what it has from here on */
    int16_t epoch;
    int32_t timeout_ms;                           /* INIT */
    const struct txn_topic_partition *partitions; /* ADD, VERIFY */
    size_t partitions_count;
    bool commit, v2; /* END */
    /* Once, maybe from within, on the id's home loop (or at once, where it was submitted). */
    void (*done)(struct txns_op *op);
    /* out */
    enum txn_error error;
    const struct txn *txn; /* LOOK: for the moment */
    /* own */
    int64_t fresh_producer_id;
    bool resumed;
    struct shard_op way;
    struct broker_producer_id next;
    struct list_link link;
    struct txns_entry *entry;
};
/* Any loop. */
void txns_submit(struct txns_op *op);

/* Goes to a loop and waits there until all its partitions are loaded; done always comes later. */
void txns_visit(struct txns_op *op, unsigned loop_index);
/* On that loop then: every id there is. */
void txns_each(struct broker *broker, void (*fn)(void *ctx, const struct txn *txn), void *ctx);
