// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * partition: one partition as the broker sees it, on its home loop: the engine's part, the
 * producers' state (idempotence), waiters of long polls. Created when a topic appears in the image,
 * dropped with it. State is built by replay when the engine says acquired and dropped when it says
 * lost.
 */
#include "base/list.h"
#include "base/ref.h"
#include "store/engine.h"

struct partition;
struct broker;
struct topic;

/* Conditions of append and read; api maps them to error codes. */
enum partition_error {
    PARTITION_OK = 0,
    PARTITION_PENDING,
    PARTITION_NOT_OWNER,
    PARTITION_STORAGE,
    PARTITION_BUSY,
    PARTITION_OUT_OF_ORDER_SEQUENCE,
    PARTITION_INVALID_PRODUCER_EPOCH,
    PARTITION_OFFSET_OUT_OF_RANGE,
    PARTITION_FENCED_LEADER_EPOCH,  /* the client's epoch is older */
    PARTITION_UNKNOWN_LEADER_EPOCH, /* the client's epoch is newer */
    PARTITION_CORRUPT,
};

struct partition_append {
    /* in: one checked batch. Valid until done. */
    uint8_t *data;
    size_t size;
    struct batch_header header;
    bool durable; /* acks=all */
    bool urgent;
    void (*done)(struct partition_append *append,
        enum partition_error error); /* on the home loop, never from within partition_append */
    /* out */
    int64_t base_offset, log_start;
    int64_t log_append_time_ms; /* of a duplicate: the original's; else -1 unless the caller stamped
                                   the batch */
    /* partition's own */
    struct engine_append engine;
    struct partition *partition;
    struct list_link link;
    struct loop_msg msg;
    enum partition_error result;
};

/* Always answers by done. Two-phase: base_offset is valid on return when the answer is
 * PARTITION_PENDING (done follows); any other answer is final and done is not called. */
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
    /* aborted transactions come with the transactions issue */
    struct partition *partition;
    struct loop_msg msg;
};
enum partition_error partition_read(struct partition *partition, struct partition_read *read);

/* A parked long poll: `fn` is called once, from the loop, when bytes may have become readable past
 * `offset`, the log start or ownership moved. Embedded; the caller removes it. */
struct partition_waiter {
    struct list_link link;
    int64_t offset;
    void (*fn)(struct partition_waiter *waiter);
};
void partition_wait(struct partition *partition, struct partition_waiter *waiter);
void partition_unwait(struct partition_waiter *waiter);

struct part *partition_part(
    struct partition *partition); /* for the engine calls that need no broker state (times, epochs,
                                     log start, size) */
void partition_get_state(struct partition *partition, struct part_state *ret_state);
int64_t partition_last_stable_offset(struct partition *partition);

/* --- life: called by broker (src/broker/parts.c) on the home loop --- */

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
 * the engine has let go (`remove`: and everything stored is gone), then the memory is freed. No
 * event follows the call. */
void partition_close(struct partition *partition, bool remove, void (*done)(void *ctx), void *ctx);
struct topic *partition_topic(struct partition *partition); /* the current one; borrowed */
int32_t partition_index(const struct partition *partition);
