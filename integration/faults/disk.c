// SPDX-License-Identifier: BSD-2-Clause
/*
 * disk: a file system with one file, `disk`, that is meant to lie under a loop device, and that
 * writes down what the block layer asks of it.
 *
 *   disk MOUNTPOINT IMAGE LOG PAGE
 *
 * Each write is applied to IMAGE and appended to LOG, each flush is appended to LOG; only then is
 * it answered. So whoever learns that something is durable finds the log long enough to prove it,
 * and any prefix of the log, with any subset of the writes behind its last flush, is what the
 * medium may hold after a power loss. PAGE (see struct disk_page) makes writes or flushes fail.
 *
 * An entry of the log: 'W' or 'F', offset (u64), size (u32), both in the machine's order, and for a
 * write the bytes. Failed ones are not in it, and not in the image.
 *
 * Failure modes: a short write to the log or the image ends the program, which the kernel turns
 * into errors of the device.
 */
#define FUSE_USE_VERSION 31
#include <errno.h>
#include <fcntl.h>
#include <fuse.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define DISK_PATH   "/disk"
#define DISK_MARKER "faults-payload"

struct disk_page {
    _Atomic uint64_t log_size;
    _Atomic uint32_t fail_marked;  /* so many writes that hold DISK_MARKER fail with EIO */
    _Atomic uint32_t fail_flushes; /* so many flushes */
    _Atomic uint32_t failed;       /* calls that did */
};

static struct {
    int image, log;
    struct disk_page *page;
} disk;

static void disk_die(const char *what)
{
    perror(what);
    exit(1);
}

static bool take_one(_Atomic uint32_t *count)
{
    if (atomic_load(count) == 0)
        return false;
    atomic_fetch_sub(count, 1);
    atomic_fetch_add(&disk.page->failed, 1);
    return true;
}

static void log_add(char kind, uint64_t offset, const void *data, uint32_t size)
{
    struct {
        char kind;
        uint64_t offset;
        uint32_t size;
    } __attribute__((packed)) head = {kind, offset, size};
    struct iovec iov[2] = {
        {.iov_base = &head, .iov_len = sizeof(head)},
        {.iov_base = (void *)(uintptr_t)data, .iov_len = size},
    };
    if (writev(disk.log, iov, size > 0 ? 2 : 1) != (ssize_t)(sizeof(head) + size))
        disk_die("log");
    atomic_fetch_add(&disk.page->log_size, sizeof(head) + size);
}

static int disk_getattr(const char *path, struct stat *stat, struct fuse_file_info *info)
{
    (void)info;
    if (strcmp(path, "/") == 0) {
        stat->st_mode = S_IFDIR | 0755;
        stat->st_nlink = 2;
        return 0;
    }
    if (strcmp(path, DISK_PATH) != 0)
        return -ENOENT;
    if (fstat(disk.image, stat) < 0)
        return -errno;
    stat->st_mode = S_IFREG | 0644;
    return 0;
}

static int disk_open(const char *path, struct fuse_file_info *info)
{
    if (strcmp(path, DISK_PATH) != 0)
        return -ENOENT;
    info->direct_io = 1; /* every write comes here at once and in order */
    return 0;
}

static int disk_read(
    const char *path, char *data, size_t size, off_t pos, struct fuse_file_info *info)
{
    (void)path, (void)info;
    ssize_t n = pread(disk.image, data, size, pos);
    return n < 0 ? -errno : (int)n;
}

static int disk_write(
    const char *path, const char *data, size_t size, off_t pos, struct fuse_file_info *info)
{
    (void)path, (void)info;
    if (atomic_load(&disk.page->fail_marked) > 0 &&
        memmem(data, size, DISK_MARKER, strlen(DISK_MARKER)) != NULL &&
        take_one(&disk.page->fail_marked))
        return -EIO;
    if (pwrite(disk.image, data, size, pos) != (ssize_t)size)
        disk_die("image");
    log_add('W', (uint64_t)pos, data, (uint32_t)size);
    return (int)size;
}

static int disk_fsync(const char *path, int data_only, struct fuse_file_info *info)
{
    (void)path, (void)data_only, (void)info;
    if (take_one(&disk.page->fail_flushes))
        return -EIO;
    log_add('F', 0, NULL, 0);
    return 0;
}

static const struct fuse_operations disk_operations = {
    .getattr = disk_getattr,
    .open = disk_open,
    .read = disk_read,
    .write = disk_write,
    .fsync = disk_fsync,
};

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: disk MOUNTPOINT IMAGE LOG PAGE\n");
        return 2;
    }
    disk.image = open(argv[2], O_RDWR | O_CLOEXEC);
    disk.log = open(argv[3], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    int page = open(argv[4], O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (disk.image < 0 || disk.log < 0 || page < 0 || ftruncate(page, 4096) < 0)
        disk_die("open");
    void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, page, 0);
    if (at == MAP_FAILED)
        disk_die("mmap");
    disk.page = at;
    char foreground[] = "-f", single[] = "-s";
    char *arguments[] = {argv[0], argv[1], foreground, single, NULL};
    return fuse_main(4, arguments, &disk_operations, NULL);
}
