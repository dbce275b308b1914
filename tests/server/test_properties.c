// SPDX-License-Identifier: BSD-2-Clause
#include "runner.h"
#include "server/properties.h"

static struct config *config;

static void setup(void)
{
    config = config_new();
}

static void teardown(void)
{
    config_free(config);
}

static void parse(const char *text)
{
    properties_parse(config, slice_from_str(text), "server.properties");
}

static struct config_value get(const char *name)
{
    const struct config_key *key = config_key_find(slice_from_str(name), CONFIG_SCOPE_BROKER);
    ck_assert_ptr_nonnull(key);
    return config_get(config, key);
}

#define ck_assert_value(name, expected) ck_assert_str_eq(get(name).value, expected)

START_TEST(properties_separators)
{
    parse("num.partitions=3\nbroker.rack : r1\nlog.dirs   /data\nnode.id\t=\t7  \n"
          "log.level=\nssl.provider=a=b:c d\n");
    ck_assert_value("num.partitions", "3");
    ck_assert_value("broker.rack", "r1");
    ck_assert_value("log.dirs", "/data");
    ck_assert_value("node.id", "7");
    ck_assert_value("log.level", "");
    ck_assert_value("ssl.provider", "a=b:c d");
}
END_TEST

START_TEST(properties_comments_and_blank_lines)
{
    parse("# num.partitions=1\n\n   ! num.partitions=2\r\n\tnum.partitions=3\r\n");
    ck_assert_value("num.partitions", "3");
    ck_assert_str_eq(get("num.partitions").where, "server.properties:4");
}
END_TEST

START_TEST(properties_continued_lines)
{
    parse("listeners=PLAINTEXT://:9092,\\\n    OTHER://:9093\\\n\nbroker.rack=a\\\\\nnode.id=5\n");
    ck_assert_value("listeners", "PLAINTEXT://:9092,OTHER://:9093");
    ck_assert_str_eq(get("listeners").where, "server.properties:1");
    ck_assert_value("broker.rack", "a\\");
    ck_assert_value("node.id", "5");
}
END_TEST

START_TEST(properties_escapes)
{
    parse("broker.rack=tab\\tend\\u00e9\\u20ac\\q\nlog\\.dirs=x\\=y\nssl\\u002eprovider=\\uXYZW");
    ck_assert_value("broker.rack", "tab\tend\xc3\xa9\xe2\x82\xac"
                                   "q");
    ck_assert_value("log.dirs", "x=y");
    ck_assert_value("ssl.provider", "uXYZW");
}
END_TEST

START_TEST(properties_end_in_the_middle)
{
    parse("node.id=5\\");
    ck_assert_value("node.id", "5");
    parse("broker.rack");
    ck_assert_value("broker.rack", "");
    parse("");
    parse("\\");
}
END_TEST

START_TEST(properties_last_one_wins)
{
    parse("node.id=5\nnode.id=6\n");
    ck_assert_value("node.id", "6");
}
END_TEST

START_TEST(environment_names)
{
    static const char *const pairs[][2] = {
        {"KAFKA_LOG_DIRS", "log.dirs"},
        {"KAFKA_CFG_NUM_PARTITIONS", "num.partitions"},
        {"KAFKA_LISTENER_NAME_TC___0_SSL_X", "listener.name.tc-0.ssl.x"},
        {"KAFKA_A__B", "a_b"},
        {"KAFKA_ODRADEK_PROFILE", "odradek.profile"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(pairs); i++) {
        char *key = environment_key(pairs[i][0]);
        ck_assert_str_eq(key, pairs[i][1]);
        free(key);
    }
    static const char *const none[] = {
        "KAFKA_HEAP_OPTS", "KAFKA_OPTS", "KAFKA_JMX_PORT", "KAFKA_", "HOME", "XKAFKA_LOG_DIRS"};
    for (size_t i = 0; i < ARRAY_COUNT(none); i++)
        ck_assert_ptr_null(environment_key(none[i]));
}
END_TEST

START_TEST(environment_beats_the_file)
{
    char *environment[] = {
        (char *)"KAFKA_NUM_PARTITIONS=9", (char *)"PATH=/bin", (char *)"KAFKA_CFG_NODE_ID=4", NULL};
    parse("num.partitions=3\n");
    environment_load(config, environment);
    ck_assert_value("num.partitions", "9");
    ck_assert_str_eq(get("num.partitions").where, "KAFKA_NUM_PARTITIONS");
    ck_assert_value("node.id", "4");
}
END_TEST

TEST_MAIN_FIXTURE("server/properties", setup, teardown, properties_separators,
    properties_comments_and_blank_lines, properties_continued_lines, properties_escapes,
    properties_end_in_the_middle, properties_last_one_wins, environment_names,
    environment_beats_the_file)
