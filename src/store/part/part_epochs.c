// SPDX-License-Identifier: BSD-2-Clause
/*
 * The leader epochs of a part: where one ended, and the beginning of the next.
 *
 * An epoch is raised on the medium first, as beginning at the log end; then batches get it. What
 * was appended in between still carries the epoch before, so when there was any, the file is
 * written again with the true beginning before the answer is given.
 */
#include "store/local.h"
#include "store/part/part.h"

#include <assert.h>

struct raise_task {
    struct part_task task;
    struct engine_call *call;
    struct epochs epochs; /* to be stored */
    bool make_dir;
};

void part_epoch_end(struct part *part, struct engine_call *call)
{
    enum engine_status status = part_ready(part);
    if (status == ENGINE_OK) {
        bool known =
            epochs_end(&part->epochs, call->epoch, part->log_end, &call->epoch, &call->offset);
        if (!known)
            call->offset = call->epoch = -1;
    }
    part_answer(part, call, status);
}

static void raise_run(struct part_task *base)
{
    struct raise_task *task = container_of(base, struct raise_task, task);
    struct part *part = base->part;
    int r = task->make_dir ? part_dir_make(part) : 0;
    if (r >= 0)
        r = epochs_store(&task->epochs, part->local->env, part->dir);
    base->result = r < 0 ? r : 0;
}

static void raise_done(struct part_task *base);

static void raise_submit(struct part *part, struct raise_task *task)
{
    task->make_dir = !part->dir_exists;
    part_task_submit(part, &task->task, false, raise_run, raise_done);
}

/* The epoch is stored: batches get it from here on. True: it began where the file says. */
static bool raise_adopt(struct part *part, const struct raise_task *task)
{
    const struct epoch_start *raised = &task->epochs.starts[task->epochs.count - 1];
    if (epochs_last(&part->epochs) >= raised->epoch)
        return true; /* this was the second time */
    epochs_add(&part->epochs, raised->epoch, part->log_end);
    return raised->offset == part->log_end;
}

static void raise_done(struct part_task *base)
{
    struct raise_task *task = container_of(base, struct raise_task, task);
    struct part *part = base->part;
    struct engine_call *call = task->call;
    enum engine_status status = part_ready(part);
    if (base->result == 0 && task->make_dir) {
        part->dir_exists = true;
        part->dir_dirty = true;
    }
    if (status == ENGINE_OK && base->result < 0)
        status = ENGINE_STORAGE;
    if (status == ENGINE_OK && !raise_adopt(part, task)) {
        epochs_deinit(&task->epochs);
        epochs_copy(&task->epochs, &part->epochs);
        raise_submit(part, task);
        return;
    }
    if (status == ENGINE_OK)
        call->epoch = epochs_last(&part->epochs);
    epochs_deinit(&task->epochs);
    free(task);
    call->done(call, status);
}

void part_raise_epoch(struct part *part, struct engine_call *call)
{
    enum engine_status status = part_ready(part);
    if (status != ENGINE_OK) {
        part_answer(part, call, status);
        return;
    }
    struct raise_task *task = xnew(struct raise_task);
    task->call = call;
    if (part->epochs.count == 0)
        epochs_add(&part->epochs, 0, part->log_start);
    epochs_copy(&task->epochs, &part->epochs);
    epochs_add(&task->epochs, epochs_last(&part->epochs) + 1, part->log_end);
    assert(task->epochs.count > 0);
    raise_submit(part, task);
}
