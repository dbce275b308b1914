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
    [GROUP_KEY_SHARE_SESSION_MS] = "share.session.timeout.ms",
    [GROUP_KEY_SHARE_HEARTBEAT_MS] = "share.heartbeat.interval.ms",
    [GROUP_KEY_SHARE_LOCK_MS] = "share.record.lock.duration.ms",
    [GROUP_KEY_SHARE_DELIVERIES_MAX] = "share.delivery.count.limit",
    [GROUP_KEY_SHARE_LOCKS_MAX] = "share.partition.max.record.locks",
    [GROUP_KEY_SHARE_RESET] = "share.auto.offset.reset",
    [GROUP_KEY_SHARE_COMMITTED] = "share.isolation.level",
    [GROUP_KEY_SHARE_RENEW] = "share.renew.acknowledge.enable",
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

struct group_key_range group_key_range(const struct group_settings *settings, enum group_key key)
{
    switch (key) {
    case GROUP_KEY_SESSION_MS:
        return (struct group_key_range){settings->consumer_session_timeout_ms,
            settings->consumer_session_timeout_ms_min, settings->consumer_session_timeout_ms_max};
    case GROUP_KEY_HEARTBEAT_MS:
        return (struct group_key_range){settings->consumer_heartbeat_ms,
            settings->consumer_heartbeat_ms_min, settings->consumer_heartbeat_ms_max};
    case GROUP_KEY_SHARE_SESSION_MS: return settings->share_session_ms;
    case GROUP_KEY_SHARE_HEARTBEAT_MS: return settings->share_heartbeat_ms;
    case GROUP_KEY_SHARE_LOCK_MS: return settings->share_lock_ms;
    case GROUP_KEY_SHARE_DELIVERIES_MAX: return settings->share_deliveries_max;
    case GROUP_KEY_SHARE_LOCKS_MAX: return settings->share_locks_max;
    case GROUP_KEY_SHARE_RESET:
        return (struct group_key_range){GROUP_RESET_LATEST, 0, GROUP_RESET_BY_DURATION};
    case GROUP_KEY_SHARE_COMMITTED: return (struct group_key_range){0, 0, 1};
    case GROUP_KEY_SHARE_RENEW: return (struct group_key_range){1, 0, 1};
    case GROUP_KEYS_COUNT: break;
    }
    assert(false);
    return (struct group_key_range){0};
}

/* --- values --- */

/* One part of a duration, such as 12H: its number, with three digits after the point, in ms. */
static void group_duration_part(
    const char **at, const char *end, char unit, int64_t unit_ms, bool fraction, int64_t *sum_ms)
{
    const char *start = *at, *here = start;
    int64_t number = 0, part_ms = 0, scale = unit_ms;
    while (here < end && *here >= '0' && *here <= '9' && number < INT32_MAX)
        number = number * 10 + (*here++ - '0');
    if (here == start)
        return;
    if (fraction && here < end && *here == '.') {
        for (here++; here < end && *here >= '0' && *here <= '9'; here++) {
            scale /= 10;
            part_ms += scale * (*here - '0');
        }
    }
    if (here == end || (*here | 0x20) != (unit | 0x20))
        return; /* of another unit, or of none: the caller sees that it is not used up */
    *sum_ms += number * unit_ms + part_ms;
    *at = here + 1;
}

/* PnDTnHnMn.nS, at least one part of it. */
static bool group_duration_parse(struct slice text, int64_t *ret_ms)
{
    const char *at = (const char *)text.data, *end = at + text.size;
    int64_t ms = 0;
    if (text.size < 3 || (*at++ | 0x20) != 'p')
        return false;
    const char *first = at;
    group_duration_part(&at, end, 'D', 86400000, false, &ms);
    if (at < end && (*at | 0x20) == 't') {
        first = ++at;
        group_duration_part(&at, end, 'H', 3600000, false, &ms);
        group_duration_part(&at, end, 'M', 60000, false, &ms);
        group_duration_part(&at, end, 'S', 1000, true, &ms);
    }
    *ret_ms = ms;
    return at == end && at > first;
}

bool group_reset_parse(struct slice text, enum group_reset *ret_reset, int64_t *ret_duration_ms)
{
    static const char by[] = "by_duration:";
    *ret_duration_ms = 0;
    if (slice_equal_str(text, "latest") || slice_equal_str(text, "earliest")) {
        *ret_reset = text.data[0] == 'l' ? GROUP_RESET_LATEST : GROUP_RESET_EARLIEST;
        return true;
    }
    size_t size = strlen(by);
    if (text.size <= size || text.size > GROUP_RESET_SIZE_MAX || memcmp(text.data, by, size) != 0)
        return false;
    *ret_reset = GROUP_RESET_BY_DURATION;
    return group_duration_parse(slice_make(text.data + size, text.size - size), ret_duration_ms);
}

bool group_value_set(struct group_values *values, enum group_key key, struct slice text,
    struct arena *arena, struct slice *ret_reason)
{
    const struct config_key *row = group_key_row(key);
    if (!config_value_valid(row, text, arena, ret_reason))
        return false;
    if (key == GROUP_KEY_SHARE_RESET) {
        enum group_reset reset;
        int64_t duration_ms;
        if (!group_reset_parse(text, &reset, &duration_ms)) {
            *ret_reason = arena_printf(arena,
                "Invalid value `%.*s` for configuration %s. The value must be either 'earliest', "
                "'latest' or of the format 'by_duration:<PnDTnHnMn.nS>'.",
                SLICE_FMT(text), row->name);
            return false;
        }
        values->numbers[key] = (int32_t)reset;
        snprintf(values->reset, sizeof(values->reset), "%.*s", SLICE_FMT(text));
    } else if (key == GROUP_KEY_SHARE_COMMITTED) {
        values->numbers[key] = slice_equal_str(text, "read_committed");
    } else if (key == GROUP_KEY_SHARE_RENEW) {
        values->numbers[key] = text.size == strlen("true");
    } else {
        values->numbers[key] =
            (int32_t)strtol((const char *)arena_copy_slice(arena, text).data, NULL, 10);
    }
    return true;
}

struct slice group_value_text(
    const struct group_values *values, enum group_key key, int32_t number, struct arena *arena)
{
    if (key == GROUP_KEY_SHARE_RESET && number == GROUP_RESET_BY_DURATION)
        return arena_copy_slice(arena, slice_from_str(values->reset));
    if (key == GROUP_KEY_SHARE_RESET)
        return slice_from_str(number == GROUP_RESET_LATEST ? "latest" : "earliest");
    if (key == GROUP_KEY_SHARE_COMMITTED)
        return slice_from_str(number != 0 ? "read_committed" : "read_uncommitted");
    if (key == GROUP_KEY_SHARE_RENEW)
        return slice_from_str(number != 0 ? "true" : "false");
    return arena_printf(arena, "%" PRId32, number);
}

/* --- one group --- */

static void group_overrides_free(struct ref *ref)
{
    struct group_overrides *config = container_of(ref, struct group_overrides, ref);
    free(config->name);
    free(config);
}

struct group_overrides *group_overrides_new(struct slice name, const struct group_values *values)
{
    struct group_overrides *config = xnew(struct group_overrides);
    ref_init(&config->ref, group_overrides_free);
    config->name = xstrdup_slice(name);
    config->values = *values;
    return config;
}

bool group_overrides_is_empty(const struct group_overrides *config)
{
    for (int key = 0; key < GROUP_KEYS_COUNT; key++) {
        if (config->values.numbers[key] >= 0)
            return false;
    }
    return true;
}

void group_overrides_encode(const struct group_overrides *config, struct buffer *buffer)
{
    struct writer writer = WRITER_NULL;
    struct arena arena = ARENA_NULL;
    writer_int8(&writer, GROUP_ENCODING);
    for (int key = 0; key < GROUP_KEYS_COUNT; key++) {
        int32_t number = config->values.numbers[key];
        if (number < 0)
            continue;
        writer_string(&writer, true, slice_from_str(group_key_names[key]));
        writer_string(
            &writer, true, group_value_text(&config->values, (enum group_key)key, number, &arena));
    }
    buffer_append_slice(buffer, buffer_slice(&writer.buffer));
    arena_deinit(&arena);
    writer_deinit(&writer);
}

/* False: no value of this key. A key of a later version is left alone. */
static bool group_overrides_take(struct group_values *values, struct slice name, struct slice value)
{
    struct arena arena = ARENA_NULL;
    struct slice reason;
    bool fine = true;
    for (int key = 0; key < GROUP_KEYS_COUNT && fine; key++) {
        if (slice_equal_str(name, group_key_names[key]))
            fine = group_value_set(values, (enum group_key)key, value, &arena, &reason);
    }
    arena_deinit(&arena);
    return fine;
}

struct group_overrides *group_overrides_decode(struct slice name, struct slice bytes)
{
    struct reader reader = reader_make(bytes);
    struct group_values values = GROUP_VALUES_NULL;
    if (reader_int8(&reader) != GROUP_ENCODING)
        return NULL;
    for (unsigned i = 0;
         i < GROUP_STORED_KEYS_MAX && reader_ok(&reader) && reader_remaining(&reader) > 0; i++) {
        struct slice key = reader_string(&reader, true, false);
        struct slice value = reader_string(&reader, true, false);
        if (reader_ok(&reader) && !group_overrides_take(&values, key, value))
            return NULL;
    }
    return reader_ok(&reader) ? group_overrides_new(name, &values) : NULL;
}

enum group_reset group_reset_effective(const struct group_overrides *config,
    const struct group_settings *settings, int64_t *ret_duration_ms)
{
    enum group_reset reset =
        (enum group_reset)group_overrides_effective(config, settings, GROUP_KEY_SHARE_RESET);
    *ret_duration_ms = 0;
    if (config != NULL && reset == GROUP_RESET_BY_DURATION)
        group_reset_parse(slice_from_str(config->values.reset), &reset, ret_duration_ms);
    return reset;
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
