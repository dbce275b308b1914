// SPDX-License-Identifier: BSD-2-Clause
// What a fault driver and the preloaded library share: one page of a file, mapped by both. The
// driver writes what shall happen, the library counts what happened; the counts outlive the process
// that was killed. The file is named by ODRADEK_FAULTS_PAGE in the environment of the victim.
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#define PAGE_SIZE_BYTES 4096
#define PAGE_ENV        "ODRADEK_FAULTS_PAGE"

struct faults_page {
    _Atomic uint64_t calls;         // mutating file calls that were begun
    _Atomic uint64_t kill_at;       // SIGKILL at this call; 0: never
    _Atomic uint64_t syncs;         // fsync and fdatasync that were begun
    _Atomic uint64_t syncing;       // of these, still under way
    _Atomic uint32_t kill_after;    // 0: instead of the call, 1: when it is done
    _Atomic uint32_t sync_delay_ms; // each sync takes this much longer
};
