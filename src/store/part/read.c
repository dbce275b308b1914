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
 * An index that turns out to be wrong is rebuilt from the log once. What this process did not write
 * is checked before it is handed out for the first time; at the first doubt the whole segment is
 * looked at and what is damaged in it is quarantined (quarantine.c). Then reads move between such
 * damages, and one that starts in a damage is answered with ENGINE_CORRUPT.
 */
#include "store/part/part.h"

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
    bool suspect;      /* the whole segment is to be looked at before anything else */
    bool again;        /* it was looked at for this read: no doubts any more */
    bool gaps;         /* offsets may be missing */
    int64_t end;       /* offset behind the segment */
    uint64_t size_all; /* bytes of the segment */
    struct fence fence;
    uint64_t trusted_from, trusted_to;
    struct verify verify; /* result of such a look */
    struct sidecar_wish wish;
    bool looked;
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

static void read_anchor(struct read_task *task, const struct index *index)
{
    range_anchor(&task->query, task->segment->base, index);
    fence_anchors(&task->fence, &task->query);
}

static int read_find(struct read_task *task, struct file *file)
{
    int r = 0;
    if (task->sealed && task->index == NULL)
        r = part_index_load(task->task.part, task->segment, file, task->size_all, &task->index);
    if (r < 0)
        return r;
    if (task->index != NULL)
        read_anchor(task, task->index);
    r = range_find(file, &task->query, &task->pos, &task->size);
    if (r != RANGE_E_ANCHOR)
        return r;
    if (task->sealed) {
        index_unref(steal(&task->index));
        r = part_index_rebuild(task->task.part, task->segment, file, task->size_all, &task->index);
    }
    if (r < 0)
        return r;
    /* Once more without trust in anything but the log. */
    task->query.start = (struct anchor){task->fence.start, -1};
    task->query.jump = (struct anchor){0, -1};
    return range_find(file, &task->query, &task->pos, &task->size);
}

/* Nothing fits: because the first batch is too large, or because its offsets are wrong? */
static int read_check_first(struct read_task *task, struct file *file)
{
    struct walk walk;
    struct batch_header header;
    if (task->pos == task->query.end)
        return 0;
    walk_init(&walk, file, task->query.end);
    int r = walk_header(&walk, task->pos, &header, NULL);
    if (r == 0 && (batch_last_offset(&header) >= task->end ||
                      (!task->gaps && header.base_offset > task->query.offset)))
        r = WALK_E_BAD;
    return r;
}

/* Whether what was found is what it should be. 0, WALK_E_BAD or -errno. */
static int read_check(struct read_task *task, struct file *file)
{
    struct part *part = task->task.part;
    struct segment *segment = task->segment;
    struct checksums_file sums;
    if (task->size == 0)
        return read_check_first(task, file);
    if (task->pos >= task->trusted_from && task->pos + task->size <= task->trusted_to)
        return 0;
    struct checksums_place place = part_checksums(part, segment->base);
    int r = checksums_open(&place, &sums);
    bool known = r == 0;
    r = verify_range(file, segment->base, task->end, task->gaps, task->query.offset, task->pos,
        task->size, known ? &sums : NULL);
    if (known)
        checksums_close(&sums);
    return r > 0 ? WALK_E_BAD : r;
}

/* All of the segment, for damage. 0 or -errno. */
static int read_look(struct read_task *task, struct file *file)
{
    struct part *part = task->task.part;
    int r = part_verify(part, task->segment, file, &task->wish, &task->verify);
    task->looked = r == 0;
    if (r == 0 && task->sealed) { /* whatever the index led to */
        index_unref(steal(&task->index));
        r = part_index_rebuild(part, task->segment, file, task->size_all, &task->index);
    }
    return r;
}

static void read_run(struct part_task *base)
{
    struct read_task *task = container_of(base, struct read_task, task);
    base->result = segment_open(task->segment, base->part->dir, &task->file);
    if (base->result == 0 && task->suspect) {
        base->result = read_look(task, task->file);
        return;
    }
    if (base->result == 0)
        base->result = read_find(task, task->file);
    if (base->result == 0)
        base->result = read_check(task, task->file);
    bool hole = task->sealed && !task->gaps && task->pos == task->query.end && task->size == 0;
    if ((base->result > 0 || (base->result == 0 && hole)) && !task->again &&
        read_look(task, task->file) < 0)
        base->result = -EIO;
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
static enum engine_status read_on(
    struct part *part, struct engine_read *read, int64_t offset, bool whole, bool again);

bool part_may_seal(const struct part *part)
{
    return part->config.cleanup_compact || part->gaps_end > 0;
}

bool part_has_gaps(const struct part *part, int64_t offset)
{
    return offset < part->gaps_end;
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
    if (task->looked) { /* now it is known what is damaged there */
        part_quarantine(part, segment, task->verify.damages, task->verify.n_damages);
        segment_trust(segment, 0, task->size_all);
        return read_on(part, read, task->query.offset, task->whole, true);
    }
    status = read_status(part, task->task.result, task->query.offset);
    bool gap = (task->sealed || task->fence.closed) && task->pos == task->query.end;
    if (status == ENGINE_OK && gap && task->gaps)
        return read_from(part, read, task->fence.next, task->whole);
    if (status == ENGINE_OK && gap)
        status = read_status(part, WALK_E_END, task->query.offset); /* a hole before the next one */
    if (status == ENGINE_OK && task->size == 0 && task->query.skip_empty)
        return read_from(part, read, read->offset, true);
    if (status != ENGINE_OK)
        return status;
    segment_trust(segment, task->pos, task->size);
    read_fill(read, steal(&task->file), task->pos, task->size);
    return ENGINE_OK;
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
    free(task->verify.damages);
    free(task);
    if (status != ENGINE_PENDING)
        read->done(read, status);
}

static void read_note_trust(struct read_task *task, const struct segment *segment)
{
    task->trusted_from = segment->verified_from;
    task->trusted_to = segment->verified_to;
    /* Written by this process, and what comes before it was checked: one range. */
    if (segment->verified_to >= segment->warm_pos || segment->warm_pos == 0)
        task->trusted_to = segment->size;
    if (segment->warm_pos == 0)
        task->trusted_from = 0;
}

static enum engine_status read_offload(struct part *part, struct segment *segment,
    const struct range_query *query, const struct fence *fence, struct engine_read *read,
    bool whole, bool again)
{
    struct read_task *task = xnew(struct read_task);
    task->whole = whole;
    task->again = again;
    task->fence = *fence;
    task->gaps = part_has_gaps(part, segment->base);
    task->end = segment->end;
    task->size_all = segment->size;
    task->verify = (struct verify){
        .base = segment->base, .end = segment->end, .size = segment->size, .gaps = task->gaps};
    task->suspect = !again && (segment->damaged || fence->recalled ||
                                  part_damage_at(part, query->offset) != NULL);
    read_note_trust(task, segment);
    task->read = read;
    task->segment = segment_ref(segment);
    task->query = *query;
    task->sealed = segment != part_active(part);
    if (task->sealed && segment->synced_size == segment->size)
        task->wish = part_sidecar_wish(part, segment);
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
static int read_warm(struct part *part, struct segment *active, struct range_query *query,
    const struct fence *fence, struct engine_read *read)
{
    bool recent = read_recent(part, query);
    if (!recent || query->end - query->start.pos > query->size_max) {
        struct anchor start = query->start;
        range_anchor(query, active->base, active->index);
        fence_anchors(fence, query);
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
    return read_on(part, read, offset, whole, false);
}

/* `again`: the segment was just looked at. */
static enum engine_status read_on(
    struct part *part, struct engine_read *read, int64_t offset, bool whole, bool again)
{
    int64_t bound = read->bound < part->written_end ? read->bound : part->written_end;
    if (offset >= bound && offset > read->offset && !whole)
        return read_from(part, read, read->offset, true); /* rather without records than nothing */
    if (offset >= bound)
        return ENGINE_OK;
    struct segment *segment = read_segment(part, offset);
    const struct damage *damage = part_damage_at(part, offset);
    if (segment == NULL || (damage != NULL && (again || !damage->recalled)))
        return ENGINE_CORRUPT;
    struct fence fence = part_fence(part, segment, offset);
    if (fence.closed && fence.next < bound)
        bound = fence.next;
    struct range_query query = {
        .offset = offset,
        .bound = bound,
        .size_max = read->size_max,
        .one_at_least = read->one_at_least,
        .start = {fence.start, -1},
        .jump = {0, -1},
        .end = fence.end,
        /* What an earlier life left behind is walked to its end: it may not be whole. */
        .end_is_bound = segment == part_active(part) && segment->end <= bound && !fence.closed,
        .skip_empty = !whole && segment != part_active(part) && part_has_gaps(part, segment->base),
    };
    if (segment == part_active(part) && damage == NULL && !fence.recalled &&
        read_warm(part, segment, &query, &fence, read) == 0)
        return ENGINE_OK;
    return read_offload(part, segment, &query, &fence, read, whole, again);
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
