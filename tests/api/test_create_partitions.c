// SPDX-License-Identifier: BSD-2-Clause
#include "admin.h"
#include "runner.h"
#include "wire/create_partitions.gen.h"

static struct harness *harness;

static void setup(void)
{
    harness = harness_new(2, NULL);
}

static void teardown(void)
{
    harness_free(harness);
}

static struct create_partitions_request *request_for(const char *name, int32_t count)
{
    struct create_partitions_request *request =
        harness_request(harness, &create_partitions_api_codec);
    request->topics = arena_new(harness_arena(harness), struct create_partitions_request_topic);
    create_partitions_request_topic_init(request->topics);
    request->topics->name = slice_from_str(name);
    request->topics->count = count;
    request->topics->assignments_count = -1;
    request->topics_count = 1;
    return request;
}

static const struct create_partitions_response_topic *grow(
    const struct create_partitions_request *request)
{
    const struct create_partitions_response *response =
        harness_call(harness, &create_partitions_api_codec, 3, request);
    ck_assert_int_eq(response->results_count, 1);
    return response->results;
}

static void refused(
    const struct create_partitions_request *request, int16_t error, const char *text)
{
    const struct create_partitions_response_topic *answer = grow(request);
    ck_assert_int_eq(answer->error_code, error);
    ck_assert_text(answer->error_message, text);
}

START_TEST(partitions_are_added)
{
    struct uuid id = admin_create(harness, "orders", 2);
    ck_assert_int_eq(grow(request_for("orders", 5))->error_code, KAFKA_ERROR_NONE);
    const struct metadata_response_topic *topic = admin_topic(harness, "orders");
    ck_assert_int_eq(topic->partitions_count, 5);
    ck_assert(uuid_equal(topic->topic_id, id));
    harness_restart(harness, NULL);
    ck_assert_int_eq(admin_topic(harness, "orders")->partitions_count, 5);
}
END_TEST

START_TEST(partitions_are_never_taken_away)
{
    admin_create(harness, "orders", 3);
    refused(request_for("orders", 3), KAFKA_ERROR_INVALID_PARTITIONS, "has 3 partitions");
    refused(request_for("orders", 2), KAFKA_ERROR_INVALID_PARTITIONS, "cannot be taken away");
    refused(request_for("orders", 0), KAFKA_ERROR_INVALID_PARTITIONS, "would not be an increase");
    refused(request_for("nothing", 3), KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION, "does not host");
}
END_TEST

START_TEST(partitions_validate_only)
{
    admin_create(harness, "orders", 1);
    struct create_partitions_request *request = request_for("orders", 4);
    request->validate_only = true;
    ck_assert_int_eq(grow(request)->error_code, KAFKA_ERROR_NONE);
    ck_assert_int_eq(admin_topic(harness, "orders")->partitions_count, 1);
}
END_TEST

START_TEST(partitions_with_assignments)
{
    admin_create(harness, "orders", 1);
    struct create_partitions_request *request = request_for("orders", 2);
    struct create_partitions_request_assignment assignment = {0};
    int32_t node = 9;
    request->topics->assignments = &assignment;
    request->topics->assignments_count = 1;
    assignment.broker_ids = &node;
    assignment.broker_ids_count = 1;
    refused(request, KAFKA_ERROR_INVALID_REPLICA_ASSIGNMENT, "exactly [1]");
    request->topics->count = 3;
    refused(request, KAFKA_ERROR_INVALID_REPLICA_ASSIGNMENT, "by 2 but 1 assignments");
    request->topics->count = 2;
    node = 1;
    ck_assert_int_eq(grow(request)->error_code, KAFKA_ERROR_NONE);
}
END_TEST

TEST_MAIN_FIXTURE("api/create_partitions", setup, teardown, partitions_are_added,
    partitions_are_never_taken_away, partitions_validate_only, partitions_with_assignments)
