// SPDX-License-Identifier: BSD-2-Clause
/* The engine's append and read paths on real files. */
#include "support/store_world.h"
#include "runner.h"

START_TEST(local_makes_nothing_before_the_first_append)
{
    world_make();
    world_start();
    ck_assert_uint_eq(world.n_acquired, 1);
    ck_assert(!world_file_exists(WORLD_LABEL));
    ck_assert_int_eq(world_put(world.part, 3, 100), ENGINE_OK);
    ck_assert(world_file_exists(WORLD_LABEL "/partition.metadata"));
    ck_assert_uint_eq(world_file_size(WORLD_LOG0), 100);
    world_stop();
    ck_assert(world_file_exists(".kafka_cleanshutdown"));
    world_clear();
}
END_TEST

START_TEST(local_keeps_what_was_appended_over_a_restart)
{
    world_make();
    world_start();
    for (int32_t i = 1; i <= 50; i++)
        ck_assert_int_eq(world_put(world.part, i, 100 + (size_t)i), ENGINE_OK);
    ck_assert_int_eq(world_scan(world.part), 50 * 51 / 2);
    world_stop();
    world_start();
    ck_assert_int_eq(world_scan(world.part), 50 * 51 / 2);
    ck_assert_int_eq(world_put(world.part, 1, 100), ENGINE_OK);
    world_kill();
    world_start();
    ck_assert_int_eq(world_scan(world.part), 50 * 51 / 2 + 1);
    world_clear();
}
END_TEST

START_TEST(local_writes_what_one_turn_brought_at_once)
{
    enum { COUNT = 10 };
    struct world_append *appends[COUNT];
    struct batch_spec spec = {.n_records = 2, .size = 200};
    world_make();
    world_start();
    ck_assert_int_eq(world_put(world.part, 1, 100), ENGINE_OK);
    unsigned n_writes = world.faulty.n_writes, n_committed = world.n_committed;
    for (int i = 0; i < COUNT; i++) {
        appends[i] = world_append(world.part, &spec);
        ck_assert_int_eq(appends[i]->answer, ENGINE_PENDING);
        ck_assert_int_eq(appends[i]->append.base_offset, 1 + 2 * i);
        ck_assert(!appends[i]->done);
    }
    ck_assert_int_eq(world_state(world.part).log_end, 21);
    ck_assert_int_eq(world_state(world.part).high_watermark, 1);
    step_settle();
    ck_assert_uint_eq(world.faulty.n_writes, n_writes + 1);
    ck_assert_uint_eq(world.n_committed, n_committed + 1);
    ck_assert_int_eq(world.high_watermark, 21);
    for (int i = 0; i < COUNT; i++) {
        ck_assert_int_eq(appends[i]->status, ENGINE_OK);
        world_append_free(appends[i]);
    }
    world_clear();
}
END_TEST

START_TEST(local_reads_the_tail_without_looking)
{
    world_make();
    world_start();
    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(world_put(world.part, 1, 1000), ENGINE_OK);
    unsigned n_reads = world.faulty.n_reads;
    struct world_read read = world_read(world.part, 19, 1 << 20, true);
    ck_assert_int_eq(read.status, ENGINE_OK);
    ck_assert(!read.pending);
    ck_assert_int_eq(read.first_offset, 19);
    ck_assert_int_eq(read.next_offset, 20);
    ck_assert_uint_eq(world.faulty.n_reads, n_reads);
    free(read.bytes);
    read = world_read(world.part, 20, 1 << 20, true);
    ck_assert_int_eq(read.status, ENGINE_OK);
    ck_assert_uint_eq(read.n_batches, 0);
    free(read.bytes);
    ck_assert_int_eq(world_read(world.part, 21, 1 << 20, true).status, ENGINE_OUT_OF_RANGE);
    world_clear();
}
END_TEST

TEST_MAIN("store/local", local_makes_nothing_before_the_first_append,
    local_keeps_what_was_appended_over_a_restart, local_writes_what_one_turn_brought_at_once,
    local_reads_the_tail_without_looking)
