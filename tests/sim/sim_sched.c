// SPDX-License-Identifier: BSD-2-Clause
#include "sim/sim_sched.h"

#include "loop/timers.h"

#include <assert.h>

#define SIM_IO_MAX       1024
#define SIM_STEPS_SETTLE 10000000

struct sim_queue {
    struct loop_msg *first, **last;
};

struct loop {
    struct env *env;
    unsigned index;
    struct sim_queue posted, deferred;
    struct timers timers;
    struct loop_io *ios[SIM_IO_MAX];
    unsigned n_ios;
};

struct sim_work {
    struct list_link link;
    struct offload_work *work;
    int64_t ready_ns;
};

static struct {
    struct sim_disk *disk;
    struct sim_random *random;
    struct loop *loops[SIM_LOOPS_MAX];
    unsigned n_loops;
    struct loop *current;
    struct list_link works; /* struct sim_work, in order of submission */
    int64_t work_ms_max;
    uint64_t n_steps;
    sim_ready_fn ready;
    void (*told)(int fd);
} sched;

/* --- queues --- */

static void queue_init(struct sim_queue *queue)
{
    queue->first = NULL;
    queue->last = &queue->first;
}

static void queue_put(struct sim_queue *queue, struct loop_msg *msg)
{
    msg->next = NULL;
    *queue->last = msg;
    queue->last = &msg->next;
}

static void queue_run(struct sim_queue *queue)
{
    struct loop_msg *msg = queue->first;
    queue_init(queue);
    while (msg != NULL) {
        struct loop_msg *next = msg->next;
        msg->fn(msg);
        msg = next;
    }
}

void sim_sched_start(struct sim_disk *disk, struct sim_random *random)
{
    sched = (__typeof__(sched)){.disk = disk, .random = random};
    list_init(&sched.works);
}

void sim_sched_work_ms_max(int64_t ms)
{
    sched.work_ms_max = ms;
}

void sim_sched_ready_fn(sim_ready_fn fn, void (*told)(int fd))
{
    sched.ready = fn;
    sched.told = told;
}

void sim_sched_abandon(void)
{
    sched.current = NULL;
    sched.n_loops = 0;
    list_init(&sched.works);
}

uint64_t sim_sched_steps(void)
{
    return sched.n_steps;
}

/* --- loop.h --- */

struct loop *loop_new(struct env *env, unsigned index)
{
    assert(sched.n_loops < SIM_LOOPS_MAX);
    struct loop *loop = xnew(struct loop);
    loop->env = env;
    loop->index = index;
    queue_init(&loop->posted);
    queue_init(&loop->deferred);
    sched.loops[sched.n_loops++] = loop;
    return loop;
}

void loop_free(struct loop *loop)
{
    if (loop == NULL)
        return;
    struct loop *before = sched.current;
    sched.current = loop;
    while (loop->posted.first != NULL || loop->deferred.first != NULL) {
        queue_run(&loop->posted);
        queue_run(&loop->deferred);
    }
    sched.current = before;
    for (unsigned i = 0; i < sched.n_loops; i++) {
        if (sched.loops[i] == loop)
            sched.loops[i] = sched.loops[--sched.n_loops];
    }
    timers_deinit(&loop->timers);
    free(loop);
}

void loop_run(struct loop *loop)
{
    (void)loop;
    assert(false); /* the scheduler runs them */
}

void loop_stop(struct loop *loop)
{
    (void)loop;
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
    return env_monotonic_ms(loop->env);
}

struct loop *loop_current(void)
{
    return sched.current;
}

void loop_assert_owner(const struct loop *loop)
{
    assert(sched.current == loop || sched.current == NULL);
}

void loop_post(struct loop *loop, struct loop_msg *msg, void (*fn)(struct loop_msg *msg))
{
    msg->fn = fn;
    queue_put(&loop->posted, msg);
}

void loop_defer(struct loop *loop, struct loop_msg *msg, void (*fn)(struct loop_msg *msg))
{
    loop_assert_owner(loop);
    msg->fn = fn;
    queue_put(&loop->deferred, msg);
}

void timer_start(
    struct timer *timer, struct loop *loop, int64_t delay_ms, void (*fn)(struct timer *timer))
{
    loop_assert_owner(loop);
    timer_stop(timer);
    int64_t now_ms = (sched.disk->now_ns + 999999) / 1000000;
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

int loop_io_start(
    struct loop_io *io, struct loop *loop, int fd, void (*fn)(struct loop_io *io, unsigned events))
{
    loop_assert_owner(loop);
    assert(loop->n_ios < SIM_IO_MAX);
    *io = (struct loop_io){.loop = loop, .fd = fd, .fn = fn};
    io->event = (struct event *)(void *)io; /* not NULL: started */
    loop->ios[loop->n_ios++] = io;
    return 0;
}

void loop_io_watch(struct loop_io *io, unsigned events)
{
    assert(io->event != NULL);
    loop_assert_owner(io->loop);
    io->events = events;
}

void loop_io_stop(struct loop_io *io)
{
    if (io->event == NULL)
        return;
    struct loop *loop = io->loop;
    for (unsigned i = 0; i < loop->n_ios; i++) {
        if (loop->ios[i] == io) {
            loop->ios[i] = loop->ios[--loop->n_ios];
            break;
        }
    }
    *io = (struct loop_io){.fd = -1};
}

/* --- offload.h --- */

struct offload *offload_new(unsigned n_threads)
{
    (void)n_threads;
    return (struct offload *)(void *)&sched;
}

void offload_free(struct offload *offload)
{
    (void)offload;
    assert(list_empty(&sched.works));
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
    struct sim_work *entry = xnew(struct sim_work);
    entry->work = work;
    entry->ready_ns = sched.disk->now_ns;
    if (sched.random != NULL && sched.work_ms_max > 0)
        entry->ready_ns += (int64_t)sim_below(sched.random, (uint64_t)sched.work_ms_max * 1000000);
    list_append(&sched.works, &entry->link);
}

static void work_on_done(struct loop_msg *msg)
{
    struct offload_work *work = container_of(msg, struct offload_work, msg);
    work->done(work);
}

static void work_run(struct sim_work *entry)
{
    struct offload_work *work = entry->work;
    struct loop *before = sched.current;
    list_remove(&entry->link);
    free(entry);
    sched.current = NULL;
    work->run(work);
    sched.current = before;
    loop_post(work->loop, &work->msg, work_on_done);
}

/* No earlier work of the same order is waiting. */
static bool work_first(const struct sim_work *entry)
{
    if (entry->work->order == NULL)
        return true;
    for (struct list_link *link = entry->link.prev; link != &sched.works; link = link->prev) {
        if (list_entry(link, struct sim_work, link)->work->order == entry->work->order)
            return false;
    }
    return true;
}

static bool work_ready(const struct sim_work *entry)
{
    return entry->ready_ns <= sched.disk->now_ns && work_first(entry);
}

/* --- turns --- */

static unsigned io_ready(const struct loop_io *io)
{
    if (sched.ready == NULL || io->events == 0)
        return 0;
    return sched.ready(io->fd) & io->events;
}

static bool timer_due(struct loop *loop)
{
    struct timer *timer = timers_first(&loop->timers);
    return timer != NULL && timer->deadline_ms * 1000000 <= sched.disk->now_ns;
}

static bool loop_ready(struct loop *loop)
{
    if (loop->posted.first != NULL || loop->deferred.first != NULL || timer_due(loop))
        return true;
    for (unsigned i = 0; i < loop->n_ios; i++) {
        if (io_ready(loop->ios[i]) != 0)
            return true;
    }
    return false;
}

static void loop_turn_ios(struct loop *loop)
{
    for (unsigned i = 0; i < loop->n_ios;) {
        struct loop_io *io = loop->ios[i];
        unsigned events = io_ready(io);
        if ((events & LOOP_IO_CLOSED) != 0) {
            sched.told(io->fd);
            io->fn(io, LOOP_IO_CLOSED);
        } else if ((events & LOOP_IO_READ) != 0)
            io->fn(io, LOOP_IO_READ);
        if (i < loop->n_ios && loop->ios[i] == io && (io_ready(io) & LOOP_IO_WRITE) != 0)
            io->fn(io, LOOP_IO_WRITE);
        if (i < loop->n_ios && loop->ios[i] == io)
            i++;
    }
}

static void loop_turn(struct loop *loop)
{
    sched.current = loop;
    queue_run(&loop->posted);
    while (timer_due(loop)) {
        struct timer *timer = timers_first(&loop->timers);
        timer_stop(timer);
        timer->fn(timer);
    }
    queue_run(&loop->deferred);
    loop_turn_ios(loop);
    sched.current = NULL;
}

bool sim_sched_step(void)
{
    struct loop *loops[SIM_LOOPS_MAX];
    struct sim_work *works[64];
    unsigned n_loops = 0, n_works = 0;
    for (unsigned i = 0; i < sched.n_loops; i++) {
        if (loop_ready(sched.loops[i]))
            loops[n_loops++] = sched.loops[i];
    }
    struct sim_work *entry;
    list_for_each_entry (entry, &sched.works, link) {
        if (n_works < 64 && work_ready(entry))
            works[n_works++] = entry;
    }
    if (n_loops + n_works == 0)
        return false;
    sched.n_steps++;
    unsigned pick = 0;
    if (sched.random != NULL) {
        pick = (unsigned)sim_below(sched.random, n_loops + n_works);
        sched.disk->now_ns += (int64_t)sim_below(sched.random, 20000);
    }
    if (pick < n_loops)
        loop_turn(loops[pick]);
    else
        work_run(works[pick - n_loops]);
    return true;
}

int64_t sim_sched_next_ns(void)
{
    int64_t next = INT64_MAX;
    for (unsigned i = 0; i < sched.n_loops; i++) {
        struct timer *timer = timers_first(&sched.loops[i]->timers);
        if (timer != NULL && timer->deadline_ms * 1000000 < next)
            next = timer->deadline_ms * 1000000;
    }
    struct sim_work *entry;
    list_for_each_entry (entry, &sched.works, link) {
        if (entry->ready_ns < next && work_first(entry))
            next = entry->ready_ns;
    }
    return next;
}

bool sim_sched_idle(void)
{
    for (unsigned i = 0; i < sched.n_loops; i++) {
        if (sched.loops[i]->posted.first != NULL || sched.loops[i]->deferred.first != NULL)
            return false;
    }
    return list_empty(&sched.works);
}

void sim_sched_settle(void)
{
    for (unsigned steps = 0;; steps++) {
        assert(steps < SIM_STEPS_SETTLE); /* a hang */
        if (sim_sched_step())
            continue;
        if (list_empty(&sched.works))
            return;
        int64_t next = sim_sched_next_ns();
        if (next > sched.disk->now_ns)
            sched.disk->now_ns = next;
    }
}

void sim_sched_advance(int64_t ms)
{
    int64_t end_ns = sched.disk->now_ns + ms * 1000000;
    for (unsigned steps = 0;; steps++) {
        assert(steps < SIM_STEPS_SETTLE); /* a hang */
        if (sim_sched_step())
            continue;
        int64_t next = sim_sched_next_ns();
        if (next > end_ns)
            break;
        if (next > sched.disk->now_ns)
            sched.disk->now_ns = next;
    }
    if (sched.disk->now_ns < end_ns)
        sched.disk->now_ns = end_ns;
}
