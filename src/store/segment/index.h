// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * index: the sparse offset index and time index of one segment, in memory and in Kafka's files
 * (`.index`: int32 relative offset, int32 position; `.timeindex`: int64 timestamp, int32 relative
 * offset; big-endian). Both are caches that can be rebuilt from the log at any time.
 *
 * An entry is made when a batch comes after at least the interval's bytes without one: the batch's
 * last offset and the position where it starts; for times, the greatest timestamp so far and the
 * last offset of the batch that has it. The index of an active segment belongs to the home loop;
 * one that is sealed or loaded is not changed any more and may be read by any thread that holds a
 * reference.
 */
#include "base/env.h"
#include "base/ref.h"
#include "store/batch/batch.h"

enum { INDEX_OFFSET_ENTRY_SIZE = 8, INDEX_TIME_ENTRY_SIZE = 12 };

struct index_offset {
    uint32_t delta; /* last offset of the batch, relative to the segment's base */
    uint32_t pos;   /* where the batch starts */
};

struct index_time {
    int64_t timestamp; /* ms, the greatest so far */
    uint32_t delta;    /* last offset of the batch that has it, relative to the segment's base */
};

struct index {
    struct ref ref;
    struct index_offset *offsets;
    size_t offsets_count, offsets_capacity;
    struct index_time *times;
    size_t times_count, times_capacity;
    uint64_t gap;          /* bytes of log since the last entry */
    int64_t max_timestamp; /* of all batches noted; -1: none */
    uint32_t max_timestamp_delta;
};

struct index *index_new(void);
void index_unref(struct index *index); /* NULL is fine */
static inline struct index *index_ref(struct index *index)
{
    ref_get(&index->ref);
    return index;
}

/* Tells the index of the batch that starts at pos in the segment with that base. */
void index_note(struct index *index, int64_t base, const struct batch_header *header, uint64_t pos,
    uint32_t interval_size);
/* The last time entry: what a sealed segment's index ends with. */
void index_seal(struct index *index);
/* Forgets what was noted of batches at or behind pos, which must be an entry's position or 0; the
 * caller notes the batches from there on again. */
void index_cut(struct index *index, uint64_t pos);
/* Whether one more entry would exceed size_max bytes. */
bool index_full(const struct index *index, uint32_t size_max);
/* Bytes of memory. */
size_t index_size(const struct index *index);

/* The last entry at or before a relative offset, and the last one at or before a position. pos 0:
 * there is none, start at the beginning. */
struct index_offset index_find_delta(const struct index *index, int64_t delta);
struct index_offset index_find_pos(const struct index *index, uint64_t pos);
/* No batch that ends before this relative offset has a max timestamp >= the one asked for. */
uint32_t index_delta_for_time(const struct index *index, int64_t timestamp);

/* A copy of what it knows of batches that start before pos, and no more. */
struct index *index_copy_below(const struct index *index, uint64_t pos);

enum { INDEX_E_DAMAGED = 1 }; /* missing, torn or implausible: rebuild it */
/* Reads both files; log_size is the size of the segment's log. `whole`: an index that ends far
 * before the log does is not believed. 0, INDEX_E_DAMAGED or -errno. Blocks. */
int index_load(struct env *env, const char *dir, int64_t base, uint64_t log_size, bool whole,
    struct index **ret_index);
/* Writes both files. Not synced: a damaged index is noticed and rebuilt. Blocks. */
int index_save(struct env *env, const char *dir, int64_t base, const struct index *index);
/* The same, on the medium one after the other, so that the entries of the one always have those of
 * the other: for the index of a log that still grows. Blocks. */
int index_save_durable(struct env *env, const char *dir, int64_t base, const struct index *index);
