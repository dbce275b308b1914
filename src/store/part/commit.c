// SPDX-License-Identifier: BSD-2-Clause
/*
 * commit: what happens when a sync (sync.c) has failed.
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

#include "base/error.h"
#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>

/* A medium that fails again so soon after a repair is not to be trusted with another one. */
#define SYNC_FAILED_AGAIN_MS 60000

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
    part->index_saved_size = 0;
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
