// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * cleaner_pass: one pass of compaction over a partition's sealed segments, on the pool. It reads
 * segments and writes `.log.cleaned` files; nothing that others read changes (cleaner_swap does
 * that later). Everything in it belongs to the pass while it runs, except for `cancelled`.
 */
#include "store/engine.h"
#include "store/segment/segment.h"

#include <stdatomic.h>

struct cleaner_source {      /* a sealed segment, as it was when the pass was prepared */
    struct segment *segment; /* a reference */
    int64_t base, end;
    uint64_t size;
};

struct cleaner_group {     /* neighbours that become one segment */
    unsigned first, count; /* of the sources */
    int64_t base, end;
    bool changed;  /* else there is no file: the one source stays as it is */
    uint64_t size; /* of the new log; may be 0 */
    struct index *index;
    int64_t first_timestamp; /* -1: none */
};

struct cleaner_fault {
    int64_t segment, offset; /* where; offset: the first that is not fine */
    uint64_t pos;
    const char *reason; /* a constant sentence */
};

struct cleaner_pass {
    /* in */
    struct env *env;
    const char *dir;
    uint32_t owner;      /* of sidecars (checksums.h) */
    int64_t gaps_end;    /* segments that begin below may have been compacted */
    int64_t first_dirty; /* below it the log was compacted before */
    int64_t now_ms, delete_retention_ms;
    uint64_t segment_size_max;
    uint32_t index_interval_size, index_size_max;
    size_t map_size_max;      /* bytes */
    size_t piece_size;        /* bytes read or written at a time; 0: a default */
    uint64_t rate;            /* bytes per second that all passes may read and write; 0: any */
    _Atomic int64_t *free_ns; /* shared by all: when the next bytes may move */
    struct engine_clean facts;
    struct cleaner_source *sources; /* all from the front on; at least one */
    unsigned n_sources;             /* the pass leaves out those that open transactions hold */
    atomic_bool cancelled;
    /* out */
    struct cleaner_group *groups; /* at most n_sources */
    unsigned n_groups;
    int64_t
        map_end; /* the log is compacted up to here; below the last source's end: memory ran out */
    uint64_t size_before, size_after;
    struct cleaner_fault fault;
};

enum { CLEANER_E_DAMAGED = 1, CLEANER_E_CANCELLED = 2 };
/* 0, CLEANER_E_* (no file is left behind) or -errno (so is tried). */
int cleaner_pass_run(struct cleaner_pass *pass);
/* Removes the files that a pass made. */
void cleaner_pass_discard(struct cleaner_pass *pass);
/* Frees what it holds, not the struct. */
void cleaner_pass_deinit(struct cleaner_pass *pass);
