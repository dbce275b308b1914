// SPDX-License-Identifier: BSD-2-Clause
/*
 * Threads that take work from one queue under one mutex; work is long (a disk's time), so the mutex
 * is never the bottleneck. Work with an order key waits in its key's lane while an earlier one of
 * the lane is queued or running; the lane's next is queued when that one has posted its result, so
 * results keep the order too. A lane lives as long as it has work.
 *
 * The queue has no limit of its own: each submitter has a bounded number of works outstanding.
 */
#include "loop/offload.h"
#include "base/map.h"

#include <assert.h>
#include <pthread.h>

#define OFFLOAD_THREADS_MAX 64

struct lane {
    const void *order;
    struct list_link waiting; /* struct offload_work.link */
};

struct offload {
    pthread_mutex_t lock;
    pthread_cond_t wanted;
    struct list_link ready; /* struct offload_work.link */
    struct map lanes;       /* order key -> struct lane */
    bool stopping;
    unsigned n_threads;
    pthread_t threads[OFFLOAD_THREADS_MAX];
};

static struct slice lane_key(const void *const *order)
{
    return slice_make(order, sizeof(*order));
}

static void offload_make_ready(struct offload *offload, struct offload_work *work)
{
    list_append(&offload->ready, &work->link);
    pthread_cond_signal(&offload->wanted);
}

/* Locked. The lane's next work becomes ready, an empty lane ends. */
static void offload_advance_lane(struct offload *offload, const void *order)
{
    struct lane *lane = map_get(&offload->lanes, lane_key(&order));
    assert(lane != NULL);
    struct list_link *first = list_first(&lane->waiting);
    if (first == NULL) {
        map_remove(&offload->lanes, lane_key(&order));
        free(lane);
        return;
    }
    list_remove(first);
    offload_make_ready(offload, list_entry(first, struct offload_work, link));
}

static void offload_on_done(struct loop_msg *msg)
{
    struct offload_work *work = container_of(msg, struct offload_work, msg);
    work->done(work);
}

static void *offload_thread(void *arg)
{
    struct offload *offload = arg;
    pthread_mutex_lock(&offload->lock);
    for (;;) {
        struct list_link *first = list_first(&offload->ready);
        if (first == NULL) {
            if (offload->stopping && offload->lanes.count == 0)
                break;
            pthread_cond_wait(&offload->wanted, &offload->lock);
            continue;
        }
        list_remove(first);
        pthread_mutex_unlock(&offload->lock);
        struct offload_work *work = list_entry(first, struct offload_work, link);
        const void *order = work->order; /* the work is gone once it is posted */
        work->run(work);
        loop_post(work->loop, &work->msg, offload_on_done);
        pthread_mutex_lock(&offload->lock);
        if (order != NULL)
            offload_advance_lane(offload, order);
        if (offload->stopping)
            pthread_cond_broadcast(&offload->wanted);
    }
    pthread_mutex_unlock(&offload->lock);
    return NULL;
}

struct offload *offload_new(unsigned n_threads)
{
    assert(n_threads > 0 && n_threads <= OFFLOAD_THREADS_MAX);
    struct offload *offload = xnew(struct offload);
    pthread_mutex_init(&offload->lock, NULL);
    pthread_cond_init(&offload->wanted, NULL);
    list_init(&offload->ready);
    for (unsigned i = 0; i < n_threads; i++) {
        if (pthread_create(&offload->threads[i], NULL, offload_thread, offload) != 0)
            break;
        pthread_setname_np(offload->threads[i], "offload");
        offload->n_threads++;
    }
    assert(offload->n_threads > 0); /* a broker without a single thread to spare cannot run */
    return offload;
}

void offload_free(struct offload *offload)
{
    if (offload == NULL)
        return;
    pthread_mutex_lock(&offload->lock);
    offload->stopping = true;
    pthread_cond_broadcast(&offload->wanted);
    pthread_mutex_unlock(&offload->lock);
    for (unsigned i = 0; i < offload->n_threads; i++)
        pthread_join(offload->threads[i], NULL);
    assert(list_empty(&offload->ready) && offload->lanes.count == 0);
    map_deinit(&offload->lanes);
    pthread_cond_destroy(&offload->wanted);
    pthread_mutex_destroy(&offload->lock);
    free(offload);
}

/* Locked. True when an earlier work of the same order is not finished: it waits in the lane. */
static bool offload_join_lane(struct offload *offload, struct offload_work *work)
{
    struct lane *lane = map_get(&offload->lanes, lane_key(&work->order));
    if (lane != NULL) {
        list_append(&lane->waiting, &work->link);
        return true;
    }
    lane = xnew(struct lane);
    lane->order = work->order;
    list_init(&lane->waiting);
    map_put(&offload->lanes, lane_key(&lane->order), lane);
    return false;
}

void offload_submit(struct offload *offload, struct offload_work *work, struct loop *loop,
    const void *order, void (*run)(struct offload_work *work),
    void (*done)(struct offload_work *work))
{
    work->loop = loop;
    work->order = order;
    work->run = run;
    work->done = done;
    pthread_mutex_lock(&offload->lock);
    assert(!offload->stopping);
    if (order == NULL || !offload_join_lane(offload, work))
        offload_make_ready(offload, work);
    pthread_mutex_unlock(&offload->lock);
}
