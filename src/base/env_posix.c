// SPDX-License-Identifier: BSD-2-Clause
/*
 * The real outside world: one thin function per entry of env_ops over the system calls of Linux.
 * Interrupted calls are repeated; short reads and writes of files are continued, so that callers
 * see all or an error. Failure: always -errno of the call that failed, nothing is logged here.
 */
#include "base/env.h"
#include "base/error.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#define ENV_IOV_MAX 64 /* pieces per pwritev; longer vectors take several calls */

#define RETRY(call)                             \
    __extension__({                             \
        __typeof__(call) retry_r_;              \
        do                                      \
            retry_r_ = (call);                  \
        while (retry_r_ < 0 && errno == EINTR); \
        retry_r_;                               \
    })

static int result(int r)
{
    return r < 0 ? error_errno() : r;
}

/* --- clocks, randomness --- */

static int64_t posix_monotonic_ns(struct env *env)
{
    (void)env;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int64_t posix_real_ms(struct env *env)
{
    (void)env;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void posix_random(struct env *env, void *data, size_t size)
{
    (void)env;
    uint8_t *at = data;
    while (size > 0) {
        ssize_t n = RETRY(getrandom(at, size, 0));
        assert(n > 0); /* cannot fail once the kernel's pool is ready */
        at += n;
        size -= (size_t)n;
    }
}

/* --- files --- */

static int posix_file_open(struct env *env, const char *path, unsigned flags)
{
    (void)env;
    assert(((flags & ENV_OPEN_READ) != 0) != ((flags & ENV_OPEN_WRITE) != 0));
    int how = O_CLOEXEC | ((flags & ENV_OPEN_WRITE) ? O_RDWR : O_RDONLY);
    how |= (flags & ENV_OPEN_CREATE) ? O_CREAT : 0;
    how |= (flags & ENV_OPEN_EXCLUSIVE) ? O_EXCL : 0;
    how |= (flags & ENV_OPEN_TRUNCATE) ? O_TRUNC : 0;
    return result(RETRY(open(path, how, 0644)));
}

static int posix_file_close(struct env *env, int fd)
{
    (void)env;
    /* An interrupted close has closed on Linux. */
    return close(fd) < 0 && errno != EINTR ? error_errno() : 0;
}

static ssize_t posix_file_pread(struct env *env, int fd, void *data, size_t size, uint64_t pos)
{
    (void)env;
    size_t done = 0;
    while (done < size) {
        ssize_t n = RETRY(pread(fd, (uint8_t *)data + done, size - done, (off_t)(pos + done)));
        if (n < 0)
            return error_errno();
        if (n == 0)
            break;
        done += (size_t)n;
    }
    return (ssize_t)done;
}

/* Drops the first `size` bytes from a vector; returns how many whole elements went. */
static int iov_advance(struct iovec *iov, int n_iov, size_t size)
{
    int i = 0;
    while (i < n_iov && size >= iov[i].iov_len)
        size -= iov[i++].iov_len;
    if (i < n_iov) {
        iov[i].iov_base = (uint8_t *)iov[i].iov_base + size;
        iov[i].iov_len -= size;
    }
    return i;
}

static int pwritev_all(int fd, struct iovec *iov, int n_iov, uint64_t *pos)
{
    while (n_iov > 0) {
        ssize_t n = RETRY(pwritev(fd, iov, n_iov, (off_t)*pos));
        if (n < 0)
            return error_errno();
        int gone = iov_advance(iov, n_iov, (size_t)n);
        if (n == 0 && gone == 0)
            return -EIO;
        *pos += (uint64_t)n;
        iov += gone;
        n_iov -= gone;
    }
    return 0;
}

static int posix_file_pwritev(
    struct env *env, int fd, const struct iovec *iov, int n_iov, uint64_t pos)
{
    (void)env;
    struct iovec some[ENV_IOV_MAX];
    while (n_iov > 0) {
        int n = n_iov < ENV_IOV_MAX ? n_iov : ENV_IOV_MAX;
        memcpy(some, iov, (size_t)n * sizeof(*iov));
        int r = pwritev_all(fd, some, n, &pos);
        if (r < 0)
            return r;
        iov += n;
        n_iov -= n;
    }
    return 0;
}

static int posix_file_truncate(struct env *env, int fd, uint64_t size)
{
    (void)env;
    return result(RETRY(ftruncate(fd, (off_t)size)));
}

static int posix_file_sync(struct env *env, int fd)
{
    (void)env;
    return result(fdatasync(fd)); /* never repeated: a failed sync may have lost the pages */
}

static void stat_convert(const struct stat *from, struct env_stat *to)
{
    to->size = (uint64_t)from->st_size;
    to->mtime_ms = (int64_t)from->st_mtim.tv_sec * 1000 + from->st_mtim.tv_nsec / 1000000;
    to->is_dir = S_ISDIR(from->st_mode);
}

static int posix_file_stat(struct env *env, int fd, struct env_stat *ret_stat)
{
    (void)env;
    struct stat stat;
    if (fstat(fd, &stat) < 0)
        return error_errno();
    stat_convert(&stat, ret_stat);
    return 0;
}

static int posix_file_lock(struct env *env, int fd)
{
    (void)env;
    return result(RETRY(flock(fd, LOCK_EX | LOCK_NB)));
}

static void posix_file_forget(struct env *env, int fd, uint64_t pos, uint64_t size)
{
    (void)env;
    (void)posix_fadvise(fd, (off_t)pos, (off_t)size, POSIX_FADV_DONTNEED); /* only a hint */
}

/* --- names --- */

static int posix_path_stat(struct env *env, const char *path, struct env_stat *ret_stat)
{
    (void)env;
    struct stat found;
    if (stat(path, &found) < 0)
        return error_errno();
    stat_convert(&found, ret_stat);
    return 0;
}

static int posix_path_unlink(struct env *env, const char *path)
{
    (void)env;
    return result(unlink(path));
}

static int posix_path_rename(struct env *env, const char *from, const char *to)
{
    (void)env;
    return result(rename(from, to));
}

static int posix_dir_make(struct env *env, const char *path)
{
    (void)env;
    return result(mkdir(path, 0755));
}

static int posix_dir_remove(struct env *env, const char *path)
{
    (void)env;
    return result(rmdir(path));
}

static int posix_dir_list(struct env *env, const char *path, env_dir_fn fn, void *ctx)
{
    (void)env;
    DIR *dir = opendir(path);
    if (dir == NULL)
        return error_errno();
    int r = 0;
    for (;;) {
        errno = 0;
        struct dirent *entry = readdir(dir);
        if (entry == NULL) {
            r = errno == 0 ? 0 : error_errno();
            break;
        }
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        r = fn(ctx, entry->d_name);
        if (r != 0)
            break;
    }
    closedir(dir);
    return r;
}

static int posix_dir_sync(struct env *env, const char *path)
{
    (void)env;
    int fd = RETRY(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (fd < 0)
        return error_errno();
    int r = result(fsync(fd));
    close(fd);
    return r;
}

/* syncfs tells of errors since Linux 5.8; file systems of others (FUSE, network, overlays) may
 * answer without having asked anybody. */
static bool disk_trusted(int fd)
{
    struct utsname system;
    struct statfs disk;
    int major = 0, minor = 0;
    if (uname(&system) < 0 || sscanf(system.release, "%d.%d", &major, &minor) != 2)
        return false;
    if (major < 5 || (major == 5 && minor < 8) || RETRY(fstatfs(fd, &disk)) < 0)
        return false;
    return disk.f_type == EXT4_SUPER_MAGIC || disk.f_type == XFS_SUPER_MAGIC ||
           disk.f_type == BTRFS_SUPER_MAGIC;
}

static int posix_disk_open(struct env *env, const char *dir)
{
    (void)env;
    int fd = RETRY(open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (fd < 0)
        return error_errno();
    if (disk_trusted(fd))
        return fd;
    close(fd);
    return -EOPNOTSUPP;
}

static int posix_disk_sync(struct env *env, int fd)
{
    (void)env;
    return result(syncfs(fd)); /* never repeated, as above */
}

static int posix_disk_free(
    struct env *env, const char *path, uint64_t *ret_free, uint64_t *ret_total)
{
    (void)env;
    struct statvfs disk;
    if (RETRY(statvfs(path, &disk)) < 0)
        return error_errno();
    *ret_free = (uint64_t)disk.f_bavail * disk.f_frsize;
    *ret_total = (uint64_t)disk.f_blocks * disk.f_frsize;
    return 0;
}

/* --- sockets --- */

static int sock_prepare(
    int fd, const struct sockaddr *address, socklen_t size, int backlog, bool reuse_port)
{
    int on = 1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
        return error_errno();
    if (reuse_port && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) < 0)
        return error_errno();
    /* "::" stands for every address, IPv4 included, whatever the system's default is. */
    int off = 0;
    if (address->sa_family == AF_INET6 &&
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) < 0)
        return error_errno();
    if (bind(fd, address, size) < 0)
        return error_errno();
    return result(listen(fd, backlog));
}

static int posix_sock_listen(
    struct env *env, const struct sockaddr *address, socklen_t size, int backlog, bool reuse_port)
{
    (void)env;
    /* sendfile has no MSG_NOSIGNAL: a process that serves sockets must not die of a closed one. */
    signal(SIGPIPE, SIG_IGN);
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return error_errno();
    int r = sock_prepare(fd, address, size, backlog, reuse_port);
    if (r < 0) {
        close(fd);
        return r;
    }
    return fd;
}

static int posix_sock_accept(
    struct env *env, int fd, struct sockaddr_storage *ret_address, socklen_t *ret_size)
{
    (void)env;
    *ret_size = sizeof(*ret_address);
    int peer =
        RETRY(accept4(fd, (struct sockaddr *)ret_address, ret_size, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (peer < 0)
        return error_errno();
    int on = 1;
    (void)setsockopt(peer, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* no TCP, no delay */
    return peer;
}

static ssize_t posix_sock_recv(struct env *env, int fd, void *data, size_t size)
{
    (void)env;
    ssize_t n = RETRY(recv(fd, data, size, MSG_DONTWAIT));
    return n < 0 ? error_errno() : n;
}

static ssize_t posix_sock_send(
    struct env *env, int fd, const struct iovec *iov, int n_iov, bool more)
{
    (void)env;
    struct msghdr msg = {.msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)n_iov};
    int flags = MSG_DONTWAIT | MSG_NOSIGNAL | (more ? MSG_MORE : 0);
    ssize_t n;
    if (n_iov == 1) /* most answers; the kernel has less to copy and to check */
        n = RETRY(send(fd, iov->iov_base, iov->iov_len, flags));
    else
        n = RETRY(sendmsg(fd, &msg, flags));
    return n < 0 ? error_errno() : n;
}

/* The kernel holds back what follows within one sendfile by itself; there is no flag for `more`. */
static ssize_t posix_sock_send_file(
    struct env *env, int fd, int file_fd, uint64_t pos, size_t size, bool more)
{
    (void)env;
    (void)more;
    off_t at = (off_t)pos;
    ssize_t n = RETRY(sendfile(fd, file_fd, &at, size));
    return n < 0 ? error_errno() : n;
}

static int posix_sock_address(struct env *env, int fd, bool of_peer,
    struct sockaddr_storage *ret_address, socklen_t *ret_size)
{
    (void)env;
    *ret_size = sizeof(*ret_address);
    struct sockaddr *address = (struct sockaddr *)ret_address;
    return result(
        of_peer ? getpeername(fd, address, ret_size) : getsockname(fd, address, ret_size));
}

static int posix_sock_set_buffers(struct env *env, int fd, int send_size, int receive_size)
{
    (void)env;
    if (send_size >= 0 && setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send_size, sizeof(send_size)) < 0)
        return error_errno();
    if (receive_size >= 0 &&
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_size, sizeof(receive_size)) < 0)
        return error_errno();
    return 0;
}

static const struct env_ops posix_ops = {
    .monotonic_ns = posix_monotonic_ns,
    .real_ms = posix_real_ms,
    .random = posix_random,
    .file_open = posix_file_open,
    .file_close = posix_file_close,
    .file_pread = posix_file_pread,
    .file_pwritev = posix_file_pwritev,
    .file_truncate = posix_file_truncate,
    .file_sync = posix_file_sync,
    .file_stat = posix_file_stat,
    .file_lock = posix_file_lock,
    .file_forget = posix_file_forget,
    .path_stat = posix_path_stat,
    .path_unlink = posix_path_unlink,
    .path_rename = posix_path_rename,
    .dir_make = posix_dir_make,
    .dir_remove = posix_dir_remove,
    .dir_list = posix_dir_list,
    .dir_sync = posix_dir_sync,
    .disk_open = posix_disk_open,
    .disk_sync = posix_disk_sync,
    .disk_free = posix_disk_free,
    .sock_listen = posix_sock_listen,
    .sock_accept = posix_sock_accept,
    .sock_recv = posix_sock_recv,
    .sock_send = posix_sock_send,
    .sock_send_file = posix_sock_send_file,
    .sock_address = posix_sock_address,
    .sock_set_buffers = posix_sock_set_buffers,
    .sock_close = posix_file_close,
};

struct env *env_posix(void)
{
    static struct env env = {.ops = &posix_ops};
    return &env;
}
