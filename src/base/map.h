// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * map: bytes -> pointer, a hash table with open addressing. Keys are borrowed: they must live
 * (usually inside the value) as long as the entry. One thread at a time; concurrent readers are
 * fine while nobody writes. The hash is seeded per process against crafted keys.
 */
#include "base/memory.h"
#include "base/slice.h"

struct map_entry {
    struct slice key;
    void *value; /* NULL: free slot */
    uint64_t hash;
};

struct map {
    struct map_entry *entries;
    size_t count;    /* entries in use */
    size_t capacity; /* 0 or a power of two */
};

#define MAP_NULL ((struct map){NULL, 0, 0})

void map_deinit(struct map *map);
void *map_get(const struct map *map, struct slice key);
/* Adds or replaces; returns the value that was there or NULL. `value` may not be NULL. */
void *map_put(struct map *map, struct slice key, void *value);
/* Removes; returns what was there or NULL. */
void *map_remove(struct map *map, struct slice key);

/* Iterates in no particular order; the body may not change the map. */
#define map_for_each(map, entry)                                             \
    for (struct map_entry *entry = (map)->entries;                           \
         entry != NULL && entry < (map)->entries + (map)->capacity; entry++) \
        if (entry->value != NULL)

/* SipHash-like quality is not needed: a seeded 64-bit mix. */
uint64_t hash_bytes(struct slice s);
/* Before the first map is made: the order of iteration is the same in each run with this seed (for
 * simulations). Not 0. */
void hash_seed_set(uint64_t value);
