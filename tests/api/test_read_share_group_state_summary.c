// SPDX-License-Identifier: BSD-2-Clause
#include "api/share.h"
#include "runner.h"

/* The log starts behind that offset by now. */
static bool pruned(struct harness *harness, int64_t offset)
{
    const struct fetch_response_partition *answer = plane_fetch(
        harness, 11, (struct plane_fetch){.topic = "__share_group_state", .offset = offset});
    plane_records(harness, answer);
    return answer->error_code == KAFKA_ERROR_OFFSET_OUT_OF_RANGE;
}

START_TEST(summary_of_what_is_there)
{
    struct harness *harness = harness_new(2, NULL);
    struct uuid id = plane_topic(harness, "orders", 1, NULL, NULL);
    ck_assert_int_eq(share_summary(harness, id, 0)->error_code, KAFKA_ERROR_NONE);
    ck_assert_int_eq(share_summary(harness, id, 0)->start_offset, -1);
    share_initialize(harness, id, 0, 3, -1);
    ck_assert_int_eq(share_summary(harness, id, 0)->start_offset, -1);
    ck_assert_int_eq(share_summary(harness, id, 0)->delivery_complete_count, -1);
    ck_assert_int_eq(share_summary(harness, id, 0)->state_epoch, 3);
    ck_assert_int_eq(
        share_summary(harness, id, 1)->error_code, KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION);
    harness_free(harness);
}
END_TEST

/* What nobody needs goes from the front of the log, and what is left is enough. */
START_TEST(state_topic_is_pruned)
{
    struct harness *harness =
        harness_new(1, "share.coordinator.snapshot.update.records.per.snapshot=5",
            "share.coordinator.state.topic.num.partitions=1",
            "share.coordinator.state.topic.prune.interval.ms=20",
            "share.coordinator.cold.partition.snapshot.interval.ms=50", NULL);
    struct uuid id = plane_topic(harness, "orders", 2, NULL, NULL);
    share_initialize(harness, id, 1, 1, 77); /* nothing happens to it any more */
    share_initialize(harness, id, 0, 1, 0);
    for (int i = 0; i < 1000 && !(i > 30 && pruned(harness, 20)); i++) {
        struct share_says says = {1, 0, i, 0, i, i, 2, 1};
        ck_assert_int_eq(share_write(harness, id, 0, says), KAFKA_ERROR_NONE);
        usleep(1000);
    }
    ck_assert(pruned(harness, 20));
    harness_restart(harness, NULL);
    ck_assert_str_eq(share_stored(harness, id, 1), "77:");
    ck_assert_int_eq(share_read(harness, id, 0, -1)->state_batches_count, 1);
    harness_free(harness);
}
END_TEST

TEST_MAIN("api/read_share_group_state_summary", summary_of_what_is_there, state_topic_is_pruned)
