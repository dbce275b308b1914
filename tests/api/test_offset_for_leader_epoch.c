// SPDX-License-Identifier: BSD-2-Clause
#include "api/plane.h"
#include "wire/offset_for_leader_epoch.gen.h"
#include "runner.h"

static const struct offset_for_leader_epoch_response_partition *ask(struct harness *harness,
    int16_t version, const char *topic, int32_t current_epoch, int32_t epoch)
{
    struct arena *arena = harness_arena(harness);
    struct offset_for_leader_epoch_request *request =
        harness_request(harness, &offset_for_leader_epoch_api_codec);
    request->topics = arena_new(arena, struct offset_for_leader_epoch_request_topic);
    request->topics_count = 1;
    request->topics->topic = slice_from_str(topic);
    request->topics->partitions =
        arena_new(arena, struct offset_for_leader_epoch_request_partition);
    request->topics->partitions_count = 1;
    request->topics->partitions->current_leader_epoch = current_epoch;
    request->topics->partitions->leader_epoch = epoch;
    const struct offset_for_leader_epoch_response *response =
        harness_call(harness, &offset_for_leader_epoch_api_codec, version, request);
    return response->topics->partitions;
}

START_TEST(offset_for_leader_epoch_of_the_current_one_is_the_log_end)
{
    struct harness *harness = harness_new(2, NULL);
    plane_topic(harness, "orders", 1, NULL, NULL);
    plane_produce(harness, "orders", 0, (struct plane_batch){.count = 6});
    struct slice records = plane_records(
        harness, plane_fetch(harness, 11, (struct plane_fetch){.topic = "orders", .min_bytes = 1}));
    int32_t epoch = batch_header_parse(records.data).leader_epoch;
    for (int16_t version = 2; version <= 4; version++) {
        const struct offset_for_leader_epoch_response_partition *answer =
            ask(harness, version, "orders", -1, epoch);
        ck_assert_int_eq(answer->error_code, KAFKA_ERROR_NONE);
        ck_assert_int_eq(answer->leader_epoch, epoch);
        ck_assert_int_eq(answer->end_offset, 6);
        ck_assert_int_eq(ask(harness, version, "orders", epoch, epoch)->end_offset, 6);
    }
    const struct offset_for_leader_epoch_response_partition *answer =
        ask(harness, 4, "orders", -1, epoch + 1);
    ck_assert_int_eq(answer->error_code, KAFKA_ERROR_NONE);
    ck_assert_int_eq(answer->leader_epoch, -1);
    ck_assert_int_eq(answer->end_offset, -1);
    ck_assert_int_eq(
        ask(harness, 4, "orders", epoch + 1, epoch)->error_code, KAFKA_ERROR_UNKNOWN_LEADER_EPOCH);
    ck_assert_int_eq(
        ask(harness, 4, "nothing", -1, epoch)->error_code, KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION);
    harness_free(harness);
}
END_TEST

TEST_MAIN("api/offset_for_leader_epoch", offset_for_leader_epoch_of_the_current_one_is_the_log_end)
