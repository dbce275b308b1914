// SPDX-License-Identifier: BSD-2-Clause
#include "api/plane.h"
#include "wire/list_offsets.gen.h"
#include "runner.h"

static const struct list_offsets_response_partition *list(struct harness *harness, int16_t version,
    const char *topic, int32_t partition, int64_t timestamp)
{
    struct arena *arena = harness_arena(harness);
    struct list_offsets_request *request = harness_request(harness, &list_offsets_api_codec);
    request->replica_id = -1;
    request->topics = arena_new(arena, struct list_offsets_request_topic);
    request->topics_count = 1;
    request->topics->name = slice_from_str(topic);
    request->topics->partitions = arena_new(arena, struct list_offsets_request_partition);
    request->topics->partitions_count = 1;
    list_offsets_request_partition_init(request->topics->partitions);
    request->topics->partitions->partition_index = partition;
    request->topics->partitions->timestamp = timestamp;
    request->topics->partitions->max_num_offsets = 2;
    const struct list_offsets_response *response =
        harness_call(harness, &list_offsets_api_codec, version, request);
    ck_assert_int_eq(response->topics_count, 1);
    ck_assert_int_eq(response->topics->partitions_count, 1);
    return response->topics->partitions;
}

START_TEST(list_offsets_knows_both_ends)
{
    struct harness *harness = harness_new(2, NULL);
    plane_topic(harness, "orders", 2, NULL, NULL);
    plane_produce(harness, "orders", 1, (struct plane_batch){.count = 7});
    for (int16_t version = 1; version <= 10; version++) {
        const struct list_offsets_response_partition *latest =
            list(harness, version, "orders", 1, -1);
        const struct list_offsets_response_partition *earliest =
            list(harness, version, "orders", 1, -2);
        ck_assert_int_eq(latest->error_code, KAFKA_ERROR_NONE);
        ck_assert_int_eq(latest->offset, 7);
        ck_assert_int_eq(latest->timestamp, -1);
        ck_assert_int_eq(earliest->offset, 0);
        ck_assert_int_eq(list(harness, version, "orders", 0, -1)->offset, 0);
    }
    ck_assert_int_eq(list(harness, 8, "orders", 1, -4)->offset, 0);
    ck_assert_int_eq(list(harness, 9, "orders", 1, -5)->offset, -1);
    ck_assert_int_eq(list(harness, 9, "orders", 1, -5)->error_code, KAFKA_ERROR_NONE);
    harness_free(harness);
}
END_TEST

START_TEST(list_offsets_old_style_is_a_list)
{
    struct harness *harness = harness_new(1, NULL);
    plane_topic(harness, "orders", 1, NULL, NULL);
    plane_produce(harness, "orders", 0, (struct plane_batch){.count = 7});
    const struct list_offsets_response_partition *answer = list(harness, 0, "orders", 0, -1);
    ck_assert_int_eq(answer->old_style_offsets_count, 2);
    ck_assert_int_eq(answer->old_style_offsets[0], 7);
    ck_assert_int_eq(answer->old_style_offsets[1], 0);
    answer = list(harness, 0, "orders", 0, -2);
    ck_assert_int_eq(answer->old_style_offsets_count, 1);
    ck_assert_int_eq(answer->old_style_offsets[0], 0);
    harness_free(harness);
}
END_TEST

/* Ten batches of ten records, one millisecond and then a gap of a hundred between batches. */
static void fill(struct harness *harness, const char *topic)
{
    for (int i = 0; i < 10; i++) {
        struct plane_batch batch = {.count = 10, .timestamp = 1000000 + 100 * i};
        ck_assert_int_eq(plane_produce(harness, topic, 0, batch)->error_code, KAFKA_ERROR_NONE);
    }
}

START_TEST(list_offsets_finds_the_record_of_a_time)
{
    struct harness *harness = harness_new(2, NULL);
    plane_topic(harness, "plain", 1, NULL, NULL);
    plane_topic(harness, "packed", 1, "compression.type", "zstd");
    const char *topics[] = {"plain", "packed"};
    for (size_t t = 0; t < ARRAY_COUNT(topics); t++) {
        fill(harness, topics[t]);
        const struct {
            int64_t asked, offset, timestamp;
        } cases[] = {
            {0, 0, 1000000},
            {1000000, 0, 1000000},
            {1000003, 3, 1000003},
            {1000009, 9, 1000009},
            {1000010, 10, 1000100},
            {1000505, 55, 1000505},
            {1000909, 99, 1000909},
            {1000910, -1, -1},
            {INT64_MAX, -1, -1},
        };
        for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
            const struct list_offsets_response_partition *answer =
                list(harness, 7, topics[t], 0, cases[i].asked);
            ck_assert_int_eq(answer->error_code, KAFKA_ERROR_NONE);
            ck_assert_int_eq(answer->offset, cases[i].offset);
            ck_assert_int_eq(answer->timestamp, cases[i].timestamp);
        }
        const struct list_offsets_response_partition *greatest = list(harness, 7, topics[t], 0, -3);
        ck_assert_int_eq(greatest->offset, 99);
        ck_assert_int_eq(greatest->timestamp, 1000909);
    }
    /* The greatest time is not always the last record's. */
    plane_produce(harness, "plain", 0, (struct plane_batch){.count = 5, .timestamp = 2000000});
    plane_produce(harness, "plain", 0, (struct plane_batch){.count = 5, .timestamp = 1500000});
    ck_assert_int_eq(list(harness, 7, "plain", 0, -3)->offset, 104);
    plane_topic(harness, "empty", 1, NULL, NULL);
    ck_assert_int_eq(list(harness, 7, "empty", 0, -3)->offset, -1);
    ck_assert_int_eq(list(harness, 7, "empty", 0, 5)->offset, -1);
    harness_free(harness);
}
END_TEST

START_TEST(list_offsets_with_append_time)
{
    struct harness *harness = harness_new(1, NULL);
    plane_topic(harness, "log", 1, "message.timestamp.type", "LogAppendTime");
    int64_t time =
        plane_produce(harness, "log", 0, (struct plane_batch){.count = 4})->log_append_time_ms;
    ck_assert_int_eq(list(harness, 7, "log", 0, time)->offset, 0);
    ck_assert_int_eq(list(harness, 7, "log", 0, time)->timestamp, time);
    ck_assert_int_eq(list(harness, 7, "log", 0, time + 1)->offset, -1);
    ck_assert_int_eq(list(harness, 7, "log", 0, -3)->offset, 3);
    harness_free(harness);
}
END_TEST

START_TEST(list_offsets_refuses_what_it_should)
{
    struct harness *harness = harness_new(1, NULL);
    plane_topic(harness, "orders", 1, NULL, NULL);
    ck_assert_int_eq(
        list(harness, 5, "nothing", 0, -1)->error_code, KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION);
    ck_assert_int_eq(
        list(harness, 5, "orders", 4, -1)->error_code, KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION);
    ck_assert_int_eq(
        list(harness, 6, "orders", 0, -3)->error_code, KAFKA_ERROR_UNSUPPORTED_VERSION);
    ck_assert_int_eq(
        list(harness, 7, "orders", 0, -4)->error_code, KAFKA_ERROR_UNSUPPORTED_VERSION);
    ck_assert_int_eq(
        list(harness, 9, "orders", 0, -9)->error_code, KAFKA_ERROR_UNSUPPORTED_VERSION);
    harness_free(harness);
}
END_TEST

START_TEST(list_offsets_refuses_duplicates_and_answers_the_rest)
{
    struct harness *harness = harness_new(1, NULL);
    plane_topic(harness, "orders", 3, NULL, NULL);
    struct arena *arena = harness_arena(harness);
    struct list_offsets_request *request = harness_request(harness, &list_offsets_api_codec);
    request->topics = arena_new_n(arena, struct list_offsets_request_topic, 2);
    request->topics_count = 2;
    for (int32_t t = 0; t < 2; t++) { /* 0, 1, 2 and 1 again */
        struct list_offsets_request_topic *topic = &request->topics[t];
        topic->name = SLICE_LIT("orders");
        topic->partitions_count = t == 0 ? 3 : 1;
        topic->partitions = arena_new_n(
            arena, struct list_offsets_request_partition, (size_t)topic->partitions_count);
        for (int32_t p = 0; p < topic->partitions_count; p++) {
            list_offsets_request_partition_init(&topic->partitions[p]);
            topic->partitions[p].partition_index = t == 0 ? p : 1;
            topic->partitions[p].timestamp = -1;
        }
    }
    const struct list_offsets_response *response =
        harness_call(harness, &list_offsets_api_codec, 4, request);
    ck_assert_int_eq(response->topics[0].partitions[0].error_code, KAFKA_ERROR_NONE);
    ck_assert_int_eq(response->topics[0].partitions[1].error_code, KAFKA_ERROR_INVALID_REQUEST);
    ck_assert_int_eq(response->topics[0].partitions[2].error_code, KAFKA_ERROR_NONE);
    ck_assert_int_eq(response->topics_count, 1); /* what was named twice is answered once */
    ck_assert_int_eq(response->topics[0].partitions_count, 3);
    request->topics_count = 1;
    request->topics->partitions_count = 0;
    response = harness_call(harness, &list_offsets_api_codec, 4, request);
    ck_assert_int_eq(response->topics_count, 0);
    harness_free(harness);
}
END_TEST

TEST_MAIN("api/list_offsets", list_offsets_knows_both_ends, list_offsets_old_style_is_a_list,
    list_offsets_finds_the_record_of_a_time, list_offsets_with_append_time,
    list_offsets_refuses_what_it_should, list_offsets_refuses_duplicates_and_answers_the_rest)
