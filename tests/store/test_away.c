// SPDX-License-Identifier: BSD-2-Clause
/* Writes that run on another loop, and everything that may happen while one is under way. */
#include "support/store_world.h"
#include "runner.h"

#include "store/part/part.h"

#include <errno.h>

#define LARGE PART_AWAY_SIZE_MIN

static struct world_append *append_away(size_t size, unsigned flags)
{
    struct batch_spec spec = {.n_records = 1,
        .size = size,
        .flags = flags,
        .timestamp = world.faulty.real_ms,
        .origin = step_other_loop()};
    return world_append(world.part, &spec);
}

static void finish(struct world_append *append, enum engine_status status)
{
    ck_assert(append->done);
    ck_assert_int_eq(append->status, status);
    world_append_free(append);
}

static void begin(void)
{
    world_make();
    world_start();
    ck_assert_int_eq(world_put_durable(world.part, 1, 100), ENGINE_OK);
    step_hold_other(true);
}

static void come_back(void)
{
    step_hold_other(false);
    step_settle();
}

/* One large append that the other loop has not got to yet. */
static struct world_append *begin_write(unsigned flags)
{
    begin();
    struct world_append *append = append_away(LARGE, flags);
    step_settle();
    ck_assert(!append->done);
    ck_assert_uint_eq(step_other_count(), 1);
    return append;
}

static void pool_step(void)
{
    ck_assert(step_pool_one());
    step_turn();
}

static void restart_and_scan(int64_t end)
{
    world_stop();
    world_start();
    ck_assert_int_eq(world_scan(world.part), end);
}

START_TEST(away_shows_nothing_before_it_is_back)
{
    struct world_append *large = begin_write(0);
    struct world_append *small = append_away(100, 0);
    step_settle();
    ck_assert(!small->done); /* order holds */
    ck_assert_int_eq(world_state(world.part).log_end, 3);
    ck_assert_int_eq(world_state(world.part).high_watermark, 1);
    ck_assert_int_eq(world_scan(world.part), 1);
    ck_assert_uint_eq(world_file_size(WORLD_LOG0), 100);
    come_back();
    finish(large, ENGINE_OK);
    finish(small, ENGINE_OK);
    ck_assert_int_eq(world.high_watermark, 3);
    ck_assert_int_eq(world_scan(world.part), 3);
    restart_and_scan(3);
    world_clear();
}
END_TEST

START_TEST(away_is_for_large_appends_from_elsewhere)
{
    begin();
    struct world_append *small = append_away(LARGE - 1, 0);
    step_settle();
    finish(small, ENGINE_OK);
    ck_assert_int_eq(world_put(world.part, 1, LARGE), ENGINE_OK);
    struct batch_spec at_home = {.n_records = 1, .size = LARGE, .origin = world.loop};
    struct world_append *home = world_append(world.part, &at_home);
    step_settle();
    finish(home, ENGINE_OK);
    ck_assert_uint_eq(step_other_count(), 0);
    world_clear();
}
END_TEST

START_TEST(away_takes_what_came_together)
{
    enum { COUNT = 5 };
    struct world_append *appends[COUNT];
    begin();
    unsigned n_writes = world.faulty.n_writes;
    for (int i = 0; i < COUNT; i++) /* two, one for home, two */
        appends[i] = append_away(i == 2 ? 100 : LARGE, 0);
    step_settle();
    ck_assert_uint_eq(step_other_count(), 1);
    come_back();
    for (int i = 0; i < COUNT; i++) {
        ck_assert_int_eq(appends[i]->append.base_offset, 1 + i);
        finish(appends[i], ENGINE_OK);
    }
    ck_assert_uint_eq(world.faulty.n_writes, n_writes + 3);
    ck_assert_int_eq(world_scan(world.part), 1 + COUNT);
    world_clear();
}
END_TEST

START_TEST(away_as_the_first_write)
{
    world_make();
    world_start();
    struct world_append *append = append_away(LARGE, ENGINE_APPEND_DURABLE);
    step_settle();
    finish(append, ENGINE_OK);
    ck_assert_int_eq(world_state(world.part).durable_end, 1);
    ck_assert_int_eq(world_scan(world.part), 1);
    world_clear();
}
END_TEST

START_TEST(away_durable_waits_for_the_sync)
{
    struct world_append *append = begin_write(ENGINE_APPEND_DURABLE);
    unsigned n_syncs = world.faulty.n_syncs;
    step_hold_pool(true);
    come_back();
    ck_assert(!append->done);
    ck_assert_int_eq(world_state(world.part).high_watermark, 2);
    pool_step();
    ck_assert_uint_eq(world.faulty.n_syncs, n_syncs + 1);
    finish(append, ENGINE_OK);
    world_clear();
}
END_TEST

static bool flushed;

static void on_flushed(struct engine_call *call, enum engine_status status)
{
    (void)call;
    ck_assert_int_eq(status, ENGINE_OK);
    flushed = true;
}

START_TEST(away_flush_covers_it)
{
    struct world_append *append = begin_write(0);
    struct engine_call call = {.done = on_flushed};
    flushed = false;
    world.engine->ops->part_flush(world.part, &call);
    step_settle();
    ck_assert(!flushed);
    come_back();
    ck_assert(flushed);
    ck_assert_int_eq(world_state(world.part).durable_end, 2);
    finish(append, ENGINE_OK);
    world_clear();
}
END_TEST

/* A sync that began before covers what was written before, and no more. */
START_TEST(away_beside_a_sync)
{
    begin();
    step_hold_pool(true);
    struct batch_spec spec = {.n_records = 1, .flags = ENGINE_APPEND_DURABLE};
    struct world_append *before = world_append(world.part, &spec);
    step_settle();
    struct world_append *append = append_away(LARGE, ENGINE_APPEND_DURABLE);
    step_settle();
    pool_step();
    finish(before, ENGINE_OK);
    ck_assert_int_eq(world_state(world.part).durable_end, 2);
    ck_assert(!append->done);
    step_hold_pool(false);
    come_back();
    finish(append, ENGINE_OK);
    ck_assert_int_eq(world_state(world.part).durable_end, 3);
    world_clear();
}
END_TEST

START_TEST(away_write_fails)
{
    struct world_append *append = begin_write(ENGINE_APPEND_DURABLE);
    struct world_append *behind = append_away(100, 0);
    step_settle();
    world.faulty.write_error = ENOSPC;
    come_back();
    world.faulty.write_error = 0;
    finish(append, ENGINE_STORAGE);
    finish(behind, ENGINE_STORAGE);
    ck_assert_int_eq(world_state(world.part).log_end, 1);
    ck_assert_uint_eq(world_file_size(WORLD_LOG0), 100);
    append = append_away(LARGE, ENGINE_APPEND_DURABLE);
    step_settle();
    finish(append, ENGINE_OK);
    ck_assert_uint_eq(world.n_failed, 0);
    restart_and_scan(2);
    world_clear();
}
END_TEST

/* The part goes into repair while the write is under way: the cut waits for it and takes it along.
 */
static struct world_append *fail_sync_meanwhile(struct world_append **ret_before)
{
    begin();
    step_hold_pool(true);
    struct batch_spec spec = {.n_records = 1, .flags = ENGINE_APPEND_DURABLE};
    *ret_before = world_append(world.part, &spec);
    step_settle();
    struct world_append *append = append_away(LARGE, 0);
    step_settle();
    world.faulty.sync_error = EIO;
    pool_step();
    world.faulty.sync_error = 0;
    ck_assert_uint_eq(step_pool_count(), 0);
    ck_assert(!append->done && !(*ret_before)->done);
    step_hold_pool(false);
    return append;
}

START_TEST(away_sync_fails_meanwhile)
{
    struct world_append *before, *append = fail_sync_meanwhile(&before);
    step_settle();
    ck_assert(!append->done && !before->done);
    come_back();
    finish(before, ENGINE_STORAGE);
    finish(append, ENGINE_STORAGE);
    ck_assert_uint_eq(world.n_lost, 1);
    ck_assert_int_eq(world_state(world.part).log_end, 1);
    ck_assert_uint_eq(world_file_size(WORLD_LOG0), 100);
    append = append_away(LARGE, ENGINE_APPEND_DURABLE);
    step_settle();
    finish(append, ENGINE_OK);
    ck_assert_int_eq(world_scan(world.part), 2);
    restart_and_scan(2);
    world_clear();
}
END_TEST

START_TEST(away_closed_before_the_repair)
{
    struct world_append *before, *append = fail_sync_meanwhile(&before);
    world.engine->ops->part_close(steal(&world.part), NULL);
    come_back();
    finish(before, ENGINE_NOT_OWNER);
    ck_assert(append->done && append->status != ENGINE_STORAGE);
    world_append_free(append);
    world_stop();
    world_start();
    ck_assert_int_ge(world_scan(world.part), 1);
    world_clear();
}
END_TEST

static enum engine_status closed;

static void on_closed(struct engine_call *call, enum engine_status status)
{
    (void)call;
    closed = status;
}

static struct world_append *end_meanwhile(
    void (*end)(struct part *part, struct engine_call *call), struct engine_call *call)
{
    struct world_append *append = begin_write(ENGINE_APPEND_DURABLE);
    struct world_append *behind = append_away(LARGE, 0);
    closed = ENGINE_PENDING;
    call->done = on_closed;
    world.depth++;
    end(steal(&world.part), call);
    world.depth--;
    step_settle();
    finish(behind, ENGINE_NOT_OWNER); /* never began */
    ck_assert(!append->done);         /* its bytes are being read */
    ck_assert_int_eq(closed, ENGINE_PENDING);
    return append;
}

START_TEST(away_closed_meanwhile)
{
    struct engine_call call = {0};
    struct world_append *append = end_meanwhile(part_close, &call);
    come_back();
    finish(append, ENGINE_NOT_OWNER);
    ck_assert_int_eq(closed, ENGINE_OK);
    world_stop();
    world_start();
    ck_assert_int_eq(world_scan(world.part), 2); /* it is whole */
    world_clear();
}
END_TEST

START_TEST(away_closed_meanwhile_and_failed)
{
    struct engine_call call = {0};
    struct world_append *append = end_meanwhile(part_close, &call);
    step_hold_pool(true);
    world.faulty.write_error = EIO;
    come_back();
    world.faulty.write_error = 0;
    ck_assert(!append->done); /* refused when it is gone from the file */
    step_hold_pool(false);
    step_settle();
    finish(append, ENGINE_STORAGE);
    ck_assert_int_eq(closed, ENGINE_OK);
    ck_assert_uint_eq(world_file_size(WORLD_LOG0), 100);
    world_stop();
    world_start();
    ck_assert_int_eq(world_scan(world.part), 1);
    world_clear();
}
END_TEST

START_TEST(away_deleted_meanwhile)
{
    struct engine_call call = {0};
    struct world_append *append = end_meanwhile(part_delete, &call);
    ck_assert(world_file_exists(WORLD_LOG0));
    come_back();
    finish(append, ENGINE_NOT_OWNER);
    ck_assert_int_eq(closed, ENGINE_OK);
    ck_assert(!world_file_exists(WORLD_LABEL));
    world_clear();
}
END_TEST

START_TEST(away_rolls_when_it_is_back)
{
    begin();
    world.config.segment_size_max = LARGE + 200;
    world.engine->ops->part_configure(world.part, &world.config);
    struct world_append *first = append_away(LARGE, 0);
    struct world_append *second = append_away(LARGE, 0);
    step_settle();
    ck_assert(!world_file_exists(WORLD_LABEL "/00000000000000000002.log"));
    come_back();
    finish(first, ENGINE_OK);
    finish(second, ENGINE_OK);
    ck_assert_uint_eq(world_file_size(WORLD_LOG0), 100 + LARGE);
    ck_assert_uint_eq(world_file_size(WORLD_LABEL "/00000000000000000002.log"), LARGE);
    restart_and_scan(3);
    world_clear();
}
END_TEST

START_TEST(away_retention_leaves_the_active_segment)
{
    struct world_append *append = begin_write(0);
    world.config.retention_ms = 1000;
    world.engine->ops->part_configure(world.part, &world.config);
    world.faulty.real_ms += 3600000;
    step_advance(301000);
    ck_assert(!append->done);
    ck_assert_int_eq(world_state(world.part).log_start, 0);
    come_back();
    finish(append, ENGINE_OK);
    step_advance(301000);
    ck_assert_int_eq(world_state(world.part).log_start, 2);
    world_clear();
}
END_TEST

START_TEST(away_log_start_moves_meanwhile)
{
    struct world_append *append = begin_write(0);
    struct engine_call call = {.offset = 1};
    ck_assert_int_eq(
        world_call(world.part, world.engine->ops->part_set_log_start, &call), ENGINE_OK);
    call.offset = 2; /* not readable yet */
    ck_assert_int_eq(
        world_call(world.part, world.engine->ops->part_set_log_start, &call), ENGINE_OUT_OF_RANGE);
    come_back();
    finish(append, ENGINE_OK);
    ck_assert_int_eq(world_state(world.part).log_start, 1);
    struct world_read read = world_read(world.part, 1, 1 << 20, true);
    ck_assert_int_eq(read.next_offset, 2);
    free(read.bytes);
    world_clear();
}
END_TEST

/* The descriptor is given up by the cache, not by the write. */
START_TEST(away_keeps_its_file)
{
    world_make();
    world.files_open_max = 1;
    world_start();
    ck_assert_int_eq(world_put_durable(world.part, 1, 100), ENGINE_OK);
    step_hold_other(true);
    struct world_append *append = append_away(LARGE, 0);
    step_settle();
    struct part *other = world_open_part("payments-0", 8, true);
    ck_assert_int_eq(world_put(other, 1, 100), ENGINE_OK);
    come_back();
    finish(append, ENGINE_OK);
    ck_assert_int_eq(world_scan(world.part), 2);
    world.engine->ops->part_close(other, NULL);
    step_settle();
    world_clear();
}
END_TEST

TEST_MAIN("store/away", away_shows_nothing_before_it_is_back,
    away_is_for_large_appends_from_elsewhere, away_takes_what_came_together,
    away_as_the_first_write, away_durable_waits_for_the_sync, away_flush_covers_it,
    away_beside_a_sync, away_write_fails, away_sync_fails_meanwhile, away_closed_before_the_repair,
    away_closed_meanwhile, away_closed_meanwhile_and_failed, away_deleted_meanwhile,
    away_rolls_when_it_is_back, away_retention_leaves_the_active_segment,
    away_log_start_moves_meanwhile, away_keeps_its_file)
