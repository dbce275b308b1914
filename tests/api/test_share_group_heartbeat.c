// SPDX-License-Identifier: BSD-2-Clause
#include "support/consumer_calls.h"
#include "support/share_calls.h"

START_TEST(a_join_gets_its_partitions_at_once)
{
    struct harness *harness = calls_new(2);
    calls_topic(harness, "t", 4);
    struct share_call first = {"a"}, second = {"b"};
    share_join(harness, "g", &first, "t");
    ck_assert_int_eq(first.error, KAFKA_ERROR_NONE);
    ck_assert_int_eq(first.assigned, 4);
    ck_assert_int_eq(first.heartbeat_ms, 1000);
    share_join(harness, "g", &second, "t");
    ck_assert_int_eq(second.error, KAFKA_ERROR_NONE);
    ck_assert_int_eq(second.assigned, 2);
    share_beat(harness, "g", &first);
    ck_assert_int_eq(first.assigned, 2);
    ck_assert_int_eq(first.epoch, second.epoch);
    for (int i = 0; i < 2; i++) {
        for (int k = 0; k < 2; k++)
            ck_assert_int_ne(first.partitions[i], second.partitions[k]);
    }
    share_leave(harness, "g", &second);
    ck_assert_int_eq(second.error, KAFKA_ERROR_NONE);
    ck_assert_int_eq(second.epoch, -1);
    share_beat(harness, "g", &first);
    ck_assert_int_eq(first.assigned, 4);
    harness_free(harness);
}
END_TEST

START_TEST(members_share_one_partition)
{
    struct harness *harness = calls_new(2);
    calls_topic(harness, "t", 1);
    struct share_call calls[5] = {{"a"}, {"b"}, {"c"}, {"d"}, {"e"}};
    for (size_t i = 0; i < ARRAY_COUNT(calls); i++) {
        share_join(harness, "g", &calls[i], "t");
        ck_assert_int_eq(calls[i].assigned, 1);
    }
    for (size_t i = 0; i < ARRAY_COUNT(calls); i++) {
        share_beat(harness, "g", &calls[i]);
        ck_assert_int_eq(calls[i].assigned, 1);
    }
    harness_free(harness);
}
END_TEST

START_TEST(a_restart_moves_nothing)
{
    struct harness *harness = calls_new(2);
    calls_topic(harness, "t", 4);
    struct share_call first = {"a"}, second = {"b"};
    share_join(harness, "g", &first, "t");
    share_join(harness, "g", &second, "t");
    share_beat(harness, "g", &first);
    int32_t epoch = first.epoch;
    harness_restart(harness, NULL);
    share_beat(harness, "g", &first);
    share_beat(harness, "g", &second);
    ck_assert_int_eq(first.error, KAFKA_ERROR_NONE);
    ck_assert_int_eq(first.epoch, epoch);
    ck_assert_int_eq(second.epoch, epoch);
    ck_assert_int_eq(first.assigned, 2);
    share_leave(harness, "g", &second);
    harness_restart(harness, NULL);
    share_leave(harness, "g", &second);
    ck_assert_int_eq(second.error, KAFKA_ERROR_UNKNOWN_MEMBER_ID);
    share_beat(harness, "g", &first);
    ck_assert_int_eq(first.assigned, 4);
    harness_free(harness);
}
END_TEST

START_TEST(epochs_are_checked)
{
    struct harness *harness = calls_new(1);
    calls_topic(harness, "t", 1);
    struct share_call first = {"a"}, second = {"b"}, late = {"a", .epoch = 1};
    share_join(harness, "g", &first, "t");
    int32_t before = first.epoch;
    share_join(harness, "g", &second, "t");
    share_beat(harness, "g", &first);
    ck_assert_int_gt(first.epoch, before);
    late.epoch = before; /* the answer was lost */
    share_beat(harness, "g", &late);
    ck_assert_int_eq(late.error, KAFKA_ERROR_NONE);
    ck_assert_int_eq(late.epoch, first.epoch);
    late.epoch = first.epoch + 1;
    share_beat(harness, "g", &late);
    ck_assert_int_eq(late.error, KAFKA_ERROR_FENCED_MEMBER_EPOCH);
    struct share_call nobody = {"c", .epoch = 1};
    share_beat(harness, "g", &nobody);
    ck_assert_int_eq(nobody.error, KAFKA_ERROR_UNKNOWN_MEMBER_ID);
    share_beat(harness, "h", &nobody);
    ck_assert_int_eq(nobody.error, KAFKA_ERROR_GROUP_ID_NOT_FOUND);
    harness_free(harness);
}
END_TEST

START_TEST(requests_are_checked)
{
    struct harness *harness = calls_new(1);
    calls_topic(harness, "t", 1);
    struct share_call call = {""};
    share_join(harness, "g", &call, "t");
    ck_assert_int_eq(call.error, KAFKA_ERROR_INVALID_REQUEST);
    call = (struct share_call){"a"};
    share_join(harness, "", &call, "t");
    ck_assert_int_eq(call.error, KAFKA_ERROR_INVALID_REQUEST);
    share_join(harness, "g", &call, NULL);
    ck_assert_int_eq(call.error, KAFKA_ERROR_INVALID_REQUEST);
    call.epoch = -2;
    share_beat(harness, "g", &call);
    ck_assert_int_eq(call.error, KAFKA_ERROR_INVALID_REQUEST);
    harness_restart(harness, "odradek.share.version=0", NULL);
    call = (struct share_call){"a"};
    share_join(harness, "g", &call, "t");
    ck_assert_int_eq(call.error, KAFKA_ERROR_UNSUPPORTED_VERSION);
    harness_free(harness);
}
END_TEST

/* A group stays of its kind. */
START_TEST(kinds_do_not_mix)
{
    struct harness *harness = calls_new(2);
    calls_topic(harness, "t", 1);
    struct share_call share = {"a"};
    struct consumer_call consumer = {"a"};
    share_join(harness, "shared", &share, "t");
    consumer_join(harness, "consumed", &consumer, "t");
    ck_assert_int_eq(consumer.error, KAFKA_ERROR_NONE);
    consumer = (struct consumer_call){"b"};
    consumer_join(harness, "shared", &consumer, "t");
    ck_assert_int_eq(consumer.error, KAFKA_ERROR_GROUP_ID_NOT_FOUND);
    share = (struct share_call){"b"};
    share_join(harness, "consumed", &share, "t");
    ck_assert_int_eq(share.error, KAFKA_ERROR_GROUP_ID_NOT_FOUND);
    struct calls_member classic = calls_member(harness, "shared", 7);
    calls_join(&classic);
    ck_assert_int_eq(classic.error, KAFKA_ERROR_INCONSISTENT_GROUP_PROTOCOL);
    harness_free(harness);
}
END_TEST

START_TEST(a_full_group_takes_nobody)
{
    struct harness *harness = harness_new(1, "group.share.max.size=1", NULL);
    calls_topic(harness, "t", 1);
    struct share_call first = {"a"}, second = {"b"};
    share_join(harness, "g", &first, "t");
    share_join(harness, "g", &second, "t");
    ck_assert_int_eq(first.error, KAFKA_ERROR_NONE);
    ck_assert_int_eq(second.error, KAFKA_ERROR_GROUP_MAX_SIZE_REACHED);
    harness_free(harness);
}
END_TEST

TEST_MAIN("api/share_group_heartbeat", a_join_gets_its_partitions_at_once,
    members_share_one_partition, a_restart_moves_nothing, epochs_are_checked, requests_are_checked,
    kinds_do_not_mix, a_full_group_takes_nobody)
