// SPDX-License-Identifier: BSD-2-Clause
/*
 * Questions about times. They are looked up on the pool over a snapshot of the segment
 * list: segments whose greatest timestamp is known to be too small are left out, the time index
 * says where to start in the others, and a walk over headers finds the batch.
 */
#include "store/part/part.h"

#include "base/error.h"

#include <assert.h>

struct lookup_place {
    struct segment *segment;
    uint64_t size;
    int64_t max_timestamp; /* -1: not known */
    struct index *index;   /* sealed: NULL when it has to be loaded */
    bool active;
    struct anchor anchor; /* of the active one, whose index stays at home */
};

struct lookup_task {
    struct part_task task;
    struct engine_call *call;
    bool find_max; /* the timestamp to look for is the greatest of all */
    int64_t timestamp;
    int64_t log_start;
    int64_t found_offset, found_timestamp;
    unsigned n_places;
    struct lookup_place places[];
};

/* --- on the pool --- */

static int lookup_open(struct lookup_task *task, struct lookup_place *place, struct file **ret_file)
{
    struct part *part = task->task.part;
    int r = segment_open(place->segment, part->dir, ret_file);
    if (r < 0 || place->active || place->index != NULL)
        return r;
    r = part_index_load(part, place->segment, *ret_file, place->size, &place->index);
    if (r < 0) {
        file_unref(*ret_file);
        return r;
    }
    place->max_timestamp = place->index->max_timestamp;
    return 0;
}

static struct anchor lookup_anchor(const struct lookup_place *place, int64_t timestamp)
{
    if (place->active)
        return place->anchor;
    struct index_offset entry =
        index_find_delta(place->index, (int64_t)index_delta_for_time(place->index, timestamp) - 1);
    return entry.pos == 0 ? (struct anchor){0, -1}
                          : (struct anchor){entry.pos, place->segment->base + entry.delta};
}

/* 0: found, WALK_E_END: not in this segment. */
static int lookup_walk(struct lookup_task *task, struct lookup_place *place, struct file *file)
{
    struct anchor anchor = lookup_anchor(place, task->timestamp);
    struct walk walk;
    struct batch_header header;
    walk_init(&walk, file, place->size);
    for (uint64_t pos = anchor.pos;; pos += batch_size(&header)) {
        int r = walk_header(&walk, pos, &header, NULL);
        if (pos > 0 && pos == anchor.pos &&
            (r == WALK_E_BAD || (r == 0 && batch_last_offset(&header) != anchor.last_offset))) {
            /* The index is wrong: from the beginning, without it. */
            anchor = (struct anchor){0, -1};
            pos = 0;
            r = walk_header(&walk, pos, &header, NULL);
        }
        if (r != 0)
            return r;
        if (header.max_timestamp >= task->timestamp && header.records_count != 0 &&
            batch_last_offset(&header) >= task->log_start) {
            task->found_offset = header.base_offset;
            task->found_timestamp = header.max_timestamp;
            return 0;
        }
    }
}

/* The greatest timestamp of what is not below the log start in a segment that begins below it. The
 * index does not know: it counts what was deleted, too. 0 or -errno. */
static int lookup_walk_max(struct lookup_task *task, struct lookup_place *place, struct file *file)
{
    struct walk walk;
    struct batch_header header;
    int r = 0;
    place->max_timestamp = -1;
    walk_init(&walk, file, place->size);
    for (uint64_t pos = 0; r == 0; pos += batch_size(&header)) {
        r = walk_header(&walk, pos, &header, NULL);
        if (r == 0 && batch_last_offset(&header) >= task->log_start && header.records_count != 0 &&
            header.max_timestamp > place->max_timestamp)
            place->max_timestamp = header.max_timestamp;
    }
    return r < 0 ? r : 0;
}

/* Makes the greatest timestamp of each segment known; looks for the greatest of them. */
static int lookup_find_max(struct lookup_task *task)
{
    for (unsigned i = 0; i < task->n_places; i++) {
        struct lookup_place *place = &task->places[i];
        bool begun = place->segment->base < task->log_start;
        if (begun || (place->max_timestamp < 0 && !place->active)) {
            struct file *file;
            int r = lookup_open(task, place, &file);
            if (r >= 0 && begun)
                r = lookup_walk_max(task, place, file);
            if (r < 0)
                return r;
            file_unref(file);
        }
        if (place->max_timestamp > task->timestamp)
            task->timestamp = place->max_timestamp;
    }
    return 0;
}

static void lookup_run(struct part_task *base)
{
    struct lookup_task *task = container_of(base, struct lookup_task, task);
    int r = task->find_max ? lookup_find_max(task) : 0;
    bool found = false;
    for (unsigned i = 0; i < task->n_places && r == 0 && !found; i++) {
        struct lookup_place *place = &task->places[i];
        struct file *file;
        if (place->max_timestamp >= 0 && place->max_timestamp < task->timestamp)
            continue;
        r = lookup_open(task, place, &file);
        if (r < 0)
            break;
        r = lookup_walk(task, place, file);
        file_unref(file);
        found = r == 0;
        r = r == WALK_E_END ? 0 : r;
    }
    base->result = r;
}

/* --- on the loop --- */

static void lookup_start(
    struct part *part, struct engine_call *call, bool find_max, int64_t timestamp);

/* Whether what was looked into is still what the log consists of. */
static bool lookup_holds(const struct lookup_task *task)
{
    for (unsigned i = 0; i < task->n_places; i++) {
        if (!list_linked(&task->places[i].segment->link))
            return false;
    }
    return true;
}

static void lookup_done(struct part_task *base)
{
    struct lookup_task *task = container_of(base, struct lookup_task, task);
    struct part *part = base->part;
    struct engine_call *call = task->call;
    enum engine_status status = part_ready(part);
    bool again = status == ENGINE_OK && !lookup_holds(task);
    bool find_max = task->find_max;
    int64_t timestamp = task->timestamp;
    if (status == ENGINE_OK && base->result != 0)
        status = base->result < 0 ? ENGINE_STORAGE : ENGINE_CORRUPT;
    call->offset = task->found_offset;
    if (task->find_max)
        call->timestamp = task->found_timestamp;
    for (unsigned i = 0; i < task->n_places; i++) {
        struct lookup_place *place = &task->places[i];
        part_index_offer(part, place->segment, place->index);
        index_unref(place->index);
        segment_unref(place->segment);
    }
    free(task);
    if (again)
        lookup_start(part, call, find_max, find_max ? 0 : timestamp);
    else
        call->done(call, status);
}

static void lookup_place(struct lookup_task *task, struct segment *segment, bool active)
{
    struct lookup_place *place = &task->places[task->n_places++];
    place->segment = segment_ref(segment);
    place->size = segment->size;
    place->max_timestamp = segment->max_timestamp;
    place->active = active;
    if (!active) {
        place->index = segment->index == NULL ? NULL : index_ref(segment->index);
        return;
    }
    int64_t timestamp = task->find_max ? segment->max_timestamp : task->timestamp;
    struct index_offset entry = index_find_delta(
        segment->index, (int64_t)index_delta_for_time(segment->index, timestamp) - 1);
    place->anchor = entry.pos == 0 ? (struct anchor){0, -1}
                                   : (struct anchor){entry.pos, segment->base + entry.delta};
}

static void lookup_start(
    struct part *part, struct engine_call *call, bool find_max, int64_t timestamp)
{
    enum engine_status status = part_ready(part);
    if (status != ENGINE_OK) {
        part_answer(part, call, status);
        return;
    }
    struct lookup_task *task =
        xcalloc(1, sizeof(*task) + part->n_segments * sizeof(struct lookup_place));
    task->call = call;
    task->find_max = find_max;
    task->timestamp = timestamp;
    task->log_start = part->log_start;
    task->found_offset = task->found_timestamp = -1;
    struct segment *segment;
    list_for_each_entry (segment, &part->segments, link) {
        bool known = segment->max_timestamp >= 0;
        if (segment->size > 0 && (find_max || !known || segment->max_timestamp >= timestamp))
            lookup_place(task, segment, segment == part_active(part));
    }
    part_task_submit(part, &task->task, false, lookup_run, lookup_done);
}

void part_offset_for_time(struct part *part, struct engine_call *call)
{
    lookup_start(part, call, false, call->timestamp);
}

void part_max_timestamp(struct part *part, struct engine_call *call)
{
    call->timestamp = -1;
    lookup_start(part, call, true, 0);
}
