// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * sim_disk: an env with files in memory of which two pictures exist: what the process sees, and
 * what is on the medium. Every change is an operation in a log; a sync makes the operations before
 * it durable: file_sync those on the bytes of one file, dir_sync those on the names of one
 * directory, disk_sync those on the bytes of all files, each for itself and no more. sim_crash.h
 * makes from the log the pictures that a power failure may leave.
 *
 * Calls fail on demand (struct sim_fault). A failed write leaves a part of its bytes; a failed sync
 * forgets which bytes were not on the medium, so that a later one does not bring them there: what
 * Linux does. Clocks are turned by the owner; the bytes of a file are read and written at once.
 * Sockets are somebody else's (sim_net).
 *
 * One thread. Not more than one inode table of SIM_INODES_MAX.
 */
#include "base/buffer.h"
#include "base/env.h"
#include "sim/sim_random.h"

#include <setjmp.h>

#define SIM_NAME_SIZE_MAX 96
#define SIM_OPEN_MAX      512

struct sim_entry {
    char name[SIM_NAME_SIZE_MAX];
    uint32_t inode;
};

struct sim_inode {
    bool is_dir;
    bool sync_error; /* the next sync of it fails: bytes of it were lost by a disk_sync */
    int64_t mtime_ms;
    struct buffer bytes;       /* of a file */
    struct sim_entry *entries; /* of a directory */
    uint32_t n_entries, capacity;
};

/* A file system as it is at one moment. Inode 0 is the root. */
struct sim_image {
    struct sim_inode **inodes; /* NULL: not in this image */
    uint32_t n_inodes, capacity;
};

void sim_image_init(struct sim_image *image);
void sim_image_deinit(struct sim_image *image);
/* Only what has a name (or `all`). */
void sim_image_copy(struct sim_image *to, const struct sim_image *from, bool all);
uint64_t sim_image_hash(const struct sim_image *image);
/* The file at the path, or NULL. */
struct sim_inode *sim_image_find(struct sim_image *image, const char *path);

enum sim_op_type {
    SIM_OP_WRITE,
    SIM_OP_TRUNCATE,
    SIM_OP_SYNC,
    SIM_OP_SYNC_FAILED,
    SIM_OP_LINK, /* also brings the inode into being */
    SIM_OP_UNLINK,
    SIM_OP_RENAME, /* within one directory */
    SIM_OP_DIR_SYNC,
    SIM_OP_DISK_SYNC,
};

struct sim_op {
    enum sim_op_type type;
    uint32_t inode, dir;
    bool is_dir;
    int64_t at_ms;      /* real time */
    uint64_t pos, size; /* of bytes; TRUNCATE: the new size */
    size_t data;        /* in `data` of the log */
    size_t name, to;    /* in `data`, NUL-terminated */
};

struct sim_log {
    struct sim_op *ops;
    size_t count, capacity;
    struct buffer data;
    size_t data_kept; /* bytes of `data` that belong to operations in the log */
};

void sim_log_deinit(struct sim_log *log);
/* On an image, as far as it makes sense there. */
void sim_op_apply(struct sim_image *image, const struct sim_log *log, const struct sim_op *op);

enum sim_call {
    SIM_CALL_OPEN,
    SIM_CALL_READ,
    SIM_CALL_WRITE,
    SIM_CALL_TRUNCATE,
    SIM_CALL_SYNC,
    SIM_CALL_STAT,
    SIM_CALL_UNLINK,
    SIM_CALL_RENAME,
    SIM_CALL_MKDIR,
    SIM_CALL_RMDIR,
    SIM_CALL_LIST,
    SIM_CALL_DIR_SYNC,
    SIM_CALL_CLOSE,
    SIM_CALL_DISK_FREE,
    SIM_CALL_DISK_OPEN,
    SIM_CALL_DISK_SYNC,
    SIM_CALLS,
};
extern const char *const sim_call_names[SIM_CALLS];

/* Fails calls: the n-th one of those that match, or all from it on. */
struct sim_fault {
    int error;        /* errno; 0: no fault */
    const void *site; /* return address; NULL: any */
    unsigned calls;   /* bits of enum sim_call; 0: any */
    uint64_t after;   /* matching calls that go well first */
    bool for_good;
    uint64_t n_matched, n_failed;
};

struct sim_site {
    const void *site;
    enum sim_call call;
    uint64_t count;
};
#define SIM_SITES_MAX 256

struct sim_disk {
    struct env env;
    struct sim_image image; /* what the process sees */
    struct sim_log log;
    bool recording;
    bool dead; /* every call fails and changes nothing: the process is about to be gone */
    struct sim_fault fault;
    uint64_t crash_after; /* changing calls until crash_jump; 0: never */
    jmp_buf *crash_jump;
    struct sim_random random; /* of the env */
    int64_t now_ns, real_ms_offset;
    uint64_t free_size; /* bytes that disk_free tells */
    struct {
        bool used;
        uint32_t inode;
    } opened[SIM_OPEN_MAX];
    unsigned n_open;
    uint64_t n_calls, n_changes;
    bool keep_sites;
    struct sim_site sites[SIM_SITES_MAX];
    unsigned n_sites;
    uint64_t trace;        /* hash of all calls */
    size_t sync_failed_at; /* length of the log when a sync failed first, or an open for one;
                              SIZE_MAX: none */
};

#define SIM_FD_BASE 1000000

void sim_disk_init(struct sim_disk *disk, uint64_t seed);
void sim_disk_deinit(struct sim_disk *disk);
/* The process is gone: nothing is open; the log begins anew; takes the image. */
void sim_disk_reboot(struct sim_disk *disk, struct sim_image *take_image);
/* The disk's entries of a table (all but sockets). */
extern const struct env_ops sim_disk_ops;
