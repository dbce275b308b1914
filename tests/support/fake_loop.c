// SPDX-License-Identifier: BSD-2-Clause
#include "support/fake_loop.h"

#include <assert.h>

#define FAKE_TIMERS_MAX 65536

static struct fake_loop {
    int64_t now_ms;
    struct timer *timers[FAKE_TIMERS_MAX];
    size_t timers_count;
    struct loop_msg *first, **last;
} fake;

struct loop *fake_loop_start(void)
{
    fake = (struct fake_loop){.now_ms = 1000};
    fake.last = &fake.first;
    return (struct loop *)(void *)&fake;
}

void timer_start(
    struct timer *timer, struct loop *loop, int64_t delay_ms, void (*fn)(struct timer *timer))
{
    timer_stop(timer);
    assert(fake.timers_count < FAKE_TIMERS_MAX && delay_ms >= 0);
    timer->loop = loop;
    timer->fn = fn;
    timer->deadline_ms = fake.now_ms + delay_ms;
    timer->heap_index = fake.timers_count;
    fake.timers[fake.timers_count++] = timer;
}

void timer_stop(struct timer *timer)
{
    if (timer->loop == NULL)
        return;
    struct timer *last = fake.timers[--fake.timers_count];
    last->heap_index = timer->heap_index;
    fake.timers[last->heap_index] = last;
    timer->loop = NULL;
}

void loop_post(struct loop *loop, struct loop_msg *msg, void (*fn)(struct loop_msg *msg))
{
    (void)loop;
    msg->next = NULL;
    msg->fn = fn;
    *fake.last = msg;
    fake.last = &msg->next;
}

int64_t loop_now_ms(const struct loop *loop)
{
    (void)loop;
    return fake.now_ms;
}

unsigned loop_index(const struct loop *loop)
{
    (void)loop;
    return 0;
}

struct env *loop_env(const struct loop *loop)
{
    (void)loop;
    return env_posix();
}

struct loop *loop_current(void)
{
    return (struct loop *)(void *)&fake;
}

void loop_assert_owner(const struct loop *loop)
{
    (void)loop;
}

void fake_loop_turn(void)
{
    while (fake.first != NULL) {
        struct loop_msg *msg = fake.first;
        fake.first = msg->next;
        if (fake.first == NULL)
            fake.last = &fake.first;
        msg->fn(msg);
    }
}

void fake_loop_pass(int64_t ms)
{
    fake.now_ms += ms;
}

void fake_loop_advance(int64_t ms)
{
    int64_t end_ms = fake.now_ms + ms;
    fake_loop_turn();
    for (;;) {
        struct timer *due = NULL;
        for (size_t i = 0; i < fake.timers_count; i++) {
            if (fake.timers[i]->deadline_ms <= end_ms &&
                (due == NULL || fake.timers[i]->deadline_ms < due->deadline_ms))
                due = fake.timers[i];
        }
        if (due == NULL)
            break;
        if (due->deadline_ms > fake.now_ms)
            fake.now_ms = due->deadline_ms;
        timer_stop(due);
        due->fn(due);
        fake_loop_turn();
    }
    fake.now_ms = end_ms;
}

size_t fake_loop_timers_count(void)
{
    return fake.timers_count;
}
