// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * compression: the four codecs of record batches, on whole runs of bytes. Pure functions, any
 * thread; they may take long, so callers bound the output. Hostile input costs at most `size_max`
 * bytes of output (plus the codec's own window) and never more than one pass over the input.
 */
#include "base/buffer.h"
#include "store/batch.h"

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

/* Appends `in` compressed at the codec's default level, in the form that every client reads: gzip,
 * xerial snappy, lz4 with independent blocks, zstd with content size. BATCH_NONE copies. */
void compression_deflate(enum batch_compression codec, struct slice in, struct buffer *out);
