// SPDX-License-Identifier: BSD-2-Clause
/*
 * Quarantine: which offsets of a part cannot be served, and which bytes are to be left alone. A
 * batch is found out when it is about to be used for the first time (read.c, replay.c) or by the
 * background scrub (scrub.c); then the whole segment is looked at (verify.h), and what is damaged
 * in it is reported, counted, and kept in the file `quarantine` of the partition's directory:
 *
 *   0                                   version
 *   1                                   number of entries
 *   0 7 8 700 800                       segment, first offset, offset behind, bytes from, to
 *
 * From then on reads stop before these bytes and go on behind them; a read that begins in them is
 * answered with ENGINE_CORRUPT. What the file says is only recalled after a start: the first read
 * in such a segment has it looked at again. So a file that is missing, old or wrong does no harm.
 */
#include "store/part/part.h"

#include "base/buffer.h"
#include "base/error.h"
#include "base/log.h"
#include "base/small_file.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#define QUARANTINE_FILE     "quarantine"
#define QUARANTINE_SIZE_MAX (4U << 20) /* bytes of the file */
#define QUARANTINE_MAX      65536      /* entries of one part; further ones are found anew */

/* --- the file (pool) --- */

static bool quarantine_sane(const struct damage *damage)
{
    return damage->base >= 0 && damage->first >= damage->base && damage->next >= damage->first &&
           damage->end >= damage->pos && damage->end <= SEGMENT_SIZE_MAX;
}

static void quarantine_parse(char *text, struct damage **ret_damages, unsigned *ret_count)
{
    char *rest = NULL;
    char *version = strtok_r(text, "\n", &rest);
    char *count = version == NULL ? NULL : strtok_r(NULL, "\n", &rest);
    if (count == NULL || strcmp(version, "0") != 0)
        return;
    for (char *line = strtok_r(NULL, "\n", &rest); line != NULL && *ret_count < QUARANTINE_MAX;
         line = strtok_r(NULL, "\n", &rest)) {
        struct damage damage = {.recalled = true};
        int64_t before = *ret_count == 0 ? 0 : (*ret_damages)[*ret_count - 1].next;
        if (sscanf(line, "%" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNu64 " %" SCNu64, &damage.base,
                &damage.first, &damage.next, &damage.pos, &damage.end) != 5 ||
            !quarantine_sane(&damage) || damage.first < before)
            return;
        *ret_damages = xrealloc(*ret_damages, (*ret_count + 1) * sizeof(**ret_damages));
        (*ret_damages)[(*ret_count)++] = damage;
    }
}

int quarantine_load(
    struct env *env, const char *dir, struct damage **ret_damages, unsigned *ret_count)
{
    _cleanup_(freep) char *path = xasprintf("%s/" QUARANTINE_FILE, dir);
    _cleanup_(buffer_deinit) struct buffer bytes = BUFFER_NULL;
    int r = small_file_read(env, path, QUARANTINE_SIZE_MAX, &bytes);
    if (r == 0) {
        buffer_append(&bytes, "", 1);
        quarantine_parse((char *)bytes.data, ret_damages, ret_count);
    }
    return r == -ENOENT || r > 0 ? 0 : error_trace(r);
}

struct quarantine_task {
    struct part_task task;
    struct buffer bytes;
};

static void quarantine_run(struct part_task *base)
{
    struct quarantine_task *task = container_of(base, struct quarantine_task, task);
    _cleanup_(freep) char *path = xasprintf("%s/" QUARANTINE_FILE, base->part->dir);
    base->result = small_file_write(base->part->local->env, path, buffer_slice(&task->bytes));
}

static void quarantine_done(struct part_task *base)
{
    struct quarantine_task *task = container_of(base, struct quarantine_task, task);
    if (base->result < 0) /* then it is found out again after the next start */
        log_warn("partition.quarantine_failed", "partition=%s error=\"%s\"", base->part->label,
            log_errno(-base->result).str);
    buffer_deinit(&task->bytes);
    free(task);
}

static void quarantine_save(struct part *part)
{
    struct quarantine_task *task = xnew(struct quarantine_task);
    buffer_printf(&task->bytes, "0\n%u\n", part->n_damages);
    for (unsigned i = 0; i < part->n_damages; i++) {
        const struct damage *damage = &part->damages[i];
        buffer_printf(&task->bytes, "%" PRId64 " %" PRId64 " %" PRId64 " %" PRIu64 " %" PRIu64 "\n",
            damage->base, damage->first, damage->next, damage->pos, damage->end);
    }
    part_task_submit(part, &task->task, true, quarantine_run, quarantine_done);
}

/* --- on the loop --- */

static void quarantine_report(struct part *part, const struct damage *damage)
{
    atomic_fetch_add(&part->local->damages_total, 1);
    log_error("partition.damaged",
        "partition=%s segment=%" PRId64 " pos=%" PRIu64 " size=%" PRIu64 " first_missing=%" PRId64
        " next_offset=%" PRId64,
        part->label, damage->base, damage->pos, damage->end - damage->pos, damage->first,
        damage->next);
}

static bool quarantine_has(const struct part *part, const struct damage *damage)
{
    for (unsigned i = 0; i < part->n_damages; i++) {
        if (part->damages[i].first == damage->first && part->damages[i].next == damage->next &&
            part->damages[i].base == damage->base)
            return true;
    }
    return false;
}

void part_quarantine(
    struct part *part, struct segment *segment, const struct damage *damages, unsigned count)
{
    struct damage *all = NULL;
    unsigned n = 0, i = 0;
    bool changed = false;
    segment->damaged = false;
    if (count == 0 && part->n_damages == 0)
        return;
    all = xnew_n(struct damage, part->n_damages + count + 1);
    for (; i < part->n_damages && part->damages[i].first < segment->base; i++)
        all[n++] = part->damages[i];
    for (unsigned k = 0; k < count; k++) {
        if (!quarantine_has(part, &damages[k])) {
            quarantine_report(part, &damages[k]);
            changed = true;
        }
        all[n++] = damages[k];
    }
    unsigned before = 0;
    for (; i < part->n_damages && part->damages[i].base == segment->base; i++)
        before++;
    for (; i < part->n_damages; i++)
        all[n++] = part->damages[i];
    free(part->damages);
    part->damages = all;
    part->n_damages = n > QUARANTINE_MAX ? QUARANTINE_MAX : n;
    if (changed || before != count)
        quarantine_save(part);
}

void part_quarantine_trim(struct part *part)
{
    unsigned n = 0;
    for (unsigned i = 0; i < part->n_damages; i++) {
        if (part->damages[i].next > part->log_start)
            part->damages[n++] = part->damages[i];
    }
    part->n_damages = n;
}

const struct damage *part_damage_at(const struct part *part, int64_t offset)
{
    for (unsigned i = 0; i < part->n_damages && part->damages[i].first <= offset; i++) {
        if (offset < part->damages[i].next)
            return &part->damages[i];
    }
    return NULL;
}

struct fence part_fence(const struct part *part, const struct segment *segment, int64_t offset)
{
    struct fence fence = {.start = 0, .end = segment->size, .next = segment->end};
    for (unsigned i = 0; i < part->n_damages; i++) {
        const struct damage *damage = &part->damages[i];
        if (damage->base != segment->base)
            continue;
        fence.recalled = fence.recalled || damage->recalled;
        if (damage->first <= offset) {
            fence.start = damage->end;
        } else {
            fence.end = damage->pos;
            fence.next = damage->first;
            fence.closed = true;
            break;
        }
    }
    return fence;
}

void fence_anchors(const struct fence *fence, struct range_query *query)
{
    if (query->start.pos < fence->start || query->start.pos > fence->end)
        query->start = (struct anchor){fence->start, -1};
    if (query->jump.pos <= fence->start || query->jump.pos > fence->end)
        query->jump = (struct anchor){0, -1};
}

/* --- what is known to be good --- */

bool segment_trusted(const struct segment *segment, uint64_t pos, uint64_t size)
{
    return (pos >= segment->verified_from && pos + size <= segment->verified_to) ||
           (pos >= segment->warm_pos && pos + size <= segment->size);
}

void segment_trust(struct segment *segment, uint64_t pos, uint64_t size)
{
    uint64_t end = pos + size;
    if (size == 0)
        return;
    if (pos > segment->verified_to || end < segment->verified_from) {
        if (size < segment->verified_to - segment->verified_from)
            return;
        segment->verified_from = pos;
        segment->verified_to = end;
        return;
    }
    segment->verified_from = pos < segment->verified_from ? pos : segment->verified_from;
    segment->verified_to = end > segment->verified_to ? end : segment->verified_to;
}
