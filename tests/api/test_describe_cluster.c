// SPDX-License-Identifier: BSD-2-Clause
#include "admin.h"
#include "runner.h"
#include "wire/describe_cluster.gen.h"

static struct harness *harness;

static void setup(void)
{
    harness = harness_new(1, "broker.rack=r7", "node.id=5", NULL);
}

static void teardown(void)
{
    harness_free(harness);
}

static const struct describe_cluster_response *ask(
    int16_t version, int8_t endpoint, bool operations)
{
    struct describe_cluster_request *request =
        harness_request(harness, &describe_cluster_api_codec);
    request->endpoint_type = endpoint;
    request->include_cluster_authorized_operations = operations;
    return harness_call(harness, &describe_cluster_api_codec, version, request);
}

START_TEST(cluster_is_this_broker)
{
    const struct describe_cluster_response *response = ask(0, 1, false);
    ck_assert_int_eq(response->error_code, KAFKA_ERROR_NONE);
    ck_assert_uint_eq(response->cluster_id.size, UUID_TEXT_SIZE);
    ck_assert_int_eq(response->controller_id, 5);
    ck_assert_int_eq(response->brokers_count, 1);
    ck_assert_int_eq(response->brokers->broker_id, 5);
    ck_assert_slice(response->brokers->host, "localhost");
    ck_assert_int_eq(response->brokers->port, 9092);
    ck_assert_slice(response->brokers->rack, "r7");
    ck_assert_int_eq(response->cluster_authorized_operations, INT32_MIN);
    ck_assert_int_eq(ask(0, 1, true)->cluster_authorized_operations, 8096);
}
END_TEST

START_TEST(cluster_has_no_controllers_apart)
{
    ck_assert_int_eq(ask(1, 2, false)->error_code, KAFKA_ERROR_MISMATCHED_ENDPOINT_TYPE);
    ck_assert_int_eq(ask(1, 9, false)->error_code, KAFKA_ERROR_UNSUPPORTED_ENDPOINT_TYPE);
}
END_TEST

START_TEST(cluster_address_can_be_set)
{
    harness_restart(harness, "advertised.listeners=PLAINTEXT://kafka.example:19092", NULL);
    const struct describe_cluster_response *response = ask(1, 1, false);
    ck_assert_slice(response->brokers->host, "kafka.example");
    ck_assert_int_eq(response->brokers->port, 19092);
}
END_TEST

TEST_MAIN_FIXTURE("api/describe_cluster", setup, teardown, cluster_is_this_broker,
    cluster_has_no_controllers_apart, cluster_address_can_be_set)
