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

/* Bytes of log that are looked through for the sake of a sidecar: at a stop somebody waits. */
#define SIDECAR_WALK_MAX (256U << 20)
#define SIDECAR_COLD_MAX (64U << 20) /* from an earlier life: all of them are read */

/* --- on the pool --- */

struct checksums_place part_checksums(const struct part *part, int64_t base)
{
    return (struct checksums_place){part->local->env, part->dir, base, part->owner};
}

/* What is there already, and has to do with the log as it is; NULL: none. 0 or -errno. */
static int sidecar_load(
    const struct checksums_place *place, bool gaps, struct checksums **ret_checksums)
{
    *ret_checksums = NULL;
    int r = checksums_load(place, ret_checksums);
    if (r == 0 && gaps && !checksums_sealed(place, *ret_checksums)) {
        free(steal(ret_checksums)); /* perhaps from before it was compacted */
        r = checksums_unlink(place);
    }
    return r < 0 ? error_trace(r) : 0;
}

/* Whether all below `size` is as it should be. */
static bool sidecar_look(struct file *file, const struct checksums *before,
    const struct segment *segment, uint64_t size, bool gaps)
{
    struct verify verify = {.file = file,
        .base = segment->base,
        .end = INT64_MAX,
        .size = size,
        .gaps = gaps,
        .checksums = before};
    int r = verify_segment(&verify);
    bool good = r == 0 &&
                (verify.n_damages == 0 || (verify.n_damages == 1 && verify.damages[0].pos == size));
    free(verify.damages);
    return good;
}

/* 0, CHECKSUMS_E_NONE or -errno. */
static int sidecar_make(
    struct part *part, struct segment *segment, struct file *file, const struct sidecar_wish *wish)
{
    uint64_t size = wish->size, warm = wish->warm;
    bool gaps = wish->gaps;
    struct checksums_place place = part_checksums(part, segment->base);
    struct checksums *before;
    int r = sidecar_load(&place, gaps, &before);
    uint64_t known = before == NULL ? 0 : before->log_size;
    if (r == 0 && (known != size || (wish->final && !before->final))) {
        bool good = known <= size &&
                    (known >= warm || (warm <= SIDECAR_COLD_MAX &&
                                          sidecar_look(file, before, segment, warm, gaps)));
        if (good && size - known <= SIDECAR_WALK_MAX)
            r = checksums_make(&place, file, size, before, wish->final, wish->seal);
    }
    free(before);
    return r;
}

struct sidecar_wish part_sidecar_wish(const struct part *part, const struct segment *segment)
{
    bool checked = segment->verified_from == 0 && segment->verified_to >= segment->warm_pos;
    return (struct sidecar_wish){
        .size = segment->damaged ? 0 : segment->size,
        .warm = checked ? 0 : segment->warm_pos,
        .gaps = part_has_gaps(part, segment->base),
        .seal = part_may_seal(part),
        .final = segment->link.next != &part->segments,
    };
}

void part_make_sidecar(struct part *part, struct segment *segment, const struct sidecar_wish *wish)
{
    struct file *file;
    if (atomic_load(&segment->retired) || wish->size == 0)
        return;
    int r = segment_open(segment, part->dir, &file);
    if (r == 0) {
        r = sidecar_make(part, segment, file, wish);
        file_unref(file);
    }
    if (r < 0) /* it is only a help */
        log_debug(
            "checksums.not_saved", "partition=%s segment=%" PRId64, part->label, segment->base);
}

int part_verify(struct part *part, struct segment *segment, struct file *file,
    const struct sidecar_wish *wish, struct verify *verify)
{
    struct checksums_place place = part_checksums(part, segment->base);
    struct checksums *sums;
    int r = sidecar_load(&place, verify->gaps, &sums);
    if (r < 0)
        return error_trace(r);
    verify->file = file;
    verify->checksums = sums;
    r = verify_segment(verify);
    bool whole = sums != NULL && sums->log_size == verify->size && sums->final;
    if (r == 0 && wish->size == verify->size && !whole && verify->n_damages == 0 &&
        !atomic_load(&segment->retired) &&
        checksums_make(&place, file, verify->size, sums, wish->final, wish->seal) < 0)
        log_debug(
            "checksums.not_saved", "partition=%s segment=%" PRId64, part->label, segment->base);
    free(sums);
    verify->checksums = NULL;
    return error_trace(r);
}

struct scrub_task {
    struct part_task task;
    struct segment *segment;
    bool only_sidecar;
    struct sidecar_wish wish;
    struct verify verify;
};

static void scrub_run(struct part_task *base)
{
    struct scrub_task *task = container_of(base, struct scrub_task, task);
    struct file *file;
    if (task->only_sidecar) {
        part_make_sidecar(base->part, task->segment, &task->wish);
        return;
    }
    base->result = segment_open(task->segment, base->part->dir, &file);
    if (base->result < 0)
        return;
    base->result =
        part_verify(base->part, task->segment, file, &(struct sidecar_wish){0}, &task->verify);
    file_unref(file);
}

/* --- on the loop --- */

static void scrub_submit(struct part *part, struct segment *segment, bool only_sidecar);

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
        segment_trust(segment, 0, task->verify.size);
        if (task->verify.n_damages == 0) /* now that it was looked at */
            scrub_submit(part, segment, true);
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
    task->wish = part_sidecar_wish(part, segment);
    task->verify = (struct verify){.base = segment->base,
        .end = segment->end,
        .size = segment->size,
        .gaps = part_has_gaps(part, segment->base)};
    /* In order with the swaps of compaction: one of what was there before would be wrong. */
    part_task_submit(part, &task->task, !only_sidecar, scrub_run, scrub_done);
}

void part_sealed(struct part *part, struct segment *segment)
{
    segment->scrub_round = part->home->scrub_round; /* just written: time enough in a week */
    if (segment->size > 0 && segment->synced_size == segment->size && !segment->damaged)
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
