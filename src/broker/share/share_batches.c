// SPDX-License-Identifier: BSD-2-Clause
/*
 * A sweep over the offsets: the batches are sorted by where they begin, and a heap holds those that
 * reach the current offset, the strongest on top. Each stretch between two events goes to the
 * strongest. n log n, whatever overlaps.
 */
#include "broker/share/share_batches.h"

#include "base/memory.h"

#include <stdlib.h>

static int share_batch_order(const void *a, const void *b)
{
    const struct share_state_batch *left = a, *right = b;
    return (left->first_offset > right->first_offset) - (left->first_offset < right->first_offset);
}

static bool share_batch_stronger(
    const struct share_state_batch *a, const struct share_state_batch *b)
{
    if (a->delivery_count != b->delivery_count)
        return a->delivery_count > b->delivery_count;
    return a->delivery_state > b->delivery_state;
}

struct share_sweep {
    const struct share_state_batch **heap;
    size_t heap_count;
    struct share_state_batch *out;
    size_t out_count;
};

static void share_heap_push(struct share_sweep *sweep, const struct share_state_batch *batch)
{
    size_t at = sweep->heap_count++;
    for (; at > 0 && share_batch_stronger(batch, sweep->heap[(at - 1) / 2]); at = (at - 1) / 2)
        sweep->heap[at] = sweep->heap[(at - 1) / 2];
    sweep->heap[at] = batch;
}

static void share_heap_pop(struct share_sweep *sweep)
{
    const struct share_state_batch *last = sweep->heap[--sweep->heap_count];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= sweep->heap_count)
            break;
        if (child + 1 < sweep->heap_count &&
            share_batch_stronger(sweep->heap[child + 1], sweep->heap[child]))
            child++;
        if (!share_batch_stronger(sweep->heap[child], last))
            break;
        sweep->heap[at] = sweep->heap[child];
        at = child;
    }
    if (sweep->heap_count > 0)
        sweep->heap[at] = last;
}

static void share_sweep_put(
    struct share_sweep *sweep, const struct share_state_batch *as, int64_t first, int64_t last)
{
    struct share_state_batch *before =
        sweep->out_count > 0 ? &sweep->out[sweep->out_count - 1] : NULL;
    if (before != NULL && before->last_offset + 1 == first &&
        before->delivery_state == as->delivery_state &&
        before->delivery_count == as->delivery_count) {
        before->last_offset = last;
        return;
    }
    sweep->out[sweep->out_count++] =
        (struct share_state_batch){first, last, as->delivery_state, as->delivery_count};
}

/* Gives out the offsets from `at` on until something begins at `until`. */
static int64_t share_sweep_upto(struct share_sweep *sweep, int64_t at, int64_t until)
{
    while (sweep->heap_count > 0 && at < until) {
        const struct share_state_batch *top = sweep->heap[0];
        if (top->last_offset < at) {
            share_heap_pop(sweep);
            continue;
        }
        int64_t last = top->last_offset < until - 1 ? top->last_offset : until - 1;
        share_sweep_put(sweep, top, at, last);
        at = last + 1;
    }
    return at;
}

struct share_state_batch *share_batches_combine(const struct share_state_batch *so_far,
    size_t so_far_count, const struct share_state_batch *more, size_t more_count, int64_t start,
    size_t *ret_count)
{
    size_t count = so_far_count + more_count;
    *ret_count = 0;
    if (count == 0)
        return NULL;
    struct share_state_batch *sorted = xnew_n(struct share_state_batch, count);
    if (so_far_count > 0)
        memcpy(sorted, so_far, so_far_count * sizeof(*sorted));
    if (more_count > 0)
        memcpy(sorted + so_far_count, more, more_count * sizeof(*sorted));
    qsort(sorted, count, sizeof(*sorted), share_batch_order);
    /* Each batch brings a beginning and an end: at most twice as many stretches. */
    struct share_sweep sweep = {.heap = xnew_n(const struct share_state_batch *, count),
        .out = xnew_n(struct share_state_batch, 2 * count)};
    int64_t at = start < 0 ? INT64_MIN : start;
    for (size_t i = 0; i < count; i++) {
        at = share_sweep_upto(&sweep, at, sorted[i].first_offset);
        if (at < sorted[i].first_offset)
            at = sorted[i].first_offset;
        share_heap_push(&sweep, &sorted[i]);
    }
    share_sweep_upto(&sweep, at, INT64_MAX);
    free(sorted);
    free(sweep.heap);
    *ret_count = sweep.out_count;
    if (sweep.out_count > 0)
        return xrealloc(sweep.out, sweep.out_count * sizeof(*sweep.out));
    free(sweep.out);
    return NULL;
}
