// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * cleaner_filter: what compaction leaves of one batch. Pure but for its scratch memory; one thread.
 *
 * A batch of which something is left keeps its base offset, last offset delta, producer fields and
 * codec, and each record its offset delta, so offsets never change and sequences still add up. A
 * batch of which all is left is copied as it is.
 */
#include "base/buffer.h"
#include "store/batch/batch.h"
#include "store/cleaner/cleaner_map.h"

enum cleaner_left {
    CLEANER_LEFT_ALL,   /* the very bytes */
    CLEANER_LEFT_SOME,  /* rewritten */
    CLEANER_LEFT_EMPTY, /* only the header, without records */
    CLEANER_LEFT_NONE,
};

struct cleaner_filter {
    const struct cleaner_map *map;
    int64_t map_end; /* records from here on are not in the map and stay */
    int64_t now_ms;  /* real time */
    int64_t delete_retention_ms;
    struct buffer inflated, kept; /* scratch */
};

struct cleaner_batch {
    struct batch_header header;
    struct slice bytes;  /* all of it; its checksum is right */
    bool discard;        /* none of its records counts (an aborted transaction's) */
    bool marker_useless; /* a transaction's marker, and nothing of the transaction is left */
    bool keep_header;    /* stays even without records */
};

void cleaner_filter_deinit(struct cleaner_filter *filter);
/* The records of a batch that is not empty, inflated where needed; valid until the next call. NULL
 * or what is wrong with it. */
const char *cleaner_filter_records(
    struct cleaner_filter *filter, const struct cleaner_batch *batch, struct slice *ret_records);
/* Appends what is left to *out. NULL or what is wrong with the batch (then *out is unchanged). */
const char *cleaner_filter_batch(struct cleaner_filter *filter, const struct cleaner_batch *batch,
    struct buffer *out, enum cleaner_left *ret_left);
