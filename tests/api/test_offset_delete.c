// SPDX-License-Identifier: BSD-2-Clause
#include "runner.h"
#include "support/group_calls.h"
#include "wire/offset_delete.gen.h"

static const struct offset_delete_response *delete_one(
    struct harness *harness, const char *group, const char *topic, int32_t partition)
{
    struct arena *arena = harness_arena(harness);
    struct offset_delete_request *request = harness_request(harness, &offset_delete_api_codec);
    request->group_id = slice_from_str(group);
    request->topics = arena_new(arena, struct offset_delete_request_topic);
    request->topics_count = 1;
    offset_delete_request_topic_init(request->topics);
    request->topics->name = slice_from_str(topic);
    request->topics->partitions = arena_new(arena, struct offset_delete_request_partition);
    request->topics->partitions_count = 1;
    offset_delete_request_partition_init(request->topics->partitions);
    request->topics->partitions->partition_index = partition;
    return calls_do(harness, &offset_delete_api_codec, 0, request);
}

static int16_t delete_error(
    struct harness *harness, const char *group, const char *topic, int32_t partition)
{
    const struct offset_delete_response *response = delete_one(harness, group, topic, partition);
    ck_assert_int_eq(response->error_code, KAFKA_ERROR_NONE);
    return response->topics[0].partitions[0].error_code;
}

START_TEST(of_a_group_nobody_is_in)
{
    struct harness *harness = calls_new(2);
    calls_topic(harness, "orders", 3);
    ck_assert_int_eq(
        delete_one(harness, "g", "orders", 0)->error_code, KAFKA_ERROR_GROUP_ID_NOT_FOUND);
    ck_assert_int_eq(
        delete_one(harness, "", "orders", 0)->error_code, KAFKA_ERROR_INVALID_GROUP_ID);
    calls_commit(harness, 5, "g", NULL, "orders", 0, 5);
    calls_commit(harness, 5, "g", NULL, "orders", 1, 5);
    ck_assert_int_eq(delete_error(harness, "g", "orders", 0), KAFKA_ERROR_NONE);
    ck_assert_int_eq(delete_error(harness, "g", "orders", 2), KAFKA_ERROR_NONE);
    ck_assert_int_eq(
        delete_error(harness, "g", "orders", 3), KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION);
    ck_assert_int_eq(
        delete_error(harness, "g", "nothing", 0), KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION);
    ck_assert_int_eq(calls_committed(harness, "g", "orders", 0), -1);
    ck_assert_int_eq(calls_committed(harness, "g", "orders", 1), 5);
    harness_restart(harness, NULL);
    ck_assert_int_eq(calls_committed(harness, "g", "orders", 0), -1);
    ck_assert_int_eq(calls_committed(harness, "g", "orders", 1), 5);
    harness_free(harness);
}
END_TEST

START_TEST(of_a_live_group_only_what_it_does_not_read)
{
    struct harness *harness = calls_new(2);
    calls_topic(harness, "orders", 3);
    calls_topic(harness, "trades", 3);
    struct calls_member member = calls_member(harness, "g", 1);
    calls_stabilize(&member);
    calls_commit(harness, 5, "g", &member, "orders", 0, 5);
    calls_commit(harness, 5, "g", &member, "trades", 0, 5);
    ck_assert_int_eq(
        delete_error(harness, "g", "orders", 0), KAFKA_ERROR_GROUP_SUBSCRIBED_TO_TOPIC);
    ck_assert_int_eq(delete_error(harness, "g", "trades", 0), KAFKA_ERROR_NONE);
    ck_assert_int_eq(calls_committed(harness, "g", "orders", 0), 5);
    ck_assert_int_eq(calls_committed(harness, "g", "trades", 0), -1);
    harness_free(harness);
}
END_TEST

TEST_MAIN("api/offset_delete", of_a_group_nobody_is_in, of_a_live_group_only_what_it_does_not_read)
