// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * checksums: the sidecar of a segment, `<base>.checksums`: for each batch its position and a
 * checksum of the bytes that the batch's own does not cover. It covers the whole segment when that
 * is sealed (it is `final` then: nothing comes behind), or what the active one held at a clean
 * stop, which stays as it is, too; and it tells whose segment it is. It is made only of what is on
 * the medium.
 *
 * A log only grows, so when the sidecar of one disagrees with the log, the log is not what it was.
 * Compaction alone puts another log in the place of one: there an old sidecar and a wrong log look
 * alike, so a second file, `<base>.seal`, says which sidecar is the newest.
 *
 * A sidecar that is missing, damaged or somebody else's is made anew from the log. Blocks; pool
 * only.
 */
#include "base/uuid.h"
#include "store/segment/segment.h"

#define CHECKSUMS_SUFFIX      ".checksums"
#define CHECKSUMS_SEAL_SUFFIX ".seal"
/* A segment of more batches gets no sidecar. */
#define CHECKSUMS_BATCHES_MAX (8U << 20)

struct checksums_entry {
    uint32_t pos; /* where the batch starts */
    uint32_t crc; /* checksums_of_head */
};

struct checksums {
    uint64_t log_size; /* bytes of the log that it covers */
    uint32_t count;
    uint32_t crc; /* of all of it */
    bool final;
    struct checksums_entry entries[];
};

/* Which segment of which partition: the same for all its sidecars, wherever it lies. */
struct checksums_place {
    struct env *env;
    const char *dir;
    int64_t base;
    uint32_t owner; /* checksums_owner */
};
uint32_t checksums_owner(struct uuid topic_id, int32_t partition);

/* Of the position and the first bytes of a batch, including its checksum of the others. */
uint32_t checksums_of_head(uint32_t pos, const uint8_t *batch);

enum { CHECKSUMS_E_NONE = 1 }; /* missing, damaged, or somebody else's */
/* The whole sidecar, its own checksum verified. 0, CHECKSUMS_E_NONE or -errno. The caller frees. */
int checksums_load(const struct checksums_place *place, struct checksums **ret_checksums);
/* Whether the seal says that it is the newest one. */
bool checksums_sealed(const struct checksums_place *place, const struct checksums *checksums);
/* Walks the log from where `before` (NULL: none) ends, and writes the sidecar; the log is believed.
 * With a seal if `seal`. 0, CHECKSUMS_E_NONE (too many batches, or no whole one where one should
 * be) or -errno. */
int checksums_make(const struct checksums_place *place, struct file *file, uint64_t log_size,
    const struct checksums *before, bool final, bool seal);
/* The seal, too. */
int checksums_unlink(const struct checksums_place *place);

/* An open sidecar for looking a few batches up. */
struct checksums_file {
    struct env *env;
    int fd;
    uint32_t count;
    uint64_t log_size;
    bool final;
};
/* 0, CHECKSUMS_E_NONE or -errno. */
int checksums_open(const struct checksums_place *place, struct checksums_file *ret_file);
void checksums_close(struct checksums_file *file);
/* The number of the entry of the batch at pos; 1 when there is none, -errno. */
int checksums_find(struct checksums_file *file, uint32_t pos, uint32_t *ret_index);
/* `count` entries from an index on; false when they cannot be read. */
bool checksums_read(
    struct checksums_file *file, uint32_t index, struct checksums_entry *entries, uint32_t count);
/* Whether the log of that size holds what the sidecar knows last. 0 (also when there is no
 * sidecar), 1 or -errno. */
int checksums_fit_end(const struct checksums_place *place, struct file *log, uint64_t log_size);
