// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/* loop_internal: what the files of src/loop share. Nobody else includes it. */
#include "loop/loop.h"
#include "loop/mailbox.h"
#include "loop/timers.h"

struct event_base;

struct loop {
    struct env *env;
    unsigned index;
    struct event_base *base;
    struct mailbox box;
    struct loop_msg *deferred, **deferred_tail; /* oldest first */
    struct timers timers;

    int wake_fd;  /* eventfd: somebody posted while the loop slept */
    int clock_fd; /* timerfd, set to the soonest deadline */
    struct event *wake_event, *clock_event;
    int64_t armed_ms; /* what clock_fd is set to; INT64_MAX: nothing */

    int64_t now_ms;
    bool now_known; /* false after a sleep: the clock is read when somebody asks */

    _Atomic bool sleeping; /* a poster must write wake_fd */
    _Atomic bool running, stopping;
};

/* First thing of every callback from libevent: the loop is awake. */
static inline void loop_woken(struct loop *loop)
{
    atomic_store_explicit(&loop->sleeping, false, memory_order_relaxed);
}
