// SPDX-License-Identifier: BSD-2-Clause
// What a scripted client did and what it was told: the truth that a restarted broker is held
// against. A lane is one partition with one producer; a batch is sent, and from then on its fate is
// known, or open for ever because the broker died first. One thread.
#pragma once

#include "wire.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#define MODEL_KEYS      16  // keys of the compacted lane
#define MODEL_BATCH_MAX 3   // records
#define MODEL_VALUE_MAX 256 // bytes
#define MODEL_WINDOW    6   // requests in flight
#define MODEL_FAULT_MAX 512 // characters

enum model_lane {
    LANE_ONE_0,
    LANE_ONE_1,
    LANE_ALL_0,
    LANE_ALL_1,
    LANE_KEYS,
    LANE_TRIM,
    LANE_TX_0,
    LANE_TX_1,
    LANE_GONE,
    LANES
};

enum model_fate { FATE_OPEN, FATE_ACKED };

struct sent {
    uint32_t id;      // of the first record; they count on
    uint16_t count;   // records
    uint16_t mark;    // the transaction, or the life of the topic
    int32_t sequence; // idempotent lanes
    enum model_fate fate;
    int64_t offset; // of the first record, when acknowledged
};

struct lane {
    const char *topic;
    int32_t partition;
    int16_t acks;
    bool idempotent;
    struct sent *sent;
    size_t n_sent, sent_max;
    uint32_t next_id;
    int32_t next_sequence;
};

struct txn {
    bool end_sent, commit, end_acked;
};

struct life { // of the topic that comes and goes
    bool made_sent, made, gone_sent, gone;
};

struct range { // of a number that only grows: what was acknowledged, what may be
    int64_t acked, sent;
};

enum model_kind { KIND_PRODUCE, KIND_COMMIT, KIND_TRIM };
struct flight {
    enum model_kind kind;
    int lane;
    size_t index;  // of the batch
    int64_t value; // the number
};

struct model {
    struct wire wire;
    struct lane lanes[LANES];
    struct flight flight[MODEL_WINDOW];
    unsigned n_flight;
    int64_t producer_id; // of the idempotent lanes
    int16_t epoch;
    int64_t txn_producer_id;
    int16_t txn_epoch;
    struct txn *txns;
    size_t n_txns;
    struct life *lives;
    size_t n_lives;
    struct range commit, trim;
    char fault[MODEL_FAULT_MAX]; // the first violation; empty: none
};

void model_init(struct model *model);
void model_deinit(struct model *model);

// Notes a violation (the first one counts). Returns -1, so that callers end at once.
int model_fault(struct model *model, const char *format, ...) __attribute__((format(printf, 2, 3)));

// The bytes of record `id`; returns their size.
size_t model_value(int lane, uint16_t mark, uint32_t id, uint8_t *data);
int model_key(int lane, uint32_t id); // -1: none

// All return 0, or -1 when the broker is gone (no fault noted) or said what it must not.
int model_setup(struct model *model);                  // topics and producers
int model_round(struct model *model, unsigned number); // a round of the script
int model_produce(struct model *model, int lane, uint16_t mark, int count);
int model_resend(struct model *model, int lane, size_t index); // and waits for the answer
int model_init_producer(
    struct model *model, const char *txn_id, int64_t *ret_producer_id, int16_t *ret_epoch);
int model_transaction(struct model *model, bool commit);
int model_drain(struct model *model); // waits for all answers
