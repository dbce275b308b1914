// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * local: the engine on this machine's files, as its own files see it (engine.h is what others see).
 * `local` is shared by all loops and does not change after engine_local_new, except for what locks
 * itself (files, checkpoint). A `home` is what the engine keeps per loop, touched by it alone.
 */
#include "base/map.h"
#include "loop/loop.h"
#include "loop/offload.h"
#include "store/checkpoint.h"
#include "store/engine.h"
#include "store/segment/files.h"

#include <pthread.h>
#include <stdatomic.h>

/* Bytes of loaded indexes of sealed segments per loop. */
#define LOCAL_INDEX_CACHE_SIZE_MAX (16U << 20)
/* Bytes that a segment grows by, at least, until its index is saved again. */
#define LOCAL_INDEX_SAVE_SIZE (4U << 20)
/* Syncs of files under way at a time per loop, or with one loop: the pool has threads for others,
 * and whatever waits meanwhile shares the next sync. */
#define LOCAL_SYNCS_MAX        2
#define LOCAL_SYNCS_SINGLE_MAX 3
/* Passes of compaction at a time, whatever was asked for: the pool has threads for others. */
#define LOCAL_CLEANERS_MAX  2
#define LOCAL_CHECKPOINT_MS 60000
/* The checkpoint is written early when so much became durable since: what a start has to read
 * stays small however fast the log grows. Per loop. */
#define LOCAL_CHECKPOINT_SIZE (16U << 20)

/* How often the free space is looked at: while something is written, and while there is none. */
#define LOCAL_SPACE_MS      1000
#define LOCAL_SPACE_FULL_MS 250 /* appends go on within a second of space */

/* What time retention believes it is (retention.c). */
struct retain_clock {
    bool known;
    int64_t offset_ms;      /* real minus monotonic, as it was when it was last believed */
    int64_t doubt_since_ms; /* monotonic; 0: the clock is believed */
};

struct home {
    struct local *local;
    struct loop *loop;
    struct list_link parts;
    unsigned n_parts;
    struct timer retention_timer, checkpoint_timer; /* run while there are parts */
    uint64_t durable_size;      /* bytes that became durable since the checkpoint was asked for */
    struct timer cleaner_timer; /* runs while there are parts */
    struct timer scrub_timer;   /* runs while there are parts */
    unsigned scrub_round;       /* from 1 */
    int64_t scrub_credit;       /* bytes that may be checked now */
    bool scrubbing;             /* a segment is being checked */
    struct retain_clock retain_clock;
    struct timer space_timer;           /* runs while something is written, or the disk is full */
    bool space_wanted;                  /* something was written since it fired */
    struct timer flush_timer;           /* runs while a part has flush.ms */
    struct timer sync_timer;            /* runs while a sync has to be tried again */
    struct list_link syncs_due;         /* parts that wait for one to be started (sync.c) */
    unsigned n_syncs_due, n_syncs;      /* of files, under way */
    bool round;                         /* one of the whole disk is under way */
    int disk_fd;                        /* for that; -1: it is not to be trusted here */
    bool disk_refused;                  /* it failed once */
    int64_t file_sync_ns, disk_sync_ns; /* what they took lately; 0: not known */
    int64_t disk_again_ms;    /* monotonic: when it is tried although it was slower; 0: not set */
    struct list_link indexed; /* sealed segments with a loaded index, most recently used last */
    size_t indexed_size;      /* bytes */
};

struct local {
    struct engine engine;
    struct env *env;
    struct offload *offload;
    char *dir;
    int lock_fd;
    struct files *files;
    struct checkpoint *checkpoint;
    pthread_mutex_t names_mutex; /* whoever makes or removes a partition's directory */
    struct map dirs;             /* names found in the data directory at start */
    bool was_clean;              /* the last owner of the directory stopped cleanly */
    bool sync_all;
    unsigned syncs_max;      /* syncs of files under way per home */
    uint64_t index_save_min; /* bytes that an active segment grows by until its index is saved */
    unsigned sync_disk_min;  /* parts that are due for which the whole disk is synced; 0: never */
    uint64_t space_reserve;  /* bytes kept free for checkpoints, commits and deletions */
    uint64_t scrub_rate;     /* bytes per second; 0: none */
    int64_t retention_check_ms;
    int64_t cleaner_backoff_ms; /* 0: nothing is compacted */
    size_t cleaner_map_size_max;
    unsigned cleaner_threads;
    size_t cleaner_piece_size;       /* of one pass: read or written at a time */
    uint64_t cleaner_rate;           /* bytes per second; 0: any */
    _Atomic int64_t cleaner_free_ns; /* monotonic: when the rate allows the next bytes */
    atomic_uint cleaners;            /* passes that run */
    atomic_bool full;                /* the disk nearly is */
    /* Bytes that may be written until it is, as far as is known: looked up now and then, and what
     * is written in between taken off. */
    _Atomic int64_t space_left;
    /* Bytes that were written and not synced, as far as is known: some go each second, for the
     * kernel writes them sooner or later. */
    _Atomic int64_t unsynced_size;
    atomic_ulong damages_total; /* batches that were quarantined by this process */
    atomic_bool close_failed;   /* no clean stop any more */
    unsigned n_homes;
    struct home homes[];
};

struct part;
struct home *local_home(struct local *local, struct loop *loop);
void home_add(struct home *home, struct part *part);
void home_remove(struct home *home, struct part *part);
/* A part of this home could not be synced for want of descriptors or memory: again in a moment. */
void home_sync_again(struct home *home);
/* The part's flush.ms may need a timer. */
void home_schedule(struct home *home, struct part *part);
/* Something was written: the free space is looked at now and then. */
void home_watch_space(struct home *home);
/* So many bytes were. */
void home_note_written(struct home *home, uint64_t size);
/* So many bytes more are on the medium. */
void home_note_durable(struct home *home, uint64_t size);
/* Sets a directory aside, under a name that is no partition's, whose topic is not known to be gone.
 * Missing is fine. Blocks. */
int local_stray_dir(struct local *local, const char *path);
/* Renames a directory, so that nobody takes it for a partition any more. Missing is fine: then
 * *ret_doomed (the caller frees) is NULL. Blocks. */
int local_doom_dir(struct local *local, const char *path, char **ret_doomed);
/* Makes that durable and removes it with the files in it; NULL is fine. Blocks. */
int local_remove_doomed(struct local *local, const char *doomed);
/* Both. */
int local_remove_dir(struct local *local, const char *path);
