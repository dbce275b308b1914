// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * sim_sched: loop/loop.h and loop/offload.h on one thread: all loops and the offload pool are run
 * by one scheduler that picks what comes next by chance (or, in order, when it has none). Linked
 * instead of src/loop. Time is the env's and stands still while something can be done; works of the
 * pool may take time of their own.
 */
#include "loop/loop.h"
#include "loop/offload.h"
#include "sim/sim_disk.h"

#define SIM_LOOPS_MAX 4

/* Forgets everything before: what was queued, timers, descriptors. random NULL: first come, first
 * served, and no work takes time. */
void sim_sched_start(struct sim_disk *disk, struct sim_random *random);
/* What a work of the pool takes at most. */
void sim_sched_work_ms_max(int64_t ms);
/* One turn of one loop, or one work of the pool. False: nothing can be done now. */
bool sim_sched_step(void);
/* Until nothing can be done at this moment of time (works that take time are waited for). */
void sim_sched_settle(void);
/* Lets time pass; whatever is due meanwhile is done. */
void sim_sched_advance(int64_t ms);
/* When something will be due by itself: monotonic ns; INT64_MAX: never. */
int64_t sim_sched_next_ns(void);
bool sim_sched_idle(void); /* no message, no work; timers may run */
uint64_t sim_sched_steps(void);
/* Readiness of a descriptor; by sim_net. */
typedef unsigned (*sim_ready_fn)(int fd);
/* told: whoever watches for the end of the peer knows of it now. */
void sim_sched_ready_fn(sim_ready_fn fn, void (*told)(int fd));
/* The process died: whatever a loop did is over. */
void sim_sched_abandon(void);
