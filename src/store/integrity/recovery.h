// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * recovery: from a partition's directory to segments that can be read and appended to. Runs on the
 * pool (or before any loop) and touches nothing but the directory.
 */
#include "store/segment/segment.h"
#include "store/part/snapshot.h"

struct recovery {
    /* in */
    struct env *env;
    struct files *files;
    const char *dir;
    const char *label;      /* for the log */
    uint32_t owner;         /* of sidecars (checksums.h) */
    int64_t recovery_point; /* below: damage is never a reason to cut */
    int64_t log_start;
    uint32_t index_interval_size;
    bool clean;       /* the last stop was: pages need not be read back from the medium */
    int64_t gaps_end; /* below, offsets may be missing */
    bool weak;        /* recovery point and log start may be wrong */
    /* out; the segments are the caller's */
    struct list_link segments; /* struct segment; the last one is active and has its index */
    int64_t log_end;
    int64_t durable_end;
    bool changed; /* files were cut or removed */
    struct snapshot_names snapshots;
};

/* 0 or -errno (then there are no segments). The caller initialises `segments`. */
int recovery_run(struct recovery *recovery);
