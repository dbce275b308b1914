// SPDX-License-Identifier: BSD-2-Clause
/*
 * Fetch, a long poll:
 *
 *                     enough, an error, or no time left
 *   read at all homes ----------------------------------> answer
 *      ^     |
 *      |     | too little
 *      |     v
 *      |   arm: a waiter at each partition --> wait for the first waiter or the deadline
 *      |                                              |
 *      +----------------------------------------------+      (the read disarms what is armed)
 *
 * Records are never touched: a read gives ranges of segment files, which the connection sends.
 * Homes read at the same time, each within its own share of the limits; the join, in request order,
 * drops what is too much together (the first partition with data always stays, so every fetch gets
 * on).
 *
 * All state is the connection's loop's, except that an item and a leg belong to their home while a
 * round is under way. A connection that dies ends the poll through on_cancel.
 *
 * Sessions (KIP-227) change what is asked and what is told, not the poll: fetch_asks.c,
 * fetch_answer.c.
 */
#include "api/fetch_internal.h"
#include "api/lookup.h"
#include "broker/config/settings.h"
#include "wire/errors.gen.h"

#include <assert.h>

static void fetch_read(struct fetch *fetch);

/* --- at the home --- */

static void fetch_item_end(struct fetch_item *item, enum partition_error error)
{
    item->error_code = lookup_partition_error(error);
    if (error == PARTITION_OK)
        item->leg->size_used += item->read.engine.size;
    else
        assert(item->read.engine.n_chunks == 0);
    fanout_item_done(&item->item);
}

static void fetch_on_read(struct partition_read *read, enum partition_error error)
{
    fetch_item_end(container_of(read, struct fetch_item, read), error);
}

static void fetch_run_read(struct fanout_item *fanout_item)
{
    struct fetch_item *item = container_of(fanout_item, struct fetch_item, item);
    struct fetch *fetch = fanout_context(fanout_item->fanout);
    partition_unwait(&item->waiter);
    if (item->leg->round != fetch->round) {
        item->leg->round = fetch->round;
        item->leg->size_used = 0;
        item->leg->woken = false;
    }
    struct partition *partition = broker_partition(fetch->broker, &item->id);
    if (partition == NULL) { /* deleted meanwhile */
        item->error_code = KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION;
        fanout_item_done(fanout_item);
        return;
    }
    uint64_t used = item->leg->size_used;
    uint64_t left = used < fetch->size_max ? fetch->size_max - used : 0;
    item->read.size_max = left < item->size_max ? (uint32_t)left : item->size_max;
    item->read.one_at_least = used == 0;
    item->read.done = fetch_on_read;
    enum partition_error error = partition_read(partition, &item->read);
    if (error != PARTITION_PENDING)
        fetch_item_end(item, error);
}

static void fetch_on_woken(struct loop_msg *msg);

/* A wake from another loop stands in the mailbox before what that loop's leg does next. The own
 * loop's leg runs on the spot, and may overtake its wake: so there is one of these at a time, and
 * the answer waits for it. */
static void fetch_leg_wake(struct fetch_leg *leg)
{
    struct fetch *fetch = leg->fetch;
    bool here = leg == &fetch->legs[loop_index(fetch->loop)];
    if (leg->woken || (here && fetch->waking))
        return;
    leg->woken = true;
    if (here)
        fetch->waking = true;
    loop_post(fetch->loop, &leg->wake, fetch_on_woken);
}

static void fetch_on_waiter(struct partition_waiter *waiter)
{
    fetch_leg_wake(container_of(waiter, struct fetch_item, waiter)->leg);
}

static void fetch_run_arm(struct fanout_item *fanout_item)
{
    struct fetch_item *item = container_of(fanout_item, struct fetch_item, item);
    struct fetch *fetch = fanout_context(fanout_item->fanout);
    struct partition *partition = broker_partition(fetch->broker, &item->id);
    if (partition == NULL) {
        fetch_leg_wake(item->leg);
    } else {
        item->waiter.offset =
            fetch->read_committed ? item->read.last_stable_offset : item->read.high_watermark;
        item->waiter.read_committed = fetch->read_committed;
        item->waiter.fn = fetch_on_waiter;
        partition_wait(partition, &item->waiter);
    }
    fanout_item_done(fanout_item);
}

static void fetch_run_disarm(struct fanout_item *fanout_item)
{
    partition_unwait(&container_of(fanout_item, struct fetch_item, item)->waiter);
    fanout_item_done(fanout_item);
}

/* --- on the connection's loop --- */

static void fetch_round(struct fetch *fetch, enum fetch_state state,
    void (*run)(struct fanout_item *item), void (*done)(struct fanout *fanout))
{
    fetch->state = state;
    fetch->round++;
    fanout_again(fetch->fanout, run, done);
    for (size_t i = 0; i < fetch->items_count; i++)
        fanout_add(fetch->fanout, &fetch->items[i].item, fetch->items[i].home);
    fanout_start(fetch->fanout);
}

static void fetch_answer(struct fetch *fetch)
{
    fetch->state = FETCH_ANSWERING;
    if (fetch->waking)
        return;
    fetch_fill(fetch);
    request_complete(fetch->req);
}

static void fetch_on_disarmed(struct fanout *fanout)
{
    struct fetch *fetch = fanout_context(fanout);
    fetch_answer(fetch);
}

/* The wait is over: read again, or give up when nobody is there to be answered. */
static void fetch_resume(struct fetch *fetch)
{
    timer_stop(&fetch->timer);
    if (fetch->cancelled)
        fetch_round(fetch, FETCH_DISARMING, fetch_run_disarm, fetch_on_disarmed);
    else
        fetch_read(fetch);
}

static void fetch_on_woken(struct loop_msg *msg)
{
    struct fetch_leg *leg = container_of(msg, struct fetch_leg, wake);
    struct fetch *fetch = leg->fetch;
    fetch->woken = true;
    if (leg == &fetch->legs[loop_index(fetch->loop)])
        fetch->waking = false;
    if (fetch->state == FETCH_WAITING)
        fetch_resume(fetch);
    else if (fetch->state == FETCH_ANSWERING)
        fetch_answer(fetch);
}

static void fetch_on_deadline(struct timer *timer)
{
    struct fetch *fetch = container_of(timer, struct fetch, timer);
    fetch->late = true;
    fetch_resume(fetch);
}

static void fetch_on_cancel(struct request *req)
{
    struct fetch *fetch = req->handler_state;
    fetch->cancelled = true;
    if (fetch->state == FETCH_WAITING)
        fetch_resume(fetch);
}

static void fetch_on_armed(struct fanout *fanout)
{
    struct fetch *fetch = fanout_context(fanout);
    fetch->state = FETCH_WAITING;
    int64_t left = fetch->deadline_ms - loop_now_ms(fetch->loop);
    if (fetch->woken || fetch->cancelled || left <= 0) {
        fetch->late = left <= 0;
        fetch_resume(fetch);
    } else {
        timer_start(&fetch->timer, fetch->loop, left, fetch_on_deadline);
    }
}

static void fetch_on_joined(struct fanout *fanout)
{
    struct fetch *fetch = fanout_context(fanout);
    if (fetch_trim(fetch) || fetch->late || fetch->cancelled) {
        fetch_answer(fetch);
        return;
    }
    fetch_release(fetch);
    fetch->woken = false;
    fetch_round(fetch, FETCH_ARMING, fetch_run_arm, fetch_on_armed);
}

static void fetch_read(struct fetch *fetch)
{
    fetch_round(fetch, FETCH_READING, fetch_run_read, fetch_on_joined);
}

static int64_t fetch_wait_ms(const struct fetch *fetch, const struct fetch_request *request)
{
    int32_t max = broker_settings(fetch->broker)->fetch.wait_ms_max;
    if (request->min_bytes <= 0 || request->max_wait_ms <= 0)
        return 0;
    return max >= 0 && request->max_wait_ms > max ? max : request->max_wait_ms;
}

static size_t fetch_count(const struct fetch_request *request)
{
    size_t count = 0;
    for (int32_t t = 0; t < request->topics_count; t++)
        count += (size_t)request->topics[t].partitions_count;
    return count;
}

static void fetch_limits(struct fetch *fetch, const struct fetch_request *request)
{
    uint32_t size_max = broker_settings(fetch->broker)->fetch.size_max;
    uint32_t asked = request->max_bytes < 0 ? 0 : (uint32_t)request->max_bytes;
    fetch->size_max = asked < size_max ? asked : size_max;
    uint32_t size_min = request->min_bytes < 0 ? 0 : (uint32_t)request->min_bytes;
    fetch->size_min = size_min < fetch->size_max ? size_min : fetch->size_max;
    int64_t wait_ms = fetch_wait_ms(fetch, request);
    fetch->late = wait_ms == 0;
    fetch->deadline_ms = loop_now_ms(fetch->loop) + wait_ms;
}

enum handle_result fetch_handle(
    struct request *req, const struct fetch_request *request, struct fetch_response *response)
{
    if (lookup_too_many(req, fetch_count(request)))
        return HANDLE_CLOSE;
    struct fetch *fetch = arena_new(&req->arena, struct fetch);
    fetch->req = req;
    fetch->broker = req->conn->context;
    fetch->loop = loop_current();
    fetch->response = response;
    fetch->read_committed = request->isolation_level == 1;
    response->error_code = fetch_asks_make(fetch, request);
    if (response->error_code != KAFKA_ERROR_NONE)
        return HANDLE_DONE;
    if (lookup_too_many(req, fetch->asks_count)) {
        fetch_session_close(fetch->session); /* a request's worth was looked at above */
        fetch_session_unref(fetch->session);
        return HANDLE_CLOSE;
    }
    fetch_limits(fetch, request);
    fetch_prepare(fetch);
    if (fetch->items_count == 0) {
        fetch_fill(fetch);
        return HANDLE_DONE;
    }
    req->handler_state = fetch;
    req->on_cancel = fetch_on_cancel;
    fetch->fanout = fanout_new(&req->arena, fetch->broker, fetch_run_read, fetch_on_joined, fetch);
    fetch_read(fetch);
    return HANDLE_PARKED;
}
