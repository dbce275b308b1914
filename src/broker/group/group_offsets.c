// SPDX-License-Identifier: BSD-2-Clause
/* One allocation per entry: the struct, its key (partition, topic), its metadata. */
#include "broker/group/group_offsets.h"

#include "base/bytes.h"

#include <assert.h>

#define GROUP_OFFSETS_TOPIC_SIZE_MAX 255 /* names are at most 249 */

struct group_offsets_key {
    uint8_t bytes[4 + GROUP_OFFSETS_TOPIC_SIZE_MAX];
    size_t size;
};

/* A name too long to be a topic's gets the null key. */
static struct group_offsets_key group_offsets_key(struct slice topic, int32_t partition)
{
    struct group_offsets_key key = {.size = 0};
    if (topic.size == 0 || topic.size > GROUP_OFFSETS_TOPIC_SIZE_MAX)
        return key;
    bytes_put_u32(key.bytes, (uint32_t)partition);
    memcpy(key.bytes + 4, topic.data, topic.size);
    key.size = 4 + topic.size;
    return key;
}

void group_offsets_deinit(struct group_offsets *offsets)
{
    map_for_each (&offsets->map, entry)
        free(entry->value);
    map_deinit(&offsets->map);
}

const struct group_offset *group_offsets_get(
    const struct group_offsets *offsets, struct slice topic, int32_t partition)
{
    struct group_offsets_key key = group_offsets_key(topic, partition);
    return key.size == 0 ? NULL : map_get(&offsets->map, slice_make(key.bytes, key.size));
}

void group_offsets_put(struct group_offsets *offsets, const struct group_offset *offset)
{
    struct group_offsets_key key = group_offsets_key(offset->topic, offset->partition);
    if (key.size == 0)
        return;
    const struct group_offset *before = map_get(&offsets->map, slice_make(key.bytes, key.size));
    if (before != NULL && before->log_offset > offset->log_offset)
        return;
    struct group_offset *entry =
        xmalloc(sizeof(struct group_offset) + key.size + offset->metadata.size);
    *entry = *offset;
    uint8_t *bytes = (uint8_t *)(entry + 1);
    memcpy(bytes, key.bytes, key.size);
    if (offset->metadata.size > 0)
        memcpy(bytes + key.size, offset->metadata.data, offset->metadata.size);
    entry->key = slice_make(bytes, key.size);
    entry->topic = slice_make(bytes + 4, key.size - 4);
    entry->metadata = slice_make(bytes + key.size, offset->metadata.size);
    free(map_put(&offsets->map, entry->key, entry));
}

void group_offsets_remove(
    struct group_offsets *offsets, struct slice topic, int32_t partition, int64_t log_offset)
{
    const struct group_offset *entry = group_offsets_get(offsets, topic, partition);
    if (entry == NULL || entry->log_offset > log_offset)
        return;
    free(map_remove(&offsets->map, entry->key));
}
