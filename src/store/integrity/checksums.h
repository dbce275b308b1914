// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * checksums: the sidecar of a sealed segment, `<base>.checksums`: for each batch its position and a
 * checksum of the bytes that the batch's own does not cover. It is a cache as the indexes are: one
 * that is missing, damaged or of another file is made anew from the log. Blocks; pool only.
 */
#include "store/segment/segment.h"

#define CHECKSUMS_SUFFIX ".checksums"
/* A segment of more batches gets no sidecar. */
#define CHECKSUMS_BATCHES_MAX (8U << 20)

struct checksums_entry {
    uint32_t pos; /* where the batch starts */
    uint32_t crc; /* checksums_of_head */
};

struct checksums {
    uint64_t log_size;
    uint32_t count;
    struct checksums_entry entries[];
};

/* Of the position and the first bytes of a batch, including its checksum of the others. */
uint32_t checksums_of_head(uint32_t pos, const uint8_t *batch);

enum { CHECKSUMS_E_NONE = 1 }; /* missing, damaged, or not of a log of this size */
/* The whole sidecar, its own checksum verified. 0, CHECKSUMS_E_NONE or -errno. The caller frees. */
int checksums_load(struct env *env, const char *dir, int64_t base, uint64_t log_size,
    struct checksums **ret_checksums);
/* Walks the log and writes the sidecar; the log is believed. 0, CHECKSUMS_E_NONE (too many batches,
 * or no whole one where one should be) or -errno. */
int checksums_make(struct file *file, const char *dir, int64_t base, uint64_t log_size);
int checksums_unlink(struct env *env, const char *dir, int64_t base);

/* An open sidecar for looking a few batches up. */
struct checksums_file {
    struct env *env;
    int fd;
    uint32_t count;
};
/* 0, CHECKSUMS_E_NONE or -errno. */
int checksums_open(struct env *env, const char *dir, int64_t base, uint64_t log_size,
    struct checksums_file *ret_file);
void checksums_close(struct checksums_file *file);
/* The number of the entry of the batch at pos; 1 when there is none, -errno. */
int checksums_find(struct checksums_file *file, uint32_t pos, uint32_t *ret_index);
/* `count` entries from an index on; false when they cannot be read. */
bool checksums_read(
    struct checksums_file *file, uint32_t index, struct checksums_entry *entries, uint32_t count);
