// SPDX-License-Identifier: BSD-2-Clause
/*
 * Offsets committed within transactions. They are written to the log at once, as the transaction's
 * records, and wait beside the group until the marker comes: then they count, or are forgotten. A
 * marker that comes while the shard is being replayed is kept until the replay is over, because the
 * replay may have begun before it.
 */
#include "broker/group/groups_shard.h"

static bool groups_commit_names(
    const struct groups_commit *commit, struct slice topic, int32_t partition)
{
    for (int32_t i = 0; i < commit->items_count; i++) {
        const struct groups_commit_item *item = &commit->items[i];
        if (item->error == GROUP_OK && item->offset.partition == partition &&
            slice_equal(item->offset.topic, topic))
            return true;
    }
    return false;
}

bool groups_is_unstable(struct groups_entry *entry, struct slice topic, int32_t partition)
{
    const struct groups_commit *commit;
    list_for_each_entry (commit, &entry->txn_commits, link) {
        if (groups_commit_names(commit, topic, partition))
            return true;
    }
    return group_pending_has(&entry->pending, topic, partition);
}

void groups_pending_put(
    struct groups_entry *entry, int64_t producer_id, const struct group_offset *offset)
{
    group_pending_put(&entry->pending, producer_id, offset);
    if (!list_linked(&entry->pending_link))
        list_append(&entry->shard->pending, &entry->pending_link);
}

void groups_pending_end(struct groups_shard *shard, int64_t producer_id, bool commit)
{
    struct groups_entry *entry, *following;
    list_for_each_entry_safe (entry, following, &shard->pending, pending_link) {
        group_pending_end(&entry->pending, producer_id, commit, &entry->offsets);
        if (entry->pending.by_producer.count == 0)
            list_remove(&entry->pending_link);
    }
}

void groups_on_txn_end(struct groups *groups, int32_t index, int64_t producer_id, bool commit)
{
    loop_assert_owner(groups->loop);
    struct groups_shard *shard = groups_shard_at(groups, index);
    if (shard->base.state == SHARD_READY) {
        groups_pending_end(shard, producer_id, commit);
    } else if (shard->base.state == SHARD_LOADING) {
        struct groups_txn_end *end = xnew(struct groups_txn_end);
        *end = (struct groups_txn_end){.producer_id = producer_id, .commit = commit};
        list_append(&shard->txn_ends, &end->link);
    }
}

void groups_txn_ends_run(struct groups_shard *shard, bool apply)
{
    struct list_link *link;
    while ((link = list_first(&shard->txn_ends)) != NULL) {
        struct groups_txn_end *end = list_entry(link, struct groups_txn_end, link);
        list_remove(link);
        if (apply)
            groups_pending_end(shard, end->producer_id, end->commit);
        free(end);
    }
}
