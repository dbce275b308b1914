// SPDX-License-Identifier: BSD-2-Clause
/*
 * commit: appends become durable in groups. One sync per part is under way at a time, on the pool;
 * whatever is written meanwhile is covered by the next one. Many parts sync side by side.
 *
 * Happy path: part_sync takes the segments with bytes that are not on the medium, syncs them and,
 * where names changed, the directories; durable_end moves to what was written when it started, the
 * appends below it are done.
 *
 * A failed sync is never tried again on the same file: the kernel may have dropped the pages and
 * would report success. The part is repaired instead: the log is cut to durable_end (the file is
 * truncated there, or removed when nothing in it is durable; later files are removed), a new file
 * is begun and synced with its directory. Only when that is done do the waiting appends end with
 * ENGINE_STORAGE, and what is above starts anew (on_lost, on_acquired). If the cut cannot be made
 * durable, the part goes offline, and the appends end with ENGINE_NOT_OWNER: nobody knows. The
 * same when a sync fails again within a minute.
 */
#include "store/part/part.h"

#include "base/canary.h"
#include "base/error.h"
#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>

#define SYNC_SEGMENTS_MAX 4
/* A medium that fails again so soon after a repair is not to be trusted with another one. */
#define SYNC_FAILED_AGAIN_MS 60000

struct sync_task {
    struct part_task task;
    unsigned n_segments;
    struct segment *segments[SYNC_SEGMENTS_MAX];
    uint64_t sizes[SYNC_SEGMENTS_MAX]; /* covered by this sync */
    int64_t ends[SYNC_SEGMENTS_MAX];
    bool names;      /* directories, too */
    bool not_opened; /* a file could not be opened: nothing was asked of the medium */
};

static bool segment_dirty(const struct segment *segment)
{
    return segment->size > segment->synced_size;
}

/* --- a sync --- */

int part_sync_names(struct part *part)
{
    struct env *env = part->local->env;
    int r = env->ops->dir_sync(env, part->dir);
    if (r >= 0)
        r = env->ops->dir_sync(env, part->local->dir);
    return error_trace(r);
}

static void sync_run(struct part_task *task)
{
    struct sync_task *sync = container_of(task, struct sync_task, task);
    struct part *part = task->part;
    struct env *env = part->local->env;
    for (unsigned i = 0; i < sync->n_segments && task->result >= 0; i++) {
        struct file *file;
        task->result = segment_open(sync->segments[i], part->dir, &file);
        sync->not_opened = task->result < 0;
        if (sync->not_opened)
            break;
        task->result = env->ops->file_sync(env, file->fd);
        file_unref(file);
    }
    if (task->result >= 0 && sync->names && !canary(NO_DIR_SYNC))
        task->result = part_sync_names(part);
}

/* Everything below durable_end is done. */
static void sync_settle(struct part *part)
{
    struct engine_append *append, *next;
    list_for_each_entry_safe (append, next, &part->waiting, link) {
        if (append->end_offset > part->durable_end)
            break;
        list_remove(&append->link);
        list_append(&part->outcomes[PART_DONE_OK], &append->link);
        part_complete_soon(part);
    }
    struct engine_call *call, *after;
    list_for_each_entry_safe (call, after, &part->flushes, link) {
        if (call->timestamp > part->durable_end)
            break;
        list_remove(&call->link);
        part_answer(part, call, ENGINE_OK);
    }
}

/* Retention removed a segment before the sync came to open it: not the medium's fault. */
static bool sync_missed(const struct sync_task *sync)
{
    bool removed = false;
    for (unsigned i = 0; i < sync->n_segments; i++)
        removed = removed || !list_linked(&sync->segments[i]->link);
    return removed && sync->task.result == -ENOENT;
}

/* The process is short of descriptors or memory. The medium has not failed: the bytes are where
 * they were, and another try loses nothing. */
static bool sync_put_off(const struct sync_task *sync)
{
    int r = sync->task.result;
    return sync->not_opened && (r == -ENOMEM || r == -EMFILE || r == -ENFILE);
}

static void sync_done(struct part_task *task)
{
    struct sync_task *sync = container_of(task, struct sync_task, task);
    struct part *part = task->part;
    bool missed = sync_missed(sync);
    uint64_t durable_size = 0;
    part->syncing = false;
    for (unsigned i = 0; i < sync->n_segments; i++) {
        struct segment *segment = sync->segments[i];
        if (task->result >= 0 && sync->sizes[i] > segment->synced_size) {
            durable_size += sync->sizes[i] - segment->synced_size;
            segment->synced_size = sync->sizes[i];
            segment->synced_end = sync->ends[i];
            if (sync->ends[i] > part->durable_end)
                part->durable_end = sync->ends[i];
        }
        segment_unref(segment);
    }
    if (task->result < 0) {
        part->dir_dirty = part->dir_dirty || sync->names;
        part->sync_wanted = part->sync_wanted || missed || sync_put_off(sync);
        if (part->phase == PART_OWNED && (missed || canary(SYNC_RETRIED)))
            part_sync(part); /* what is left */
        else if (part->phase == PART_OWNED && sync_put_off(sync))
            home_sync_again(part->home);
        else if (part->phase == PART_OWNED)
            part_sync_failed(part, task->result);
    } else if (part->phase == PART_OWNED) {
        part_mark(part);
        home_note_durable(part->home, durable_size);
        sync_settle(part);
        part_sync(part);
        part_complete(part);
    }
    free(sync);
}

static bool sync_due(struct part *part)
{
    if (part->phase != PART_OWNED || part->syncing || part->acquire_pending)
        return false;
    return part->sync_wanted || !list_empty(&part->waiting) || !list_empty(&part->flushes) ||
           part->written_end - part->durable_end >= part->config.flush_messages;
}

void part_sync(struct part *part)
{
    if (!sync_due(part))
        return;
    struct sync_task *sync = xnew(struct sync_task);
    struct segment *segment;
    list_for_each_entry (segment, &part->segments, link) {
        if (!segment_dirty(segment) || sync->n_segments == SYNC_SEGMENTS_MAX)
            continue;
        sync->segments[sync->n_segments] = segment_ref(segment);
        sync->sizes[sync->n_segments] = segment->size;
        sync->ends[sync->n_segments++] = segment->end;
    }
    sync->names = part->dir_dirty;
    part->sync_wanted = false;
    part->dir_dirty = false;
    part->dirty_since_ms = 0;
    if (sync->n_segments == 0 && !sync->names) {
        free(sync);
        part->durable_end = part->written_end;
        sync_settle(part);
        return;
    }
    part->syncing = true;
    part_task_submit(part, &sync->task, true, sync_run, sync_done);
}

void part_flush(struct part *part, struct engine_call *call)
{
    enum engine_status status = part_ready(part);
    if (status != ENGINE_OK) {
        part_answer(part, call, status);
        return;
    }
    call->timestamp = part->log_end;
    list_append(&part->flushes, &call->link);
    if (list_empty(&part->pending) && !part->flush_deferred && !part->writing)
        part_sync(part);
}

/* --- a failed one --- */

struct repair_task {
    struct part_task task;
    struct segment *last;  /* the one that durable_end lies in or behind; NULL: none */
    struct segment *fresh; /* begins at durable_end */
    int64_t *doomed;       /* base offsets of files to be removed */
    unsigned n_doomed;
    uint64_t last_size;
};

static int repair_cut(struct part *part, struct repair_task *repair)
{
    struct env *env = part->local->env;
    int r = 0;
    /* The last one first, each for good: a stop in between must leave no log without its start. */
    for (unsigned i = repair->n_doomed; i > 0 && r >= 0; i--) {
        r = segment_unlink(env, part->dir, repair->doomed[i - 1]);
        if (r >= 0 && i > 1)
            r = env->ops->dir_sync(env, part->dir);
    }
    if (r < 0 || repair->last == NULL)
        return error_trace(r);
    struct file *file;
    r = segment_open(repair->last, part->dir, &file);
    if (r < 0)
        return error_trace(r);
    r = env->ops->file_truncate(env, file->fd, repair->last_size);
    if (r >= 0)
        r = env->ops->file_sync(env, file->fd);
    file_unref(file);
    return error_trace(r);
}

static void repair_run(struct part_task *task)
{
    struct repair_task *repair = container_of(task, struct repair_task, task);
    struct part *part = task->part;
    struct file *file;
    task->result = repair_cut(part, repair);
    if (task->result < 0)
        return;
    part_snapshot_cut(part, repair->fresh->base);
    _cleanup_(freep) char *path = segment_path(part->dir, repair->fresh->base, ".log");
    task->result = files_open(part->local->files, &repair->fresh->slot, path,
        ENV_OPEN_WRITE | ENV_OPEN_CREATE | ENV_OPEN_EXCLUSIVE, &file);
    if (task->result < 0)
        return;
    task->result = part->local->env->ops->file_sync(part->local->env, file->fd);
    file_unref(file);
    if (task->result >= 0)
        task->result = part_sync_names(part);
}

static void repair_finish(struct part *part, struct repair_task *repair)
{
    log_warn("partition.repaired", "partition=%s log_end=%" PRId64, part->label, part->durable_end);
    if (repair->last != NULL) {
        struct segment *last = repair->last;
        part->size -= last->size - repair->last_size;
        last->size = repair->last_size;
        last->end = last->synced_end;
        last->max_timestamp = -1; /* perhaps that of a batch that was cut */
        /* Its index is read again when needed, and rebuilt when it reaches too far. */
        home_index_forget(part->home, last);
        index_unref(steal(&last->index));
    }
    part_add_segment(part, segment_ref(repair->fresh));
    part->log_end = part->written_end = part->durable_end;
    part->committed_moved = part->start_moved = false;
    part_forget_recent(part);
    part_settle(part, &part->waiting, PART_DONE_STORAGE);
    struct engine_call *call, *next;
    list_for_each_entry_safe (call, next, &part->flushes, link) {
        list_remove(&call->link);
        part_answer(part, call, ENGINE_STORAGE);
    }
    part_complete(part);
    if (part->phase != PART_REPAIRING)
        return;
    part->sink->on_lost(part->ctx, part);
    if (part->phase != PART_REPAIRING)
        return;
    part_set_phase(part, PART_OWNED);
    part->sink->on_acquired(part->ctx, part, epochs_last(&part->epochs));
}

static void repair_done(struct part_task *task)
{
    struct repair_task *repair = container_of(task, struct repair_task, task);
    struct part *part = task->part;
    if (part->phase == PART_REPAIRING && task->result < 0) {
        part_go_offline(part, task->result, "cut after a failed sync");
        part_complete(part);
    } else if (part->phase == PART_REPAIRING) {
        repair_finish(part, repair);
    }
    segment_unref(repair->last);
    segment_unref(repair->fresh);
    free(repair->doomed);
    free(repair);
}

/* Takes what is not durable off the part and notes it for the pool. */
static void repair_collect(struct part *part, struct repair_task *repair)
{
    struct segment *segment, *next;
    repair->doomed = xnew_n(int64_t, part->n_segments);
    list_for_each_entry_safe (segment, next, &part->segments, link) {
        /* One that compaction left empty has nothing that could be undurable. */
        if (segment->base < part->durable_end && (segment->synced_size > 0 || segment->size == 0))
            continue;
        repair->doomed[repair->n_doomed++] = segment->base;
        part_drop_segment(part, segment);
    }
    struct segment *last = part_active(part);
    if (last != NULL) {
        repair->last = segment_ref(last);
        repair->last_size = last->synced_size;
        home_index_forget(part->home, last);
    }
}

void part_repair(struct part *part)
{
    assert(part->phase == PART_REPAIRING && !part->preparing && !part->writing && !part->swapping);
    struct repair_task *repair = xnew(struct repair_task);
    repair_collect(part, repair);
    repair->fresh = segment_new(part->local->files, part->durable_end);
    repair->fresh->created_ms = env_real_ms(part->local->env);
    repair->fresh->index = index_new();
    part_task_submit(part, &repair->task, false, repair_run, repair_done);
}

void part_sync_failed(struct part *part, int error)
{
    log_error("partition.sync_failed",
        "partition=%s error=\"%s\" durable_end=%" PRId64 " log_end=%" PRId64, part->label,
        log_errno(-error).str, part->durable_end, part->log_end);
    int64_t now_ms = loop_now_ms(part->home->loop), last_ms = part->sync_failed_ms;
    part->sync_failed_ms = now_ms;
    if (last_ms != 0 && now_ms - last_ms < SYNC_FAILED_AGAIN_MS) {
        part_go_offline(part, error, "the second failed sync in a row");
        part_complete(part);
        return;
    }
    part_set_phase(part, PART_REPAIRING);
    part->snapshot_known = false;
    part_settle(part, &part->pending, PART_DONE_STORAGE);
    part->pending_size = 0;
    if (!part->preparing && !part->writing &&
        !part->swapping) /* else the end of that comes back to it */
        part_repair(part);
}
