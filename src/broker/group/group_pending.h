// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * group_pending: offsets of one group that were committed within transactions which have not ended
 * yet, by producer. Owned by the group's coordinator, on its loop; slices passed in are copied. One
 * transaction per producer.
 */
#include "broker/group/group_offsets.h"

struct group_pending {
    struct map by_producer; /* id -> struct group_pending_txn */
};
#define GROUP_PENDING_NULL ((struct group_pending){MAP_NULL})

void group_pending_deinit(struct group_pending *pending);
void group_pending_put(
    struct group_pending *pending, int64_t producer_id, const struct group_offset *offset);
/* Some transaction has written an offset for this partition. */
bool group_pending_has(const struct group_pending *pending, struct slice topic, int32_t partition);
/* The offset was deleted in the log: it does not come back with the commit. */
void group_pending_remove(
    struct group_pending *pending, struct slice topic, int32_t partition, int64_t log_offset);
/* The producer's transaction ended: what it wrote goes into `offsets`, or nowhere. */
void group_pending_end(
    struct group_pending *pending, int64_t producer_id, bool commit, struct group_offsets *offsets);
/* Calls fn for each; nothing may be changed meanwhile. */
void group_pending_each(const struct group_pending *pending,
    void (*fn)(void *ctx, const struct group_offset *offset), void *ctx);
