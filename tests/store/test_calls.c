// SPDX-License-Identifier: BSD-2-Clause
/* Retention, log start, times, epochs, replay, snapshots, delete. */
#include "base/buffer.h"
#include "base/memory.h"
#include "support/store_world.h"
#include "runner.h"

#include <errno.h>
#include <stdio.h>

#define CALL_ON(part, fn, call) world_call((part), world.engine->ops->fn, (call))
#define CALL(fn, call)          CALL_ON(world.part, fn, call)

static void put_n(int n, int32_t n_records, size_t size)
{
    for (int i = 0; i < n; i++)
        ck_assert_int_eq(world_put(world.part, n_records, size), ENGINE_OK);
}

/* --- retention --- */

START_TEST(retention_by_size)
{
    world_make();
    world.config.segment_size_max = 1000;
    world.config.retention_size = 2500;
    world_start();
    put_n(55, 1, 100);
    step_advance(300000);
    /* 5.5 segments; three go, because what is left then (2500) is still the limit */
    ck_assert_int_eq(world_state(world.part).log_start, 30);
    ck_assert_int_eq(world.log_start, 30);
    ck_assert_uint_eq(world.n_start_moved, 1);
    ck_assert(!world_file_exists(WORLD_LOG0));
    ck_assert_int_eq(world_read(world.part, 29, 1000, true).status, ENGINE_OUT_OF_RANGE);
    ck_assert_int_eq(world_scan(world.part), 55);
    world_kill();
    world_start();
    ck_assert_int_eq(world_state(world.part).log_start, 30);
    world_clear();
}
END_TEST

START_TEST(retention_by_time)
{
    world_make();
    world.config.segment_size_max = 1000;
    world.config.retention_ms = 10000;
    world_start();
    put_n(15, 1, 100);
    world.faulty.real_ms += 5000;
    put_n(10, 1, 100);
    world.faulty.real_ms += 5001;
    step_advance(300000);
    ck_assert_int_eq(world_state(world.part).log_start, 10);
    /* The active one goes, too, when it is old: the log is empty then and its offsets go on. */
    world.faulty.real_ms += 20000;
    step_advance(600000);
    ck_assert_int_eq(world_state(world.part).log_start, 25);
    ck_assert_uint_eq(world_state(world.part).size, 0);
    put_n(1, 1, 100);
    ck_assert_int_eq(world_scan(world.part), 26);
    world_clear();
}
END_TEST

/* Ten years ahead: nothing goes until the new time has lasted; set right again, nothing ever. */
START_TEST(retention_doubts_a_clock_that_jumps)
{
    const int64_t jump_ms = 10 * 365 * 24 * 3600000LL;
    world_make();
    world.config.segment_size_max = 1000;
    world.config.retention_ms = 30LL * 24 * 3600000;
    world_start();
    put_n(15, 1, 100);
    world.faulty.real_ms += jump_ms;
    step_advance(600000);
    ck_assert_int_eq(world_state(world.part).log_start, 0);
    world.faulty.real_ms -= jump_ms;
    step_advance(600000);
    ck_assert_int_eq(world_state(world.part).log_start, 0);
    world.faulty.real_ms += jump_ms;
    step_advance(25 * 3600000LL);
    ck_assert_int_eq(world_state(world.part).log_start, 15);
    world_clear();
}
END_TEST

START_TEST(retention_by_time_after_a_restart)
{
    world_make();
    world.config.segment_size_max = 1000;
    world.config.retention_ms = 10000;
    world_start();
    put_n(25, 1, 100);
    world_stop();
    world.faulty.real_ms += 10001;
    world_start();
    put_n(1, 1, 100);
    step_advance(300000);
    ck_assert_int_eq(world_state(world.part).log_start, 20);
    world_clear();
}
END_TEST

START_TEST(retention_leaves_compacted_topics_alone)
{
    world_make();
    world.config.segment_size_max = 1000;
    world.config.retention_ms = 1;
    world.config.cleanup_delete = false;
    world_start();
    put_n(25, 1, 100);
    world.faulty.real_ms += 100000;
    step_advance(300000);
    ck_assert_int_eq(world_state(world.part).log_start, 0);
    world_clear();
}
END_TEST

/* What is on its way out stays readable after its file is gone. */
START_TEST(retention_does_not_break_a_chunk)
{
    struct engine_read read = {.offset = 0, .bound = INT64_MAX, .size_max = 500};
    struct engine_call call = {.offset = 20};
    uint8_t byte;
    world_make();
    world.config.segment_size_max = 1000;
    world_start();
    put_n(10, 1, 100);
    ck_assert_int_eq(world.engine->ops->part_read(world.part, &read), ENGINE_OK);
    put_n(20, 1, 100);
    ck_assert_int_eq(CALL(part_set_log_start, &call), ENGINE_OK);
    ck_assert(!world_file_exists(WORLD_LOG0));
    ck_assert_uint_eq(read.n_chunks, 1);
    ck_assert_int_eq(world.faulty.base->ops->file_pread(
                         world.faulty.base, read.chunks[0].fd, &byte, 1, read.chunks[0].pos),
        1);
    chunk_release(&read.chunks[0]);
    world_clear();
}
END_TEST

START_TEST(log_start_moves_durably)
{
    struct engine_call call = {.offset = 7};
    world_make();
    world.config.segment_size_max = 500;
    world_start();
    put_n(12, 1, 100);
    ck_assert_int_eq(CALL(part_set_log_start, &call), ENGINE_OK);
    ck_assert_int_eq(world.log_start, 7);
    ck_assert(!world_file_exists(WORLD_LOG0));
    call.offset = 3;
    ck_assert_int_eq(CALL(part_set_log_start, &call), ENGINE_OK); /* never backwards */
    ck_assert_int_eq(world_state(world.part).log_start, 7);
    call.offset = 13;
    ck_assert_int_eq(CALL(part_set_log_start, &call), ENGINE_OUT_OF_RANGE);
    ck_assert_int_eq(world_read(world.part, 6, 1000, true).status, ENGINE_OUT_OF_RANGE);
    world_kill();
    world_start();
    ck_assert_int_eq(world_state(world.part).log_start, 7);
    ck_assert_int_eq(world_scan(world.part), 12);
    call.offset = 12;
    ck_assert_int_eq(CALL(part_set_log_start, &call), ENGINE_OK);
    struct world_read read = world_read(world.part, 12, 1000, true);
    ck_assert_uint_eq(read.n_batches, 0);
    free(read.bytes);
    put_n(1, 1, 100);
    ck_assert_int_eq(world_scan(world.part), 13);
    world_clear();
}
END_TEST

/* --- times and epochs --- */

static int64_t offset_for(int64_t timestamp)
{
    struct engine_call call = {.timestamp = timestamp};
    ck_assert_int_eq(CALL(part_offset_for_time, &call), ENGINE_OK);
    return call.offset;
}

static void put_at(int64_t timestamp)
{
    world.faulty.real_ms = timestamp;
    put_n(1, 1, 100);
}

START_TEST(time_lookup_agrees_with_a_scan)
{
    enum { COUNT = 80 };
    int64_t times[COUNT];
    world_make();
    world.config.segment_size_max = 1500;
    world_start();
    ck_assert_int_eq(offset_for(0), -1);
    srand(3);
    for (int i = 0; i < COUNT; i++)
        put_at(times[i] = 1000 + i * 3 + rand() % 40);
    for (int round = 0; round < 2; round++) {
        struct engine_call call = {0};
        int64_t greatest = 0;
        for (int64_t t = 990; t < 1300; t++) {
            int64_t expected = 0;
            while (expected < COUNT && times[expected] < t)
                expected++;
            ck_assert_int_eq(offset_for(t), expected == COUNT ? -1 : expected);
        }
        for (int i = 0; i < COUNT; i++)
            greatest = times[i] > times[greatest] ? i : greatest;
        ck_assert_int_eq(CALL(part_max_timestamp, &call), ENGINE_OK);
        ck_assert_int_eq(call.offset, greatest);
        ck_assert_int_eq(call.timestamp, times[greatest]);
        world_stop();
        world_start();
    }
    world_clear();
}
END_TEST

/* The greatest timestamp of what is left, not of what was deleted from the segment's front. */
START_TEST(max_timestamp_above_the_log_start)
{
    for (int restart = 0; restart < 2; restart++) {
        for (uint64_t segment_size = 600; segment_size <= 6000; segment_size *= 10) {
            struct engine_call call = {.offset = 2};
            world_make();
            world.config.segment_size_max = segment_size;
            world_start();
            put_at(1000);
            put_at(9000);
            for (int64_t t = 3000; t <= 5000; t += 1000)
                put_at(t);
            put_at(4000);
            put_at(2000); /* in the next segment, when they are small */
            ck_assert_int_eq(CALL(part_set_log_start, &call), ENGINE_OK);
            if (restart == 1) {
                world_kill();
                world_start();
            }
            call = (struct engine_call){0};
            ck_assert_int_eq(CALL(part_max_timestamp, &call), ENGINE_OK);
            ck_assert_int_eq(call.offset, 4);
            ck_assert_int_eq(call.timestamp, 5000);
            world_clear();
        }
    }
}
END_TEST

START_TEST(time_lookup_of_an_empty_log)
{
    struct engine_call call = {0};
    world_make();
    world_start();
    ck_assert_int_eq(CALL(part_max_timestamp, &call), ENGINE_OK);
    ck_assert_int_eq(call.offset, -1);
    ck_assert_int_eq(offset_for(5), -1);
    world_clear();
}
END_TEST

START_TEST(epoch_is_one_and_lasts)
{
    struct engine_call call = {.epoch = 0};
    world_make();
    world_start();
    put_n(4, 1, 100);
    ck_assert_int_eq(CALL(part_epoch_end, &call), ENGINE_OK);
    ck_assert_int_eq(call.epoch, 0);
    ck_assert_int_eq(call.offset, 4);
    call.epoch = -1;
    ck_assert_int_eq(CALL(part_epoch_end, &call), ENGINE_OK);
    ck_assert_int_eq(call.epoch, -1);
    world_clear();
}
END_TEST

static int64_t epoch_end(int32_t epoch)
{
    struct engine_call call = {.epoch = epoch};
    ck_assert_int_eq(CALL(part_epoch_end, &call), ENGINE_OK);
    ck_assert_int_eq(call.epoch, epoch);
    return call.offset;
}

START_TEST(epoch_that_is_raised_begins_at_the_log_end)
{
    struct engine_call call = {0};
    world_make();
    world_start();
    ck_assert_int_eq(CALL(part_raise_epoch, &call), ENGINE_OK); /* of a log that has no files yet */
    ck_assert_int_eq(call.epoch, 1);
    ck_assert_int_eq(world_put(world.part, 3, 0), ENGINE_OK);
    ck_assert_int_eq(CALL(part_raise_epoch, &call), ENGINE_OK);
    ck_assert_int_eq(call.epoch, 2);
    ck_assert_int_eq(world_put(world.part, 2, 0), ENGINE_OK);
    for (int run = 0; run < 3; run++) {
        ck_assert_int_eq(world_state(world.part).leader_epoch, 2);
        ck_assert_int_eq(epoch_end(0), 0);
        ck_assert_int_eq(epoch_end(1), 3);
        ck_assert_int_eq(epoch_end(2), 5);
        struct world_read read = world_read(world.part, 3, 1000, true);
        ck_assert_int_eq(batch_header_parse(read.bytes).leader_epoch, 2);
        free(read.bytes);
        run == 0 ? world_stop() : world_kill();
        world_start();
    }
    world_clear();
}
END_TEST

static void on_raised(struct engine_call *call, enum engine_status status)
{
    ck_assert_int_eq(status, ENGINE_OK);
    call->timestamp = 1;
}

START_TEST(epoch_begins_behind_what_was_appended_meanwhile)
{
    struct engine_call call = {.done = on_raised};
    world_make();
    world_start();
    ck_assert_int_eq(world_put(world.part, 3, 0), ENGINE_OK);
    world.engine->ops->part_raise_epoch(world.part, &call);
    struct world_append *append = world_append(world.part, &(struct batch_spec){.n_records = 2});
    ck_assert_int_eq(append->answer, ENGINE_PENDING);
    step_settle();
    world_append_free(append);
    ck_assert_int_eq(call.timestamp, 1);
    ck_assert_int_eq(call.epoch, 1);
    ck_assert_int_eq(epoch_end(0), 5);
    world_kill();
    world_start();
    ck_assert_int_eq(epoch_end(0), 5);
    world_clear();
}
END_TEST

/* --- replay --- */

struct walk_test {
    struct engine_replay replay;
    int64_t next;
    unsigned count, stop_after;
    bool done;
    enum engine_status status;
};

static int on_visit(
    struct engine_replay *replay, const struct batch_header *header, struct slice batch)
{
    struct walk_test *test = container_of(replay, struct walk_test, replay);
    ck_assert_uint_eq(world.depth, 0);
    ck_assert(test->count == 0 || header->base_offset == test->next);
    ck_assert_uint_eq(batch.size, replay->headers_only ? BATCH_HEADER_SIZE : batch_size(header));
    test->next = batch_last_offset(header) + 1;
    return ++test->count == test->stop_after;
}

static void on_replayed(struct engine_replay *replay, enum engine_status status)
{
    struct walk_test *test = container_of(replay, struct walk_test, replay);
    test->done = true;
    test->status = status;
}

static struct walk_test replay(int64_t from, bool headers_only, unsigned stop_after)
{
    struct walk_test test = {.stop_after = stop_after,
        .replay = {
            .from = from, .headers_only = headers_only, .visit = on_visit, .done = on_replayed}};
    world.depth++;
    world.engine->ops->part_replay(world.part, &test.replay);
    world.depth--;
    step_settle();
    ck_assert(test.done);
    ck_assert_int_eq(test.status, ENGINE_OK);
    return test;
}

START_TEST(replay_visits_everything_once)
{
    world_make();
    world.config.segment_size_max = 1 << 20;
    world_start();
    ck_assert_uint_eq(replay(0, false, 0).count, 0);
    put_n(1, 1, 900 << 10);
    put_n(30, 2, 100 << 10);
    put_n(100, 1, 200);
    for (int round = 0; round < 2; round++) {
        for (int headers = 0; headers < 2; headers++) {
            struct walk_test test = replay(0, headers == 1, 0);
            ck_assert_uint_eq(test.count, 131);
            ck_assert_int_eq(test.next, 161);
            ck_assert_uint_eq(replay(30, headers == 1, 0).count, 116);
            ck_assert_uint_eq(replay(161, headers == 1, 0).count, 0);
            ck_assert_uint_eq(replay(0, headers == 1, 5).count, 5);
        }
        world_kill();
        world_start();
    }
    world_clear();
}
END_TEST

START_TEST(replay_of_many_small_batches)
{
    world_make();
    world_start();
    put_n(9000, 1, 70);
    ck_assert_uint_eq(replay(0, true, 0).count, 9000);
    ck_assert_uint_eq(replay(0, false, 0).count, 9000);
    world_clear();
}
END_TEST

/* --- snapshots --- */

static struct buffer *snapshot_blob;

static void snapshot_ask(struct part *part, struct engine_call *call)
{
    world.engine->ops->part_snapshot_get(part, snapshot_blob, call);
}

static int64_t snapshot_get(struct buffer *blob)
{
    struct engine_call call = {0};
    blob->size = 0;
    snapshot_blob = blob;
    ck_assert_int_eq(world_call(world.part, snapshot_ask, &call), ENGINE_OK);
    return call.offset;
}

START_TEST(snapshot_newest_valid_one_counts)
{
    struct buffer blob = BUFFER_NULL;
    world_make();
    world_start();
    ck_assert_int_eq(snapshot_get(&blob), -1);
    put_n(10, 1, 100);
    for (int64_t upto = 2; upto <= 8; upto += 2) {
        char text[8];
        snprintf(text, sizeof(text), "at %d", (int)upto);
        world.engine->ops->part_snapshot_put(world.part, upto, slice_from_str(text));
    }
    step_settle();
    ck_assert_int_eq(snapshot_get(&blob), 8);
    ck_assert(slice_equal_str(buffer_slice(&blob), "at 8"));
    ck_assert(world_file_exists(WORLD_LABEL "/00000000000000000006.snapshot"));
    ck_assert(!world_file_exists(WORLD_LABEL "/00000000000000000004.snapshot"));
    world_stop();
    world_file_write(WORLD_LABEL "/00000000000000000008.snapshot", 7, "X", 1);
    world_start();
    ck_assert_int_eq(snapshot_get(&blob), 6);
    ck_assert(slice_equal_str(buffer_slice(&blob), "at 6"));
    world_stop();
    world_file_truncate(WORLD_LABEL "/00000000000000000006.snapshot", 20);
    world_start();
    ck_assert_int_eq(snapshot_get(&blob), -1);
    buffer_deinit(&blob);
    world_clear();
}
END_TEST

START_TEST(snapshot_ahead_of_the_log_is_dropped)
{
    struct buffer blob = BUFFER_NULL;
    world_make();
    world_start();
    put_n(10, 1, 100);
    world.engine->ops->part_snapshot_put(world.part, 3, SLICE_LIT("three"));
    world.engine->ops->part_snapshot_put(world.part, 9, SLICE_LIT("nine"));
    step_settle();
    world_kill();
    world_file_truncate(WORLD_LOG0, 500);
    world_start();
    ck_assert_int_eq(snapshot_get(&blob), 3);
    buffer_deinit(&blob);
    world_clear();
}
END_TEST

/* --- delete, sweep, lock --- */

START_TEST(delete_leaves_nothing)
{
    struct engine_call call = {0};
    world_make();
    world_start();
    put_n(5, 1, 100);
    ck_assert_int_eq(CALL(part_delete, &call), ENGINE_OK);
    ck_assert(!world_file_exists(WORLD_LABEL));
    world.part = world_open_part(WORLD_LABEL, 8, true);
    ck_assert_int_eq(world_state(world.part).log_end, 0);
    put_n(2, 1, 100);
    ck_assert_int_eq(world_scan(world.part), 2);
    world_clear();
}
END_TEST

START_TEST(delete_while_work_is_under_way)
{
    struct engine_call call = {0};
    struct batch_spec spec = {.n_records = 1, .flags = ENGINE_APPEND_DURABLE};
    world_make();
    world_start();
    step_hold_pool(true);
    struct world_append *append = world_append(world.part, &spec);
    step_settle();
    step_hold_pool(false);
    ck_assert_int_eq(CALL(part_delete, &call), ENGINE_OK);
    ck_assert_int_eq(append->status, ENGINE_NOT_OWNER);
    world_append_free(append);
    ck_assert(!world_file_exists(WORLD_LABEL));
    world.part = NULL;
    world_clear();
}
END_TEST

/* Many deletions cost no checkpoint each: their labels leave the files with the next write. */
START_TEST(delete_of_many_writes_no_checkpoint_each)
{
    enum { COUNT = 20 };
    struct part *parts[COUNT];
    struct engine_call call = {0};
    world_make();
    world_start();
    for (int i = 0; i < COUNT; i++) {
        char label[32];
        snprintf(label, sizeof(label), "many-%d", i);
        parts[i] = world_open_part(label, (uint8_t)(20 + i), true);
        ck_assert_int_eq(world_put_durable(parts[i], 1, 100), ENGINE_OK);
    }
    unsigned before = world.faulty.n_syncs;
    for (int i = 0; i < COUNT; i++)
        ck_assert_int_eq(CALL_ON(parts[i], part_delete, &call), ENGINE_OK);
    ck_assert_uint_eq(world.faulty.n_syncs, before);
    ck_assert(!world_file_exists("many-7"));
    world_clear();
}
END_TEST

/* The old topic's removal comes late, when the new topic of that name has made its directory. */
START_TEST(delete_leaves_the_successor_alone)
{
    struct batch_spec spec = {.n_records = 1};
    world_make();
    world_start();
    put_n(5, 1, 100);
    step_hold_pool(true);
    world.engine->ops->part_delete(world.part, NULL);
    step_settle();
    world.part = world_open_part(WORLD_LABEL, 8, true);
    struct world_append *append = world_append(world.part, &spec);
    step_settle();
    ck_assert(step_pool_newest());
    step_settle();
    ck_assert(append->done);
    world_append_free(append);
    step_hold_pool(false);
    step_settle();
    ck_assert(world_file_exists(WORLD_LOG0));
    put_n(2, 1, 100);
    ck_assert_int_eq(world_scan(world.part), 3);
    char *command = xasprintf("ls %s | grep -c stray > %s/count", world.dir, world.dir);
    ck_assert_int_ne(system(command), 0); /* none: what the successor set aside was removed */
    free(command);
    world_kill();
    world_clear();
}
END_TEST

/* The old partition's recovery point must not be applied to the new one's log. */
static void recreate(bool kill_after_delete)
{
    struct engine_call call = {0};
    world_make();
    world_start();
    put_n(9, 1, 100);
    world_stop(); /* the checkpoint knows 9 */
    world_start();
    ck_assert_int_eq(CALL(part_delete, &call), ENGINE_OK);
    world.part = NULL;
    if (kill_after_delete) {
        world_kill();
        world_start();
        world.engine->ops->part_close(world.part, NULL);
        step_settle();
    }
    world.part = world_open_part(WORLD_LABEL, 7, true);
    put_n(2, 1, 100);
    world_kill();
    world_start();
    ck_assert_int_eq(world_state(world.part).log_end, 2);
    ck_assert_int_eq(world_scan(world.part), 2);
    world_clear();
}

START_TEST(delete_and_create_anew_then_a_kill)
{
    recreate(false);
    recreate(true);
}
END_TEST

START_TEST(sweep_removes_what_is_left_of_deleted_topics)
{
    struct uuid gone = {{1, 2, 3, 9}};
    world_make();
    world_start();
    put_n(1, 1, 100);
    struct part *other = world_open_part("gone-0", 9, true);
    ck_assert_int_eq(world_put(other, 1, 100), ENGINE_OK);
    world.engine->ops->part_close(other, NULL);
    step_settle();
    world_stop();
    world_file_write("notes-0", 0, "x", 1);
    world_start();
    ck_assert_int_eq(engine_local_sweep(world.engine, &gone, 1), 0);
    ck_assert(world_file_exists(WORLD_LABEL));
    ck_assert(world_file_exists("notes-0"));
    ck_assert(!world_file_exists("gone-0"));
    world_clear();
}
END_TEST

START_TEST(lock_keeps_a_second_one_out)
{
    struct engine *second;
    world_make();
    world_start();
    struct engine_local_config config = {.env = &world.faulty.env,
        .loops = &world.loop,
        .n_loops = 1,
        .dir = world.dir,
        .files_open_max = 4,
        .retention_check_ms = 1000};
    ck_assert_int_eq(engine_local_new(&config, &second), -EWOULDBLOCK);
    world_clear();
}
END_TEST

TEST_MAIN("store/calls", retention_by_size, retention_by_time, retention_by_time_after_a_restart,
    retention_doubts_a_clock_that_jumps, max_timestamp_above_the_log_start,
    retention_leaves_compacted_topics_alone, retention_does_not_break_a_chunk,
    log_start_moves_durably, time_lookup_agrees_with_a_scan, time_lookup_of_an_empty_log,
    epoch_is_one_and_lasts, epoch_that_is_raised_begins_at_the_log_end,
    epoch_begins_behind_what_was_appended_meanwhile, replay_visits_everything_once,
    replay_of_many_small_batches, snapshot_newest_valid_one_counts,
    snapshot_ahead_of_the_log_is_dropped, delete_leaves_nothing,
    delete_of_many_writes_no_checkpoint_each, delete_leaves_the_successor_alone,
    delete_and_create_anew_then_a_kill, delete_while_work_is_under_way,
    sweep_removes_what_is_left_of_deleted_topics, lock_keeps_a_second_one_out)
