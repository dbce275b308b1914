// SPDX-License-Identifier: BSD-2-Clause
#include "broker/group/group_overrides.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "wire/reader.h"
#include "wire/writer.h"

#define GROUP_ENCODING        1
#define GROUP_STORED_KEYS_MAX 256 /* of one group; a later version may have more than this one */

static const char *const group_key_names[] = {
    [GROUP_KEY_SESSION_MS] = "consumer.session.timeout.ms",
    [GROUP_KEY_HEARTBEAT_MS] = "consumer.heartbeat.interval.ms",
};
_Static_assert(ARRAY_COUNT(group_key_names) == GROUP_KEYS_COUNT, "a name per key");

const struct config_key *group_key_row(enum group_key key)
{
    return config_key_find(slice_from_str(group_key_names[key]), CONFIG_SCOPE_GROUP);
}

enum group_key group_key_of(const struct config_key *row)
{
    int key = 0;
    while (key < GROUP_KEYS_COUNT && strcmp(group_key_names[key], row->name) != 0)
        key++;
    return (enum group_key)key;
}

/* --- one group --- */

static void group_overrides_free(struct ref *ref)
{
    struct group_overrides *config = container_of(ref, struct group_overrides, ref);
    free(config->name);
    free(config);
}

struct group_overrides *group_overrides_new(
    struct slice name, const int32_t values[GROUP_KEYS_COUNT])
{
    struct group_overrides *config = xnew(struct group_overrides);
    ref_init(&config->ref, group_overrides_free);
    config->name = xstrdup_slice(name);
    memcpy(config->values, values, sizeof(config->values));
    return config;
}

bool group_overrides_is_empty(const struct group_overrides *config)
{
    for (int key = 0; key < GROUP_KEYS_COUNT; key++) {
        if (config->values[key] >= 0)
            return false;
    }
    return true;
}

void group_overrides_encode(const struct group_overrides *config, struct buffer *buffer)
{
    struct writer writer = WRITER_NULL;
    char text[16];
    writer_int8(&writer, GROUP_ENCODING);
    for (int key = 0; key < GROUP_KEYS_COUNT; key++) {
        if (config->values[key] < 0)
            continue;
        snprintf(text, sizeof(text), "%" PRId32, config->values[key]);
        writer_string(&writer, true, slice_from_str(group_key_names[key]));
        writer_string(&writer, true, slice_from_str(text));
    }
    buffer_append_slice(buffer, buffer_slice(&writer.buffer));
    writer_deinit(&writer);
}

/* False: no value of this key. A key of a later version is left alone. */
static bool group_overrides_take(
    int32_t values[GROUP_KEYS_COUNT], struct slice name, struct slice value)
{
    struct arena arena = ARENA_NULL;
    struct slice reason;
    char text[16];
    bool fine = true;
    for (int key = 0; key < GROUP_KEYS_COUNT; key++) {
        if (!slice_equal_str(name, group_key_names[key]))
            continue;
        const struct config_key *row = group_key_row((enum group_key)key);
        fine = value.size < sizeof(text) && config_value_valid(row, value, &arena, &reason);
        if (!fine)
            break;
        snprintf(text, sizeof(text), "%.*s", SLICE_FMT(value));
        values[key] = (int32_t)strtol(text, NULL, 10);
    }
    arena_deinit(&arena);
    return fine;
}

struct group_overrides *group_overrides_decode(struct slice name, struct slice bytes)
{
    struct reader reader = reader_make(bytes);
    int32_t values[GROUP_KEYS_COUNT];
    memset(values, 0xff, sizeof(values));
    if (reader_int8(&reader) != GROUP_ENCODING)
        return NULL;
    for (unsigned i = 0;
         i < GROUP_STORED_KEYS_MAX && reader_ok(&reader) && reader_remaining(&reader) > 0; i++) {
        struct slice key = reader_string(&reader, true, false);
        struct slice value = reader_string(&reader, true, false);
        if (reader_ok(&reader) && !group_overrides_take(values, key, value))
            return NULL;
    }
    return reader_ok(&reader) ? group_overrides_new(name, values) : NULL;
}

/* --- all of them --- */

static void group_configs_free(struct ref *ref)
{
    struct group_configs *configs = container_of(ref, struct group_configs, ref);
    map_for_each (&configs->by_name, entry) {
        struct group_overrides *config = entry->value;
        ref_put(&config->ref);
    }
    map_deinit(&configs->by_name);
    free(configs);
}

struct group_configs *group_configs_copy(const struct group_configs *from)
{
    struct group_configs *configs = xnew(struct group_configs);
    ref_init(&configs->ref, group_configs_free);
    if (from == NULL)
        return configs;
    map_for_each (&from->by_name, entry) {
        struct group_overrides *config = entry->value;
        ref_get(&config->ref);
        map_put(&configs->by_name, slice_from_str(config->name), config);
    }
    return configs;
}

void group_configs_put(struct group_configs *configs, struct group_overrides *take_config)
{
    assert(ref_count(&configs->ref) == 1);
    struct slice name = slice_from_str(take_config->name);
    struct group_overrides *before = map_remove(&configs->by_name, name);
    if (before != NULL)
        ref_put(&before->ref);
    if (group_overrides_is_empty(take_config))
        ref_put(&take_config->ref);
    else
        map_put(&configs->by_name, name, take_config);
}

void group_configs_unref(struct group_configs *configs)
{
    if (configs != NULL)
        ref_put(&configs->ref);
}
