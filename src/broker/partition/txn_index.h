// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * txn_index: the transactions in one partition: those that hold back the last stable offset, and
 * the aborted ones, which readers are told of. Embedded in a partition's producers, touched on its
 * home loop. Bounded by the producers (one open transaction each) and by what retention leaves.
 */
#include "base/buffer.h"

#include <stdbool.h>
#include <stdint.h>

struct txn_span {
    int64_t producer_id;
    int64_t first_offset;
    int64_t last_offset; /* of the marker; -1: still open */
};

struct txn_index {
    /* By first offset: open ones, and ended ones whose marker may not be readable yet. */
    struct txn_span *spans;
    size_t spans_from, spans_end, spans_capacity;
    /* By last offset. */
    struct txn_span *aborted;
    size_t aborted_from, aborted_end, aborted_capacity;
};
#define TXN_INDEX_NULL ((struct txn_index){.spans = NULL})

void txn_index_deinit(struct txn_index *index); /* empty and usable again */
/* Offsets go up from call to call. */
void txn_index_begin(struct txn_index *index, int64_t producer_id, int64_t first_offset);
void txn_index_end(struct txn_index *index, int64_t first_offset, int64_t last_offset, bool commit);
/* First offset that somebody who reads only committed data may not read. */
int64_t txn_index_stable(struct txn_index *index, int64_t high_watermark);
/* Nothing below log_start is there any more. */
void txn_index_trim(struct txn_index *index, int64_t log_start);
/* Aborted transactions with something in [from, bound), by first offset; the caller frees the
 * array. */
size_t txn_index_find(
    const struct txn_index *index, int64_t from, int64_t bound, struct txn_span **ret_spans);

/* All aborted ones that are still there, as struct engine_aborted, by last offset. */
void txn_index_aborted(const struct txn_index *index, struct buffer *out);
void txn_index_save(const struct txn_index *index, struct buffer *out);
/* Moves the cursor behind what was saved; false: these bytes are no index. Into an empty one. */
bool txn_index_load(struct txn_index *index, const uint8_t **cursor, const uint8_t *end);
