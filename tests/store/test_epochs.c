// SPDX-License-Identifier: BSD-2-Clause
/* The leader epochs of a partition alone: the file, its damage, cuts, and the limit. */
#include "store/part/epochs.h"
#include "runner.h"

#include "base/buffer.h"
#include "base/memory.h"
#include "base/small_file.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64];

static void setup(void)
{
    snprintf(dir, sizeof(dir), "/tmp/odradek-epochs-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
}

static char *path(void)
{
    static char text[128];
    snprintf(text, sizeof(text), "%s/leader-epoch-checkpoint", dir);
    return text;
}

static void teardown(void)
{
    (void)unlink(path());
    (void)rmdir(path());
    ck_assert_int_eq(rmdir(dir), 0);
}

static void file_write(const char *text, size_t size)
{
    ck_assert_int_eq(small_file_write(env_posix(), path(), slice_make(text, size)), 0);
}

static struct epochs epochs_of(const char *text)
{
    struct epochs epochs = {.starts = NULL};
    file_write(text, strlen(text));
    ck_assert_int_eq(epochs_read(&epochs, env_posix(), dir), 0);
    return epochs;
}

static void expect_start(const struct epochs *epochs, unsigned at, int32_t epoch, int64_t offset)
{
    ck_assert_uint_lt(at, epochs->count);
    ck_assert_int_eq(epochs->starts[at].epoch, epoch);
    ck_assert_int_eq(epochs->starts[at].offset, offset);
}

START_TEST(epochs_parse_what_kafka_writes)
{
    struct epochs epochs = epochs_of("0\n3\n0 0\n4 10\n2147483647 9223372036854775807\n");
    ck_assert_uint_eq(epochs.count, 3);
    expect_start(&epochs, 0, 0, 0);
    expect_start(&epochs, 1, 4, 10);
    expect_start(&epochs, 2, INT32_MAX, INT64_MAX);
    ck_assert_int_eq(epochs_last(&epochs), INT32_MAX);
    epochs_deinit(&epochs);
    epochs = epochs_of("0\n2\n3 7\n5 7\n"); /* epoch 3 has no records */
    ck_assert_uint_eq(epochs.count, 2);
    epochs_deinit(&epochs);
    epochs = epochs_of("0\n0\n");
    ck_assert_uint_eq(epochs.count, 0);
    ck_assert_int_eq(epochs_last(&epochs), 0);
    epochs_deinit(&epochs);
}
END_TEST

START_TEST(epochs_come_back_as_written)
{
    struct epochs epochs = {.starts = NULL}, back = {.starts = NULL}, copy;
    epochs_add(&epochs, 2, 0);
    epochs_add(&epochs, 7, 100);
    epochs_copy(&copy, &epochs);
    for (int durable = 0; durable < 2; durable++) {
        int r =
            durable ? epochs_store(&copy, env_posix(), dir) : epochs_write(&copy, env_posix(), dir);
        ck_assert_int_eq(r, 0);
        ck_assert_int_eq(epochs_read(&back, env_posix(), dir), 0);
        ck_assert_uint_eq(back.count, 2);
        expect_start(&back, 0, 2, 0);
        expect_start(&back, 1, 7, 100);
    }
    struct buffer text = BUFFER_NULL;
    ck_assert_int_eq(small_file_read(env_posix(), path(), 100, &text), 0);
    ck_assert(slice_equal_str(buffer_slice(&text), "0\n2\n2 0\n7 100\n"));
    buffer_deinit(&text);
    epochs_deinit(&epochs);
    epochs_deinit(&copy);
    epochs_deinit(&back);
}
END_TEST

static void expect_bad(const char *text, size_t size)
{
    struct epochs epochs = {.starts = NULL};
    epochs_add(&epochs, 9, 9);
    file_write(text, size);
    ck_assert_msg(epochs_read(&epochs, env_posix(), dir) == EPOCHS_E_BAD, "\"%.*s\"",
        (int)(size < 100 ? size : 100), text);
    ck_assert_uint_eq(epochs.count, 0);
    ck_assert_ptr_null(epochs.starts);
}

START_TEST(epochs_refuse_damage_as_a_whole)
{
    static const char *const bad[] = {"", "0", "0\n", "1\n0\n", "-0\n0\n", "0\n1\n", "0\n1\n0 0",
        "0\n0\n0 0\n", "0\n2\n0 0\n", "0\n1\n0 0\n1 1\n", "0\n2\n1 0\n1 5\n", "0\n2\n2 0\n1 5\n",
        "0\n2\n1 5\n2 4\n", "0\n1\n-1 0\n", "0\n1\n0 -1\n", "0\n1\n2147483648 0\n",
        "0\n1\n0 9223372036854775808\n", "0\n2147483648\n", "0\n1\n0  0\n", "0\n1\n 0 0\n",
        "0\n1\n0\t0\n", "0\r\n1\r\n0 0\r\n", "0\n1\n0 0\n\n", "0\n+1\n0 0\n", "x"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        expect_bad(bad[i], strlen(bad[i]));
    expect_bad("0\n1\n0\0 0\n", 9);
    expect_bad("0\n1\n0 0\n\0\0\0", 11); /* a tail of zeros */
    /* Every cut of a good one. */
    static const char good[] = "0\n2\n0 0\n4 10\n";
    for (size_t size = 0; size < sizeof(good) - 1; size++)
        expect_bad(good, size);
}
END_TEST

START_TEST(epochs_without_a_file)
{
    struct epochs epochs = {.starts = NULL};
    ck_assert_int_eq(epochs_read(&epochs, env_posix(), dir), EPOCHS_E_BAD);
    ck_assert_int_eq(mkdir(path(), 0700), 0); /* a call that fails is no damage */
    ck_assert_int_lt(epochs_read(&epochs, env_posix(), dir), 0);
    ck_assert_uint_eq(epochs.count, 0);
}
END_TEST

/* A count that the file does not back costs nothing; a file beyond all measure is damage. */
START_TEST(epochs_believe_no_count)
{
    expect_bad("0\n2147483647\n0 0\n", 17);
    size_t size = ((size_t)1 << 20) + 1;
    char *huge = xmalloc(size);
    memset(huge, '1', size);
    expect_bad(huge, size);
    free(huge);
}
END_TEST

START_TEST(epochs_only_rise)
{
    struct epochs epochs = {.starts = NULL};
    epochs_add(&epochs, 3, 10);
    epochs_add(&epochs, 3, 20);
    epochs_add(&epochs, 2, 20);
    epochs_add(&epochs, 4, 9);
    ck_assert_uint_eq(epochs.count, 1);
    epochs_add(&epochs, 4, 10);
    ck_assert_uint_eq(epochs.count, 2);
    epochs_deinit(&epochs);
}
END_TEST

START_TEST(epochs_are_limited_in_number)
{
    struct epochs epochs = {.starts = NULL}, back = {.starts = NULL};
    for (int32_t i = 0; i < EPOCHS_COUNT_MAX + 3; i++)
        epochs_add(&epochs, i, i * 10);
    ck_assert_uint_eq(epochs.count, EPOCHS_COUNT_MAX);
    expect_start(&epochs, 0, 3, 30); /* the oldest ones went */
    expect_start(&epochs, EPOCHS_COUNT_MAX - 1, EPOCHS_COUNT_MAX + 2, (EPOCHS_COUNT_MAX + 2) * 10);
    ck_assert_int_eq(epochs_store(&epochs, env_posix(), dir), 0);
    ck_assert_int_eq(epochs_read(&back, env_posix(), dir), 0);
    ck_assert_uint_eq(back.count, EPOCHS_COUNT_MAX);
    expect_start(&back, 0, 3, 30);
    /* A file with more: the newest are kept; one that falls is damage there too. */
    struct buffer text = BUFFER_NULL;
    buffer_printf(&text, "0\n%d\n", EPOCHS_COUNT_MAX + 2);
    for (int32_t i = 0; i < EPOCHS_COUNT_MAX + 2; i++)
        buffer_printf(&text, "%d %d\n", i, i);
    file_write((const char *)text.data, text.size);
    ck_assert_int_eq(epochs_read(&back, env_posix(), dir), 0);
    ck_assert_uint_eq(back.count, EPOCHS_COUNT_MAX);
    expect_start(&back, 0, 2, 2);
    text.size -= 10; /* "1025 1025\n" */
    buffer_printf(&text, "1025 3\n");
    expect_bad((const char *)text.data, text.size);
    buffer_deinit(&text);
    epochs_deinit(&epochs);
    epochs_deinit(&back);
}
END_TEST

START_TEST(epochs_are_cut_with_the_log)
{
    struct epochs epochs = {.starts = NULL};
    ck_assert(!epochs_cut(&epochs, 0));
    epochs_add(&epochs, 0, 0);
    epochs_add(&epochs, 1, 10);
    epochs_add(&epochs, 5, 20);
    ck_assert(!epochs_cut(&epochs, 20));
    ck_assert(epochs_cut(&epochs, 15));
    expect_start(&epochs, 1, 1, 10);
    expect_start(&epochs, 2, 5, 15);
    ck_assert(epochs_cut(&epochs, 5)); /* both begin where the log ends now */
    expect_start(&epochs, 0, 0, 0);
    expect_start(&epochs, 1, 1, 5);
    expect_start(&epochs, 2, 5, 5);
    ck_assert_int_eq(epochs_last(&epochs), 5); /* never lower */
    epochs_deinit(&epochs);
}
END_TEST

static void expect_end(const struct epochs *epochs, int32_t asked, int32_t epoch, int64_t end)
{
    int32_t found_epoch = -2;
    int64_t found_end = -2;
    bool found = epochs_end(epochs, asked, 100, &found_epoch, &found_end);
    ck_assert_int_eq(found, epoch >= 0);
    if (!found)
        return;
    ck_assert_int_eq(found_epoch, epoch);
    ck_assert_int_eq(found_end, end);
}

START_TEST(epochs_end_where_the_next_begins)
{
    struct epochs epochs = {.starts = NULL};
    expect_end(&epochs, 0, 0, 100);
    expect_end(&epochs, 8, 0, 100);
    epochs_add(&epochs, 2, 0);
    epochs_add(&epochs, 4, 10);
    epochs_add(&epochs, 7, 500); /* behind the log's end */
    expect_end(&epochs, 1, -1, -1);
    expect_end(&epochs, 2, 2, 10);
    expect_end(&epochs, 3, 2, 10);
    expect_end(&epochs, 4, 4, 100);
    expect_end(&epochs, 6, 4, 100);
    expect_end(&epochs, 7, 7, 100);
    expect_end(&epochs, 9, 7, 100);
    epochs_deinit(&epochs);
}
END_TEST

TEST_MAIN_FIXTURE("store/epochs", setup, teardown, epochs_parse_what_kafka_writes,
    epochs_come_back_as_written, epochs_refuse_damage_as_a_whole, epochs_without_a_file,
    epochs_believe_no_count, epochs_only_rise, epochs_are_limited_in_number,
    epochs_are_cut_with_the_log, epochs_end_where_the_next_begins)
