// SPDX-License-Identifier: BSD-2-Clause
/*
 * config: what was set where, and what is in effect. A value set by people is kept with its source
 * and place, so that every refusal can name them; defaults come from the table. Sources are layers:
 * dynamic values over --override over the environment over the file over the profile over Kafka's
 * default.
 *
 * Failure modes: an unknown key is kept and reported, never refused; a value that its key does not
 * allow is refused by config_check before anything starts.
 */
#include "broker/config/config.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <strings.h>

#include "base/log.h"

struct config_entry {
    const struct config_key *key; /* NULL: unknown */
    char *name;
    char *value;
    enum config_source source;
    char *where;
};

struct config {
    struct config_entry *entries;
    size_t entries_count, entries_capacity;
};

const struct config_alternative config_alternatives[] = {
    {"log.retention.ms", "log.retention.minutes", 60000},
    {"log.retention.ms", "log.retention.hours", 3600000},
    {"log.roll.ms", "log.roll.hours", 3600000},
    {"log.roll.jitter.ms", "log.roll.jitter.hours", 3600000},
    {"log.flush.interval.ms", "log.flush.scheduler.interval.ms", 1},
    {"log.dirs", "log.dir", 0}, /* 0: text, taken as it is */
};
const size_t config_alternatives_count = ARRAY_COUNT(config_alternatives);

const char *config_source_name(enum config_source source)
{
    static const char *const names[] = {"default", "profile", "file", "environment", "override",
        "dynamic default", "dynamic broker", "dynamic topic"};
    assert((size_t)source < ARRAY_COUNT(names));
    return names[source];
}

const char *config_type_name(enum config_type type)
{
    static const char *const names[] = {
        "boolean", "int", "long", "double", "string", "list", "password", "choice"};
    assert((size_t)type < ARRAY_COUNT(names));
    return names[type];
}

const struct config_key *config_key_find(struct slice name, unsigned scope)
{
    for (size_t i = 0; i < config_keys_count; i++) {
        const struct config_key *key = &config_keys[i];
        if ((key->scope & scope) != 0 && slice_equal_str(name, key->name))
            return key;
    }
    return NULL;
}

/* --- values --- */

struct config *config_new(void)
{
    return xnew(struct config);
}

static void entry_deinit(struct config_entry *entry)
{
    free(entry->name);
    free(entry->value);
    free(entry->where);
}

void config_free(struct config *config)
{
    if (config == NULL)
        return;
    for (size_t i = 0; i < config->entries_count; i++)
        entry_deinit(&config->entries[i]);
    free(config->entries);
    free(config);
}

struct config *config_copy(const struct config *config)
{
    struct config *copy = config_new();
    for (size_t i = 0; i < config->entries_count; i++) {
        const struct config_entry *entry = &config->entries[i];
        config_set(copy, slice_from_str(entry->name), slice_from_str(entry->value), entry->source,
            entry->where);
    }
    return copy;
}

static struct config_entry *config_entry_find(
    const struct config *config, struct slice name, enum config_source source)
{
    for (size_t i = 0; i < config->entries_count; i++) {
        struct config_entry *entry = &config->entries[i];
        if (entry->source == source && slice_equal_str(name, entry->name))
            return entry;
    }
    return NULL;
}

void config_set(struct config *config, struct slice name, struct slice value,
    enum config_source source, const char *where)
{
    struct config_entry *entry = config_entry_find(config, name, source);
    if (entry == NULL) {
        if (config->entries_count == config->entries_capacity) {
            config->entries_capacity = config->entries_capacity * 2 + 16;
            config->entries =
                xrealloc(config->entries, config->entries_capacity * sizeof(struct config_entry));
        }
        entry = &config->entries[config->entries_count++];
    } else
        entry_deinit(entry);
    *entry = (struct config_entry){
        .key = config_key_find(name, CONFIG_SCOPE_BROKER),
        .name = xstrdup_slice(name),
        .value = xstrdup_slice(value),
        .source = source,
        .where = xstrdup(where),
    };
}

void config_unset(struct config *config, const struct config_key *key, enum config_source source)
{
    struct config_entry *entry = config_entry_find(config, slice_from_str(key->name), source);
    if (entry == NULL)
        return;
    entry_deinit(entry);
    *entry = config->entries[--config->entries_count];
}

void config_clear(struct config *config, enum config_source source)
{
    size_t kept = 0;
    for (size_t i = 0; i < config->entries_count; i++) {
        if (config->entries[i].source == source)
            entry_deinit(&config->entries[i]);
        else
            config->entries[kept++] = config->entries[i];
    }
    config->entries_count = kept;
}

bool config_get_from(const struct config *config, const struct config_key *key,
    enum config_source source, struct config_value *ret_value)
{
    for (size_t i = 0; i < config->entries_count; i++) {
        const struct config_entry *entry = &config->entries[i];
        if (entry->key == key && entry->source == source) {
            *ret_value = (struct config_value){key, entry->value, source, entry->where};
            return true;
        }
    }
    return false;
}

static bool config_get_set(
    const struct config *config, const struct config_key *key, struct config_value *ret_value)
{
    for (int source = CONFIG_FROM_DYNAMIC_BROKER; source >= CONFIG_FROM_FILE; source--) {
        if (config_get_from(config, key, (enum config_source)source, ret_value))
            return true;
    }
    return false;
}

static bool config_is_dev(const struct config *config)
{
    const struct config_key *key =
        config_key_find(SLICE_LIT("odradek.profile"), CONFIG_SCOPE_BROKER);
    struct config_value value;
    return !config_get_set(config, key, &value) || strcmp(value.value, "strict") != 0;
}

struct config_value config_get(const struct config *config, const struct config_key *key)
{
    struct config_value value;
    if (config_get_set(config, key, &value))
        return value;
    if (key->value_dev != NULL && config_is_dev(config))
        return (struct config_value){key, key->value_dev, CONFIG_FROM_PROFILE, ""};
    return (struct config_value){key, key->value_default, CONFIG_FROM_DEFAULT, ""};
}

/* A negative number means "no limit" whatever its unit. */
static const char *number_scale(const char *value, int64_t factor, struct config_number *text)
{
    int64_t number = strtoll(value, NULL, 10), scaled;
    if (number < 0)
        scaled = -1;
    else if (__builtin_mul_overflow(number, factor, &scaled))
        scaled = INT64_MAX;
    snprintf(text->str, sizeof(text->str), "%" PRId64, scaled);
    return text->str;
}

static bool config_is_set(const struct config_value *value)
{
    return value->value != NULL && value->value[0] != '\0';
}

struct config_value config_get_resolved(
    const struct config *config, const struct config_key *key, struct config_number *text)
{
    struct config_value value = config_get(config, key);
    for (size_t i = 0; !config_is_set(&value) && i < config_alternatives_count; i++) {
        const struct config_alternative *alternative = &config_alternatives[i];
        if (strcmp(alternative->name, key->name) != 0)
            continue;
        const struct config_key *other =
            config_key_find(slice_from_str(alternative->alternative), CONFIG_SCOPE_BROKER);
        struct config_value found = config_get(config, other);
        if (!config_is_set(&found))
            continue;
        value = found;
        if (alternative->factor > 1)
            value.value = number_scale(found.value, alternative->factor, text);
    }
    return value;
}

struct config_value topic_config_default(
    const struct config *config, const struct config_key *key, struct config_number *text)
{
    struct config_value value = {key, key->value_default, CONFIG_FROM_DEFAULT, ""};
    if (key->broker_key == NULL)
        return value;
    const struct config_key *broker_key =
        config_key_find(slice_from_str(key->broker_key), CONFIG_SCOPE_BROKER);
    assert(broker_key != NULL);
    struct config_value found = config_get_resolved(config, broker_key, text);
    return config_is_set(&found) ? found : value;
}

/* --- checks --- */

static bool text_is_choice(struct slice value, const char *choices, bool fold)
{
    for (const char *at = choices; *at != '\0';) {
        size_t size = strcspn(at, ",");
        if (size == value.size && (fold ? strncasecmp(at, (const char *)value.data, size) == 0
                                        : memcmp(at, value.data, size) == 0))
            return true;
        at += size + (at[size] == ',');
    }
    return false;
}

/* The next element of a comma-separated list, trimmed; false at the end. */
static bool list_next(struct slice *rest, struct slice *ret_item)
{
    if (rest->data == NULL)
        return false;
    const uint8_t *comma = memchr(rest->data, ',', rest->size);
    struct slice item =
        comma == NULL ? *rest : slice_make(rest->data, (size_t)(comma - rest->data));
    if (comma == NULL)
        *rest = SLICE_NULL;
    else
        *rest = slice_make(comma + 1, rest->size - item.size - 1);
    while (item.size > 0 && isspace(item.data[0]))
        item = slice_make(item.data + 1, item.size - 1);
    while (item.size > 0 && isspace(item.data[item.size - 1]))
        item.size--;
    *ret_item = item;
    return true;
}

static bool list_valid(const struct config_key *key, struct slice value)
{
    struct slice item;
    if (key->choices == NULL)
        return true;
    while (list_next(&value, &item)) {
        if (!text_is_choice(item, key->choices, false))
            return false;
    }
    return true;
}

static bool number_valid(const struct config_key *key, struct slice value)
{
    char text[64], *end;
    if (value.size == 0 || value.size >= sizeof(text))
        return false;
    memcpy(text, value.data, value.size);
    text[value.size] = '\0';
    errno = 0;
    double number;
    if (key->type == CONFIG_DOUBLE)
        number = strtod(text, &end);
    else
        number = (double)strtoll(text, &end, 10);
    return *end == '\0' && errno == 0 && !isnan(number) && number >= key->min &&
           number <= key->max && !isspace((unsigned char)text[0]);
}

static struct slice value_allowed(const struct config_key *key, struct arena *arena)
{
    switch (key->type) {
    case CONFIG_BOOL: return SLICE_LIT("true or false");
    case CONFIG_INT:
    case CONFIG_LONG:
        return arena_printf(arena, "a whole number from %" PRId64 " to %" PRId64, (int64_t)key->min,
            key->max >= 9.2e18 ? INT64_MAX : (int64_t)key->max);
    case CONFIG_DOUBLE: return arena_printf(arena, "a number from %g to %g", key->min, key->max);
    case CONFIG_ENUM: return arena_printf(arena, "one of %s", key->choices);
    case CONFIG_LIST: return arena_printf(arena, "a comma-separated list of %s", key->choices);
    case CONFIG_STRING:
    case CONFIG_PASSWORD: break;
    }
    return SLICE_LIT("text");
}

bool config_value_valid(
    const struct config_key *key, struct slice value, struct arena *arena, struct slice *ret_reason)
{
    bool valid = true;
    switch (key->type) {
    case CONFIG_BOOL: valid = value.size > 0 && text_is_choice(value, "true,false", true); break;
    case CONFIG_INT:
    case CONFIG_LONG:
    case CONFIG_DOUBLE:
        /* Keys without a default may be left empty. */
        valid = (value.size == 0 && key->value_default == NULL) || number_valid(key, value);
        break;
    case CONFIG_ENUM: valid = value.size > 0 && text_is_choice(value, key->choices, false); break;
    case CONFIG_LIST: valid = list_valid(key, value); break;
    case CONFIG_STRING:
    case CONFIG_PASSWORD: break;
    }
    if (!valid) {
        struct slice allowed = value_allowed(key, arena);
        bool secret = key->type == CONFIG_PASSWORD;
        *ret_reason = arena_printf(arena, "\"%.*s\" is no value for %s: it must be %.*s.",
            secret ? 0 : (int)(value.size < 200 ? value.size : 200), (const char *)value.data,
            key->name, SLICE_FMT(allowed));
    }
    return valid;
}

bool config_check(const struct config *config, struct buffer *ret_problem)
{
    struct arena arena = ARENA_NULL;
    bool valid = true;
    for (size_t i = 0; i < config->entries_count; i++) {
        const struct config_entry *entry = &config->entries[i];
        struct slice reason;
        if (entry->key == NULL || (entry->key->scope & CONFIG_SCOPE_IGNORED) != 0)
            continue;
        if (config_value_valid(entry->key, slice_from_str(entry->value), &arena, &reason))
            continue;
        buffer_printf(ret_problem, "%s: %.*s\n", entry->where, SLICE_FMT(reason));
        valid = false;
    }
    arena_deinit(&arena);
    return valid;
}

/* --- reports --- */

bool config_name_tolerated(struct slice name)
{
    static const char *const prefixes[] = {"listener.name.", "confluent.", "zookeeper.", "sasl.",
        "ssl.", "rlmm.config.", "rsm.config.", "controller.quorum.", "metrics.", "log4j.",
        "config.providers"};
    for (size_t i = 0; i < ARRAY_COUNT(prefixes); i++) {
        size_t size = strlen(prefixes[i]);
        if (name.size >= size && memcmp(name.data, prefixes[i], size) == 0)
            return true;
    }
    return false;
}

static unsigned edit_distance(struct slice a, const char *b, unsigned limit)
{
    enum { NAME_MAX_SIZE = 80 };
    size_t b_size = strlen(b);
    size_t apart = a.size > b_size ? a.size - b_size : b_size - a.size;
    if (b_size > NAME_MAX_SIZE || apart > limit)
        return limit + 1;
    unsigned row[NAME_MAX_SIZE + 1];
    for (size_t j = 0; j <= b_size; j++)
        row[j] = (unsigned)j;
    for (size_t i = 1; i <= a.size; i++) {
        unsigned diagonal = row[0];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b_size; j++) {
            unsigned changed = diagonal + (a.data[i - 1] != (uint8_t)b[j - 1]);
            unsigned shorter = row[j] + 1, longer = row[j - 1] + 1;
            diagonal = row[j];
            row[j] = changed < shorter ? changed : shorter;
            if (longer < row[j])
                row[j] = longer;
        }
    }
    return row[b_size];
}

const char *config_nearest(struct slice name, unsigned scope)
{
    unsigned best = name.size < 8 ? 2 : 4;
    const char *nearest = NULL;
    for (size_t i = 0; i < config_keys_count; i++) {
        if ((config_keys[i].scope & scope) == 0)
            continue;
        unsigned distance = edit_distance(name, config_keys[i].name, best);
        if (distance < best) {
            best = distance;
            nearest = config_keys[i].name;
        }
    }
    return nearest;
}

static void config_report_unknown(const struct config_entry *entry)
{
    struct slice name = slice_from_str(entry->name);
    const char *nearest = config_nearest(name, CONFIG_SCOPE_BROKER);
    if (nearest != NULL)
        log_warn("config.unknown", "key=%s where=%s text=\"did you mean %s?\"", log_quote(name).str,
            log_quote(slice_from_str(entry->where)).str, nearest);
    else
        log_warn("config.unknown", "key=%s where=%s", log_quote(name).str,
            log_quote(slice_from_str(entry->where)).str);
}

void config_report(const struct config *config)
{
    struct buffer ignored = BUFFER_NULL;
    for (size_t i = 0; i < config->entries_count; i++) {
        const struct config_entry *entry = &config->entries[i];
        bool tolerated = config_name_tolerated(slice_from_str(entry->name));
        if (entry->key == NULL && !tolerated)
            config_report_unknown(entry);
        else if (entry->key == NULL || (entry->key->scope & CONFIG_SCOPE_IGNORED) != 0) {
            buffer_printf(&ignored, "%s%s", ignored.size == 0 ? "" : ",", entry->name);
            if (strcmp(entry->name, "authorizer.class.name") == 0 && entry->value[0] != '\0')
                log_warn("config.unsafe", "key=%s text=\"%s\"", entry->name, entry->key->text);
        }
    }
    if (ignored.size > 0)
        log_info("config.ignored", "keys=\"%.*s\" text=\"these have no effect here\"",
            SLICE_FMT(buffer_slice(&ignored)));
    buffer_deinit(&ignored);
}
