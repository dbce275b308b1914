// SPDX-License-Identifier: BSD-2-Clause
/* Which syncs are started when: files one by one, or the whole disk for many at once. */
#include "support/store_world.h"
#include "runner.h"

#include <errno.h>
#include <stdio.h>

enum { PARTS = 9, FILES_MAX = 3 /* syncs of files under way with one loop */ };

static const struct batch_spec durable = {.n_records = 1, .flags = ENGINE_APPEND_DURABLE};

static struct part *parts[PARTS];
static struct world_append *appends[PARTS];

static void begin(unsigned sync_disk_min)
{
    world_make();
    world.sync_disk_min = sync_disk_min;
    world.files_open_max = 2 * PARTS;
    world_start();
    for (unsigned i = 0; i < PARTS; i++) {
        char label[16];
        snprintf(label, sizeof(label), "many-%u", i);
        parts[i] = world_open_part(label, (uint8_t)(10 + i), true);
        ck_assert_int_eq(world_put_durable(parts[i], 1, 100), ENGINE_OK);
    }
    world.faulty.n_syncs = world.faulty.n_disk_syncs = 0;
    step_hold_pool(true);
}

static void append_all(void)
{
    for (unsigned i = 0; i < PARTS; i++)
        appends[i] = world_append(parts[i], &durable);
    step_settle();
}

static void end(void)
{
    step_hold_pool(false);
    step_settle();
    for (unsigned i = 0; i < PARTS; i++) {
        world_append_free(appends[i]);
        world_stop_part(parts[i]);
    }
    world_clear();
}

static void pool_step(void)
{
    ck_assert(step_pool_one());
    step_turn();
}

static unsigned count_done(enum engine_status status)
{
    unsigned count = 0;
    for (unsigned i = 0; i < PARTS; i++)
        count += appends[i]->done && appends[i]->status == status;
    return count;
}

START_TEST(sync_of_files_is_bounded)
{
    begin(0);
    append_all();
    ck_assert_uint_eq(step_pool_count(), FILES_MAX);
    for (unsigned i = 0; i < PARTS; i++) {
        pool_step();
        ck_assert_uint_eq(count_done(ENGINE_OK), i + 1);
    }
    ck_assert_uint_eq(world.faulty.n_syncs, PARTS);
    ck_assert_uint_eq(world.faulty.n_disk_syncs, 0);
    end();
}
END_TEST

/* What waits for its turn grows meanwhile. */
START_TEST(sync_covers_what_came_before_it_began)
{
    begin(0);
    append_all();
    struct world_append *more = world_append(parts[PARTS - 1], &durable);
    step_settle();
    for (unsigned i = 0; i < PARTS; i++)
        pool_step();
    ck_assert_uint_eq(step_pool_count(), 0);
    ck_assert_uint_eq(world.faulty.n_syncs, PARTS);
    ck_assert(more->done && more->status == ENGINE_OK);
    world_append_free(more);
    end();
}
END_TEST

START_TEST(sync_of_many_is_one_of_the_disk)
{
    begin(PARTS - FILES_MAX);
    append_all();
    ck_assert_uint_eq(step_pool_count(), FILES_MAX);
    pool_step();
    ck_assert_uint_eq(count_done(ENGINE_OK), 1);
    ck_assert_uint_eq(step_pool_count(), FILES_MAX);
    while (step_pool_one())
        step_turn();
    ck_assert_uint_eq(count_done(ENGINE_OK), PARTS);
    ck_assert_uint_eq(world.faulty.n_disk_syncs, 1);
    ck_assert_uint_eq(world.faulty.n_syncs, FILES_MAX + 1); /* and the witness */
    end();
}
END_TEST

/* During a round all gathers for the next. */
START_TEST(sync_round_gathers_the_next)
{
    begin(PARTS - FILES_MAX);
    append_all();
    for (unsigned i = 0; i < FILES_MAX; i++)
        pool_step();
    ck_assert_uint_eq(step_pool_count(), 1); /* the round */
    struct world_append *more = world_append(parts[0], &durable);
    step_settle();
    ck_assert_uint_eq(step_pool_count(), 1);
    pool_step();
    ck_assert_uint_eq(count_done(ENGINE_OK), PARTS);
    ck_assert(!more->done);
    pool_step();
    ck_assert(more->done && more->status == ENGINE_OK);
    ck_assert_uint_eq(world.faulty.n_disk_syncs, 1);
    world_append_free(more);
    end();
}
END_TEST

/* Nobody knows which file it was: all are cut to what is durable. Never again in this process. */
START_TEST(sync_of_the_disk_failed)
{
    begin(PARTS - FILES_MAX);
    append_all();
    world.faulty.disk_sync_error = EIO;
    while (step_pool_one())
        step_turn();
    ck_assert_uint_eq(count_done(ENGINE_OK), FILES_MAX);
    ck_assert_uint_eq(count_done(ENGINE_STORAGE), PARTS - FILES_MAX);
    ck_assert_uint_eq(world.n_lost, PARTS - FILES_MAX);
    ck_assert_uint_eq(world.n_failed, 0);
    for (unsigned i = 0; i < PARTS; i++) {
        ck_assert_int_eq(world_state(parts[i]).log_end, i < FILES_MAX ? 2 : 1);
        world_append_free(appends[i]);
    }
    append_all();
    while (step_pool_one())
        step_turn();
    ck_assert_uint_eq(count_done(ENGINE_OK), PARTS);
    ck_assert_uint_eq(world.faulty.n_disk_syncs, 0);
    step_hold_pool(false);
    for (unsigned i = 0; i < PARTS; i++)
        ck_assert_int_eq(world_scan(parts[i]), i < FILES_MAX ? 3 : 2);
    end();
}
END_TEST

/* The disk said yes, a file of the round says no: that is believed of all of them. */
START_TEST(sync_of_the_disk_contradicted)
{
    begin(PARTS - FILES_MAX);
    append_all();
    for (unsigned i = 0; i < FILES_MAX; i++)
        pool_step();
    world.faulty.sync_error = EIO;
    pool_step();
    world.faulty.sync_error = 0;
    while (step_pool_one())
        step_turn();
    ck_assert_uint_eq(count_done(ENGINE_STORAGE), PARTS - FILES_MAX);
    ck_assert_uint_eq(world.n_failed, 0);
    end();
}
END_TEST

START_TEST(sync_of_new_names_in_a_round)
{
    begin(PARTS - FILES_MAX);
    world.config.segment_size_max = 100;
    for (unsigned i = 0; i < PARTS; i++)
        world.engine->ops->part_configure(parts[i], &world.config);
    unsigned n_dir_syncs = world.faulty.n_dir_syncs;
    append_all();
    while (step_pool_one())
        step_turn();
    ck_assert_uint_eq(count_done(ENGINE_OK), PARTS);
    ck_assert_uint_ge(world.faulty.n_dir_syncs, n_dir_syncs + PARTS + 1);
    end();
}
END_TEST

START_TEST(sync_of_a_part_that_is_closed_while_it_is_due)
{
    begin(PARTS - FILES_MAX);
    append_all();
    world.engine->ops->part_close(parts[PARTS - 1], NULL);
    step_settle();
    ck_assert_int_eq(appends[PARTS - 1]->status, ENGINE_NOT_OWNER);
    while (step_pool_one())
        step_turn();
    ck_assert_uint_eq(count_done(ENGINE_OK), PARTS - 1);
    parts[PARTS - 1] = world_open_part("many-8", 10 + PARTS - 1, false);
    end();
}
END_TEST

/* The file that is to be synced has lost its descriptor, and opening it fails. */
static void put_off(int error, unsigned errors, enum engine_status expected)
{
    world_make();
    world.files_open_max = 1;
    world_start();
    struct part *other = world_open_part("other-0", 7, true);
    ck_assert_int_eq(world_put_durable(other, 1, 100), ENGINE_OK);
    ck_assert_int_eq(world_put_durable(world.part, 1, 100), ENGINE_OK);
    step_hold_pool(true);
    struct world_append *append = world_append(world.part, &durable);
    step_settle();
    struct world_append *evicting = world_append(other, &durable);
    step_settle();
    ck_assert(step_pool_newest()); /* opens the other one's file */
    step_turn();
    world.faulty.open_error = error;
    world.faulty.open_errors_more = errors - 1;
    pool_step();
    ck_assert_int_eq(world.faulty.open_error, 0);
    ck_assert(!append->done);
    step_hold_pool(false);
    step_settle();
    step_advance(1000);
    ck_assert(append->done);
    ck_assert_int_eq(append->status, expected);
    ck_assert_uint_eq(world.n_lost, expected == ENGINE_OK ? 0 : 1);
    ck_assert_int_eq(world_state(world.part).durable_end, expected == ENGINE_OK ? 2 : 1);
    ck_assert_int_eq(world_scan(world.part), expected == ENGINE_OK ? 2 : 1);
    world_append_free(append);
    world_append_free(evicting);
    world_stop_part(other);
    world_clear();
}

START_TEST(sync_is_put_off_without_memory)
{
    put_off(ENOMEM, 1, ENGINE_OK);
}
END_TEST

START_TEST(sync_is_put_off_without_descriptors)
{
    put_off(EMFILE, 2, ENGINE_OK); /* another one is given up in between */
    put_off(ENFILE, 2, ENGINE_OK);
}
END_TEST

START_TEST(sync_that_cannot_open_for_good_reasons_cuts)
{
    put_off(EIO, 1, ENGINE_STORAGE);
}
END_TEST

TEST_MAIN("store/sync", sync_of_files_is_bounded, sync_covers_what_came_before_it_began,
    sync_of_many_is_one_of_the_disk, sync_round_gathers_the_next, sync_of_the_disk_failed,
    sync_of_the_disk_contradicted, sync_of_new_names_in_a_round,
    sync_of_a_part_that_is_closed_while_it_is_due, sync_is_put_off_without_memory,
    sync_is_put_off_without_descriptors, sync_that_cannot_open_for_good_reasons_cuts)
