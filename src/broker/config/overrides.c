// SPDX-License-Identifier: BSD-2-Clause
#include "broker/config/overrides.h"

#include <assert.h>
#include <inttypes.h>

#include "broker/topics/draft.h"
#include "wire/reader.h"
#include "wire/writer.h"

#define DYNAMIC_ENCODING 1
#define DYNAMIC_KEYS_MAX 1024

static bool refuse(struct topics_op *op, enum topics_error error, struct slice message)
{
    op->error = error;
    op->message = message;
    return false;
}

/* --- lists --- */

static bool list_next(struct slice *rest, struct slice *ret_item)
{
    if (rest->size == 0)
        return false;
    const uint8_t *comma = memchr(rest->data, ',', rest->size);
    size_t size = comma == NULL ? rest->size : (size_t)(comma - rest->data);
    *ret_item = slice_make(rest->data, size);
    size += comma != NULL;
    *rest = slice_make(rest->data + size, rest->size - size);
    return true;
}

static bool list_has(struct slice list, struct slice wanted)
{
    struct slice item;
    while (list_next(&list, &item)) {
        if (slice_equal(item, wanted))
            return true;
    }
    return false;
}

/* `list` with the items of `change` added at the end, or taken away. */
static struct slice list_change(
    struct arena *arena, struct slice list, struct slice change, bool add)
{
    struct buffer result = BUFFER_NULL;
    struct slice rest = list, item;
    while (list_next(&rest, &item)) {
        if (add || !list_has(change, item))
            buffer_printf(&result, "%s%.*s", result.size > 0 ? "," : "", SLICE_FMT(item));
    }
    rest = change;
    while (add && list_next(&rest, &item)) {
        if (!list_has(list, item))
            buffer_printf(&result, "%s%.*s", result.size > 0 ? "," : "", SLICE_FMT(item));
    }
    struct slice copy =
        result.size == 0 ? SLICE_LIT("") : arena_copy_slice(arena, buffer_slice(&result));
    buffer_deinit(&result);
    return copy;
}

/* Spaces around a value are not part of it. */
static struct slice value_trim(struct slice value)
{
    while (value.size > 0 && value.data[0] == ' ')
        value = slice_make(value.data + 1, value.size - 1);
    while (value.size > 0 && value.data[value.size - 1] == ' ')
        value.size--;
    return value;
}

/* The value that one requested change comes to; false: refused. `current` is what a list is
 * appended to. */
static bool config_resolve(struct topics_op *op, const struct topics_config *config,
    const struct config_key *key, struct slice current, struct slice *ret_value)
{
    struct slice value = config->value, reason;
    if (config->op == TOPICS_CONFIG_DELETE) {
        *ret_value = SLICE_NULL;
        return true;
    }
    if (slice_is_null(value))
        return refuse(op, op->replace ? TOPICS_REQUEST_INVALID : TOPICS_CONFIG_INVALID,
            arena_printf(op->arena, "Null value not supported for configs: %s", key->name));
    value = value_trim(value);
    if (config->op != TOPICS_CONFIG_SET) {
        if (key->type != CONFIG_LIST)
            return refuse(op, TOPICS_CONFIG_INVALID,
                arena_printf(op->arena, "Can't %s to key %s because its type is not LIST.",
                    config->op == TOPICS_CONFIG_APPEND ? "APPEND" : "SUBTRACT", key->name));
        value = list_change(op->arena, current, value, config->op == TOPICS_CONFIG_APPEND);
    }
    if (!config_value_valid(key, value, op->arena, &reason))
        return refuse(op, TOPICS_CONFIG_INVALID, reason);
    *ret_value = value;
    return true;
}

static bool refuse_unknown(struct topics_op *op, struct slice name, unsigned scope)
{
    const char *nearest = config_nearest(name, scope);
    return refuse(op, TOPICS_CONFIG_INVALID,
        arena_printf(op->arena, "Unknown %s config name: %.*s%s%s%s",
            scope == CONFIG_SCOPE_TOPIC   ? "topic"
            : scope == CONFIG_SCOPE_GROUP ? "group"
                                          : "broker",
            SLICE_FMT(name), nearest == NULL ? "" : " (did you mean ",
            nearest == NULL ? "" : nearest, nearest == NULL ? "" : "?)"));
}

/* Whether the i-th name was there before. The names before it are known keys and all different, so
 * there are few of them. */
static bool name_is_new(struct topics_op *op, size_t i)
{
    for (size_t j = 0; j < i; j++) {
        if (slice_equal(op->configs[i].name, op->configs[j].name))
            return refuse(op, TOPICS_REQUEST_INVALID,
                arena_printf(op->arena, "Error due to duplicate config keys: %.*s",
                    SLICE_FMT(op->configs[i].name)));
    }
    return true;
}

/* --- topics --- */

static struct slice topic_current(struct arena *arena, const struct topic *topic,
    const struct config_key *key, const struct broker_settings *settings)
{
    struct topic_override *override =
        topic == NULL ? NULL : map_get(&topic->overrides, slice_from_str(key->name));
    struct config_number number;
    if (override != NULL)
        return slice_from_str(override->value);
    struct config_value value = topic_config_default(settings->config, key, &number);
    return arena_copy_slice(arena, slice_from_str(value.value == NULL ? "" : value.value));
}

/* Checks that look at more than one key, on what would be in effect. */
static bool topic_config_consistent(struct topics_op *op, const struct topic_config *config)
{
    if (config->part.min_compaction_lag_ms > config->part.max_compaction_lag_ms)
        return refuse(op, TOPICS_CONFIG_INVALID,
            arena_printf(op->arena,
                "min.compaction.lag.ms (%" PRId64
                ") must not be above max.compaction.lag.ms (%" PRId64 ").",
                config->part.min_compaction_lag_ms, config->part.max_compaction_lag_ms));
    return true;
}

bool overrides_resolve(struct topics_op *op, const struct topic *topic,
    const struct broker_settings *settings, struct override_change **ret_changes,
    size_t *ret_changes_count)
{
    struct override_change *changes =
        arena_new_n(op->arena, struct override_change, op->configs_count + 1);
    size_t count = 0;
    for (size_t i = 0; i < op->configs_count; i++) {
        const struct topics_config *config = &op->configs[i];
        const struct config_key *key = config_key_find(config->name, CONFIG_SCOPE_TOPIC);
        if (key == NULL && config->op == TOPICS_CONFIG_DELETE)
            continue; /* it is not set */
        if (key == NULL)
            return refuse_unknown(op, config->name, CONFIG_SCOPE_TOPIC);
        if (!name_is_new(op, i))
            return false;
        struct override_change *change = &changes[count++];
        change->key = key;
        struct slice current = topic_current(op->arena, topic, key, settings);
        if (!config_resolve(op, config, key, current, &change->value))
            return false;
    }
    struct topic *blank =
        topic == NULL ? topic_new(SLICE_LIT("blank"), UUID_ZERO, 1, NULL, 0, settings) : NULL;
    struct topic *derived =
        topic_derive(topic == NULL ? blank : topic, 1, changes, count, op->replace, settings);
    bool consistent = topic_config_consistent(op, &derived->config);
    topic_put(derived);
    topic_put(blank);
    *ret_changes = changes;
    *ret_changes_count = count;
    return consistent;
}

/* --- the broker --- */

static bool broker_config_apply(struct topics_op *op, const struct topics_config *change,
    struct config *config, enum config_source source)
{
    const struct config_key *key = config_key_find(change->name, CONFIG_SCOPE_BROKER);
    struct slice value;
    if (key == NULL)
        return refuse_unknown(op, change->name, CONFIG_SCOPE_BROKER);
    if ((key->scope & (CONFIG_SCOPE_DYNAMIC | CONFIG_SCOPE_IGNORED)) == 0)
        return refuse(op, TOPICS_REQUEST_INVALID,
            arena_printf(op->arena,
                "Cannot update these configs dynamically: %s. Set it where the broker is started, "
                "and restart it.",
                key->name));
    const char *current = config_get(config, key).value;
    if (!config_resolve(op, change, key, slice_from_str(current == NULL ? "" : current), &value))
        return false;
    if (slice_is_null(value))
        config_unset(config, key, source);
    else
        config_set(config, change->name, value, source, "dynamic");
    return true;
}

bool overrides_resolve_broker(struct topics_op *op, const struct config *config,
    enum config_source source, struct config **ret_config)
{
    struct config *changed = config_copy(config);
    if (op->replace)
        config_clear(changed, source);
    for (size_t i = 0; i < op->configs_count; i++) {
        if (!name_is_new(op, i) || !broker_config_apply(op, &op->configs[i], changed, source)) {
            config_free(changed);
            return false;
        }
    }
    *ret_config = changed;
    return true;
}

/* --- groups --- */

/* Kafka's keys of groups that would change nothing here: better refused than kept for show. */
static const struct {
    const char *prefix, *reason;
} group_keys_refused[] = {
    {"errors.deadletterqueue.", "records that are given up are not kept elsewhere"},
    {"share.assignment.interval.ms", "partitions are assigned at once when members change"},
    {"share.assignor.offload.enable", "partitions are assigned at once when members change"},
    {"streams.", "this broker serves no streams groups"},
    {"consumer.assignment.interval.ms", "partitions are assigned at once when members change"},
    {"consumer.assignor.offload.enable", "partitions are assigned at once when members change"},
};

static bool refuse_group_key(struct topics_op *op, struct slice name)
{
    for (size_t i = 0; i < ARRAY_COUNT(group_keys_refused); i++) {
        size_t size = strlen(group_keys_refused[i].prefix);
        if (name.size >= size && memcmp(name.data, group_keys_refused[i].prefix, size) == 0)
            return refuse(op, TOPICS_CONFIG_INVALID,
                arena_printf(op->arena, "%.*s would have no effect: %s.", SLICE_FMT(name),
                    group_keys_refused[i].reason));
    }
    return refuse_unknown(op, name, CONFIG_SCOPE_GROUP);
}

static bool group_overrides_apply(
    struct topics_op *op, const struct topics_config *change, struct group_values *values)
{
    const struct config_key *row = config_key_find(change->name, CONFIG_SCOPE_GROUP);
    struct slice value, reason;
    if (row == NULL && change->op == TOPICS_CONFIG_DELETE)
        return true; /* it is not set */
    if (row == NULL)
        return refuse_group_key(op, change->name);
    if (!config_resolve(op, change, row, SLICE_LIT(""), &value))
        return false;
    enum group_key key = group_key_of(row);
    assert(key < GROUP_KEYS_COUNT);
    values->numbers[key] = -1;
    if (!slice_is_null(value) && !group_value_set(values, key, value, op->arena, &reason))
        return refuse(op, TOPICS_CONFIG_INVALID, reason);
    return true;
}

static bool group_value_in_range(
    struct topics_op *op, const struct group_settings *settings, enum group_key key, int32_t number)
{
    const struct config_key *row = group_key_row(key);
    struct group_key_range range = group_key_range(settings, key);
    if (row->broker_key == NULL || (number >= range.min && number <= range.max))
        return true;
    bool low = number < range.min;
    size_t kind = strcspn(row->name, "."); /* consumer.x.y: group.consumer.min.x.y */
    return refuse(op, TOPICS_CONFIG_INVALID,
        arena_printf(op->arena, "%s must be %s than or equal to group.%.*s.%s%s (%" PRId32 ").",
            row->name, low ? "greater" : "less", (int)kind, row->name, low ? "min" : "max",
            row->name + kind, low ? range.min : range.max));
}

static bool group_session_exceeds(struct topics_op *op, const struct group_overrides *config,
    const struct group_settings *settings, enum group_key session, enum group_key heartbeat)
{
    if (group_overrides_effective(config, settings, session) >
        group_overrides_effective(config, settings, heartbeat))
        return true;
    return refuse(op, TOPICS_CONFIG_INVALID,
        arena_printf(op->arena, "%s must be greater than %s", group_key_row(session)->name,
            group_key_row(heartbeat)->name));
}

/* Kafka's order of checks: the heartbeat, the session, the rest, then both together. */
static bool group_values_consistent(
    struct topics_op *op, const struct group_settings *settings, const struct group_values *values)
{
    static const enum group_key order[] = {GROUP_KEY_HEARTBEAT_MS, GROUP_KEY_SESSION_MS,
        GROUP_KEY_SHARE_HEARTBEAT_MS, GROUP_KEY_SHARE_SESSION_MS, GROUP_KEY_SHARE_LOCK_MS,
        GROUP_KEY_SHARE_DELIVERIES_MAX, GROUP_KEY_SHARE_LOCKS_MAX};
    bool set = false;
    for (size_t i = 0; i < ARRAY_COUNT(order); i++) {
        int32_t number = values->numbers[order[i]];
        set |= number >= 0;
        if (number >= 0 && !group_value_in_range(op, settings, order[i], number))
            return false;
    }
    if (!set)
        return true;
    struct group_overrides *config = group_overrides_new(op->name, values);
    bool fine =
        group_session_exceeds(op, config, settings, GROUP_KEY_SESSION_MS, GROUP_KEY_HEARTBEAT_MS) &&
        group_session_exceeds(
            op, config, settings, GROUP_KEY_SHARE_SESSION_MS, GROUP_KEY_SHARE_HEARTBEAT_MS);
    ref_put(&config->ref);
    return fine;
}

bool overrides_resolve_group(struct topics_op *op, const struct group_overrides *current,
    const struct broker_settings *settings, struct group_values *ret_values)
{
    *ret_values = current == NULL || op->replace ? GROUP_VALUES_NULL : current->values;
    for (size_t i = 0; i < op->configs_count; i++) {
        if (!name_is_new(op, i) || !group_overrides_apply(op, &op->configs[i], ret_values))
            return false;
    }
    return group_values_consistent(op, &settings->group, ret_values);
}

/* --- stored --- */

void dynamic_config_encode(
    const struct config *config, enum config_source source, struct buffer *buffer)
{
    struct writer writer = WRITER_NULL;
    struct config_value value;
    writer_int8(&writer, DYNAMIC_ENCODING);
    for (size_t i = 0; i < config_keys_count; i++) {
        if (!config_get_from(config, &config_keys[i], source, &value))
            continue;
        writer_string(&writer, true, slice_from_str(value.key->name));
        writer_string(&writer, true, slice_from_str(value.value));
    }
    buffer_append_slice(buffer, buffer_slice(&writer.buffer));
    writer_deinit(&writer);
}

bool dynamic_config_decode(struct config *config, enum config_source source, struct slice bytes)
{
    struct reader reader = reader_make(bytes);
    if (reader_int8(&reader) != DYNAMIC_ENCODING)
        return false;
    for (unsigned i = 0;
         i < DYNAMIC_KEYS_MAX && reader_ok(&reader) && reader_remaining(&reader) > 0; i++) {
        struct slice name = reader_string(&reader, true, false);
        struct slice value = reader_string(&reader, true, false);
        if (reader_ok(&reader))
            config_set(config, name, value, source, "dynamic");
    }
    return reader_ok(&reader);
}
