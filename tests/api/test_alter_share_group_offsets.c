// SPDX-License-Identifier: BSD-2-Clause
#include "support/share_calls.h"

START_TEST(a_group_is_moved)
{
    struct harness *harness = calls_new(2);
    calls_topic(harness, "t", 2);
    struct share_call first = {"a"};
    share_join(harness, "g", &first, "t");
    ck_assert_int_eq(share_alter(harness, "g", "t", 0, 5), KAFKA_ERROR_NON_EMPTY_GROUP);
    share_leave(harness, "g", &first);
    ck_assert_int_eq(share_alter(harness, "g", "t", 0, 0), KAFKA_ERROR_NONE);
    const struct describe_share_group_offsets_response_group *group = share_offsets(harness, "g");
    ck_assert_int_eq(group->topics->partitions_count, 2);
    ck_assert_int_eq(group->topics->partitions[0].start_offset, 0);
    ck_assert_int_eq(group->topics->partitions[1].start_offset, -1);
    harness_restart(harness, NULL);
    ck_assert_int_eq(share_offsets(harness, "g")->topics->partitions[0].start_offset, 0);
    share_join(harness, "g", &first, "t");
    ck_assert_int_eq(first.assigned, 2);
    harness_free(harness);
}
END_TEST

START_TEST(a_group_is_made)
{
    struct harness *harness = calls_new(2);
    calls_topic(harness, "t", 2);
    ck_assert_int_eq(share_alter(harness, "g", "t", 1, 0), KAFKA_ERROR_NONE);
    const struct describe_share_group_offsets_response_group *group = share_offsets(harness, "g");
    ck_assert_int_eq(group->error_code, KAFKA_ERROR_NONE);
    ck_assert_int_eq(group->topics->partitions_count, 1);
    ck_assert_int_eq(group->topics->partitions->partition_index, 1);
    ck_assert_int_eq(group->topics->partitions->start_offset, 0);
    ck_assert_int_eq(group->topics->partitions->lag, 0);
    harness_free(harness);
}
END_TEST

START_TEST(refusals)
{
    struct harness *harness = calls_new(2);
    calls_topic(harness, "t", 2);
    ck_assert_int_eq(share_alter(harness, "g", "t", 2, 0), KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION);
    ck_assert_int_eq(
        share_alter(harness, "g", "none", 0, 0), KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION);
    ck_assert_int_eq(share_alter(harness, "", "t", 0, 0), KAFKA_ERROR_INVALID_GROUP_ID);
    harness_restart(harness, "odradek.share.version=0", NULL);
    ck_assert_int_eq(share_alter(harness, "g", "t", 0, 0), KAFKA_ERROR_UNSUPPORTED_VERSION);
    harness_free(harness);
}
END_TEST

TEST_MAIN("api/alter_share_group_offsets", a_group_is_moved, a_group_is_made, refusals)
