// SPDX-License-Identifier: BSD-2-Clause
#include "support/share_calls.h"

START_TEST(what_a_group_knows)
{
    struct harness *harness = calls_new(2);
    calls_topic(harness, "t", 3);
    struct share_call first = {"a"};
    ck_assert_int_eq(share_offsets(harness, "g")->error_code, KAFKA_ERROR_NONE);
    ck_assert_int_eq(share_offsets(harness, "g")->topics_count, 0);
    share_join(harness, "g", &first, "t");
    const struct describe_share_group_offsets_response_group *group = share_offsets(harness, "g");
    ck_assert_int_eq(group->error_code, KAFKA_ERROR_NONE);
    ck_assert_int_eq(group->topics_count, 1);
    ck_assert_int_eq(group->topics->partitions_count, 3);
    for (int32_t p = 0; p < 3; p++) {
        ck_assert_int_eq(group->topics->partitions[p].error_code, KAFKA_ERROR_NONE);
        ck_assert_int_eq(group->topics->partitions[p].start_offset, -1); /* nobody has fetched */
        ck_assert_int_eq(group->topics->partitions[p].lag, -1);
    }
    harness_free(harness);
}
END_TEST

START_TEST(what_is_not_there)
{
    struct harness *harness = calls_new(2);
    calls_topic(harness, "t", 1);
    struct arena *arena = harness_arena(harness);
    struct describe_share_group_offsets_request *request =
        harness_request(harness, &describe_share_group_offsets_api_codec);
    request->groups = arena_new(arena, struct describe_share_group_offsets_request_group);
    describe_share_group_offsets_request_group_init(request->groups);
    request->groups->group_id = SLICE_LIT("nobody");
    request->groups->topics =
        arena_new_n(arena, struct describe_share_group_offsets_request_topic, 2);
    request->groups->topics_count = 2;
    int32_t partitions[] = {0, 7};
    for (int i = 0; i < 2; i++) {
        describe_share_group_offsets_request_topic_init(&request->groups->topics[i]);
        request->groups->topics[i].topic_name = slice_from_str(i == 0 ? "t" : "none");
        request->groups->topics[i].partitions = partitions;
        request->groups->topics[i].partitions_count = 2;
    }
    request->groups_count = 1;
    const struct describe_share_group_offsets_response *response =
        calls_do(harness, &describe_share_group_offsets_api_codec, 1, request);
    ck_assert_int_eq(response->groups->error_code, KAFKA_ERROR_NONE);
    ck_assert_int_eq(response->groups->topics_count, 2);
    for (int i = 0; i < 4; i++) {
        const struct describe_share_group_offsets_response_partition *partition =
            &response->groups->topics[i / 2].partitions[i % 2];
        ck_assert_int_eq(partition->error_code, KAFKA_ERROR_NONE);
        ck_assert_int_eq(partition->start_offset, -1);
    }
    harness_restart(harness, "odradek.share.version=0", NULL);
    ck_assert_int_eq(share_offsets(harness, "g")->error_code, KAFKA_ERROR_UNSUPPORTED_VERSION);
    harness_free(harness);
}
END_TEST

TEST_MAIN("api/describe_share_group_offsets", what_a_group_knows, what_is_not_there)
