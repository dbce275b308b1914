// SPDX-License-Identifier: BSD-2-Clause
/*
 * Open addressing, at most three quarters full. The memory comes zeroed from the kernel, so a table
 * that was sized generously costs only the pages that are used.
 */
#include "store/cleaner_map.h"

#include "base/error.h"
#include "base/memory.h"

#include <assert.h>
#include <errno.h>

int cleaner_map_init(struct cleaner_map *map, struct env *env, uint64_t keys_count, size_t size_max)
{
    size_t capacity = CLEANER_MAP_SLOTS_MIN;
    while (
        capacity / 4 * 3 < keys_count && capacity <= size_max / sizeof(struct cleaner_map_slot) / 2)
        capacity *= 2;
    *map = (struct cleaner_map){.capacity = capacity, .count_max = capacity / 4 * 3};
    map->slots = calloc(capacity, sizeof(struct cleaner_map_slot));
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

bool cleaner_map_put(struct cleaner_map *map, struct slice key, int64_t offset)
{
    assert(offset >= 0);
    struct siphash_result hash = siphash_128(&map->key, key);
    struct cleaner_map_slot *slot = cleaner_map_find(map, &hash);
    if (slot->offset_next == 0) {
        if (map->count == map->count_max)
            return false;
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
