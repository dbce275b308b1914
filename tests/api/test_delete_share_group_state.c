// SPDX-License-Identifier: BSD-2-Clause
#include "api/share.h"
#include "runner.h"

START_TEST(delete_forgets)
{
    struct harness *harness = harness_new(2, NULL);
    struct uuid id = plane_topic(harness, "orders", 1, NULL, NULL);
    ck_assert_int_eq(share_delete(harness, id, 0), KAFKA_ERROR_NONE); /* no topic yet */
    share_initialize(harness, id, 0, 3, 5);
    ck_assert_int_eq(share_delete(harness, id, 0), KAFKA_ERROR_NONE);
    ck_assert_int_eq(share_delete(harness, id, 0), KAFKA_ERROR_NONE);
    ck_assert_int_eq(share_read(harness, id, 0, -1)->error_code, KAFKA_ERROR_INVALID_REQUEST);
    harness_restart(harness, NULL);
    ck_assert_int_eq(share_summary(harness, id, 0)->start_offset, -1);
    ck_assert_int_eq(share_initialize(harness, id, 0, 1, 1), KAFKA_ERROR_NONE); /* epochs, too */
    harness_free(harness);
}
END_TEST

START_TEST(a_deleted_topic_is_forgotten)
{
    struct harness *harness = harness_new(2, NULL);
    struct uuid id = plane_topic(harness, "orders", 1, NULL, NULL);
    share_initialize(harness, id, 0, 3, 5);
    plane_delete(harness, "orders");
    ck_assert_int_eq(
        share_summary(harness, id, 0)->error_code, KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION);
    ck_assert_int_eq(share_read(harness, id, 0, -1)->error_code, KAFKA_ERROR_INVALID_REQUEST);
    harness_restart(harness, NULL);
    ck_assert_int_eq(share_read(harness, id, 0, -1)->error_code, KAFKA_ERROR_INVALID_REQUEST);
    harness_free(harness);
}
END_TEST

TEST_MAIN("api/delete_share_group_state", delete_forgets, a_deleted_topic_is_forgotten)
