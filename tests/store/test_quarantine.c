// SPDX-License-Identifier: BSD-2-Clause
/* Damage below the recovery point: exactly the damaged batch is unavailable, whatever was hit. */
#include "base/bytes.h"
#include "support/store_world.h"
#include "runner.h"

#include <stdio.h>

enum { BATCH = 100, PER_SEGMENT = 10, COUNT = 25 };
#define SUMS0      WORLD_LABEL "/00000000000000000000.checksums"
#define QUARANTINE WORLD_LABEL "/quarantine"

/* Three segments of ten, ten and five batches of one record, on the medium, cleanly stopped. */
static void fill(void)
{
    world_make();
    world.config.segment_size_max = PER_SEGMENT * BATCH;
    world_start();
    for (int i = 0; i < COUNT; i++)
        ck_assert_int_eq(world_put(world.part, 1, BATCH), ENGINE_OK);
    world_stop();
}

static char *log_of(int64_t offset)
{
    static char name[64];
    snprintf(
        name, sizeof(name), WORLD_LABEL "/%020d.log", (int)(offset / PER_SEGMENT * PER_SEGMENT));
    return name;
}

static void flip(const char *name, uint64_t pos, uint8_t mask)
{
    uint8_t byte;
    char *path = world_path(name);
    FILE *file = fopen(path, "rb");
    ck_assert_int_eq(fseek(file, (long)pos, SEEK_SET), 0);
    ck_assert_uint_eq(fread(&byte, 1, 1, file), 1);
    fclose(file);
    free(path);
    byte ^= mask;
    world_file_write(name, pos, &byte, 1);
}

static int flipped, starts;

/* Byte `at` of the batch at `offset`. */
static void flip_batch(int64_t offset, uint64_t at)
{
    flipped = (int)at;
    flip(log_of(offset), (uint64_t)(offset % PER_SEGMENT) * BATCH + at, 0x41);
}

/* Everything can be read but [first, next). */
static void expect_missing(int64_t first, int64_t next)
{
    for (uint32_t size = BATCH; size <= 30 * BATCH; size *= 30) {
        for (int64_t offset = 0; offset < COUNT; offset++) {
            struct world_read read = world_read(world.part, offset, size, true);
            if (offset >= first && offset < next) {
                ck_assert_msg(read.status == ENGINE_CORRUPT,
                    "offset %d, read of %u with byte %d hit: %d, end %d, start %d", (int)offset,
                    size, flipped, (int)read.first_offset, (int)world_state(world.part).log_end,
                    starts);
                continue;
            }
            ck_assert_int_eq(read.status, ENGINE_OK);
            ck_assert_int_eq(read.first_offset, offset);
            ck_assert(offset >= next || read.next_offset <= first);
            free(read.bytes);
        }
    }
}

/* Found, told apart, remembered, and the log goes on. */
static void expect_quarantine(int64_t first, int64_t next)
{
    starts = 1;
    world_start();
    expect_missing(first, next);
    starts = 2;
    ck_assert(world_file_exists(QUARANTINE));
    world_stop();
    world_start();
    expect_missing(first, next);
    ck_assert_int_eq(world_put_durable(world.part, 1, BATCH), ENGINE_OK);
    struct world_read read = world_read(world.part, COUNT, BATCH, true);
    ck_assert_int_eq(read.first_offset, COUNT);
    free(read.bytes);
    world_clear();
}

START_TEST(quarantine_of_each_byte_of_a_batch)
{
    static const int64_t offsets[] = {0, 3, 9, 10, 20, 22, 24};
    for (size_t i = 0; i < sizeof(offsets) / sizeof(*offsets); i++) {
        for (uint64_t at = 0; at < BATCH; at += at < BATCH_HEADER_SIZE ? 1 : 13) {
            if (offsets[i] >= 20 && at >= BATCH_POS_LEADER_EPOCH && at < BATCH_POS_MAGIC)
                continue; /* nothing looks at the epoch in a segment that has no sidecar */
            fill();
            flip_batch(offsets[i], at);
            expect_quarantine(offsets[i], offsets[i] + 1);
        }
    }
}
END_TEST

START_TEST(quarantine_without_a_sidecar)
{
    for (uint64_t at = 0; at < BATCH_HEADER_SIZE; at++) {
        if (at >= BATCH_POS_LEADER_EPOCH && at < BATCH_POS_MAGIC)
            continue;
        fill();
        world_file_remove(SUMS0);
        flip_batch(4, at);
        expect_quarantine(4, 5);
    }
}
END_TEST

/* Where offsets may be missing they cannot judge each other: the sidecar does. */
START_TEST(quarantine_in_a_compacted_log)
{
    for (uint64_t at = 0; at < BATCH_POS_ATTRIBUTES; at++) {
        fill();
        flip_batch(4, at);
        world.config.cleanup_compact = true;
        expect_quarantine(4, 5);
    }
}
END_TEST

START_TEST(quarantine_of_two_neighbours_and_one_further_on)
{
    fill();
    flip_batch(4, 70);
    flip_batch(5, 9);
    flip_batch(8, 70);
    world_start();
    for (int64_t offset = 0; offset < COUNT; offset++) {
        bool bad = offset == 4 || offset == 5 || offset == 8;
        struct world_read read = world_read(world.part, offset, 1000, true);
        ck_assert_int_eq(read.status, bad ? ENGINE_CORRUPT : ENGINE_OK);
        free(read.bytes);
    }
    world_clear();
}
END_TEST

START_TEST(quarantine_of_a_missing_segment)
{
    fill();
    world_file_remove(log_of(10));
    world_start();
    expect_missing(10, 20);
    world_clear();
    fill();
    world_file_truncate(log_of(0), 750);
    world_start();
    expect_missing(7, 10);
    world_clear();
}
END_TEST

/* What helps must not harm: damaged, foreign or lost sidecars. */
START_TEST(quarantine_trusts_no_wrong_sidecar)
{
    fill();
    ck_assert(world_file_exists(SUMS0));
    uint64_t size = world_file_size(SUMS0);
    world_clear();
    for (uint64_t at = 0; at < size; at++) {
        fill();
        flip(SUMS0, at, 0x10);
        world_start();
        ck_assert_int_eq(world_scan(world.part), COUNT);
        ck_assert(!world_file_exists(QUARANTINE));
        world_clear();
    }
    fill(); /* the next segment's, with a checksum of its own that is right */
    char *from = world_path(WORLD_LABEL "/00000000000000000010.checksums"), *to = world_path(SUMS0);
    ck_assert_int_eq(rename(from, to), 0);
    free(from);
    free(to);
    world_start();
    ck_assert_int_eq(world_scan(world.part), COUNT);
    world_clear();
}
END_TEST

START_TEST(quarantine_that_is_wrong_is_lifted)
{
    static const char text[] = "0\n2\n0 3 5 300 500\n20 20 22 0 200\n";
    fill();
    world_file_write(QUARANTINE, 0, text, sizeof(text) - 1);
    world_start();
    expect_missing(-1, -1);
    ck_assert_int_eq(world_scan(world.part), COUNT);
    world_stop();
    ck_assert_uint_eq(world_file_size(QUARANTINE), 4);
    world_file_write(QUARANTINE, 0, "nonsense", 8);
    world_start();
    ck_assert_int_eq(world_scan(world.part), COUNT);
    world_clear();
}
END_TEST

/* The files of two partitions, swapped: nothing of the other is served. */
START_TEST(quarantine_of_swapped_logs)
{
    world_make();
    world.config.segment_size_max = PER_SEGMENT * BATCH;
    world_start();
    struct part *other = world_open_part("other-0", 9, true);
    for (int i = 0; i < COUNT; i++)
        ck_assert_int_eq(world_put(world.part, 1, BATCH), ENGINE_OK);
    for (int i = 0; i < 9; i++)
        ck_assert_int_eq(world_put(other, 3, 111), ENGINE_OK);
    world_stop_part(other);
    world_stop();
    char *mine = world_path(log_of(0)), *theirs = world_path("other-0/00000000000000000000.log");
    char *between = world_path("between");
    ck_assert_int_eq(rename(mine, between), 0);
    ck_assert_int_eq(rename(theirs, mine), 0);
    ck_assert_int_eq(rename(between, theirs), 0);
    free(mine);
    free(theirs);
    free(between);
    world_start();
    for (int64_t offset = 10; offset < COUNT; offset++) {
        struct world_read read = world_read(world.part, offset, 1000, true);
        ck_assert_int_eq(read.status, ENGINE_OK);
        ck_assert_int_eq(read.first_offset, offset);
        free(read.bytes);
    }
    world_clear();
}
END_TEST

/* --- replay --- */

struct seen {
    struct engine_replay replay;
    int64_t offsets[64];
    unsigned count;
    bool done;
    enum engine_status status;
};

static int seen_visit(
    struct engine_replay *replay, const struct batch_header *header, struct slice batch)
{
    struct seen *seen = container_of(replay, struct seen, replay);
    (void)batch;
    seen->offsets[seen->count++] = header->base_offset;
    return 0;
}

static void seen_done(struct engine_replay *replay, enum engine_status status)
{
    struct seen *seen = container_of(replay, struct seen, replay);
    seen->done = true;
    seen->status = status;
}

/* What is remembered of producers reaches behind the damage. */
START_TEST(quarantine_replay_goes_on_behind)
{
    static const uint64_t bytes[] = {3, 9, 16, 18, 22, 80};
    for (int headers = 0; headers < 2; headers++) {
        for (size_t i = 0; i < sizeof(bytes) / sizeof(*bytes); i++) {
            if (headers == 1 && (bytes[i] > 16))
                continue; /* headers alone do not tell */
            for (int64_t bad = 4; bad <= 22; bad += 9) {
                fill();
                flip_batch(bad, bytes[i]);
                world_start();
                struct seen seen = {
                    .replay = {
                        .headers_only = headers == 1, .visit = seen_visit, .done = seen_done}};
                world.engine->ops->part_replay(world.part, &seen.replay);
                step_settle();
                ck_assert(seen.done);
                ck_assert_int_eq(seen.status, ENGINE_OK);
                ck_assert_msg(seen.count == COUNT - 1, "%u of them, batch %d, byte %d, headers %d",
                    seen.count, (int)bad, (int)bytes[i], headers);
                for (int64_t k = 0; k < COUNT - 1; k++)
                    ck_assert_int_eq(seen.offsets[k], k < bad ? k : k + 1);
                world_clear();
            }
        }
    }
}
END_TEST

/* --- the background check --- */

START_TEST(scrub_finds_what_nobody_reads)
{
    fill();
    flip_batch(14, 80);
    world_file_remove(SUMS0);
    world.scrub_rate = 1500;
    world_start();
    ck_assert(!world_file_exists(QUARANTINE));
    step_advance(10000);
    ck_assert(world_file_exists(QUARANTINE));
    ck_assert(world_file_exists(SUMS0)); /* made anew */
    expect_missing(14, 15);
    world_clear();
}
END_TEST

START_TEST(scrub_comes_back_after_a_week)
{
    fill();
    world.scrub_rate = 1 << 20;
    world_start();
    step_advance(60000);
    flip_batch(14, 80);
    step_advance(60000);
    ck_assert(!world_file_exists(QUARANTINE));
    step_advance(8 * 24 * 3600000LL);
    ck_assert(world_file_exists(QUARANTINE));
    world_clear();
}
END_TEST

/* It says that the second record of the first batch is damaged, and where it cannot be. */
START_TEST(quarantine_that_is_wrong_hides_nothing)
{
    static const char text[] = "0\n1\n0 1 2 50 90\n";
    world_make();
    world_start();
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(world_put_durable(world.part, 2, 100), ENGINE_OK);
    world_stop();
    world_file_write(WORLD_LABEL "/quarantine", 0, text, sizeof(text) - 1);
    world_start();
    ck_assert_int_eq(world_scan(world.part), 6);
    world_clear();
}
END_TEST

TEST_MAIN("store/quarantine", quarantine_that_is_wrong_hides_nothing,
    quarantine_of_each_byte_of_a_batch, quarantine_without_a_sidecar, quarantine_in_a_compacted_log,
    quarantine_of_two_neighbours_and_one_further_on, quarantine_of_a_missing_segment,
    quarantine_trusts_no_wrong_sidecar, quarantine_that_is_wrong_is_lifted,
    quarantine_of_swapped_logs, quarantine_replay_goes_on_behind, scrub_finds_what_nobody_reads,
    scrub_comes_back_after_a_week)
