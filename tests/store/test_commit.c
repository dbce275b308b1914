// SPDX-License-Identifier: BSD-2-Clause
/* Durability: group commit, failed syncs, full disks. */
#include "support/store_world.h"
#include "runner.h"

#include <errno.h>

static const struct batch_spec durable = {.n_records = 1, .flags = ENGINE_APPEND_DURABLE};
static const struct batch_spec plain = {.n_records = 1};

static void begin(void)
{
    world_make();
    world_start();
    ck_assert_int_eq(world_put_durable(world.part, 1, 100), ENGINE_OK);
}

/* The oldest pool work runs; what it brings is handled. */
static void pool_step(void)
{
    ck_assert(step_pool_one());
    step_turn();
}

START_TEST(commit_answers_only_after_the_sync)
{
    begin();
    step_hold_pool(true);
    struct world_append *late = world_append(world.part, &durable);
    struct world_append *early = world_append(world.part, &plain);
    step_settle();
    ck_assert(early->done && early->status == ENGINE_OK);
    ck_assert(!late->done);
    ck_assert_int_eq(world_state(world.part).high_watermark, 3);
    ck_assert_int_eq(world_state(world.part).durable_end, 1);
    unsigned n_syncs = world.faulty.n_syncs;
    pool_step();
    ck_assert_uint_eq(world.faulty.n_syncs, n_syncs + 1);
    ck_assert(late->done && late->status == ENGINE_OK);
    ck_assert_int_eq(world_state(world.part).durable_end, 3);
    world_append_free(late);
    world_append_free(early);
    world_clear();
}
END_TEST

/* A file whose name is lost is lost. */
START_TEST(commit_answers_only_after_the_names_are_synced)
{
    world_make();
    world.config.segment_size_max = 1000;
    world_start();
    for (int i = 0; i < 25; i++) {
        unsigned n_dir_syncs = world.faulty.n_dir_syncs;
        bool new_file = i % 10 == 0;
        ck_assert_int_eq(world_put_durable(world.part, 1, 100), ENGINE_OK);
        ck_assert_uint_ge(world.faulty.n_dir_syncs, n_dir_syncs + (new_file ? 2 : 0));
    }
    world_clear();
}
END_TEST

START_TEST(commit_one_sync_covers_what_came_meanwhile)
{
    enum { COUNT = 20 };
    struct world_append *appends[COUNT];
    begin();
    step_hold_pool(true);
    for (int i = 0; i < COUNT; i++) {
        appends[i] = world_append(world.part, &durable);
        step_settle(); /* each is a write of its own */
    }
    ck_assert_uint_eq(step_pool_count(), 1);
    unsigned n_syncs = world.faulty.n_syncs;
    pool_step();
    ck_assert(appends[0]->done && !appends[1]->done);
    pool_step();
    for (int i = 0; i < COUNT; i++) {
        ck_assert(appends[i]->done && appends[i]->status == ENGINE_OK);
        world_append_free(appends[i]);
    }
    ck_assert_uint_eq(world.faulty.n_syncs, n_syncs + 2);
    ck_assert_uint_eq(step_pool_count(), 0);
    world_clear();
}
END_TEST

START_TEST(commit_written_is_enough_when_asked_for)
{
    world_make();
    world.sync_all = false;
    world_start();
    ck_assert_int_eq(world_put(world.part, 1, 100), ENGINE_OK);
    step_hold_pool(true);
    unsigned n_syncs = world.faulty.n_syncs;
    ck_assert_int_eq(world_put_durable(world.part, 1, 100), ENGINE_OK);
    ck_assert_uint_eq(world.faulty.n_syncs, n_syncs);
    world_clear();
}
END_TEST

START_TEST(commit_flush_waits_for_the_medium)
{
    struct engine_call call = {0};
    begin();
    ck_assert_int_eq(world_put(world.part, 5, 100), ENGINE_OK);
    ck_assert_int_eq(world_state(world.part).durable_end, 1);
    ck_assert_int_eq(world_call(world.part, world.engine->ops->part_flush, &call), ENGINE_OK);
    ck_assert_int_eq(world_state(world.part).durable_end, 6);
    ck_assert_int_eq(world_call(world.part, world.engine->ops->part_flush, &call), ENGINE_OK);
    world_clear();
}
END_TEST

START_TEST(commit_flush_settings_of_a_topic)
{
    world_make();
    world.config.flush_messages = 3;
    world_start();
    ck_assert_int_eq(world_put(world.part, 2, 100), ENGINE_OK);
    ck_assert_int_eq(world_state(world.part).durable_end, 0);
    ck_assert_int_eq(world_put(world.part, 2, 100), ENGINE_OK);
    ck_assert_int_eq(world_state(world.part).durable_end, 4);
    world.config.flush_messages = INT64_MAX;
    world.config.flush_ms = 100;
    world.engine->ops->part_configure(world.part, &world.config);
    ck_assert_int_eq(world_put(world.part, 1, 100), ENGINE_OK);
    step_advance(20);
    ck_assert_int_eq(world_state(world.part).durable_end, 4);
    step_advance(200);
    ck_assert_int_eq(world_state(world.part).durable_end, 5);
    world_clear();
}
END_TEST

/* F7: what was not durable is gone for good, what is above starts anew, the log goes on. */
START_TEST(commit_failed_sync_cuts_to_what_is_durable)
{
    begin();
    ck_assert_int_eq(world_put(world.part, 1, 100), ENGINE_OK); /* written only: goes, too */
    unsigned n_syncs = world.faulty.n_syncs;
    world.faulty.fail_at = world.faulty.calls + 2; /* a write, then the sync */
    ck_assert_int_eq(world_put_durable(world.part, 1, 100), ENGINE_STORAGE);
    ck_assert_uint_eq(world.n_lost, 1);
    ck_assert_uint_eq(world.n_acquired, 2);
    ck_assert_uint_gt(world.faulty.n_syncs, n_syncs); /* the cut, not the same again */
    struct part_state state = world_state(world.part);
    ck_assert_int_eq(state.log_end, 1);
    ck_assert_int_eq(state.high_watermark, 1);
    ck_assert_uint_eq(world_file_size(WORLD_LOG0), 100);
    ck_assert(world_file_exists(WORLD_LABEL "/00000000000000000001.log"));
    ck_assert_int_eq(world_put_durable(world.part, 2, 100), ENGINE_OK);
    ck_assert_int_eq(world_scan(world.part), 3);
    world_kill();
    world_start();
    ck_assert_int_eq(world_scan(world.part), 3);
    world_clear();
}
END_TEST

/* What described the part that was cut must not be believed when the log has grown again. */
START_TEST(commit_failed_sync_drops_snapshots_ahead)
{
    begin();
    ck_assert_int_eq(world_put(world.part, 2, 100), ENGINE_OK);
    world.engine->ops->part_snapshot_put(world.part, 1, SLICE_LIT("one"));
    world.engine->ops->part_snapshot_put(world.part, 3, SLICE_LIT("three"));
    step_settle();
    ck_assert(world_file_exists(WORLD_LABEL "/00000000000000000003.snapshot"));
    world.faulty.fail_at = world.faulty.calls + 2; /* a write, then the sync */
    ck_assert_int_eq(world_put_durable(world.part, 1, 100), ENGINE_STORAGE);
    ck_assert(!world_file_exists(WORLD_LABEL "/00000000000000000003.snapshot"));
    ck_assert(world_file_exists(WORLD_LABEL "/00000000000000000001.snapshot"));
    world_clear();
}
END_TEST

START_TEST(commit_second_failed_sync_takes_it_offline)
{
    begin();
    world.faulty.fail_at = world.faulty.calls + 2;
    ck_assert_int_eq(world_put_durable(world.part, 1, 100), ENGINE_STORAGE);
    ck_assert_int_eq(world_put_durable(world.part, 1, 100), ENGINE_OK);
    step_advance(120000);
    world.faulty.fail_at = world.faulty.calls + 2; /* long ago: as if it were the first */
    ck_assert_int_eq(world_put_durable(world.part, 1, 100), ENGINE_STORAGE);
    ck_assert_uint_eq(world.n_failed, 0);
    world.faulty.fail_at = world.faulty.calls + 2;
    ck_assert_int_eq(world_put_durable(world.part, 1, 100), ENGINE_NOT_OWNER);
    ck_assert_uint_eq(world.n_failed, 1);
    ck_assert_int_eq(world_put_durable(world.part, 1, 100), ENGINE_STORAGE);
    world_kill();
    world_start();
    ck_assert_int_ge(world_scan(world.part), 2);
    world_clear();
}
END_TEST

START_TEST(commit_failed_first_sync_starts_the_file_anew)
{
    world_make();
    world_start();
    step_hold_pool(true);
    struct world_append *append = world_append(world.part, &durable);
    step_turn();
    pool_step(); /* makes the files */
    world.faulty.sync_error = EIO;
    pool_step(); /* the sync */
    world.faulty.sync_error = 0;
    step_hold_pool(false);
    step_settle();
    ck_assert_int_eq(append->status, ENGINE_STORAGE);
    world_append_free(append);
    ck_assert_uint_eq(world_file_size(WORLD_LOG0), 0);
    ck_assert_int_eq(world_put_durable(world.part, 2, 100), ENGINE_OK);
    ck_assert_int_eq(world_scan(world.part), 2);
    world_clear();
}
END_TEST

START_TEST(commit_offline_when_the_cut_cannot_be_made_durable)
{
    begin();
    world.faulty.sync_error = EIO;
    ck_assert_int_eq(world_put_durable(world.part, 1, 100), ENGINE_NOT_OWNER);
    ck_assert_uint_eq(world.n_failed, 1);
    ck_assert_int_eq(world_put(world.part, 1, 100), ENGINE_STORAGE);
    ck_assert_int_eq(world_read(world.part, 0, 1000, true).status, ENGINE_STORAGE);
    world.faulty.sync_error = 0;
    world_kill();
    world_start();
    ck_assert_int_ge(world_scan(world.part), 1);
    world_clear();
}
END_TEST

/* F6: a full disk refuses appends and nothing else; it goes on by itself. */
START_TEST(commit_full_disk_refuses_and_resumes)
{
    begin();
    world.faulty.write_error = ENOSPC;
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(world_put(world.part, 1, 1000), ENGINE_STORAGE);
        ck_assert_int_eq(world_state(world.part).log_end, 1);
        ck_assert_uint_eq(world_file_size(WORLD_LOG0), 100); /* the half is cut off */
        ck_assert_int_eq(world_scan(world.part), 1);
    }
    world.faulty.write_error = 0;
    ck_assert_int_eq(world_put_durable(world.part, 3, 100), ENGINE_OK);
    ck_assert_int_eq(world_scan(world.part), 4);
    ck_assert_uint_eq(world.n_failed, 0);
    world_clear();
}
END_TEST

START_TEST(commit_refuses_before_the_disk_is_full)
{
    begin();
    world.faulty.disk_full = true;
    ck_assert_int_eq(world_put(world.part, 1, 100), ENGINE_OK);
    step_advance(1000);
    ck_assert_int_eq(world_put(world.part, 1, 100), ENGINE_STORAGE);
    ck_assert_int_eq(world_scan(world.part), 2);
    world.config.cleanup_compact = true;
    world.engine->ops->part_configure(world.part, &world.config);
    ck_assert_int_eq(world_put(world.part, 1, 100), ENGINE_OK); /* commits use the reserve */
    world.config.cleanup_compact = false;
    world.engine->ops->part_configure(world.part, &world.config);
    world.faulty.disk_full = false;
    step_advance(500); /* nobody's second passes */
    ck_assert_int_eq(world_put(world.part, 1, 100), ENGINE_OK);
    step_advance(5000);
    ck_assert_uint_eq(step_timers_count(), 2); /* it does not tick when nothing is written */
    world_clear();
}
END_TEST

/* However fast it is filled: what is written between two looks counts. */
START_TEST(commit_refuses_by_what_was_written)
{
    begin();
    world.faulty.disk_full = true; /* but for a byte, which the next look finds */
    step_advance(1000);
    world.faulty.disk_full = false;
    world.faulty.disk_left = (64 << 20) + 5000; /* 5000 above the reserve */
    step_advance(1000);
    int puts = 0;
    while (world_put(world.part, 1, 1000) == ENGINE_OK)
        ck_assert_int_lt(++puts, 10);
    ck_assert_int_ge(puts, 5);
    world.faulty.disk_left = 0;
    step_advance(1000);
    ck_assert_int_eq(world_put(world.part, 1, 1000), ENGINE_OK);
    world_clear();
}
END_TEST

/* What a start has to read does not grow with how fast the log does. */
START_TEST(commit_moves_the_recovery_point_early)
{
    begin();
    for (int i = 0; i < 70; i++)
        ck_assert_int_eq(world_put_durable(world.part, 1, 500 << 10), ENGINE_OK);
    step_advance(1);
    ck_assert_uint_gt(world_file_size("recovery-point-offset-checkpoint"), 4); /* it is there */
    world_clear();
}
END_TEST

START_TEST(commit_full_disk_while_a_file_is_made)
{
    world_make();
    world_start();
    world.faulty.error = ENOSPC;
    world.faulty.sticky = true;
    world.faulty.fail_at = 1;
    ck_assert_int_eq(world_put(world.part, 1, 100), ENGINE_STORAGE);
    ck_assert_int_eq(world_put_durable(world.part, 1, 100), ENGINE_STORAGE);
    world.faulty.fail_at = 0;
    ck_assert_int_eq(world_put_durable(world.part, 1, 100), ENGINE_OK);
    ck_assert_int_eq(world_scan(world.part), 1);
    world_clear();
}
END_TEST

struct flush {
    struct engine_call call;
    bool done;
    enum engine_status status;
};

static void flush_on_done(struct engine_call *call, enum engine_status status)
{
    struct flush *flush = container_of(call, struct flush, call);
    flush->done = true;
    flush->status = status;
}

/* Whoever flushes wants to know that what was appended before is there. */
START_TEST(commit_flush_fails_with_what_it_covers)
{
    struct flush flush = {.call.done = flush_on_done};
    world_make();
    world_start();
    step_hold_pool(true);
    struct world_append *append = world_append(world.part, &plain); /* its file is being made */
    step_settle();
    world.engine->ops->part_flush(world.part, &flush.call);
    step_settle();
    ck_assert(!append->done && !flush.done);
    world.faulty.error = ENOSPC;
    world.faulty.fail_at = world.faulty.calls + 1;
    step_hold_pool(false);
    step_settle();
    ck_assert_int_eq(append->status, ENGINE_STORAGE);
    ck_assert(flush.done);
    ck_assert_int_eq(flush.status, ENGINE_STORAGE);
    world_append_free(append);
    world_clear();
}
END_TEST

/* A sync on its way when retention takes a segment whose descriptor was given up: nothing failed.
 */
START_TEST(commit_sync_of_a_removed_segment)
{
    struct flush call = {.call = {.done = flush_on_done, .offset = 2}};
    world_make();
    world.config.segment_size_max = 200;
    world.files_open_max = 1;
    world_start();
    ck_assert_int_eq(world_put(world.part, 1, 100), ENGINE_OK);
    ck_assert_int_eq(world_put(world.part, 1, 100), ENGINE_OK);
    step_hold_pool(true);
    struct world_append *append = world_append(world.part, &durable);
    step_settle();
    pool_step(); /* a new segment; the sync of both is on the way */
    ck_assert_uint_eq(step_pool_count(), 1);
    world.engine->ops->part_set_log_start(world.part, &call.call);
    ck_assert_uint_eq(step_pool_count(), 3);
    ck_assert(step_pool_newest()); /* the checkpoint */
    ck_assert(step_pool_newest()); /* the removal */
    step_hold_pool(false);
    step_settle();
    ck_assert_int_eq(append->status, ENGINE_OK);
    ck_assert_uint_eq(world.n_lost, 0);
    ck_assert_int_eq(world_state(world.part).durable_end, 3);
    ck_assert_int_eq(world_scan(world.part), 3);
    world_append_free(append);
    world_clear();
}
END_TEST

/* What was cut does not count among the timestamps any more. */
START_TEST(commit_failed_sync_forgets_timestamps)
{
    struct batch_spec first = {.n_records = 1, .timestamp = 1000, .flags = ENGINE_APPEND_DURABLE};
    struct batch_spec second = {.n_records = 1, .timestamp = 9000};
    struct engine_call call = {0};
    world_make();
    world_start();
    struct world_append *appends[] = {world_append(world.part, &first), NULL, NULL};
    step_settle();
    appends[1] = world_append(world.part, &second);
    step_settle();
    world.faulty.fail_at = world.faulty.calls + 2; /* a write, then the sync */
    appends[2] = world_append(world.part, &first);
    step_settle();
    ck_assert_int_eq(appends[2]->status, ENGINE_STORAGE);
    ck_assert_int_eq(world_state(world.part).log_end, 1);
    ck_assert_int_eq(
        world_call(world.part, world.engine->ops->part_max_timestamp, &call), ENGINE_OK);
    ck_assert_int_eq(call.offset, 0);
    ck_assert_int_eq(call.timestamp, 1000);
    for (int i = 0; i < 3; i++)
        world_append_free(appends[i]);
    world_clear();
}
END_TEST

START_TEST(commit_close_ends_what_is_pending)
{
    begin();
    step_hold_pool(true);
    struct world_append *waiting = world_append(world.part, &durable);
    step_settle();
    struct world_append *pending = world_append(world.part, &plain);
    world.depth++;
    world.engine->ops->part_close(world.part, NULL);
    ck_assert(!waiting->done && !pending->done);
    world.depth--;
    step_settle();
    ck_assert_int_eq(waiting->status, ENGINE_NOT_OWNER);
    ck_assert_int_eq(pending->status, ENGINE_NOT_OWNER);
    step_hold_pool(false);
    step_settle();
    world.part = NULL;
    world_append_free(waiting);
    world_append_free(pending);
    world_clear();
}
END_TEST

TEST_MAIN("store/commit", commit_answers_only_after_the_sync,
    commit_answers_only_after_the_names_are_synced, commit_one_sync_covers_what_came_meanwhile,
    commit_written_is_enough_when_asked_for, commit_flush_waits_for_the_medium,
    commit_flush_settings_of_a_topic, commit_failed_sync_cuts_to_what_is_durable,
    commit_failed_first_sync_starts_the_file_anew, commit_failed_sync_drops_snapshots_ahead,
    commit_second_failed_sync_takes_it_offline, commit_offline_when_the_cut_cannot_be_made_durable,
    commit_full_disk_refuses_and_resumes, commit_refuses_before_the_disk_is_full,
    commit_refuses_by_what_was_written, commit_moves_the_recovery_point_early,
    commit_full_disk_while_a_file_is_made, commit_flush_fails_with_what_it_covers,
    commit_sync_of_a_removed_segment, commit_failed_sync_forgets_timestamps,
    commit_close_ends_what_is_pending)
