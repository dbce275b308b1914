// SPDX-License-Identifier: BSD-2-Clause
/*
 * A small frame gets its whole size at once when that is within the bound; a large one doubles as
 * it fills, or moves, the first time it has to grow, into a cached block that can hold all of it.
 * On a busy connection that is the block of the frame before: hot, and its pages are there already.
 * Such a block was paid for by bytes received earlier and the cache is bounded, so a peer that
 * declares much and sends little gains nothing.
 */
#include "net/frame.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define FRAME_START       ((size_t)4096)
#define FRAME_ALIGNMENT   ((size_t)64 * 1024)
#define FRAME_CACHED_MIN  ((size_t)64 * 1024) /* smaller blocks are malloc's business */
#define FRAME_CACHE_WASTE 4                   /* a block may be this many times too large */

void frame_cache_deinit(struct frame_cache *cache)
{
    for (unsigned i = 0; i < cache->count; i++)
        free(cache->blocks[i].data);
    *cache = (struct frame_cache){0};
}

static struct frame_block frame_cache_remove(struct frame_cache *cache, unsigned index)
{
    struct frame_block block = cache->blocks[index];
    cache->size -= block.capacity;
    cache->count--;
    memmove(
        &cache->blocks[index], &cache->blocks[index + 1], (cache->count - index) * sizeof(block));
    return block;
}

void frame_cache_give(struct frame_cache *cache, uint8_t *take_data, size_t capacity)
{
    if (capacity < FRAME_CACHED_MIN || capacity > FRAME_CACHE_SIZE_MAX) {
        free(take_data);
        return;
    }
    while (cache->count == FRAME_CACHE_BLOCKS_MAX || cache->size > FRAME_CACHE_SIZE_MAX - capacity)
        free(frame_cache_remove(cache, 0).data); /* the coldest */
    cache->blocks[cache->count++] = (struct frame_block){take_data, capacity};
    cache->size += capacity;
}

/* The hottest block that holds `size` and is not far too large; data NULL: none. */
static struct frame_block frame_cache_take(struct frame_cache *cache, size_t size)
{
    for (unsigned i = cache->count; i-- > 0;) {
        size_t capacity = cache->blocks[i].capacity;
        if (capacity >= size && capacity / FRAME_CACHE_WASTE <= size)
            return frame_cache_remove(cache, i);
    }
    return (struct frame_block){NULL, 0};
}

/* `arrived`: bytes of the frame that are here, in its memory or about to be copied into it. */
static size_t frame_capacity_wanted(const struct frame *frame, size_t arrived)
{
    size_t bound = 2 * arrived + (arrived < FRAME_HEADROOM ? FRAME_START : FRAME_HEADROOM);
    size_t whole = frame->size;
    if (whole >= FRAME_CACHED_MIN) /* whole steps, so that blocks of like frames serve each other */
        whole = (whole + FRAME_ALIGNMENT - 1) / FRAME_ALIGNMENT * FRAME_ALIGNMENT;
    return whole < bound ? whole : bound;
}

static int frame_grow(struct frame *frame, struct frame_cache *cache, size_t arrived)
{
    struct frame_block block = {NULL, 0};
    if (frame->size >= FRAME_CACHED_MIN)
        block = frame_cache_take(cache, frame->size);
    if (block.data != NULL) {
        if (frame->received > 0)
            memcpy(block.data, frame->data, frame->received);
        free(frame->data);
    } else {
        block.capacity = frame_capacity_wanted(frame, arrived);
        block.data = realloc(frame->data, block.capacity);
        if (block.data == NULL)
            return -ENOMEM;
    }
    assert(block.capacity > frame->capacity && block.capacity >= arrived);
    frame->data = block.data;
    frame->capacity = block.capacity;
    return 0;
}

uint8_t *frame_room(struct frame *frame, struct frame_cache *cache, size_t *ret_size)
{
    assert(frame->received < frame->size);
    if (frame->received == frame->capacity && frame_grow(frame, cache, frame->received) < 0)
        return NULL;
    size_t room = frame->capacity - frame->received;
    *ret_size = room < frame_missing(frame) ? room : frame_missing(frame);
    return frame->data + frame->received;
}

int frame_append(struct frame *frame, struct frame_cache *cache, const uint8_t *data, size_t size)
{
    assert(size <= frame_missing(frame));
    if (size == 0)
        return 0;
    if (size > frame->capacity - frame->received) {
        int r = frame_grow(frame, cache, frame->received + size);
        if (r < 0)
            return r;
    }
    memcpy(frame->data + frame->received, data, size);
    frame->received += size;
    return 0;
}

void frame_deinit(struct frame *frame, struct frame_cache *cache)
{
    if (frame->data != NULL)
        frame_cache_give(cache, frame->data, frame->capacity);
    *frame = FRAME_NULL;
}
