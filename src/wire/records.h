// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * records: the record bytes inside a message, opaque to the codec. Incoming they are a slice of the
 * frame; outgoing either bytes or chunks (file ranges) that the writer notes as splices for the
 * connection to send by sendfile.
 */
#include "base/chunk.h"
#include "base/slice.h"

struct records {
    struct slice bytes;   /* used when chunks_count == 0; data == NULL is the protocol's null */
    struct chunk *chunks; /* borrowed array (arena); the references in it are taken over by the
                             writer that encodes it */
    int32_t chunks_count;
};

#define RECORDS_NULL  ((struct records){SLICE_NULL, NULL, 0})
#define RECORDS_EMPTY ((struct records){SLICE_LIT(""), NULL, 0})

static inline bool records_is_null(const struct records *records)
{
    return records->chunks_count == 0 && slice_is_null(records->bytes);
}

static inline size_t records_size(const struct records *records)
{
    size_t size = 0;
    if (records->chunks_count == 0)
        return records->bytes.size;
    for (int32_t i = 0; i < records->chunks_count; i++)
        size += records->chunks[i].size;
    return size;
}
