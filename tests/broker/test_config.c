// SPDX-License-Identifier: BSD-2-Clause
#include "broker/config/settings.h"
#include "runner.h"

#include <errno.h>
#include <stdio.h>

static struct config *config;
static struct buffer problem;

static void setup(void)
{
    config = config_new();
    problem = BUFFER_NULL;
}

static void teardown(void)
{
    config_free(config);
    buffer_deinit(&problem);
}

static void set(const char *name, const char *value, enum config_source source)
{
    config_set(config, slice_from_str(name), slice_from_str(value), source,
        source == CONFIG_FROM_FILE ? "server.properties:3" : "--override");
}

static const char *get(const char *name)
{
    return config_get(config, config_key_find(slice_from_str(name), CONFIG_SCOPE_BROKER)).value;
}

static struct broker_settings *parse(void)
{
    struct broker_settings *settings = NULL;
    int r = settings_new(config, &problem, &settings);
    ck_assert_msg(r == 0, "%.*s", SLICE_FMT(buffer_slice(&problem)));
    return settings;
}

static void refuse(const char *expected)
{
    struct broker_settings *settings;
    int r = config_check(config, &problem) ? settings_new(config, &problem, &settings) : -EINVAL;
    ck_assert_int_lt(r, 0);
    buffer_append(&problem, "", 1);
    ck_assert_msg(strstr((char *)problem.data, expected) != NULL, "%s", problem.data);
}

START_TEST(config_table_is_sound)
{
    for (size_t i = 0; i < config_keys_count; i++) {
        const struct config_key *key = &config_keys[i];
        struct arena arena = ARENA_NULL;
        struct slice reason;
        ck_assert_ptr_nonnull(key->text);
        unsigned scope =
            key->scope & (CONFIG_SCOPE_BROKER | CONFIG_SCOPE_TOPIC | CONFIG_SCOPE_GROUP);
        ck_assert_msg(config_key_find(slice_from_str(key->name), scope) == key, "%s is there twice",
            key->name);
        if (key->value_default != NULL)
            ck_assert_msg(
                config_value_valid(key, slice_from_str(key->value_default), &arena, &reason), "%s",
                key->name);
        if (key->value_dev != NULL)
            ck_assert_msg(config_value_valid(key, slice_from_str(key->value_dev), &arena, &reason),
                "%s", key->name);
        if (key->broker_key != NULL)
            ck_assert_msg(
                config_key_find(slice_from_str(key->broker_key), CONFIG_SCOPE_BROKER) != NULL, "%s",
                key->broker_key);
        arena_deinit(&arena);
    }
}
END_TEST

START_TEST(config_explicit_beats_profile_beats_default)
{
    ck_assert_str_eq(get("group.initial.rebalance.delay.ms"), "0");
    set("odradek.profile", "strict", CONFIG_FROM_FILE);
    ck_assert_str_eq(get("group.initial.rebalance.delay.ms"), "3000");
    set("group.initial.rebalance.delay.ms", "7", CONFIG_FROM_FILE);
    ck_assert_str_eq(get("group.initial.rebalance.delay.ms"), "7");
    set("group.initial.rebalance.delay.ms", "8", CONFIG_FROM_OVERRIDE);
    set("group.initial.rebalance.delay.ms", "9", CONFIG_FROM_ENVIRONMENT);
    ck_assert_str_eq(get("group.initial.rebalance.delay.ms"), "8");
    config_clear(config, CONFIG_FROM_OVERRIDE);
    ck_assert_str_eq(get("group.initial.rebalance.delay.ms"), "9");
}
END_TEST

START_TEST(config_units_of_retention)
{
    struct broker_settings *settings = parse();
    ck_assert_int_eq(settings->topic_defaults.part.retention_ms, INT64_C(168) * 3600000);
    settings_put(settings);
    set("log.retention.hours", "1", CONFIG_FROM_FILE);
    set("log.retention.minutes", "2", CONFIG_FROM_FILE);
    settings = parse();
    ck_assert_int_eq(settings->topic_defaults.part.retention_ms, 120000);
    settings_put(settings);
    set("log.retention.ms", "3", CONFIG_FROM_FILE);
    settings = parse();
    ck_assert_int_eq(settings->topic_defaults.part.retention_ms, 3);
    settings_put(settings);
    set("log.retention.ms", "-1", CONFIG_FROM_FILE);
    settings = parse();
    ck_assert_int_eq(settings->topic_defaults.part.retention_ms, -1);
    settings_put(settings);
}
END_TEST

START_TEST(config_bad_value_is_refused_with_its_place)
{
    set("num.partitions", "many", CONFIG_FROM_FILE);
    refuse(
        "server.properties:3: \"many\" is no value for num.partitions: it must be a whole number "
        "from 1 to 2147483647.");
}
END_TEST

START_TEST(config_bad_choice_is_refused_with_the_choices)
{
    set("odradek.profile", "prod", CONFIG_FROM_OVERRIDE);
    refuse("--override: \"prod\" is no value for odradek.profile: it must be one of dev,strict.");
}
END_TEST

START_TEST(config_unknown_key_finds_its_neighbour)
{
    ck_assert_str_eq(config_nearest(SLICE_LIT("auto.create.topic.enable"), CONFIG_SCOPE_BROKER),
        "auto.create.topics.enable");
    ck_assert_ptr_null(config_nearest(SLICE_LIT("something.else.entirely"), CONFIG_SCOPE_BROKER));
    set("auto.create.topic.enable", "false", CONFIG_FROM_FILE);
    ck_assert(config_check(config, &problem));
    ck_assert(config_name_tolerated(SLICE_LIT("listener.name.x.plain.sasl.jaas.config")));
}
END_TEST

START_TEST(listeners_of_a_test_container)
{
    set("listeners", "PLAINTEXT://0.0.0.0:9092,BROKER://0.0.0.0:9093,CONTROLLER://0.0.0.0:9094",
        CONFIG_FROM_ENVIRONMENT);
    set("listener.security.protocol.map",
        "BROKER:PLAINTEXT,PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT", CONFIG_FROM_ENVIRONMENT);
    set("controller.listener.names", "CONTROLLER", CONFIG_FROM_ENVIRONMENT);
    set("advertised.listeners", "PLAINTEXT://localhost:32768,BROKER://0242ac:9093,",
        CONFIG_FROM_ENVIRONMENT);
    struct broker_settings *settings = parse();
    ck_assert_uint_eq(settings->listeners_count, 2);
    ck_assert_str_eq(settings->listeners[0].name, "PLAINTEXT");
    ck_assert_str_eq(settings->listeners[0].host, "0.0.0.0");
    ck_assert_uint_eq(settings->listeners[0].port, 9092);
    ck_assert_str_eq(settings->listeners[0].advertised_host, "localhost");
    ck_assert_uint_eq(settings->listeners[0].advertised_port, 32768);
    ck_assert_str_eq(settings->listeners[1].advertised_host, "0242ac");
    settings_put(settings);
}
END_TEST

START_TEST(listeners_default)
{
    struct broker_settings *settings = parse();
    ck_assert_uint_eq(settings->listeners_count, 1);
    ck_assert_str_eq(settings->listeners[0].host, "");
    ck_assert_uint_eq(settings->listeners[0].port, 9092);
    ck_assert_ptr_null(settings->listeners[0].advertised_host);
    ck_assert_str_eq(settings->data_dir, "./odradek-data");
    ck_assert_int_eq(settings->node_id, 1);
    settings_put(settings);
    set("listeners", "PLAINTEXT://[::1]:0", CONFIG_FROM_FILE);
    settings = parse();
    ck_assert_str_eq(settings->listeners[0].host, "::1");
    settings_put(settings);
}
END_TEST

START_TEST(listener_tls_is_refused)
{
    set("listeners", "SSL://:9093", CONFIG_FROM_FILE);
    refuse("listener SSL speaks SSL, which comes with a later version");
}
END_TEST

START_TEST(listener_without_a_port_is_refused)
{
    set("listeners", "PLAINTEXT://localhost", CONFIG_FROM_FILE);
    refuse("\"PLAINTEXT://localhost\" in listeners is no listener");
}
END_TEST

START_TEST(listener_advertised_nowhere_is_refused)
{
    set("advertised.listeners", "PLAINTEXT://0.0.0.0:9092", CONFIG_FROM_FILE);
    refuse("no client can connect to that address");
}
END_TEST

START_TEST(listener_advertised_but_unknown_is_refused)
{
    set("advertised.listeners", "OUTSIDE://localhost:9092", CONFIG_FROM_FILE);
    refuse("advertised.listeners names OUTSIDE, which is none of listeners");
}
END_TEST

START_TEST(listeners_of_virtual_brokers_keep_apart)
{
    set("odradek.virtual.brokers", "3", CONFIG_FROM_FILE);
    set("listener.security.protocol.map", "A:PLAINTEXT,B:PLAINTEXT", CONFIG_FROM_FILE);
    set("listeners", "A://:9092,B://:9094", CONFIG_FROM_FILE);
    refuse("A (9092) and B (9094) must be at least 3 apart");
}
END_TEST

START_TEST(listeners_of_virtual_brokers_end_at_the_last_port)
{
    set("odradek.virtual.brokers", "3", CONFIG_FROM_FILE);
    set("listeners", "PLAINTEXT://:65534", CONFIG_FROM_FILE);
    refuse("the last port is 65535");
}
END_TEST

START_TEST(config_reference_is_current)
{
    struct buffer reference = BUFFER_NULL, found = BUFFER_NULL;
    config_print_reference(&reference);
    FILE *file = fopen(getenv("CONFIGURATION_MD"), "r");
    ck_assert_ptr_nonnull(file);
    for (size_t size = 1; size > 0;) {
        uint8_t *to = buffer_reserve(&found, 65536);
        size = fread(to, 1, 65536, file);
        found.size += size;
    }
    fclose(file);
    ck_assert_msg(slice_equal(buffer_slice(&reference), buffer_slice(&found)),
        "docs/configuration.md is stale: odradek --print-config-reference > docs/configuration.md");
    buffer_deinit(&reference);
    buffer_deinit(&found);
}
END_TEST

TEST_MAIN_FIXTURE("broker/config", setup, teardown, config_table_is_sound,
    config_explicit_beats_profile_beats_default, config_units_of_retention,
    config_bad_value_is_refused_with_its_place, config_bad_choice_is_refused_with_the_choices,
    config_unknown_key_finds_its_neighbour, listeners_of_a_test_container, listeners_default,
    listener_tls_is_refused, listener_without_a_port_is_refused,
    listener_advertised_nowhere_is_refused, listener_advertised_but_unknown_is_refused,
    listeners_of_virtual_brokers_keep_apart, listeners_of_virtual_brokers_end_at_the_last_port,
    config_reference_is_current)
