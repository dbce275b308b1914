// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * frame: the memory of one request's bytes while they arrive. It grows with what has arrived, never
 * to what was declared: at most twice the bytes received plus FRAME_HEADROOM, unless a block that
 * is already allocated lies in the loop's cache. One loop's thread.
 */
#include "base/memory.h"

#include <stddef.h>
#include <stdint.h>

#define FRAME_HEADROOM         ((size_t)64 * 1024)
#define FRAME_CACHE_BLOCKS_MAX 8
#define FRAME_CACHE_SIZE_MAX   ((size_t)8 * 1024 * 1024) /* bytes per loop */

/* Blocks of finished large frames, hottest last. */
struct frame_cache {
    struct frame_block {
        uint8_t *data;
        size_t capacity;
    } blocks[FRAME_CACHE_BLOCKS_MAX];
    unsigned count;
    size_t size; /* bytes in all blocks */
};

void frame_cache_deinit(struct frame_cache *cache);
/* Keeps or frees the block. */
void frame_cache_give(struct frame_cache *cache, uint8_t *take_data, size_t capacity);

struct frame {
    uint8_t *data;
    size_t size;     /* declared, without the size field; checked against the maximum before */
    size_t received; /* <= capacity, <= size */
    size_t capacity; /* bytes allocated */
};

#define FRAME_NULL ((struct frame){0})

static inline size_t frame_missing(const struct frame *frame)
{
    return frame->size - frame->received;
}

/* Where the next bytes go: at least one, as many as may be allocated now. NULL: out of memory. */
uint8_t *frame_room(struct frame *frame, struct frame_cache *cache, size_t *ret_size);
/* Copies; `size` is at most what is missing. 0 or -ENOMEM. */
int frame_append(
    struct frame *frame, struct frame_cache *cache, const uint8_t *data, size_t size) _must_check_;
void frame_deinit(struct frame *frame, struct frame_cache *cache);
