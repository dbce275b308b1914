// SPDX-License-Identifier: BSD-2-Clause
/*
 * Reads answer with a range of whole batches in the segment's file, pinned by a reference to the
 * open file.
 *
 * A read of what this process wrote lately into the active segment is answered at once: the place
 * is known (recent writes) or found with the index in memory and a header or two from the page
 * cache. Everything else may have to wait for the disk and goes to the pool, which opens the file,
 * loads or rebuilds a sealed segment's index and finds the range.
 *
 * In a compacted log offsets are missing: a read that starts in such a gap goes on behind it, if
 * need be in the next segment. A batch without records, kept only for its producer's sake, begins
 * no answer as long as something follows: there are clients that would never get past it.
 *
 * An index that turns out to be wrong is rebuilt from the log once; damage that is met in the log
 * itself ends the range before it, and a read that starts there is answered with ENGINE_CORRUPT.
 */
#include "store/part.h"

#include "base/error.h"
#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>

struct read_task {
    struct part_task task;
    struct engine_read *read;
    struct segment *segment;
    struct range_query query;
    struct index *index; /* sealed segments; NULL: to be loaded */
    bool sealed;
    bool whole;        /* batches without records are welcome */
    struct file *file; /* result */
    uint64_t pos, size;
};

static void read_fill(struct engine_read *read, struct file *take_file, uint64_t pos, uint64_t size)
{
    read->n_chunks = size > 0 ? 1 : 0;
    read->size = size;
    if (size == 0) {
        file_unref(take_file);
        return;
    }
    assert(size <= UINT32_MAX);
    read->chunks[0] = (struct chunk){
        .fd = take_file->fd, .pos = pos, .size = (uint32_t)size, .owner = &take_file->ref};
}

/* --- on the pool --- */

/* Over damage no jump is made: the walk has to meet it. */
static void read_anchor(struct read_task *task, const struct index *index)
{
    range_anchor(&task->query, task->segment->base, index);
    if (task->segment->damaged)
        task->query.jump = (struct anchor){0, -1};
}

static int read_find(struct read_task *task, struct file *file)
{
    int r = 0;
    if (task->sealed && task->index == NULL)
        r = part_index_load(task->task.part, task->segment, file, task->query.end, &task->index);
    if (r < 0)
        return r;
    if (task->index != NULL)
        read_anchor(task, task->index);
    r = range_find(file, &task->query, &task->pos, &task->size);
    if (r != RANGE_E_ANCHOR)
        return r;
    if (task->sealed) {
        index_unref(steal(&task->index));
        r = part_index_rebuild(task->task.part, task->segment, file, task->query.end, &task->index);
    }
    if (r < 0)
        return r;
    /* Once more without trust in anything but the log. */
    task->query.start = task->query.jump = (struct anchor){0, -1};
    return range_find(file, &task->query, &task->pos, &task->size);
}

static void read_run(struct part_task *base)
{
    struct read_task *task = container_of(base, struct read_task, task);
    base->result = segment_open(task->segment, base->part->dir, &task->file);
    if (base->result == 0)
        base->result = read_find(task, task->file);
}

/* --- on the loop --- */

static enum engine_status read_status(struct part *part, int r, int64_t offset)
{
    static struct log_limit limit;
    if (r == 0)
        return ENGINE_OK;
    if (log_limit_pass(&limit, 1000))
        log_error("partition.read_failed", "partition=%s offset=%" PRId64 " error=\"%s\"",
            part->label, offset, r < 0 ? log_errno(-r).str : "the stored bytes are damaged");
    return r < 0 ? ENGINE_STORAGE : ENGINE_CORRUPT;
}

static enum engine_status read_from(
    struct part *part, struct engine_read *read, int64_t offset, bool whole);

/* Compaction leaves gaps; anywhere else one is damage. */
static bool read_may_skip(const struct part *part, int64_t offset)
{
    return part->config.cleanup_compact || offset < part->cleaned_end;
}

/* What the pool found out; ENGINE_PENDING: it has to look elsewhere. */
static enum engine_status read_conclude(struct part *part, struct read_task *task)
{
    struct segment *segment = task->segment;
    struct engine_read *read = task->read;
    enum engine_status status = part_ready(part);
    if (status != ENGINE_OK)
        return status;
    if (read->offset < part->log_start)
        return ENGINE_OUT_OF_RANGE;
    if (!list_linked(&segment->link)) /* it was compacted away meanwhile */
        return read_from(part, read, read->offset, false);
    status = read_status(part, task->task.result, task->query.offset);
    bool gap = task->sealed && task->pos == task->query.end;
    if (status == ENGINE_OK && gap && read_may_skip(part, task->query.offset))
        return read_from(part, read, segment->end, task->whole);
    if (status == ENGINE_OK && gap)
        status = read_status(part, WALK_E_END, task->query.offset); /* a hole before the next one */
    if (status == ENGINE_OK && task->size == 0 && task->query.skip_empty)
        return read_from(part, read, read->offset, true);
    if (status == ENGINE_OK)
        read_fill(read, steal(&task->file), task->pos, task->size);
    return status;
}

static void read_done(struct part_task *base)
{
    struct read_task *task = container_of(base, struct read_task, task);
    struct part *part = base->part;
    struct engine_read *read = task->read;
    part_index_offer(part, task->segment, task->index);
    enum engine_status status = read_conclude(part, task);
    file_unref(task->file);
    index_unref(task->index);
    segment_unref(task->segment);
    free(task);
    if (status != ENGINE_PENDING)
        read->done(read, status);
}

static enum engine_status read_offload(struct part *part, struct segment *segment,
    const struct range_query *query, struct engine_read *read, bool whole)
{
    struct read_task *task = xnew(struct read_task);
    task->whole = whole;
    task->read = read;
    task->segment = segment_ref(segment);
    task->query = *query;
    task->sealed = segment != part_active(part);
    if (segment->index != NULL && task->sealed) {
        task->index = index_ref(segment->index);
        home_index_used(part->home, segment);
    } else if (segment->index != NULL) {
        read_anchor(task, segment->index);
    }
    read->part = part;
    part_task_submit(part, &task->task, false, read_run, read_done);
    return ENGINE_PENDING;
}

/* Sets the start when the offset is where a recent write began. */
static bool read_recent(struct part *part, struct range_query *query)
{
    for (unsigned i = 0; i < PART_RECENT_COUNT; i++) {
        if (part->recent[i].offset == query->offset) {
            query->start = (struct anchor){part->recent[i].pos, -1};
            return true;
        }
    }
    return false;
}

/* What this process wrote into the active segment: no waiting. 0 when answered. */
static int read_warm(
    struct part *part, struct segment *active, struct range_query *query, struct engine_read *read)
{
    bool recent = read_recent(part, query);
    if (!recent || query->end - query->start.pos > query->size_max) {
        struct anchor start = query->start;
        range_anchor(query, active->base, active->index);
        if (recent)
            query->start = start;
    }
    if (query->start.pos < active->warm_pos || active->damaged)
        return 1;
    struct file *file = files_get(part->local->files, &active->slot);
    if (file == NULL)
        return 1;
    uint64_t pos = query->start.pos, size = query->end - pos;
    int r = 0;
    if (!recent || !query->end_is_bound || size > query->size_max)
        r = range_find(file, query, &pos, &size);
    if (r != 0) {
        file_unref(file);
        return 1;
    }
    read_fill(read, file, pos, size);
    return 0;
}

/* The segment with the first batch at or behind the offset, as far as the list tells. */
static struct segment *read_segment(struct part *part, int64_t offset)
{
    struct segment *segment = part_segment_for(part, offset), *active = part_active(part);
    while (segment != NULL && segment != active &&
           (segment->end <= offset || segment->size == 0)) /* a gap between the two */
        segment = list_entry(segment->link.next, struct segment, link);
    return segment;
}

/* The answer to `read` from an offset that is not below its own: between them is nothing. */
static enum engine_status read_from(
    struct part *part, struct engine_read *read, int64_t offset, bool whole)
{
    int64_t bound = read->bound < part->written_end ? read->bound : part->written_end;
    if (offset >= bound && offset > read->offset && !whole)
        return read_from(part, read, read->offset, true); /* rather without records than nothing */
    if (offset >= bound)
        return ENGINE_OK;
    struct segment *segment = read_segment(part, offset);
    if (segment == NULL)
        return ENGINE_CORRUPT;
    struct range_query query = {
        .offset = offset,
        .bound = bound,
        .size_max = read->size_max,
        .one_at_least = read->one_at_least,
        .start = {0, -1},
        .jump = {0, -1},
        .end = segment->size,
        /* What an earlier life left behind is walked to its end: it may not be whole. */
        .end_is_bound = segment == part_active(part) && segment->end <= bound && !segment->damaged,
        .skip_empty = !whole && segment != part_active(part) && read_may_skip(part, offset),
    };
    if (segment == part_active(part) && read_warm(part, segment, &query, read) == 0)
        return ENGINE_OK;
    return read_offload(part, segment, &query, read, whole);
}

enum engine_status part_read(struct part *part, struct engine_read *read)
{
    enum engine_status status = part_ready(part);
    read->n_chunks = 0;
    read->size = 0;
    if (status != ENGINE_OK)
        return status;
    if (read->offset < part->log_start || read->offset > part->written_end)
        return ENGINE_OUT_OF_RANGE;
    return read_from(part, read, read->offset, false);
}
