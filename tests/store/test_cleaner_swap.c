// SPDX-License-Identifier: BSD-2-Clause
/* A stop or a failure at every file call of a compaction: the old segments are there or the new
 * one, never both, never neither. */
#include "support/cleaner_world.h"
#include "runner.h"

#include "base/env.h"
#include "base/memory.h"
#include "store/part/part.h"

#include <errno.h>
#include <stdio.h>

/* Three segments to be joined, with a deleted key in the second one. */
static void fill(void)
{
    cleaner_world_make();
    world.config.segment_size_max = 150;
    world.config.delete_retention_ms = 0;
    world_start();
    keyed_put_one("a", "1");
    keyed_put_one("b", "1");
    keyed_put_one("a", NULL);
    keyed_put_one("b", "2");
    keyed_put_one("c", "1");
    keyed_roll();
    world.config.segment_size_max = 1 << 20;
    world.engine->ops->part_configure(world.part, &world.config);
    ck_assert_uint_ge(world.part->n_segments, 3);
}

/* Whatever happened: the latest of each key, and the offsets. */
static void check_latest(void)
{
    struct seen_log log = seen_read();
    const struct seen *a = seen_last(&log, "a"), *b = seen_last(&log, "b");
    const struct seen *c = seen_last(&log, "c");
    if (a != NULL)
        ck_assert(!a->has_value && a->offset == 2);
    ck_assert_ptr_nonnull(b);
    ck_assert_str_eq(b->value, "2");
    ck_assert_int_eq(b->offset, 3);
    ck_assert_ptr_nonnull(c);
    ck_assert_int_eq(c->offset, 4);
    ck_assert_int_eq(world_state(world.part).high_watermark, 6);
    seen_free(&log);
}

static void check_works_afterwards(void)
{
    ck_assert_int_eq(keyed_put_one("c", "2"), 6);
    keyed_roll();
    world.faulty.real_ms += 1;
    cleaner_look_now();
    keyed_roll();
    cleaner_look_now();
    struct seen_log log = seen_read();
    ck_assert_str_eq(seen_text(&log), "b=2 c=2 ");
    seen_free(&log);
}

/* Calls that a compaction makes when all is well. */
static unsigned calls_of_a_pass(void)
{
    fill();
    unsigned before = world.faulty.calls;
    cleaner_look_now();
    unsigned calls = world.faulty.calls - before;
    ck_assert_uint_eq(world.part->n_segments, 2);
    check_latest();
    world_clear();
    ck_assert_uint_gt(calls, 10);
    return calls;
}

START_TEST(swap_survives_a_stop_at_every_call)
{
    unsigned calls = calls_of_a_pass();
    for (unsigned i = 1; i <= calls; i++) {
        fill();
        world.faulty.sticky = true;
        world.faulty.fail_at = world.faulty.calls + i;
        cleaner_look_now();
        world_kill();
        world.faulty.fail_at = 0;
        world_start();
        check_latest();
        check_works_afterwards();
        world_clear();
    }
}
END_TEST

START_TEST(swap_survives_a_failure_at_every_call)
{
    unsigned calls = calls_of_a_pass();
    for (unsigned i = 1; i <= calls; i++) {
        fill();
        world.faulty.fail_at = world.faulty.calls + i;
        cleaner_look_now();
        bool offline = world.n_failed > 0;
        if (!offline)
            check_latest();
        world_stop();
        world_start();
        check_latest();
        check_works_afterwards();
        world_clear();
    }
}
END_TEST

/* The recoveries of such a stop are stopped, too. */
START_TEST(swap_survives_stops_during_recovery)
{
    unsigned calls = calls_of_a_pass();
    for (unsigned i = 1; i <= calls; i++) {
        for (unsigned j = 1; j <= 12; j++) {
            fill();
            world.faulty.sticky = true;
            world.faulty.fail_at = world.faulty.calls + i;
            cleaner_look_now();
            world_kill();
            world.faulty.fail_at = world.faulty.calls + j;
            if (world_try_start() == 0)
                world_kill();
            world.faulty.fail_at = 0;
            world_start();
            check_latest();
            world_clear();
        }
    }
}
END_TEST

START_TEST(swap_of_kafka_is_completed)
{
    fill();
    world_stop();
    /* What Kafka leaves when it is stopped in the middle: <base>.log.swap and swapped indexes. */
    char *from = world_path(WORLD_LOG0), *to = world_path(WORLD_LOG0 ".swap");
    ck_assert_int_eq(rename(from, to), 0);
    free(from);
    free(to);
    world_file_write(WORLD_LABEL "/00000000000000000000.index.swap", 0, "12345678", 8);
    world_file_write(WORLD_LABEL "/00000000000000000000.timeindex.cleaned", 0, "12345678", 8);
    world_start();
    check_latest();
    ck_assert(world_file_exists(WORLD_LOG0));
    ck_assert(!world_file_exists(WORLD_LABEL "/00000000000000000000.index.swap"));
    ck_assert(!world_file_exists(WORLD_LABEL "/00000000000000000000.timeindex.cleaned"));
    world_clear();
}
END_TEST

START_TEST(swap_range_comes_from_the_name)
{
    fill();
    world_stop();
    /* An empty result for the first two segments, which hold four records: all of that is gone. */
    struct seen_log log;
    world_file_write(WORLD_LABEL "/00000000000000000000-00000000000000000004.log.swap", 0, "", 0);
    world_start();
    log = seen_read();
    ck_assert_str_eq(seen_text(&log), "c=1 ");
    ck_assert_uint_eq(world_file_size(WORLD_LOG0), 0);
    seen_free(&log);
    keyed_roll();
    cleaner_look_now();
    log = seen_read();
    ck_assert_str_eq(seen_text(&log), "c=1 ");
    seen_free(&log);
    world_clear();
}
END_TEST

START_TEST(swap_that_left_nothing_survives_a_failed_sync)
{
    fill();
    world_stop();
    world_file_write(WORLD_LABEL "/00000000000000000000-00000000000000000004.log.swap", 0, "", 0);
    world_start();
    world.faulty.sync_error = EIO;
    ck_assert_int_ne(world_put_durable(world.part, 1, 100), ENGINE_OK);
    world.faulty.sync_error = 0;
    ck_assert(world_file_exists(WORLD_LOG0));
    world_kill();
    world_start();
    ck_assert_int_eq(world_state(world.part).log_start, 0);
    world_clear();
}
END_TEST

TEST_MAIN("store/cleaner-swap", swap_survives_a_stop_at_every_call,
    swap_survives_a_failure_at_every_call, swap_survives_stops_during_recovery,
    swap_of_kafka_is_completed, swap_range_comes_from_the_name,
    swap_that_left_nothing_survives_a_failed_sync)
