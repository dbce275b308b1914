// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * config: one table of every key (name, type, default in each profile, range, scope, text) and the
 * values parsed from it. From the table come server.properties parsing, --print-config,
 * DescribeConfigs, the checks of AlterConfigs, and docs/configuration.md. Parsed structs are
 * immutable once published.
 */
#include "base/arena.h"
#include "base/map.h"
#include "base/slice.h"
#include "store/engine.h"

#include <stdbool.h>
#include <stdint.h>

enum config_type {
    CONFIG_BOOL,
    CONFIG_INT,
    CONFIG_LONG,
    CONFIG_DOUBLE,
    CONFIG_STRING,
    CONFIG_LIST,
    CONFIG_PASSWORD,
    CONFIG_ENUM
};

/* Where a value came from, in rising order of strength. (DescribeConfigs' sources are mapped from
 * this by api.) */
enum config_source {
    CONFIG_FROM_DEFAULT,
    CONFIG_FROM_PROFILE,
    CONFIG_FROM_FILE,
    CONFIG_FROM_ENVIRONMENT,
    CONFIG_FROM_OVERRIDE,        /* --override */
    CONFIG_FROM_DYNAMIC_DEFAULT, /* all brokers */
    CONFIG_FROM_DYNAMIC_BROKER,
    CONFIG_FROM_DYNAMIC_TOPIC,
};

enum config_scope {
    CONFIG_SCOPE_BROKER = 1,
    CONFIG_SCOPE_TOPIC = 2,
    CONFIG_SCOPE_DYNAMIC = 4, /* a broker key that may change while running */
    CONFIG_SCOPE_IGNORED = 8, /* known to Kafka, accepted and without effect here */
};

struct config_key {
    const char *name;
    enum config_type type;
    unsigned scope;
    const char *value_default; /* Kafka's; NULL: none */
    const char *value_dev;     /* dev profile's, NULL: as default */
    const char *broker_key; /* for topic keys: the broker key that is its default ("retention.ms" ->
                               "log.retention.ms"); NULL */
    double min, max;        /* numbers */
    const char *choices;    /* comma-separated, for enums and lists; NULL: free */
    const char *text;       /* one or two sentences of documentation */
};

extern const struct config_key config_keys[];
extern const size_t config_keys_count;
const struct config_key *config_key_find(struct slice name, unsigned scope);
/* Checks a value against its key; on failure *ret_reason says in a sentence what was wrong and what
 * is allowed (arena). */
bool config_value_valid(const struct config_key *key, struct slice value, struct arena *arena,
    struct slice *ret_reason);

struct topic_config {
    struct part_config part;
    int32_t message_size_max; /* max.message.bytes */
    int8_t compression;       /* enum batch_compression, or -1: as the producer sent it */
    bool log_append_time;     /* message.timestamp.type */
    int64_t timestamp_before_ms_max, timestamp_after_ms_max;
    int16_t min_insync_replicas;
    bool compact, delete; /* cleanup.policy */
    int64_t delete_retention_ms, min_compaction_lag_ms, max_compaction_lag_ms;
    double min_cleanable_ratio;
};
