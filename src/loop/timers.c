// SPDX-License-Identifier: BSD-2-Clause
/*
 * The heap holds the deadline beside the pointer, so that sifting touches the heap's memory alone
 * (and each moved timer's place). Growth doubles; the memory is kept until the loop ends.
 */
#include "loop/timers.h"

#include <assert.h>

void timers_deinit(struct timers *timers)
{
    free(timers->heap);
    *timers = (struct timers){0};
}

static void timers_place(struct timers *timers, size_t index, struct timers_entry entry)
{
    timers->heap[index] = entry;
    entry.timer->heap_index = index;
}

static void timers_sift_up(struct timers *timers, size_t index, struct timers_entry entry)
{
    while (index > 0) {
        size_t parent = (index - 1) / 2;
        if (timers->heap[parent].deadline_ms <= entry.deadline_ms)
            break;
        timers_place(timers, index, timers->heap[parent]);
        index = parent;
    }
    timers_place(timers, index, entry);
}

static void timers_sift_down(struct timers *timers, size_t index, struct timers_entry entry)
{
    for (;;) {
        size_t child = 2 * index + 1;
        if (child >= timers->count)
            break;
        if (child + 1 < timers->count &&
            timers->heap[child + 1].deadline_ms < timers->heap[child].deadline_ms)
            child++;
        if (entry.deadline_ms <= timers->heap[child].deadline_ms)
            break;
        timers_place(timers, index, timers->heap[child]);
        index = child;
    }
    timers_place(timers, index, entry);
}

void timers_add(struct timers *timers, struct timer *timer)
{
    if (timers->count == timers->capacity) {
        timers->capacity = timers->capacity == 0 ? 64 : timers->capacity * 2;
        timers->heap = xrealloc(timers->heap, timers->capacity * sizeof(*timers->heap));
    }
    timers_sift_up(timers, timers->count++, (struct timers_entry){timer->deadline_ms, timer});
}

void timers_remove(struct timers *timers, struct timer *timer)
{
    size_t index = timer->heap_index;
    assert(index < timers->count && timers->heap[index].timer == timer);
    struct timers_entry last = timers->heap[--timers->count];
    if (last.timer == timer)
        return;
    if (index > 0 && timers->heap[(index - 1) / 2].deadline_ms > last.deadline_ms)
        timers_sift_up(timers, index, last);
    else
        timers_sift_down(timers, index, last);
}

struct timer *timers_first(const struct timers *timers)
{
    return timers->count == 0 ? NULL : timers->heap[0].timer;
}
