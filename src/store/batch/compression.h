// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * compression: the four codecs of record batches, on whole runs of bytes. Pure functions, any
 * thread; they may take long, so callers bound the output. Hostile input costs at most `size_max`
 * bytes of output (plus the codec's own window) and never more than one pass over the input.
 */
#include "base/buffer.h"
#include "store/batch/batch.h"

enum compression_condition {
    COMPRESSION_INVALID = 1, /* the bytes are not of that codec, or end too early */
    COMPRESSION_TOO_LARGE,   /* more than size_max would come out */
};

/*
 * Appends what `in` decompresses to. Accepted are: gzip (also several members), snappy raw (as
 * librdkafka sends it) and in xerial's framing (as Java and kafkajs do), lz4 frames with
 * independent or dependent blocks, zstd frames with or without content size. BATCH_NONE copies. 0,
 * or a compression_condition (then what *out gained is undefined but bounded).
 */
int compression_inflate(enum batch_compression codec, struct slice in, size_t size_max,
    struct buffer *out) _must_check_;

/* How much work goes into compressing, as Kafka numbers it; snappy has no levels. */
struct compression_levels {
    int32_t gzip; /* 1 to 9; 0: only framed; -1: the default */
    int32_t lz4;  /* 9: the fast method, which is the default; else of the thorough one, 1 to 17 */
    int32_t zstd; /* up to 22, 3 is the default, negative ones are faster; beyond: the nearest */
};

/* Appends `in` compressed, in the form that every client reads: gzip, xerial snappy, lz4 with
 * independent blocks, zstd with content size. BATCH_NONE copies. `levels` NULL: the defaults. */
void compression_deflate_at(enum batch_compression codec, const struct compression_levels *levels,
    struct slice in, struct buffer *out);
/* The same with the defaults. */
void compression_deflate(enum batch_compression codec, struct slice in, struct buffer *out);
