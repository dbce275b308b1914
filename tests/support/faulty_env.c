// SPDX-License-Identifier: BSD-2-Clause
#include "support/faulty_env.h"

#include "base/memory.h"

#include <errno.h>

static struct faulty_env *faulty_of(struct env *env)
{
    return container_of(env, struct faulty_env, env);
}

/* Counts a mutating call; -errno when it is to fail. */
static int faulty_count(struct faulty_env *faulty)
{
    faulty->calls++;
    if (faulty->dead)
        return -EIO;
    if (faulty->fail_at == 0 || faulty->calls < faulty->fail_at)
        return 0;
    return faulty->calls == faulty->fail_at || faulty->sticky ? -faulty->error : 0;
}

static int64_t faulty_monotonic_ns(struct env *env)
{
    struct env *base = faulty_of(env)->base;
    return base->ops->monotonic_ns(base);
}

static int64_t faulty_real_ms(struct env *env)
{
    return faulty_of(env)->real_ms;
}

static void faulty_random(struct env *env, void *data, size_t size)
{
    struct env *base = faulty_of(env)->base;
    base->ops->random(base, data, size);
}

static int faulty_file_open(struct env *env, const char *path, unsigned flags)
{
    struct faulty_env *faulty = faulty_of(env);
    int r = (flags & (ENV_OPEN_CREATE | ENV_OPEN_TRUNCATE)) != 0 ? faulty_count(faulty) : 0;
    if (r == 0 && faulty->open_error != 0) {
        r = -faulty->open_error;
        if (faulty->open_errors_more == 0)
            faulty->open_error = 0;
        else
            faulty->open_errors_more--;
    }
    if (r < 0)
        return r;
    faulty->n_opens++;
    return faulty->base->ops->file_open(faulty->base, path, flags);
}

static int faulty_file_close(struct env *env, int fd)
{
    struct env *base = faulty_of(env)->base;
    return base->ops->file_close(base, fd);
}

static ssize_t faulty_file_pread(struct env *env, int fd, void *data, size_t size, uint64_t pos)
{
    struct faulty_env *faulty = faulty_of(env);
    faulty->n_reads++;
    if (faulty->read_error != 0)
        return -faulty->read_error;
    return faulty->base->ops->file_pread(faulty->base, fd, data, size, pos);
}

/* Half of the first piece gets through. */
static void faulty_write_half(struct env *base, int fd, const struct iovec *iov, uint64_t pos)
{
    struct iovec half = {iov[0].iov_base, iov[0].iov_len / 2};
    if (half.iov_len > 0) {
        int r = base->ops->file_pwritev(base, fd, &half, 1, pos);
        (void)r; /* it is about to fail anyway */
    }
}

static int faulty_file_pwritev(
    struct env *env, int fd, const struct iovec *iov, int n_iov, uint64_t pos)
{
    struct faulty_env *faulty = faulty_of(env);
    bool dead = faulty->dead;
    int r = faulty_count(faulty);
    if (r == 0 && faulty->write_error != 0)
        r = -faulty->write_error;
    if (r < 0) {
        if (!dead)
            faulty_write_half(faulty->base, fd, iov, pos);
        return r;
    }
    faulty->n_writes++;
    return faulty->base->ops->file_pwritev(faulty->base, fd, iov, n_iov, pos);
}

static int faulty_file_truncate(struct env *env, int fd, uint64_t size)
{
    struct faulty_env *faulty = faulty_of(env);
    int r = faulty_count(faulty);
    return r < 0 ? r : faulty->base->ops->file_truncate(faulty->base, fd, size);
}

static int faulty_file_sync(struct env *env, int fd)
{
    struct faulty_env *faulty = faulty_of(env);
    int r = faulty_count(faulty);
    if (r == 0 && faulty->sync_error != 0)
        r = -faulty->sync_error;
    if (r < 0)
        return r;
    faulty->n_syncs++;
    return faulty->base->ops->file_sync(faulty->base, fd);
}

static int faulty_file_stat(struct env *env, int fd, struct env_stat *ret_stat)
{
    struct env *base = faulty_of(env)->base;
    return base->ops->file_stat(base, fd, ret_stat);
}

static int faulty_file_lock(struct env *env, int fd)
{
    struct env *base = faulty_of(env)->base;
    return base->ops->file_lock(base, fd);
}

static void faulty_file_forget(struct env *env, int fd, uint64_t pos, uint64_t size)
{
    struct env *base = faulty_of(env)->base;
    base->ops->file_forget(base, fd, pos, size);
}

static int faulty_path_stat(struct env *env, const char *path, struct env_stat *ret_stat)
{
    struct env *base = faulty_of(env)->base;
    return base->ops->path_stat(base, path, ret_stat);
}

static int faulty_path_unlink(struct env *env, const char *path)
{
    struct faulty_env *faulty = faulty_of(env);
    int r = faulty_count(faulty);
    return r < 0 ? r : faulty->base->ops->path_unlink(faulty->base, path);
}

static int faulty_path_rename(struct env *env, const char *from, const char *to)
{
    struct faulty_env *faulty = faulty_of(env);
    int r = faulty_count(faulty);
    return r < 0 ? r : faulty->base->ops->path_rename(faulty->base, from, to);
}

static int faulty_dir_make(struct env *env, const char *path)
{
    struct faulty_env *faulty = faulty_of(env);
    int r = faulty_count(faulty);
    return r < 0 ? r : faulty->base->ops->dir_make(faulty->base, path);
}

static int faulty_dir_remove(struct env *env, const char *path)
{
    struct faulty_env *faulty = faulty_of(env);
    int r = faulty_count(faulty);
    return r < 0 ? r : faulty->base->ops->dir_remove(faulty->base, path);
}

static int faulty_dir_list(struct env *env, const char *path, env_dir_fn fn, void *ctx)
{
    struct env *base = faulty_of(env)->base;
    return base->ops->dir_list(base, path, fn, ctx);
}

static int faulty_dir_sync(struct env *env, const char *path)
{
    struct faulty_env *faulty = faulty_of(env);
    int r = faulty_count(faulty);
    faulty->n_dir_syncs += r == 0;
    return r < 0 ? r : faulty->base->ops->dir_sync(faulty->base, path);
}

/* Whatever the file system: nothing here relies on what is on the medium. */
static int faulty_disk_open(struct env *env, const char *dir)
{
    struct env *base = faulty_of(env)->base;
    return base->ops->file_open(base, dir, ENV_OPEN_READ);
}

static int faulty_disk_sync(struct env *env, int fd)
{
    struct faulty_env *faulty = faulty_of(env);
    int r = faulty_count(faulty);
    if (r == 0 && faulty->disk_sync_error != 0)
        r = -faulty->disk_sync_error;
    if (r < 0)
        return r;
    faulty->n_disk_syncs++;
    return faulty->base->ops->file_sync(faulty->base, fd);
}

static int faulty_disk_free(
    struct env *env, const char *path, uint64_t *ret_free, uint64_t *ret_total)
{
    struct env *base = faulty_of(env)->base;
    int r = base->ops->disk_free(base, path, ret_free, ret_total);
    if (faulty_of(env)->disk_full)
        *ret_free = 1000;
    if (faulty_of(env)->disk_left > 0) {
        *ret_free = faulty_of(env)->disk_left;
        *ret_total = (uint64_t)20 << 30;
    }
    return r;
}

static const struct env_ops faulty_ops = {
    .monotonic_ns = faulty_monotonic_ns,
    .real_ms = faulty_real_ms,
    .random = faulty_random,
    .file_open = faulty_file_open,
    .file_close = faulty_file_close,
    .file_pread = faulty_file_pread,
    .file_pwritev = faulty_file_pwritev,
    .file_truncate = faulty_file_truncate,
    .file_sync = faulty_file_sync,
    .file_stat = faulty_file_stat,
    .file_lock = faulty_file_lock,
    .file_forget = faulty_file_forget,
    .path_stat = faulty_path_stat,
    .path_unlink = faulty_path_unlink,
    .path_rename = faulty_path_rename,
    .dir_make = faulty_dir_make,
    .dir_remove = faulty_dir_remove,
    .dir_list = faulty_dir_list,
    .dir_sync = faulty_dir_sync,
    .disk_open = faulty_disk_open,
    .disk_sync = faulty_disk_sync,
    .disk_free = faulty_disk_free,
};

void faulty_env_init(struct faulty_env *faulty, struct env *base)
{
    *faulty = (struct faulty_env){
        .env = {.ops = &faulty_ops}, .base = base, .real_ms = 1000000, .error = EIO};
}
