// SPDX-License-Identifier: BSD-2-Clause
#include "admin.h"
#include "runner.h"
#include "wire/describe_configs.gen.h"

static struct harness *harness;

static void setup(void)
{
    harness = harness_new(1, "log.retention.hours=2", "num.partitions=4", NULL);
}

static void teardown(void)
{
    harness_free(harness);
}

static const struct describe_configs_response_result *describe(
    int16_t version, int8_t type, const char *name, const char *key)
{
    struct describe_configs_request *request =
        harness_request(harness, &describe_configs_api_codec);
    request->resources =
        arena_new(harness_arena(harness), struct describe_configs_request_resource);
    describe_configs_request_resource_init(request->resources);
    request->resources_count = 1;
    request->resources->resource_type = type;
    request->resources->resource_name = slice_from_str(name);
    request->resources->configuration_keys_count = key == NULL ? -1 : 1;
    if (key != NULL) {
        request->resources->configuration_keys = arena_new(harness_arena(harness), struct slice);
        request->resources->configuration_keys[0] = slice_from_str(key);
    }
    request->include_synonyms = version >= 1;
    request->include_documentation = version >= 3;
    const struct describe_configs_response *response =
        harness_call(harness, &describe_configs_api_codec, version, request);
    ck_assert_int_eq(response->results_count, 1);
    ck_assert_slice(response->results->resource_name, name);
    ck_assert_int_eq(response->results->resource_type, type);
    return response->results;
}

START_TEST(describe_topic)
{
    struct create_topics_request *create = admin_create_request(harness, "orders", 1);
    struct create_topics_request_config config = {SLICE_LIT("segment.bytes"), SLICE_LIT("5000")};
    create->topics->configs = &config;
    create->topics->configs_count = 1;
    ck_assert_int_eq(admin_create_call(harness, create)->error_code, KAFKA_ERROR_NONE);

    const struct describe_configs_response_result *result = describe(4, 2, "orders", NULL);
    ck_assert_int_eq(result->error_code, KAFKA_ERROR_NONE);
    ck_assert_int_gt(result->configs_count, 30);

    result = describe(4, 2, "orders", "segment.bytes");
    ck_assert_int_eq(result->configs_count, 1);
    const struct describe_configs_response_config *found = result->configs;
    ck_assert_slice(found->value, "5000");
    ck_assert_int_eq(found->config_source, 1);
    ck_assert_int_eq(found->config_type, 3);
    ck_assert(!found->read_only && !found->is_default && !found->is_sensitive);
    ck_assert_int_eq(found->synonyms_count, 2);
    ck_assert_slice(found->synonyms[0].name, "segment.bytes");
    ck_assert_int_eq(found->synonyms[0].source, 1);
    ck_assert_slice(found->synonyms[1].name, "log.segment.bytes");
    ck_assert_slice(found->synonyms[1].value, "1073741824");
    ck_assert_int_eq(found->synonyms[1].source, 5);
    ck_assert_text(found->documentation, "segment");
}
END_TEST

START_TEST(describe_topic_key_set_for_the_broker)
{
    admin_create(harness, "orders", 1);
    const struct describe_configs_response_config *found =
        describe(1, 2, "orders", "retention.ms")->configs;
    ck_assert_slice(found->value, "7200000");
    ck_assert_int_eq(found->config_source, 4);
    ck_assert_int_eq(found->synonyms_count, 2);
    ck_assert_slice(found->synonyms[0].name, "log.retention.hours");
    ck_assert_slice(found->synonyms[0].value, "2");
    ck_assert_int_eq(found->synonyms[0].source, 4);
    ck_assert_int_eq(found->synonyms[1].source, 5);
}
END_TEST

START_TEST(describe_topic_in_version_0)
{
    admin_create(harness, "orders", 1);
    ck_assert(describe(0, 2, "orders", "segment.bytes")->configs->is_default);
    ck_assert(!describe(0, 2, "orders", "retention.ms")->configs->is_default);
}
END_TEST

START_TEST(describe_broker)
{
    const struct describe_configs_response_result *result = describe(4, 4, "1", NULL);
    ck_assert_int_eq(result->error_code, KAFKA_ERROR_NONE);
    ck_assert_int_gt(result->configs_count, 200);
    const struct describe_configs_response_config *found =
        describe(4, 4, "1", "num.partitions")->configs;
    ck_assert_slice(found->value, "4");
    ck_assert_int_eq(found->config_source, 4);
    ck_assert(!found->read_only);
    ck_assert(describe(4, 4, "1", "listeners")->configs->read_only);
    /* What was left to the broker, as it is. */
    ck_assert_slice(describe(4, 4, "1", "node.id")->configs->value, "1");
    ck_assert_slice(describe(4, 4, "1", "broker.id")->configs->value, "1");
    broker_ports(harness_broker(harness))[0] = 4711;
    ck_assert_text(describe(4, 4, "1", "listeners")->configs->value, ":4711");
    /* What a profile sets is a default. */
    found = describe(4, 4, "1", "group.initial.rebalance.delay.ms")->configs;
    ck_assert_slice(found->value, "0");
    ck_assert_int_eq(found->config_source, 5);
}
END_TEST

START_TEST(describe_secret_is_not_told)
{
    harness_restart(harness, "ssl.keystore.password=hush", NULL);
    const struct describe_configs_response_config *found =
        describe(4, 4, "1", "ssl.keystore.password")->configs;
    ck_assert(found->is_sensitive);
    ck_assert(slice_is_null(found->value));
    for (int32_t i = 0; i < found->synonyms_count; i++)
        ck_assert(slice_is_null(found->synonyms[i].value));
}
END_TEST

START_TEST(describe_what_is_not_there)
{
    ck_assert_int_eq(
        describe(4, 2, "nothing", NULL)->error_code, KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION);
    ck_assert_int_eq(describe(4, 2, "a/b", NULL)->error_code, KAFKA_ERROR_INVALID_REQUEST);
    const struct describe_configs_response_result *result = describe(4, 4, "2", NULL);
    ck_assert_int_eq(result->error_code, KAFKA_ERROR_INVALID_REQUEST);
    ck_assert_text(result->error_message, "expected 1 or empty string, but received 2");
    ck_assert_int_eq(describe(4, 99, "x", NULL)->error_code, KAFKA_ERROR_INVALID_REQUEST);
    ck_assert_int_eq(describe(4, 4, "", NULL)->configs_count, 0);
    ck_assert_int_eq(describe(4, 2, "nothing", NULL)->configs_count, 0);
}
END_TEST

START_TEST(describe_group)
{
    const struct describe_configs_response_result *result = describe(4, 32, "g", NULL);
    ck_assert_int_eq(result->error_code, KAFKA_ERROR_NONE);
    ck_assert_int_eq(result->configs_count, 10);
    const struct describe_configs_response_config *found =
        describe(4, 32, "g", "consumer.heartbeat.interval.ms")->configs;
    ck_assert_slice(found->value, "1000");
    ck_assert_int_eq(found->config_source, 5);
    ck_assert_int_eq(found->config_type, 3);
    ck_assert(found->is_default && !found->read_only && !found->is_sensitive);
    ck_assert_int_eq(found->synonyms_count, 1);
    ck_assert_slice(found->synonyms[0].name, "group.consumer.heartbeat.interval.ms");
    ck_assert_text(found->documentation, "report");
    ck_assert_int_eq(describe(4, 32, "", NULL)->error_code, KAFKA_ERROR_INVALID_REQUEST);
}
END_TEST

TEST_MAIN_FIXTURE("api/describe_configs", setup, teardown, describe_topic,
    describe_topic_key_set_for_the_broker, describe_topic_in_version_0, describe_broker,
    describe_secret_is_not_told, describe_what_is_not_there, describe_group)
