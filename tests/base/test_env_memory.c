// SPDX-License-Identifier: BSD-2-Clause
#include "base/env.h"
#include "base/memory.h"
#include "runner.h"

#include <errno.h>
#include <unistd.h>

static struct env *env;

static void begin(void)
{
    env = env_memory_new(env_posix());
    ck_assert_int_eq(env->ops->dir_make(env, "data"), 0);
}

static int put(const char *path, const char *text)
{
    int fd = env->ops->file_open(env, path, ENV_OPEN_WRITE | ENV_OPEN_CREATE | ENV_OPEN_TRUNCATE);
    if (fd < 0)
        return fd;
    struct iovec iov[2] = {{(void *)(uintptr_t)text, 1}, {(void *)(uintptr_t)(text + 1), 2}};
    ck_assert_int_eq(env->ops->file_pwritev(env, fd, iov, 2, 0), 0);
    return env->ops->file_close(env, fd);
}

static void expect(const char *path, const char *text)
{
    char bytes[8] = {0};
    int fd = env->ops->file_open(env, path, ENV_OPEN_READ);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(env->ops->file_pread(env, fd, bytes, 8, 0), 3);
    ck_assert_str_eq(bytes, text);
    ck_assert_int_eq(env->ops->file_close(env, fd), 0);
}

static int count_name(void *ctx, const char *name)
{
    ck_assert_ptr_null(strchr(name, '/'));
    (*(unsigned *)ctx)++;
    return 0;
}

static unsigned count(const char *path)
{
    unsigned n = 0;
    ck_assert_int_eq(env->ops->dir_list(env, path, count_name, &n), 0);
    return n;
}

START_TEST(memory_files_read_back)
{
    begin();
    ck_assert_int_eq(put("data/a.log", "abc"), 0);
    ck_assert_int_eq(put("data/b", "xyz"), 0);
    expect("data/a.log", "abc");
    expect("data/b", "xyz");
    ck_assert_int_eq(put("data/none/b", "xyz"), -ENOENT);
    ck_assert_int_eq(env->ops->file_open(env, "data/c", ENV_OPEN_READ), -ENOENT);
    ck_assert_int_eq(
        env->ops->file_open(env, "data/b", ENV_OPEN_WRITE | ENV_OPEN_CREATE | ENV_OPEN_EXCLUSIVE),
        -EEXIST);
    ck_assert_uint_eq(count("data"), 2);
    env_memory_free(env);
}
END_TEST

START_TEST(memory_unlinked_files_live_until_closed)
{
    static const char *const paths[] = {"data/a.log", "data/b"};
    begin();
    for (size_t i = 0; i < ARRAY_COUNT(paths); i++) {
        char bytes[4] = {0};
        struct env_stat stat;
        ck_assert_int_eq(put(paths[i], "abc"), 0);
        int fd = env->ops->file_open(env, paths[i], ENV_OPEN_WRITE);
        ck_assert_int_eq(env->ops->path_unlink(env, paths[i]), 0);
        ck_assert_int_eq(env->ops->path_unlink(env, paths[i]), -ENOENT);
        ck_assert_int_eq(env->ops->file_truncate(env, fd, 2), 0);
        ck_assert_int_eq(env->ops->file_stat(env, fd, &stat), 0);
        ck_assert_uint_eq(stat.size, 2);
        ck_assert_int_eq(env->ops->file_pread(env, fd, bytes, 4, 1), 1);
        ck_assert_str_eq(bytes, "b");
        ck_assert_int_eq(env->ops->file_close(env, fd), 0);
    }
    env_memory_free(env);
}
END_TEST

START_TEST(memory_directories_are_renamed_with_what_is_in_them)
{
    struct env_stat stat;
    begin();
    ck_assert_int_eq(env->ops->dir_make(env, "data/t-0"), 0);
    ck_assert_int_eq(env->ops->dir_make(env, "data/t-0"), -EEXIST);
    ck_assert_int_eq(env->ops->dir_make(env, "data/t-01"), 0);
    ck_assert_int_eq(put("data/t-0/0.log", "abc"), 0);
    ck_assert_int_eq(put("data/t-0/meta", "xyz"), 0);
    ck_assert_int_eq(put("data/t-01/meta", "uvw"), 0);
    ck_assert_int_eq(env->ops->path_rename(env, "data/t-0", "data/gone"), 0);
    ck_assert_int_eq(env->ops->path_stat(env, "data/t-0/meta", &stat), -ENOENT);
    expect("data/gone/0.log", "abc");
    expect("data/gone/meta", "xyz");
    expect("data/t-01/meta", "uvw");
    ck_assert_uint_eq(count("data/gone"), 2);
    ck_assert_int_eq(env->ops->dir_remove(env, "data/gone"), -ENOTEMPTY);
    ck_assert_int_eq(env->ops->path_rename(env, "data/gone/meta", "data/gone/0.log"), 0);
    expect("data/gone/0.log", "xyz");
    ck_assert_int_eq(env->ops->path_unlink(env, "data/gone/0.log"), 0);
    ck_assert_int_eq(env->ops->dir_remove(env, "data/gone"), 0);
    env_memory_free(env);
}
END_TEST

TEST_MAIN("base/env_memory", memory_files_read_back, memory_unlinked_files_live_until_closed,
    memory_directories_are_renamed_with_what_is_in_them)
