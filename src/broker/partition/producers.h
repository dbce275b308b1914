// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * producers: what a partition remembers of its idempotent producers: the epoch and the last five
 * batches of each, so that a retried batch is recognised and a lost one is noticed, and the
 * transaction that each has open. Embedded in a partition, touched on its home loop. A producer
 * that is not remembered (new, expired, pushed out) may start with any sequence number; one with an
 * open transaction is always remembered.
 */
#include "base/buffer.h"
#include "base/list.h"
#include "base/map.h"
#include "broker/partition/txn_index.h"
#include "store/batch/batch.h"

#define PRODUCER_BATCHES_MAX 5
/* Per partition; beyond it the one that wrote longest ago is forgotten. */
#define PRODUCERS_COUNT_MAX 10000

struct producer_batch {
    int64_t base_offset;
    int64_t timestamp; /* the batch's greatest, ms */
    int32_t last_sequence;
    int32_t offset_delta; /* last offset - base offset */
};

struct producer {
    int64_t id;
    int64_t active_ms;     /* real time of the last append (or of its replay) */
    struct list_link link; /* in producers.by_age */
    int16_t epoch;
    uint8_t batches_count;
    int32_t coordinator_epoch; /* of the last marker; -1: none yet */
    int64_t timestamp;         /* of the last batch, ms; -1: none */
    int64_t txn_first_offset;  /* of the open transaction; -1: none */
    uint64_t marker_serial;    /* when the last marker came, 0: never; see producers_guard */
    struct producer_batch batches[PRODUCER_BATCHES_MAX]; /* oldest first */
};

struct producers {
    struct map by_id;
    struct list_link by_age; /* longest inactive first */
    struct txn_index txns;
    uint64_t marker_serial; /* counts markers, never starts again */
};

/* What a control batch says beyond its header. */
struct producers_marker {
    bool commit;
    int32_t coordinator_epoch;
};

enum producers_verdict {
    PRODUCERS_NEXT,      /* append it */
    PRODUCERS_DUPLICATE, /* was appended before */
    PRODUCERS_OUT_OF_ORDER,
    PRODUCERS_OLD_EPOCH,
    PRODUCERS_OLD_COORDINATOR, /* a marker by a coordinator that was replaced */
    PRODUCERS_IN_TRANSACTION,  /* not transactional, and its producer has a transaction open */
    PRODUCERS_UNVERIFIED, /* the coordinator must be asked: nothing of this transaction is here */
    PRODUCERS_FULL,       /* every one of PRODUCERS_COUNT_MAX has a transaction open */
};

void producers_init(struct producers *producers);
/* Forgets all; ready for use again. */
void producers_clear(struct producers *producers);
size_t producers_count(const struct producers *producers);
/* Whether a batch with a producer id may follow. *ret_original is set for a duplicate. */
enum producers_verdict producers_check(const struct producers *producers,
    const struct batch_header *header, struct producer_batch *ret_original);
enum producers_verdict producers_check_marker(const struct producers *producers,
    const struct batch_header *header, const struct producers_marker *marker);
/* A batch was appended (or found in the log): header->base_offset is its offset. Also replays
 * batches that no check has seen. `marker`: of a control batch; NULL: it is none, or unreadable. */
void producers_record(struct producers *producers, const struct batch_header *header,
    const struct producers_marker *marker, int64_t now_ms);
bool producers_known(const struct producers *producers, int64_t producer_id);
/* Changes whenever a marker of this producer is recorded: what the coordinator said before that is
 * out of date. */
uint64_t producers_guard(const struct producers *producers, int64_t producer_id);
/* Forgets those inactive for `age_ms_max` that have no transaction open. */
void producers_expire(struct producers *producers, int64_t now_ms, int64_t age_ms_max);
/* Appends a struct engine_clean_producer for each. */
void producers_last(const struct producers *producers, struct buffer *out);
/* The snapshot: appended to *out; loaded in place of what is there. False: no such snapshot (and
 * nothing is remembered). */
void producers_save(const struct producers *producers, struct buffer *out);
bool producers_load(struct producers *producers, struct slice snapshot);
/* Sequence numbers wrap from INT32_MAX to 0. */
int32_t producers_sequence_add(int32_t sequence, int32_t count);
