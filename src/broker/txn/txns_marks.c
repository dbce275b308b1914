// SPDX-License-Identifier: BSD-2-Clause
/*
 * A round of markers: one message to the home of each partition of the transaction, one back when
 * its marker is on the medium. A partition that is gone (its topic was deleted) needs none. A
 * repeated marker (a round after a crash or a failure) ends nothing a second time.
 */
#include "base/canary.h"
#include "base/log.h"
#include "broker/txn/txns_shard.h"

#include <assert.h>

struct txns_mark {
    struct loop_msg msg;
    struct txns_entry *entry;
    struct loop *home, *back;
    struct txn_marker marker;
    enum partition_error error;
};

static void txns_marks_end(struct txns_entry *entry)
{
    free(steal(&entry->marks));
    if (entry->shard != NULL)
        txns_entry_on_marked(entry, !entry->marks_failed);
    txns_entry_put(entry);
}

/* At the coordinator's home. */
static void txns_mark_on_back(struct loop_msg *msg)
{
    struct txns_mark *mark = container_of(msg, struct txns_mark, msg);
    struct txns_entry *entry = mark->entry;
    switch (mark->error) {
    case PARTITION_OK: break;
    case PARTITION_INVALID_PRODUCER_EPOCH:
    case PARTITION_OLD_COORDINATOR:
        /* Somebody has ended it with a later epoch already. */
        log_warn("transaction.marker.refused", "id=%s error=%d", log_quote(entry->txn->id).str,
            (int)mark->error);
        break;
    default: entry->marks_failed = true; break;
    }
    assert(entry->marks_left > 0);
    if (--entry->marks_left == 0)
        txns_marks_end(entry);
}

/* At the partition's home. */
static void txns_mark_on_done(struct txn_marker *marker, enum partition_error error)
{
    struct txns_mark *mark = container_of(marker, struct txns_mark, marker);
    mark->error = error;
    loop_post(mark->back, &mark->msg, txns_mark_on_back);
}

static void txns_mark_on_arrival(struct loop_msg *msg)
{
    struct txns_mark *mark = container_of(msg, struct txns_mark, msg);
    txn_marker_write(&mark->marker);
}

/* False: there is no such partition. */
static bool txns_mark_fill(
    struct txns_mark *mark, struct txns_entry *entry, const struct txn_partition *partition)
{
    struct broker *broker = entry->shard->txns->broker;
    const struct image *image = broker_image(broker);
    struct topic *topic = image_topic(image, partition->topic);
    if (topic == NULL || partition->index < 0 || partition->index >= topic->partitions_count)
        return false;
    const struct txn_facts *now = &entry->txn->now;
    mark->entry = entry;
    mark->home = broker_topic_home(broker, topic, partition->index);
    mark->back = entry->shard->txns->loop;
    mark->marker = (struct txn_marker){.broker = broker,
        .id = {topic->id, partition->index},
        .offsets = topic == image->offsets,
        .facts = {now->producer_id, now->epoch, now->state == TXN_PREPARE_COMMIT,
            entry->shard->epoch},
        .done = txns_mark_on_done};
    return true;
}

static void txns_marks_on_none(struct loop_msg *msg)
{
    struct txns_mark *mark = container_of(msg, struct txns_mark, msg);
    txns_marks_end(mark->entry);
}

void txns_marks_write(struct txns_entry *entry)
{
    assert(entry->busy && entry->marks == NULL);
    entry->marks = xnew_n(struct txns_mark, entry->txn->partitions.count + 1);
    entry->marks_left = 0;
    entry->marks_failed = false;
    entry->holds++;
    map_for_each (&entry->txn->partitions, found) {
        if (!canary(NO_MARKER) &&
            txns_mark_fill(&entry->marks[entry->marks_left], entry, found->value))
            entry->marks_left++;
    }
    if (entry->marks_left == 0) {
        entry->marks->entry = entry;
        loop_post(entry->shard->txns->loop, &entry->marks->msg, txns_marks_on_none);
        return;
    }
    for (size_t i = 0, count = entry->marks_left; i < count; i++)
        loop_post(entry->marks[i].home, &entry->marks[i].msg, txns_mark_on_arrival);
}
