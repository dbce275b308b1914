// SPDX-License-Identifier: BSD-2-Clause
/*
 * config_print: the key table for people: the effective configuration (--print-config) and the
 * reference (docs/configuration.md, which a test keeps current).
 */
#include "broker/config/config.h"

#include <inttypes.h>
#include <stdio.h>

void config_print(const struct config *config, struct buffer *buffer)
{
    for (size_t i = 0; i < config_keys_count; i++) {
        const struct config_key *key = &config_keys[i];
        if ((key->scope & CONFIG_SCOPE_BROKER) == 0)
            continue;
        struct config_value value = config_get(config, key);
        if ((key->scope & CONFIG_SCOPE_IGNORED) != 0 && value.source < CONFIG_FROM_FILE)
            continue;
        const char *shown = value.value == NULL ? "" : value.value;
        if (key->type == CONFIG_PASSWORD && shown[0] != '\0')
            shown = "[hidden]";
        buffer_printf(buffer, "%s=%s  # %s", key->name, shown, config_source_name(value.source));
        if (value.where[0] != '\0')
            buffer_printf(buffer, " (%s)", value.where);
        buffer_append_str(
            buffer, (key->scope & CONFIG_SCOPE_IGNORED) != 0 ? ", no effect\n" : "\n");
    }
}

static void print_escaped(struct buffer *buffer, const char *text)
{
    for (; *text != '\0'; text++)
        buffer_printf(buffer, *text == '|' || *text == '<' ? "\\%c" : "%c", *text);
}

static void print_allowed(struct buffer *buffer, const struct config_key *key)
{
    if (key->choices != NULL) {
        for (const char *at = key->choices; *at != '\0'; at++)
            buffer_printf(buffer, *at == ',' ? ", " : "%c", *at);
        return;
    }
    if (key->type == CONFIG_DOUBLE && key->max < 1e300)
        buffer_printf(buffer, "%g to %g", key->min, key->max);
    if (key->type != CONFIG_INT && key->type != CONFIG_LONG)
        return;
    bool low = key->min > -2147483647.0, high = key->max < 2147483647.0;
    if (low && high)
        buffer_printf(buffer, "%" PRId64 " to %" PRId64, (int64_t)key->min, (int64_t)key->max);
    else if (low)
        buffer_printf(buffer, "at least %" PRId64, (int64_t)key->min);
}

static void print_default(struct buffer *buffer, const char *value)
{
    if (value == NULL)
        return;
    if (value[0] == '\0')
        buffer_append_str(buffer, "empty");
    else
        buffer_printf(buffer, "`%s`", value);
}

static void print_row(struct buffer *buffer, const struct config_key *key)
{
    buffer_printf(buffer, "| `%s` | %s | ", key->name, config_type_name(key->type));
    print_allowed(buffer, key);
    buffer_append_str(buffer, " | ");
    print_default(buffer, key->value_default);
    if (key->value_dev != NULL) {
        buffer_append_str(buffer, "; dev ");
        print_default(buffer, key->value_dev);
    }
    buffer_append_str(buffer, " | ");
    print_escaped(buffer, key->text);
    if ((key->scope & CONFIG_SCOPE_DYNAMIC) != 0)
        buffer_append_str(buffer, " *Dynamic.*");
    if (key->broker_key != NULL)
        buffer_printf(buffer, " Default: the broker's `%s`.", key->broker_key);
    buffer_append_str(buffer, " |\n");
}

static void print_table(
    struct buffer *buffer, const char *title, const char *text, unsigned scope, unsigned ignored)
{
    buffer_printf(buffer,
        "\n## %s\n\n%s\n\n| key | type | allowed | default | what it does |\n"
        "|---|---|---|---|---|\n",
        title, text);
    for (size_t i = 0; i < config_keys_count; i++) {
        const struct config_key *key = &config_keys[i];
        if ((key->scope & scope) != 0 && (key->scope & CONFIG_SCOPE_IGNORED) == ignored)
            print_row(buffer, key);
    }
}

void config_print_reference(struct buffer *buffer)
{
    buffer_append_str(buffer,
        "# Configuration\n\n"
        "This page is printed by `odradek --print-config-reference`; `odradek --print-config` shows\n"
        "what is in effect and where it came from.\n\n"
        "Keys are read, from weakest to strongest, from the profile's defaults, the properties file\n"
        "named on the command line, `KAFKA_*` and `KAFKA_CFG_*` variables (`KAFKA_LOG_DIRS` is\n"
        "`log.dirs`; `__` stands for `_` and `___` for `-`), and `--override key=value`. An unknown key\n"
        "is reported and ignored; a value that is not allowed is refused, with the place it came from.\n"
        "Keys marked *dynamic* can be changed while the broker runs, for this broker or as the default\n"
        "of all, with IncrementalAlterConfigs.\n");
    print_table(buffer, "Broker keys",
        "Where a default for `dev` is given, it applies in that profile.", CONFIG_SCOPE_BROKER, 0);
    print_table(
        buffer, "Topic keys", "Set when a topic is created, or later.", CONFIG_SCOPE_TOPIC, 0);
    print_table(buffer, "Topic keys without effect", "Accepted, checked, stored and shown.",
        CONFIG_SCOPE_TOPIC, CONFIG_SCOPE_IGNORED);
    print_table(buffer, "Group keys",
        "Set for a single group (consumer: KIP-848, share: KIP-932), which need not exist yet; in effect\n"
        "from its members' next heartbeat.",
        CONFIG_SCOPE_GROUP, 0);
    print_table(buffer, "Broker keys without effect",
        "Kafka's keys that change nothing here; accepted, so that its configuration files work.",
        CONFIG_SCOPE_BROKER, CONFIG_SCOPE_IGNORED);
}
