// SPDX-License-Identifier: BSD-2-Clause
/*
 * A list of blocks; the newest serves allocations by moving a cursor. Blocks double from 4 KiB to
 * 64 KiB, a larger request gets a block of its own. Memory is zeroed as it is handed out, so a
 * reset block may be used again.
 */
#include "base/arena.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#define ARENA_BLOCK_SIZE_MIN ((size_t)4096)
#define ARENA_BLOCK_SIZE_MAX ((size_t)65536)
#define ARENA_ALIGNMENT      ((size_t)8)

struct arena_block {
    struct arena_block *next;
    size_t size; /* bytes of data */
    uint8_t data[];
};

void arena_init(struct arena *arena, size_t limit)
{
    *arena = ARENA_NULL;
    arena->limit = limit;
}

static void arena_free_blocks(struct arena_block *block)
{
    while (block != NULL) {
        struct arena_block *next = block->next;
        free(block);
        block = next;
    }
}

void arena_deinit(struct arena *arena)
{
    arena_free_blocks(arena->head);
    *arena = ARENA_NULL;
}

void arena_reset(struct arena *arena)
{
    struct arena_block *keep = arena->head;
    if (keep != NULL && keep->size <= ARENA_BLOCK_SIZE_MIN) {
        arena_free_blocks(keep->next);
        keep->next = NULL;
        arena->cursor = keep->data;
        arena->end = keep->data + keep->size;
    } else {
        arena_free_blocks(keep);
        arena->head = NULL;
        arena->cursor = arena->end = NULL;
    }
    arena->used = 0;
}

static bool arena_grow(struct arena *arena, size_t size)
{
    size_t block_size = ARENA_BLOCK_SIZE_MIN;
    if (arena->head != NULL && arena->head->size < ARENA_BLOCK_SIZE_MAX)
        block_size = arena->head->size * 2;
    else if (arena->head != NULL)
        block_size = ARENA_BLOCK_SIZE_MAX;
    if (block_size > ARENA_BLOCK_SIZE_MAX)
        block_size = ARENA_BLOCK_SIZE_MAX;
    if (block_size < size)
        block_size = size;
    if (block_size > SIZE_MAX - sizeof(struct arena_block))
        return false;
    struct arena_block *block = malloc(sizeof(*block) + block_size);
    if (block == NULL)
        return false;
    block->next = arena->head;
    block->size = block_size;
    arena->head = block;
    arena->cursor = block->data;
    arena->end = block->data + block_size;
    return true;
}

static void *arena_take(struct arena *arena, size_t count, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(count, size, &total) || total > SIZE_MAX - ARENA_ALIGNMENT)
        return NULL;
    total = (total + ARENA_ALIGNMENT - 1) & ~(ARENA_ALIGNMENT - 1);
    if (total == 0)
        total = ARENA_ALIGNMENT; /* an empty array must not look like a null one */
    if (total > (size_t)(arena->end - arena->cursor) && !arena_grow(arena, total))
        return NULL;
    void *memory = arena->cursor;
    arena->cursor += total;
    arena->used += total;
    return memset(memory, 0, total);
}

void *arena_alloc_n(struct arena *arena, size_t count, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(count, size, &total))
        return NULL;
    if (arena->used > arena->limit || total > arena->limit - arena->used)
        return NULL;
    return arena_take(arena, count, size);
}

void *arena_xalloc_n(struct arena *arena, size_t count, size_t size)
{
    void *memory = arena_take(arena, count, size);
    if (memory == NULL) {
        fprintf(stderr, "level=fatal event=memory.exhausted size=%zu\n", size);
        abort();
    }
    return memory;
}

struct slice arena_copy_slice(struct arena *arena, struct slice s)
{
    if (slice_is_null(s))
        return s;
    uint8_t *copy = arena_xalloc_n(arena, s.size, 1);
    if (s.size > 0)
        memcpy(copy, s.data, s.size);
    return slice_make(copy, s.size);
}

struct slice arena_printf(struct arena *arena, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int size = vsnprintf(NULL, 0, format, args);
    va_end(args);
    assert(size >= 0);
    char *text = arena_xalloc_n(arena, (size_t)size + 1, 1);
    va_start(args, format);
    vsnprintf(text, (size_t)size + 1, format, args);
    va_end(args);
    return slice_make(text, (size_t)size);
}
