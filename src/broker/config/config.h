// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * config: one table of every key, made from keys.txt (name, type, default in each profile, range,
 * scope, text) and the values parsed from it. From the table come server.properties parsing,
 * --print-config, DescribeConfigs, the checks of AlterConfigs, and docs/configuration.md. Parsed
 * structs are immutable once published.
 */
#include "base/arena.h"
#include "base/map.h"
#include "base/buffer.h"
#include "base/slice.h"
#include "store/batch/compression.h"
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
    CONFIG_SCOPE_GROUP = 16,
    CONFIG_SCOPE_IGNORED = 8, /* known to Kafka, accepted and without effect here */
};

struct config_key {
    const char *name;
    enum config_type type;
    unsigned scope;
    const char *value_default; /* Kafka's; NULL: none */
    const char *value_dev;     /* dev profile's, NULL: as default */
    const char *broker_key;    /* for keys of topics and groups: the broker key that is its default
                                  ("retention.ms" -> "log.retention.ms"); NULL */
    double min, max;           /* numbers */
    const char *choices;       /* comma-separated, for enums and lists; NULL: free */
    const char *text;          /* one or two sentences of documentation */
};

extern const struct config_key config_keys[];
extern const size_t config_keys_count;
const struct config_key *config_key_find(struct slice name, unsigned scope);
/* Checks a value against its key; on failure *ret_reason says in a sentence what was wrong and what
 * is allowed (arena). */
bool config_value_valid(const struct config_key *key, struct slice value, struct arena *arena,
    struct slice *ret_reason);

/* The keys that stand in for a broker key that is not set itself, best first: log.retention.ms has
 * log.retention.minutes (x 60000) and log.retention.hours. A key without any ends at once. */
struct config_alternative {
    const char *name, *alternative;
    int64_t factor;
};
extern const struct config_alternative config_alternatives[];
extern const size_t config_alternatives_count;

/* --- values: what was set where; built on one thread, read-only once published --- */

struct config;

struct config_value {
    const struct config_key *key;
    const char *value; /* NULL: none; borrowed from the config */
    enum config_source source;
    const char
        *where; /* "server.properties:12", "KAFKA_LISTENERS", "--override"; "" for defaults */
};

struct config *config_new(void);
struct config *config_copy(const struct config *config);
void config_free(struct config *config);
/* The last one set from the same source wins. Unknown names are kept for config_report. */
void config_set(struct config *config, struct slice name, struct slice value,
    enum config_source source, const char *where);
/* Forgets one value, or all, set from this source. */
void config_unset(struct config *config, const struct config_key *key, enum config_source source);
void config_clear(struct config *config, enum config_source source);
/* The effective value of a broker key: the strongest source, else the profile's default, else
 * Kafka's. */
struct config_value config_get(const struct config *config, const struct config_key *key);
/* The value set from one source; false: none was. */
bool config_get_from(const struct config *config, const struct config_key *key,
    enum config_source source, struct config_value *ret_value);
/* As config_get, and when the key is not set what its alternatives say, converted; the value's key
 * names the one it came from. `text` backs a converted number. */
struct config_number {
    char str[24];
};
struct config_value config_get_resolved(
    const struct config *config, const struct config_key *key, struct config_number *text);

/* Checks all that was set. False: *ret_problem has a sentence for people per refused value. */
bool config_check(const struct config *config, struct buffer *ret_problem);
/* Logs unknown keys (with the nearest known one) and keys without effect, once each. */
void config_report(const struct config *config);
/* The keys that match no row but are known by their form (listener.name.*, confluent.*, ...). */
bool config_name_tolerated(struct slice name);
/* The known key nearest to a misspelt one, NULL when none is near. */
const char *config_nearest(struct slice name, unsigned scope);

const char *config_source_name(enum config_source source);
const char *config_type_name(enum config_type type);
/* --print-config: one line per key, "name=value  # source". Passwords are hidden. */
void config_print(const struct config *config, struct buffer *buffer);
/* docs/configuration.md */
void config_print_reference(struct buffer *buffer);

struct topic_config {
    struct part_config part;
    int32_t message_size_max;         /* max.message.bytes */
    int8_t compression;               /* enum batch_compression, or -1: as the producer sent it */
    struct compression_levels levels; /* compression.*.level */
    bool log_append_time;             /* message.timestamp.type */
    int64_t timestamp_before_ms_max, timestamp_after_ms_max;
    int16_t min_insync_replicas;
    bool compact, delete; /* cleanup.policy */
};

/* Applies one override to a topic's effective configuration. The value was checked before. Keys
 * without effect change nothing. */
void topic_config_set(
    struct topic_config *config, const struct config_key *key, struct slice value);
/* The effective value of a topic key: its override (may be null), else what the broker's
 * configuration gives. */
struct config_value topic_config_default(
    const struct config *config, const struct config_key *key, struct config_number *text);
