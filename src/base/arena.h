// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * arena: memory that lives as long as one request and is freed at once. Owned by one thread at a
 * time (it travels with its request). Nothing in it is freed singly. A limit bounds what decoding
 * may take; arena_alloc answers NULL beyond it.
 */
#include "base/memory.h"
#include "base/slice.h"

#include <stdint.h>

struct arena_block;

struct arena {
    struct arena_block *head; /* newest block first */
    uint8_t *cursor, *end;    /* free room in the newest block */
    size_t used;              /* bytes handed out and rounding, all blocks */
    size_t limit;             /* bytes that may be handed out; SIZE_MAX: no limit */
};

#define ARENA_NULL ((struct arena){.limit = SIZE_MAX})

void arena_init(struct arena *arena, size_t limit);
void arena_deinit(struct arena *arena);
/* Frees all but a small first block, ready for the next request. */
void arena_reset(struct arena *arena);

/* Zeroed, aligned to 8; NULL when the limit would be passed or memory is out. `count * size` may
 * not overflow: then NULL too. */
void *arena_alloc_n(struct arena *arena, size_t count, size_t size) _must_check_;

/* For sizes that the broker itself decides: lifts the limit for this call and aborts when memory is
 * out. */
void *arena_xalloc_n(struct arena *arena, size_t count, size_t size);
#define arena_new(arena, type)          ((type *)arena_xalloc_n((arena), 1, sizeof(type)))
#define arena_new_n(arena, type, count) ((type *)arena_xalloc_n((arena), (count), sizeof(type)))

/* Copies; a null slice stays null. */
struct slice arena_copy_slice(struct arena *arena, struct slice s);
struct slice arena_printf(struct arena *arena, const char *format, ...) _printf_(2, 3);
