// SPDX-License-Identifier: BSD-2-Clause
/*
 * Open addressing, at most three quarters full. The table doubles as keys come, as long as the old
 * and the new one together stay within the memory that was allowed.
 */
#include "store/cleaner/cleaner_map.h"

#include "base/error.h"
#include "base/memory.h"

#include <assert.h>
#include <errno.h>

static struct cleaner_map_slot *cleaner_map_alloc(size_t capacity)
{
    return calloc(capacity, sizeof(struct cleaner_map_slot));
}

int cleaner_map_init(struct cleaner_map *map, struct env *env, size_t size_max)
{
    *map = (struct cleaner_map){.capacity = CLEANER_MAP_SLOTS_MIN, .size_max = size_max};
    map->slots = cleaner_map_alloc(map->capacity);
    if (map->slots == NULL)
        return error_trace(-ENOMEM);
    env->ops->random(env, &map->key, sizeof(map->key));
    return 0;
}

void cleaner_map_deinit(struct cleaner_map *map)
{
    free(map->slots);
    *map = (struct cleaner_map){.slots = NULL};
}

/* The key's slot, or the free one where it belongs. */
static struct cleaner_map_slot *cleaner_map_find(
    const struct cleaner_map *map, const struct siphash_result *hash)
{
    size_t mask = map->capacity - 1;
    for (size_t at = (size_t)hash->words[0] & mask;; at = (at + 1) & mask) {
        struct cleaner_map_slot *slot = &map->slots[at];
        if (slot->offset_next == 0 || memcmp(&slot->hash, hash, sizeof(*hash)) == 0)
            return slot;
    }
}

/* False: it must not, or there is no memory. */
static bool cleaner_map_grow(struct cleaner_map *map)
{
    if (map->capacity > map->size_max / sizeof(struct cleaner_map_slot) / 3)
        return false;
    struct cleaner_map larger = *map;
    larger.capacity *= 2;
    larger.slots = cleaner_map_alloc(larger.capacity);
    if (larger.slots == NULL)
        return false;
    for (size_t i = 0; i < map->capacity; i++) {
        const struct cleaner_map_slot *slot = &map->slots[i];
        if (slot->offset_next != 0)
            *cleaner_map_find(&larger, &slot->hash) = *slot;
    }
    free(map->slots);
    *map = larger;
    return true;
}

bool cleaner_map_put(struct cleaner_map *map, struct slice key, int64_t offset)
{
    assert(offset >= 0);
    struct siphash_result hash = siphash_128(&map->key, key);
    struct cleaner_map_slot *slot = cleaner_map_find(map, &hash);
    if (slot->offset_next == 0) {
        if (map->count >= map->capacity / 4 * 3) {
            if (!cleaner_map_grow(map))
                return false;
            slot = cleaner_map_find(map, &hash);
        }
        map->count++;
        slot->hash = hash;
    }
    slot->offset_next = offset + 1;
    return true;
}

int64_t cleaner_map_get(const struct cleaner_map *map, struct slice key)
{
    struct siphash_result hash = siphash_128(&map->key, key);
    return cleaner_map_find(map, &hash)->offset_next - 1;
}
