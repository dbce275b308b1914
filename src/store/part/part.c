// SPDX-License-Identifier: BSD-2-Clause
/*
 * The append path and what is due at the end of a turn.
 *
 * Happy path: part_append patches the batches and queues them; at the end of the turn
 * part_write_pending writes all that came with one pwritev into the active segment, the high
 * watermark moves, appends that asked for no more are done, the others wait for part_sync. Large
 * appends are written on the loop that their bytes came from (away.c).
 *
 * Failures. No open file (first append, roll, descriptor given up): part_prepare gets it on the
 * pool while appends queue up. It fails: what is pending ends with ENGINE_STORAGE, the next append
 * tries again. A write fails: what is pending ends with ENGINE_STORAGE, the file is cut back to its
 * last whole batch; only when that fails, too, the part goes offline. So a full disk refuses
 * appends and nothing else, and the part goes on by itself when there is room.
 */
#include "store/part/part.h"

#include "base/canary.h"
#include "base/error.h"
#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>

#define PART_WRITE_COUNT_MAX 64 /* appends per pwritev */

/* --- phases --- */

void part_set_phase(struct part *part, enum part_phase phase)
{
    static const unsigned legal[] = {
        [PART_OPENING] = 1U << PART_OWNED | 1U << PART_OFFLINE | 1U << PART_CLOSING,
        [PART_OWNED] = 1U << PART_REPAIRING | 1U << PART_OFFLINE | 1U << PART_CLOSING,
        [PART_REPAIRING] = 1U << PART_OWNED | 1U << PART_OFFLINE | 1U << PART_CLOSING,
        [PART_OFFLINE] = 1U << PART_CLOSING,
        [PART_CLOSING] = 0,
    };
    assert((legal[part->phase] & 1U << phase) != 0);
    part->phase = phase;
}

enum engine_status part_ready(const struct part *part)
{
    loop_assert_owner(part->home->loop);
    if (part->phase == PART_OFFLINE)
        return ENGINE_STORAGE;
    return part->phase == PART_OWNED && !part->acquire_pending ? ENGINE_OK : ENGINE_NOT_OWNER;
}

void part_go_offline(struct part *part, int error, const char *what)
{
    assert(error < 0);
    log_error("partition.offline", "partition=%s during=%s error=\"%s\"", part->label, what,
        log_errno(-error).str);
    if (part->phase == PART_CLOSING)
        return;
    part->error = error;
    part_set_phase(part, PART_OFFLINE);
    /* What of these lies on the medium is not known: neither "done" nor "not done" would be true.
     */
    part_settle(part, &part->waiting, PART_DONE_NOT_OWNER);
    part_settle(part, &part->pending, PART_DONE_STORAGE);
    part->pending_size = 0;
    struct engine_call *call, *next;
    list_for_each_entry_safe (call, next, &part->flushes, link) {
        list_remove(&call->link);
        part_answer(part, call, ENGINE_NOT_OWNER);
    }
    part->sink->on_failed(part->ctx, part, error);
}

/* --- tasks --- */

static void part_task_on_run(struct offload_work *work)
{
    struct part_task *task = container_of(work, struct part_task, work);
    task->run(task);
}

static void part_task_on_done(struct offload_work *work)
{
    struct part_task *task = container_of(work, struct part_task, work);
    struct part *part = task->part;
    task->done(task);
    part_task_end(part);
}

void part_task_end(struct part *part)
{
    assert(part->n_tasks > 0);
    part->n_tasks--;
    part_end_step(part);
}

void part_task_submit(struct part *part, struct part_task *task, bool beside,
    void (*run)(struct part_task *task), void (*done)(struct part_task *task))
{
    task->part = part;
    task->run = run;
    task->done = done;
    part->n_tasks++;
    offload_submit(part->local->offload, &task->work, part->home->loop, beside ? NULL : part,
        part_task_on_run, part_task_on_done);
}

/* --- segments --- */

struct segment *part_active(struct part *part)
{
    return list_empty(&part->segments) ? NULL
                                       : list_entry(part->segments.prev, struct segment, link);
}

void part_segments_changed(struct part *part)
{
    free(steal(&part->by_base));
}

static void part_index_segments(struct part *part)
{
    struct segment *segment;
    unsigned count = 0;
    part->by_base = xnew_n(struct segment *, part->n_segments);
    list_for_each_entry (segment, &part->segments, link)
        part->by_base[count++] = segment;
    assert(count == part->n_segments);
}

struct segment *part_segment_for(struct part *part, int64_t offset)
{
    struct segment *active = part_active(part);
    if (active == NULL || active->base <= offset)
        return active;
    if (part->by_base == NULL)
        part_index_segments(part);
    unsigned low = 0, high = part->n_segments;
    while (low < high) {
        unsigned middle = low + (high - low) / 2;
        if (part->by_base[middle]->base <= offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low == 0 ? NULL : part->by_base[low - 1];
}

void part_add_segment(struct part *part, struct segment *take_segment)
{
    struct segment *active = part_active(part);
    assert(active == NULL || active->end <= take_segment->base);
    list_append(&part->segments, &take_segment->link);
    part_segments_changed(part);
    part->n_segments++;
    part->size += take_segment->size;
}

void part_drop_segment(struct part *part, struct segment *segment)
{
    assert(part->n_segments > 0 && part->size >= segment->size);
    home_index_forget(part->home, segment);
    list_remove(&segment->link);
    part_segments_changed(part);
    part->n_segments--;
    part->size -= segment->size;
    files_close(part->local->files, &segment->slot);
    segment_unref(segment);
}

void part_forget_recent(struct part *part)
{
    for (unsigned i = 0; i < PART_RECENT_COUNT; i++)
        part->recent[i] = (struct part_recent){-1, 0};
}

void part_mark(struct part *part)
{
    struct checkpoint_mark mark = {
        part->durable_end, part->log_start, part->cleaned_end, part->gaps_end, part->start_weak};
    checkpoint_set(part->local->checkpoint, part->label, &mark);
}

/* --- completions --- */

void part_settle(struct part *part, struct list_link *appends, enum part_outcome outcome)
{
    if (list_empty(appends))
        return;
    list_splice(&part->outcomes[outcome], appends);
    part_complete_soon(part);
}

void part_answer(struct part *part, struct engine_call *call, enum engine_status status)
{
    struct part_answer *answer = xnew(struct part_answer);
    answer->call = call;
    answer->status = status;
    list_append(&part->answers, &answer->link);
    part_complete_soon(part);
}

static void part_on_complete(struct loop_msg *msg)
{
    struct part *part = container_of(msg, struct part, complete_msg);
    part->complete_deferred = false;
    part_complete(part);
    part_end_step(part);
}

void part_complete_soon(struct part *part)
{
    assert(!part->ending);
    if (part->complete_deferred)
        return;
    part->complete_deferred = true;
    loop_defer(part->home->loop, &part->complete_msg, part_on_complete);
}

static void part_complete_events(struct part *part)
{
    if (part->acquire_pending && part->phase == PART_OWNED) {
        part->acquire_pending = false;
        part->sink->on_acquired(part->ctx, part, epochs_last(&part->epochs));
    }
    if (part->start_moved && part->phase == PART_OWNED) {
        part->start_moved = false;
        part->sink->on_log_start(part->ctx, part, part->log_start);
    }
    if (part->committed_moved && part->phase == PART_OWNED) {
        part->committed_moved = false;
        part->sink->on_committed(part->ctx, part, part->written_end);
    }
}

static void part_complete_appends(struct part *part)
{
    static const enum engine_status statuses[PART_OUTCOMES] = {
        [PART_DONE_OK] = ENGINE_OK,
        [PART_DONE_STORAGE] = ENGINE_STORAGE,
        [PART_DONE_NOT_OWNER] = ENGINE_NOT_OWNER,
    };
    for (unsigned i = 0; i < PART_OUTCOMES; i++) {
        struct list_link *link;
        while ((link = list_first(&part->outcomes[i])) != NULL) {
            list_remove(link);
            struct engine_append *append = list_entry(link, struct engine_append, link);
            append->done(append, statuses[i]);
        }
    }
}

void part_complete(struct part *part)
{
    struct list_link *link;
    part_complete_events(part);
    part_complete_appends(part);
    while ((link = list_first(&part->answers)) != NULL) {
        struct part_answer *answer = list_entry(link, struct part_answer, link);
        list_remove(link);
        answer->call->done(answer->call, answer->status);
        free(answer);
    }
}

/* --- append --- */

/* Base offsets and leader epoch; returns the offset behind the last batch. */
static int64_t part_patch(
    const struct part *part, const struct engine_append *append, int64_t offset)
{
    int32_t epoch = epochs_last(&part->epochs);
    for (size_t at = 0; at < append->size;) {
        uint8_t *batch = append->data + at;
        assert(append->size - at >= BATCH_HEADER_SIZE);
        batch_patch(batch, offset, epoch);
        struct batch_header header = batch_header_parse(batch);
        assert(batch_header_sane(&header) && batch_size(&header) <= append->size - at);
        offset = batch_last_offset(&header) + 1;
        at += batch_size(&header);
    }
    return offset;
}

static void part_on_flush(struct loop_msg *msg)
{
    struct part *part = container_of(msg, struct part, flush_msg);
    part->flush_deferred = false;
    part_write_pending(part);
    part_end_step(part);
}

enum engine_status part_append(struct part *part, struct engine_append *append)
{
    enum engine_status status = part_ready(part);
    if (status != ENGINE_OK)
        return status;
    /* Compacted topics hold commits and the like: they may use what is kept in reserve. */
    bool full = atomic_load_explicit(&part->local->full, memory_order_relaxed);
    if (full)
        home_watch_space(part->home);
    if (part->cutting || (full && !part->config.cleanup_compact))
        return ENGINE_STORAGE;
    assert(append->size > 0 && append->done != NULL);
    if (append->size > ENGINE_APPEND_SIZE_MAX)
        return ENGINE_STORAGE;
    if (part->pending_size + append->size > PART_PENDING_SIZE_MAX && !list_empty(&part->pending))
        return ENGINE_BUSY;
    append->base_offset = part->log_end;
    append->end_offset = part->log_end = part_patch(part, append, part->log_end);
    list_append(&part->pending, &append->link);
    part->pending_size += append->size;
    if (!part->flush_deferred && !part->preparing && !part->writing) {
        part->flush_deferred = true;
        loop_defer(part->home->loop, &part->flush_msg, part_on_flush);
    }
    return ENGINE_PENDING;
}

/* Whether the append belongs into a new segment, with `extra` bytes about to be written before it.
 */
static bool part_must_roll(
    struct part *part, struct segment *active, const struct engine_append *append, uint64_t extra)
{
    const struct part_config *config = &part->config;
    uint64_t size = active->size + extra;
    uint64_t size_max =
        config->segment_size_max < SEGMENT_SIZE_MAX ? config->segment_size_max : SEGMENT_SIZE_MAX;
    if (size == 0)
        return false;
    if (append->size > size_max || size > size_max - append->size)
        return true;
    if (append->end_offset - 1 - active->base > INT32_MAX ||
        index_full(active->index, config->index_size_max))
        return true;
    struct batch_header header = batch_header_parse(append->data);
    int64_t age_ms = active->first_timestamp >= 0 && header.max_timestamp >= 0
                         ? header.max_timestamp - active->first_timestamp
                         : env_real_ms(part->local->env) - active->created_ms;
    int64_t ms_max = config->segment_ms_max;
    if (config->cleanup_compact && config->max_compaction_lag_ms > 0 &&
        config->max_compaction_lag_ms < ms_max)
        ms_max = config->max_compaction_lag_ms;
    return age_ms > ms_max - active->roll_jitter_ms;
}

/* The batches of one append are in the file at active->size. */
static void part_note_written(
    struct part *part, struct segment *active, const struct engine_append *append)
{
    for (size_t at = 0; at < append->size;) {
        struct batch_header header = batch_header_parse(append->data + at);
        index_note(
            active->index, active->base, &header, active->size, part->config.index_interval_size);
        if (active->size == 0)
            active->first_timestamp = header.max_timestamp;
        if (header.max_timestamp > active->max_timestamp)
            active->max_timestamp = header.max_timestamp;
        active->size += batch_size(&header);
        at += batch_size(&header);
    }
    active->end = append->end_offset;
    part->size += append->size;
}

void part_on_written(struct part *part, struct segment *active, unsigned count)
{
    struct engine_append *first =
        list_entry(list_first(&part->pending), struct engine_append, link);
    part->recent[part->recent_next] = (struct part_recent){first->base_offset, active->size};
    part->recent_next = (part->recent_next + 1) % PART_RECENT_COUNT;
    uint64_t size = 0;
    for (unsigned i = 0; i < count; i++) {
        struct engine_append *append =
            list_entry(list_first(&part->pending), struct engine_append, link);
        list_remove(&append->link);
        part->pending_size -= append->size;
        size += append->size;
        part_note_written(part, active, append);
        bool durable = (append->flags & ENGINE_APPEND_DURABLE) != 0 && part->local->sync_all &&
                       !canary(ACK_BEFORE_SYNC);
        list_append(durable ? &part->waiting : &part->outcomes[PART_DONE_OK], &append->link);
    }
    part->written_end = active->end;
    part->committed_moved = true;
    home_note_written(part->home, size);
    if (part->dirty_since_ms == 0)
        part->dirty_since_ms = loop_now_ms(part->home->loop);
}

/* Where the append is best written. */
static struct loop *part_writer(const struct part *part, const struct engine_append *append)
{
    bool away = append->origin != NULL && append->size >= PART_AWAY_SIZE_MIN;
    return away ? append->origin : part->home->loop;
}

/* One pwritev of what fits into the active segment, here or on another loop. */
static int part_write_some(struct part *part, struct segment *active)
{
    struct iovec iov[PART_WRITE_COUNT_MAX];
    unsigned count = 0;
    uint64_t size = 0;
    struct engine_append *append =
        list_entry(list_first(&part->pending), struct engine_append, link);
    struct loop *writer = part_writer(part, append);
    list_for_each_entry (append, &part->pending, link) {
        if (count == PART_WRITE_COUNT_MAX || part_writer(part, append) != writer ||
            part_must_roll(part, active, append, size))
            break;
        iov[count++] = (struct iovec){append->data, append->size};
        size += append->size;
    }
    assert(count > 0);
    if (writer != part->home->loop) {
        part_write_away(part, active, writer, count);
        return 0;
    }
    struct env *env = part->local->env;
    int r = env->ops->file_pwritev(env, part->file->fd, iov, (int)count, active->size);
    if (r < 0)
        return error_trace(r);
    part_on_written(part, active, count);
    return 0;
}

/* Nothing of what is pending was promised; the appends themselves are the caller's to end. */
static void part_forget_pending(struct part *part)
{
    part->pending_size = 0;
    part->log_end = part->written_end;
    struct engine_call *call, *next;
    list_for_each_entry_safe (call, next, &part->flushes, link) {
        if (call->timestamp <= part->written_end)
            continue;
        list_remove(&call->link);
        part_answer(part, call, ENGINE_STORAGE);
    }
}

static void part_refuse_pending(struct part *part)
{
    part_settle(part, &part->pending, PART_DONE_STORAGE);
    part_forget_pending(part);
}

/* --- cutting a failed write off ---
 *
 * Whole batches of it may lie in the file. They are refused only when they are gone for good, or
 * else a death of the process or of the power would bring back what its sender may have sent anew.
 */

struct part_cut {
    struct part_task task;
    struct segment *segment;
    uint64_t size;
    struct list_link refused; /* appends */
    bool sync_failed;
};

static void part_cut_run(struct part_task *task)
{
    struct part_cut *cut = container_of(task, struct part_cut, task);
    struct env *env = task->part->local->env;
    struct file *file;
    task->result = segment_open(cut->segment, task->part->dir, &file);
    if (task->result < 0)
        return;
    task->result = env->ops->file_truncate(env, file->fd, cut->size);
    if (task->result >= 0) {
        task->result = env->ops->file_sync(env, file->fd);
        cut->sync_failed = task->result < 0;
    }
    file_unref(file);
}

static void part_cut_done(struct part_task *task)
{
    struct part_cut *cut = container_of(task, struct part_cut, task);
    struct part *part = task->part;
    part->cutting = false;
    part_settle(part, &cut->refused, task->result < 0 ? PART_DONE_NOT_OWNER : PART_DONE_STORAGE);
    if (cut->sync_failed && part->phase == PART_OWNED)
        part_sync_failed(part, task->result);
    else if (task->result < 0 && !cut->sync_failed)
        part_go_offline(part, task->result, "truncate");
    segment_unref(cut->segment);
    free(cut);
}

void part_write_failed(struct part *part, struct segment *active, int error)
{
    static struct log_limit limit;
    if (log_limit_pass(&limit, 1000))
        log_error("partition.write_failed", "partition=%s segment=%" PRId64 " error=\"%s\"",
            part->label, active->base, log_errno(-error).str);
    struct part_cut *cut = xnew(struct part_cut);
    list_init(&cut->refused);
    list_splice(&cut->refused, &part->pending);
    part_forget_pending(part);
    cut->segment = segment_ref(active);
    cut->size = active->size;
    part->cutting = true;
    part_task_submit(part, &cut->task, false, part_cut_run, part_cut_done);
}

/* Returns false when it has to wait or failed. */
static bool part_write_step(struct part *part)
{
    struct segment *active = part_active(part);
    struct engine_append *first =
        list_entry(list_first(&part->pending), struct engine_append, link);
    if (active == NULL || part_must_roll(part, active, first, 0)) {
        part_prepare(part, true);
        return false;
    }
    if (part->file == NULL)
        part->file = files_get(part->local->files, &active->slot);
    if (part->file == NULL) {
        part_prepare(part, false);
        return false;
    }
    int r = part_write_some(part, active);
    if (r < 0)
        part_write_failed(part, active, r);
    return r == 0 && !part->writing;
}

void part_write_pending(struct part *part)
{
    bool going = part->phase == PART_OWNED && !part->preparing && !part->writing && !part->cutting;
    while (going && !list_empty(&part->pending))
        going = part_write_step(part);
    file_unref(steal(&part->file));
    part_sync(part);
    part_complete(part);
}

/* --- the active segment's file --- */

struct part_preparation {
    struct part_task task;
    bool make_dir, roll;
    bool names;              /* those before the new file first: it may not be there without them */
    struct segment *segment; /* the one to open or make */
    struct index *sealed;    /* index of the segment before, to be saved */
    int64_t sealed_base;
    struct file *file; /* result */
};

static int part_prepare_new(struct part *part, struct part_preparation *preparation)
{
    struct env *env = part->local->env;
    struct segment *segment = preparation->segment;
    if (preparation->sealed != NULL) {
        int r = index_save(env, part->dir, preparation->sealed_base, preparation->sealed);
        if (r < 0)
            return error_trace(r);
    }
    /* A file of that name can only be left from a try that failed: nothing in it was promised. */
    int r = segment_unlink(env, part->dir, segment->base);
    if (r < 0)
        return error_trace(r);
    _cleanup_(freep) char *path = segment_path(part->dir, segment->base, ".log");
    return error_trace(files_open(part->local->files, &segment->slot, path,
        ENV_OPEN_WRITE | ENV_OPEN_CREATE | ENV_OPEN_EXCLUSIVE, &preparation->file));
}

static void part_prepare_run(struct part_task *task)
{
    struct part_preparation *preparation = container_of(task, struct part_preparation, task);
    struct part *part = task->part;
    task->result = preparation->make_dir ? part_dir_make(part) : 0;
    if (task->result >= 0 && preparation->names)
        task->result = part_sync_names(part);
    if (task->result < 0)
        return;
    task->result = preparation->roll
                       ? part_prepare_new(part, preparation)
                       : segment_open(preparation->segment, part->dir, &preparation->file);
}

/* The new segment becomes the active one. */
static void part_rolled(struct part *part, struct part_preparation *preparation)
{
    struct segment *before = part_active(part), *segment = preparation->segment;
    if (before != NULL) {
        part->sync_wanted = true;
        home_index_used(part->home, before);
    }
    part_add_segment(part, segment_ref(segment));
    part->index_saved_size = 0;
    if (before != NULL)
        part_sealed(part, before);
    part_forget_recent(part);
    part->dir_exists = true;
    part->dir_dirty = true;
}

static void part_prepare_failed(struct part *part, int error)
{
    static struct log_limit limit;
    if (log_limit_pass(&limit, 1000))
        log_error("partition.prepare_failed", "partition=%s error=\"%s\"", part->label,
            log_errno(-error).str);
    part_refuse_pending(part);
}

static void part_prepare_done(struct part_task *task)
{
    struct part_preparation *preparation = container_of(task, struct part_preparation, task);
    struct part *part = task->part;
    bool retain = part->retain_after_roll && preparation->roll && task->result >= 0;
    part->preparing = part->retain_after_roll = false;
    if (task->result < 0) {
        part_prepare_failed(part, task->result);
    } else {
        if (preparation->roll)
            part_rolled(part, preparation);
        part->file = preparation->file;
    }
    segment_unref(preparation->segment);
    index_unref(preparation->sealed);
    free(preparation);
    part_write_pending(part);
    if (part->phase == PART_REPAIRING && !part->swapping)
        part_repair(part);
    if (retain)
        part_retain(part);
}

static struct segment *part_segment_make(struct part *part)
{
    struct env *env = part->local->env;
    struct segment *segment = segment_new(part->local->files, part->written_end);
    segment->created_ms = env_real_ms(env);
    segment->index = index_new();
    if (part->config.segment_jitter_ms > 0) {
        uint64_t random;
        env->ops->random(env, &random, sizeof(random));
        segment->roll_jitter_ms = (int64_t)(random % (uint64_t)part->config.segment_jitter_ms);
    }
    return segment;
}

void part_prepare(struct part *part, bool roll)
{
    assert(!part->preparing && !part->writing);
    struct segment *active = part_active(part);
    struct part_preparation *preparation = xnew(struct part_preparation);
    preparation->roll = roll;
    preparation->make_dir = !part->dir_exists;
    preparation->segment = roll ? part_segment_make(part) : segment_ref(active);
    if (roll && active != NULL) {
        assert(active->size > 0);
        index_seal(active->index);
        preparation->sealed = index_ref(active->index);
        preparation->sealed_base = active->base;
        preparation->names = part->dir_dirty || part->syncing; /* perhaps that one has them */
    }
    part->preparing = true;
    part_task_submit(part, &preparation->task, false, part_prepare_run, part_prepare_done);
}
