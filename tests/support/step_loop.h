// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * step_loop: loop/loop.h and loop/offload.h on one thread, in steps, with a clock that moves only
 * when told. Linked instead of the real ones. Pool work runs in order, when the loop is idle, and
 * can be held back.
 */
#include "loop/loop.h"
#include "loop/offload.h"

struct loop *step_loop_start(struct env *env);
/* Runs messages, deferred work and (unless held) pool work until nothing is left. */
void step_settle(void);
/* Messages and deferred work only. */
void step_turn(void);
void step_hold_pool(bool hold);
/* Another loop on the same thread, which only gets messages; they can be held back. */
struct loop *step_other_loop(void);
void step_hold_other(bool hold);
size_t step_other_count(void);
/* Runs the oldest pool work although the pool is held; its result is a message. False: none. */
bool step_pool_one(void);
/* The same with the newest: pool threads overtake each other. The caller sees to it that it is not
 * behind one of the same order. */
bool step_pool_newest(void);
size_t step_pool_count(void);
/* Lets time pass; timers fire, everything settles after each. */
void step_advance(int64_t ms);
size_t step_timers_count(void);
