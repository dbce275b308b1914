// SPDX-License-Identifier: BSD-2-Clause
/*
 * The background check. Each loop goes over the sealed segments of its parts, one after the other
 * and not faster than the rate that is set, looks at every byte, and quarantines what is damaged. A
 * segment that has no sidecar yet gets one. When all were checked it rests for a week.
 */
#include "store/part/part.h"

#include "base/error.h"
#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>

#define SCRUB_MS      1000
#define SCRUB_REST_MS (7 * 24 * 3600000LL)

/* --- on the pool --- */

static void scrub_make_sidecar(
    struct part *part, struct segment *segment, struct file *file, uint64_t size)
{
    if (atomic_load(&segment->retired))
        return;
    int r = checksums_make(file, part->dir, segment->base, size);
    if (r < 0) /* it is only a help */
        log_debug(
            "checksums.not_saved", "partition=%s segment=%" PRId64, part->label, segment->base);
}

int part_verify(struct part *part, struct segment *segment, struct file *file, bool sealed,
    struct verify *verify)
{
    struct checksums *sums = NULL;
    int r = !sealed
                ? CHECKSUMS_E_NONE
                : checksums_load(part->local->env, part->dir, segment->base, verify->size, &sums);
    if (r < 0)
        return error_trace(r);
    verify->file = file;
    verify->checksums = sums;
    r = verify_segment(verify);
    if (r == 0 && sealed && sums == NULL && verify->n_damages == 0)
        scrub_make_sidecar(part, segment, file, verify->size);
    else if (r == 0 && sums != NULL && verify->distrusted)
        checksums_unlink(part->local->env, part->dir, segment->base);
    free(sums);
    verify->checksums = NULL;
    return error_trace(r);
}

struct scrub_task {
    struct part_task task;
    struct segment *segment;
    bool only_sidecar;
    uint64_t size;
    struct verify verify;
};

static void scrub_run(struct part_task *base)
{
    struct scrub_task *task = container_of(base, struct scrub_task, task);
    struct file *file;
    base->result = segment_open(task->segment, base->part->dir, &file);
    if (base->result < 0)
        return;
    if (task->only_sidecar)
        scrub_make_sidecar(base->part, task->segment, file, task->size);
    else
        base->result = part_verify(base->part, task->segment, file, true, &task->verify);
    file_unref(file);
}

/* --- on the loop --- */

static void scrub_done(struct part_task *base)
{
    struct scrub_task *task = container_of(base, struct scrub_task, task);
    struct part *part = base->part;
    struct segment *segment = task->segment;
    if (!task->only_sidecar)
        part->home->scrubbing = false;
    if (!task->only_sidecar && base->result == 0 && part_ready(part) == ENGINE_OK &&
        list_linked(&segment->link)) {
        part_quarantine(part, segment, task->verify.damages, task->verify.n_damages);
        segment_trust(segment, 0, task->size);
    }
    segment_unref(segment);
    free(task->verify.damages);
    free(task);
}

static void scrub_submit(struct part *part, struct segment *segment, bool only_sidecar)
{
    struct scrub_task *task = xnew(struct scrub_task);
    task->segment = segment_ref(segment);
    task->only_sidecar = only_sidecar;
    task->size = segment->size;
    task->verify = (struct verify){.base = segment->base,
        .end = segment->end,
        .size = segment->size,
        .gaps = part_has_gaps(part, segment->base)};
    part_task_submit(part, &task->task, true, scrub_run, scrub_done);
}

void part_sealed(struct part *part, struct segment *segment)
{
    segment->scrub_round = part->home->scrub_round; /* just written: time enough in a week */
    if (segment->size > 0 && segment->warm_pos == 0)
        scrub_submit(part, segment, true);
}

/* The next one of this round, or NULL. */
static struct segment *scrub_next(struct home *home, struct part **ret_part)
{
    struct part *part;
    list_for_each_entry (part, &home->parts, link) {
        if (part->phase != PART_OWNED || part->acquire_pending ||
            part->scrub_round == home->scrub_round)
            continue;
        struct segment *segment;
        list_for_each_entry (segment, &part->segments, link) {
            if (segment != part_active(part) && segment->scrub_round != home->scrub_round &&
                segment->size > 0) {
                *ret_part = part;
                return segment;
            }
        }
        part->scrub_round = home->scrub_round;
    }
    return NULL;
}

static void home_on_scrub(struct timer *timer)
{
    struct home *home = container_of(timer, struct home, scrub_timer);
    int64_t delay_ms = SCRUB_MS;
    struct part *part;
    if (home->scrub_credit < (int64_t)home->local->scrub_rate)
        home->scrub_credit += (int64_t)home->local->scrub_rate;
    if (home->scrub_credit > 0 && !home->scrubbing) {
        struct segment *segment = scrub_next(home, &part);
        if (segment != NULL) {
            segment->scrub_round = home->scrub_round;
            home->scrub_credit -= (int64_t)segment->size;
            home->scrubbing = true;
            scrub_submit(part, segment, false);
        } else {
            home->scrub_round++;
            delay_ms = SCRUB_REST_MS;
        }
    }
    timer_start(timer, home->loop, delay_ms, home_on_scrub);
}

void home_scrub_soon(struct home *home)
{
    if (home->local->scrub_rate > 0)
        timer_start(&home->scrub_timer, home->loop, SCRUB_MS, home_on_scrub);
}
