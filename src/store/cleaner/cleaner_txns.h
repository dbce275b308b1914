// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * cleaner_txns: which transactions a stretch of log aborted, and which it leaves open, learned from
 * the log itself: headers of batches and the markers. One thread (the pool's), for one pass.
 */
#include "base/buffer.h"
#include "base/map.h"
#include "store/segment/segment.h"

struct cleaner_txns {
    struct map open;      /* producer id -> struct cleaner_txn_open */
    struct buffer aborts; /* struct cleaner_txn_abort; sorted by cleaner_txns_end */
    uint64_t pos;         /* in the segment that was added last, where the walk ended */
};

void cleaner_txns_init(struct cleaner_txns *txns);
void cleaner_txns_deinit(struct cleaner_txns *txns);
/* The next segment, `size` bytes of it. 0, WALK_E_BAD or -errno. */
int cleaner_txns_add(struct cleaner_txns *txns, struct file *file, uint64_t size);
/* After the last one: the offset where the first open transaction begins; INT64_MAX: none is. */
int64_t cleaner_txns_end(struct cleaner_txns *txns);
/* Whether the batch holds data of an aborted transaction. After cleaner_txns_end. */
bool cleaner_txns_aborted(const struct cleaner_txns *txns, const struct batch_header *header);
