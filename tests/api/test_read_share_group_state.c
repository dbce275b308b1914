// SPDX-License-Identifier: BSD-2-Clause
#include "api/share.h"
#include "runner.h"

START_TEST(read_is_of_the_newest_leader)
{
    struct harness *harness = harness_new(2, NULL);
    struct uuid id = plane_topic(harness, "orders", 1, NULL, NULL);
    ck_assert_int_eq(share_read(harness, id, 0, 1)->error_code, KAFKA_ERROR_INVALID_REQUEST);
    share_initialize(harness, id, 0, 1, 10);
    ck_assert_int_eq(share_read(harness, id, 0, 3)->error_code, KAFKA_ERROR_NONE);
    ck_assert_int_eq(share_read(harness, id, 0, 2)->error_code, KAFKA_ERROR_FENCED_LEADER_EPOCH);
    ck_assert_int_eq(share_summary(harness, id, 0)->leader_epoch, 3);
    ck_assert_int_eq(share_write(harness, id, 0, (struct share_says){1, 2, 10, 0, 10, 10, 2, 1}),
        KAFKA_ERROR_FENCED_LEADER_EPOCH);
    harness_restart(harness, NULL);
    ck_assert_int_eq(share_read(harness, id, 0, 2)->error_code, KAFKA_ERROR_FENCED_LEADER_EPOCH);
    ck_assert_int_eq(share_read(harness, id, 0, 3)->start_offset, 10);
    harness_free(harness);
}
END_TEST

TEST_MAIN("api/read_share_group_state", read_is_of_the_newest_leader)
