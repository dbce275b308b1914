// SPDX-License-Identifier: BSD-2-Clause
#include "broker/txn/txn_marker.h"

#include "broker/group/groups.h"

static void txn_marker_on_written(void *ctx, enum partition_error error)
{
    struct txn_marker *marker = ctx;
    if (error == PARTITION_OK && marker->offsets)
        groups_on_txn_end(broker_groups(marker->broker), marker->id.partition,
            marker->facts.producer_id, marker->facts.commit);
    marker->done(marker, error);
}

void txn_marker_write(struct txn_marker *marker)
{
    struct partition *partition = broker_partition(marker->broker, &marker->id);
    if (partition == NULL) {
        /* While the broker starts it may be that it is not here yet. */
        bool known = image_topic_by_id(broker_image(marker->broker), marker->id.topic_id) != NULL;
        marker->done(marker, known ? PARTITION_NOT_OWNER : PARTITION_OK);
        return;
    }
    int64_t now_ms = env_real_ms(broker_env(marker->broker));
    struct txn_write *write = txn_write_new();
    txn_write_marker(write, &marker->facts, now_ms);
    enum partition_error error = txn_write_submit(write, partition, txn_marker_on_written, marker);
    if (error != PARTITION_PENDING)
        marker->done(marker, error);
}
