// SPDX-License-Identifier: BSD-2-Clause
#include "base/env.h"
#include "runner.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char folder[32];
static char path[64], other[64];

static const struct env_ops *setup(void)
{
    strcpy(folder, "env-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/a", folder);
    snprintf(other, sizeof(other), "%s/b", folder);
    return env_posix()->ops;
}

START_TEST(env_clocks_go_forward)
{
    struct env *env = env_posix();
    int64_t before = env->ops->monotonic_ns(env);
    ck_assert(env->ops->monotonic_ns(env) >= before);
    ck_assert(env_real_ms(env) > 1600000000000);
}
END_TEST

/* More pieces than one system call takes, at an odd position. */
START_TEST(env_writes_long_vectors_whole)
{
    enum { PIECES = 1500 };
    struct env *env = env_posix();
    const struct env_ops *ops = setup();
    struct iovec iov[PIECES];
    char bytes[PIECES], back[PIECES + 10];
    for (int i = 0; i < PIECES; i++) {
        bytes[i] = (char)('a' + i % 26);
        iov[i] = (struct iovec){bytes + i, 1};
    }
    int fd = ops->file_open(env, path, ENV_OPEN_WRITE | ENV_OPEN_CREATE | ENV_OPEN_EXCLUSIVE);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(ops->file_pwritev(env, fd, iov, PIECES, 7), 0);
    ck_assert_int_eq(ops->file_sync(env, fd), 0);
    ck_assert_int_eq(ops->file_pread(env, fd, back, sizeof(back), 7), PIECES);
    ck_assert_mem_eq(back, bytes, PIECES);
    struct env_stat stat;
    ck_assert_int_eq(ops->file_stat(env, fd, &stat), 0);
    ck_assert_uint_eq(stat.size, PIECES + 7);
    ck_assert(!stat.is_dir);
    ck_assert_int_eq(ops->file_close(env, fd), 0);
    ck_assert_int_eq(
        ops->file_open(env, path, ENV_OPEN_WRITE | ENV_OPEN_CREATE | ENV_OPEN_EXCLUSIVE), -EEXIST);
    ck_assert_int_eq(ops->path_unlink(env, path), 0);
    ck_assert_int_eq(ops->dir_remove(env, folder), 0);
}
END_TEST

static int count_entry(void *ctx, const char *name)
{
    ck_assert_str_eq(name, "b");
    (*(int *)ctx)++;
    return 0;
}

START_TEST(env_locks_renames_lists)
{
    struct env *env = env_posix();
    const struct env_ops *ops = setup();
    int fd = ops->file_open(env, path, ENV_OPEN_WRITE | ENV_OPEN_CREATE);
    int again = ops->file_open(env, path, ENV_OPEN_READ);
    ck_assert_int_eq(ops->file_lock(env, fd), 0);
    ck_assert_int_eq(ops->file_lock(env, again), -EWOULDBLOCK);
    ck_assert_int_eq(ops->path_rename(env, path, other), 0);
    int count = 0;
    ck_assert_int_eq(ops->dir_list(env, folder, count_entry, &count), 0);
    ck_assert_int_eq(count, 1);
    ck_assert_int_eq(ops->dir_sync(env, folder), 0);
    ck_assert_int_eq(ops->dir_make(env, folder), -EEXIST);
    struct env_stat stat;
    ck_assert_int_eq(ops->path_stat(env, path, &stat), -ENOENT);
    uint64_t free_size, total;
    ck_assert_int_eq(ops->disk_free(env, folder, &free_size, &total), 0);
    ck_assert(total >= free_size);
    ops->file_close(env, fd);
    ops->file_close(env, again);
    ops->path_unlink(env, other);
    ops->dir_remove(env, folder);
}
END_TEST

TEST_MAIN(
    "base/env_posix", env_clocks_go_forward, env_writes_long_vectors_whole, env_locks_renames_lists)
