// SPDX-License-Identifier: BSD-2-Clause
#include "api/share.h"
#include "runner.h"

START_TEST(write_combines)
{
    struct harness *harness =
        harness_new(2, "share.coordinator.snapshot.update.records.per.snapshot=2", NULL);
    struct uuid id = plane_topic(harness, "orders", 1, NULL, NULL);
    share_initialize(harness, id, 0, 1, 0);
    static const struct {
        struct share_says says;
        const char *stored;
    } steps[] = {
        {{1, 0, 0, 0, 0, 9, 0, 1}, "0: 0-9:0/1"},
        {{1, 0, 0, 2, 4, 5, 2, 1}, "0: 0-3:0/1 4-5:2/1 6-9:0/1"},
        {{1, 0, 0, 2, 4, 9, 0, 1}, "0: 0-3:0/1 4-5:2/1 6-9:0/1"}, /* older news */
        {{1, 0, 0, 2, 4, 9, 0, 2}, "0: 0-3:0/1 4-9:0/2"},
        {{1, 0, 6, 2, 10, 19, 2, 1}, "6: 6-9:0/2 10-19:2/1"},
        {{1, 0, -1, 3, 20, 20, 2, 1}, "6: 6-9:0/2 10-20:2/1"}, /* the start stays */
        {{1, 0, 30, 0, 30, 31, 4, 5}, "30: 30-31:4/5"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(steps); i++) {
        ck_assert_int_eq(share_write(harness, id, 0, steps[i].says), KAFKA_ERROR_NONE);
        ck_assert_str_eq(share_stored(harness, id, 0), steps[i].stored);
        ck_assert_int_eq(
            share_summary(harness, id, 0)->delivery_complete_count, steps[i].says.complete_count);
        if (i % 3 == 0)
            harness_restart(harness, NULL);
        ck_assert_str_eq(share_stored(harness, id, 0), steps[i].stored);
    }
    harness_free(harness);
}
END_TEST

START_TEST(write_refuses)
{
    struct harness *harness = harness_new(2, NULL);
    struct uuid id = plane_topic(harness, "orders", 1, NULL, NULL);
    struct share_says says = {3, 0, 0, 0, 0, 9, 2, 1}, turned = {3, 0, 0, 0, 9, 0, 2, 1};
    ck_assert_int_eq(share_write(harness, id, 0, says), KAFKA_ERROR_INVALID_REQUEST);
    share_initialize(harness, id, 0, 3, 0);
    ck_assert_int_eq(share_write(harness, id, 0, says), KAFKA_ERROR_NONE);
    ck_assert_int_eq(share_write(harness, id, 0, turned), KAFKA_ERROR_INVALID_REQUEST);
    says.state_epoch = 2;
    ck_assert_int_eq(share_write(harness, id, 0, says), KAFKA_ERROR_FENCED_STATE_EPOCH);
    ck_assert_str_eq(share_stored(harness, id, 0), "0: 0-9:2/1");
    harness_free(harness);
}
END_TEST

TEST_MAIN("api/write_share_group_state", write_combines, write_refuses)
