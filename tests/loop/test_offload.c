// SPDX-License-Identifier: BSD-2-Clause
#include "loop/offload.h"
#include "loops.h"
#include "runner.h"

#include <stdatomic.h>
#include <unistd.h>

enum { WORKS = 3000, ORDERS = 3 };

struct work {
    struct offload_work work;
    int order, number;
};

static struct work works[WORKS];
static int keys[ORDERS];
static atomic_int running[ORDERS];
static int next_run[ORDERS]; /* guarded by the order itself: what the test is about */
static int next_done[ORDERS];
static atomic_int n_done, n_free;

static void work_run(struct offload_work *offload_work)
{
    struct work *work = container_of(offload_work, struct work, work);
    ck_assert_ptr_null(loop_current());
    if (work->order < 0) {
        atomic_fetch_add(&n_free, 1);
        return;
    }
    ck_assert_int_eq(atomic_fetch_add(&running[work->order], 1), 0);
    ck_assert_int_eq(work->number, next_run[work->order]++);
    if (work->number % 97 == 0)
        usleep(200);
    atomic_fetch_sub(&running[work->order], 1);
}

static void work_done(struct offload_work *offload_work)
{
    struct work *work = container_of(offload_work, struct work, work);
    loop_assert_owner(offload_work->loop);
    ck_assert_ptr_eq(loop_current(), offload_work->loop);
    if (work->order >= 0)
        ck_assert_int_eq(work->number, next_done[work->order]++);
    atomic_fetch_add(&n_done, 1);
}

static void submit_all(struct offload *offload, struct loop *loop)
{
    int numbers[ORDERS] = {0};
    for (int i = 0; i < WORKS; i++) {
        works[i].order = i % (ORDERS + 1) - 1;
        const void *key = works[i].order < 0 ? NULL : &keys[works[i].order];
        works[i].number = key == NULL ? 0 : numbers[works[i].order]++;
        offload_submit(offload, &works[i].work, loop, key, work_run, work_done);
    }
}

START_TEST(offload_keeps_the_order_of_each_key)
{
    struct loops loops;
    loops_start(&loops, 1);
    struct offload *offload = offload_new(4);
    submit_all(offload, loops.loop[0]);
    while (atomic_load(&n_done) < WORKS)
        usleep(1000);
    offload_free(offload);
    loops_join(&loops);
    loops_free(&loops);
    ck_assert_int_eq(n_free, WORKS / (ORDERS + 1));
}
END_TEST

START_TEST(offload_free_finishes_what_is_queued)
{
    struct loops loops;
    loops_start(&loops, 1);
    struct offload *offload = offload_new(2);
    submit_all(offload, loops.loop[0]);
    offload_free(offload);
    loops_join(&loops);
    loops_free(&loops);
    ck_assert_int_eq(n_done, WORKS);
}
END_TEST

TEST_MAIN("loop/offload", offload_keeps_the_order_of_each_key, offload_free_finishes_what_is_queued)
