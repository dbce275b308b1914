// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * group_offsets: what one group has committed, by topic name and partition. Owned by the group's
 * coordinator, on its loop; slices passed in are copied. As many entries as there are partitions
 * that were ever committed.
 */
#include "base/map.h"
#include "base/slice.h"

#include <stdint.h>

struct group_offset {
    struct slice topic; /* borrowed from the entry itself when it lies in a table */
    int32_t partition;
    int64_t offset; /* as committed, negative ones too */
    int32_t leader_epoch;
    struct slice metadata;
    int64_t commit_ms, expire_ms; /* real time; expire -1: by the group's retention */
    int64_t log_offset;           /* of the batch that holds it: the later one wins */
    struct slice key;             /* the table's own */
};

struct group_offsets {
    struct map map; /* 4 bytes of partition and the topic's name -> struct group_offset */
};
#define GROUP_OFFSETS_NULL ((struct group_offsets){MAP_NULL})

void group_offsets_deinit(struct group_offsets *offsets);
const struct group_offset *group_offsets_get(
    const struct group_offsets *offsets, struct slice topic, int32_t partition);
/* Replaces what was written earlier in the log, keeps what was written later. */
void group_offsets_put(struct group_offsets *offsets, const struct group_offset *offset);
/* Removes what was written before `log_offset`. */
void group_offsets_remove(
    struct group_offsets *offsets, struct slice topic, int32_t partition, int64_t log_offset);

#define group_offsets_for_each(offsets, item)                                             \
    map_for_each (&(offsets)->map, group_offsets_entry_)                                  \
        for (const struct group_offset *item = group_offsets_entry_->value; item != NULL; \
             item = NULL)
