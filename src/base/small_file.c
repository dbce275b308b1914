// SPDX-License-Identifier: BSD-2-Clause
#include "base/small_file.h"

#include "base/error.h"

#include <errno.h>
#include <string.h>

int small_file_read(struct env *env, const char *path, size_t size_max, struct buffer *ret_bytes)
{
    int fd = env->ops->file_open(env, path, ENV_OPEN_READ);
    if (fd < 0)
        return fd; /* often expected; the caller decides */
    struct env_stat stat;
    int r = env->ops->file_stat(env, fd, &stat);
    if (r >= 0 && stat.size > size_max)
        r = SMALL_FILE_E_TOO_LARGE;
    else if (r >= 0) {
        uint8_t *at = buffer_reserve(ret_bytes, (size_t)stat.size);
        ssize_t n = env->ops->file_pread(env, fd, at, (size_t)stat.size, 0);
        r = n < 0 ? (int)n : 0;
        ret_bytes->size += n < 0 ? 0 : (size_t)n;
    }
    env->ops->file_close(env, fd);
    return error_trace(r);
}

static int small_file_fill(struct env *env, const char *path, struct slice bytes, bool sync)
{
    int fd = env->ops->file_open(env, path, ENV_OPEN_WRITE | ENV_OPEN_CREATE | ENV_OPEN_TRUNCATE);
    if (fd < 0)
        return error_trace(fd);
    struct iovec iov = {(void *)(uintptr_t)bytes.data, bytes.size};
    int r = bytes.size == 0 ? 0 : env->ops->file_pwritev(env, fd, &iov, 1, 0);
    if (r >= 0 && sync)
        r = env->ops->file_sync(env, fd);
    int closed = env->ops->file_close(env, fd);
    return error_trace(r < 0 ? r : closed);
}

static int small_file_replace(struct env *env, const char *path, struct slice bytes, bool sync)
{
    _cleanup_(freep) char *temporary = xasprintf("%s.tmp", path);
    int r = small_file_fill(env, temporary, bytes, sync);
    if (r >= 0)
        r = env->ops->path_rename(env, temporary, path);
    if (r < 0)
        env->ops->path_unlink(env, temporary);
    return error_trace(r);
}

int small_file_write(struct env *env, const char *path, struct slice bytes)
{
    int r = small_file_replace(env, path, bytes, true);
    if (r < 0)
        return error_trace(r);
    const char *slash = strrchr(path, '/');
    _cleanup_(freep) char *dir =
        slash == NULL ? xstrdup(".")
                      : xstrdup_slice(slice_make(path, slash == path ? 1 : (size_t)(slash - path)));
    return error_trace(env->ops->dir_sync(env, dir));
}

int small_file_write_unsynced(struct env *env, const char *path, struct slice bytes)
{
    return error_trace(small_file_replace(env, path, bytes, false));
}
