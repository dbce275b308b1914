// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * timers: a loop's running timers, soonest first (a binary heap; each timer knows its place, so
 * stopping costs log n too). Embedded in the loop; the loop's thread only. It knows no clock.
 */
#include "loop/loop.h"

#include <stddef.h>

struct timers_entry {
    int64_t deadline_ms;
    struct timer *timer;
};

struct timers {
    struct timers_entry *heap;
    size_t count, capacity;
};

void timers_deinit(struct timers *timers);
void timers_add(struct timers *timers, struct timer *timer);
void timers_remove(struct timers *timers, struct timer *timer);
/* The soonest, or NULL. */
struct timer *timers_first(const struct timers *timers);
