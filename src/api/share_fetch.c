// SPDX-License-Identifier: BSD-2-Clause
/*
 * ShareFetch: acknowledges what the request says of earlier records, then a long poll for more:
 *
 *   acknowledge at all homes --> read and acquire, one home after the other
 *                                   |       ^            | enough, an error, or no time left
 *                           nothing |       |            +--------------------------------> answer
 *                                   v       | woken
 *                                  arm: a waiter at each partition, or the deadline
 *
 * Homes are asked one after the other, beginning with another one each time, because what one
 * acquires counts against the request's limits and cannot be given back. With a minimum of more
 * than a byte a pass looks first how much there is.
 *
 * The handler runs on the group's home loop, where the sessions are (share_sessions.h); items
 * belong to their homes while a round is under way. A connection that dies ends the poll through
 * on_cancel; what was acquired for it is released with its session.
 */
#include "wire/share_fetch.gen.h"

#include "api/lookup.h"
#include "api/nodes.h"
#include "api/share_fetch_internal.h"
#include "broker/config/settings.h"
#include "wire/errors.gen.h"

enum share_acquire_mode { SHARE_MODE_BATCHES, SHARE_MODE_RECORDS };

/* --- at the home --- */

static void share_leg_begin(struct share_poll *poll, struct share_poll_leg *leg)
{
    if (leg->round == poll->round)
        return;
    leg->round = poll->round;
    leg->woken = false;
}

static void share_item_on_fetched(struct share_fetch *fetch)
{
    struct share_poll_item *item = container_of(fetch, struct share_poll_item, fetch);
    struct share_poll *poll = item->leg->poll;
    item->error_code = share_error_code(fetch->error, fetch->partition_error);
    /* The other homes have not begun, or have ended: this is the only one that counts now. */
    if (fetch->look) {
        poll->size_seen += fetch->size;
    } else {
        uint64_t size = fetch->size < poll->size_left ? fetch->size : poll->size_left;
        poll->size_left -= (uint32_t)size;
        poll->records_left -= fetch->count < poll->records_left ? fetch->count : poll->records_left;
    }
    fanout_item_done(&item->ack.item);
}

static void share_run_read(struct fanout_item *fanout_item)
{
    struct share_poll_item *item = container_of(fanout_item, struct share_poll_item, ack.item);
    struct share_poll *poll = item->leg->poll;
    share_leg_begin(poll, item->leg);
    share_partition_unwait(&item->waiter);
    if (!poll->looking && (poll->records_left <= 0 || poll->size_left == 0)) {
        fanout_item_done(fanout_item);
        return;
    }
    struct share_partition *partition =
        share_parts_get(broker_share_parts(poll->broker), item->ack.group, &item->ack.id, true);
    if (partition == NULL) { /* deleted meanwhile, or not usable */
        item->error_code = KAFKA_ERROR_NOT_LEADER_OR_FOLLOWER;
        fanout_item_done(fanout_item);
        return;
    }
    item->fetch = (struct share_fetch){.member = poll->request->member_id,
        .size_max = poll->size_left,
        .records_max = poll->records_left,
        .exact = poll->request->share_acquire_mode == SHARE_MODE_RECORDS,
        .batch_size = poll->request->batch_size,
        .look = poll->looking,
        .done = share_item_on_fetched};
    share_partition_fetch(partition, &item->fetch);
}

static void share_on_woken(struct loop_msg *msg);

/* A wake from another loop comes before what that loop says in a later round; one from this loop
 * may come after it, and is waited for. */
static void share_leg_wake(struct share_poll_leg *leg)
{
    bool here = loop_current() == leg->poll->loop;
    if (leg->woken || (here && leg->poll->waking))
        return;
    leg->woken = true;
    if (here)
        leg->poll->waking = true;
    loop_post(leg->poll->loop, &leg->wake, share_on_woken);
}

static void share_on_waiter(struct share_waiter *waiter)
{
    share_leg_wake(container_of(waiter, struct share_poll_item, waiter)->leg);
}

static void share_run_arm(struct fanout_item *fanout_item)
{
    struct share_poll_item *item = container_of(fanout_item, struct share_poll_item, ack.item);
    struct share_poll *poll = item->leg->poll;
    struct share_partition *partition =
        share_parts_get(broker_share_parts(poll->broker), item->ack.group, &item->ack.id, true);
    share_leg_begin(poll, item->leg);
    item->waiter.fn = share_on_waiter;
    item->waiter.seen = poll->size_min > 1 ? item->fetch.seen : -1;
    if (partition == NULL)
        share_leg_wake(item->leg);
    else
        share_partition_wait(partition, &item->waiter);
    fanout_item_done(fanout_item);
}

static void share_run_disarm(struct fanout_item *fanout_item)
{
    struct share_poll_item *item = container_of(fanout_item, struct share_poll_item, ack.item);
    share_partition_unwait(&item->waiter);
    fanout_item_done(fanout_item);
}

/* --- on the group's loop --- */

static void share_poll_pass(struct share_poll *poll);

static void share_poll_answer(struct share_poll *poll)
{
    poll->state = SHARE_POLL_ANSWERING;
    if (poll->waking)
        return;
    share_poll_fill(poll);
    request_complete(poll->req);
}

static void share_on_disarmed(struct fanout *fanout)
{
    share_poll_answer(fanout_context(fanout));
}

/* All that fetch, wherever they are. */
static void share_poll_round(struct share_poll *poll, enum share_poll_state state,
    void (*run)(struct fanout_item *item), void (*done)(struct fanout *fanout))
{
    poll->state = state;
    poll->round++;
    fanout_again(poll->fanout, run, done);
    for (size_t i = 0; i < poll->items_count; i++) {
        if (poll->items[i].fetches)
            fanout_add(poll->fanout, &poll->items[i].ack.item, poll->items[i].ack.home);
    }
    fanout_start(poll->fanout);
}

static void share_poll_resume(struct share_poll *poll)
{
    timer_stop(&poll->timer);
    if (poll->cancelled)
        share_poll_round(poll, SHARE_POLL_DISARMING, share_run_disarm, share_on_disarmed);
    else
        share_poll_pass(poll);
}

static void share_on_woken(struct loop_msg *msg)
{
    struct share_poll_leg *leg = container_of(msg, struct share_poll_leg, wake);
    struct share_poll *poll = leg->poll;
    poll->woken = true;
    if (leg == &poll->legs[loop_index(poll->loop)])
        poll->waking = false;
    if (poll->state == SHARE_POLL_WAITING)
        share_poll_resume(poll);
    else if (poll->state == SHARE_POLL_ANSWERING && !poll->waking)
        share_poll_answer(poll);
}

static void share_on_deadline(struct timer *timer)
{
    struct share_poll *poll = container_of(timer, struct share_poll, timer);
    poll->late = true;
    if (poll->state == SHARE_POLL_REFUSED)
        request_complete(poll->req);
    else
        share_poll_resume(poll);
}

static void share_on_cancel(struct request *req)
{
    struct share_poll *poll = req->handler_state;
    poll->cancelled = true;
    if (poll->state == SHARE_POLL_REFUSED) {
        timer_stop(&poll->timer);
        request_complete(req);
    } else if (poll->state == SHARE_POLL_WAITING) {
        share_poll_resume(poll);
    }
}

static void share_on_armed(struct fanout *fanout)
{
    struct share_poll *poll = fanout_context(fanout);
    poll->state = SHARE_POLL_WAITING;
    int64_t left = poll->deadline_ms - loop_now_ms(poll->loop);
    if (poll->woken || poll->cancelled || left <= 0) {
        poll->late = left <= 0;
        share_poll_resume(poll);
    } else {
        timer_start(&poll->timer, poll->loop, left, share_on_deadline);
    }
}

static bool share_poll_has_something(struct share_poll *poll)
{
    for (size_t i = 0; i < poll->items_count; i++) {
        const struct share_poll_item *item = &poll->items[i];
        if (item->error_code != KAFKA_ERROR_NONE || item->fetch.count > 0)
            return true;
    }
    return false;
}

/* All homes were asked. */
static void share_poll_on_passed(struct share_poll *poll)
{
    if (poll->looking && poll->size_seen >= poll->size_min && !poll->cancelled) {
        poll->size_min = 1; /* now it is to be had */
        share_poll_pass(poll);
        return;
    }
    if (poll->late || poll->cancelled || share_poll_has_something(poll)) {
        share_poll_answer(poll);
        return;
    }
    poll->woken = false;
    poll->armed = true;
    share_poll_round(poll, SHARE_POLL_ARMING, share_run_arm, share_on_armed);
}

static void share_on_read(struct fanout *fanout);

/* The next home that has something to read, if there is one. */
static void share_poll_next_leg(struct share_poll *poll)
{
    while (poll->legs_done < poll->legs_count) {
        unsigned at = (poll->legs_begin + poll->legs_done++) % poll->legs_count;
        struct share_poll_leg *leg = &poll->legs[at];
        if (leg->items_count == 0)
            continue;
        fanout_again(poll->fanout, share_run_read, share_on_read);
        for (size_t i = 0; i < poll->items_count; i++) {
            struct share_poll_item *item = &poll->items[i];
            if (item->fetches && item->leg == leg)
                fanout_add(poll->fanout, &item->ack.item, item->ack.home);
        }
        fanout_start(poll->fanout);
        return;
    }
    share_poll_on_passed(poll);
}

static void share_on_read(struct fanout *fanout)
{
    struct share_poll *poll = fanout_context(fanout);
    /* Where there may be waiters, the home is asked all the same: to disarm them. */
    if (!poll->armed && !poll->looking && (poll->records_left <= 0 || poll->size_left == 0))
        poll->legs_done = poll->legs_count;
    share_poll_next_leg(poll);
}

static void share_poll_pass(struct share_poll *poll)
{
    poll->state = SHARE_POLL_READING;
    poll->round++;
    poll->looking = poll->size_min > 1 && !poll->late;
    poll->size_seen = 0;
    poll->legs_done = 0;
    share_poll_next_leg(poll);
}

static void share_on_acked(struct fanout *fanout)
{
    struct share_poll *poll = fanout_context(fanout);
    const struct share_fetch_request *request = poll->request;
    bool fetches = false;
    for (size_t i = 0; i < poll->items_count; i++) {
        struct share_poll_item *item = &poll->items[i];
        if (item->acks && item->ack_error_code == KAFKA_ERROR_NONE)
            item->ack_error_code = item->ack.error_code;
        fetches = fetches || item->fetches;
    }
    struct share_session *session;
    if (request->share_session_epoch == SHARE_SESSION_EPOCH_FINAL &&
        share_session_enter(poll->req, request->group_id, request->member_id,
            SHARE_SESSION_EPOCH_FINAL, &session) == KAFKA_ERROR_NONE)
        share_session_close(session);
    if (fetches && !poll->cancelled)
        share_poll_pass(poll);
    else
        share_poll_answer(poll);
}

static void share_poll_start(struct share_poll *poll)
{
    poll->state = SHARE_POLL_ACKING;
    poll->fanout =
        fanout_new(&poll->req->arena, poll->broker, share_ack_item_run, share_on_acked, poll);
    for (size_t i = 0; i < poll->items_count; i++) {
        struct share_poll_item *item = &poll->items[i];
        if (item->acks && item->ack_error_code == KAFKA_ERROR_NONE)
            fanout_add(poll->fanout, &item->ack.item, item->ack.home);
    }
    fanout_start(poll->fanout);
}

/* --- the request --- */

static int64_t share_wait_ms(const struct share_poll *poll)
{
    int32_t max = broker_settings(poll->broker)->fetch.wait_ms_max;
    int32_t asked = poll->request->max_wait_ms;
    if (asked <= 0 || poll->request->min_bytes <= 0)
        return 0;
    return max >= 0 && asked > max ? max : asked;
}

static void share_poll_limits(struct share_poll *poll)
{
    const struct share_fetch_request *request = poll->request;
    uint32_t size_max = broker_settings(poll->broker)->fetch.size_max;
    uint32_t asked = request->max_bytes < 0 ? 0 : (uint32_t)request->max_bytes;
    poll->size_left = asked < size_max ? asked : size_max;
    uint32_t size_min = request->min_bytes < 0 ? 0 : (uint32_t)request->min_bytes;
    poll->size_min = size_min < poll->size_left ? size_min : poll->size_left;
    poll->records_left = request->max_records;
    int64_t wait_ms = share_wait_ms(poll);
    poll->late = wait_ms == 0 || poll->failed;
    poll->deadline_ms = loop_now_ms(poll->loop) + wait_ms;
}

static bool share_has_acks(const struct share_fetch_request *request)
{
    for (int32_t t = 0; t < request->topics_count; t++) {
        for (int32_t p = 0; p < request->topics[t].partitions_count; p++) {
            if (request->topics[t].partitions[p].acknowledgement_batches_count > 0)
                return true;
        }
    }
    return false;
}

static int16_t share_fetch_check(
    struct request *req, const struct share_fetch_request *request, struct slice *ret_message)
{
    int16_t error = share_request_check(req, request->group_id, request->member_id, ret_message);
    if (error != KAFKA_ERROR_NONE)
        return error;
    if (request->is_renew_ack && (request->max_bytes != 0 || request->min_bytes != 0 ||
                                     request->max_records != 0 || request->max_wait_ms != 0)) {
        *ret_message = SLICE_LIT("maxBytes, minBytes, maxRecords and maxWaitMs must be set to 0 if "
                                 "isRenewAck is true.");
        return KAFKA_ERROR_INVALID_REQUEST;
    }
    bool opens = request->share_session_epoch == SHARE_SESSION_EPOCH_INITIAL;
    if ((opens && share_has_acks(request)) || request->share_acquire_mode < SHARE_MODE_BATCHES ||
        request->share_acquire_mode > SHARE_MODE_RECORDS)
        return KAFKA_ERROR_INVALID_REQUEST;
    return KAFKA_ERROR_NONE;
}

/* What the request adds to its session and takes away. False: it grew too large. */
static bool share_session_change(
    struct share_session *session, const struct share_fetch_request *request)
{
    for (int32_t t = 0; t < request->topics_count; t++) {
        const struct share_fetch_request_topic *topic = &request->topics[t];
        for (int32_t p = 0; p < topic->partitions_count; p++) {
            struct part_id id = {topic->topic_id, topic->partitions[p].partition_index};
            if (!share_session_put(session, &id))
                return false;
        }
    }
    for (int32_t t = 0; t < request->forgotten_topics_data_count; t++) {
        const struct share_fetch_request_forgotten_topic *topic =
            &request->forgotten_topics_data[t];
        for (int32_t p = 0; p < topic->partitions_count; p++)
            share_session_forget(session, &(struct part_id){topic->topic_id, topic->partitions[p]});
    }
    return true;
}

static int16_t share_fetch_session(struct share_poll *poll, struct share_session **ret_session)
{
    struct request *req = poll->req;
    const struct share_fetch_request *request = poll->request;
    struct share_session *session;
    if (request->share_session_epoch == SHARE_SESSION_EPOCH_INITIAL) {
        session = share_sessions_open(broker_share_sessions(poll->broker), request_node(req),
            request->group_id, request->member_id, req->conn->id);
        if (session == NULL)
            return KAFKA_ERROR_SHARE_SESSION_LIMIT_REACHED;
        request_watch_close(req);
    } else {
        int16_t error = share_session_enter(
            req, request->group_id, request->member_id, request->share_session_epoch, &session);
        if (error != KAFKA_ERROR_NONE)
            return error;
    }
    if (request->share_session_epoch == SHARE_SESSION_EPOCH_FINAL) {
        *ret_session = NULL; /* nothing more is fetched */
        return KAFKA_ERROR_NONE;
    }
    if (!share_session_change(session, request)) {
        share_session_close(session);
        return KAFKA_ERROR_SHARE_SESSION_LIMIT_REACHED;
    }
    *ret_session = session;
    return KAFKA_ERROR_NONE;
}

/* There is no room for another session: a client that tries again at once would not help. */
static enum handle_result share_poll_refuse(struct share_poll *poll)
{
    int64_t wait_ms = share_wait_ms(poll);
    if (poll->response->error_code != KAFKA_ERROR_SHARE_SESSION_LIMIT_REACHED || wait_ms == 0)
        return HANDLE_DONE;
    poll->state = SHARE_POLL_REFUSED;
    timer_start(&poll->timer, poll->loop, wait_ms, share_on_deadline);
    return HANDLE_PARKED;
}

enum handle_result share_fetch_handle(struct request *req,
    const struct share_fetch_request *request, struct share_fetch_response *response)
{
    struct share_session *session = NULL;
    size_t count = 0;
    for (int32_t t = 0; t < request->topics_count; t++)
        count += (size_t)request->topics[t].partitions_count;
    if (lookup_too_many(req, count))
        return HANDLE_CLOSE;
    response->error_code = share_fetch_check(req, request, &response->error_message);
    if (response->error_code != KAFKA_ERROR_NONE)
        return HANDLE_DONE;
    struct share_poll *poll = arena_new(&req->arena, struct share_poll);
    *poll = (struct share_poll){.req = req,
        .broker = req->conn->context,
        .loop = loop_current(),
        .request = request,
        .response = response,
        .legs_count = broker_loops_count(req->conn->context),
        .timer = TIMER_NULL};
    req->handler_state = poll;
    req->on_cancel = share_on_cancel;
    response->error_code = share_fetch_session(poll, &session);
    if (response->error_code != KAFKA_ERROR_NONE)
        return share_poll_refuse(poll);
    if (session != NULL && lookup_too_many(req, share_session_count(session)))
        return HANDLE_CLOSE;
    poll->legs = arena_new_n(&req->arena, struct share_poll_leg, poll->legs_count);
    for (unsigned i = 0; i < poll->legs_count; i++)
        poll->legs[i] = (struct share_poll_leg){.poll = poll};
    poll->legs_begin = (unsigned)request->share_session_epoch % poll->legs_count;
    share_poll_prepare(poll, request->is_renew_ack ? NULL : session);
    share_poll_limits(poll);
    share_poll_start(poll);
    return HANDLE_PARKED;
}
