// SPDX-License-Identifier: BSD-2-Clause
/*
 *   state        event                      becomes
 *   (beyond end) acquired                   ACQUIRED, first delivery
 *   AVAILABLE    acquired                   ACQUIRED, one more delivery
 *   AVAILABLE    not in the log             ARCHIVED
 *   ACQUIRED     accepted                   ACKNOWLEDGED, once written
 *   ACQUIRED     rejected, or a gap         ARCHIVED, once written
 *   ACQUIRED     released                   AVAILABLE (after its last delivery ARCHIVED), once
 * written ACQUIRED     renewed                    ACQUIRED, locked anew ACQUIRED     lock ended
 * AVAILABLE (after its last delivery ARCHIVED), at once any          start moved beyond it gone
 *   ACKNOWLEDGED, ARCHIVED at the start     gone, and the start moves
 *
 * Whatever is written meanwhile stays ACQUIRED and is nobody's to touch; when the write failed it
 * is as before.
 *
 * Every change goes through the runs once and makes a new list of them: pieces are pushed one after
 * the other, and what is alike and adjacent becomes one.
 */
#include "broker/share/share_window.h"

#include "base/canary.h"

#include <assert.h>
#include <stdlib.h>

struct share_owner {
    size_t runs_count; /* that refer to it */
    size_t size;
    uint8_t id[];
};

static bool share_is_done(uint8_t state)
{
    return state == SHARE_RECORD_ACKNOWLEDGED || state == SHARE_RECORD_ARCHIVED;
}

static int64_t share_run_count(const struct share_run *run)
{
    return run->last - run->first + 1;
}

/* --- owners --- */

static struct slice share_owner_id(const struct share_owner *owner)
{
    return slice_make(owner->id, owner->size);
}

static struct share_owner *share_owner_at(struct share_window *window, struct slice id)
{
    struct share_owner *owner = map_get(&window->owners, id);
    if (owner != NULL)
        return owner;
    owner = xcalloc(1, sizeof(*owner) + id.size);
    owner->size = id.size;
    if (id.size > 0)
        memcpy(owner->id, id.data, id.size);
    map_put(&window->owners, share_owner_id(owner), owner);
    return owner;
}

static void share_owner_put(struct share_window *window, struct share_owner *owner)
{
    if (owner == NULL || --owner->runs_count > 0)
        return;
    map_remove(&window->owners, share_owner_id(owner));
    free(owner);
}

/* --- lists of runs --- */

static bool share_runs_alike(const struct share_run *a, const struct share_run *b)
{
    if (a->last + 1 != b->first || a->state != b->state || a->write != b->write ||
        a->target != b->target || a->owner != b->owner)
        return false;
    if (share_is_done(a->state))
        return true;
    return a->count == b->count && a->batch_first == b->batch_first &&
           a->deadline_ms == b->deadline_ms;
}

static void share_runs_push(struct share_runs *runs, const struct share_run *run)
{
    struct share_run *last = runs->count > 0 ? &runs->runs[runs->count - 1] : NULL;
    assert(run->first <= run->last && (last == NULL || last->last + 1 == run->first));
    if (last != NULL && share_runs_alike(last, run)) {
        last->last = run->last;
        return;
    }
    if (runs->count == runs->capacity) {
        runs->capacity = runs->capacity * 2 + 8;
        runs->runs = xrealloc(runs->runs, runs->capacity * sizeof(*run));
    }
    runs->runs[runs->count++] = *run;
    if (run->owner != NULL)
        run->owner->runs_count++;
}

/* The part of a run within [first, last]. */
static struct share_run share_run_part(const struct share_run *run, int64_t first, int64_t last)
{
    struct share_run part = *run;
    part.first = first > run->first ? first : run->first;
    part.last = last < run->last ? last : run->last;
    return part;
}

static void share_runs_push_part(
    struct share_runs *runs, const struct share_run *run, int64_t first, int64_t last)
{
    struct share_run part = share_run_part(run, first, last);
    if (part.first <= part.last)
        share_runs_push(runs, &part);
}

/* Takes the new list; what is done at its front goes. */
static void share_window_take(struct share_window *window, struct share_runs *take_runs)
{
    struct share_runs before = window->runs;
    window->runs = *take_runs;
    *take_runs = (struct share_runs){0};
    for (size_t i = 0; i < before.count; i++)
        share_owner_put(window, before.runs[i].owner);
    free(before.runs);
    size_t done = 0;
    while (done < window->runs.count && share_is_done(window->runs.runs[done].state))
        done++;
    if (done > 0) {
        window->start = window->runs.runs[done - 1].last + 1;
        window->runs.count -= done;
        memmove(window->runs.runs, window->runs.runs + done,
            window->runs.count * sizeof(struct share_run));
    }
    if (window->runs.count > 0)
        window->end = window->runs.runs[window->runs.count - 1].last + 1;
    else if (window->end < window->start)
        window->end = window->start;
}

/* The first run that reaches the offset. */
static size_t share_window_find(const struct share_window *window, int64_t offset)
{
    size_t low = 0, high = window->runs.count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (window->runs.runs[middle].last < offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void share_change_add(struct buffer *changes, const struct share_run *run, uint8_t state)
{
    struct share_state_batch batch = {run->first, run->last, (int8_t)state, run->count};
    buffer_append(changes, &batch, sizeof(batch));
}

/* --- life --- */

void share_window_init(struct share_window *window, int64_t start)
{
    *window = (struct share_window){.start = start, .end = start, .owners = MAP_NULL};
}

void share_window_deinit(struct share_window *window)
{
    struct share_runs none = {0};
    share_window_take(window, &none);
    assert(window->owners.count == 0);
    map_deinit(&window->owners);
}

bool share_window_load(struct share_window *window, const struct share_state_batch *batches,
    size_t count, int64_t log_end)
{
    assert(window->runs.count == 0);
    struct share_runs runs = {0};
    int64_t at = window->start;
    for (size_t i = 0; i < count; i++) {
        const struct share_state_batch *batch = &batches[i];
        bool fine = batch->first_offset >= at && batch->last_offset >= batch->first_offset &&
                    batch->last_offset < INT64_MAX &&
                    (batch->delivery_state == SHARE_RECORD_AVAILABLE ||
                        share_is_done((uint8_t)batch->delivery_state));
        if (!fine) {
            free(runs.runs);
            return false;
        }
        if (batch->first_offset >= log_end)
            break;
        struct share_run run = {.first = at,
            .last = batch->first_offset - 1,
            .batch_first = at,
            .batch_count = 1,
            .state = SHARE_RECORD_AVAILABLE};
        if (run.first <= run.last)
            share_runs_push(&runs, &run);
        int64_t last = batch->last_offset < log_end ? batch->last_offset : log_end - 1;
        int64_t size = last - batch->first_offset + 1;
        run = (struct share_run){.first = batch->first_offset,
            .last = last,
            .batch_first = batch->first_offset,
            .batch_count = size < UINT32_MAX ? (uint32_t)size : UINT32_MAX,
            .count = batch->delivery_count,
            .state = (uint8_t)batch->delivery_state};
        share_runs_push(&runs, &run);
        at = last + 1;
    }
    share_window_take(window, &runs);
    return true;
}

/* --- acquiring --- */

int64_t share_window_next(const struct share_window *window)
{
    for (size_t i = 0; i < window->runs.count; i++) {
        if (window->runs.runs[i].state == SHARE_RECORD_AVAILABLE)
            return window->runs.runs[i].first;
    }
    return window->end;
}

bool share_window_has_room(const struct share_window *window, const struct share_limits *limits)
{
    return share_window_next(window) != window->end ||
           window->end - window->start < limits->records_max;
}

struct share_acquiring {
    struct share_window *window;
    const struct share_limits *limits;
    struct share_acquire *acquire;
    struct share_runs out;
    struct share_owner *owner;
    struct share_acquired range; /* being made; count 0: none */
    size_t range_from;           /* its first run in `out` */
    int64_t end;                 /* offset behind what is in `out` */
    int64_t new_left;            /* records that nobody got yet which may be acquired */
    bool full;
};

static void share_range_close(struct share_acquiring *my)
{
    if (my->range.count == 0)
        return;
    buffer_append(my->acquire->ret_acquired, &my->range, sizeof(my->range));
    for (size_t i = my->range_from; i < my->out.count; i++) {
        struct share_run *run = &my->out.runs[i];
        if (run->batch_count == 0)
            run->batch_count = (uint32_t)(my->range.last - run->batch_first + 1);
    }
    my->range.count = 0;
}

/* `batch_first` -1: acquired for the first time. A range ends where the next batch begins after it
 * has its size. */
static void share_acquire_run(struct share_acquiring *my, struct share_run *run)
{
    bool joins = my->range.count == run->count && my->range.last + 1 == run->first &&
                 run->first - my->range.first < my->acquire->batch_size;
    if (joins) {
        my->range.last = run->last;
    } else {
        share_range_close(my);
        my->range = (struct share_acquired){run->first, run->last, run->count};
        my->range_from = my->out.count;
    }
    if (run->batch_first < 0) {
        run->batch_first = my->range.first;
        run->batch_count = 0;
    }
    share_runs_push(&my->out, run);
    my->acquire->count += (int32_t)share_run_count(run);
}

static struct share_run share_acquired_run(
    const struct share_acquiring *my, int64_t first, int64_t last)
{
    return (struct share_run){.first = first,
        .last = last,
        .owner = my->owner,
        .deadline_ms = my->limits->now_ms + my->limits->lock_ms,
        .batch_first = -1,
        .count = 1,
        .state = SHARE_RECORD_ACQUIRED};
}

/* How many of a run that was delivered before; *ret_alone: and nothing else with them. */
static int64_t share_portion(
    const struct share_acquiring *my, const struct share_run *run, bool *ret_alone)
{
    int16_t max = my->limits->count_max;
    int16_t careful = (int16_t)((max + 1) / 2 > 2 ? (max + 1) / 2 : 2);
    int64_t left = my->acquire->records_max - my->acquire->count;
    int64_t size = share_run_count(run);
    *ret_alone = run->count >= careful;
    if (!*ret_alone)
        return my->acquire->exact && size > left ? left : size;
    if (my->acquire->count > 0)
        return 0;
    int shift = run->count - careful + 1;
    int64_t portion = shift < 32 ? run->batch_count >> shift : 0;
    if (portion < 1 || (max > 2 && run->count >= max - 1))
        portion = 1;
    if (my->acquire->exact && portion > left)
        portion = left;
    return portion < size ? portion : size;
}

/* A run of the window, within a span. */
static void share_acquire_again(struct share_acquiring *my, struct share_run run)
{
    bool free_to_take = run.state == SHARE_RECORD_AVAILABLE ||
                        (run.state == SHARE_RECORD_ACQUIRED && canary(SHARE_LOCK_IGNORED));
    if (my->full || !free_to_take) {
        share_runs_push(&my->out, &run);
        return;
    }
    bool alone;
    int64_t portion = share_portion(my, &run, &alone);
    my->full = alone;
    if (portion > 0) {
        struct share_run taken = share_acquired_run(my, run.first, run.first + portion - 1);
        taken.count = (int16_t)(run.count + 1);
        taken.batch_first = run.batch_first;
        taken.batch_count = run.batch_count;
        share_acquire_run(my, &taken);
    }
    my->full = my->full || my->acquire->count >= my->acquire->records_max;
    share_runs_push_part(&my->out, &run, run.first + portion, run.last);
}

/* What nobody got yet. */
static void share_acquire_new(struct share_acquiring *my, int64_t first, int64_t last)
{
    int64_t left = my->acquire->records_max - my->acquire->count;
    if (left > my->new_left)
        left = my->new_left;
    int64_t size = last - first + 1;
    int64_t room = my->window->start + SHARE_WINDOW_COUNT_MAX - first;
    if (left <= 0 || room <= 0) {
        my->full = true;
        return;
    }
    if (my->acquire->exact && size > left)
        size = left;
    if (size > room)
        size = room;
    struct share_run run = share_acquired_run(my, first, first + size - 1);
    share_acquire_run(my, &run);
    my->new_left -= size;
    my->full = size < last - first + 1 || my->acquire->count >= my->acquire->records_max;
    my->end = first + size;
}

static void share_push_archived(struct share_runs *runs, int64_t first, int64_t last)
{
    share_runs_push(
        runs, &(struct share_run){.first = first, .last = last, .state = SHARE_RECORD_ARCHIVED});
}

/* Goes on to `last`: with records that may be acquired (`live`), or with offsets where none is. */
static void share_acquire_upto(struct share_acquiring *my, size_t *index, int64_t last, bool live)
{
    struct share_window *window = my->window;
    while (my->end <= last && *index < window->runs.count) {
        struct share_run run = share_run_part(&window->runs.runs[*index], my->end, last);
        *index += run.last == window->runs.runs[*index].last;
        my->end = run.last + 1;
        if (live)
            share_acquire_again(my, run);
        else if (run.state == SHARE_RECORD_AVAILABLE)
            share_push_archived(&my->out, run.first, run.last);
        else
            share_runs_push(&my->out, &run);
    }
    if (my->end > last || my->full)
        return;
    if (live) {
        share_acquire_new(my, my->end, last);
    } else {
        share_push_archived(&my->out, my->end, last);
        my->end = last + 1;
    }
}

void share_window_acquire(
    struct share_window *window, const struct share_limits *limits, struct share_acquire *acquire)
{
    struct share_acquiring my = {.window = window,
        .limits = limits,
        .acquire = acquire,
        .end = window->start,
        .new_left = limits->records_max - (window->end - window->start)};
    acquire->count = 0;
    if (acquire->spans_count == 0 || acquire->records_max <= 0)
        return;
    my.owner = share_owner_at(window, acquire->member);
    my.owner->runs_count++;
    size_t index = 0;
    while (index < window->runs.count && my.end < acquire->from) {
        struct share_run run = share_run_part(&window->runs.runs[index], my.end, acquire->from - 1);
        index += run.last == window->runs.runs[index].last;
        share_runs_push(&my.out, &run);
        my.end = run.last + 1;
    }
    for (size_t i = 0; i < acquire->spans_count && !my.full; i++) {
        const struct share_span *span = &acquire->spans[i];
        if (span->first > my.end)
            share_acquire_upto(&my, &index, span->first - 1, false);
        share_acquire_upto(&my, &index, span->last, !span->dead);
    }
    share_range_close(&my);
    for (; index < window->runs.count; index++) {
        const struct share_run *run = &window->runs.runs[index];
        share_runs_push_part(&my.out, run, my.end > run->first ? my.end : run->first, run->last);
    }
    share_window_take(window, &my.out);
    share_owner_put(window, my.owner);
}

/* --- acknowledging --- */

static uint8_t share_released_state(const struct share_limits *limits, const struct share_run *run)
{
    return run->count >= limits->count_max ? SHARE_RECORD_ARCHIVED : SHARE_RECORD_AVAILABLE;
}

static uint8_t share_ack_target(
    const struct share_limits *limits, const struct share_run *run, int8_t type)
{
    switch ((enum share_ack_type)type) {
    case SHARE_ACK_ACCEPT: return SHARE_RECORD_ACKNOWLEDGED;
    case SHARE_ACK_RELEASE: return share_released_state(limits, run);
    case SHARE_ACK_RENEW: return SHARE_RECORD_ACQUIRED;
    case SHARE_ACK_GAP:
    case SHARE_ACK_REJECT: break;
    }
    return SHARE_RECORD_ARCHIVED;
}

static bool share_ack_renews(const struct share_ack *ack)
{
    for (size_t i = 0; i < ack->types_count; i++) {
        if (ack->types[i] == SHARE_ACK_RENEW)
            return true;
    }
    return false;
}

static enum share_ack_error share_ack_check(const struct share_window *window,
    const struct share_limits *limits, const struct share_owner *owner, const struct share_ack *ack)
{
    if (ack->last < window->start)
        return SHARE_ACK_OK;
    if (ack->last >= window->end)
        return SHARE_ACK_E_PAST;
    if (!limits->renew && share_ack_renews(ack))
        return SHARE_ACK_E_STATE;
    for (size_t i = share_window_find(window, ack->first);
         i < window->runs.count && window->runs.runs[i].first <= ack->last; i++) {
        const struct share_run *run = &window->runs.runs[i];
        if (run->state != SHARE_RECORD_ACQUIRED || run->write != 0 || run->owner != owner)
            return SHARE_ACK_E_STATE;
    }
    return SHARE_ACK_OK;
}

struct share_acking {
    struct share_window *window;
    const struct share_limits *limits;
    struct share_runs out;
    struct buffer *changes;
    uint32_t write; /* 0: none yet */
};

static void share_ack_run(struct share_acking *my, struct share_run *run, uint8_t target)
{
    if (target == SHARE_RECORD_ACQUIRED) {
        run->deadline_ms = my->limits->now_ms + my->limits->lock_ms;
    } else {
        if (my->write == 0) {
            my->write = ++my->window->write;
            if (my->write == 0)
                my->write = ++my->window->write;
        }
        run->write = my->write;
        run->target = target;
        share_change_add(my->changes, run, target);
    }
    share_runs_push(&my->out, run);
}

/* The part of a run that one acknowledgement is about. */
static void share_ack_part(
    struct share_acking *my, const struct share_run *part, const struct share_ack *ack)
{
    for (int64_t at = part->first, next; at <= part->last; at = next) {
        next = part->last + 1;
        int8_t type = ack->types[0];
        if (ack->types_count > 1) {
            size_t index = (size_t)(at - ack->first);
            type = ack->types[index];
            for (next = at + 1; next <= part->last && ack->types[++index] == type;)
                next++;
        }
        struct share_run run = share_run_part(part, at, next - 1);
        share_ack_run(my, &run, share_ack_target(my->limits, &run, type));
    }
}

static void share_acks_apply(struct share_acking *my, const struct share_ack *acks, size_t count)
{
    size_t ack = 0;
    for (size_t i = 0; i < my->window->runs.count; i++) {
        const struct share_run *run = &my->window->runs.runs[i];
        int64_t at = run->first;
        while (at <= run->last) {
            while (ack < count && acks[ack].last < at)
                ack++;
            if (ack == count || acks[ack].first > run->last) {
                share_runs_push_part(&my->out, run, at, run->last);
                break;
            }
            if (acks[ack].first > at)
                share_runs_push_part(&my->out, run, at, acks[ack].first - 1);
            int64_t from = acks[ack].first > at ? acks[ack].first : at;
            struct share_run part = share_run_part(run, from, acks[ack].last);
            share_ack_part(my, &part, &acks[ack]);
            at = part.last + 1;
        }
    }
}

enum share_ack_error share_window_acknowledge(struct share_window *window,
    const struct share_limits *limits, struct slice member, const struct share_ack *acks,
    size_t count, struct buffer *changes, uint32_t *ret_write)
{
    const struct share_owner *owner = map_get(&window->owners, member);
    for (size_t i = 0; i < count; i++) {
        assert(acks[i].first <= acks[i].last && acks[i].types_count > 0);
        enum share_ack_error error = share_ack_check(window, limits, owner, &acks[i]);
        if (error == SHARE_ACK_OK && i > 0 && acks[i].first <= acks[i - 1].last)
            error = SHARE_ACK_E_STATE; /* by then it would be acknowledged already */
        if (error != SHARE_ACK_OK)
            return error;
    }
    struct share_acking my = {.window = window, .limits = limits, .changes = changes};
    share_acks_apply(&my, acks, count);
    share_window_take(window, &my.out);
    *ret_write = my.write;
    return SHARE_ACK_OK;
}

void share_window_release(struct share_window *window, const struct share_limits *limits,
    struct slice member, struct buffer *changes, uint32_t *ret_write)
{
    const struct share_owner *owner = map_get(&window->owners, member);
    *ret_write = 0;
    if (owner == NULL)
        return;
    struct share_acking my = {.window = window, .limits = limits, .changes = changes};
    for (size_t i = 0; i < window->runs.count; i++) {
        struct share_run run = window->runs.runs[i];
        if (run.owner == owner && run.write == 0)
            share_ack_run(&my, &run, share_released_state(limits, &run));
        else
            share_runs_push(&my.out, &run);
    }
    share_window_take(window, &my.out);
    *ret_write = my.write;
}

static void share_run_settle(struct share_run *run, uint8_t state)
{
    run->state = state;
    run->owner = NULL;
    run->deadline_ms = 0;
    run->write = 0;
    run->target = 0;
}

void share_window_settle(
    struct share_window *window, const struct share_limits *limits, uint32_t write, bool kept)
{
    struct share_runs out = {0};
    for (size_t i = 0; i < window->runs.count; i++) {
        struct share_run run = window->runs.runs[i];
        if (run.write == write && write != 0) {
            if (kept)
                share_run_settle(&run, run.target);
            else if (run.deadline_ms <= limits->now_ms)
                share_run_settle(&run, share_released_state(limits, &run));
            else
                run.write = run.target = 0;
        }
        share_runs_push(&out, &run);
    }
    share_window_take(window, &out);
}

/* --- time --- */

void share_window_expire(
    struct share_window *window, const struct share_limits *limits, struct buffer *changes)
{
    struct share_runs out = {0};
    for (size_t i = 0; i < window->runs.count; i++) {
        struct share_run run = window->runs.runs[i];
        if (run.state == SHARE_RECORD_ACQUIRED && run.write == 0 &&
            run.deadline_ms <= limits->now_ms) {
            share_run_settle(&run, share_released_state(limits, &run));
            share_change_add(changes, &run, run.state);
        }
        share_runs_push(&out, &run);
    }
    share_window_take(window, &out);
}

int64_t share_window_deadline(const struct share_window *window)
{
    int64_t deadline_ms = INT64_MAX;
    for (size_t i = 0; i < window->runs.count; i++) {
        const struct share_run *run = &window->runs.runs[i];
        if (run->state == SHARE_RECORD_ACQUIRED && run->write == 0 &&
            run->deadline_ms < deadline_ms)
            deadline_ms = run->deadline_ms;
    }
    return deadline_ms;
}

/* --- the log's start --- */

void share_window_move_start(struct share_window *window, int64_t log_start)
{
    if (log_start <= window->start)
        return;
    struct share_runs out = {0};
    for (size_t i = 0; i < window->runs.count; i++)
        share_runs_push_part(&out, &window->runs.runs[i], log_start, INT64_MAX);
    window->start = log_start;
    share_window_take(window, &out);
}

int32_t share_window_complete_count(const struct share_window *window)
{
    int64_t count = 0;
    for (size_t i = 0; i < window->runs.count; i++) {
        const struct share_run *run = &window->runs.runs[i];
        if (share_is_done(run->write != 0 ? run->target : run->state))
            count += share_run_count(run);
    }
    return count < INT32_MAX ? (int32_t)count : INT32_MAX;
}
