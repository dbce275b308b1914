// SPDX-License-Identifier: BSD-2-Clause
#include "support/step_loop.h"

#include <assert.h>

#define STEP_TIMERS_MAX 256

struct step_queue {
    struct loop_msg *first, **last;
};

static struct step_loop {
    struct env *env;
    int64_t now_ms;
    struct timer *timers[STEP_TIMERS_MAX];
    size_t timers_count;
    struct step_queue posted, deferred, other;
    size_t other_count;
    struct list_link works;
    size_t works_count;
    bool held, other_held;
    struct loop *current;
} step;

static char step_other; /* its address stands for the other loop */

static void step_queue_init(struct step_queue *queue)
{
    queue->first = NULL;
    queue->last = &queue->first;
}

static void step_queue_put(struct step_queue *queue, struct loop_msg *msg)
{
    msg->next = NULL;
    *queue->last = msg;
    queue->last = &msg->next;
}

static bool step_queue_run(struct step_queue *queue)
{
    struct loop_msg *msg = queue->first;
    bool some = msg != NULL;
    step_queue_init(queue);
    while (msg != NULL) {
        struct loop_msg *next = msg->next;
        msg->fn(msg);
        msg = next;
    }
    return some;
}

struct loop *step_loop_start(struct env *env)
{
    step = (struct step_loop){.env = env, .now_ms = 1000, .current = (struct loop *)(void *)&step};
    step_queue_init(&step.posted);
    step_queue_init(&step.deferred);
    step_queue_init(&step.other);
    list_init(&step.works);
    return (struct loop *)(void *)&step;
}

void loop_post(struct loop *loop, struct loop_msg *msg, void (*fn)(struct loop_msg *msg))
{
    bool other = loop == step_other_loop();
    msg->fn = fn;
    step.other_count += other;
    step_queue_put(other ? &step.other : &step.posted, msg);
}

void loop_defer(struct loop *loop, struct loop_msg *msg, void (*fn)(struct loop_msg *msg))
{
    (void)loop;
    msg->fn = fn;
    step_queue_put(&step.deferred, msg);
}

void timer_start(
    struct timer *timer, struct loop *loop, int64_t delay_ms, void (*fn)(struct timer *timer))
{
    timer_stop(timer);
    assert(step.timers_count < STEP_TIMERS_MAX && delay_ms >= 0);
    timer->loop = loop;
    timer->fn = fn;
    timer->deadline_ms = step.now_ms + delay_ms;
    timer->heap_index = step.timers_count;
    step.timers[step.timers_count++] = timer;
}

void timer_stop(struct timer *timer)
{
    if (timer->loop == NULL)
        return;
    struct timer *last = step.timers[--step.timers_count];
    last->heap_index = timer->heap_index;
    step.timers[last->heap_index] = last;
    timer->loop = NULL;
}

size_t step_timers_count(void)
{
    return step.timers_count;
}

unsigned loop_index(const struct loop *loop)
{
    (void)loop;
    return 0;
}

struct env *loop_env(const struct loop *loop)
{
    (void)loop;
    return step.env;
}

int64_t loop_now_ms(const struct loop *loop)
{
    (void)loop;
    return step.now_ms;
}

struct loop *loop_current(void)
{
    return step.current;
}

void loop_assert_owner(const struct loop *loop)
{
    assert(loop == step.current);
}

/* --- the other loop --- */

struct loop *step_other_loop(void)
{
    return (struct loop *)(void *)&step_other;
}

void step_hold_other(bool hold)
{
    step.other_held = hold;
}

size_t step_other_count(void)
{
    return step.other_count;
}

static bool step_other_run(void)
{
    if (step.other_held)
        return false;
    struct loop *home = step.current;
    step.current = step_other_loop();
    step.other_count = 0;
    bool some = step_queue_run(&step.other);
    step.current = home;
    return some;
}

void offload_submit(struct offload *offload, struct offload_work *work, struct loop *loop,
    const void *order, void (*run)(struct offload_work *work),
    void (*done)(struct offload_work *work))
{
    (void)offload;
    work->loop = loop;
    work->order = order;
    work->run = run;
    work->done = done;
    list_append(&step.works, &work->link);
    step.works_count++;
}

static void step_on_done(struct loop_msg *msg)
{
    struct offload_work *work = container_of(msg, struct offload_work, msg);
    work->done(work);
}

static bool step_pool_run(struct list_link *link)
{
    if (link == NULL)
        return false;
    struct offload_work *work = list_entry(link, struct offload_work, link);
    list_remove(link);
    step.works_count--;
    work->run(work);
    loop_post(work->loop, &work->msg, step_on_done);
    return true;
}

bool step_pool_one(void)
{
    return step_pool_run(list_first(&step.works));
}

bool step_pool_newest(void)
{
    return step_pool_run(list_empty(&step.works) ? NULL : step.works.prev);
}

size_t step_pool_count(void)
{
    return step.works_count;
}

void step_hold_pool(bool hold)
{
    step.held = hold;
}

void step_turn(void)
{
    bool some;
    do {
        some = step_queue_run(&step.posted);
        some = step_queue_run(&step.deferred) || some;
        some = step_other_run() || some;
    } while (some);
}

void step_settle(void)
{
    do {
        step_turn();
    } while (!step.held && step_pool_one());
}

void step_advance(int64_t ms)
{
    int64_t end_ms = step.now_ms + ms;
    step_settle();
    for (;;) {
        struct timer *due = NULL;
        for (size_t i = 0; i < step.timers_count; i++) {
            if (step.timers[i]->deadline_ms <= end_ms &&
                (due == NULL || step.timers[i]->deadline_ms < due->deadline_ms))
                due = step.timers[i];
        }
        if (due == NULL)
            break;
        if (due->deadline_ms > step.now_ms)
            step.now_ms = due->deadline_ms;
        timer_stop(due);
        due->fn(due);
        step_settle();
    }
    step.now_ms = end_ms;
}
