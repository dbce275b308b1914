// SPDX-License-Identifier: BSD-2-Clause
/*
 * The index of a log that still grows goes to the medium now and then, or a start after a kill
 * would have to walk the headers of the whole active segment to find the recovery point.
 *
 * Happy path: a sync went well, and the segment has grown by half since its index was saved (by
 * local->index_save_min bytes at least, by INDEX_SAVE_SIZE_MAX at most). A copy is written in order
 * with the part's other tasks, so never over that of a sealed segment.
 *
 * Only what lies below durable_end is in it: that is never cut, so no entry ever points into what
 * was written anew. Failures are those of a cache: it is tried again when the log has grown again.
 */
#include "store/part/part.h"

#include "base/log.h"

#include <inttypes.h>

#define INDEX_SAVE_SIZE_MAX (32U << 20)

struct index_save {
    struct part_task task;
    int64_t base;
    struct index *index;
};

static void index_save_run(struct part_task *task)
{
    struct index_save *save = container_of(task, struct index_save, task);
    struct part *part = task->part;
    task->result = index_save_durable(part->local->env, part->dir, save->base, save->index);
}

static void index_save_done(struct part_task *task)
{
    struct index_save *save = container_of(task, struct index_save, task);
    if (task->result < 0)
        log_debug("index.not_saved", "partition=%s segment=%" PRId64 " error=\"%s\"",
            task->part->label, save->base, log_errno(-task->result).str);
    index_unref(save->index);
    free(save);
}

void part_save_index(struct part *part)
{
    const struct segment *active = part_active(part);
    if (active == NULL || active->index == NULL || active->synced_size < part->index_saved_size)
        return;
    uint64_t step = part->index_saved_size / 2;
    if (step > INDEX_SAVE_SIZE_MAX)
        step = INDEX_SAVE_SIZE_MAX;
    if (step < part->local->index_save_min)
        step = part->local->index_save_min;
    if (active->synced_size - part->index_saved_size < step)
        return;
    part->index_saved_size = active->synced_size;
    struct index_save *save = xnew(struct index_save);
    save->base = active->base;
    save->index = index_copy_below(active->index, active->synced_size);
    part_task_submit(part, &save->task, false, index_save_run, index_save_done);
}
