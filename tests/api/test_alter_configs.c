// SPDX-License-Identifier: BSD-2-Clause
#include "configured.h"
#include "runner.h"
#include "wire/alter_configs.gen.h"

static struct harness *harness;

static void setup(void)
{
    harness = harness_new(2, NULL);
    admin_create(harness, "orders", 2);
}

static void teardown(void)
{
    harness_free(harness);
}

static struct alter_configs_request *request_for(int8_t type, const char *name)
{
    struct alter_configs_request *request = harness_request(harness, &alter_configs_api_codec);
    request->resources = arena_new(harness_arena(harness), struct alter_configs_request_resource);
    request->resources_count = 1;
    request->resources->resource_type = type;
    request->resources->resource_name = slice_from_str(name);
    request->resources->configs =
        arena_new_n(harness_arena(harness), struct alter_configs_request_config, 8);
    return request;
}

static void add(struct alter_configs_request *request, const char *name, const char *value)
{
    request->resources->configs[request->resources->configs_count++] =
        (struct alter_configs_request_config){slice_from_str(name), slice_from_str(value)};
}

static const struct alter_configs_response_resource *alter(
    const struct alter_configs_request *request)
{
    const struct alter_configs_response *response =
        harness_call(harness, &alter_configs_api_codec, 2, request);
    ck_assert_int_eq(response->responses_count, 1);
    return response->responses;
}

static void refused(const struct alter_configs_request *request, int16_t error, const char *text)
{
    const struct alter_configs_response_resource *answer = alter(request);
    ck_assert_int_eq(answer->error_code, error);
    ck_assert_text(answer->error_message, text);
}

START_TEST(alter_replaces_the_whole_set)
{
    struct alter_configs_request *request = request_for(2, "orders");
    add(request, "retention.ms", "1000");
    add(request, "segment.bytes", "5000");
    ck_assert_int_eq(alter(request)->error_code, KAFKA_ERROR_NONE);
    ck_assert_configured(2, "orders", "retention.ms", "1000");
    request = request_for(2, "orders");
    add(request, "retention.ms", "2000");
    ck_assert_int_eq(alter(request)->error_code, KAFKA_ERROR_NONE);
    ck_assert_configured(2, "orders", "retention.ms", "2000");
    ck_assert_configured(2, "orders", "segment.bytes", "1073741824");
    harness_restart(harness, NULL);
    ck_assert_configured(2, "orders", "retention.ms", "2000");
}
END_TEST

START_TEST(alter_validate_only)
{
    struct alter_configs_request *request = request_for(2, "orders");
    add(request, "retention.ms", "1000");
    request->validate_only = true;
    ck_assert_int_eq(alter(request)->error_code, KAFKA_ERROR_NONE);
    ck_assert_configured(2, "orders", "retention.ms", "604800000");
}
END_TEST

START_TEST(alter_refusals)
{
    struct alter_configs_request *request = request_for(2, "orders");
    add(request, "retention.ms", "x");
    refused(request, KAFKA_ERROR_INVALID_CONFIG, "\"x\" is no value");
    request = request_for(2, "orders");
    add(request, "retention.ms", "1");
    add(request, "retention.ms", "2");
    refused(request, KAFKA_ERROR_INVALID_REQUEST, "duplicate config keys");
    request = request_for(2, "nothing");
    refused(request, KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION, "does not host");
    request = request_for(4, "5");
    refused(request, KAFKA_ERROR_INVALID_REQUEST, "expected 1 or empty string");
    request = request_for(8, "1");
    refused(request, KAFKA_ERROR_INVALID_REQUEST, "cannot be altered here");
    request = request_for(4, "1");
    add(request, "listeners", "PLAINTEXT://:1");
    refused(request, KAFKA_ERROR_INVALID_REQUEST, "Cannot update these configs dynamically");
}
END_TEST

START_TEST(alter_broker)
{
    struct alter_configs_request *request = request_for(4, "1");
    add(request, "num.partitions", "6");
    ck_assert_int_eq(alter(request)->error_code, KAFKA_ERROR_NONE);
    ck_assert_configured(4, "1", "num.partitions", "6");
    ck_assert_int_eq(configured(harness, 4, "1", "num.partitions")->config_source, 2);
    admin_create(harness, "more", -1);
    ck_assert_int_eq(admin_topic(harness, "more")->partitions_count, 6);
    ck_assert_int_eq(alter(request_for(4, "1"))->error_code, KAFKA_ERROR_NONE);
    ck_assert_configured(4, "1", "num.partitions", "1");
}
END_TEST

START_TEST(alter_group)
{
    struct alter_configs_request *request = request_for(32, "g");
    add(request, "consumer.session.timeout.ms", "50000");
    add(request, "consumer.heartbeat.interval.ms", "2000");
    ck_assert_int_eq(alter(request)->error_code, KAFKA_ERROR_NONE);
    ck_assert_configured(32, "g", "consumer.session.timeout.ms", "50000");
    request = request_for(32, "g");
    add(request, "consumer.heartbeat.interval.ms", "3000");
    request->validate_only = true;
    ck_assert_int_eq(alter(request)->error_code, KAFKA_ERROR_NONE);
    ck_assert_configured(32, "g", "consumer.heartbeat.interval.ms", "2000");
    request->validate_only = false;
    ck_assert_int_eq(alter(request)->error_code, KAFKA_ERROR_NONE);
    ck_assert_configured(32, "g", "consumer.heartbeat.interval.ms", "3000");
    ck_assert_configured(32, "g", "consumer.session.timeout.ms", "45000");
}
END_TEST

TEST_MAIN_FIXTURE("api/alter_configs", setup, teardown, alter_replaces_the_whole_set,
    alter_validate_only, alter_refusals, alter_broker, alter_group)
