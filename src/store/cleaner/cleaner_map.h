// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * cleaner_map: where each key of a stretch of log was seen last: a table of bounded memory that
 * holds 128 keyed bits of a key's hash and an offset. The hash's key is random per table, so nobody
 * can make two keys meet. One thread; lives for one pass over one partition.
 */
#include "base/env.h"
#include "base/siphash.h"

struct cleaner_map_slot {
    struct siphash_result hash;
    int64_t offset_next; /* offset + 1; 0: free */
};

struct cleaner_map {
    struct siphash_key key;
    struct cleaner_map_slot *slots;
    size_t capacity; /* slots, a power of two */
    size_t count;
    size_t size_max; /* bytes */
};

/* The smallest table that is made, whatever memory was allowed. */
#define CLEANER_MAP_SLOTS_MIN ((size_t)16)

/* In at most `size_max` bytes. 0 or -ENOMEM. */
int cleaner_map_init(struct cleaner_map *map, struct env *env, size_t size_max);
void cleaner_map_deinit(struct cleaner_map *map);
/* Offsets of a key come in ascending order. False: a new key, and the table is full. */
bool cleaner_map_put(struct cleaner_map *map, struct slice key, int64_t offset);
/* -1: not seen. */
int64_t cleaner_map_get(const struct cleaner_map *map, struct slice key);
