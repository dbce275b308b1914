// SPDX-License-Identifier: BSD-2-Clause
#include "broker/group/group_pending.h"

struct group_pending_txn {
    int64_t producer_id; /* also the key */
    struct group_offsets offsets;
};

static struct slice pending_key(const int64_t *producer_id)
{
    return slice_make(producer_id, sizeof(*producer_id));
}

static void pending_txn_free(struct group_pending_txn *txn)
{
    group_offsets_deinit(&txn->offsets);
    free(txn);
}

void group_pending_deinit(struct group_pending *pending)
{
    map_for_each (&pending->by_producer, entry)
        pending_txn_free(entry->value);
    map_deinit(&pending->by_producer);
}

void group_pending_put(
    struct group_pending *pending, int64_t producer_id, const struct group_offset *offset)
{
    struct group_pending_txn *txn = map_get(&pending->by_producer, pending_key(&producer_id));
    if (txn == NULL) {
        txn = xnew(struct group_pending_txn);
        txn->producer_id = producer_id;
        txn->offsets = GROUP_OFFSETS_NULL;
        map_put(&pending->by_producer, pending_key(&txn->producer_id), txn);
    }
    group_offsets_put(&txn->offsets, offset);
}

bool group_pending_has(const struct group_pending *pending, struct slice topic, int32_t partition)
{
    map_for_each (&pending->by_producer, entry) {
        const struct group_pending_txn *txn = entry->value;
        if (group_offsets_get(&txn->offsets, topic, partition) != NULL)
            return true;
    }
    return false;
}

void group_pending_remove(
    struct group_pending *pending, struct slice topic, int32_t partition, int64_t log_offset)
{
    map_for_each (&pending->by_producer, entry) {
        struct group_pending_txn *txn = entry->value;
        group_offsets_remove(&txn->offsets, topic, partition, log_offset);
    }
}

void group_pending_end(
    struct group_pending *pending, int64_t producer_id, bool commit, struct group_offsets *offsets)
{
    struct group_pending_txn *txn = map_remove(&pending->by_producer, pending_key(&producer_id));
    if (txn == NULL)
        return;
    if (commit) {
        group_offsets_for_each(&txn->offsets, offset) group_offsets_put(offsets, offset);
    }
    pending_txn_free(txn);
}

void group_pending_each(const struct group_pending *pending,
    void (*fn)(void *ctx, const struct group_offset *offset), void *ctx)
{
    map_for_each (&pending->by_producer, entry) {
        const struct group_pending_txn *txn = entry->value;
        group_offsets_for_each(&txn->offsets, offset) fn(ctx, offset);
    }
}
