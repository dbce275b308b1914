// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * partition: one partition as the broker sees it, on its home loop: the engine's part, the
 * producers' state (idempotence, transactions), waiters of long polls. Created when a topic appears
 * in the image, dropped with it. State is built by replay when the engine says acquired and dropped
 * when it says lost.
 */
#include "base/list.h"
#include "base/ref.h"
#include "store/engine.h"

struct partition;
struct broker;
struct producers;
struct topic;
struct txn_span;

/* Conditions of append and read; api maps them to error codes. */
enum partition_error {
    PARTITION_OK = 0,
    PARTITION_PENDING,
    PARTITION_NOT_OWNER,
    PARTITION_STORAGE,
    PARTITION_BUSY,
    PARTITION_OUT_OF_ORDER_SEQUENCE,
    PARTITION_INVALID_PRODUCER_EPOCH,
    PARTITION_INVALID_TXN_STATE,    /* not transactional within its producer's transaction */
    PARTITION_NOT_IN_TXN,           /* the coordinator does not know this partition in it */
    PARTITION_UNKNOWN_TXN_PRODUCER, /* the transactional id belongs to another producer id */
    PARTITION_TXN_UNAVAILABLE,      /* the coordinator cannot say now; try again */
    PARTITION_OLD_COORDINATOR,      /* a marker of a coordinator that was replaced */
    PARTITION_OFFSET_OUT_OF_RANGE,
    PARTITION_FENCED_LEADER_EPOCH,  /* the client's epoch is older */
    PARTITION_UNKNOWN_LEADER_EPOCH, /* the client's epoch is newer */
    PARTITION_CORRUPT,
};

/* Something that waits until the partition is usable. Embedded; untouched until `fn`. */
struct partition_ready {
    /* From the loop, once: PARTITION_OK, or why it will not become usable now. */
    void (*fn)(struct partition_ready *ready, enum partition_error error);
    struct list_link link; /* partition's own */
};
/* How many may wait for a partition that is still being opened or built. */
#define PARTITION_READY_MAX 4096
/* PARTITION_OK: usable right now (fn is not called). PARTITION_PENDING: fn follows. Else refused.
 * For handlers that ask the engine themselves; append and read wait on their own. */
enum partition_error partition_when_ready(
    struct partition *partition, struct partition_ready *ready);

struct partition_append {
    /* in: one checked batch. Valid until done. */
    uint8_t *data;
    size_t size;
    struct batch_header header;
    bool durable; /* acks=all */
    bool urgent;
    /* of transactional batches: whose transaction, and whether this append adds the partition to it
     * (transactions v2) or it must be part of it already */
    struct slice transactional_id;
    bool txn_add;
    struct loop *origin; /* where the bytes are in the cache; NULL: not known */
    void (*done)(struct partition_append *append,
        enum partition_error error); /* on the home loop, never from within partition_append */
    /* out */
    int64_t base_offset, log_start;
    int64_t duplicate_timestamp; /* the max timestamp of the batch that this one repeats; -1: it is
                                    none */
    /* partition's own */
    struct engine_append engine;
    struct engine_call call;
    struct partition *partition;
    struct partition_ready ready;
    struct list_link link; /* appends under way, or duplicates that wait for their original */
    int64_t end_offset;
    bool duplicate;
    bool verified; /* the coordinator knows the partition in the transaction */
};

/*
 * Two-phase: PARTITION_PENDING, then `done` from the loop. base_offset is valid on return when the
 * partition was usable, and in any case when done says PARTITION_OK. PARTITION_OK at once: a batch
 * that was appended and committed before (all outputs are valid). Anything else is a refusal:
 * nothing was appended and done is not called.
 */
enum partition_error partition_append(struct partition *partition, struct partition_append *append);

struct partition_read {
    /* in */
    int64_t offset;
    int32_t leader_epoch; /* what the client believes; -1: does not care */
    uint32_t size_max;
    bool one_at_least;
    bool read_committed;
    void (*done)(
        struct partition_read *read, enum partition_error error); /* only after PARTITION_PENDING */
    /* out; the caller owns the chunk references */
    struct engine_read engine; /* chunks, n_chunks, size */
    int64_t high_watermark, last_stable_offset, log_start;
    /* read_committed: transactions in what was read that were aborted, by first offset; the caller
     * frees the array, whatever the answer was */
    struct txn_span *aborted;
    size_t aborted_count;
    struct partition *partition;
    struct partition_ready ready;
};
/* high_watermark, last_stable_offset and log_start are filled in whenever the answer is
 * PARTITION_OK, as they were when the read began; and no chunk (size 0) means: nothing readable
 * there yet. */
enum partition_error partition_read(struct partition *partition, struct partition_read *read);

/*
 * A parked long poll: `fn` is called once, from the loop and never from within partition_wait, when
 * the high watermark (read_committed: the last stable offset) is past `offset`, or ownership moved.
 * Unlinked before fn runs. partition_unwait is harmless when it fired already, also after the
 * partition went away.
 */
struct partition_waiter {
    struct list_link link;
    int64_t offset;
    bool read_committed;
    void (*fn)(struct partition_waiter *waiter);
};
void partition_wait(struct partition *partition, struct partition_waiter *waiter);
void partition_unwait(struct partition_waiter *waiter);

struct part *partition_part(
    struct partition *partition); /* for the engine calls that need no broker state (times, epochs,
                                     log start, size) */
struct engine *partition_engine(struct partition *partition); /* whose ops partition_part goes to */
/* Of a usable partition (state.owned says so). */
void partition_get_state(struct partition *partition, struct part_state *ret_state);
int64_t partition_last_stable_offset(struct partition *partition);
/* Of a usable partition: what it remembers, for the moment. */
const struct producers *partition_producers(struct partition *partition);

/* --- life: called by broker (src/broker/topics/parts.c) on the home loop --- */

/* Events, from the loop and never from within partition_open. */
struct partition_events {
    /* State is built; appends and reads are served from here on. Again after each loss. */
    void (*on_usable)(void *ctx, struct partition *partition, int32_t leader_epoch);
    void (*on_lost)(void *ctx, struct partition *partition);
    /* It could not be opened or went offline; until then not usable, other partitions go on. */
    void (*on_failed)(void *ctx, struct partition *partition, int error);
};
/* Keeps a reference on the topic. `fresh`: just created, nothing of it exists yet. */
struct partition *partition_open(struct broker *broker, struct engine *engine, struct loop *loop,
    struct topic *topic, int32_t index, bool fresh, const struct partition_events *events,
    void *ctx);
/* The topic as a newer image has it (same id): configuration takes effect from here on. */
void partition_configure(struct partition *partition, struct topic *topic);
/* Waiters are woken, what is pending ends with PARTITION_NOT_OWNER; `done` comes from the loop when
 * the engine has let go (`remove`: and everything stored is gone; result -EIO: not all of it), then
 * the memory is freed. No event follows the call. */
void partition_close(
    struct partition *partition, bool remove, void (*done)(void *ctx, int result), void *ctx);
struct topic *partition_topic(struct partition *partition); /* the current one; borrowed */
int32_t partition_index(const struct partition *partition);
