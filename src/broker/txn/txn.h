// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * txn: one transactional id as a pure state machine: which producer speaks for it, what its
 * transaction has written to, how it ends. It knows no bytes, no sockets and no log: a change is
 * first asked for (TXN_WRITE), written by whoever owns the machine, and takes effect by
 * txn_written. One change at a time. Lives on the home loop of its partition of
 * __transaction_state; all slices passed in are copied. Fields are for reading outside txn.c.
 */
#include "base/map.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

#define TXN_EPOCH_NONE ((int16_t)-1)
/* The last epoch that a producer is given; the one above is left for fencing it. */
#define TXN_EPOCH_LAST ((int16_t)(INT16_MAX - 1))
/* Partitions of one transaction. */
#define TXN_PARTITIONS_COUNT_MAX 100000

/* The numbers are those of the records in __transaction_state. */
enum txn_state {
    TXN_EMPTY,          /* has a producer, no transaction */
    TXN_ONGOING,        /* partitions are being written to */
    TXN_PREPARE_COMMIT, /* decided; markers are being written */
    TXN_PREPARE_ABORT,
    TXN_COMPLETE_COMMIT, /* over */
    TXN_COMPLETE_ABORT,
    TXN_DEAD, /* expired: to be forgotten */
    TXN_STATES_COUNT,
};

/* Conditions of everything about transactions; api maps them to error codes in one switch. */
enum txn_error {
    TXN_OK = 0,
    TXN_E_INVALID_REQUEST,
    TXN_E_INVALID_TIMEOUT,
    TXN_E_FENCED,          /* a newer producer has this transactional id */
    TXN_E_UNKNOWN,         /* no such transactional id, or it belongs to another producer id */
    TXN_E_INVALID_STATE,   /* that cannot be asked for now */
    TXN_E_NOT_ADDED,       /* the partition is not part of the transaction */
    TXN_E_CONCURRENT,      /* the last transaction's markers cannot be written yet; try again */
    TXN_E_NOT_COORDINATOR, /* its partition of __transaction_state is not (or no longer) here */
    TXN_E_UNAVAILABLE,     /* the coordinator cannot serve now; try again */
    TXN_E_LOADING,         /* more requests wait for the replay than may wait */
};

/* What to do about a request. */
enum txn_step {
    TXN_ANSWER,           /* with *ret_error; nothing changes */
    TXN_WRITE,            /* write txn->next and the partitions, then txn_written (or failed) */
    TXN_WANT_PRODUCER_ID, /* ask again with a fresh one */
};

/* All that is stored, but the partitions. */
struct txn_facts {
    enum txn_state state;
    int64_t producer_id, previous_producer_id;
    int64_t next_producer_id; /* takes over when the transaction is complete; -1: none */
    int16_t epoch, last_epoch;
    int32_t timeout_ms;
    int64_t start_ms;  /* real; -1: no transaction yet */
    int64_t update_ms; /* real */
    bool v2;           /* its last end was by transactions v2: the epoch went up with it */
};

struct txn_partition {
    struct slice topic; /* owned */
    int32_t index;
    bool adding; /* not on the log yet */
    struct slice key;
};

struct txn {
    struct slice id; /* owned */
    struct txn_facts now, next;
    bool moving; /* next is being written */
    struct map partitions;
};

struct txn *txn_new(struct slice id, const struct txn_facts *facts);
void txn_free(struct txn *txn);

/* --- requests --- */

struct txn_init {
    int64_t expected_producer_id; /* -1: a producer that starts */
    int16_t expected_epoch;
    int32_t timeout_ms;
    int64_t fresh_producer_id; /* -1: none asked for yet */
    bool resumed;              /* asked again after the transaction it met was aborted */
};
/* A transaction that is under way is aborted first: then the write is that abort, and the caller
 * asks again (resumed) when it is complete. txn->now holds the answer after the other write, and
 * when the answer is TXN_OK. */
enum txn_step txn_init(
    struct txn *txn, const struct txn_init *init, int64_t now_ms, enum txn_error *ret_error);

struct txn_topic_partition {
    struct slice topic;
    int32_t index;
};
enum txn_step txn_add(struct txn *txn, int64_t producer_id, int16_t epoch,
    const struct txn_topic_partition *partitions, size_t partitions_count, int64_t now_ms,
    enum txn_error *ret_error);
/* Is this partition part of the producer's transaction? */
enum txn_error txn_verify(const struct txn *txn, int64_t producer_id, int16_t epoch,
    const struct txn_topic_partition *partition);
bool txn_has(const struct txn *txn, const struct txn_topic_partition *partition);

struct txn_end {
    int64_t producer_id;
    int16_t epoch;
    bool commit;
    bool v2;                   /* the epoch goes up with the end */
    int64_t fresh_producer_id; /* -1: none asked for yet */
};
enum txn_step txn_end(
    struct txn *txn, const struct txn_end *end, int64_t now_ms, enum txn_error *ret_error);

/* --- the coordinator's own --- */

/* Ongoing for longer than its timeout. */
bool txn_is_late(const struct txn *txn, int64_t now_ms);
/* Abort it and keep its producer out: always TXN_WRITE. State ONGOING. */
enum txn_step txn_fence(struct txn *txn, int64_t now_ms);
bool txn_is_prepared(const struct txn *txn);
/* All markers are written: always TXN_WRITE. */
enum txn_step txn_complete(struct txn *txn, int64_t now_ms);
/* No transaction, and nothing heard for so long. */
bool txn_is_expired(const struct txn *txn, int64_t now_ms, int64_t age_ms_max);
/* State without a transaction -> DEAD: always TXN_WRITE. */
enum txn_step txn_expire(struct txn *txn, int64_t now_ms);
/* What the producer goes on with after the end that is being carried out. */
void txn_successor(const struct txn *txn, int64_t *ret_producer_id, int16_t *ret_epoch);

/* --- writes --- */
void txn_written(struct txn *txn);
void txn_write_failed(struct txn *txn); /* as if it had not been asked for */

/* --- replay --- */
void txn_restore_partition(struct txn *txn, const struct txn_topic_partition *partition);

/* --- questions --- */
const char *txn_state_name(enum txn_state state); /* as Kafka spells it */
bool txn_transition_legal(enum txn_state from, enum txn_state to);
