// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * faulty_env: another env with a clock that is set by hand and calls that fail when told. Mutating
 * calls (write, truncate, sync, open for writing, unlink, rename, directory changes) are counted,
 * so that a test can fail each of them in turn.
 */
#include "base/env.h"

struct faulty_env {
    struct env env;
    struct env *base;
    int64_t real_ms;
    /* the fault: the mutating call with this number (1 is the first; 0: none), and, when sticky,
     * all after it */
    unsigned fail_at;
    int error; /* positive errno */
    bool sticky;
    bool dead;                 /* every call fails from now on: the process is as good as gone */
    unsigned calls;            /* mutating calls so far */
    int disk_sync_error;       /* disk_sync fails with this errno; 0: works */
    int sync_error;            /* file_sync fails with this errno; 0: works */
    int write_error;           /* file_pwritev writes half and fails with this errno; 0: works */
    bool disk_full;            /* disk_free says so */
    uint64_t disk_left;        /* disk_free says this (of 20 GiB); 0: what is true */
    int read_error;            /* file_pread fails */
    unsigned open_errors_more; /* and so many after it */
    int open_error;            /* the next file_open fails with this errno, once; 0: works */
    unsigned n_syncs, n_disk_syncs, n_dir_syncs, n_writes, n_opens, n_reads;
};

void faulty_env_init(struct faulty_env *faulty, struct env *base);
