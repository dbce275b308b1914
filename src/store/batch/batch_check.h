// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * batch_check: what a produced batch must satisfy before it may be appended, in the order in which
 * Kafka checks, and the changes that the topic's configuration asks for (append time, another
 * compression). Runs on the connection's loop; pure but for the memory it takes from the arena.
 *
 * Uncompressed records are always walked: it costs little beside the CRC. A compressed batch is
 * inflated only where the answer lies inside: the topic is compacted (every record needs a key), it
 * is to be compressed differently, or the oldest timestamp matters (the header has only base and
 * greatest). Otherwise the CRC-covered header is believed; a producer that lies in it deceives only
 * the readers of its own batch, as far as time look-ups go.
 */
#include "base/arena.h"
#include "store/batch/batch.h"
#include "store/batch/compression.h"

enum batch_fault {
    BATCH_GOOD = 0,
    BATCH_NOT_ONE,       /* no batch, more than one, or not magic 2 */
    BATCH_CODEC_UNKNOWN, /* a compression that may not be used here */
    BATCH_TOO_LARGE,     /* above size_max */
    BATCH_CORRUPT,       /* the CRC or the length does not fit the bytes */
    BATCH_INVALID,       /* counts, attributes, sequence, or a record */
    BATCH_TIMESTAMP,     /* a timestamp out of range, or its type set by the client */
};

/* No batch may decompress to more; what one loop inflates at a time, for a moment. */
#define BATCH_INFLATED_SIZE_MAX ((size_t)128 << 20)
/* Faulty records that are named one by one. */
#define BATCH_RECORD_FAULTS_MAX 64

struct batch_rules {
    int32_t size_max;   /* bytes, max.message.bytes */
    int8_t compression; /* enum batch_compression to store in, or -1: as it came */
    const struct compression_levels *levels; /* of what is compressed anew; NULL: the defaults */
    bool zstd_allowed;                       /* the client's version may use it */
    bool compact;                            /* every record needs a key */
    bool log_append_time;
    int64_t now_ms;                                          /* real time */
    int64_t timestamp_before_ms_max, timestamp_after_ms_max; /* INT64_MAX: no limit */
};

struct batch_record_fault {
    int32_t index;       /* of the record in its batch */
    const char *message; /* a constant sentence */
};

struct batch_verdict {
    enum batch_fault fault;
    const char *message;                      /* a constant sentence; NULL when good */
    struct batch_record_fault *record_faults; /* arena */
    int32_t record_faults_count;
    /* When good: the batch to append, in place or (rewritten) in the arena. */
    uint8_t *data;
    size_t size;
    struct batch_header header;
};

/* `data` may be changed in place (timestamp fields and CRC). */
void batch_check(uint8_t *data, size_t size, const struct batch_rules *rules, struct arena *arena,
    struct batch_verdict *ret_verdict);
