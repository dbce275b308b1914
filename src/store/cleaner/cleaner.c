// SPDX-License-Identifier: BSD-2-Clause
/*
 * Compaction as the home loop sees it: which log, how far, and how the result takes its place.
 *
 *   log start        cleaned_end            bound        active segment
 *      |   compacted      |      dirty        |   not yet   |
 *      +------------------+-------------------+-------------+
 *
 * Happy path. A timer looks for the log with the greatest dirty share (or one in which something
 * waits longer than max.compaction.lag.ms). cleaner_pass writes new files beside everything else
 * that the part does. Then the swap, in order with the part's other tasks: the checkpoint, then per
 * group cleaner_swap; the loop puts the new segments in the list in one step. Reads that ran on the
 * pool after the swap with an old segment find it gone from the list and are done again; those
 * before it hold the old file open. As many passes run in the process as log.cleaner.threads says,
 * but at most LOCAL_CLEANERS_MAX, so that the pool always has threads for others; of one log one at
 * a time. Each home takes its dirtiest log.
 *
 * Only what is durable is compacted, and the recovery point is on the medium before the first swap:
 * so recovery never judges gaps as a broken tail.
 *
 * Failure modes. The part closes: the pass is cancelled. Segments went meanwhile (retention): the
 * pass is for nothing. Damage: one warning, and the part is not compacted any more by this process.
 * A failure of the disk: a warning, and a later look tries again; after a commit the part goes
 * offline, because only recovery can complete the swap.
 */
#include "store/cleaner/cleaner.h"

#include "base/error.h"
#include "base/log.h"
#include "store/cleaner/cleaner_pass.h"
#include "store/cleaner/cleaner_swap.h"

#include <assert.h>
#include <inttypes.h>

#define CLEANER_RETRY_MS     100   /* as many passes run as may */
#define CLEANER_FRUITLESS_MS 60000 /* after a pass that came to nothing */

struct cleaner_work {
    struct part_task task;
    struct cleaner_pass pass;
    unsigned n_swapped;
    bool committed, stuck; /* the group after the swapped ones */
};

/* --- what there is to do --- */

struct cleaner_view {
    unsigned count;      /* of segments below the bound, from the front */
    int64_t first_dirty; /* offset */
    int64_t bound;
    int64_t oldest_ms;     /* of what was never compacted; INT64_MAX: nothing */
    uint64_t clean, dirty; /* bytes */
};

static int64_t segment_newest_ms(const struct segment *segment)
{
    return segment->max_timestamp >= 0 ? segment->max_timestamp : segment->created_ms;
}

static int64_t segment_oldest_ms(const struct segment *segment)
{
    return segment->first_timestamp >= 0 ? segment->first_timestamp : segment->created_ms;
}

static bool segment_settled(
    const struct part *part, const struct segment *segment, int64_t bound, int64_t now_ms)
{
    if (segment->end > bound || segment->synced_size < segment->size)
        return false;
    int64_t lag_ms = part->config.min_compaction_lag_ms;
    return segment->end <= part->cleaned_end || lag_ms <= 0 ||
           segment_newest_ms(segment) <= now_ms - lag_ms;
}

static void cleaner_look(struct part *part, int64_t bound, struct cleaner_view *ret_view)
{
    int64_t now_ms = env_real_ms(part->local->env);
    struct cleaner_view view = {.oldest_ms = INT64_MAX};
    struct segment *segment, *active = part_active(part);
    bound = bound < part->durable_end ? bound : part->durable_end;
    view.bound = view.first_dirty = part->log_start;
    if (part->cleaned_end > view.first_dirty)
        view.first_dirty = part->cleaned_end;
    list_for_each_entry (segment, &part->segments, link) {
        if (segment == active || !segment_settled(part, segment, bound, now_ms))
            break;
        view.count++;
        view.bound = segment->end;
        bool dirty = segment->end > view.first_dirty && segment->size > 0;
        *(dirty ? &view.dirty : &view.clean) += segment->size;
        if (dirty && segment_oldest_ms(segment) < view.oldest_ms)
            view.oldest_ms = segment_oldest_ms(segment);
    }
    *ret_view = view;
}

static bool cleaner_can(const struct part *part)
{
    return part->config.cleanup_compact && part_ready(part) == ENGINE_OK && !part->cleaning &&
           !part->clean_blocked && loop_now_ms(part->home->loop) >= part->clean_after_ms &&
           part->n_segments > 1 && !atomic_load(&part->local->full);
}

/* The share of dirty bytes when the log is due, else -1. */
static double cleaner_dirt(struct part *part)
{
    struct cleaner_view view;
    if (!cleaner_can(part))
        return -1;
    cleaner_look(part, INT64_MAX, &view);
    if (view.dirty == 0)
        return -1;
    double share = (double)view.dirty / (double)(view.dirty + view.clean);
    int64_t lag_ms = part->config.max_compaction_lag_ms;
    bool overdue = lag_ms != INT64_MAX && view.oldest_ms < env_real_ms(part->local->env) - lag_ms;
    return overdue || part->clean_more || share > part->config.min_cleanable_ratio ? share : -1;
}

/* An active segment that waits too long for its end is sealed, so that it can be compacted. */
static void cleaner_roll(struct part *part)
{
    struct segment *active = part_active(part);
    int64_t lag_ms = part->config.max_compaction_lag_ms;
    if (!part->config.cleanup_compact || part_ready(part) != ENGINE_OK || part->preparing ||
        part->writing || part->cutting || active == NULL || active->size == 0 ||
        lag_ms == INT64_MAX)
        return;
    if (env_real_ms(part->local->env) - segment_oldest_ms(active) > lag_ms)
        part_prepare(part, true);
}

/* --- the end of a pass or a swap --- */

/* `fruitful`: the log is cleaner than before; else others come first for a while. */
static void cleaner_end(struct part *part, struct cleaner_work *work, bool fruitful)
{
    struct local *local = part->local;
    if (!fruitful) {
        part->clean_more = false;
        part->clean_after_ms = loop_now_ms(part->home->loop) + CLEANER_FRUITLESS_MS;
    }
    part->cleaning = NULL;
    part->swapping = false;
    cleaner_pass_deinit(&work->pass);
    free(work);
    atomic_fetch_sub(&local->cleaners, 1);
    struct home *home = part->home;
    if (part->clean_more && timer_running(&home->cleaner_timer))
        timer_start(&home->cleaner_timer, home->loop, 1, home->cleaner_timer.fn);
}

static void cleaner_block(struct part *part, const struct cleaner_fault *fault)
{
    part->clean_blocked = true;
    part->clean_more = false;
    log_warn("partition.compaction_stopped",
        "partition=%s segment=%" PRId64 " pos=%" PRIu64 " offset=%" PRId64 " reason=\"%s\"",
        part->label, fault->segment, fault->pos, fault->offset, fault->reason);
}

static void cleaner_failed(struct part *part, int error, const char *what)
{
    static struct log_limit limit;
    if (log_limit_pass(&limit, 1000))
        log_warn("partition.compaction_failed", "partition=%s during=%s error=\"%s\"", part->label,
            what, log_errno(-error).str);
}

/* --- the swap --- */

/* Of the new log, which was synced before it took its place. */
static void swap_make_sidecar(struct part *part, const struct cleaner_group *group)
{
    struct checksums_place place = part_checksums(part, group->base);
    _cleanup_(freep) char *path = segment_path(part->dir, group->base, ".log");
    int fd = group->size == 0 ? -1 : place.env->ops->file_open(place.env, path, ENV_OPEN_READ);
    if (fd < 0)
        return;
    struct file *file = file_new(place.env, fd);
    if (checksums_make(&place, file, group->size, NULL, true, true) < 0)
        log_debug("checksums.not_saved", "partition=%s segment=%" PRId64, part->label, group->base);
    file_unref(file);
}

static int swap_run_group(struct cleaner_work *work, const struct cleaner_group *group)
{
    struct part *part = work->task.part;
    struct cleaner_pass *pass = &work->pass;
    int r = cleaner_swap_commit(pass->env, pass->dir, group->base, group->end, &work->stuck);
    if (r < 0)
        return r;
    work->committed = true;
    int64_t *bases = xnew_n(int64_t, group->count);
    for (unsigned i = 0; i < group->count; i++) {
        struct segment *segment = pass->sources[group->first + i].segment;
        bases[i] = segment->base;
        atomic_store(&segment->retired, true);
        files_close(part->local->files, &segment->slot); /* likely the last one: not on the loop */
    }
    r = cleaner_swap_finish(pass->env, pass->dir, group->base, group->end, bases, group->count);
    free(bases);
    if (r < 0)
        return r;
    work->committed = false;
    r = index_save(pass->env, pass->dir, group->base, group->index);
    if (r < 0) /* it is only a cache */
        log_debug("index.not_saved", "partition=%s segment=%" PRId64, part->label, group->base);
    swap_make_sidecar(part, group);
    return 0;
}

static void swap_run(struct part_task *base)
{
    struct cleaner_work *work = container_of(base, struct cleaner_work, task);
    struct cleaner_pass *pass = &work->pass;
    base->result = checkpoint_write(base->part->local->checkpoint);
    while (base->result == 0 && work->n_swapped < pass->n_groups) {
        struct cleaner_group *group = &pass->groups[work->n_swapped];
        base->result = group->changed ? swap_run_group(work, group) : 0;
        if (base->result == 0)
            work->n_swapped++;
    }
    if (base->result < 0 && !work->committed)
        cleaner_pass_discard(pass);
}

/* The segment of a group takes the place of its sources in the list. */
static void swap_adopt(struct part *part, struct cleaner_pass *pass, struct cleaner_group *group)
{
    const struct cleaner_source *last = &pass->sources[group->first + group->count - 1];
    struct segment *first = pass->sources[group->first].segment;
    struct segment *segment = segment_new(part->local->files, group->base);
    segment->size = segment->synced_size = segment->warm_pos = group->size;
    segment->end = segment->synced_end = group->end;
    segment->created_ms = last->segment->created_ms;
    segment->first_timestamp = group->first_timestamp;
    segment->max_timestamp = group->index->max_timestamp;
    list_insert_before(&first->link, &segment->link);
    part->n_segments++;
    part->size += segment->size;
    for (unsigned i = 0; i < group->count; i++)
        part_drop_segment(part, pass->sources[group->first + i].segment);
    if (segment->size > 0)
        part_index_offer(part, segment, group->index);
}

static void swap_done(struct part_task *base)
{
    struct cleaner_work *work = container_of(base, struct cleaner_work, task);
    struct cleaner_pass *pass = &work->pass;
    struct part *part = base->part;
    int result = base->result;
    for (unsigned i = 0; i < work->n_swapped; i++) {
        if (pass->groups[i].changed)
            swap_adopt(part, pass, &pass->groups[i]);
    }
    if (result == 0) {
        log_info("partition.compacted",
            "partition=%s from=%" PRId64 " to=%" PRId64 " size_before=%" PRIu64
            " size_after=%" PRIu64,
            part->label, pass->first_dirty, pass->map_end, pass->size_before, pass->size_after);
        part->clean_more =
            pass->n_sources > 0 && pass->map_end < pass->sources[pass->n_sources - 1].end;
        part->cleaned_end = pass->map_end;
        part->aborted_end = 0; /* the files went with the segments */
        if (part->phase == PART_OWNED)
            part_mark(part);
    } else {
        cleaner_failed(part, result, "swap");
    }
    bool committed = work->committed;
    part->clean_blocked = part->clean_blocked || work->stuck;
    cleaner_end(part, work, result == 0);
    if (committed && part->phase != PART_OFFLINE)
        part_go_offline(part, result, "the swap of a compacted segment");
    else if (part->phase == PART_REPAIRING && !part->preparing && !part->writing)
        part_repair(part);
    else if (part->phase == PART_OWNED)
        part_trim(part);
    part_complete(part);
}

/* --- the pass --- */

static bool cleaner_sources_there(const struct cleaner_pass *pass)
{
    for (unsigned i = 0; i < pass->n_sources; i++) {
        if (!list_linked(&pass->sources[i].segment->link))
            return false;
    }
    return true;
}

static void pass_run(struct part_task *base)
{
    struct cleaner_work *work = container_of(base, struct cleaner_work, task);
    base->result = cleaner_pass_run(&work->pass);
}

static void discard_run(struct part_task *base)
{
    struct cleaner_work *work = container_of(base, struct cleaner_work, task);
    cleaner_pass_discard(&work->pass);
}

static void discard_done(struct part_task *base)
{
    cleaner_end(base->part, container_of(base, struct cleaner_work, task), true);
}

static void pass_done(struct part_task *base)
{
    struct cleaner_work *work = container_of(base, struct cleaner_work, task);
    struct part *part = base->part;
    if (base->result == CLEANER_E_DAMAGED && cleaner_sources_there(&work->pass))
        cleaner_block(part, &work->pass.fault);
    else if (base->result < 0 && cleaner_sources_there(&work->pass))
        cleaner_failed(part, base->result, "pass");
    bool nothing = work->pass.n_groups == 0;
    if (base->result != 0 || nothing) {
        cleaner_end(part, work, false);
    } else if (part_ready(part) != ENGINE_OK || !part->config.cleanup_compact ||
               !cleaner_sources_there(&work->pass)) {
        part_task_submit(part, base, true, discard_run, discard_done);
    } else {
        const struct cleaner_source *last = &work->pass.sources[work->pass.n_sources - 1];
        part->swapping = true;
        if (last->end > part->gaps_end)
            part->gaps_end = last->end;
        part_mark(part);
        part_task_submit(part, base, false, swap_run, swap_done);
    }
}

static void cleaner_fill(
    struct part *part, struct cleaner_pass *pass, const struct cleaner_view *view)
{
    struct local *local = part->local;
    pass->env = local->env;
    pass->dir = part->dir;
    pass->owner = part->owner;
    pass->gaps_end = part->gaps_end;
    pass->first_dirty = view->first_dirty;
    pass->now_ms = env_real_ms(local->env);
    pass->delete_retention_ms = part->config.delete_retention_ms;
    pass->segment_size_max = part->config.segment_size_max < SEGMENT_SIZE_MAX
                                 ? part->config.segment_size_max
                                 : SEGMENT_SIZE_MAX;
    pass->index_interval_size = part->config.index_interval_size;
    pass->index_size_max = part->config.index_size_max;
    pass->map_size_max = local->cleaner_map_size_max;
    pass->piece_size = local->cleaner_piece_size;
    pass->rate = local->cleaner_rate;
    pass->free_ns = &local->cleaner_free_ns;
    pass->sources = xnew_n(struct cleaner_source, view->count);
    struct segment *segment;
    list_for_each_entry (segment, &part->segments, link) {
        if (pass->n_sources == view->count)
            break;
        pass->sources[pass->n_sources++] = (struct cleaner_source){
            segment_ref(segment), segment->base, segment->end, segment->size};
    }
}

/* False: there is nothing to do, or not now. Else its place among the cleaners is given back at
 * the end. */
static bool cleaner_start(struct part *part)
{
    struct cleaner_work *work = xnew(struct cleaner_work);
    struct cleaner_view view = {.count = 0};
    work->pass.facts.bound = INT64_MAX;
    bool known =
        part->sink->on_clean == NULL || part->sink->on_clean(part->ctx, part, &work->pass.facts);
    if (known)
        cleaner_look(part, work->pass.facts.bound, &view);
    if (view.count == 0 || view.dirty == 0) {
        cleaner_pass_deinit(&work->pass);
        free(work);
        return false;
    }
    cleaner_fill(part, &work->pass, &view);
    part->cleaning = work;
    part_task_submit(part, &work->task, true, pass_run, pass_done);
    return true;
}

void part_clean_cancel(struct part *part)
{
    if (part->cleaning != NULL)
        atomic_store(&part->cleaning->pass.cancelled, true);
}

/* --- the look --- */

/* One of the places for a pass, when one is free. */
static bool cleaner_enter(struct local *local)
{
    unsigned running = atomic_load(&local->cleaners);
    while (running < local->cleaner_threads) {
        if (atomic_compare_exchange_weak(&local->cleaners, &running, running + 1))
            return true;
    }
    return false;
}

void home_clean(struct home *home)
{
    struct part *part, *dirtiest = NULL;
    double most = -1;
    list_for_each_entry (part, &home->parts, link) {
        cleaner_roll(part);
        double dirt = cleaner_dirt(part);
        if (dirt > most) {
            most = dirt;
            dirtiest = part;
        }
    }
    int64_t delay_ms = home->local->cleaner_backoff_ms;
    if (dirtiest != NULL && !cleaner_enter(home->local))
        delay_ms = delay_ms < CLEANER_RETRY_MS ? delay_ms : CLEANER_RETRY_MS;
    else if (dirtiest != NULL && !cleaner_start(dirtiest)) {
        atomic_fetch_sub(&home->local->cleaners, 1);
        /* An open transaction holds it, say: others come first at the next look. */
        dirtiest->clean_after_ms = loop_now_ms(home->loop) + 2 * delay_ms;
    }
    timer_start(&home->cleaner_timer, home->loop, delay_ms, home->cleaner_timer.fn);
}
