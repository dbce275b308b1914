// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * engine: the seam between the broker and whatever keeps the log. The local engine (files on this
 * machine) is the embedded default; the delay engine wraps another one and makes everything late,
 * to prove that nothing above depends on local files or on synchronous completion; others (object
 * stores) come later.
 *
 * Laws. A part is touched only on its home loop. Every call may complete later; completions
 * (`done`) and sink events always come from the loop, never from within a call. An append is
 * two-phase: its offset at once, `done` when it has reached the level asked for. Nothing at or
 * above the high watermark is readable. Ownership may be lost at any time (on_lost): then every
 * pending call ends with ENGINE_NOT_OWNER and state above must be dropped; it is built anew by
 * replay at the next on_acquired. No path, descriptor name, fsync or wall clock above this line;
 * parts are named by topic id and partition. The label is only for people (directory names).
 */
#include "base/buffer.h"
#include "base/chunk.h"
#include "base/list.h"
#include "base/uuid.h"
#include "loop/loop.h"
#include "store/batch/batch.h"

struct engine;
struct offload;
struct part; /* the engine's own; opaque above */

struct part_id {
    struct uuid topic_id;
    int32_t partition;
};

enum engine_status {
    ENGINE_OK = 0,
    ENGINE_PENDING,      /* only as an immediate answer: `done` comes later */
    ENGINE_NOT_OWNER,    /* not (or no longer) ours */
    ENGINE_BUSY,         /* too much in flight; try again */
    ENGINE_STORAGE,      /* the medium failed or is full; nothing was promised */
    ENGINE_OUT_OF_RANGE, /* offset below the log start or above what is readable */
    ENGINE_CORRUPT,      /* the bytes at that offset are damaged */
};

/* What an engine needs to know of a topic's configuration; may change while the part is open. */
struct part_config {
    uint64_t segment_size_max; /* bytes */
    int64_t segment_ms_max;    /* age at which the active segment is rolled */
    int64_t segment_jitter_ms;
    int64_t retention_ms;             /* -1: keep for ever */
    int64_t retention_size;           /* bytes; -1: no limit */
    uint32_t index_interval_size;     /* bytes of log between index entries */
    uint32_t index_size_max;          /* bytes */
    int64_t flush_messages, flush_ms; /* INT64_MAX: left to the group commit */
    bool cleanup_delete, cleanup_compact;
    /* compaction */
    int64_t delete_retention_ms; /* how long tombstones stay once they were seen */
    int64_t min_compaction_lag_ms, max_compaction_lag_ms;
    double min_cleanable_ratio; /* share of bytes that were never compacted */
};

struct part_state {
    int64_t log_start;      /* first readable offset */
    int64_t high_watermark; /* first offset that is not readable yet */
    int64_t log_end;        /* next offset to be assigned */
    int64_t durable_end;    /* everything below is on the medium */
    int32_t leader_epoch;
    bool owned;
    uint64_t size; /* bytes in all segments */
};

/* What is above knows about a log that is to be compacted. */
struct engine_clean_producer {
    int64_t producer_id;
    int64_t last_offset; /* of its last batch of data; -1: only a marker of it is known */
    int16_t epoch;
};
struct engine_clean {
    int64_t bound; /* nothing at or above is touched (the last stable offset); INT64_MAX: no such
                      bound */
    struct buffer producers; /* struct engine_clean_producer: the live ones */
};

/* Events of one part, on its home loop. `ctx` is what part_open was given. */
struct engine_sink {
    void (*on_acquired)(
        void *ctx, struct part *part, int32_t leader_epoch); /* state is valid from here on */
    void (*on_lost)(void *ctx, struct part *part);
    void (*on_committed)(
        void *ctx, struct part *part, int64_t high_watermark); /* the high watermark moved */
    void (*on_log_start)(void *ctx, struct part *part,
        int64_t log_start); /* retention or part_set_log_start moved it */
    void (*on_failed)(void *ctx, struct part *part,
        int error); /* the part could not be opened or went offline; -errno */
    /* The log is to be compacted: fills *clean (empty, without bound); the engine frees the
     * buffers. False: not now. NULL: there are neither producers nor transactions. */
    bool (*on_clean)(void *ctx, struct part *part, struct engine_clean *clean);
};

enum engine_append_flags {
    ENGINE_APPEND_DURABLE =
        1, /* done when on the medium (acks=all); else when committed (readable) */
    ENGINE_APPEND_URGENT = 2, /* somebody's commit waits for it: do not linger */
};

/* A larger append is refused: a segment could not hold it. */
#define ENGINE_APPEND_SIZE_MAX ((size_t)1 << 30) /* bytes */

/* The caller's memory, untouched by it until `done`. */
struct engine_append {
    /* in */
    uint8_t *data; /* one or more whole, checked batches; base offset and leader epoch are patched
                      in place; valid until `done` */
    size_t size;   /* bytes */
    unsigned flags;
    struct loop *origin; /* the bytes are in its core's cache; NULL: not known. A hint */
    void (*done)(struct engine_append *append, enum engine_status status);
    /* out, when part_append answered ENGINE_PENDING */
    int64_t base_offset;
    int64_t end_offset; /* last offset + 1 */
    /* the engine's own */
    struct list_link link;
    struct engine_append *inner;
};

#define ENGINE_READ_CHUNKS_MAX 4

/* The caller's memory, untouched by it until the answer. */
struct engine_read {
    /* in */
    int64_t offset;    /* chunks start with the batch that contains it */
    int64_t bound;     /* exclusive: no batch that reaches this offset or beyond is returned (high
                          watermark or last stable offset) */
    uint32_t size_max; /* bytes; whole batches only */
    bool one_at_least; /* the first batch even if it is larger than size_max */
    void (*done)(
        struct engine_read *read, enum engine_status status); /* only after ENGINE_PENDING */
    /* out; the reader owns the chunk references */
    struct chunk chunks[ENGINE_READ_CHUNKS_MAX];
    unsigned n_chunks; /* 0: nothing readable there yet */
    uint64_t size;     /* bytes in all chunks */
    /* the engine's own */
    struct list_link link;
    struct part *part;
};

/* Generic asynchronous question about a part; embed it and use container_of. */
struct engine_call {
    void (*done)(struct engine_call *call, enum engine_status status);
    int64_t offset;        /* out or in, see the call */
    int64_t timestamp;     /* out or in */
    int32_t epoch;         /* out or in */
    struct list_link link; /* the engine's own */
    struct part *part;
};

/* A marker has some 80 bytes. */
#define ENGINE_REPLAY_CONTROL_SIZE_MAX 4096

/* Whether a walk of headers brings this batch as a whole. */
static inline bool engine_replay_whole(const struct batch_header *header)
{
    return (header->attributes & BATCH_CONTROL) != 0 &&
           batch_size(header) <= ENGINE_REPLAY_CONTROL_SIZE_MAX;
}

/* A walk over stored batches in offset order, for rebuilding state. visit and done run on the home
 * loop, in pieces. */
struct engine_replay {
    /* in */
    int64_t from;      /* first offset of interest */
    bool headers_only; /* visit gets BATCH_HEADER_SIZE bytes, but of control batches (up to
                          ENGINE_REPLAY_CONTROL_SIZE_MAX) all; else whole batches */
    /* `batch` is valid during the call. Non-zero ends the walk (done gets ENGINE_OK). */
    int (*visit)(
        struct engine_replay *replay, const struct batch_header *header, struct slice batch);
    void (*done)(struct engine_replay *replay, enum engine_status status);
    /* the engine's own */
    struct part *part;
    void *walk;
};

struct engine_aborted {
    int64_t producer_id;
    int64_t first_offset, last_offset; /* of its data; of its marker */
    int64_t stable_offset; /* the last stable offset when the marker had come, or less */
};

struct engine_ops {
    /* When all parts are closed, no loop runs and the offload pool is freed. Blocks: writes the
     * last state out. */
    void (*free)(struct engine *engine);
    /*
     * Opens a part on `loop`, its home; `fresh`: it was just created and nothing of it exists yet.
     * Answers at once with the handle; on_acquired (or on_failed) follows.
     */
    struct part *(*part_open)(struct engine *engine, struct loop *loop, const struct part_id *id,
        const char *label, bool fresh, const struct part_config *config,
        const struct engine_sink *sink, void *ctx);
    /* Ends it: pending calls end with ENGINE_NOT_OWNER, then call->done (when not NULL); the handle
     * is dead from then on. Clean state is written (snapshots, checkpoints). */
    void (*part_close)(struct part *part, struct engine_call *call);
    /* As part_close, and everything stored is removed for good. */
    void (*part_delete)(struct part *part, struct engine_call *call);
    void (*part_configure)(struct part *part, const struct part_config *config);
    void (*part_get_state)(struct part *part, struct part_state *ret_state);

    /* ENGINE_PENDING and offsets filled, then `done`; anything else: refused, no `done`. */
    enum engine_status (*part_append)(struct part *part, struct engine_append *append);
    /* ENGINE_OK with chunks, ENGINE_PENDING, or an error. */
    enum engine_status (*part_read)(struct part *part, struct engine_read *read);

    /* All of these answer by call->done. */
    /* in: timestamp. out: offset = base offset of the first batch whose max timestamp is >= it, or
     * -1. */
    void (*part_offset_for_time)(struct part *part, struct engine_call *call);
    /* out: offset = base offset of the batch with the greatest max timestamp (the first such),
     * timestamp; offset -1 when empty. */
    void (*part_max_timestamp)(struct part *part, struct engine_call *call);
    /* in: epoch. out: epoch = the largest known one <= it (-1: none), offset = where it ends (log
     * end for the current one). */
    void (*part_epoch_end)(struct part *part, struct engine_call *call);
    /* The next epoch begins at the log end: another leader speaks for the part from here on. out:
     * epoch, once it is on the medium; batches appended before that may still carry the one before.
     */
    void (*part_raise_epoch)(struct part *part, struct engine_call *call);
    /* in: offset. Moves the log start (never backwards), durably; whole segments below it may go.
     */
    void (*part_set_log_start)(struct part *part, struct engine_call *call);
    /* Everything appended so far is on the medium. */
    void (*part_flush)(struct part *part, struct engine_call *call);
    void (*part_replay)(struct part *part, struct engine_replay *replay);

    /* Advisory state that shortens replay: a blob that describes everything below `upto`. The bytes
     * are copied. get answers by done: call->offset = upto or -1. So that Kafka's tools can read
     * it, a blob begins with the array of producers that its snapshots hold. */
    void (*part_snapshot_put)(struct part *part, int64_t upto, struct slice blob);
    /* The newest snapshot at or below the log end; *ret_blob stays valid until the next call on the
     * part. */
    void (*part_snapshot_get)(struct part *part, struct buffer *ret_blob, struct engine_call *call);
    /* The aborted transactions of the log, by last offset, for readers of the files (nothing is
     * read back here). Copied. NULL: the engine has no use for it. */
    void (*part_aborted_put)(struct part *part, const struct engine_aborted *aborted, size_t count);
};

struct engine {
    const struct engine_ops *ops;
};

struct engine_local_config {
    struct env *env;
    struct offload *offload;
    struct loop **loops;
    unsigned n_loops;
    const char *dir;         /* the data directory, exists */
    unsigned files_open_max; /* descriptors kept for segments */
    uint64_t space_reserve;  /* bytes: appends are refused when less (or than a twentieth of a
                                smaller disk) is free */
    uint64_t scrub_rate;     /* bytes per second that are checked in the background; 0: none */
    int64_t retention_check_ms;
    int64_t cleaner_backoff_ms;  /* between looks for a log to compact; 0: never */
    size_t cleaner_map_size_max; /* bytes of memory for the keys, over all passes */
    unsigned cleaner_threads;    /* passes at a time, at most two; 0: one */
    uint64_t cleaner_rate;       /* bytes read and written per second, over all passes; 0: any */
    size_t cleaner_buffer_size; /* bytes read or written at a time, over all passes; 0: a default */
    uint64_t index_save_min;    /* bytes that a segment grows by, at least, until its index is saved
                                   again; 0: a default */
    unsigned sync_disk_min; /* logs of a loop that want to be synced for which the whole disk is; 0:
                               never. It is only done where the kernel is known to tell errors */
    bool sync_all;          /* ENGINE_APPEND_DURABLE means the medium (true) or the page cache
                               (odradek.acks.all=written) */
};

/* Locks the directory, reads its checkpoints. -EWOULDBLOCK: another process has it. Parts are
 * opened one by one. */
int engine_local_new(const struct engine_local_config *config, struct engine **ret_engine);
/* What is left in the data directory of the topics given is removed (they were deleted while the
 * broker died). Directories of unknown topics are left alone: their metadata may only be elsewhere.
 * Call once after start; blocks. */
int engine_local_sweep(struct engine *engine, const struct uuid *gone, size_t n_gone);

/* A partition's directory, as found at the start. */
struct engine_local_dir {
    struct slice topic; /* name */
    int32_t partition;
    bool owned; /* it says whose it is: topic_id */
    bool compacted;
    struct uuid topic_id;
};
/* Brings the directories of the topics that `wanted` wants. Before any part is opened; blocks. 0 or
 * -errno. */
int engine_local_dirs(struct engine *engine, bool (*wanted)(void *ctx, struct slice topic),
    void (*found)(void *ctx, const struct engine_local_dir *dir), void *ctx);

struct engine_delay_config {
    struct loop **loops;
    unsigned n_loops;
    uint64_t seed;
    int64_t delay_ms_max;    /* commits and completions arrive after a random time up to this */
    unsigned loss_per_10000; /* chance per append that ownership is lost for a moment */
};
/* Takes over `inner`. */
struct engine *engine_delay_new(
    const struct engine_delay_config *config, struct engine *take_inner);
