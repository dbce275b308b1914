// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * group_overrides: what people set for single groups, and the set of all groups that have something
 * set. Both are immutable once an image holds them and ref-counted; images that changed nothing
 * about groups share one set. A group need not exist to be configured, and keeps its configuration
 * when it is deleted, as with Kafka. Built on loop 0 (and before the loops run), read on any.
 */
#include "broker/topics/image.h"

/* Groups with a configuration of their own, and bytes of such a group's name. */
#define GROUP_CONFIGS_MAX          10000
#define GROUP_CONFIG_NAME_SIZE_MAX 1024
#define GROUP_CONFIG_PREFIX        "config/group/" /* in meta */

/* In the order of group_key_names. */
enum group_key {
    GROUP_KEY_SESSION_MS,
    GROUP_KEY_HEARTBEAT_MS,
    GROUP_KEY_SHARE_SESSION_MS,
    GROUP_KEY_SHARE_HEARTBEAT_MS,
    GROUP_KEY_SHARE_LOCK_MS,        /* share.record.lock.duration.ms */
    GROUP_KEY_SHARE_DELIVERIES_MAX, /* share.delivery.count.limit */
    GROUP_KEY_SHARE_LOCKS_MAX,      /* share.partition.max.record.locks */
    GROUP_KEY_SHARE_RESET,          /* enum group_reset */
    GROUP_KEY_SHARE_COMMITTED,      /* share.isolation.level; 1: read_committed */
    GROUP_KEY_SHARE_RENEW,          /* share.renew.acknowledge.enable; 0 or 1 */
    GROUP_KEYS_COUNT,
};

/* share.auto.offset.reset: where a share group starts in a partition that it comes to. */
enum group_reset { GROUP_RESET_LATEST, GROUP_RESET_EARLIEST, GROUP_RESET_BY_DURATION };
#define GROUP_RESET_SIZE_MAX 63 /* bytes of its text */

struct group_values {
    int32_t numbers[GROUP_KEYS_COUNT];    /* < 0: not set */
    char reset[GROUP_RESET_SIZE_MAX + 1]; /* as it was set; for GROUP_RESET_BY_DURATION */
};

struct group_overrides {
    struct ref ref;
    char *name;
    struct group_values values;
};

struct group_configs {
    struct ref ref;
    struct map by_name; /* name -> struct group_overrides *, a reference each */
};

/* The table's row of a key; GROUP_KEYS_COUNT when the row is no key of groups. */
const struct config_key *group_key_row(enum group_key key);
enum group_key group_key_of(const struct config_key *row);
/* What the broker's own keys say about it; of those without limits only the default matters. */
struct group_key_range group_key_range(const struct group_settings *settings, enum group_key key);

/* --- values --- */
#define GROUP_VALUES_NULL ((struct group_values){.numbers = {[0 ... GROUP_KEYS_COUNT - 1] = -1}})
/* False: it is none for this key; *ret_reason (arena) says why. */
bool group_value_set(struct group_values *values, enum group_key key, struct slice text,
    struct arena *arena, struct slice *ret_reason);
/* A number as the key's values are written. */
struct slice group_value_text(
    const struct group_values *values, enum group_key key, int32_t number, struct arena *arena);
/* earliest, latest, by_duration:<ISO 8601, not negative>; *ret_duration_ms is 0 for the others. */
bool group_reset_parse(struct slice text, enum group_reset *ret_reset, int64_t *ret_duration_ms);

/* A copy of the values; one reference. */
struct group_overrides *group_overrides_new(struct slice name, const struct group_values *values);
bool group_overrides_is_empty(const struct group_overrides *config);
/* As stored in meta. NULL when the bytes are no configuration of a group. */
void group_overrides_encode(const struct group_overrides *config, struct buffer *buffer);
struct group_overrides *group_overrides_decode(struct slice name, struct slice bytes);

/* `from` may be NULL: an empty one. One reference. */
struct group_configs *group_configs_copy(const struct group_configs *from);
/* For whoever builds the set, before others see it. Takes the reference; an empty configuration
 * takes the group out of the set. */
void group_configs_put(struct group_configs *configs, struct group_overrides *take_config);
void group_configs_unref(struct group_configs *configs);

/* NULL: nothing is set for this group. */
static inline const struct group_overrides *group_configs_find(
    const struct group_configs *configs, struct slice name)
{
    return configs == NULL ? NULL : map_get(&configs->by_name, name);
}

/* What is in effect for a group; `config` NULL: the broker's default. The range wins over a value
 * that was set when it was wider. */
static inline int32_t group_overrides_effective(
    const struct group_overrides *config, const struct group_settings *settings, enum group_key key)
{
    struct group_key_range range = group_key_range(settings, key);
    bool set = config != NULL && config->values.numbers[key] >= 0;
    int32_t value = set ? config->values.numbers[key] : range.value_default;
    return value < range.min ? range.min : value > range.max ? range.max : value;
}

/* Where a share group starts in a partition that is new to it. */
enum group_reset group_reset_effective(const struct group_overrides *config,
    const struct group_settings *settings, int64_t *ret_duration_ms);
