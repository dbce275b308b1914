// SPDX-License-Identifier: BSD-2-Clause
#include "support/consumer_calls.h"

START_TEST(members_share_and_leave)
{
    struct harness *harness = calls_new(2);
    calls_topic(harness, "t", 4);
    struct consumer_call first = {"a"}, second = {"b"};
    consumer_join(harness, "g", &first, "t");
    ck_assert_int_eq(first.error, KAFKA_ERROR_NONE);
    ck_assert_int_eq(first.epoch, 1);
    ck_assert_int_eq(first.assigned, 4);
    ck_assert_int_eq(first.heartbeat_ms, 1000);
    consumer_join(harness, "g", &second, "t");
    ck_assert_int_eq(second.assigned, 0);
    consumer_beat(harness, "g", &first, 4);
    ck_assert_int_eq(first.assigned, 2);
    consumer_beat(harness, "g", &first, 2);
    ck_assert_int_eq(first.epoch, 2);
    consumer_beat(harness, "g", &second, 0);
    ck_assert_int_eq(second.assigned, 2);
    second.epoch = -1;
    consumer_beat(harness, "g", &second, -1);
    ck_assert_int_eq(second.error, KAFKA_ERROR_NONE);
    ck_assert_int_eq(second.epoch, -1);
    consumer_beat(harness, "g", &first, 2);
    ck_assert_int_eq(first.epoch, 3);
    ck_assert_int_eq(first.assigned, 4);
    harness_free(harness);
}
END_TEST

START_TEST(a_restart_moves_nothing)
{
    struct harness *harness = calls_new(2);
    calls_topic(harness, "t", 4);
    struct consumer_call first = {"a"}, second = {"b"};
    consumer_join(harness, "g", &first, "t");
    consumer_join(harness, "g", &second, "t");
    consumer_beat(harness, "g", &first, 4);
    consumer_beat(harness, "g", &first, 2);
    consumer_beat(harness, "g", &second, 0);
    harness_restart(harness, NULL);
    consumer_beat(harness, "g", &first, 2);
    ck_assert_int_eq(first.error, KAFKA_ERROR_NONE);
    ck_assert_int_eq(first.epoch, 2);
    consumer_beat(harness, "g", &second, 2);
    ck_assert_int_eq(second.error, KAFKA_ERROR_NONE);
    ck_assert_int_eq(second.epoch, 2);
    second.epoch = -1;
    consumer_beat(harness, "g", &second, -1);
    harness_restart(harness, NULL);
    consumer_beat(harness, "g", &second, -1);
    ck_assert_int_eq(second.error, KAFKA_ERROR_UNKNOWN_MEMBER_ID);
    consumer_beat(harness, "g", &first, 2);
    ck_assert_int_eq(first.assigned, 4);
    harness_free(harness);
}
END_TEST

START_TEST(requests_are_checked)
{
    struct harness *harness = calls_new(1);
    calls_topic(harness, "t", 1);
    struct consumer_call call = {"a"};
    consumer_join(harness, "", &call, "t");
    ck_assert_int_eq(call.error, KAFKA_ERROR_INVALID_REQUEST);
    call = (struct consumer_call){""};
    consumer_join(harness, "g", &call, "t");
    ck_assert_int_eq(call.error, KAFKA_ERROR_INVALID_REQUEST);
    call = (struct consumer_call){.id = "", .version = -1}; /* v0: the broker makes the id */
    consumer_join(harness, "g", &call, "t");
    ck_assert_int_eq(call.error, KAFKA_ERROR_NONE);
    ck_assert_int_eq((int)strlen(call.ret_id), UUID_TEXT_SIZE);
    call = (struct consumer_call){"a", .epoch = -3};
    consumer_beat(harness, "g", &call, 0);
    ck_assert_int_eq(call.error, KAFKA_ERROR_INVALID_REQUEST);
    call = (struct consumer_call){"a", .epoch = 7};
    consumer_beat(harness, "nobody", &call, 0);
    ck_assert_int_eq(call.error, KAFKA_ERROR_GROUP_ID_NOT_FOUND);
    consumer_beat(harness, "g", &call, 0);
    ck_assert_int_eq(call.error, KAFKA_ERROR_UNKNOWN_MEMBER_ID);
    call = (struct consumer_call){"a", .pattern = "(t"};
    consumer_join(harness, "g", &call, NULL);
    ck_assert_int_eq(call.error, KAFKA_ERROR_INVALID_REGULAR_EXPRESSION);
    call = (struct consumer_call){"a", .pattern = "[tu]"};
    consumer_join(harness, "h", &call, NULL);
    ck_assert_int_eq(call.error, KAFKA_ERROR_NONE);
    ck_assert_int_eq(call.assigned, 1);
    harness_free(harness);
    harness = harness_new(1, "group.coordinator.rebalance.protocols=classic", NULL);
    call = (struct consumer_call){"a"};
    consumer_join(harness, "g", &call, "t");
    ck_assert_int_eq(call.error, KAFKA_ERROR_UNSUPPORTED_VERSION);
    harness_free(harness);
}
END_TEST

START_TEST(commits_carry_the_epoch)
{
    struct harness *harness = calls_new(2);
    calls_topic(harness, "t", 2);
    struct consumer_call first = {"a"};
    consumer_join(harness, "g", &first, "t");
    struct calls_member member = calls_member(harness, "g", 1);
    snprintf(member.id, sizeof(member.id), "a");
    ck_assert_int_eq(consumer_commit(harness, "g", "a", 1), KAFKA_ERROR_NONE);
    ck_assert_int_eq(consumer_commit(harness, "g", "a", 0), KAFKA_ERROR_STALE_MEMBER_EPOCH);
    ck_assert_int_eq(consumer_commit(harness, "g", "b", 1), KAFKA_ERROR_UNKNOWN_MEMBER_ID);
    /* older versions speak of generations */
    ck_assert_int_eq(consumer_commit_at(harness, "g", "a", 1, 8), KAFKA_ERROR_UNSUPPORTED_VERSION);
    ck_assert_int_eq(consumer_commit_at(harness, "g", "b", 1, 8), KAFKA_ERROR_UNKNOWN_MEMBER_ID);
    ck_assert_int_eq(consumer_commit(harness, "g", "", -1), KAFKA_ERROR_UNKNOWN_MEMBER_ID);
    harness_free(harness);
}
END_TEST

TEST_MAIN("api/consumer_group_heartbeat", members_share_and_leave, a_restart_moves_nothing,
    requests_are_checked, commits_carry_the_epoch)
