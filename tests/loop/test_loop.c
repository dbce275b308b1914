// SPDX-License-Identifier: BSD-2-Clause
#include "loop/loop.h"
#include "loops.h"
#include "runner.h"

#include <sys/socket.h>
#include <unistd.h>

/* --- messages --- */

enum { POSTERS = 4, POSTS = 20000 };

struct numbered {
    struct loop_msg msg;
    int poster, number;
};

static struct loop *target;
static int next_number[POSTERS];
static int received;

static void on_numbered(struct loop_msg *msg)
{
    struct numbered *numbered = container_of(msg, struct numbered, msg);
    ck_assert_ptr_eq(loop_current(), target);
    loop_assert_owner(target);
    ck_assert_int_eq(numbered->number, next_number[numbered->poster]++);
    free(numbered);
    if (++received == POSTERS * POSTS)
        loop_stop(target);
}

static void *poster_thread(void *arg)
{
    for (int i = 0; i < POSTS; i++) {
        struct numbered *numbered = xnew(struct numbered);
        numbered->poster = *(int *)arg;
        numbered->number = i;
        loop_post(target, &numbered->msg, on_numbered);
        if (i % 100 == 0)
            usleep(10); /* the loop falls asleep now and then */
    }
    return NULL;
}

START_TEST(loop_keeps_the_order_of_each_poster)
{
    pthread_t threads[POSTERS];
    int names[POSTERS];
    target = loop_new(env_posix(), 0);
    for (int i = 0; i < POSTERS; i++) {
        names[i] = i;
        pthread_create(&threads[i], NULL, poster_thread, &names[i]);
    }
    loop_run(target);
    ck_assert_int_eq(received, POSTERS * POSTS);
    for (int i = 0; i < POSTERS; i++)
        pthread_join(threads[i], NULL);
    loop_free(target);
}
END_TEST

/* Two loops throw a ball to and fro: no wake-up may get lost. */
struct ball {
    struct loop_msg msg;
    struct loops *loops;
    int left;
    _Atomic bool down;
};

static void on_ball(struct loop_msg *msg)
{
    struct ball *ball = container_of(msg, struct ball, msg);
    if (ball->left-- == 0) {
        ball->down = true;
        return;
    }
    loop_post(ball->loops->loop[ball->left % 2], msg, on_ball);
}

START_TEST(loop_loses_no_wake_up)
{
    struct loops loops;
    loops_start(&loops, 2);
    struct ball balls[3] = {0};
    for (int i = 0; i < 3; i++) {
        balls[i].loops = &loops;
        balls[i].left = 10000;
        loop_post(loops.loop[0], &balls[i].msg, on_ball);
    }
    for (int i = 0; i < 3; i++) {
        while (!balls[i].down)
            usleep(1000);
    }
    loops_join(&loops);
    loops_free(&loops);
}
END_TEST

static int steps;

static void on_step(struct loop_msg *msg)
{
    (void)msg;
    steps++;
}

START_TEST(loop_free_runs_what_is_queued)
{
    struct loop_msg messages[2];
    struct loop *loop = loop_new(env_posix(), 3);
    ck_assert_uint_eq(loop_index(loop), 3);
    loop_post(loop, &messages[0], on_step);
    loop_defer(loop, &messages[1], on_step);
    ck_assert_int_eq(steps, 0);
    loop_free(loop);
    ck_assert_int_eq(steps, 2);
}
END_TEST

/* --- deferred work --- */

struct turn {
    struct loop_msg posted[3], deferred, again;
    struct loop *loop;
    int seen;
};

static void on_again(struct loop_msg *msg)
{
    loop_stop(container_of(msg, struct turn, again)->loop);
}

static void on_deferred(struct loop_msg *msg)
{
    struct turn *turn = container_of(msg, struct turn, deferred);
    ck_assert_int_eq(turn->seen, 3);
    loop_defer(turn->loop, &turn->again, on_again); /* must not wait for an event */
}

static struct turn the_turn;

static void on_posted(struct loop_msg *msg)
{
    (void)msg;
    if (the_turn.seen++ == 0)
        loop_defer(the_turn.loop, &the_turn.deferred, on_deferred);
}

START_TEST(loop_defers_to_the_end_of_the_turn)
{
    the_turn.loop = loop_new(env_posix(), 0);
    for (int i = 0; i < 3; i++)
        loop_post(the_turn.loop, &the_turn.posted[i], on_posted);
    loop_run(the_turn.loop);
    ck_assert_int_eq(the_turn.seen, 3);
    loop_free(the_turn.loop);
}
END_TEST

/* --- timers --- */

enum { TIMERS = 20000 };

struct alarm {
    struct timer timer;
    int64_t due_ns;
    bool stopped, fired;
};

static struct alarm alarms[TIMERS];
static int alarms_left;
static int64_t last_deadline_ms;

static void on_alarm(struct timer *timer)
{
    struct alarm *alarm = container_of(timer, struct alarm, timer);
    struct env *env = env_posix();
    ck_assert(!alarm->stopped && !alarm->fired);
    ck_assert(!timer_running(timer));
    ck_assert(env->ops->monotonic_ns(env) >= alarm->due_ns);
    ck_assert(timer->deadline_ms >= last_deadline_ms);
    last_deadline_ms = timer->deadline_ms;
    alarm->fired = true;
    if (--alarms_left == 0)
        loop_stop(loop_current());
}

static void alarm_start(struct alarm *alarm, struct loop *loop)
{
    struct env *env = env_posix();
    int delay_ms = rand() % 100;
    alarm->due_ns = env->ops->monotonic_ns(env) + (int64_t)delay_ms * 1000000;
    timer_start(&alarm->timer, loop, delay_ms, on_alarm);
}

START_TEST(timers_fire_in_order_and_never_early)
{
    struct loop *loop = loop_new(env_posix(), 0);
    srand(11);
    alarms_left = TIMERS;
    for (int i = 0; i < TIMERS; i++)
        alarm_start(&alarms[i], loop);
    for (int i = 0; i < TIMERS; i += 3)
        alarm_start(&alarms[i], loop); /* restart */
    for (int i = 1; i < TIMERS; i += 3) {
        timer_stop(&alarms[i].timer);
        timer_stop(&alarms[i].timer);
        alarms[i].stopped = true;
        alarms_left--;
    }
    loop_run(loop);
    for (int i = 0; i < TIMERS; i++)
        ck_assert(alarms[i].fired != alarms[i].stopped);
    loop_free(loop);
}
END_TEST

static void on_long_timer(struct timer *timer)
{
    ck_abort_msg("fired although stopped: %p", (void *)timer);
}

static void on_short_timer(struct timer *timer)
{
    ck_assert(!timer_running(timer));
    loop_stop(loop_current());
}

/* The clock is armed for the first deadline and must be set back for a sooner one. */
START_TEST(timers_rearm_for_a_sooner_deadline)
{
    struct loop *loop = loop_new(env_posix(), 0);
    struct timer late = TIMER_NULL, soon = TIMER_NULL;
    timer_start(&late, loop, 3600000, on_long_timer);
    timer_start(&soon, loop, 20, on_short_timer);
    int64_t before = env_monotonic_ms(env_posix());
    loop_run(loop);
    int64_t took = env_monotonic_ms(env_posix()) - before;
    ck_assert_int_ge(took, 19);
    ck_assert_int_lt(took, 5000);
    timer_stop(&late);
    loop_free(loop);
}
END_TEST

/* --- descriptors --- */

static int pair[2];
static struct loop_io io;
static unsigned last_events;
static int n_events;

static void on_io(struct loop_io *of, unsigned events)
{
    char byte;
    last_events = events;
    n_events++;
    if (events == LOOP_IO_READ && of->events == LOOP_IO_READ)
        ck_assert_int_eq(read(of->fd, &byte, 1), 1);
    loop_stop(of->loop);
}

/* Runs the loop until an event came or `wait_ms` passed. */
static void on_patience(struct timer *timer)
{
    ck_assert(!timer_running(timer));
    loop_stop(loop_current());
}

static struct loop *io_setup(void)
{
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    struct loop *loop = loop_new(env_posix(), 0);
    ck_assert_int_eq(loop_io_start(&io, loop, pair[0], on_io), 0);
    return loop;
}

static void io_teardown(struct loop *loop)
{
    loop_io_stop(&io);
    loop_io_stop(&io);
    loop_free(loop);
    close(pair[0]);
}

START_TEST(io_reports_reading)
{
    struct loop *loop = io_setup();
    loop_io_watch(&io, LOOP_IO_READ);
    ck_assert_int_eq(write(pair[1], "x", 1), 1);
    loop_run(loop);
    ck_assert_uint_eq(last_events, LOOP_IO_READ);
    io_teardown(loop);
    close(pair[1]);
}
END_TEST

static int turns_left = 100;

static void on_stubborn_io(struct loop_io *of, unsigned events)
{
    (void)of;
    (void)events; /* stays ready: nothing is read */
}

static void on_turn(struct loop_msg *msg)
{
    if (--turns_left == 0)
        loop_stop(loop_current());
    else
        loop_defer(loop_current(), msg, on_turn);
}

/* A descriptor that stays ready may not keep deferred work and messages from their turn. */
START_TEST(io_that_stays_ready_starves_nobody)
{
    struct loop_msg deferred;
    struct loop *loop = io_setup();
    io.fn = on_stubborn_io;
    loop_io_watch(&io, LOOP_IO_READ);
    ck_assert_int_eq(write(pair[1], "x", 1), 1);
    loop_defer(loop, &deferred, on_turn);
    loop_run(loop);
    ck_assert_int_eq(turns_left, 0);
    io_teardown(loop);
    close(pair[1]);
}
END_TEST

START_TEST(io_reports_writing_and_pauses)
{
    struct loop *loop = io_setup();
    struct timer patience = TIMER_NULL;
    loop_io_watch(&io, LOOP_IO_READ | LOOP_IO_WRITE);
    loop_io_watch(&io, 0);
    timer_start(&patience, loop, 30, on_patience);
    loop_run(loop);
    ck_assert_int_eq(n_events, 0);
    io_teardown(loop);
    loop = io_setup();
    loop_io_watch(&io, LOOP_IO_READ | LOOP_IO_WRITE);
    loop_run(loop);
    ck_assert_uint_eq(last_events, LOOP_IO_WRITE);
    io_teardown(loop);
    close(pair[1]);
}
END_TEST

START_TEST(io_sees_the_peer_end_while_it_does_not_read)
{
    struct loop *loop = io_setup();
    loop_io_watch(&io, LOOP_IO_READ | LOOP_IO_WRITE);
    loop_io_watch(&io, LOOP_IO_CLOSED);
    ck_assert_int_eq(write(pair[1], "unread", 6), 6);
    close(pair[1]);
    loop_run(loop);
    ck_assert_uint_eq(last_events, LOOP_IO_CLOSED);
    io_teardown(loop);
}
END_TEST

TEST_MAIN("loop/loop", loop_keeps_the_order_of_each_poster, loop_loses_no_wake_up,
    loop_free_runs_what_is_queued, loop_defers_to_the_end_of_the_turn,
    timers_fire_in_order_and_never_early, timers_rearm_for_a_sooner_deadline, io_reports_reading,
    io_that_stays_ready_starves_nobody, io_reports_writing_and_pauses,
    io_sees_the_peer_end_while_it_does_not_read)
