// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * loop: one event base and one thread. Everything a loop owns is touched by its thread alone;
 * others talk to it by loop_post. A loop also has timers, watched descriptors, and work that runs
 * at the end of the current turn (loop_defer). Created and freed by server; loop_run is the
 * thread's body.
 */
#include "base/env.h"
#include "base/list.h"

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct event;

/* --- messages: intrusive; ownership moves with the message. Order holds between each pair of
 * loops. --- */
struct loop_msg {
    struct loop_msg *next;
    void (*fn)(struct loop_msg *msg); /* runs on the receiving loop */
};

/* Any thread (also a loop to itself: it is queued all the same). Wakes the loop only when its box
 * was empty. */
void loop_post(struct loop *loop, struct loop_msg *msg, void (*fn)(struct loop_msg *msg));
/* Own loop only: runs after all events of this turn were handled, before the loop sleeps; for
 * coalescing. A msg may be deferred once at a time. */
void loop_defer(struct loop *loop, struct loop_msg *msg, void (*fn)(struct loop_msg *msg));

/* --- timers: embedded; own loop only. --- */
struct timer {
    struct loop *loop; /* NULL: not running */
    void (*fn)(struct timer *timer);
    int64_t deadline_ms; /* monotonic */
    size_t heap_index;   /* internal */
};
#define TIMER_NULL ((struct timer){0})
/* Starts or restarts. Fires once, never before the deadline, from the loop and never from within
 * timer_start. */
void timer_start(
    struct timer *timer, struct loop *loop, int64_t delay_ms, void (*fn)(struct timer *timer));
void timer_stop(struct timer *timer);
static inline bool timer_running(const struct timer *timer)
{
    return timer->loop != NULL;
}

/* --- descriptors: embedded; own loop only. --- */
enum loop_io_events {
    LOOP_IO_READ = 1,
    LOOP_IO_WRITE = 2,
    /* For a descriptor that is not read for a while: the peer ended or the connection broke, or
     * (once per arrival) there are bytes. Edge-triggered; may not be combined with the others.
     * Reported as LOOP_IO_CLOSED when the peer has ended its side, else as LOOP_IO_READ. */
    LOOP_IO_CLOSED = 4,
};
struct loop_io {
    struct loop *loop;
    int fd;
    unsigned
        events; /* enum loop_io_events: what is being watched; level-triggered but for CLOSED */
    void (*fn)(struct loop_io *io, unsigned events);
    struct event *event; /* internal */
};
int loop_io_start(
    struct loop_io *io, struct loop *loop, int fd, void (*fn)(struct loop_io *io, unsigned events));
void loop_io_watch(struct loop_io *io, unsigned events); /* changes what is watched; 0 pauses */
/* Also from within its fn. The descriptor stays open; idempotent. */
void loop_io_stop(struct loop_io *io);

/* --- life --- */
struct loop *loop_new(struct env *env, unsigned index);
void loop_free(
    struct loop *loop);           /* after loop_run returned; messages still queued are run first */
void loop_run(struct loop *loop); /* until loop_stop */
void loop_stop(struct loop *loop); /* any thread */
unsigned loop_index(const struct loop *loop);
struct env *loop_env(const struct loop *loop);
int64_t loop_now_ms(const struct loop *loop); /* monotonic, cached once a turn; own loop */
/* Its time has come, though it has not fired yet. */
static inline bool timer_is_due(const struct timer *timer)
{
    return timer_running(timer) && timer->deadline_ms <= loop_now_ms(timer->loop);
}
struct loop *loop_current(void); /* the loop whose thread this is, or NULL */
void loop_assert_owner(const struct loop *loop);
