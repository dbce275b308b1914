// SPDX-License-Identifier: BSD-2-Clause
/*
 * `<base>.txnindex`: the aborted transactions whose markers lie in a segment, in Kafka's format, 34
 * bytes each and by last offset:
 *
 *   int16 version = 0  int64 producer id  int64 first offset  int64 last offset  int64 stable
 * offset
 *
 * Nothing is read back: the broker knows them from its snapshot and the log. They are there for
 * Kafka and its tools, and are as old as the last snapshot; a clean stop leaves them complete. A
 * segment without aborted transactions has no such file.
 */
#include "store/part/part.h"

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/log.h"
#include "base/small_file.h"

#define ABORTED_SIZE ((size_t)34)

struct aborted_file {
    int64_t base;
    struct buffer bytes;
};

struct aborted_task {
    struct part_task task;
    struct aborted_file *files;
    unsigned count;
};

static void aborted_run(struct part_task *base)
{
    struct aborted_task *task = container_of(base, struct aborted_task, task);
    struct env *env = base->part->local->env;
    for (unsigned i = 0; i < task->count && base->result >= 0; i++) {
        const struct aborted_file *file = &task->files[i];
        _cleanup_(freep) char *path = segment_path(base->part->dir, file->base, ".txnindex");
        base->result = small_file_write_unsynced(env, path, buffer_slice(&file->bytes));
    }
}

static void aborted_done(struct part_task *base)
{
    struct aborted_task *task = container_of(base, struct aborted_task, task);
    if (base->result < 0) /* it is only for others */
        log_debug("txnindex.not_saved", "partition=%s error=\"%s\"", base->part->label,
            log_errno(-base->result).str);
    for (unsigned i = 0; i < task->count; i++)
        buffer_deinit(&task->files[i].bytes);
    free(task->files);
    free(task);
}

static void aborted_encode(const struct engine_aborted *aborted, struct buffer *out)
{
    uint8_t *at = buffer_reserve(out, ABORTED_SIZE);
    bytes_put_u16(at, 0);
    bytes_put_u64(at + 2, (uint64_t)aborted->producer_id);
    bytes_put_u64(at + 10, (uint64_t)aborted->first_offset);
    bytes_put_u64(at + 18, (uint64_t)aborted->last_offset);
    bytes_put_u64(at + 26, (uint64_t)aborted->stable_offset);
    out->size += ABORTED_SIZE;
}

/* The segments in which something ended at or behind `from` get their files anew. */
static struct aborted_task *aborted_plan(
    struct part *part, const struct engine_aborted *aborted, size_t count)
{
    struct aborted_task *task = xnew(struct aborted_task);
    struct segment *segment;
    size_t at = 0;
    task->files = xnew_n(struct aborted_file, part->n_segments);
    list_for_each_entry (segment, &part->segments, link) {
        struct aborted_file *file = &task->files[task->count];
        size_t first = at;
        while (at < count && aborted[at].last_offset < segment->end)
            at++;
        if (at == first || aborted[at - 1].last_offset < part->aborted_end)
            continue;
        file->base = segment->base;
        for (size_t i = first; i < at; i++) {
            if (aborted[i].last_offset >= segment->base)
                aborted_encode(&aborted[i], &file->bytes);
        }
        task->count++;
    }
    return task;
}

void part_aborted_put(struct part *part, const struct engine_aborted *aborted, size_t count)
{
    if (part_ready(part) != ENGINE_OK || !part->dir_exists || count == 0 ||
        aborted[count - 1].last_offset < part->aborted_end)
        return;
    struct aborted_task *task = aborted_plan(part, aborted, count);
    part->aborted_end = aborted[count - 1].last_offset + 1;
    part_task_submit(part, &task->task, false, aborted_run, aborted_done);
}
