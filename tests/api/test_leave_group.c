// SPDX-License-Identifier: BSD-2-Clause
#include "runner.h"
#include "support/group_calls.h"

START_TEST(one_by_one)
{
    struct harness *harness = calls_new(2);
    for (int16_t version = 0; version <= 2; version++) {
        struct calls_member member = calls_member(harness, "g", 1);
        calls_stabilize(&member);
        struct leave_group_request *request = harness_request(harness, &leave_group_api_codec);
        request->group_id = SLICE_LIT("g");
        request->member_id = slice_from_str(member.id);
        const struct leave_group_response *response =
            calls_do(harness, &leave_group_api_codec, version, request);
        ck_assert_int_eq(response->error_code, KAFKA_ERROR_NONE);
        response = calls_do(harness, &leave_group_api_codec, version, request);
        ck_assert_int_eq(response->error_code, KAFKA_ERROR_UNKNOWN_MEMBER_ID);
        request->group_id = SLICE_LIT("");
        response = calls_do(harness, &leave_group_api_codec, version, request);
        ck_assert_int_eq(response->error_code, KAFKA_ERROR_INVALID_GROUP_ID);
    }
    harness_free(harness);
}
END_TEST

START_TEST(several_at_once)
{
    struct harness *harness = calls_new(2);
    for (int16_t version = 3; version <= 5; version++) {
        struct calls_member member = calls_member(harness, "g", 1);
        member.instance = "i";
        calls_stabilize(&member);
        struct leave_group_request_member leaving[4];
        for (int i = 0; i < 4; i++)
            leave_group_request_member_init(&leaving[i]);
        leaving[0].member_id = SLICE_LIT("x");
        leaving[1].member_id = SLICE_LIT("x");
        leaving[1].group_instance_id = SLICE_LIT("i");
        leaving[2].member_id = SLICE_LIT(""); /* by its instance alone, as an admin does */
        leaving[2].group_instance_id = SLICE_LIT("i");
        leaving[3].member_id = SLICE_LIT("");
        leaving[3].group_instance_id = SLICE_LIT("i");
        struct leave_group_request *request = harness_request(harness, &leave_group_api_codec);
        request->group_id = SLICE_LIT("g");
        request->members = leaving;
        request->members_count = 4;
        const struct leave_group_response *response =
            calls_do(harness, &leave_group_api_codec, version, request);
        ck_assert_int_eq(response->error_code, KAFKA_ERROR_NONE);
        ck_assert_int_eq(response->members_count, 4);
        ck_assert_int_eq(response->members[0].error_code, KAFKA_ERROR_UNKNOWN_MEMBER_ID);
        ck_assert_int_eq(response->members[1].error_code, KAFKA_ERROR_FENCED_INSTANCE_ID);
        ck_assert_int_eq(response->members[2].error_code, KAFKA_ERROR_NONE);
        ck_assert(slice_equal_str(response->members[2].group_instance_id, "i"));
        ck_assert_int_eq(response->members[3].error_code, KAFKA_ERROR_UNKNOWN_MEMBER_ID);
        request->group_id = SLICE_LIT("nobody");
        response = calls_do(harness, &leave_group_api_codec, version, request);
        ck_assert_int_eq(response->members[2].error_code, KAFKA_ERROR_UNKNOWN_MEMBER_ID);
    }
    harness_free(harness);
}
END_TEST

START_TEST(the_others_go_on)
{
    struct harness *harness = calls_new(2);
    struct calls_member first = calls_member(harness, "g", 1);
    struct calls_member second = calls_member(harness, "g", 2);
    second.version = 3; /* joins at once */
    calls_stabilize(&first);
    struct harness_call *join = calls_join_send(&second);
    while (calls_heartbeat(&first) == KAFKA_ERROR_NONE)
        ;
    calls_join(&first);
    calls_join_wait(&second, join);
    ck_assert_int_eq(first.joined->members_count, 2);
    ck_assert_int_eq(calls_leave(&second), KAFKA_ERROR_NONE);
    ck_assert_int_eq(calls_heartbeat(&first), KAFKA_ERROR_REBALANCE_IN_PROGRESS);
    calls_stabilize(&first);
    ck_assert_int_eq(first.joined->members_count, 1);
    harness_free(harness);
}
END_TEST

TEST_MAIN("api/leave_group", one_by_one, several_at_once, the_others_go_on)
