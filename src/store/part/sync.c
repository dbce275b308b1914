// SPDX-License-Identifier: BSD-2-Clause
/*
 * sync: appends become durable in groups. One sync per part is under way at a time; whatever is
 * written meanwhile is covered by the next one.
 *
 * Happy path: a part that wants a sync is `due`. While fewer than local->syncs_max syncs of its
 * home are on the pool it is taken at once: a lone producer never waits for company. Else it
 * stays due, and what its sync covers is settled only when that starts. A sync takes the segments
 * with bytes that are not on the medium, syncs them and, where names changed, the directories;
 * durable_end moves to what was written when it started, the appends below it are done.
 *
 * Rounds: when a sync comes back and finds local->sync_disk_min parts due or more, all of them
 * are made durable by one sync of the whole disk (file system). That costs one commit of its
 * journal and one flush of its cache instead of one for each file, but also writes whatever others
 * have left there, so it is chosen only while it measures better and little is known to lie there
 * (home_disk_pays). During a round all of the home gathers for the next.
 *
 * Failures of a file's sync are those of its part (commit.c). A round that fails says of none of
 * its files whether it failed there: an error of the device is kept per file and for the whole
 * disk, but one of the file system's journal only for who waits for that commit, so that asking
 * the files one by one afterwards may be answered with a success that is none. All parts of the
 * round are therefore repaired, and this process syncs files one by one from then on, for the
 * error may have been another program's, and come again. Each home has a descriptor of its own
 * for the disk, opened before anything was written: an error is reported once per descriptor. The
 * last part of a round has its files synced by themselves as well: a file system that was shut
 * down refuses that in any case, while some versions let the other pass.
 */
#include "store/part/part.h"

#include "base/canary.h"
#include "base/error.h"
#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>

#define SYNC_SEGMENTS_MAX  4
#define SYNC_DISK_SIZE_MAX (64 << 20) /* bytes that others have written and nobody synced */
#define SYNC_DISK_PATIENCE 32

struct sync_task {
    struct part_task task;
    int64_t took_ns;
    unsigned n_segments;
    struct segment *segments[SYNC_SEGMENTS_MAX];
    uint64_t sizes[SYNC_SEGMENTS_MAX]; /* covered by this sync */
    int64_t ends[SYNC_SEGMENTS_MAX];
    bool names;      /* directories, too */
    bool not_opened; /* a file could not be opened: nothing was asked of the medium */
};

struct sync_round {
    struct offload_work work;
    struct home *home;
    int64_t took_ns;
    int result; /* of the whole disk's sync */
    unsigned n_syncs;
    struct sync_task *syncs[];
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

static void sync_files(struct sync_task *sync)
{
    struct part_task *task = &sync->task;
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
}

static void sync_run(struct part_task *task)
{
    struct sync_task *sync = container_of(task, struct sync_task, task);
    struct env *env = task->part->local->env;
    int64_t begin_ns = env->ops->monotonic_ns(env);
    sync_files(sync);
    sync->took_ns = env->ops->monotonic_ns(env) - begin_ns;
    if (task->result >= 0 && sync->names && !canary(NO_DIR_SYNC))
        task->result = part_sync_names(task->part);
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

/* What the sync covers is durable, if it went well. */
static uint64_t sync_note(struct sync_task *sync)
{
    struct part *part = sync->task.part;
    uint64_t durable_size = 0;
    for (unsigned i = 0; i < sync->n_segments; i++) {
        struct segment *segment = sync->segments[i];
        if (sync->task.result >= 0 && sync->sizes[i] > segment->synced_size) {
            durable_size += sync->sizes[i] - segment->synced_size;
            segment->synced_size = sync->sizes[i];
            segment->synced_end = sync->ends[i];
            if (sync->ends[i] > part->durable_end)
                part->durable_end = sync->ends[i];
            if (part->phase == PART_OWNED && segment != part_active(part) &&
                list_linked(&segment->link))
                part_sealed(part, segment);
        }
    }
    return durable_size;
}

static void sync_failed(struct sync_task *sync)
{
    struct part *part = sync->task.part;
    bool missed = sync_missed(sync);
    part->dir_dirty = part->dir_dirty || sync->names;
    part->sync_wanted = part->sync_wanted || missed || sync_put_off(sync);
    if (part->phase != PART_OWNED)
        return;
    if (missed || canary(SYNC_RETRIED))
        part_sync(part); /* what is left */
    else if (sync_put_off(sync))
        home_sync_again(part->home);
    else
        part_sync_failed(part, sync->task.result);
}

/* The part goes on, its next sync is due; it has yet to be completed. */
static void sync_end(struct sync_task *sync)
{
    struct part *part = sync->task.part;
    part->syncing = false;
    uint64_t durable_size = sync_note(sync);
    if (sync->task.result < 0) {
        sync_failed(sync);
    } else if (part->phase == PART_OWNED) {
        part_mark(part);
        home_note_durable(part->home, durable_size);
        sync_settle(part);
        part_sync(part);
        part_save_index(part);
    }
}

static void sync_free(struct sync_task *sync)
{
    for (unsigned i = 0; i < sync->n_segments; i++)
        segment_unref(sync->segments[i]);
    free(sync);
}

static void home_sync_next(struct home *home);

static int64_t average_ns(int64_t average, int64_t value)
{
    return average == 0 ? value : average + (value - average) / 8;
}

static void sync_done(struct part_task *task)
{
    struct sync_task *sync = container_of(task, struct sync_task, task);
    struct part *part = task->part;
    struct home *home = part->home;
    assert(home->n_syncs > 0);
    home->file_sync_ns = average_ns(home->file_sync_ns, sync->took_ns);
    sync_end(sync);
    home->n_syncs--;
    home_sync_next(home);
    if (part->phase == PART_OWNED)
        part_complete(part);
    sync_free(sync);
}

/* What is to be durable is settled now. */
static struct sync_task *sync_begin(struct part *part)
{
    struct sync_task *sync = xnew(struct sync_task);
    struct segment *segment;
    sync->task.part = part;
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
    part->syncing = true;
    return sync;
}

static bool sync_due(struct part *part)
{
    if (part->phase != PART_OWNED || part->syncing || part->acquire_pending)
        return false;
    return part->sync_wanted || !list_empty(&part->waiting) || !list_empty(&part->flushes) ||
           part->written_end - part->durable_end >= part->config.flush_messages;
}

/* --- who is next --- */

/* The part that has been due longest, or NULL. */
static struct part *home_take_due(struct home *home)
{
    struct list_link *first;
    while ((first = list_first(&home->syncs_due)) != NULL) {
        struct part *part = list_entry(first, struct part, sync_link);
        part_sync_forget(part);
        if (sync_due(part))
            return part;
    }
    return NULL;
}

static void home_sync_files(struct home *home)
{
    struct part *part;
    while (!home->round && home->n_syncs < home->local->syncs_max &&
           (part = home_take_due(home)) != NULL) {
        home->n_syncs++;
        part_task_submit(part, &sync_begin(part)->task, true, sync_run, sync_done);
    }
}

static void round_names(struct sync_round *round)
{
    struct env *env = round->home->local->env;
    int r = 0;
    bool any = false;
    for (unsigned i = 0; i < round->n_syncs; i++) {
        struct sync_task *sync = round->syncs[i];
        if (!sync->names || sync->task.result < 0 || canary(NO_DIR_SYNC))
            continue;
        sync->task.result = env->ops->dir_sync(env, sync->task.part->dir);
        any = true;
    }
    if (any)
        r = env->ops->dir_sync(env, round->home->local->dir);
    for (unsigned i = 0; r < 0 && i < round->n_syncs; i++) {
        struct sync_task *sync = round->syncs[i];
        if (sync->names && sync->task.result >= 0)
            sync->task.result = r;
    }
}

/* The files of one part, too: the last one of which there still are any. */
static void round_witness(struct sync_round *round)
{
    struct sync_task *witness = NULL;
    for (unsigned i = round->n_syncs; i > 0 && witness == NULL; i--) {
        struct sync_task *sync = round->syncs[i - 1];
        sync_files(sync);
        if (!sync->not_opened || sync->task.result != -ENOENT)
            witness = sync;
    }
    for (unsigned i = 0; witness != NULL && witness->task.result < 0 && i < round->n_syncs; i++) {
        struct sync_task *sync = round->syncs[i];
        if (sync->task.result < 0)
            continue;
        sync->task.result = witness->task.result;
        sync->not_opened = witness->not_opened;
    }
}

static void round_run(struct offload_work *work)
{
    struct sync_round *round = container_of(work, struct sync_round, work);
    struct home *home = round->home;
    struct env *env = home->local->env;
    int64_t begin_ns = env->ops->monotonic_ns(env);
    round->result = env->ops->disk_sync(env, home->disk_fd);
    for (unsigned i = 0; round->result < 0 && i < round->n_syncs; i++) {
        /* What the file has to say of it must not be what the repair gets to hear. */
        sync_files(round->syncs[i]);
        round->syncs[i]->not_opened = false;
        round->syncs[i]->task.result = round->result;
    }
    if (round->result >= 0)
        round_witness(round);
    round->took_ns = env->ops->monotonic_ns(env) - begin_ns;
    round_names(round);
}

static void round_done(struct offload_work *work)
{
    struct sync_round *round = container_of(work, struct sync_round, work);
    struct home *home = round->home;
    home->disk_sync_ns = round->took_ns;
    if (round->result >= 0)
        atomic_store(&home->local->unsynced_size, 0);
    if (round->result < 0) {
        log_error("storage.sync_failed", "dir=%s partitions=%u error=\"%s\"", home->local->dir,
            round->n_syncs, log_errno(-round->result).str);
        home->disk_refused = true;
    }
    for (unsigned i = 0; i < round->n_syncs; i++)
        sync_end(round->syncs[i]);
    home->round = false;
    home_sync_next(home);
    for (unsigned i = 0; i < round->n_syncs; i++) {
        struct part *part = round->syncs[i]->task.part;
        if (part->phase == PART_OWNED)
            part_complete(part);
        sync_free(round->syncs[i]);
        part_task_end(part);
    }
    free(round);
}

static void home_start_round(struct home *home)
{
    struct sync_round *round =
        xcalloc(1, sizeof(*round) + home->n_syncs_due * sizeof(round->syncs[0]));
    struct part *part;
    round->home = home;
    while ((part = home_take_due(home)) != NULL) {
        part->n_tasks++;
        round->syncs[round->n_syncs++] = sync_begin(part);
    }
    if (round->n_syncs == 0) {
        free(round);
        return;
    }
    home->round = true;
    offload_submit(home->local->offload, &round->work, home->loop, NULL, round_run, round_done);
}

/* Whether one sync of the disk is the quicker way. It is not tried while much lies in the page
 * cache that nobody waits for; once it was slower than the files were, for so long that another try
 * would cost little beside what was done meanwhile. */
static bool home_disk_pays(struct home *home)
{
    struct local *local = home->local;
    if (local->sync_disk_min == 0 || home->n_syncs_due < local->sync_disk_min ||
        home->disk_fd < 0 || home->disk_refused ||
        atomic_load(&local->unsynced_size) > SYNC_DISK_SIZE_MAX)
        return false;
    if (home->disk_sync_ns <= home->file_sync_ns * home->n_syncs_due / local->syncs_max)
        return true;
    int64_t now_ms = loop_now_ms(home->loop);
    if (home->disk_again_ms == 0) {
        home->disk_again_ms = now_ms + home->disk_sync_ns / 1000000 * SYNC_DISK_PATIENCE + 1;
        return false;
    }
    if (now_ms < home->disk_again_ms)
        return false;
    home->disk_sync_ns = home->disk_again_ms = 0;
    return true;
}

static void home_sync_next(struct home *home)
{
    if (!home->round && home_disk_pays(home))
        home_start_round(home);
    home_sync_files(home);
}

static bool part_dirty(struct part *part)
{
    struct segment *segment;
    list_for_each_entry (segment, &part->segments, link) {
        if (segment_dirty(segment))
            return true;
    }
    return part->dir_dirty;
}

void part_sync(struct part *part)
{
    struct home *home = part->home;
    if (!sync_due(part) || list_linked(&part->sync_link))
        return;
    if (!part_dirty(part)) {
        part->sync_wanted = false;
        part->dirty_since_ms = 0;
        part->durable_end = part->written_end;
        sync_settle(part);
        return;
    }
    list_append(&home->syncs_due, &part->sync_link);
    home->n_syncs_due++;
    home_sync_files(home);
}

void part_sync_forget(struct part *part)
{
    if (!list_linked(&part->sync_link))
        return;
    assert(part->home->n_syncs_due > 0);
    part->home->n_syncs_due--;
    list_remove(&part->sync_link);
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
