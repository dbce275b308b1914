// SPDX-License-Identifier: BSD-2-Clause
#include "runner.h"
#include "support/group_calls.h"

static int16_t heartbeat_error(struct harness *harness, int16_t version, const char *group,
    const char *member, int32_t generation)
{
    struct heartbeat_request *request = harness_request(harness, &heartbeat_api_codec);
    request->group_id = slice_from_str(group);
    request->member_id = slice_from_str(member);
    request->generation_id = generation;
    const struct heartbeat_response *response =
        calls_do(harness, &heartbeat_api_codec, version, request);
    return response->error_code;
}

START_TEST(who_is_alive)
{
    struct harness *harness = calls_new(2);
    ck_assert_int_eq(heartbeat_error(harness, 4, "g", "x", 1), KAFKA_ERROR_UNKNOWN_MEMBER_ID);
    struct calls_member member = calls_member(harness, "g", 1);
    calls_stabilize(&member);
    for (int16_t version = 0; version <= 4; version++) {
        ck_assert_int_eq(heartbeat_error(harness, version, "g", member.id, 1), KAFKA_ERROR_NONE);
        ck_assert_int_eq(
            heartbeat_error(harness, version, "g", member.id, 2), KAFKA_ERROR_ILLEGAL_GENERATION);
        ck_assert_int_eq(
            heartbeat_error(harness, version, "g", "x", 1), KAFKA_ERROR_UNKNOWN_MEMBER_ID);
        ck_assert_int_eq(
            heartbeat_error(harness, version, "h", "x", 1), KAFKA_ERROR_UNKNOWN_MEMBER_ID);
        ck_assert_int_eq(
            heartbeat_error(harness, version, "", "x", 1), KAFKA_ERROR_INVALID_GROUP_ID);
    }
    harness_free(harness);
}
END_TEST

START_TEST(an_instance_fences_its_former_self)
{
    struct harness *harness = calls_new(2);
    struct calls_member first = calls_member(harness, "g", 1);
    first.instance = "i";
    calls_stabilize(&first);
    struct calls_member second = calls_member(harness, "g", 2);
    second.instance = "i";
    calls_join(&second);
    ck_assert_int_eq(second.error, KAFKA_ERROR_NONE);
    ck_assert_int_eq(calls_heartbeat(&first), KAFKA_ERROR_FENCED_INSTANCE_ID);
    ck_assert_int_eq(calls_heartbeat(&second), KAFKA_ERROR_NONE);
    harness_free(harness);
}
END_TEST

TEST_MAIN("api/heartbeat", who_is_alive, an_instance_fences_its_former_self)
