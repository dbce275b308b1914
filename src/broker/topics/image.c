// SPDX-License-Identifier: BSD-2-Clause
/*
 * image: topics and the immutable set of all of them. A topic holds its effective configuration,
 * computed when it is built, so that readers never look at overrides; when the broker's defaults
 * change, topics are built anew.
 */
#include "broker/topics/image.h"
#include "broker/group/group_overrides.h"

#include <assert.h>
#include <stdlib.h>

#include "wire/reader.h"
#include "wire/writer.h"

#define TOPIC_NAME_SIZE_MAX   249
#define TOPIC_ENCODING        1 /* without replicas */
#define TOPIC_ENCODING_PLACED 2 /* with them, for each partition */
#define TOPIC_OVERRIDES_MAX   256

/* --- topics --- */

static void shared_free(struct ref *ref)
{
    free(container_of(ref, struct topic_shared, ref));
}

static struct topic_shared *shared_new(int32_t count)
{
    size_t size = sizeof(struct topic_shared) + (size_t)count * sizeof(_Atomic int32_t);
    struct topic_shared *shared = xcalloc(1, size);
    ref_init(&shared->ref, shared_free);
    shared->count = count;
    return shared;
}

/* What a topic with another count of partitions shares: the same, or a copy with room for more. */
static struct topic_shared *shared_derive(struct topic_shared *shared, int32_t count)
{
    if (count == shared->count) {
        ref_get(&shared->ref);
        return shared;
    }
    struct topic_shared *grown = shared_new(count);
    for (int32_t i = 0; i < count && i < shared->count; i++)
        grown->leader_epochs[i] = shared->leader_epochs[i];
    return grown;
}

int32_t topic_leader_epoch(const struct topic *topic, int32_t partition)
{
    assert(partition >= 0 && partition < topic->shared->count);
    return topic->shared->leader_epochs[partition];
}

static void topic_free(struct ref *ref)
{
    struct topic *topic = container_of(ref, struct topic, ref);
    map_for_each (&topic->overrides, entry) {
        struct topic_override *override = entry->value;
        free(override->value);
        free(override);
    }
    map_deinit(&topic->overrides);
    ref_put(&topic->shared->ref);
    free(topic->replicas);
    free(topic->name);
    free(topic);
}

bool topic_name_internal(struct slice name)
{
    return slice_equal_str(name, TOPIC_NAME_OFFSETS) ||
           slice_equal_str(name, TOPIC_NAME_TRANSACTIONS) ||
           slice_equal_str(name, TOPIC_NAME_SHARE_STATE);
}

static void topic_override(struct topic *topic, const struct config_key *key, struct slice value)
{
    struct topic_override *override = xnew(struct topic_override);
    *override = (struct topic_override){key, xstrdup_slice(value)};
    struct topic_override *before = map_put(&topic->overrides, slice_from_str(key->name), override);
    if (before != NULL) {
        free(before->value);
        free(before);
    }
    topic_config_set(&topic->config, key, value);
}

struct topic *topic_new(struct slice name, struct uuid id, int32_t partitions_count,
    const struct topic_override *overrides, size_t overrides_count,
    const struct broker_settings *settings)
{
    struct topic *topic = xnew(struct topic);
    ref_init(&topic->ref, topic_free);
    topic->id = id;
    topic->name = xstrdup_slice(name);
    topic->partitions_count = partitions_count;
    topic->internal = topic_name_internal(name);
    topic->config = settings->topic_defaults;
    topic->shared = shared_new(partitions_count);
    topic->replicas =
        replicas_spread(settings, id, partitions_count, settings->replication_default);
    for (size_t i = 0; i < overrides_count; i++)
        topic_override(topic, overrides[i].key, slice_from_str(overrides[i].value));
    return topic;
}

void topic_take_replicas(struct topic *topic, struct replicas *take_replicas)
{
    free(topic->replicas);
    topic->replicas = take_replicas;
}

static bool change_covers(
    const struct override_change *changes, size_t changes_count, const struct config_key *key)
{
    for (size_t i = 0; i < changes_count; i++) {
        if (changes[i].key == key)
            return true;
    }
    return false;
}

struct topic *topic_derive(const struct topic *topic, int32_t partitions_count,
    const struct override_change *changes, size_t changes_count, bool replace,
    const struct broker_settings *settings)
{
    struct topic *derived =
        topic_new(slice_from_str(topic->name), topic->id, partitions_count, NULL, 0, settings);
    ref_put(&derived->shared->ref);
    derived->shared = shared_derive(topic->shared, partitions_count);
    topic_take_replicas(derived, replicas_resize(settings, topic, partitions_count));
    map_for_each (&topic->overrides, entry) {
        const struct topic_override *override = entry->value;
        if (!replace && !change_covers(changes, changes_count, override->key))
            topic_override(derived, override->key, slice_from_str(override->value));
    }
    for (size_t i = 0; i < changes_count; i++) {
        if (!slice_is_null(changes[i].value))
            topic_override(derived, changes[i].key, changes[i].value);
    }
    return derived;
}

void topic_encode(const struct topic *topic, struct buffer *buffer)
{
    struct writer writer = WRITER_NULL;
    writer_int8(&writer, topic->replicas == NULL ? TOPIC_ENCODING : TOPIC_ENCODING_PLACED);
    writer_uuid(&writer, topic->id);
    writer_int32(&writer, topic->partitions_count);
    writer_array_count(&writer, true, (int32_t)topic->overrides.count);
    map_for_each (&topic->overrides, entry) {
        const struct topic_override *override = entry->value;
        writer_string(&writer, true, slice_from_str(override->key->name));
        writer_string(&writer, true, slice_from_str(override->value));
    }
    for (int32_t i = 0; topic->replicas != NULL && i < topic->partitions_count; i++)
        replicas_write(&writer, &topic->replicas[i]);
    buffer_append_slice(buffer, buffer_slice(&writer.buffer));
    writer_deinit(&writer);
}

/* A partition whose replicas are all gone keeps the place that it got as a new one. */
static void topic_read_replicas(
    struct topic *topic, struct reader *reader, const struct broker_settings *settings)
{
    struct replicas replicas;
    for (int32_t i = 0; i < topic->partitions_count && reader_ok(reader); i++) {
        if (replicas_read(reader, settings, &replicas))
            topic->replicas[i] = replicas;
    }
}

struct topic *topic_decode(
    struct slice name, struct slice bytes, const struct broker_settings *settings)
{
    struct reader reader = reader_make(bytes);
    int8_t encoding = reader_int8(&reader);
    struct uuid id = reader_uuid(&reader);
    int32_t partitions_count = reader_int32(&reader);
    uint32_t count = reader_uvarint(&reader);
    if (!reader_ok(&reader) || encoding < TOPIC_ENCODING || encoding > TOPIC_ENCODING_PLACED ||
        partitions_count < 1 || count < 1 || count - 1 > TOPIC_OVERRIDES_MAX)
        return NULL;
    struct topic *topic = topic_new(name, id, partitions_count, NULL, 0, settings);
    for (uint32_t i = 0; i + 1 < count; i++) {
        struct slice key_name = reader_string(&reader, true, false);
        struct slice value = reader_string(&reader, true, false);
        const struct config_key *key = config_key_find(key_name, CONFIG_SCOPE_TOPIC);
        if (key != NULL && reader_ok(&reader)) /* a key of a later version is left alone */
            topic_override(topic, key, value);
    }
    if (encoding == TOPIC_ENCODING_PLACED && topic->replicas != NULL)
        topic_read_replicas(topic, &reader, settings);
    if (!reader_ok(&reader)) {
        topic_put(topic);
        return NULL;
    }
    return topic;
}

bool topic_name_valid(struct slice name)
{
    if (name.size == 0 || name.size > TOPIC_NAME_SIZE_MAX || slice_equal_str(name, ".") ||
        slice_equal_str(name, ".."))
        return false;
    for (size_t i = 0; i < name.size; i++) {
        uint8_t c = name.data[i];
        bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '.' || c == '_' || c == '-';
        if (!fine)
            return false;
    }
    return true;
}

bool topic_names_collide(struct slice a, struct slice b)
{
    if (a.size != b.size || slice_equal(a, b))
        return false;
    for (size_t i = 0; i < a.size; i++) {
        uint8_t x = a.data[i] == '.' ? '_' : a.data[i];
        uint8_t y = b.data[i] == '.' ? '_' : b.data[i];
        if (x != y)
            return false;
    }
    return true;
}

unsigned topic_home_index(const struct topic *topic, int32_t partition, unsigned loops_count)
{
    /* The coordinator of a group must be known before its topic exists, so the partitions of
     * __consumer_offsets go by number alone. Others start at a place of their own, so that
     * single-partition topics spread too; the id is random, its last bytes are as good as a hash.
     */
    unsigned start = 0;
    if (!topic->internal)
        start = (unsigned)topic->id.bytes[14] << 8 | topic->id.bytes[15];
    return (start + (unsigned)partition) % loops_count;
}

/* --- images --- */

static void image_free(struct ref *ref)
{
    struct image *image = container_of(ref, struct image, ref);
    for (size_t i = 0; i < image->topics_count; i++)
        topic_put(image->topics[i]);
    free(image->topics);
    map_deinit(&image->by_name);
    map_deinit(&image->by_id);
    group_configs_unref(image->group_configs);
    settings_put(image->settings);
    free(image);
}

static int topic_compare(const void *a, const void *b)
{
    return strcmp((*(struct topic *const *)a)->name, (*(struct topic *const *)b)->name);
}

struct image *image_new(uint64_t revision, struct broker_settings *settings,
    struct topic **take_topics, size_t topics_count)
{
    struct image *image = xnew(struct image);
    ref_init(&image->ref, image_free);
    image->revision = revision;
    image->settings = settings_get(settings);
    image->topics = take_topics;
    image->topics_count = topics_count;
    if (topics_count > 1)
        qsort(take_topics, topics_count, sizeof(take_topics[0]), topic_compare);
    for (size_t i = 0; i < topics_count; i++) {
        struct topic *topic = take_topics[i];
        map_put(&image->by_name, slice_from_str(topic->name), topic);
        map_put(&image->by_id, slice_make(topic->id.bytes, UUID_SIZE), topic);
        image->partitions_count += topic->partitions_count;
    }
    image->offsets = image_topic(image, SLICE_LIT(TOPIC_NAME_OFFSETS));
    image->transactions = image_topic(image, SLICE_LIT(TOPIC_NAME_TRANSACTIONS));
    image->share_state = image_topic(image, SLICE_LIT(TOPIC_NAME_SHARE_STATE));
    return image;
}

void image_take_group_configs(struct image *image, struct group_configs *take_configs)
{
    group_configs_unref(image->group_configs);
    image->group_configs = take_configs;
}

struct topic *image_topic(const struct image *image, struct slice name)
{
    return map_get(&image->by_name, name);
}

struct topic *image_topic_by_id(const struct image *image, struct uuid id)
{
    return map_get(&image->by_id, slice_make(id.bytes, UUID_SIZE));
}
