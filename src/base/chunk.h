// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * chunk: a run of stored bytes on its way out: in memory, or a range of an open file that sendfile
 * can send. It holds a reference that keeps memory or file alive; chunk_release gives it back (any
 * thread).
 */
#include "base/ref.h"

#include <stdint.h>

struct chunk {
    const uint8_t *data; /* in memory when not NULL, else the file range */
    int fd;              /* open for reading; belongs to owner */
    uint64_t pos;        /* byte position in the file */
    uint32_t size;       /* bytes */
    struct ref *owner;   /* keeps data or fd alive; NULL: somebody else does */
};

static inline void chunk_release(struct chunk *chunk)
{
    ref_put(chunk->owner);
    chunk->owner = NULL;
}
