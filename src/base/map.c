// SPDX-License-Identifier: BSD-2-Clause
/* Linear probing at a load of at most 3/4; removal shifts the following run back, so there are no
 * tombstones. */
#include "base/map.h"

#include <assert.h>
#include <stdatomic.h>
#include <sys/random.h>

#define MAP_CAPACITY_MIN ((size_t)8)

static _Atomic uint64_t seed; /* set once, by whoever comes first */

void hash_seed_set(uint64_t value)
{
    assert(value != 0);
    atomic_store(&seed, value);
}

static uint64_t hash_seed(void)
{
    uint64_t value = atomic_load_explicit(&seed, memory_order_relaxed);
    if (value != 0)
        return value;
    uint64_t fresh = 0;
    if (getrandom(&fresh, sizeof(fresh), GRND_NONBLOCK) != (ssize_t)sizeof(fresh) || fresh == 0)
        fresh = 0x9e3779b97f4a7c15ULL;
    return atomic_compare_exchange_strong(&seed, &value, fresh) ? fresh : value;
}

static uint64_t hash_mix(uint64_t a, uint64_t b)
{
    __extension__ unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t hash_bytes(struct slice s)
{
    uint64_t hash = hash_seed() ^ s.size;
    const uint8_t *at = s.data;
    size_t left = s.size;
    while (left >= 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        hash = hash_mix(hash ^ word, 0xa0761d6478bd642fULL);
        at += 8;
        left -= 8;
    }
    uint64_t tail = 0;
    if (left > 0)
        memcpy(&tail, at, left);
    return hash_mix(hash ^ tail, 0xe7037ed1a0b428dbULL);
}

void map_deinit(struct map *map)
{
    free(map->entries);
    *map = MAP_NULL;
}

/* The slot of the key, or the free slot where it would go. */
static struct map_entry *map_find(const struct map *map, struct slice key, uint64_t hash)
{
    size_t mask = map->capacity - 1;
    for (size_t index = (size_t)hash & mask;; index = (index + 1) & mask) {
        struct map_entry *entry = &map->entries[index];
        if (entry->value == NULL || (entry->hash == hash && slice_equal(entry->key, key)))
            return entry;
    }
}

static void map_resize(struct map *map, size_t capacity)
{
    struct map old = *map;
    map->entries = xnew_n(struct map_entry, capacity);
    map->capacity = capacity;
    map_for_each (&old, entry)
        *map_find(map, entry->key, entry->hash) = *entry;
    free(old.entries);
}

void *map_get(const struct map *map, struct slice key)
{
    return map->count == 0 ? NULL : map_find(map, key, hash_bytes(key))->value;
}

void *map_put(struct map *map, struct slice key, void *value)
{
    assert(value != NULL);
    if (map->count + 1 > map->capacity / 4 * 3)
        map_resize(map, map->capacity == 0 ? MAP_CAPACITY_MIN : map->capacity * 2);
    uint64_t hash = hash_bytes(key);
    struct map_entry *entry = map_find(map, key, hash);
    void *before = entry->value;
    if (before == NULL)
        map->count++;
    *entry = (struct map_entry){key, value, hash};
    return before;
}

void *map_remove(struct map *map, struct slice key)
{
    if (map->count == 0)
        return NULL;
    struct map_entry *hole = map_find(map, key, hash_bytes(key));
    void *before = hole->value;
    if (before == NULL)
        return NULL;
    map->count--;
    size_t mask = map->capacity - 1;
    size_t at = (size_t)(hole - map->entries);
    for (size_t index = (at + 1) & mask; map->entries[index].value != NULL;
         index = (index + 1) & mask) {
        size_t ideal = (size_t)map->entries[index].hash & mask;
        if (((index - ideal) & mask) >= ((index - at) & mask)) {
            map->entries[at] = map->entries[index];
            at = index;
        }
    }
    map->entries[at].value = NULL;
    /* What a rush needed is given back; far from where growing begins, so that it does not recur.
     */
    if (map->capacity > MAP_CAPACITY_MIN && map->count < map->capacity / 8)
        map_resize(map, map->capacity / 2);
    return before;
}
