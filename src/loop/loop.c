// SPDX-License-Identifier: BSD-2-Clause
/*
 * One turn of a loop: messages from the box (at most LOOP_MESSAGES_PER_TURN), due timers, deferred
 * work and what that defers in turn (LOOP_DEFERRALS_PER_TURN times: a write, its completion, the
 * answer), then one pass of libevent, which sleeps only when nothing is left to do.
 *
 * Wake-ups: a poster that finds the box empty and the loop `sleeping` writes the eventfd. The loop
 * sets `sleeping` before it looks into the box for the last time, the poster looks at `sleeping`
 * after it has put its message: one of the two always sees the other. The eventfd and the timerfd
 * are watched edge-triggered and never read. Timers drive one timerfd per loop that is set only
 * when a sooner deadline than the armed one appears; stopping a timer costs at most one idle
 * wake-up.
 *
 * Failure: a loop that cannot be made (descriptors, memory) is NULL; after that nothing can fail.
 */
#include "loop/loop.h"
#include "base/error.h"
#include "base/log.h"
#include "loop/loop_internal.h"

#include <event2/event.h>

#include <assert.h>
#include <inttypes.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define LOOP_MESSAGES_PER_TURN  256
#define LOOP_TIMERS_PER_TURN    256
#define LOOP_DEFERRALS_PER_TURN 4

static _Thread_local struct loop *current;

struct loop *loop_current(void)
{
    return current;
}

void loop_assert_owner(const struct loop *loop)
{
    /* Before and after its run a loop belongs to whoever starts and ends it. */
    assert(current == loop || !atomic_load_explicit(&loop->running, memory_order_relaxed));
}

unsigned loop_index(const struct loop *loop)
{
    return loop->index;
}

struct env *loop_env(const struct loop *loop)
{
    return loop->env;
}

int64_t loop_now_ms(const struct loop *loop)
{
    loop_assert_owner(loop);
    struct loop *self = (struct loop *)loop; /* only the cache changes */
    if (!loop->now_known) {
        self->now_ms = env_monotonic_ms(loop->env);
        self->now_known = atomic_load_explicit(&loop->running, memory_order_relaxed);
    }
    return loop->now_ms;
}

/* --- messages --- */

static void loop_wake(struct loop *loop)
{
    uint64_t one = 1;
    ssize_t n = write(loop->wake_fd, &one, sizeof(one));
    assert(n == sizeof(one)); /* 2^64 wake-ups would have to go unread */
}

void loop_post(struct loop *loop, struct loop_msg *msg, void (*fn)(struct loop_msg *msg))
{
    msg->fn = fn;
    if (mailbox_put(&loop->box, msg) && atomic_load(&loop->sleeping))
        loop_wake(loop);
}

static void loop_run_messages(struct loop *loop, size_t count_max)
{
    struct loop_msg *msg;
    for (size_t i = 0; i < count_max && (msg = mailbox_take(&loop->box)) != NULL; i++)
        msg->fn(msg);
}

void loop_defer(struct loop *loop, struct loop_msg *msg, void (*fn)(struct loop_msg *msg))
{
    loop_assert_owner(loop);
    msg->fn = fn;
    msg->next = NULL;
    *loop->deferred_tail = msg;
    loop->deferred_tail = &msg->next;
}

/* What is deferred meanwhile is left for the next call. */
static void loop_run_deferred(struct loop *loop)
{
    struct loop_msg *msg = loop->deferred;
    loop->deferred = NULL;
    loop->deferred_tail = &loop->deferred;
    while (msg != NULL) {
        struct loop_msg *next = msg->next;
        msg->fn(msg);
        msg = next;
    }
}

/* --- timers --- */

void timer_start(
    struct timer *timer, struct loop *loop, int64_t delay_ms, void (*fn)(struct timer *timer))
{
    loop_assert_owner(loop);
    timer_stop(timer);
    /* The exact clock, rounded up: the turn's cached one would fire early. */
    int64_t now_ms = (loop->env->ops->monotonic_ns(loop->env) + 999999) / 1000000;
    timer->loop = loop;
    timer->fn = fn;
    timer->deadline_ms = now_ms + (delay_ms < 0 ? 0 : delay_ms);
    timers_add(&loop->timers, timer);
}

void timer_stop(struct timer *timer)
{
    if (timer->loop == NULL)
        return;
    loop_assert_owner(timer->loop);
    timers_remove(&timer->loop->timers, timer);
    timer->loop = NULL;
}

static bool loop_timers_due(struct loop *loop)
{
    struct timer *timer = timers_first(&loop->timers);
    return timer != NULL && timer->deadline_ms <= loop_now_ms(loop);
}

static void loop_run_timers(struct loop *loop)
{
    for (int i = 0; i < LOOP_TIMERS_PER_TURN && loop_timers_due(loop); i++) {
        struct timer *timer = timers_first(&loop->timers);
        timer_stop(timer);
        timer->fn(timer);
    }
}

static void loop_arm_clock(struct loop *loop)
{
    struct timer *timer = timers_first(&loop->timers);
    if (timer == NULL || timer->deadline_ms >= loop->armed_ms)
        return;
    int64_t delay_ns = timer->deadline_ms * 1000000 - loop->env->ops->monotonic_ns(loop->env);
    if (delay_ns < 1)
        delay_ns = 1; /* zero would disarm */
    struct itimerspec when = {
        .it_value = {.tv_sec = delay_ns / 1000000000, .tv_nsec = delay_ns % 1000000000}};
    int r = timerfd_settime(loop->clock_fd, 0, &when, NULL);
    assert(r == 0);
    loop->armed_ms = timer->deadline_ms;
}

/* --- life --- */

static void loop_on_wake(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    loop_woken(arg);
}

static void loop_on_clock(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct loop *loop = arg;
    loop_woken(loop);
    loop->armed_ms = INT64_MAX;
}

static void loop_turn(struct loop *loop)
{
    loop_run_messages(loop, LOOP_MESSAGES_PER_TURN);
    if (loop->timers.count > 0)
        loop_run_timers(loop);
    for (int i = 0; i < LOOP_DEFERRALS_PER_TURN && loop->deferred != NULL; i++)
        loop_run_deferred(loop);
    loop_arm_clock(loop);
    atomic_store(&loop->sleeping, true);
    bool busy =
        !mailbox_empty(&loop->box) || loop->deferred != NULL || atomic_load(&loop->stopping);
    /* ONCE in any case: NONBLOCK alone goes on as long as any descriptor stays ready. */
    event_base_loop(loop->base, EVLOOP_ONCE | (busy ? EVLOOP_NONBLOCK : 0));
    loop_woken(loop);
    loop->now_known = false;
}

void loop_run(struct loop *loop)
{
    assert(current == NULL);
    current = loop;
    atomic_store(&loop->running, true);
    while (!atomic_load(&loop->stopping))
        loop_turn(loop);
    atomic_store(&loop->running, false);
    current = NULL;
}

void loop_stop(struct loop *loop)
{
    atomic_store(&loop->stopping, true);
    loop_wake(loop);
}

static int loop_open(struct loop *loop)
{
    struct event_config *config = event_config_new();
    if (config == NULL)
        return -ENOMEM;
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
    event_config_require_features(config, EV_FEATURE_ET | EV_FEATURE_EARLY_CLOSE);
    loop->base = event_base_new_with_config(config);
    event_config_free(config);
    if (loop->base == NULL)
        return -ENOMEM;
    loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loop->wake_fd < 0)
        return error_errno();
    loop->clock_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (loop->clock_fd < 0)
        return error_errno();
    const short how = EV_READ | EV_PERSIST | EV_ET;
    loop->wake_event = event_new(loop->base, loop->wake_fd, how, loop_on_wake, loop);
    loop->clock_event = event_new(loop->base, loop->clock_fd, how, loop_on_clock, loop);
    if (loop->wake_event == NULL || event_add(loop->wake_event, NULL) < 0)
        return -ENOMEM;
    if (loop->clock_event == NULL || event_add(loop->clock_event, NULL) < 0)
        return -ENOMEM;
    return 0;
}

struct loop *loop_new(struct env *env, unsigned index)
{
    struct loop *loop = xnew(struct loop);
    loop->env = env;
    loop->index = index;
    loop->wake_fd = loop->clock_fd = -1;
    loop->deferred_tail = &loop->deferred;
    loop->armed_ms = INT64_MAX;
    int r = loop_open(loop);
    if (r < 0) {
        log_error("loop.failed", "loop=%u error=\"%s\"", index, log_errno(-r).str);
        loop_free(loop);
        return NULL;
    }
    return loop;
}

/* Messages and deferred work may bring more of both. */
static void loop_run_rest(struct loop *loop)
{
    struct loop *before = current;
    current = loop;
    while (!mailbox_empty(&loop->box) || loop->deferred != NULL) {
        loop_run_messages(loop, SIZE_MAX);
        loop_run_deferred(loop);
    }
    current = before;
}

void loop_free(struct loop *loop)
{
    if (loop == NULL)
        return;
    assert(!atomic_load(&loop->running));
    loop_run_rest(loop);
    if (loop->wake_event != NULL)
        event_free(loop->wake_event);
    if (loop->clock_event != NULL)
        event_free(loop->clock_event);
    if (loop->wake_fd >= 0)
        close(loop->wake_fd);
    if (loop->clock_fd >= 0)
        close(loop->clock_fd);
    if (loop->base != NULL)
        event_base_free(loop->base);
    timers_deinit(&loop->timers);
    free(loop);
}
