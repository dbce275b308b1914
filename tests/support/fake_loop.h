// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/* fake_loop: timers and messages of loop/loop.h on a clock that moves only when told. One at a
 * time; link it instead of the real loop. */
#include "loop/loop.h"

struct loop *fake_loop_start(void);
/* Runs what is posted and every timer that comes due within the time, in order. */
void fake_loop_advance(int64_t ms);
/* Time passes and no timer fires yet: the loop is busy. */
void fake_loop_pass(int64_t ms);
/* Runs what is posted. */
void fake_loop_turn(void);
/* 0 when all is stopped; call it at the end of a test. */
size_t fake_loop_timers_count(void);
