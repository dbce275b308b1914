// SPDX-License-Identifier: BSD-2-Clause
#include "runner.h"
#include "support/group_calls.h"

static int16_t sync_error(struct harness *harness, int16_t version, const char *group,
    const struct calls_member *member, int32_t generation, const char *type, const char *protocol)
{
    struct sync_group_request *request = harness_request(harness, &sync_group_api_codec);
    request->group_id = slice_from_str(group);
    request->member_id = slice_from_str(member == NULL ? "x" : member->id);
    request->generation_id = generation;
    if (version >= 5) {
        request->protocol_type = slice_from_str(type);
        request->protocol_name = slice_from_str(protocol);
    }
    const struct sync_group_response *response =
        calls_do(harness, &sync_group_api_codec, version, request);
    return response->error_code;
}

START_TEST(refusals)
{
    struct harness *harness = calls_new(2);
    ck_assert_int_eq(sync_error(harness, 5, "g", NULL, 1, "consumer", "range"),
        KAFKA_ERROR_UNKNOWN_MEMBER_ID); /* nothing exists yet */
    struct calls_member member = calls_member(harness, "g", 1);
    calls_stabilize(&member);
    for (int16_t version = 0; version <= 5; version++) {
        ck_assert_int_eq(sync_error(harness, version, "", &member, 1, "consumer", "range"),
            KAFKA_ERROR_INVALID_GROUP_ID);
        ck_assert_int_eq(sync_error(harness, version, "h", &member, 1, "consumer", "range"),
            KAFKA_ERROR_UNKNOWN_MEMBER_ID);
        ck_assert_int_eq(sync_error(harness, version, "g", NULL, 1, "consumer", "range"),
            KAFKA_ERROR_UNKNOWN_MEMBER_ID);
        ck_assert_int_eq(sync_error(harness, version, "g", &member, 9, "consumer", "range"),
            KAFKA_ERROR_ILLEGAL_GENERATION);
        ck_assert_int_eq(
            sync_error(harness, version, "g", &member, 1, "consumer", "range"), KAFKA_ERROR_NONE);
    }
    ck_assert_int_eq(sync_error(harness, 5, "g", &member, 1, NULL, "range"),
        KAFKA_ERROR_INCONSISTENT_GROUP_PROTOCOL);
    ck_assert_int_eq(sync_error(harness, 5, "g", &member, 1, "consumer", NULL),
        KAFKA_ERROR_INCONSISTENT_GROUP_PROTOCOL);
    ck_assert_int_eq(sync_error(harness, 5, "g", &member, 1, "connect", "range"),
        KAFKA_ERROR_INCONSISTENT_GROUP_PROTOCOL);
    ck_assert_int_eq(sync_error(harness, 5, "g", &member, 1, "consumer", "sticky"),
        KAFKA_ERROR_INCONSISTENT_GROUP_PROTOCOL);
    harness_free(harness);
}
END_TEST

/* Version 5 says the protocol again. */
START_TEST(the_protocol_is_in_the_answer)
{
    struct harness *harness = calls_new(2);
    struct calls_member member = calls_member(harness, "g", 1);
    calls_join(&member);
    const struct sync_group_response *response =
        harness_wait(calls_sync_send(&member), CALLS_WAIT_MS);
    ck_assert_ptr_nonnull(response);
    ck_assert_int_eq(response->error_code, KAFKA_ERROR_NONE);
    ck_assert(slice_equal_str(response->protocol_type, "consumer"));
    ck_assert(slice_equal_str(response->protocol_name, "range"));
    harness_free(harness);
}
END_TEST

TEST_MAIN("api/sync_group", refusals, the_protocol_is_in_the_answer)
