// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * env: the outside world as one table of functions: clocks, randomness, files, sockets. Everything
 * the broker learns or does outside its memory goes through here, so that the same core runs on
 * Linux (env_posix), with files in memory (env_memory: --ephemeral), and under a seeded simulator
 * in tests. Descriptors are small non-negative ints of this env. All functions return >= 0 or
 * -errno. Every function may be called from any thread; those that may block on the disk (files,
 * except file_pread/file_pwritev of cached data) belong into the offload pool.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

struct env;

enum env_open_flags {
    ENV_OPEN_READ = 1,      /* read only */
    ENV_OPEN_WRITE = 2,     /* read and write */
    ENV_OPEN_CREATE = 4,    /* create when missing (with WRITE) */
    ENV_OPEN_EXCLUSIVE = 8, /* fail with -EEXIST when it exists (with CREATE) */
    ENV_OPEN_TRUNCATE = 16,
};

struct env_stat {
    uint64_t size; /* bytes */
    int64_t mtime_ms;
    bool is_dir;
};

/* Called once per entry, without "." and "..". A non-zero answer ends the listing and is returned.
 */
typedef int (*env_dir_fn)(void *ctx, const char *name);

struct env_ops {
    /* clocks: monotonic for deadlines, real (Unix epoch) for timestamps only */
    int64_t (*monotonic_ns)(struct env *env);
    int64_t (*real_ms)(struct env *env);
    void (*random)(struct env *env, void *data, size_t size);

    /* files */
    int (*file_open)(struct env *env, const char *path, unsigned flags);
    int (*file_close)(struct env *env, int fd);
    /* Short only at the end of the file. */
    ssize_t (*file_pread)(struct env *env, int fd, void *data, size_t size, uint64_t pos);
    /* Writes all or fails (what part of it then lies in the file is unknown). iov is not changed.
     */
    int (*file_pwritev)(struct env *env, int fd, const struct iovec *iov, int n_iov, uint64_t pos);
    int (*file_truncate)(struct env *env, int fd, uint64_t size);
    int (*file_sync)(struct env *env, int fd); /* fdatasync */
    int (*file_stat)(struct env *env, int fd, struct env_stat *ret_stat);
    int (*file_lock)(struct env *env,
        int fd); /* exclusive, not waiting: -EWOULDBLOCK when another process holds it */
    /* Hint that the pages are not needed any more / will be needed soon. */
    void (*file_forget)(struct env *env, int fd, uint64_t pos, uint64_t size);

    /* names */
    int (*path_stat)(struct env *env, const char *path, struct env_stat *ret_stat);
    int (*path_unlink)(struct env *env, const char *path);
    int (*path_rename)(struct env *env, const char *from, const char *to);
    int (*dir_make)(struct env *env, const char *path);   /* one level; -EEXIST when there */
    int (*dir_remove)(struct env *env, const char *path); /* empty */
    int (*dir_list)(struct env *env, const char *path, env_dir_fn fn, void *ctx);
    int (*dir_sync)(struct env *env, const char *path);
    /* A descriptor for disk_sync of the file system that the directory lies in, to be closed by
     * file_close. -EOPNOTSUPP where a sync of the whole is not known to reach the medium, and to
     * tell when it does not. */
    int (*disk_open)(struct env *env, const char *dir);
    /* All that was written to the file system before is on the medium, bytes and names. Fails for
     * any error since it was opened or last called, whosever file that was in. */
    int (*disk_sync)(struct env *env, int fd);
    int (*disk_free)(
        struct env *env, const char *path, uint64_t *ret_free, uint64_t *ret_total); /* bytes */

    /* sockets; all are non-blocking and close-on-exec */
    int (*sock_listen)(struct env *env, const struct sockaddr *address, socklen_t size, int backlog,
        bool reuse_port);
    int (*sock_accept)(
        struct env *env, int fd, struct sockaddr_storage *ret_address, socklen_t *ret_size);
    ssize_t (*sock_recv)(
        struct env *env, int fd, void *data, size_t size); /* 0: the peer closed; -EAGAIN */
    ssize_t (*sock_send)(struct env *env, int fd, const struct iovec *iov, int n_iov, bool more);
    ssize_t (*sock_send_file)(
        struct env *env, int fd, int file_fd, uint64_t pos, size_t size, bool more);
    int (*sock_address)(struct env *env, int fd, bool of_peer, struct sockaddr_storage *ret_address,
        socklen_t *ret_size);
    int (*sock_set_buffers)(
        struct env *env, int fd, int send_size, int receive_size); /* bytes; -1 leaves */
    int (*sock_close)(struct env *env, int fd);
};

struct env {
    const struct env_ops *ops;
};

/* The real one. Never freed. */
struct env *env_posix(void);
/* Clocks, randomness and sockets of `base`, files in memory (memfds, so that sendfile works). Free
 * when no file is open any more. */
struct env *env_memory_new(struct env *base);
void env_memory_free(struct env *env);

static inline int64_t env_monotonic_ms(struct env *env)
{
    return env->ops->monotonic_ns(env) / 1000000;
}

static inline int64_t env_real_ms(struct env *env)
{
    return env->ops->real_ms(env);
}
