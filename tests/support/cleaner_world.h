// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * cleaner_world: store_world with a compacted part of small segments: appends of keyed records, a
 * look of the cleaner, and everything that can be read, record by record.
 */
#include "store/batch/batch_builder.h"
#include "support/store_world.h"

#define CLEANER_BACKOFF_MS 1000

void cleaner_world_make(void); /* as world_make, with compaction; nothing open */

/* One record, by what a test says of it. */
struct keyed {
    const char *key;   /* NULL: none */
    const char *value; /* NULL: a tombstone */
    int64_t timestamp; /* 0: now */
};
struct keyed_batch {
    const struct keyed *records;
    unsigned n_records;
    enum batch_compression codec;
    int16_t attributes;  /* more of them */
    int64_t producer_id; /* 0: none */
    int16_t producer_epoch;
    int32_t base_sequence;
};
/* Appends, settles; the base offset, or -1 when it was refused. */
int64_t keyed_put(const struct keyed_batch *batch);
int64_t keyed_put_one(const char *key, const char *value);
/* A control batch: a commit or an abort of that producer. */
int64_t keyed_put_marker(int64_t producer_id, int16_t epoch, bool commit);
/* Ends the active segment: the next append begins a new one. A record with the key "roll" is put.
 */
void keyed_roll(void);

/* Lets the cleaner look once (all passes that it wants to make one after the other). */
void cleaner_look_now(void);

#define SEEN_TEXT_MAX 40
struct seen {
    int64_t offset, timestamp;
    bool has_key, has_value;
    char key[SEEN_TEXT_MAX], value[SEEN_TEXT_MAX];
};
struct seen_batch {
    struct batch_header header;
    unsigned first; /* record */
};
struct seen_log {
    struct seen *records;
    unsigned n_records;
    struct seen_batch *batches;
    unsigned n_batches;
};
/* Everything from the log start to the high watermark, as a client would read it: from one answer's
 * end to the next. The test fails when the bytes are not sound or no progress is made. */
struct seen_log seen_read(void);
void seen_free(struct seen_log *log);
/* The last record with the key, or NULL. */
const struct seen *seen_last(const struct seen_log *log, const char *key);
/* "k1=v1 k2=- " in order of offset, without "roll". */
const char *seen_text(const struct seen_log *log);
