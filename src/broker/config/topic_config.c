// SPDX-License-Identifier: BSD-2-Clause
/*
 * topic_config: the topic keys that take effect, applied one by one to a parsed topic
 * configuration. Values were checked against the key table before they get here.
 */
#include "broker/config/config.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

static int64_t value_int64(struct slice value)
{
    char text[32];
    size_t size = value.size < sizeof(text) - 1 ? value.size : sizeof(text) - 1;
    memcpy(text, value.data == NULL ? (const uint8_t *)"" : value.data, size);
    text[size] = '\0';
    return strtoll(text, NULL, 10);
}

static uint32_t value_uint32(struct slice value)
{
    return (uint32_t)value_int64(value);
}

static bool value_has(struct slice value, const char *word)
{
    return value.size > 0 && memmem(value.data, value.size, word, strlen(word)) != NULL;
}

static void set_cleanup(struct topic_config *config, struct slice value)
{
    config->compact = config->part.cleanup_compact = value_has(value, "compact");
    config->delete = config->part.cleanup_delete = value_has(value, "delete");
}

static void set_compression(struct topic_config *config, struct slice value)
{
    static const char *const names[] = {"uncompressed", "gzip", "snappy", "lz4", "zstd"};
    static_assert(BATCH_ZSTD == 4, "in the order of enum batch_compression");
    config->compression = -1;
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        if (slice_equal_str(value, names[i]))
            config->compression = (int8_t)i;
    }
}

static void set_gzip_level(struct topic_config *config, struct slice value)
{
    config->levels.gzip = (int32_t)value_int64(value);
}
static void set_lz4_level(struct topic_config *config, struct slice value)
{
    config->levels.lz4 = (int32_t)value_int64(value);
}
static void set_zstd_level(struct topic_config *config, struct slice value)
{
    config->levels.zstd = (int32_t)value_int64(value);
}
static void set_timestamp_type(struct topic_config *config, struct slice value)
{
    config->log_append_time = slice_equal_str(value, "LogAppendTime");
}
static void set_message_size(struct topic_config *config, struct slice value)
{
    config->message_size_max = (int32_t)value_int64(value);
}
static void set_before(struct topic_config *config, struct slice value)
{
    config->timestamp_before_ms_max = value_int64(value);
}
static void set_after(struct topic_config *config, struct slice value)
{
    config->timestamp_after_ms_max = value_int64(value);
}
static void set_insync(struct topic_config *config, struct slice value)
{
    int64_t count = value_int64(value);
    config->min_insync_replicas = count > INT16_MAX ? INT16_MAX : (int16_t)count;
}
static void set_retention_ms(struct topic_config *config, struct slice value)
{
    config->part.retention_ms = value_int64(value);
}
static void set_retention_size(struct topic_config *config, struct slice value)
{
    config->part.retention_size = value_int64(value);
}
static void set_segment_size(struct topic_config *config, struct slice value)
{
    config->part.segment_size_max = (uint64_t)value_int64(value);
}
static void set_segment_ms(struct topic_config *config, struct slice value)
{
    config->part.segment_ms_max = value_int64(value);
}
static void set_segment_jitter(struct topic_config *config, struct slice value)
{
    config->part.segment_jitter_ms = value_int64(value);
}
static void set_index_size(struct topic_config *config, struct slice value)
{
    config->part.index_size_max = value_uint32(value);
}
static void set_index_interval(struct topic_config *config, struct slice value)
{
    config->part.index_interval_size = value_uint32(value);
}
static void set_flush_messages(struct topic_config *config, struct slice value)
{
    config->part.flush_messages = value_int64(value);
}
static void set_flush_ms(struct topic_config *config, struct slice value)
{
    config->part.flush_ms = value_int64(value);
}
static void set_delete_retention(struct topic_config *config, struct slice value)
{
    config->part.delete_retention_ms = value_int64(value);
}
static void set_min_lag(struct topic_config *config, struct slice value)
{
    config->part.min_compaction_lag_ms = value_int64(value);
}
static void set_max_lag(struct topic_config *config, struct slice value)
{
    config->part.max_compaction_lag_ms = value_int64(value);
}
static void set_cleanable_ratio(struct topic_config *config, struct slice value)
{
    char text[32];
    size_t size = value.size < sizeof(text) - 1 ? value.size : sizeof(text) - 1;
    memcpy(text, value.data, size);
    text[size] = '\0';
    config->part.min_cleanable_ratio = strtod(text, NULL);
}

static const struct {
    const char *name;
    void (*set)(struct topic_config *config, struct slice value);
} topic_setters[] = {
    {"cleanup.policy", set_cleanup},
    {"compression.gzip.level", set_gzip_level},
    {"compression.lz4.level", set_lz4_level},
    {"compression.type", set_compression},
    {"compression.zstd.level", set_zstd_level},
    {"delete.retention.ms", set_delete_retention},
    {"flush.messages", set_flush_messages},
    {"flush.ms", set_flush_ms},
    {"index.interval.bytes", set_index_interval},
    {"max.compaction.lag.ms", set_max_lag},
    {"max.message.bytes", set_message_size},
    {"message.timestamp.after.max.ms", set_after},
    {"message.timestamp.before.max.ms", set_before},
    {"message.timestamp.type", set_timestamp_type},
    {"min.cleanable.dirty.ratio", set_cleanable_ratio},
    {"min.compaction.lag.ms", set_min_lag},
    {"min.insync.replicas", set_insync},
    {"retention.bytes", set_retention_size},
    {"retention.ms", set_retention_ms},
    {"segment.bytes", set_segment_size},
    {"segment.index.bytes", set_index_size},
    {"segment.jitter.ms", set_segment_jitter},
    {"segment.ms", set_segment_ms},
};

void topic_config_set(struct topic_config *config, const struct config_key *key, struct slice value)
{
    assert((key->scope & CONFIG_SCOPE_TOPIC) != 0);
    for (size_t i = 0; i < ARRAY_COUNT(topic_setters); i++) {
        if (strcmp(topic_setters[i].name, key->name) == 0)
            topic_setters[i].set(config, value);
    }
}
