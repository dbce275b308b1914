// SPDX-License-Identifier: BSD-2-Clause
#include "runner.h"
#include "support/group_calls.h"
#include "wire/delete_groups.gen.h"

START_TEST(only_groups_nobody_is_in)
{
    struct harness *harness = calls_new(3);
    calls_topic(harness, "orders", 3);
    struct calls_member member = calls_member(harness, "live", 1);
    calls_stabilize(&member);
    for (int16_t version = 0; version <= 2; version++) {
        const char *names[] = {"a", "live", "b", "nobody", "c"};
        struct slice groups[5];
        for (int i = 0; i < 5; i++)
            groups[i] = slice_from_str(names[i]);
        for (int i = 0; i < 5; i += 2)
            ck_assert_int_eq(
                calls_commit(harness, 5, names[i], NULL, "orders", 0, 1), KAFKA_ERROR_NONE);
        struct delete_groups_request *request = harness_request(harness, &delete_groups_api_codec);
        request->groups_names = groups;
        request->groups_names_count = 5;
        const struct delete_groups_response *response =
            calls_do(harness, &delete_groups_api_codec, version, request);
        ck_assert_int_eq(response->results_count, 5);
        for (int i = 0; i < 5; i++) {
            ck_assert(slice_equal(response->results[i].group_id, groups[i]));
            ck_assert_int_eq(response->results[i].error_code, i == 1 ? KAFKA_ERROR_NON_EMPTY_GROUP
                                                              : i == 3
                                                                  ? KAFKA_ERROR_GROUP_ID_NOT_FOUND
                                                                  : KAFKA_ERROR_NONE);
        }
        ck_assert_int_eq(calls_committed(harness, "a", "orders", 0), -1);
    }
    harness_restart(harness, NULL);
    ck_assert_int_eq(calls_committed(harness, "b", "orders", 0), -1);
    ck_assert_int_eq(calls_heartbeat(&member), KAFKA_ERROR_NONE);
    harness_free(harness);
}
END_TEST

START_TEST(a_group_named_twice_is_answered_once)
{
    struct harness *harness = calls_new(2);
    calls_topic(harness, "orders", 1);
    ck_assert_int_eq(calls_commit(harness, 5, "a", NULL, "orders", 0, 1), KAFKA_ERROR_NONE);
    struct slice groups[] = {SLICE_LIT("a"), SLICE_LIT("b"), SLICE_LIT("a")};
    struct delete_groups_request *request = harness_request(harness, &delete_groups_api_codec);
    request->groups_names = groups;
    request->groups_names_count = 3;
    const struct delete_groups_response *response =
        calls_do(harness, &delete_groups_api_codec, 2, request);
    ck_assert_int_eq(response->results_count, 2);
    ck_assert_int_eq(response->results[0].error_code, KAFKA_ERROR_NONE);
    ck_assert(slice_equal_str(response->results[1].group_id, "b"));
    ck_assert_int_eq(response->results[1].error_code, KAFKA_ERROR_GROUP_ID_NOT_FOUND);
    harness_free(harness);
}
END_TEST

START_TEST(before_there_is_anything)
{
    struct harness *harness = calls_new(2);
    struct slice group = SLICE_LIT("g");
    struct delete_groups_request *request = harness_request(harness, &delete_groups_api_codec);
    request->groups_names = &group;
    request->groups_names_count = 1;
    const struct delete_groups_response *response =
        calls_do(harness, &delete_groups_api_codec, 2, request);
    ck_assert_int_eq(response->results[0].error_code, KAFKA_ERROR_GROUP_ID_NOT_FOUND);
    harness_free(harness);
}
END_TEST

TEST_MAIN("api/delete_groups", only_groups_nobody_is_in, a_group_named_twice_is_answered_once,
    before_there_is_anything)
