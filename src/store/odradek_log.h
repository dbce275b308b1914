// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * libodradek-log: an append-only, ordered, durable log in a directory, for use inside a program. It
 * is the broker's own log engine with one partition (docs/library.md).
 *
 * One process has a directory open at a time. A log may be used from any thread; a reader from one
 * thread at a time. Functions return 0, a positive condition named at their declaration, or -errno.
 */
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ODRADEK_API __attribute__((visibility("default")))

struct odradek_log;
struct odradek_reader;

/* data == NULL is "none", which is not the same as empty. */
struct odradek_bytes {
    const void *data;
    size_t size;
};

struct odradek_header {
    struct odradek_bytes key, value;
};

struct odradek_record {
    int64_t offset;       /* set by the reader */
    int64_t timestamp_ms; /* Unix time; 0 when appending: now */
    struct odradek_bytes key, value;
    const struct odradek_header *headers;
    size_t n_headers;
};

enum odradek_conditions {
    ODRADEK_TIMEOUT = 1,      /* nothing came in time */
    ODRADEK_OUT_OF_RANGE = 2, /* that offset is not in the log (any more) */
    ODRADEK_CORRUPT = 3,      /* the stored bytes there are damaged */
    ODRADEK_FULL = 4,         /* the disk is full or failing; nothing was appended */
};

/* Zero means the default. */
struct odradek_log_options {
    uint64_t segment_size_max; /* bytes per file; 1 GiB */
    int64_t retention_ms;      /* older files go; for ever */
    int64_t retention_size;    /* the oldest files go when there is more; no limit */
    int in_memory;             /* keep nothing on disk; `dir` is then only a name */
};

enum odradek_append_flags {
    ODRADEK_DURABLE = 1, /* return when it is on the medium, not only in the kernel's cache */
};

/* `dir` is made when missing. `options` may be NULL. -EWOULDBLOCK: another process has it open. */
ODRADEK_API int odradek_log_open(
    const char *dir, const struct odradek_log_options *options, struct odradek_log **ret_log);
/* Readers are closed first. */
ODRADEK_API void odradek_log_close(struct odradek_log *log);

/* Appends n > 0 records as one unit: after a crash all of them are there or none. *ret_offset (may
 * be NULL) is the offset of the first, the others follow it. ODRADEK_FULL. */
ODRADEK_API int odradek_log_append(struct odradek_log *log, const struct odradek_record *records,
    size_t n, unsigned flags, int64_t *ret_offset);
/* Everything appended so far is on the medium when it returns. ODRADEK_FULL. */
ODRADEK_API int odradek_log_flush(struct odradek_log *log);
/* Forgets what comes before the offset. ODRADEK_OUT_OF_RANGE. */
ODRADEK_API int odradek_log_trim(struct odradek_log *log, int64_t offset);
/* The first offset there is, and the one that the next record gets. */
ODRADEK_API int64_t odradek_log_start(struct odradek_log *log);
ODRADEK_API int64_t odradek_log_end(struct odradek_log *log);
/* The first record with that timestamp or a later one; the end when there is none. */
ODRADEK_API int odradek_log_offset_for_time(
    struct odradek_log *log, int64_t timestamp_ms, int64_t *ret_offset);

/* Readers keep a position each and know nothing of one another. */
ODRADEK_API struct odradek_reader *odradek_reader_open(struct odradek_log *log, int64_t offset);
ODRADEK_API void odradek_reader_close(struct odradek_reader *reader);
ODRADEK_API void odradek_reader_seek(struct odradek_reader *reader, int64_t offset);
/* The offset that the next call looks for. */
ODRADEK_API int64_t odradek_reader_offset(const struct odradek_reader *reader);
/* The next record; waits for it up to timeout_ms (0: not at all, -1: for ever). *ret_record is
 * valid until the next call on the reader. ODRADEK_TIMEOUT, ODRADEK_OUT_OF_RANGE, ODRADEK_CORRUPT.
 */
ODRADEK_API int odradek_reader_next(
    struct odradek_reader *reader, int timeout_ms, struct odradek_record *ret_record);

#ifdef __cplusplus
}
#endif
