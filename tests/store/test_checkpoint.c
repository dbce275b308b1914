// SPDX-License-Identifier: BSD-2-Clause
/* What a data directory remembers of its partitions, when the files are damaged, old, swapped, or
 * written by somebody else. */
#include "support/store_world.h"
#include "runner.h"

#include "store/checkpoint.h"
#include "store/part/part.h"

#include <stdio.h>
#include <unistd.h>

#define POINTS  "recovery-point-offset-checkpoint"
#define STARTS  "log-start-offset-checkpoint"
#define CLEANED "cleaner-offset-checkpoint"
#define OWN     "odradek-checkpoint"

static const char *const names[] = {POINTS, STARTS, CLEANED, OWN};

static void check_mark(int64_t recovery_point, int64_t log_start, int64_t cleaned_end, bool weak)
{
    struct checkpoint *checkpoint = checkpoint_new(env_posix(), world.dir);
    struct checkpoint_mark mark = checkpoint_get(checkpoint, "orders-0");
    ck_assert_int_eq(mark.recovery_point, recovery_point);
    ck_assert_int_eq(mark.log_start, log_start);
    ck_assert_int_eq(mark.cleaned_end, cleaned_end);
    ck_assert_int_eq(mark.weak, weak);
    checkpoint_free(checkpoint);
}

/* Twice, so that each file has a before. */
static void marks_write(void)
{
    struct checkpoint *checkpoint = checkpoint_new(env_posix(), world.dir);
    struct checkpoint_mark old = {90, 10, 20, 30, false}, mark = {100, 40, 50, 60, false};
    checkpoint_set(checkpoint, "orders-0", &old);
    checkpoint_set(checkpoint, "other.topic-17", &old);
    ck_assert_int_eq(checkpoint_write(checkpoint), 0);
    checkpoint_set(checkpoint, "orders-0", &mark);
    ck_assert_int_eq(checkpoint_write(checkpoint), 0);
    checkpoint_free(checkpoint);
}

static char *text_of(const char *name)
{
    char *path = world_path(name), *text = calloc(1, 4096);
    FILE *file = fopen(path, "rb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_gt(fread(text, 1, 4095, file), 0);
    fclose(file);
    free(path);
    return text;
}

static void text_put(const char *name, const char *text)
{
    if (world_file_exists(name))
        world_file_remove(name);
    world_file_write(name, 0, text, strlen(text));
}

START_TEST(checkpoint_comes_back_as_written)
{
    world_make();
    marks_write();
    struct checkpoint *checkpoint = checkpoint_new(env_posix(), world.dir);
    ck_assert(!checkpoint_dirty(checkpoint));
    struct checkpoint_mark mark = checkpoint_get(checkpoint, "orders-0");
    ck_assert_int_eq(mark.gaps_end, 60);
    mark = checkpoint_get(checkpoint, "other.topic-17");
    ck_assert_int_eq(mark.log_start, 10);
    mark = checkpoint_get(checkpoint, "unknown-0");
    ck_assert(mark.weak && mark.log_start == 0 && mark.gaps_end == INT64_MAX);
    checkpoint_free(checkpoint);
    check_mark(100, 40, 50, false);
    world_clear();
}
END_TEST

/* Of the four files any one may be gone, cut, flipped in any byte, or another's. */
START_TEST(checkpoint_survives_damage_of_any_one_file)
{
    world_make();
    marks_write();
    for (unsigned i = 0; i < ARRAY_COUNT(names); i++) {
        bool weak = strcmp(names[i], CLEANED) != 0;
        char *text = text_of(names[i]);
        size_t size = strlen(text);
        world_file_remove(names[i]);
        check_mark(100, 40, 50, weak);
        for (size_t at = 0; at < size; at++) {
            for (unsigned bit = 0; bit < 8; bit++) {
                text[at] = (char)(text[at] ^ 1 << bit);
                world_file_write(names[i], 0, text, size);
                check_mark(100, 40, 50, weak);
                text[at] = (char)(text[at] ^ 1 << bit);
            }
            world_file_write(names[i], 0, text, size);
            world_file_truncate(names[i], at);
            check_mark(100, 40, 50, weak);
        }
        world_file_write(names[i], 0, text, size);
        free(text);
    }
    check_mark(100, 40, 50, false);
    world_clear();
}
END_TEST

START_TEST(checkpoint_survives_older_copies_and_swaps)
{
    char *before[4], *now[4];
    world_make();
    marks_write();
    for (unsigned i = 0; i < 4; i++)
        before[i] = text_of(names[i]);
    struct checkpoint *checkpoint = checkpoint_new(env_posix(), world.dir);
    for (int i = 1; i <= 3; i++) {
        struct checkpoint_mark mark = {100 + i, 40 + i, 50 + i, 60, false};
        checkpoint_set(checkpoint, "orders-0", &mark);
        ck_assert_int_eq(checkpoint_write(checkpoint), 0);
    }
    checkpoint_free(checkpoint);
    for (unsigned i = 0; i < 4; i++)
        now[i] = text_of(names[i]);
    for (unsigned i = 0; i < 4; i++) {
        text_put(names[i], before[i]);
        check_mark(103, 43, 53, i != 2);
        for (unsigned k = 0; k < 3 && i < 3; k++) {
            text_put(names[i], now[k]);
            text_put(names[k], now[i]);
            check_mark(103, 43, 53, i != k);
            text_put(names[k], now[k]);
        }
        text_put(names[i], now[i]);
    }
    for (unsigned i = 0; i < 4; i++) {
        free(before[i]);
        free(now[i]);
    }
    world_clear();
}
END_TEST

/* Kafka ran on the directory: what it says is newer, and all there is. */
START_TEST(checkpoint_of_kafka_is_weak)
{
    world_make();
    marks_write();
    text_put(POINTS, "0\n2\nother.topic 17 90\norders 0 700\n");
    text_put(STARTS, "0\n2\nother.topic 17 11\norders 0 600\n");
    check_mark(700, 600, 50, true);
    world_file_remove(OWN);
    check_mark(700, 600, 50, true);
    world_clear();
}
END_TEST

/* --- with a log --- */

static void fill(void)
{
    world_make();
    world.config.segment_size_max = 300;
    world_start();
    for (int i = 0; i < 12; i++)
        ck_assert_int_eq(world_put_durable(world.part, 1, 100), ENGINE_OK);
    world_stop();
}

static void expect_all(void)
{
    world_start();
    ck_assert_int_eq(world_state(world.part).log_start, 0);
    ck_assert_int_eq(world_scan(world.part), 12);
    world_stop();
    world_start();
    ck_assert_int_eq(world_state(world.part).log_start, 0);
    ck_assert_int_eq(world_scan(world.part), 12);
    world_clear();
}

START_TEST(checkpoint_with_a_larger_start_deletes_nothing)
{
    fill();
    text_put(STARTS, "0\n1\norders 0 9\n");
    expect_all();
    fill();
    text_put(STARTS, "0\n1\norders 0 99\n");
    expect_all();
    fill();
    text_put(POINTS, "0\n1\norders 0 99\n");
    expect_all();
}
END_TEST

/* It takes effect, but until somebody wants it so, the files stay. */
START_TEST(checkpoint_of_kafka_moves_the_start_and_deletes_nothing)
{
    struct engine_call call = {.offset = 10};
    fill();
    world_file_remove(OWN);
    text_put(STARTS, "0\n1\norders 0 8\n");
    for (int i = 0; i < 2; i++) {
        world_start();
        ck_assert_int_eq(world_state(world.part).log_start, 8);
        ck_assert_int_eq(world_state(world.part).log_end, 12);
        ck_assert(world_file_exists(WORLD_LOG0));
        world_stop();
    }
    world_start();
    ck_assert_int_eq(
        world_call(world.part, world.engine->ops->part_set_log_start, &call), ENGINE_OK);
    ck_assert(!world_file_exists(WORLD_LOG0));
    ck_assert_int_eq(world_scan(world.part), 12);
    world_clear();
}
END_TEST

START_TEST(checkpoint_of_kafka_behind_the_log_is_passed_over)
{
    fill();
    world_file_remove(OWN);
    text_put(STARTS, "0\n1\norders 0 99\n");
    text_put(POINTS, "0\n1\norders 0 99\n");
    expect_all();
}
END_TEST

/* After a death below the log start: files are back, others between them are not. */
START_TEST(checkpoint_start_is_a_recovery_point)
{
    struct engine_call call = {.offset = 10};
    fill();
    char *log = text_of(WORLD_LOG0);
    world_start();
    ck_assert_int_eq(
        world_call(world.part, world.engine->ops->part_set_log_start, &call), ENGINE_OK);
    ck_assert(!world_file_exists(WORLD_LOG0));
    world_kill();
    world_file_write(WORLD_LOG0, 0, log, 250);
    free(log);
    world_start();
    ck_assert_int_eq(world_state(world.part).log_start, 10);
    ck_assert_int_eq(world_scan(world.part), 12);
    ck_assert(!world_file_exists(WORLD_LOG0));
    world_clear();
}
END_TEST

TEST_MAIN("store/checkpoint", checkpoint_comes_back_as_written,
    checkpoint_survives_damage_of_any_one_file, checkpoint_survives_older_copies_and_swaps,
    checkpoint_of_kafka_is_weak, checkpoint_with_a_larger_start_deletes_nothing,
    checkpoint_of_kafka_moves_the_start_and_deletes_nothing,
    checkpoint_of_kafka_behind_the_log_is_passed_over, checkpoint_start_is_a_recovery_point)
