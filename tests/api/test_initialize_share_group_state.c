// SPDX-License-Identifier: BSD-2-Clause
#include "api/share.h"
#include "runner.h"

START_TEST(initialize_starts_afresh)
{
    struct harness *harness = harness_new(2, NULL);
    struct uuid id = plane_topic(harness, "orders", 2, NULL, NULL);
    ck_assert_int_eq(share_initialize(harness, id, 0, 1, -1), KAFKA_ERROR_NONE);
    ck_assert_str_eq(share_stored(harness, id, 0), "-1:");
    share_write(harness, id, 0, (struct share_says){1, 0, 0, 2, 3, 4, 2, 1});
    ck_assert_str_eq(share_stored(harness, id, 0), "0: 3-4:2/1");
    ck_assert_int_eq(share_initialize(harness, id, 0, 2, 7), KAFKA_ERROR_NONE);
    ck_assert_str_eq(share_stored(harness, id, 0), "7:");
    ck_assert_int_eq(share_summary(harness, id, 0)->delivery_complete_count, 0);
    harness_restart(harness, NULL);
    ck_assert_str_eq(share_stored(harness, id, 0), "7:");
    ck_assert_int_eq(share_read(harness, id, 0, -1)->state_epoch, 2);
    harness_free(harness);
}
END_TEST

START_TEST(initialize_refuses)
{
    struct harness *harness = harness_new(2, NULL);
    struct uuid id = plane_topic(harness, "orders", 2, NULL, NULL), other = {{1}};
    ck_assert_int_eq(share_initialize(harness, id, 0, 5, 3), KAFKA_ERROR_NONE);
    ck_assert_int_eq(share_initialize(harness, id, 0, 4, 9), KAFKA_ERROR_FENCED_STATE_EPOCH);
    ck_assert_int_eq(
        share_initialize(harness, id, 2, 1, -1), KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION);
    ck_assert_int_eq(
        share_initialize(harness, other, 0, 1, -1), KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION);
    ck_assert_int_eq(share_initialize(harness, id, -1, 1, -1), KAFKA_ERROR_INVALID_REQUEST);
    ck_assert_str_eq(share_stored(harness, id, 0), "3:");
    harness_free(harness);
}
END_TEST

TEST_MAIN("api/initialize_share_group_state", initialize_starts_afresh, initialize_refuses)
