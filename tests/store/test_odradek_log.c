// SPDX-License-Identifier: BSD-2-Clause
/* The library, with its real threads. */
#include "store/odradek_log.h"
#include "runner.h"

#include <errno.h>
#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char dir[64];
static struct odradek_log *shared;

static void begin(void)
{
    snprintf(dir, sizeof(dir), "/tmp/odradek-log-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void end(void)
{
    nftw(dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static struct odradek_bytes text(const char *str)
{
    return (struct odradek_bytes){str, str == NULL ? 0 : strlen(str)};
}

static void expect(struct odradek_bytes bytes, const char *str)
{
    ck_assert_uint_eq(bytes.size, strlen(str));
    ck_assert_int_eq(memcmp(bytes.data, str, bytes.size), 0);
}

START_TEST(log_reads_back_what_was_appended)
{
    const struct odradek_header headers[] = {{text("h"), text("v")}, {text("none"), {0}}};
    struct odradek_record records[2] = {
        {.key = text("k"), .value = text("one"), .headers = headers, .n_headers = 2},
        {.value = text(""), .timestamp_ms = 12345}};
    struct odradek_record record;
    struct odradek_log *log;
    int64_t offset;
    begin();
    for (int round = 0; round < 3; round++) {
        ck_assert_int_eq(odradek_log_open(dir, NULL, &log), 0);
        ck_assert_int_eq(odradek_log_end(log), 2 * round);
        ck_assert_int_eq(odradek_log_append(log, records, 2, ODRADEK_DURABLE, &offset), 0);
        ck_assert_int_eq(offset, 2 * round);
        struct odradek_reader *reader = odradek_reader_open(log, 0);
        for (int i = 0; i <= round; i++) {
            ck_assert_int_eq(odradek_reader_next(reader, 0, &record), 0);
            ck_assert_int_eq(record.offset, 2 * i);
            expect(record.key, "k");
            expect(record.value, "one");
            ck_assert_uint_eq(record.n_headers, 2);
            expect(record.headers[0].value, "v");
            ck_assert_ptr_null(record.headers[1].value.data);
            ck_assert_int_eq(odradek_reader_next(reader, 0, &record), 0);
            ck_assert_int_eq(record.timestamp_ms, 12345);
            ck_assert_ptr_null(record.key.data);
            ck_assert_ptr_nonnull(record.value.data);
        }
        ck_assert_int_eq(odradek_reader_next(reader, 0, &record), ODRADEK_TIMEOUT);
        ck_assert_int_eq(odradek_reader_next(reader, 10, &record), ODRADEK_TIMEOUT);
        odradek_reader_seek(reader, 1);
        ck_assert_int_eq(odradek_reader_next(reader, 0, &record), 0);
        ck_assert_int_eq(record.offset, 1);
        odradek_reader_close(reader);
        odradek_log_close(log);
    }
    end();
}
END_TEST

enum { COUNT = 2000 };

static void *read_all(void *arg)
{
    struct odradek_reader *reader = odradek_reader_open(shared, 0);
    for (int i = 0; i < COUNT; i++) {
        struct odradek_record record;
        if (odradek_reader_next(reader, 20000, &record) != 0 || record.offset != i)
            break;
        *(int *)arg += 1;
    }
    odradek_reader_close(reader);
    return NULL;
}

START_TEST(log_readers_are_independent_and_wait_for_more)
{
    pthread_t threads[2];
    int counts[2] = {0};
    struct odradek_record record = {.value = text("x")};
    struct odradek_log_options options = {.segment_size_max = 20000, .in_memory = 1};
    ck_assert_int_eq(odradek_log_open("log", &options, &shared), 0);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, read_all, &counts[i]), 0);
    for (int i = 0; i < COUNT; i++)
        ck_assert_int_eq(odradek_log_append(shared, &record, 1, 0, NULL), 0);
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        ck_assert_int_eq(counts[i], COUNT);
    }
    odradek_log_close(shared);
}
END_TEST

START_TEST(log_trims_and_finds_times)
{
    struct odradek_log *log;
    int64_t offset;
    begin();
    ck_assert_int_eq(odradek_log_open(dir, NULL, &log), 0);
    for (int i = 0; i < 10; i++) {
        struct odradek_record pair[2] = {
            {.timestamp_ms = 1000 + 2 * i}, {.timestamp_ms = 1001 + 2 * i}};
        ck_assert_int_eq(odradek_log_append(log, pair, 2, 0, NULL), 0);
    }
    ck_assert_int_eq(odradek_log_offset_for_time(log, 1007, &offset), 0);
    ck_assert_int_eq(offset, 7);
    ck_assert_int_eq(odradek_log_offset_for_time(log, 5000, &offset), 0);
    ck_assert_int_eq(offset, 20);
    ck_assert_int_eq(odradek_log_flush(log), 0);
    ck_assert_int_eq(odradek_log_trim(log, 5), 0);
    ck_assert_int_eq(odradek_log_trim(log, 21), ODRADEK_OUT_OF_RANGE);
    ck_assert_int_eq(odradek_log_start(log), 5);
    struct odradek_record record;
    struct odradek_reader *reader = odradek_reader_open(log, 0);
    ck_assert_int_eq(odradek_reader_next(reader, 0, &record), ODRADEK_OUT_OF_RANGE);
    odradek_reader_seek(reader, odradek_log_start(log));
    ck_assert_int_eq(odradek_reader_next(reader, 0, &record), 0);
    ck_assert_int_eq(record.offset, 5);
    odradek_reader_close(reader);
    odradek_log_close(log);
    end();
}
END_TEST

START_TEST(log_is_locked)
{
    struct odradek_log *log, *second;
    begin();
    ck_assert_int_eq(odradek_log_open(dir, NULL, &log), 0);
    ck_assert_int_eq(odradek_log_open(dir, NULL, &second), -EWOULDBLOCK);
    odradek_log_close(log);
    ck_assert_int_eq(odradek_log_open("/dev/null/log", NULL, &log), -ENOTDIR);
    end();
}
END_TEST

TEST_MAIN("store/odradek_log", log_reads_back_what_was_appended,
    log_readers_are_independent_and_wait_for_more, log_trims_and_finds_times, log_is_locked)
