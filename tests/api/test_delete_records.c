// SPDX-License-Identifier: BSD-2-Clause
#include "api/plane.h"
#include "wire/delete_records.gen.h"
#include "runner.h"

static const struct delete_records_response_partition *delete_below(
    struct harness *harness, const char *topic, int32_t partition, int64_t offset)
{
    struct arena *arena = harness_arena(harness);
    struct delete_records_request *request = harness_request(harness, &delete_records_api_codec);
    request->topics = arena_new(arena, struct delete_records_request_topic);
    request->topics_count = 1;
    request->topics->name = slice_from_str(topic);
    request->topics->partitions = arena_new(arena, struct delete_records_request_partition);
    request->topics->partitions_count = 1;
    request->topics->partitions->partition_index = partition;
    request->topics->partitions->offset = offset;
    const struct delete_records_response *response =
        harness_call(harness, &delete_records_api_codec, 2, request);
    return response->topics->partitions;
}

START_TEST(delete_records_moves_the_start)
{
    struct harness *harness = harness_new(2, NULL);
    plane_topic(harness, "orders", 1, NULL, NULL);
    for (int i = 0; i < 4; i++)
        plane_produce(harness, "orders", 0, (struct plane_batch){.count = 5});
    const struct delete_records_response_partition *answer = delete_below(harness, "orders", 0, 7);
    ck_assert_int_eq(answer->error_code, KAFKA_ERROR_NONE);
    ck_assert_int_eq(answer->low_watermark, 7);
    ck_assert_int_eq(
        plane_fetch(harness, 11, (struct plane_fetch){.topic = "orders", .offset = 6})->error_code,
        KAFKA_ERROR_OFFSET_OUT_OF_RANGE);
    const struct fetch_response_partition *fetched =
        plane_fetch(harness, 11, (struct plane_fetch){.topic = "orders", .offset = 7});
    ck_assert_int_eq(fetched->log_start_offset, 7);
    plane_records(harness, fetched);
    /* Never backwards, and it stays after a restart. */
    ck_assert_int_eq(delete_below(harness, "orders", 0, 3)->low_watermark, 7);
    harness_restart(harness, NULL);
    ck_assert_int_eq(
        plane_fetch(harness, 11, (struct plane_fetch){.topic = "orders", .offset = 6})->error_code,
        KAFKA_ERROR_OFFSET_OUT_OF_RANGE);
    ck_assert_int_eq(delete_below(harness, "orders", 0, -1)->low_watermark, 20);
    ck_assert_int_eq(plane_produce(harness, "orders", 0, (struct plane_batch){0})->base_offset, 20);
    harness_free(harness);
}
END_TEST

START_TEST(delete_records_refuses_what_it_should)
{
    struct harness *harness = harness_new(2, NULL);
    plane_topic(harness, "orders", 1, NULL, NULL);
    plane_topic(harness, "state", 1, "cleanup.policy", "compact");
    plane_produce(harness, "orders", 0, (struct plane_batch){.count = 5});
    ck_assert_int_eq(
        delete_below(harness, "orders", 0, 6)->error_code, KAFKA_ERROR_OFFSET_OUT_OF_RANGE);
    ck_assert_int_eq(
        delete_below(harness, "orders", 0, -2)->error_code, KAFKA_ERROR_OFFSET_OUT_OF_RANGE);
    ck_assert_int_eq(
        delete_below(harness, "state", 0, 0)->error_code, KAFKA_ERROR_POLICY_VIOLATION);
    ck_assert_int_eq(
        delete_below(harness, "nothing", 0, 0)->error_code, KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION);
    ck_assert_int_eq(delete_below(harness, "orders", 1, 0)->low_watermark, -1);
    harness_free(harness);
}
END_TEST

TEST_MAIN(
    "api/delete_records", delete_records_moves_the_start, delete_records_refuses_what_it_should)
