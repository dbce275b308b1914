// SPDX-License-Identifier: BSD-2-Clause
/* One test per damaged directory, named by the damage. */
#include "base/bytes.h"
#include "base/crc32c.h"
#include "support/store_world.h"
#include "runner.h"

#include <dirent.h>
#include <stdio.h>

#define BATCH      100 /* bytes of every batch here */
#define INDEX0     WORLD_LABEL "/00000000000000000000.index"
#define TIMEINDEX0 WORLD_LABEL "/00000000000000000000.timeindex"

/* `synced` batches of one record on the medium and below the recovery point, `more` behind. */
static void fill(int synced, int more)
{
    world_make();
    world_start();
    for (int i = 0; i < synced; i++)
        ck_assert_int_eq(world_put(world.part, 1, BATCH), ENGINE_OK);
    if (synced > 0) {
        world_stop(); /* moves the recovery point */
        world_file_remove(".kafka_cleanshutdown");
        world_start();
    }
    for (int i = 0; i < more; i++)
        ck_assert_int_eq(world_put(world.part, 1, BATCH), ENGINE_OK);
    world_kill();
}

/* Starts, expects that the log ends there, and that it goes on. */
static void expect_end(int64_t end)
{
    world_start();
    ck_assert_uint_eq(world.n_acquired, 1);
    ck_assert_int_eq(world_scan(world.part), end);
    ck_assert_int_eq(world_put_durable(world.part, 2, BATCH), ENGINE_OK);
    ck_assert_int_eq(world_state(world.part).log_end, end + 2);
    ck_assert_int_eq(world_scan(world.part), end + 2);
    world_kill();
    world_start();
    ck_assert_int_eq(world_scan(world.part), end + 2);
    world_clear();
}

static void flip(const char *name, uint64_t pos)
{
    uint8_t byte;
    char *path = world_path(name);
    FILE *file = fopen(path, "rb");
    ck_assert_int_eq(fseek(file, (long)pos, SEEK_SET), 0);
    ck_assert_uint_eq(fread(&byte, 1, 1, file), 1);
    fclose(file);
    free(path);
    byte ^= 0x40;
    world_file_write(name, pos, &byte, 1);
}

START_TEST(recovery_of_a_killed_broker_keeps_all)
{
    fill(3, 7);
    expect_end(10);
}
END_TEST

/* Small batches are read many at a time. */
START_TEST(recovery_reads_large_pieces)
{
    enum { COUNT = 5000, SIZE = 100 };
    world_make();
    world_start();
    for (int i = 0; i < COUNT; i++)
        ck_assert_int_eq(world_put(world.part, 1, SIZE), ENGINE_OK);
    world_kill();
    world.faulty.n_reads = 0;
    world_start();
    ck_assert_int_eq(world_state(world.part).log_end, COUNT);
    ck_assert_uint_lt(world.faulty.n_reads, 16);
    ck_assert_int_eq(world_scan(world.part), COUNT);
    world_clear();
}
END_TEST

/* A batch may be larger than what is read at once. */
START_TEST(recovery_of_large_batches)
{
    world_make();
    world.config.segment_size_max = 64 << 20;
    world_start();
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(world_put(world.part, 1, 100), ENGINE_OK);
        ck_assert_int_eq(world_put(world.part, 1, 262144 + (size_t)i - 1), ENGINE_OK);
        ck_assert_int_eq(world_put(world.part, 1, 700000), ENGINE_OK);
    }
    uint64_t end = world_file_size(WORLD_LOG0);
    world_kill();
    world_start();
    ck_assert_int_eq(world_scan(world.part), 12);
    world_kill();
    world_file_write(WORLD_LOG0, end - 1, "?", 1);
    world_start();
    ck_assert_int_eq(world_scan(world.part), 11);
    world_clear();
}
END_TEST

START_TEST(recovery_of_a_header_torn_at_every_byte)
{
    for (uint64_t size = 1; size < BATCH_HEADER_SIZE; size += 6) {
        fill(2, 3);
        world_file_truncate(WORLD_LOG0, 4 * BATCH + size);
        expect_end(4);
    }
}
END_TEST

START_TEST(recovery_of_a_torn_body)
{
    fill(2, 3);
    world_file_truncate(WORLD_LOG0, 5 * BATCH - 1);
    expect_end(4);
}
END_TEST

START_TEST(recovery_of_a_zero_tail)
{
    uint8_t zeros[1000] = {0};
    fill(2, 3);
    world_file_write(WORLD_LOG0, 4 * BATCH + 10, zeros, sizeof(zeros));
    expect_end(4);
}
END_TEST

START_TEST(recovery_of_a_garbage_tail)
{
    uint8_t garbage[333];
    memset(garbage, 0xa5, sizeof(garbage));
    fill(2, 3);
    world_file_write(WORLD_LOG0, 5 * BATCH, garbage, sizeof(garbage));
    expect_end(5);
}
END_TEST

START_TEST(recovery_of_a_wrong_checksum_above_the_recovery_point)
{
    fill(2, 5);
    flip(WORLD_LOG0, 3 * BATCH + 80);
    expect_end(3); /* nothing behind it either: no hole */
}
END_TEST

START_TEST(recovery_of_an_offset_that_does_not_follow)
{
    uint8_t offset[8];
    fill(2, 5);
    bytes_put_u64(offset, 17);
    world_file_write(WORLD_LOG0, 4 * BATCH, offset, 8);
    expect_end(4);
}
END_TEST

static unsigned start_reads(void)
{
    unsigned n_reads = world.faulty.n_reads;
    world_start();
    n_reads = world.faulty.n_reads - n_reads;
    world_kill();
    return n_reads;
}

/* A start after a kill finds the recovery point without walking there from the segment's start. */
START_TEST(recovery_finds_the_index_of_a_growing_log)
{
    enum { COUNT = 400, SIZE = 10000 };
    world_make();
    world.index_save_min = 100000;
    world.config.segment_size_max = 16 << 20;
    world_start();
    for (int i = 0; i < COUNT; i++)
        ck_assert_int_eq(world_put_durable(world.part, 1, SIZE), ENGINE_OK);
    step_advance(61000); /* the checkpoint */
    uint64_t index_size = world_file_size(INDEX0);
    ck_assert_uint_gt(index_size, COUNT * 8 / 2);
    ck_assert_uint_lt(index_size, COUNT * 8); /* not at every sync */
    world_kill();
    unsigned n_reads = start_reads();
    world_file_remove(INDEX0);
    ck_assert_uint_lt(n_reads + 5, start_reads()); /* of 250 KiB or so */
    expect_end(COUNT);
}
END_TEST

START_TEST(recovery_of_a_missing_index)
{
    fill(20, 5);
    world_file_remove(INDEX0);
    expect_end(25);
}
END_TEST

START_TEST(recovery_of_a_missing_time_index)
{
    fill(20, 5);
    world_file_remove(TIMEINDEX0);
    expect_end(25);
}
END_TEST

START_TEST(recovery_of_a_wrong_index)
{
    uint8_t pos[4];
    fill(20, 5);
    bytes_put_u32(pos, 351); /* plausible, but no batch starts there */
    world_file_write(INDEX0, 4, pos, 4);
    expect_end(25);
}
END_TEST

START_TEST(recovery_of_a_wrong_last_index_entry)
{
    uint8_t entry[8];
    fill(20, 5);
    uint64_t size = world_file_size(INDEX0);
    bytes_put_u32(entry, 18);
    bytes_put_u32(entry + 4, 1777);
    world_file_write(INDEX0, size - 8, entry, 8);
    expect_end(25);
}
END_TEST

START_TEST(recovery_of_an_index_longer_than_the_log)
{
    uint8_t entry[8];
    fill(20, 5);
    bytes_put_u32(entry, 5000);
    bytes_put_u32(entry + 4, 500000);
    world_file_write(INDEX0, world_file_size(INDEX0), entry, 8);
    expect_end(25);
}
END_TEST

START_TEST(recovery_of_an_index_of_zeros)
{
    uint8_t zeros[80] = {0};
    fill(20, 5);
    world_file_write(INDEX0, 0, zeros, sizeof(zeros));
    world_file_write(TIMEINDEX0, 0, zeros, 72);
    expect_end(25);
}
END_TEST

START_TEST(recovery_of_a_torn_index)
{
    fill(20, 5);
    world_file_truncate(INDEX0, world_file_size(INDEX0) - 3);
    world_file_truncate(TIMEINDEX0, world_file_size(TIMEINDEX0) - 5);
    expect_end(25);
}
END_TEST

START_TEST(recovery_of_a_lost_checkpoint)
{
    fill(20, 5);
    world_file_remove("recovery-point-offset-checkpoint");
    world_file_remove("log-start-offset-checkpoint");
    expect_end(25);
}
END_TEST

START_TEST(recovery_of_a_damaged_checkpoint)
{
    fill(20, 5);
    world_file_write("recovery-point-offset-checkpoint", 0, "0\n7\norders", 10);
    expect_end(25);
}
END_TEST

/* A checkpoint that knows more than the log holds: offsets that were promised are not given again.
 */
START_TEST(recovery_of_a_log_shorter_than_its_recovery_point)
{
    fill(20, 0);
    world_file_truncate(WORLD_LOG0, 15 * BATCH);
    world_start();
    ck_assert_int_eq(world_state(world.part).log_end, 20);
    ck_assert_int_eq(world_put_durable(world.part, 1, BATCH), ENGINE_OK);
    struct world_read read = world_read(world.part, 0, 1 << 20, true);
    ck_assert_int_eq(read.next_offset, 15);
    free(read.bytes);
    ck_assert_int_eq(world_read(world.part, 15, 1 << 20, true).status, ENGINE_CORRUPT);
    ck_assert_int_eq(world_read(world.part, 19, 1 << 20, true).status, ENGINE_CORRUPT);
    read = world_read(world.part, 20, 1 << 20, true);
    ck_assert_int_eq(read.first_offset, 20);
    free(read.bytes);
    world_clear();
}
END_TEST

/* Below the recovery point nothing is cut: every other batch stays readable. */
START_TEST(recovery_of_rot_below_the_recovery_point)
{
    uint8_t garbage[BATCH];
    memset(garbage, 0x77, sizeof(garbage));
    fill(20, 5);
    world_file_write(WORLD_LOG0, 7 * BATCH, garbage, sizeof(garbage));
    world_file_remove(INDEX0); /* else it is not even noticed */
    world_start();
    ck_assert_int_eq(world_state(world.part).log_end, 25);
    ck_assert_int_eq(world_state(world.part).log_start, 0);
    ck_assert_uint_eq(world_file_size(WORLD_LOG0), 25 * BATCH);
    struct world_read read = world_read(world.part, 0, 1 << 20, true);
    ck_assert_int_eq(read.next_offset, 7);
    free(read.bytes);
    ck_assert_int_eq(world_read(world.part, 7, 1 << 20, true).status, ENGINE_CORRUPT);
    read = world_read(world.part, 8, 1 << 20, true);
    ck_assert_int_eq(read.first_offset, 8);
    free(read.bytes);
    read = world_read(world.part, 20, 1 << 20, true);
    ck_assert_int_eq(read.first_offset, 20);
    ck_assert_int_eq(read.next_offset, 25);
    free(read.bytes);
    world_clear();
}
END_TEST

START_TEST(recovery_of_a_tail_behind_a_clean_stop)
{
    world_make();
    world_start();
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(world_put(world.part, 1, BATCH), ENGINE_OK);
    world_stop();
    world_file_write(WORLD_LOG0, 5 * BATCH, "garbage", 7);
    expect_end(5);
}
END_TEST

#define LOG3  WORLD_LABEL "/00000000000000000003.log"
#define SUMS3 WORLD_LABEL "/00000000000000000003.checksums"

/* Three segments, of which the second one is damaged in its second batch. */
static void fill_damaged(void)
{
    world_make();
    world.config.segment_size_max = 3 * BATCH;
    world_start();
    for (int i = 0; i < 8; i++)
        ck_assert_int_eq(world_put(world.part, 1, BATCH), ENGINE_OK);
    world_kill();
    world_file_write("recovery-point-offset-checkpoint", 0, "0\n1\norders 0 2\n", 15);
    flip(LOG3, BATCH + 70);
}

/* Nothing tells that any of it was synced: the third one goes with what follows the damage. */
START_TEST(recovery_of_a_damaged_segment_in_the_middle)
{
    fill_damaged();
    world_file_remove(SUMS3);
    world_start();
    ck_assert_int_eq(world_scan(world.part), 4);
    ck_assert(!world_file_exists(WORLD_LABEL "/00000000000000000006.log"));
    world_clear();
}
END_TEST

/* It has its sidecar, so all of it was on the medium once: that is no torn tail. */
START_TEST(recovery_of_a_damaged_segment_with_a_sidecar)
{
    fill_damaged();
    world_start();
    ck_assert_int_eq(world_state(world.part).log_end, 8);
    ck_assert_uint_eq(world_file_size(LOG3), 3 * BATCH);
    ck_assert_int_eq(world_read(world.part, 4, 1 << 20, true).status, ENGINE_CORRUPT);
    for (int64_t offset = 0; offset < 8; offset++) {
        if (offset == 4)
            continue;
        struct world_read read = world_read(world.part, offset, 1 << 20, true);
        ck_assert_int_eq(read.first_offset, offset);
        free(read.bytes);
    }
    world_clear();
}
END_TEST

/* --- after a clean stop --- */

/* Two partitions with so many batches each, stopped well. */
static void fill_two(int count, int other_count, uint64_t segment_size_max)
{
    world_make();
    world.config.segment_size_max = segment_size_max;
    world_start();
    struct part *second = world_open_part("second-0", 9, true);
    for (int i = 0; i < count; i++)
        ck_assert_int_eq(world_put_durable(world.part, 1, BATCH), ENGINE_OK);
    for (int i = 0; i < other_count; i++)
        ck_assert_int_eq(world_put_durable(second, 1, BATCH + 1), ENGINE_OK);
    world_stop_part(second);
    world_stop();
}

static void swap_files(const char *left, const char *right)
{
    char *a = world_path(left), *b = world_path(right);
    char *command = xasprintf("mv %s %s.x && mv %s %s && mv %s.x %s", a, a, b, a, a, b);
    ck_assert_int_eq(system(command), 0);
    free(command);
    free(a);
    free(b);
}

/* Nothing of the other's log is served, nothing is written to it, and put right it is all there. */
static void check_swapped(const char *name, const char *second, int64_t end)
{
    swap_files(name, second);
    world_start();
    ck_assert_int_eq(world_state(world.part).log_end, end);
    for (int64_t offset = 0; offset < end; offset++) {
        struct world_read read = world_read(world.part, offset, BATCH, true);
        if (read.status == ENGINE_OK && read.size > 0)
            ck_assert_uint_eq(read.size, BATCH);
        free(read.bytes);
    }
    uint64_t size = world_file_exists(name) ? world_file_size(name) : 0;
    ck_assert_int_eq(world_put_durable(world.part, 1, BATCH), ENGINE_OK);
    ck_assert_uint_eq(world_file_exists(name) ? world_file_size(name) : 0, size);
    struct world_read read = world_read(world.part, end, 1 << 20, true);
    ck_assert_int_eq(read.first_offset, end);
    free(read.bytes);
    world_stop();
}

START_TEST(recovery_of_another_partitions_active_log)
{
    static const int others[] = {1, 3, 4, 5, 6, 9};
    for (size_t i = 0; i < ARRAY_COUNT(others); i++) {
        fill_two(5, others[i], 1 << 20);
        check_swapped(WORLD_LOG0, "second-0/00000000000000000000.log", 5);
        swap_files(WORLD_LOG0, "second-0/00000000000000000000.log");
        world_start();
        ck_assert_int_eq(world_scan(world.part), 6);
        struct part *second = world_open_part("second-0", 9, false);
        step_settle();
        ck_assert_int_eq(world_scan(second), others[i]);
        world_stop_part(second);
        world_clear();
    }
}
END_TEST

START_TEST(recovery_of_another_partitions_sealed_log)
{
    fill_two(8, 8, 3 * BATCH + 50);
    check_swapped(LOG3, "second-0/00000000000000000003.log", 8);
    swap_files(LOG3, "second-0/00000000000000000003.log");
    world_start();
    ck_assert_int_eq(world_scan(world.part), 9);
    world_clear();
}
END_TEST

/* The bytes before the magic are in no checksum but the sidecar's. */
START_TEST(recovery_of_a_flipped_head)
{
    fill_two(5, 1, 1 << 20);
    for (uint64_t at = 0; at < 21; at++) {
        flip(WORLD_LOG0, 2 * BATCH + at);
        world_start();
        ck_assert_int_eq(world_state(world.part).log_end, 5);
        ck_assert_int_eq(world_read(world.part, 2, 1 << 20, true).status, ENGINE_CORRUPT);
        for (int64_t offset = 0; offset < 5; offset++) {
            struct world_read read = world_read(world.part, offset, 1 << 20, true);
            if (offset != 2)
                ck_assert_int_eq(read.first_offset, offset);
            free(read.bytes);
        }
        world_stop();
        flip(WORLD_LOG0, 2 * BATCH + at);
        world_file_remove(WORLD_LABEL "/quarantine");
    }
    world_start();
    ck_assert_int_eq(world_scan(world.part), 5);
    world_clear();
}
END_TEST

START_TEST(recovery_of_a_missing_segment_above_the_recovery_point)
{
    world_make();
    world.config.segment_size_max = 3 * BATCH;
    world_start();
    for (int i = 0; i < 8; i++)
        ck_assert_int_eq(world_put(world.part, 1, BATCH), ENGINE_OK);
    world_kill();
    world_file_write("recovery-point-offset-checkpoint", 0, "0\n1\norders 0 2\n", 15);
    world_file_remove(WORLD_LABEL "/00000000000000000003.log");
    world_start();
    ck_assert_int_eq(world_scan(world.part), 3);
    world_clear();
}
END_TEST

START_TEST(recovery_of_leftover_files)
{
    fill(5, 2);
    world_file_write(WORLD_LABEL "/00000000000000000000.index.tmp", 0, "x", 1);
    world_file_write(WORLD_LABEL "/00000000000000000000.log.deleted", 0, "x", 1);
    world_file_write(WORLD_LABEL "/notes.txt", 0, "x", 1);
    world_start();
    ck_assert_int_eq(world_scan(world.part), 7);
    ck_assert(!world_file_exists(WORLD_LABEL "/00000000000000000000.index.tmp"));
    ck_assert(!world_file_exists(WORLD_LABEL "/00000000000000000000.log.deleted"));
    ck_assert(world_file_exists(WORLD_LABEL "/notes.txt"));
    world_clear();
}
END_TEST

/* Entries of the data directory that end so. */
static unsigned count_names(const char *tail)
{
    unsigned count = 0;
    DIR *dir = opendir(world.dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        size_t size = strlen(entry->d_name), n = strlen(tail);
        count += size >= n && strcmp(entry->d_name + size - n, tail) == 0;
    }
    closedir(dir);
    return count;
}

START_TEST(recovery_of_a_directory_of_another_topic)
{
    fill(5, 2);
    world_file_truncate(WORLD_LABEL "/partition.metadata", 0);
    world_file_write(
        WORLD_LABEL "/partition.metadata", 0, "version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAQ\n", 44);
    world_start();
    ck_assert_int_eq(world_scan(world.part), 0);
    /* Perhaps only that file was wrong: the log is not gone. */
    ck_assert_uint_eq(count_names("-stray"), 1);
    ck_assert_int_eq(world_put_durable(world.part, 2, BATCH), ENGINE_OK);
    world_kill();
    world_start();
    ck_assert_int_eq(world_scan(world.part), 2);
    world_stop();
    struct uuid gone = {{[15] = 1}};
    world_start();
    ck_assert_int_eq(engine_local_sweep(world.engine, &gone, 1), 0);
    ck_assert_uint_eq(count_names("-stray"), 0);
    ck_assert(world_file_exists(WORLD_LOG0));
    world_clear();
}
END_TEST

static void swap_identities(void)
{
    char *left = world_path(WORLD_LABEL "/partition.metadata");
    char *right = world_path("other-0/partition.metadata");
    char *between = world_path("between");
    ck_assert_int_eq(rename(left, between), 0);
    ck_assert_int_eq(rename(right, left), 0);
    ck_assert_int_eq(rename(between, right), 0);
    free(left);
    free(right);
    free(between);
}

/* Nothing is lost: neither is what is there taken for another topic's nor is it set aside. */
START_TEST(recovery_of_mixed_up_identities)
{
    fill(5, 2);
    world_start();
    struct part *other = world_open_part("other-0", 9, true);
    ck_assert_int_eq(world_put_durable(other, 3, BATCH), ENGINE_OK);
    world_stop_part(other);
    world_stop();
    swap_identities();
    world_start();
    ck_assert_uint_eq(world.n_failed, 1);
    ck_assert_uint_eq(world.n_acquired, 0);
    world_kill();
    ck_assert_uint_eq(count_names("-stray"), 0);
    swap_identities();
    world_start();
    ck_assert_uint_eq(world.n_failed, 0);
    ck_assert_int_eq(world_scan(world.part), 7);
    world_clear();
}
END_TEST

START_TEST(recovery_of_a_directory_without_identity)
{
    fill(5, 2);
    world_file_truncate(WORLD_LABEL "/partition.metadata", 0);
    world_start();
    ck_assert_int_eq(world_scan(world.part), 7);
    ck_assert_uint_gt(world_file_size(WORLD_LABEL "/partition.metadata"), 40);
    world_clear();
}
END_TEST

START_TEST(recovery_of_an_empty_directory)
{
    world_make();
    char *path = world_path(WORLD_LABEL);
    ck_assert_int_eq(world.faulty.base->ops->dir_make(world.faulty.base, path), 0);
    free(path);
    expect_end(0);
}
END_TEST

START_TEST(recovery_of_an_empty_log)
{
    fill(0, 3);
    world_file_truncate(WORLD_LOG0, 0);
    expect_end(0);
}
END_TEST

/* Every byte of an unsynced log flipped: it opens, serves nothing wrong, and goes on. */
START_TEST(recovery_of_every_flipped_byte)
{
    fill(1, 3);
    world_make();
    world_clear();
    for (uint64_t at = 0; at < 4 * BATCH; at += 3) {
        fill(1, 3);
        flip(WORLD_LOG0, at);
        world_start();
        struct part_state state = world_state(world.part);
        int64_t good = (int64_t)(at / BATCH);
        ck_assert_int_ge(state.log_end, good < 1 ? 1 : good);
        ck_assert_int_eq(world_put_durable(world.part, 1, BATCH), ENGINE_OK);
        if (at >= BATCH && at % BATCH >= BATCH_POS_CRC)
            ck_assert_int_eq(world_scan(world.part), good + 1);
        world_clear();
    }
}
END_TEST

/* Every mutating call of a script fails in turn, as a kill there would; then everything that was
 * promised must be there. */
static void sweep(bool sticky)
{
    unsigned total = 0;
    for (unsigned fail_at = 1; fail_at == 1 || fail_at <= total; fail_at++) {
        int64_t promised = 0;
        world_make();
        world.config.segment_size_max = 4 * BATCH;
        world.faulty.fail_at = total == 0 ? 0 : fail_at;
        world.faulty.sticky = sticky;
        int r = world_try_start();
        for (int i = 0; i < 10 && r == 0; i++) {
            enum engine_status status = world_put_durable(world.part, 1, BATCH);
            if (status == ENGINE_OK)
                promised = world_state(world.part).durable_end;
        }
        if (total == 0) {
            total = world.faulty.calls;
            fail_at = 0;
        }
        if (r == 0)
            world_kill();
        world.faulty.fail_at = 0;
        world_start();
        ck_assert_uint_eq(world.n_acquired, 1);
        ck_assert_int_ge(world_scan(world.part), promised);
        ck_assert_int_eq(world_put_durable(world.part, 1, BATCH), ENGINE_OK);
        world_clear();
    }
    ck_assert_uint_gt(total, 30);
}

START_TEST(recovery_when_every_call_fails_once)
{
    sweep(false);
}
END_TEST

START_TEST(recovery_when_everything_fails_from_some_call_on)
{
    sweep(true);
}
END_TEST

TEST_MAIN("store/recovery", recovery_of_a_killed_broker_keeps_all, recovery_reads_large_pieces,
    recovery_of_large_batches, recovery_of_a_header_torn_at_every_byte, recovery_of_a_torn_body,
    recovery_of_a_zero_tail, recovery_of_a_garbage_tail,
    recovery_of_a_wrong_checksum_above_the_recovery_point,
    recovery_of_an_offset_that_does_not_follow, recovery_of_a_missing_index,
    recovery_finds_the_index_of_a_growing_log, recovery_of_a_missing_time_index,
    recovery_of_a_wrong_index, recovery_of_a_wrong_last_index_entry,
    recovery_of_an_index_longer_than_the_log, recovery_of_an_index_of_zeros,
    recovery_of_a_torn_index, recovery_of_a_lost_checkpoint, recovery_of_a_damaged_checkpoint,
    recovery_of_a_log_shorter_than_its_recovery_point, recovery_of_rot_below_the_recovery_point,
    recovery_of_a_tail_behind_a_clean_stop, recovery_of_a_damaged_segment_in_the_middle,
    recovery_of_a_damaged_segment_with_a_sidecar, recovery_of_another_partitions_active_log,
    recovery_of_another_partitions_sealed_log, recovery_of_a_flipped_head,
    recovery_of_a_missing_segment_above_the_recovery_point, recovery_of_leftover_files,
    recovery_of_a_directory_of_another_topic, recovery_of_mixed_up_identities,
    recovery_of_a_directory_without_identity, recovery_of_an_empty_directory,
    recovery_of_an_empty_log, recovery_of_every_flipped_byte, recovery_when_every_call_fails_once,
    recovery_when_everything_fails_from_some_call_on)
