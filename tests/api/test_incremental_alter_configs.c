// SPDX-License-Identifier: BSD-2-Clause
#include "configured.h"
#include "runner.h"
#include "support/consumer_calls.h"
#include "wire/incremental_alter_configs.gen.h"

enum { SET, DELETE, APPEND, SUBTRACT };

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

static const struct incremental_alter_configs_response_resource *alter(
    int8_t type, const char *name, int8_t operation, const char *key, const char *value)
{
    struct incremental_alter_configs_request *request =
        harness_request(harness, &incremental_alter_configs_api_codec);
    request->resources =
        arena_new(harness_arena(harness), struct incremental_alter_configs_request_resource);
    request->resources_count = 1;
    request->resources->resource_type = type;
    request->resources->resource_name = slice_from_str(name);
    request->resources->configs =
        arena_new(harness_arena(harness), struct incremental_alter_configs_request_config);
    request->resources->configs_count = 1;
    request->resources->configs[0] = (struct incremental_alter_configs_request_config){
        slice_from_str(key), operation, slice_from_str(value)};
    const struct incremental_alter_configs_response *response =
        harness_call(harness, &incremental_alter_configs_api_codec, 1, request);
    ck_assert_int_eq(response->responses_count, 1);
    return response->responses;
}

static void accepted(
    int8_t type, const char *name, int8_t operation, const char *key, const char *value)
{
    const struct incremental_alter_configs_response_resource *answer =
        alter(type, name, operation, key, value);
    ck_assert_msg(answer->error_code == KAFKA_ERROR_NONE, "%d: %.*s", answer->error_code,
        SLICE_FMT(answer->error_message));
}

START_TEST(incremental_set_and_delete)
{
    accepted(2, "orders", SET, "retention.ms", "1000");
    accepted(2, "orders", SET, "segment.bytes", "5000");
    ck_assert_configured(2, "orders", "retention.ms", "1000");
    ck_assert_configured(2, "orders", "segment.bytes", "5000");
    accepted(2, "orders", DELETE, "retention.ms", NULL);
    ck_assert_configured(2, "orders", "retention.ms", "604800000");
    ck_assert_configured(2, "orders", "segment.bytes", "5000");
}
END_TEST

START_TEST(incremental_lists)
{
    accepted(2, "orders", APPEND, "cleanup.policy", "compact");
    ck_assert_configured(2, "orders", "cleanup.policy", "delete,compact");
    accepted(2, "orders", APPEND, "cleanup.policy", "compact");
    ck_assert_configured(2, "orders", "cleanup.policy", "delete,compact");
    accepted(2, "orders", SUBTRACT, "cleanup.policy", "delete");
    ck_assert_configured(2, "orders", "cleanup.policy", "compact");
    ck_assert_int_eq(
        alter(2, "orders", APPEND, "retention.ms", "1")->error_code, KAFKA_ERROR_INVALID_CONFIG);
}
END_TEST

START_TEST(incremental_refusals)
{
    ck_assert_int_eq(
        alter(2, "orders", 9, "retention.ms", "1")->error_code, KAFKA_ERROR_INVALID_REQUEST);
    ck_assert_int_eq(
        alter(2, "orders", SET, "retention.ms", NULL)->error_code, KAFKA_ERROR_INVALID_REQUEST);
    ck_assert_int_eq(
        alter(2, "orders", SET, "no.such.key", "1")->error_code, KAFKA_ERROR_INVALID_CONFIG);
    accepted(2, "orders", DELETE, "no.such.key", NULL); /* it is not set, then or now */
    ck_assert_int_eq(alter(2, "nothing", SET, "retention.ms", "1")->error_code,
        KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION);
    ck_assert_int_eq(alter(4, "1", SET, "log.dirs", "/x")->error_code, KAFKA_ERROR_INVALID_REQUEST);
}
END_TEST

/* A broker's default reaches the topics that have no value of their own; the broker's own value is
 * stronger than the default of all; all of it is there after a restart. */
START_TEST(incremental_broker_defaults_reach_topics)
{
    accepted(2, "orders", SET, "segment.bytes", "5000");
    accepted(4, "", SET, "log.retention.ms", "111");
    accepted(4, "", SET, "log.segment.bytes", "222");
    ck_assert_configured(2, "orders", "retention.ms", "111");
    ck_assert_configured(2, "orders", "segment.bytes", "5000");
    ck_assert_int_eq(configured(harness, 2, "orders", "retention.ms")->config_source, 3);
    accepted(4, "1", SET, "log.retention.ms", "333");
    ck_assert_configured(2, "orders", "retention.ms", "333");
    ck_assert_configured(4, "", "log.retention.ms", "111");
    harness_restart(harness, NULL);
    ck_assert_configured(2, "orders", "retention.ms", "333");
    accepted(4, "1", DELETE, "log.retention.ms", NULL);
    ck_assert_configured(2, "orders", "retention.ms", "111");
    accepted(4, "", DELETE, "log.retention.ms", NULL);
    ck_assert_configured(2, "orders", "retention.ms", "604800000");
}
END_TEST

static void refused(const char *name, int8_t operation, const char *key, const char *value,
    int16_t error, const char *text)
{
    const struct incremental_alter_configs_response_resource *answer =
        alter(32, name, operation, key, value);
    ck_assert_int_eq(answer->error_code, error);
    ck_assert_text(answer->error_message, text);
}

START_TEST(incremental_group)
{
    ck_assert_configured(32, "g", "consumer.session.timeout.ms", "45000");
    accepted(32, "g", SET, "consumer.session.timeout.ms", " 50000 ");
    accepted(32, "g", SET, "consumer.heartbeat.interval.ms", "700");
    accepted(32, "other", SET, "consumer.session.timeout.ms", "7000");
    ck_assert_configured(32, "g", "consumer.session.timeout.ms", "50000");
    ck_assert_configured(32, "g", "consumer.heartbeat.interval.ms", "700");
    ck_assert_configured(32, "other", "consumer.heartbeat.interval.ms", "1000");
    harness_restart(harness, NULL);
    ck_assert_configured(32, "g", "consumer.session.timeout.ms", "50000");
    ck_assert_configured(32, "other", "consumer.session.timeout.ms", "7000");
    accepted(32, "g", DELETE, "consumer.session.timeout.ms", NULL);
    accepted(32, "other", DELETE, "consumer.session.timeout.ms", NULL);
    accepted(32, "other", DELETE, "consumer.session.timeout.ms", NULL); /* nothing is set now */
    ck_assert_configured(32, "g", "consumer.session.timeout.ms", "45000");
    ck_assert_configured(32, "g", "consumer.heartbeat.interval.ms", "700");
    harness_restart(harness, NULL);
    ck_assert_configured(32, "g", "consumer.heartbeat.interval.ms", "700");
    ck_assert_int_eq(
        configured(harness, 32, "other", "consumer.session.timeout.ms")->config_source, 5);
}
END_TEST

START_TEST(incremental_group_refusals)
{
    refused("", SET, "consumer.session.timeout.ms", "50000", KAFKA_ERROR_INVALID_REQUEST,
        "Default group resources are not allowed.");
    refused("g", SET, "consumer.session.timeout.ms", "60001", KAFKA_ERROR_INVALID_CONFIG,
        "consumer.session.timeout.ms must be less than or equal to "
        "group.consumer.max.session.timeout.ms");
    refused("g", SET, "consumer.session.timeout.ms", "5999", KAFKA_ERROR_INVALID_CONFIG,
        "must be greater than or equal to group.consumer.min.session.timeout.ms");
    refused("g", SET, "consumer.heartbeat.interval.ms", "99", KAFKA_ERROR_INVALID_CONFIG,
        "consumer.heartbeat.interval.ms must be greater than or equal to "
        "group.consumer.min.heartbeat.interval.ms");
    refused("g", SET, "consumer.heartbeat.interval.ms", "soon", KAFKA_ERROR_INVALID_CONFIG,
        "a whole number");
    refused("g", APPEND, "consumer.heartbeat.interval.ms", "1", KAFKA_ERROR_INVALID_CONFIG,
        "its type is not LIST");
    refused("g", SET, "consumer.session.timeout", "1", KAFKA_ERROR_INVALID_CONFIG,
        "Unknown group config name: consumer.session.timeout");
    refused("g", SET, "share.assignment.interval.ms", "1", KAFKA_ERROR_INVALID_CONFIG,
        "partitions are assigned at once");
    accepted(32, "g", SET, "consumer.heartbeat.interval.ms", "9000");
    refused("g", SET, "consumer.session.timeout.ms", "9000", KAFKA_ERROR_INVALID_CONFIG,
        "consumer.session.timeout.ms must be greater than consumer.heartbeat.interval.ms");
    accepted(32, "g", DELETE, "no.such.key", NULL);
    ck_assert_configured(32, "g", "consumer.session.timeout.ms", "45000");
}
END_TEST

START_TEST(incremental_share_group)
{
    ck_assert_configured(32, "g", "share.auto.offset.reset", "latest");
    ck_assert_configured(32, "g", "share.isolation.level", "read_uncommitted");
    ck_assert_configured(32, "g", "share.renew.acknowledge.enable", "true");
    ck_assert_configured(32, "g", "share.partition.max.record.locks", "2000");
    accepted(32, "g", SET, "share.auto.offset.reset", "by_duration:PT1H");
    accepted(32, "g", SET, "share.isolation.level", "read_committed");
    accepted(32, "g", SET, "share.record.lock.duration.ms", "1500");
    accepted(32, "g", SET, "share.delivery.count.limit", "7");
    harness_restart(harness, NULL);
    ck_assert_configured(32, "g", "share.auto.offset.reset", "by_duration:PT1H");
    ck_assert_configured(32, "g", "share.isolation.level", "read_committed");
    ck_assert_configured(32, "g", "share.record.lock.duration.ms", "1500");
    ck_assert_configured(32, "g", "share.delivery.count.limit", "7");
    ck_assert_int_eq(configured(harness, 32, "g", "share.isolation.level")->config_source, 8);
    ck_assert_int_eq(configured(harness, 32, "h", "share.isolation.level")->config_source, 5);
    refused("g", SET, "share.auto.offset.reset", "soon", KAFKA_ERROR_INVALID_CONFIG,
        "The value must be either 'earliest', 'latest' or of the format");
    refused(
        "g", SET, "share.isolation.level", "read", KAFKA_ERROR_INVALID_CONFIG, "read_committed");
    refused(
        "g", SET, "share.renew.acknowledge.enable", "maybe", KAFKA_ERROR_INVALID_CONFIG, "true");
    refused("g", SET, "share.delivery.count.limit", "11", KAFKA_ERROR_INVALID_CONFIG,
        "share.delivery.count.limit must be less than or equal to "
        "group.share.max.delivery.count.limit");
    refused("g", SET, "share.partition.max.record.locks", "99", KAFKA_ERROR_INVALID_CONFIG, "100");
    refused("g", SET, "share.session.timeout.ms", "5999", KAFKA_ERROR_INVALID_CONFIG,
        "group.share.min.session.timeout.ms");
    accepted(32, "g", SET, "share.heartbeat.interval.ms", "9000");
    refused("g", SET, "share.session.timeout.ms", "9000", KAFKA_ERROR_INVALID_CONFIG,
        "share.session.timeout.ms must be greater than share.heartbeat.interval.ms");
}
END_TEST

/* Members hear of it with their next heartbeat; other groups do not. */
START_TEST(incremental_group_reaches_members)
{
    struct consumer_call member = {"a"}, other = {"b"};
    struct harness *before = harness;
    harness = calls_new(2);
    calls_topic(harness, "t", 1);
    consumer_join(harness, "g", &member, "t");
    consumer_join(harness, "h", &other, "t");
    ck_assert_int_eq(member.heartbeat_ms, 1000);
    accepted(32, "g", SET, "consumer.heartbeat.interval.ms", "300");
    consumer_beat(harness, "g", &member, 1);
    consumer_beat(harness, "h", &other, 1);
    ck_assert_int_eq(member.heartbeat_ms, 300);
    ck_assert_int_eq(other.heartbeat_ms, 1000);
    harness_free(harness);
    harness = before;
}
END_TEST

TEST_MAIN_FIXTURE("api/incremental_alter_configs", setup, teardown, incremental_set_and_delete,
    incremental_lists, incremental_refusals, incremental_broker_defaults_reach_topics,
    incremental_group, incremental_group_refusals, incremental_share_group,
    incremental_group_reaches_members)
