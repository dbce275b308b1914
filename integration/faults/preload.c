// SPDX-License-Identifier: BSD-2-Clause
/*
 * Loaded into a broker with LD_PRELOAD: counts the calls that change files (regular files and
 * directories, standard streams apart) and kills the process with SIGKILL instead of the k-th or
 * right after it; makes syncs slow. Counting is atomic over all threads, so each number is seen by
 * exactly one call; which call that is may differ from run to run.
 *
 * Without the page (see page.h) it does nothing. It has no failure modes of its own: a call that it
 * does not know goes to libc untouched.
 */
#include "page.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

static struct faults_page *page;

__attribute__((constructor)) static void preload_init(void)
{
    const char *path = getenv(PAGE_ENV);
    int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    void *at = mmap(NULL, PAGE_SIZE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    page = at == MAP_FAILED ? NULL : at;
    close(fd);
}

static void die(void)
{
    kill(getpid(), SIGKILL);
    for (;;)
        pause();
}

/* Counts a call. True when the process is to die once it is done. */
static bool call_begin(void)
{
    if (page == NULL)
        return false;
    uint64_t number = atomic_fetch_add(&page->calls, 1) + 1;
    if (number != atomic_load(&page->kill_at))
        return false;
    if (atomic_load(&page->kill_after) == 0)
        die();
    return true;
}

static void call_end(bool doomed)
{
    if (doomed)
        die();
}

/* The next definition of a name: libc's. A pointer to data cannot be turned into one to code
 * without the union. */
#define NEXT(name)                                      \
    __extension__({                                     \
        static union {                                  \
            void *data;                                 \
            __typeof__(&name) code;                     \
        } next_##name;                                  \
        if (next_##name.data == NULL)                   \
            next_##name.data = dlsym(RTLD_NEXT, #name); \
        next_##name.code;                               \
    })

#define COUNTED(name, ...)                                          \
    __extension__({                                                 \
        bool doomed_ = call_begin();                                \
        __typeof__(name(__VA_ARGS__)) r_ = NEXT(name)(__VA_ARGS__); \
        int error_ = errno;                                         \
        call_end(doomed_);                                          \
        errno = error_;                                             \
        r_;                                                         \
    })

EXPORT ssize_t pwritev64(int fd, const struct iovec *iov, int n_iov, off64_t pos)
{
    return COUNTED(pwritev64, fd, iov, n_iov, pos);
}

EXPORT ssize_t pwrite64(int fd, const void *data, size_t size, off64_t pos)
{
    return COUNTED(pwrite64, fd, data, size, pos);
}

EXPORT int ftruncate64(int fd, off64_t size)
{
    return COUNTED(ftruncate64, fd, size);
}

EXPORT int rename(const char *from, const char *to)
{
    return COUNTED(rename, from, to);
}

EXPORT int unlink(const char *path)
{
    return COUNTED(unlink, path);
}

EXPORT int rmdir(const char *path)
{
    return COUNTED(rmdir, path);
}

EXPORT int mkdir(const char *path, mode_t mode)
{
    return COUNTED(mkdir, path, mode);
}

/* Only what goes to a file counts; descriptors of events and the log do not. */
EXPORT ssize_t write(int fd, const void *data, size_t size)
{
    struct stat stat;
    if (page == NULL || fd <= STDERR_FILENO || fstat(fd, &stat) < 0 || !S_ISREG(stat.st_mode))
        return NEXT(write)(fd, data, size);
    return COUNTED(write, fd, data, size);
}

EXPORT int open64(const char *path, int flags, ...)
{
    mode_t mode = 0;
    if ((flags & O_CREAT) != 0) {
        va_list arguments;
        va_start(arguments, flags);
        mode = va_arg(arguments, mode_t);
        va_end(arguments);
    }
    if ((flags & (O_CREAT | O_TRUNC)) == 0)
        return NEXT(open64)(path, flags, mode);
    return COUNTED(open64, path, flags, mode);
}

static void sync_delay(void)
{
    uint32_t delay_ms = page != NULL ? atomic_load(&page->sync_delay_ms) : 0;
    if (delay_ms == 0)
        return;
    struct timespec time = {
        .tv_sec = (time_t)(delay_ms / 1000), .tv_nsec = (long)(delay_ms % 1000) * 1000000};
    nanosleep(&time, NULL);
}

static void sync_begin(void)
{
    if (page == NULL)
        return;
    atomic_fetch_add(&page->syncs, 1);
    atomic_fetch_add(&page->syncing, 1);
    sync_delay();
}

static void sync_end(void)
{
    if (page != NULL)
        atomic_fetch_sub(&page->syncing, 1);
}

EXPORT int fdatasync(int fd)
{
    sync_begin();
    int r = COUNTED(fdatasync, fd);
    sync_end();
    return r;
}

EXPORT int fsync(int fd)
{
    sync_begin();
    int r = COUNTED(fsync, fd);
    sync_end();
    return r;
}

EXPORT int syncfs(int fd)
{
    sync_begin();
    int r = COUNTED(syncfs, fd);
    sync_end();
    return r;
}
