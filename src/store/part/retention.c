// SPDX-License-Identifier: BSD-2-Clause
/*
 * Whole segments go when they are too old (by their greatest timestamp), too much (by size), or
 * below the log start. The log start moves at once, the files are unlinked on the pool; whoever
 * still sends from one keeps it open. An active segment that is too old is rolled first.
 */
#include "store/part/part.h"

#include "base/canary.h"
#include "base/error.h"
#include "base/log.h"

#include <assert.h>
#include <inttypes.h>

/* A clock that jumps ahead by more than this is doubted for a day: it may be set right again, and
 * what was deleted meanwhile would be gone. */
#define RETAIN_CLOCK_JUMP_MS  3600000
#define RETAIN_CLOCK_DOUBT_MS (24 * 3600000LL)

/* --- unlinking ---
 *
 * The new log start is on the medium before the first file goes: after a power failure any of the
 * files may be back, and recovery must know that the others were not lost. */

struct unlink_task {
    struct part_task task;
    unsigned n_segments;
    struct segment *segments[];
};

static void unlink_run(struct part_task *base)
{
    struct unlink_task *task = container_of(base, struct unlink_task, task);
    struct part *part = base->part;
    base->result = checkpoint_write(part->local->checkpoint);
    bool known = base->result >= 0;
    for (unsigned i = 0; i < task->n_segments; i++) {
        int r = known ? segment_unlink(part->local->env, part->dir, task->segments[i]->base) : 0;
        if (r < 0)
            base->result = r;
        /* Likely the last reference: the descriptor is closed here and not on the loop. */
        segment_unref(steal(&task->segments[i]));
    }
}

static void unlink_done(struct part_task *base)
{
    struct unlink_task *task = container_of(base, struct unlink_task, task);
    base->part->dir_dirty = true;
    if (base->result < 0)
        log_warn("partition.unlink_failed", "partition=%s error=\"%s\"", base->part->label,
            log_errno(-base->result).str);
    free(task);
}

/* The first `count` segments. */
static void retain_remove(struct part *part, unsigned count)
{
    if (count == 0)
        return;
    assert(count < part->n_segments);
    part_segments_changed(part);
    struct unlink_task *task = xcalloc(1, sizeof(*task) + count * sizeof(struct segment *));
    task->n_segments = count;
    for (unsigned i = 0; i < count; i++) {
        struct list_link *link = list_first(&part->segments);
        if (canary(RETENTION_WRONG_END))
            link = part->segments.prev->prev;
        struct segment *segment = list_entry(link, struct segment, link);
        task->segments[i] = segment_ref(segment);
        home_index_forget(part->home, segment);
        list_remove(&segment->link);
        part->n_segments--;
        part->size -= segment->size;
        segment_unref(segment);
    }
    int64_t first = list_entry(list_first(&part->segments), struct segment, link)->base;
    log_info("partition.trimmed", "partition=%s segments=%u log_start=%" PRId64, part->label, count,
        first > part->log_start ? first : part->log_start);
    if (first > part->log_start) {
        part->log_start = first;
        part->start_weak = false;
        part_quarantine_trim(part);
        part->start_moved = true;
        part_mark(part);
        part_complete_soon(part);
    }
    part_task_submit(part, &task->task, false, unlink_run, unlink_done);
}

/* --- the time --- */

/* The real time, unless it has lately run ahead of the monotonic one: then what it would have been
 * without the jump. */
static int64_t retain_now_ms(struct home *home)
{
    struct retain_clock *clock = &home->retain_clock;
    int64_t real_ms = env_real_ms(home->local->env), now_ms = loop_now_ms(home->loop);
    if (clock->known && real_ms - now_ms - clock->offset_ms > RETAIN_CLOCK_JUMP_MS) {
        if (clock->doubt_since_ms == 0) {
            clock->doubt_since_ms = now_ms;
            log_warn("retention.clock_jumped",
                "ahead_ms=%" PRId64 " text=\"nothing is deleted by the new time until it has "
                "lasted for a day\"",
                real_ms - now_ms - clock->offset_ms);
        }
        if (now_ms - clock->doubt_since_ms < RETAIN_CLOCK_DOUBT_MS)
            return now_ms + clock->offset_ms;
    }
    clock->known = true;
    clock->offset_ms = real_ms - now_ms;
    clock->doubt_since_ms = 0;
    return real_ms;
}

void home_note_time(struct home *home)
{
    (void)retain_now_ms(home);
}

/* --- what goes --- */

struct retain_load {
    struct part_task task;
    struct segment *segment;
    uint64_t size;
    struct index *index;
};

static void retain_load_run(struct part_task *base)
{
    struct retain_load *load = container_of(base, struct retain_load, task);
    struct file *file;
    base->result = segment_open(load->segment, base->part->dir, &file);
    if (base->result < 0)
        return;
    base->result = part_index_load(base->part, load->segment, file, load->size, &load->index);
    file_unref(file);
}

static void retain_load_done(struct part_task *base)
{
    struct retain_load *load = container_of(base, struct retain_load, task);
    struct part *part = base->part;
    part_index_offer(part, load->segment, load->index);
    bool known = load->segment->max_timestamp >= 0;
    index_unref(load->index);
    segment_unref(load->segment);
    free(load);
    if (known)
        part_retain(part);
}

/* A segment of an earlier life: its greatest timestamp is in its time index. */
static void retain_load(struct part *part, struct segment *segment)
{
    struct retain_load *load = xnew(struct retain_load);
    load->segment = segment_ref(segment);
    load->size = segment->size;
    part_task_submit(part, &load->task, false, retain_load_run, retain_load_done);
}

/* How many from the front are too old. Stops where a timestamp has to be loaded first. */
static unsigned retain_count_old(struct part *part)
{
    unsigned count = 0;
    int64_t limit_ms = retain_now_ms(part->home) - part->config.retention_ms;
    struct segment *segment;
    list_for_each_entry (segment, &part->segments, link) {
        bool active = segment == part_active(part);
        if (active && (segment->size == 0 || part->writing))
            break;
        if (!active && segment->max_timestamp < 0 && segment->size > 0) {
            retain_load(part, segment); /* comes back when it is known */
            break;
        }
        int64_t newest_ms =
            segment->max_timestamp >= 0 ? segment->max_timestamp : segment->created_ms;
        if (newest_ms >= limit_ms)
            break;
        if (active) {
            part->retain_after_roll = true;
            part_prepare(part, true);
            break;
        }
        count++;
    }
    return count;
}

static unsigned retain_count_much(struct part *part)
{
    unsigned count = 0;
    uint64_t size = part->size, limit = (uint64_t)part->config.retention_size;
    struct segment *segment;
    list_for_each_entry (segment, &part->segments, link) {
        if (segment == part_active(part) || size - segment->size < limit)
            break;
        size -= segment->size;
        count++;
    }
    return count;
}

void part_retain(struct part *part)
{
    if (part->phase != PART_OWNED || part->preparing || part->cutting || part->swapping ||
        !part->config.cleanup_delete || list_empty(&part->segments))
        return;
    unsigned count = part->config.retention_ms < 0 ? 0 : retain_count_old(part);
    unsigned much = part->config.retention_size < 0 ? 0 : retain_count_much(part);
    retain_remove(part, count > much ? count : much);
}

void part_trim(struct part *part)
{
    unsigned count = 0;
    struct segment *segment;
    if (part->swapping || part->start_weak) /* its end comes back to it; or it may be wrong */
        return;
    list_for_each_entry (segment, &part->segments, link) {
        if (segment == part_active(part) || segment->end > part->log_start)
            break;
        count++;
    }
    retain_remove(part, count);
}

/* --- the log start by request --- */

struct start_task {
    struct part_task task;
    struct engine_call *call;
};

static void start_run(struct part_task *base)
{
    base->result = checkpoint_write(base->part->local->checkpoint);
}

static void start_done(struct part_task *base)
{
    struct start_task *task = container_of(base, struct start_task, task);
    struct engine_call *call = task->call;
    enum engine_status status = part_ready(base->part);
    if (status == ENGINE_OK && base->result < 0)
        status = ENGINE_STORAGE;
    free(task);
    call->done(call, status);
}

void part_set_log_start(struct part *part, struct engine_call *call)
{
    enum engine_status status = part_ready(part);
    if (status == ENGINE_OK && (call->offset < 0 || call->offset > part->written_end))
        status = ENGINE_OUT_OF_RANGE;
    if (status != ENGINE_OK) {
        part_answer(part, call, status);
        return;
    }
    if (call->offset > part->log_start) {
        part->log_start = call->offset;
        part->start_weak = false;
        part->start_moved = true;
        part_mark(part);
        part_trim(part);
        part_complete_soon(part);
    }
    struct start_task *task = xnew(struct start_task);
    task->call = call;
    part_task_submit(part, &task->task, true, start_run, start_done);
}
