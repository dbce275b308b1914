// SPDX-License-Identifier: BSD-2-Clause
/* Segments: rolls, read boundaries, indexes, descriptors. */
#include "store/segment/files.h"
#include "store/segment/index.h"
#include "support/store_world.h"
#include "runner.h"

#include <errno.h>

#include <stdio.h>
#include <unistd.h>

#define SECOND WORLD_LABEL "/%020d.log"

static void put_n(int n, int32_t n_records, size_t size)
{
    for (int i = 0; i < n; i++)
        ck_assert_int_eq(world_put(world.part, n_records, size), ENGINE_OK);
}

static bool has_segment(int base)
{
    char name[64];
    snprintf(name, sizeof(name), SECOND, base);
    return world_file_exists(name);
}

START_TEST(segment_rolls_by_size)
{
    world_make();
    world.config.segment_size_max = 1000;
    world_start();
    put_n(10, 1, 100);
    ck_assert(!has_segment(10));
    put_n(1, 1, 100);
    ck_assert(has_segment(10));
    ck_assert_uint_eq(world_file_size(WORLD_LOG0), 1000);
    ck_assert_uint_eq(world_state(world.part).size, 1100);
    put_n(20, 3, 333);
    ck_assert_int_eq(world_scan(world.part), 71);
    world_kill();
    world_start();
    ck_assert_int_eq(world_scan(world.part), 71);
    world_clear();
}
END_TEST

START_TEST(segment_takes_a_batch_larger_than_itself)
{
    world_make();
    world.config.segment_size_max = 1000;
    world_start();
    put_n(1, 1, 5000);
    put_n(1, 1, 5000);
    ck_assert(has_segment(1));
    ck_assert_int_eq(world_scan(world.part), 2);
    world_clear();
}
END_TEST

START_TEST(segment_rolls_by_time)
{
    world_make();
    world.config.segment_ms_max = 1000;
    world_start();
    put_n(2, 1, 100);
    world.faulty.real_ms += 1000;
    put_n(1, 1, 100);
    ck_assert(!has_segment(3));
    world.faulty.real_ms += 1;
    put_n(1, 1, 100);
    ck_assert(has_segment(3));
    world_clear();
}
END_TEST

START_TEST(segment_rolls_when_its_index_is_full)
{
    world_make();
    world.config.index_interval_size = 0; /* an entry for each batch but the first */
    world.config.index_size_max = 5 * INDEX_OFFSET_ENTRY_SIZE;
    world_start();
    put_n(20, 1, 100);
    ck_assert(has_segment(6) && has_segment(12)); /* five entries, none for the first batch */
    ck_assert_int_eq(world_scan(world.part), 20);
    world_clear();
}
END_TEST

START_TEST(segment_rolls_before_relative_offsets_overflow)
{
    world_make();
    world_start();
    put_n(1, INT32_MAX, 100);
    put_n(1, 1, 100);
    ck_assert(!has_segment(INT32_MAX));
    put_n(1, 1, 100);
    char name[64];
    snprintf(name, sizeof(name), WORLD_LABEL "/%020lld.log", (long long)INT32_MAX + 1);
    ck_assert(world_file_exists(name));
    ck_assert_int_eq(world_state(world.part).log_end, (int64_t)INT32_MAX + 2);
    world_clear();
}
END_TEST

/* Every offset and size: whole batches, the one asked for first, never more than allowed. */
static void check_reads(int64_t end)
{
    static const uint32_t sizes[] = {1, 99, 100, 101, 299, 300, 1000, 1 << 20};
    for (int64_t offset = 0; offset < end; offset++) {
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
            struct world_read read = world_read(world.part, offset, sizes[i], false);
            ck_assert_int_eq(read.status, ENGINE_OK);
            ck_assert_uint_le(read.size, sizes[i]);
            if (read.n_batches > 0)
                ck_assert(read.first_offset <= offset && offset < read.next_offset);
            free(read.bytes);
            read = world_read(world.part, offset, sizes[i], true);
            ck_assert_uint_ge(read.n_batches, 1);
            ck_assert(read.n_batches == 1 || read.size <= sizes[i]);
            ck_assert(read.first_offset <= offset && offset < read.next_offset);
            free(read.bytes);
        }
    }
}

START_TEST(segment_reads_respect_boundaries)
{
    world_make();
    world.config.segment_size_max = 3000;
    world_start();
    for (int i = 0; i < 60; i++)
        put_n(1, 1 + i % 3, 100 + (size_t)(i % 7) * 30);
    check_reads(world_state(world.part).log_end);
    world_stop();
    world_start();
    check_reads(world_state(world.part).log_end);
    world_clear();
}
END_TEST

START_TEST(segment_reads_stay_below_the_bound)
{
    world_make();
    world.config.segment_size_max = 2000;
    world_start();
    put_n(50, 3, 100);
    for (int64_t offset = 0; offset < 150; offset += 7) {
        for (int64_t bound = 0; bound <= 150; bound++) {
            struct world_read read = world_read_below(world.part, offset, bound, 1 << 20, true);
            ck_assert_int_eq(read.status, ENGINE_OK);
            ck_assert_int_le(read.next_offset, bound);
            /* readable when the batch ends below the bound */
            ck_assert_int_eq(read.n_batches > 0, (offset / 3 + 1) * 3 <= bound);
            free(read.bytes);
        }
    }
    world_clear();
}
END_TEST

START_TEST(segment_index_is_kafkas)
{
    uint8_t entry[INDEX_TIME_ENTRY_SIZE];
    world_make();
    world_start();
    for (int i = 0; i < 10; i++) {
        put_n(1, 2, 150);
        world.faulty.real_ms++;
    }
    world_stop();
    /* interval 256: the third batch is the first to come after more than that */
    char *path = world_path(WORLD_LABEL "/00000000000000000000.index");
    FILE *file = fopen(path, "rb");
    ck_assert_uint_eq(fread(entry, 1, 8, file), 8);
    fclose(file);
    free(path);
    ck_assert_mem_eq(entry, "\0\0\0\5\0\0\1\54", 8); /* its last offset 5, at 300 */
    path = world_path(WORLD_LABEL "/00000000000000000000.timeindex");
    file = fopen(path, "rb");
    ck_assert_uint_eq(fread(entry, 1, 12, file), 12);
    fclose(file);
    free(path);
    ck_assert_mem_eq(entry, "\0\0\0\0\0\17\102\102\0\0\0\5", 12); /* 1000002 ms, offset 5 */
    world_clear();
}
END_TEST

START_TEST(segment_damaged_index_of_a_sealed_one_is_rebuilt)
{
    world_make();
    world.config.segment_size_max = 3000;
    world_start();
    put_n(60, 1, 100);
    world_stop();
    world_file_write(WORLD_LABEL "/00000000000000000000.index", 4, "\0\0\1\1", 4);
    world_file_remove(WORLD_LABEL "/00000000000000000000.timeindex");
    world_start();
    struct world_read read = world_read(world.part, 17, 250, true);
    ck_assert_int_eq(read.first_offset, 17);
    ck_assert_int_eq(read.next_offset, 19);
    free(read.bytes);
    ck_assert(world_file_exists(WORLD_LABEL "/00000000000000000000.timeindex"));
    world_clear();
}
END_TEST

/* Plausible, but no batch ends with that offset there: found out at the use. */
START_TEST(segment_wrong_index_of_a_sealed_one_is_found_out)
{
    world_make();
    world.config.segment_size_max = 3000;
    world_start();
    put_n(60, 1, 100);
    world_stop();
    world_file_write(WORLD_LABEL "/00000000000000000000.index", 0, "\0\0\0\2\0\0\1\52", 8);
    world_start();
    for (int64_t offset = 0; offset < 30; offset++) {
        struct world_read read = world_read(world.part, offset, 1000, true);
        ck_assert_int_eq(read.first_offset, offset);
        free(read.bytes);
    }
    world_clear();
}
END_TEST

/* An older copy of an index: a batch is there, but another one. Where offsets may be missing, as in
 * a compacted log of which no checkpoint says more, nothing else would tell. */
START_TEST(segment_stale_index_is_found_out)
{
    world_make();
    world.config.segment_size_max = 3000;
    world.config.cleanup_compact = true;
    world_start();
    put_n(60, 1, 100);
    world_stop();
    world_file_truncate(WORLD_LABEL "/00000000000000000000.index", 0);
    world_file_write(WORLD_LABEL "/00000000000000000000.index", 0, "\0\0\0\2\0\0\3\350", 8);
    world_file_remove("odradek-checkpoint");
    world_start();
    for (int64_t offset = 0; offset < 30; offset++) {
        struct world_read read = world_read(world.part, offset, 1000, true);
        ck_assert_int_eq(read.first_offset, offset);
        free(read.bytes);
    }
    world_clear();
}
END_TEST

/* 1,000 parts within 64 descriptors, and what is pinned stays readable. */
START_TEST(segment_descriptors_are_bounded)
{
    enum { PARTS = 1000 };
    static struct part *parts[PARTS];
    world_make();
    world.files_open_max = 64;
    world.faulty.real_ms = 5000;
    world_start();
    for (int i = 0; i < PARTS; i++) {
        char label[32];
        snprintf(label, sizeof(label), "topic%d-0", i);
        parts[i] = world_open_part(label, (uint8_t)i, true);
    }
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < PARTS; i++)
            ck_assert_int_eq(world_put(parts[i], 1, 100 + (size_t)i % 50), ENGINE_OK);
    }
    unsigned n_fds = 0;
    for (int fd = 0; fd < 4096; fd++)
        n_fds += lseek(fd, 0, SEEK_CUR) >= 0;
    ck_assert_uint_le(n_fds, 64 + 16);
    for (int i = 0; i < PARTS; i += 7)
        ck_assert_int_eq(world_scan(parts[i]), 3);
    for (int i = 0; i < PARTS; i++) {
        world.engine->ops->part_close(parts[i], NULL);
        step_settle();
    }
    world_clear();
}
END_TEST

/* Descriptors ran out: some of those that are kept open go, and it works. */
START_TEST(segment_gives_descriptors_up)
{
    world_make();
    world_start();
    struct part *other = world_open_part("other-0", 9, true);
    ck_assert_int_eq(world_put(other, 1, 100), ENGINE_OK);
    ck_assert_int_eq(world_put_durable(world.part, 1, 100), ENGINE_OK);
    world_stop_part(steal(&world.part));
    world.part = world_open_part(WORLD_LABEL, 7, false);
    world.faulty.open_error = EMFILE;
    struct world_read read = world_read(world.part, 0, 1000, true);
    ck_assert_int_eq(read.status, ENGINE_OK);
    ck_assert_uint_eq(read.n_batches, 1);
    free(read.bytes);
    ck_assert_int_eq(world_scan(other), 1); /* opened again */
    world_stop_part(other);
    world_clear();
}
END_TEST

TEST_MAIN("store/segment", segment_gives_descriptors_up, segment_rolls_by_size,
    segment_takes_a_batch_larger_than_itself, segment_rolls_by_time,
    segment_rolls_when_its_index_is_full, segment_rolls_before_relative_offsets_overflow,
    segment_reads_respect_boundaries, segment_reads_stay_below_the_bound, segment_index_is_kafkas,
    segment_damaged_index_of_a_sealed_one_is_rebuilt,
    segment_wrong_index_of_a_sealed_one_is_found_out, segment_stale_index_is_found_out,
    segment_descriptors_are_bounded)
