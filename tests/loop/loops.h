// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/* loops: some loops, each on a thread of its own, for tests. */
#include "loop/loop.h"

#include <check.h>
#include <pthread.h>

#define LOOPS_MAX 4

struct loops {
    struct loop *loop[LOOPS_MAX];
    pthread_t thread[LOOPS_MAX];
    unsigned count;
};

static inline void *loops_thread(void *arg)
{
    loop_run(arg);
    return NULL;
}

static inline void loops_start(struct loops *loops, unsigned count)
{
    loops->count = count;
    for (unsigned i = 0; i < count; i++) {
        loops->loop[i] = loop_new(env_posix(), i);
        ck_assert_ptr_nonnull(loops->loop[i]);
    }
    for (unsigned i = 0; i < count; i++)
        ck_assert_int_eq(pthread_create(&loops->thread[i], NULL, loops_thread, loops->loop[i]), 0);
}

/* Ends the threads; loop_free is left to loops_free, so that the test may look first. */
static inline void loops_join(struct loops *loops)
{
    for (unsigned i = 0; i < loops->count; i++)
        loop_stop(loops->loop[i]);
    for (unsigned i = 0; i < loops->count; i++)
        pthread_join(loops->thread[i], NULL);
}

static inline void loops_free(struct loops *loops)
{
    for (unsigned i = 0; i < loops->count; i++)
        loop_free(loops->loop[i]);
}
