// SPDX-License-Identifier: BSD-2-Clause
#include "api/txn.h"
#include "runner.h"

#include "wire/describe_producers.gen.h"

static const struct describe_producers_response_partition *describe(
    struct harness *harness, const char *topic, int32_t partition)
{
    struct arena *arena = harness_arena(harness);
    struct describe_producers_request *request =
        harness_request(harness, &describe_producers_api_codec);
    request->topics = arena_new(arena, struct describe_producers_request_topic);
    request->topics_count = 1;
    request->topics->name = slice_from_str(topic);
    request->topics->partition_indexes = arena_new(arena, int32_t);
    request->topics->partition_indexes[0] = partition;
    request->topics->partition_indexes_count = 1;
    const struct describe_producers_response *response =
        harness_call(harness, &describe_producers_api_codec, 0, request);
    ck_assert_int_eq(response->topics_count, 1);
    return response->topics->partitions;
}

START_TEST(describe_producers_names_them)
{
    struct harness *harness = harness_new(2, NULL);
    plane_topic(harness, "orders", 1, NULL, NULL);
    ck_assert_int_eq(
        describe(harness, "nothing", 0)->error_code, KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION);
    ck_assert_int_eq(describe(harness, "orders", 0)->active_producers_count, 0);
    struct txn_client client = txn_client_new(harness, "t");
    txn_send(&client, 12, "orders");
    txn_send(&client, 12, "orders");
    const struct describe_producers_response_partition *found = describe(harness, "orders", 0);
    ck_assert_int_eq(found->active_producers_count, 1);
    ck_assert_int_eq(found->active_producers->producer_id, client.producer_id);
    ck_assert_int_eq(found->active_producers->producer_epoch, 0);
    ck_assert_int_eq(found->active_producers->last_sequence, 1);
    ck_assert_int_eq(found->active_producers->coordinator_epoch, -1);
    ck_assert_int_eq(found->active_producers->current_txn_start_offset, 0);
    ck_assert_int_gt(found->active_producers->last_timestamp, 0);
    txn_finish(&client, 5, true);
    harness_restart(harness, NULL);
    found = describe(harness, "orders", 0);
    ck_assert_int_eq(found->active_producers->producer_epoch, 1);
    ck_assert_int_eq(found->active_producers->current_txn_start_offset, -1);
    ck_assert_int_eq(found->active_producers->coordinator_epoch, 0);
    harness_free(harness);
}
END_TEST

TEST_MAIN("api/describe_producers", describe_producers_names_them)
