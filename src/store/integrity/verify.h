// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * verify: what in a segment is damaged, and where the undamaged batches around it are. Everything
 * here runs on the pool and changes nothing.
 *
 * A batch's checksum covers all but its first 17 bytes (base offset, length, leader epoch, magic)
 * and the checksum itself. Those are judged by what is around them (in a log without gaps offsets
 * follow each other, and a length leads to the next header), and by the segment's sidecar
 * (checksums.h), where there is one.
 */
#include "store/integrity/checksums.h"
#include "store/segment/segment.h"

/* Offsets that cannot be served, and the bytes of the segment that are to be left alone. */
struct damage {
    int64_t base; /* of the segment */
    int64_t first,
        next;          /* offsets [first, next); none: only something that does not belong there */
    uint64_t pos, end; /* bytes [pos, end); equal: the batches are missing */
    bool recalled;     /* only known from an earlier life */
};

/* Damages that are told apart in one segment; more are taken together. */
#define VERIFY_DAMAGES_MAX 4096

struct verify {
    /* in */
    struct file *file;
    int64_t base, end;                 /* offsets that the segment is to hold */
    uint64_t size;                     /* bytes that count */
    bool gaps;                         /* compacted: offsets may be missing */
    const struct checksums *checksums; /* NULL: none */
    /* out, in order; the caller frees */
    struct damage *damages;
    unsigned n_damages;
};

/* Looks at every byte. 0 or -errno. */
int verify_segment(struct verify *verify);

/* Whether the whole batches in [pos, pos + size), of which the first is to hold `offset`, are what
 * they should be. 0, 1 (not sure: look at
 * the whole segment) or -errno. */
int verify_range(struct file *file, int64_t base, int64_t end, bool gaps, int64_t offset,
    uint64_t pos, uint64_t size, struct checksums_file *checksums);
