// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * part: one partition's log on its home loop. Everything in it belongs to that loop, except for the
 * fields above `config`, which do not change and may be read by the pool.
 *
 *   log_start      durable_end       written_end      log_end
 *      |  on the medium |  in the file    |  in memory    |
 *      +----------------+-----------------+---------------+
 *                        `waiting`          `pending`         appends
 *
 * An append enters `pending` with its offsets; at the end of the loop's turn all pending ones are
 * written with one pwritev (part_flush); then they are done, or `waiting` for a sync (commit.c).
 * Whatever needs the disk's patience is a part_task on the pool; tasks of one part run one after
 * the other, except for syncs, which run beside them.
 */
#include "store/part/epochs.h"
#include "store/local.h"
#include "store/segment/segment.h"
#include "store/integrity/verify.h"

enum part_phase {
    PART_OPENING,
    PART_OWNED,
    PART_REPAIRING, /* a sync failed: the log is cut to durable_end */
    PART_OFFLINE,
    PART_CLOSING,
};

/* Batches whose place in the active segment is known, so that a tail read looks nothing up. */
#define PART_RECENT_COUNT 4
struct part_recent {
    int64_t offset; /* base offset of a batch */
    uint64_t pos;
};

/* Bytes of appends that may wait to be written. */
#define PART_PENDING_SIZE_MAX (256U << 20)

/* An append of this many bytes is written on the loop that its bytes came from. Smaller ones cost
 * less to move into the home's cache than the message there and back. */
#define PART_AWAY_SIZE_MIN (128U << 10)

enum part_outcome { PART_DONE_OK, PART_DONE_STORAGE, PART_DONE_NOT_OWNER, PART_OUTCOMES };

struct part {
    struct local *local;
    struct home *home;
    struct part_id id;
    char *label;
    char *dir;      /* path */
    uint32_t owner; /* of its sidecars */
    uint32_t
        index_interval_size; /* as it was when the part was opened: for rebuilding on the pool */

    struct part_config config;
    const struct engine_sink *sink;
    void *ctx;
    struct list_link link; /* home->parts */
    enum part_phase phase;

    struct list_link segments; /* in order of offset; the last one is active */
    unsigned n_segments;
    struct segment **by_base;  /* the same, to be searched; NULL: to be made when it is needed */
    uint64_t size;             /* bytes in all segments */
    uint64_t index_saved_size; /* of the active one's, what its saved index covers */
    struct damage *damages;    /* quarantined, in order of offset */
    unsigned n_damages;
    unsigned scrub_round; /* the background check is through with it */
    int64_t log_start, log_end, written_end, durable_end;
    int64_t cleaned_end;  /* everything below was compacted once */
    int64_t gaps_end;     /* no offset is missing in segments that begin here or behind */
    bool start_weak;      /* the log start is as Kafka's file says: nothing goes because of it */
    int64_t aborted_end;  /* aborted transactions that end below are in `.txnindex` files */
    struct epochs epochs; /* the last one lasts: nothing is ever taken over by another owner */

    struct list_link pending; /* appends */
    size_t pending_size;
    struct list_link waiting; /* appends */
    struct list_link flushes; /* engine_call; `timestamp` holds the offset waited for */
    struct list_link outcomes[PART_OUTCOMES]; /* appends whose done is to be called */
    struct list_link answers;                 /* struct part_answer */
    struct loop_msg flush_msg, complete_msg;
    bool flush_deferred, complete_deferred;
    bool committed_moved, start_moved; /* the sink is to be told */
    bool acquire_pending;              /* opened without work: on_acquired is to be called */

    struct file *file; /* the active one, held from part_prepare to the write */
    /* what recovery found for the first part_snapshot_get */
    struct buffer snapshot;
    int64_t snapshot_upto; /* -1: none */
    bool snapshot_known;

    struct part_recent recent[PART_RECENT_COUNT];
    unsigned recent_next;

    unsigned n_tasks;
    bool dir_exists; /* directory and its files were made */
    bool dir_dirty;  /* names were added or removed since the last sync */
    bool retain_after_roll;
    bool preparing; /* the active segment's file is being opened or made */
    bool writing;   /* appends are being written on another loop */
    bool cutting;   /* a failed write is being cut off */
    bool syncing;
    struct list_link sync_link; /* home->syncs_due */
    bool sync_wanted;           /* although nobody waits: a segment was rolled, flush.ms passed */
    int64_t dirty_since_ms;     /* monotonic; 0: nothing written since the last sync */
    int64_t sync_failed_ms;     /* monotonic: the last time; 0: never */
    int error;                  /* why it is offline */

    struct cleaner_work *cleaning; /* a pass or a swap is under way */
    bool swapping;                 /* segments are being replaced: none may go meanwhile */
    bool clean_blocked;            /* never again in this process */
    int64_t clean_after_ms;        /* monotonic: not before */
    bool clean_more;               /* the last pass had not enough memory for all keys */

    struct engine_call *close_call;
    bool deleting;
    bool ending; /* the last task runs */
};

struct part_answer {
    struct list_link link;
    struct engine_call *call;
    enum engine_status status;
};

/* --- pool work of a part --- */
struct part_task {
    struct offload_work work;
    struct part *part;
    void (*run)(struct part_task *task);  /* pool: only unchanging fields of the part */
    void (*done)(struct part_task *task); /* home loop; frees the task */
    int result;
};
/* `beside`: not in order with the part's other tasks. */
void part_task_submit(struct part *part, struct part_task *task, bool beside,
    void (*run)(struct part_task *task), void (*done)(struct part_task *task));
/* Work of the part's that was counted in n_tasks without this is done; the part may be gone. */
void part_task_end(struct part *part);

/* --- engine_ops (local.c lists them) --- */
struct part *part_open(struct engine *engine, struct loop *loop, const struct part_id *id,
    const char *label, bool fresh, const struct part_config *config, const struct engine_sink *sink,
    void *ctx);
void part_close(struct part *part, struct engine_call *call);
void part_delete(struct part *part, struct engine_call *call);
void part_configure(struct part *part, const struct part_config *config);
void part_get_state(struct part *part, struct part_state *ret_state);
enum engine_status part_append(struct part *part, struct engine_append *append);
enum engine_status part_read(struct part *part, struct engine_read *read);
void part_offset_for_time(struct part *part, struct engine_call *call);
void part_max_timestamp(struct part *part, struct engine_call *call);
void part_raise_epoch(struct part *part, struct engine_call *call);
void part_epoch_end(struct part *part, struct engine_call *call);
void part_set_log_start(struct part *part, struct engine_call *call);
void part_flush(struct part *part, struct engine_call *call);
void part_replay(struct part *part, struct engine_replay *replay);
void part_snapshot_put(struct part *part, int64_t upto, struct slice blob);
void part_aborted_put(struct part *part, const struct engine_aborted *aborted, size_t count);
void part_snapshot_get(struct part *part, struct buffer *ret_blob, struct engine_call *call);

/* --- between the files of the store --- */
struct segment *part_active(struct part *part); /* NULL: none yet */
/* The segment that holds the offset (the last one that starts at or before it). */
struct segment *part_segment_for(struct part *part, int64_t offset);
void part_add_segment(struct part *part, struct segment *take_segment);
/* The list of segments was or will be changed by other means than add and drop. */
void part_segments_changed(struct part *part);
/* Takes it off the list and drops the list's reference. */
void part_drop_segment(struct part *part, struct segment *segment);
/* Calls what is due (sink events, done) at the end of the turn, never from within a call. */
void part_complete_soon(struct part *part);
/* The same now: only from a message of the loop. The part may be closing afterwards. */
void part_complete(struct part *part);
/* Writes what is pending; only from a message of the loop. */
void part_write_pending(struct part *part);
/* The first `count` pending appends are in the active segment's file, at its size. */
void part_on_written(struct part *part, struct segment *active, unsigned count);
/* Or they are not, or not all of them: -errno. */
void part_write_failed(struct part *part, struct segment *active, int error);
/* Every append of a list gets this outcome (at the next part_complete). */
void part_settle(struct part *part, struct list_link *appends, enum part_outcome outcome);
/* Answers a call at the end of the turn. */
void part_answer(struct part *part, struct engine_call *call, enum engine_status status);
/* Makes sure that the active segment's file is open (roll: of a new one that starts at log end). */
void part_prepare(struct part *part, bool roll);
void part_go_offline(struct part *part, int error, const char *what);
void part_set_phase(struct part *part, enum part_phase phase);
/* NOT_OWNER, STORAGE, or OK when the part can be asked. */
enum engine_status part_ready(const struct part *part);
/* Ends a closing part when nothing is under way any more; only from a message of the loop. */
void part_end_step(struct part *part);
void part_mark(struct part *part); /* tells the checkpoint */
void part_forget_recent(struct part *part);

/* away.c */
/* Writes the first `count` pending appends, from their loop, into the file that part->file holds.
 */
void part_write_away(struct part *part, struct segment *active, struct loop *loop, unsigned count);

/* sync.c */
/* Starts a sync when something wants one, or makes it due. */
void part_sync(struct part *part);
/* It is not due any more. */
void part_sync_forget(struct part *part);

/* index_save.c */
/* After a sync: the active segment's index is saved when much was added to it. */
void part_save_index(struct part *part);

/* commit.c */
/* A sync of the active segment failed: the part is to be repaired. */
void part_sync_failed(struct part *part, int error);
/* Cuts the log to durable_end after a failed sync. */
void part_repair(struct part *part);

/* quarantine.c */
/* On the pool: what is remembered is appended; a file that makes no sense counts as empty. */
int quarantine_load(
    struct env *env, const char *dir, struct damage **ret_damages, unsigned *ret_count);
/* All of the segment was looked at: this is what is damaged in it, whatever was known before. */
void part_quarantine(
    struct part *part, struct segment *segment, const struct damage *damages, unsigned count);
struct sidecar_wish;
/* scrub.c, on the pool: looks at all of a segment, with the help of its sidecar. Makes one when the
 * `wish` (its size is 0: no) is not fulfilled. The damages are the caller's to free. */
int part_verify(struct part *part, struct segment *segment, struct file *file,
    const struct sidecar_wish *wish, struct verify *verify);
struct checksums_place part_checksums(const struct part *part, int64_t base);
struct sidecar_wish {
    uint64_t size, warm; /* bytes; from `warm` on they are this process's, or were checked */
    bool gaps, seal, final;
};
struct sidecar_wish part_sidecar_wish(const struct part *part, const struct segment *segment);
/* On the pool: the sidecar of what became durable, from `size` bytes of which those behind `warm`
 * are this process's. Nothing when what comes before was never checked and is more than a little.
 */
void part_make_sidecar(struct part *part, struct segment *segment, const struct sidecar_wish *wish);
/* Whether offsets may be missing from there on: compaction was there. */
bool part_has_gaps(const struct part *part, int64_t offset);
/* Whether that may come: then sidecars are sealed. */
bool part_may_seal(const struct part *part);

/* scrub.c */
/* The segment is not the active one any more, or all of a sealed one is on the medium: it gets its
 * sidecar. */
void part_sealed(struct part *part, struct segment *segment);
/* Starts the background check of the loop's parts. */
void home_scrub_soon(struct home *home);

/* Forgets what lies below the log start. */
void part_quarantine_trim(struct part *part);
/* The damage that holds the offset, or NULL. */
const struct damage *part_damage_at(const struct part *part, int64_t offset);
/* Between which bytes of the segment a read of an undamaged offset may move. */
struct fence {
    uint64_t start, end;
    int64_t next;  /* the offset behind: of the next damage, or of the segment's end */
    bool closed;   /* a damage follows */
    bool recalled; /* something in the segment is only known from an earlier life: look first */
};
struct fence part_fence(const struct part *part, const struct segment *segment, int64_t offset);
/* Anchors that an index gave are kept only between the fences. */
void fence_anchors(const struct fence *fence, struct range_query *query);
/* Whether these bytes were checked or written by this process. */
bool segment_trusted(const struct segment *segment, uint64_t pos, uint64_t size);
void segment_trust(struct segment *segment, uint64_t pos, uint64_t size);

/* snapshot.c, on the pool: the log ends here now, snapshots that know more go. */
void part_snapshot_cut(struct part *part, int64_t log_end);

/* On the pool: the names in the part's directory, and the directory itself. */
int part_sync_names(struct part *part);

/* retention.c */
/* The clock as it is now is believed: called before anything could be deleted by it. */
void home_note_time(struct home *home);
void part_retain(struct part *part);
/* Segments wholly below log_start go. */
void part_trim(struct part *part);

/* part_life.c, on the pool */
enum {
    PART_DIR_E_MISSING = 1,
    PART_DIR_E_FOREIGN,
    PART_DIR_E_UNKNOWN,
    PART_DIR_E_MIXED_UP,
};
/* Whose directory it is. 0, PART_DIR_E_UNKNOWN (it does not say), PART_DIR_E_MIXED_UP (what says so
 * was made for another directory) or -errno. */
int part_dir_id(struct env *env, const char *dir, struct uuid *ret_id);
/* 0: the directory is there and the part's own. PART_DIR_E_* or -errno. */
int part_dir_check(struct part *part);
/* Makes directory, identity and epoch files; what lies there under another id goes. */
int part_dir_make(struct part *part);

/* index_cache.c: loaded indexes of sealed segments, bounded per loop. */
/* It was used or just loaded; the least recently used ones may go. */
void home_index_used(struct home *home, struct segment *segment);
/* Takes it out of the cache and drops it; an index that is not in the cache stays. */
void home_index_forget(struct home *home, struct segment *segment);
/* A sealed segment's index came back from the pool (NULL is fine); the cache takes a reference. */
void part_index_offer(struct part *part, struct segment *segment, struct index *index);
/* On the pool: a sealed segment's index, from its files or else from the log (`size` bytes). */
int part_index_load(struct part *part, struct segment *segment, struct file *file, uint64_t size,
    struct index **ret_index);
int part_index_rebuild(struct part *part, struct segment *segment, struct file *file, uint64_t size,
    struct index **ret_index);
