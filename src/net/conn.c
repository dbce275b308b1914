// SPDX-License-Identifier: BSD-2-Clause
/*
 * Reading dispatches and notes what happened; consequences are drawn when that is over, in
 * conn_settle: ready replies leave in one go, reading stops or goes on, a doomed connection is
 * closed. So a handler that completes a request never finds its connection torn down under it.
 * What was answered on the spot leaves at the end of the event that brought it: the memory of its
 * request is still in the cache, and serves the next connection's. Everything else is settled once
 * per turn.
 *
 *   ARRIVING -> OPEN -> CLOSED (socket gone, requests cancelled) -> back to the door when the last
 *   request has returned
 *
 * A connection that may not read watches for its peer's end all the same (LOOP_IO_CLOSED): its
 * parked requests are cancelled, which makes room to read what the peer had sent before it left.
 */
#include "net/conn.h"
#include "base/log.h"
#include "net/address.h"
#include "net/input.h"
#include "net/listener.h"
#include "net/net_internal.h"
#include "net/net_request.h"
#include "net/output.h"

#include <assert.h>
#include <inttypes.h>

static void conn_on_settle(struct loop_msg *msg);
static void conn_settle_open(struct conn *conn);

void conn_schedule(struct conn *conn)
{
    if (conn->scheduled)
        return;
    conn->scheduled = true;
    loop_defer(conn->nl->loop, &conn->settle_msg, conn_on_settle);
}

void conn_doom(struct conn *conn, const char *reason)
{
    if (conn->doomed == NULL)
        conn->doomed = reason;
    conn_schedule(conn);
}

/* --- limits --- */

static bool conn_within_own_limits(const struct conn *conn)
{
    const struct net_config *config = &conn->net->config;
    return conn->state == CONN_OPEN && conn->doomed == NULL && !conn->nl->draining &&
           conn->n_in_flight < config->requests_in_flight_max &&
           conn->output_size < config->output_size_max;
}

static void conn_leave_starved(struct conn *conn)
{
    if (list_linked(&conn->starved_link))
        list_remove(&conn->starved_link);
}

bool conn_may_read(struct conn *conn)
{
    struct net_loop *nl = conn->nl;
    bool allowed = conn_within_own_limits(conn), has_input = conn_has_input(conn);
    if (nl->favoured == conn && !(allowed && has_input))
        net_loop_end_favour(nl, conn);
    bool favour = allowed && has_input && (nl->favoured == NULL || nl->favoured == conn);
    if (!allowed || favour || !net_loop_over_budget(nl)) {
        conn_leave_starved(conn);
        if (favour && net_loop_over_budget(nl))
            nl->favoured = conn;
        return allowed;
    }
    if (!list_linked(&conn->starved_link))
        list_append(&nl->starved, &conn->starved_link);
    return false;
}

/* --- deadlines --- */

static bool conn_in_frame(const struct conn *conn)
{
    return conn->frame.size > 0 || conn->n_size_bytes > 0;
}

/* The earlier of the two deadlines that count now; INT64_MAX: none does. */
static int64_t conn_deadline_ms(const struct conn *conn, const char **ret_reason)
{
    const struct net_config *config = &conn->net->config;
    int64_t deadline_ms = INT64_MAX;
    if (config->idle_ms_max >= 0 && conn->n_in_flight == 0) {
        deadline_ms = conn->active_ms + config->idle_ms_max;
        *ret_reason = "idle";
    }
    if (config->frame_ms_max >= 0 && conn_in_frame(conn) && !conn->paused &&
        conn->frame_begun_ms + config->frame_ms_max < deadline_ms) {
        deadline_ms = conn->frame_begun_ms + config->frame_ms_max;
        *ret_reason = "half a frame for too long";
    }
    return deadline_ms;
}

static void conn_on_deadline(struct timer *timer);

/* The timer may run early (it looks again) but never late. */
static void conn_arm(struct conn *conn)
{
    const char *reason;
    int64_t deadline_ms = conn_deadline_ms(conn, &reason);
    if (deadline_ms == INT64_MAX)
        return;
    if (!timer_running(&conn->deadline) || conn->deadline.deadline_ms > deadline_ms + 1)
        timer_start(&conn->deadline, conn->nl->loop, deadline_ms - loop_now_ms(conn->nl->loop),
            conn_on_deadline);
}

static void conn_on_deadline(struct timer *timer)
{
    struct conn *conn = container_of(timer, struct conn, deadline);
    const char *reason = NULL;
    if (loop_now_ms(conn->nl->loop) >= conn_deadline_ms(conn, &reason))
        conn_close(conn, reason);
    else
        conn_arm(conn);
}

/* --- events --- */

static void conn_cancel_requests(struct conn *conn)
{
    struct request *req;
    list_for_each_entry (req, &conn->requests, link)
        net_request_cancel(net_request_of(req));
}

/* While it does not read: the peer's end, or perhaps the connection's. */
static void conn_on_quiet(struct conn *conn, unsigned events)
{
    if (events == LOOP_IO_CLOSED) {
        conn->peer_gone = true;
        conn_cancel_requests(conn);
        conn_schedule(conn);
        return;
    }
    struct env *env = conn->net->config.env;
    struct sockaddr_storage address;
    socklen_t size;
    if (env->ops->sock_address(env, conn->fd, true, &address, &size) < 0)
        conn_doom(conn, "the connection broke");
}

static void conn_on_io(struct loop_io *io, unsigned events)
{
    struct conn *conn = container_of(io, struct conn, io);
    assert(conn->state == CONN_OPEN);
    if ((events & LOOP_IO_WRITE) == 0 && (io->events & LOOP_IO_CLOSED) != 0) {
        conn_on_quiet(conn, events);
        return;
    }
    bool scheduled = conn->scheduled;
    conn->scheduled = true; /* nothing that happens meanwhile needs a message */
    if (events == LOOP_IO_WRITE)
        conn->blocked = false;
    else
        input_read(conn);
    conn->scheduled = scheduled;
    if (!scheduled)
        conn_settle_open(conn);
}

/* --- the end of a turn --- */

static void conn_update_watch(struct conn *conn)
{
    bool read = conn->stash == NULL && conn_may_read(conn);
    unsigned events = (read ? LOOP_IO_READ : 0u) | (conn->blocked ? LOOP_IO_WRITE : 0u);
    if (events == 0 && !conn->peer_gone)
        events = LOOP_IO_CLOSED;
    if (conn->paused && read)
        conn->frame_begun_ms = loop_now_ms(conn->nl->loop); /* the wait was not the peer's */
    conn->paused = !read;
    loop_io_watch(&conn->io, events);
}

/* A reply that is a close has become the next one. */
static bool conn_reached_close(struct conn *conn)
{
    struct list_link *first = list_first(&conn->requests);
    if (first == NULL)
        return false;
    struct net_request *nr = net_request_of(list_entry(first, struct request, link));
    return nr->returned && nr->req.close;
}

static void conn_settle_open(struct conn *conn)
{
    int r = conn->blocked ? OUTPUT_BLOCKED : output_flush(conn);
    if (r < 0) {
        conn_close(conn, "the connection broke");
        return;
    }
    conn->blocked = r == OUTPUT_BLOCKED;
    if (r == OUTPUT_MORE)
        conn_schedule(conn);
    if (conn_reached_close(conn))
        conn_doom(conn, "a request asked for it");
    if (conn->doomed == NULL && conn->nl->draining && conn->n_requests == 0)
        conn_doom(conn, "the broker stops");
    if (conn->doomed != NULL && r != OUTPUT_MORE) {
        conn_close(conn, conn->doomed);
        return;
    }
    input_resume(conn);
    conn_update_watch(conn);
    conn_arm(conn);
}

static void conn_tell_close(struct conn *conn)
{
    const struct net_config *config = &conn->net->config;
    if (conn->watch_told || !atomic_load_explicit(&conn->watched, memory_order_relaxed))
        return;
    conn->watch_told = true;
    if (config->on_conn_close != NULL)
        config->on_conn_close(config->context, &conn->info);
}

/* Nothing may touch the connection or its loop's part of net after the last line. */
static void conn_settle_closed(struct conn *conn)
{
    struct request *req, *following;
    list_for_each_entry_safe (req, following, &conn->requests, link) {
        struct net_request *nr = net_request_of(req);
        if (nr->returned && !nr->cancel_away)
            net_request_free(nr);
    }
    if (conn->n_requests > 0)
        return;
    assert(!conn->scheduled && conn->n_in_flight == 0);
    conn_tell_close(conn);
    list_remove(&conn->link);
    count_add(&conn->nl->connections, UINT64_MAX);
    loop_post(conn->net->loops[0], &conn->move_msg, door_on_leave);
}

static void conn_on_settle(struct loop_msg *msg)
{
    struct conn *conn = container_of(msg, struct conn, settle_msg);
    conn->scheduled = false;
    if (conn->state == CONN_OPEN)
        conn_settle_open(conn);
    else if (conn->state == CONN_CLOSED)
        conn_settle_closed(conn);
}

void conn_close(struct conn *conn, const char *reason)
{
    struct env *env = conn->net->config.env;
    assert(conn->state == CONN_OPEN);
    loop_assert_owner(conn->nl->loop);
    log_debug("conn.closed", "conn=%" PRIu64 " peer=%s reason=\"%s\"", conn->info.id,
        conn->info.peer_host, reason);
    conn->state = CONN_CLOSED;
    timer_stop(&conn->deadline);
    loop_io_stop(&conn->io);
    env->ops->sock_close(env, conn->fd);
    conn->fd = -1;
    input_deinit(conn);
    conn_leave_starved(conn);
    net_loop_end_favour(conn->nl, conn);
    conn_cancel_requests(conn);
    conn_tell_close(conn);
    conn_schedule(conn);
}

/* --- birth --- */

struct conn *conn_new(
    struct net *net, struct net_loop *nl, const struct listener *listener, int take_fd)
{
    static _Atomic uint64_t last_id;
    struct env *env = net->config.env;
    struct conn *conn = xnew(struct conn);
    socklen_t size;
    conn->net = net;
    conn->nl = nl;
    conn->fd = take_fd;
    conn->info.id = atomic_fetch_add(&last_id, 1) + 1;
    conn->info.listener = listener == NULL ? "none" : listener->name;
    conn->info.tag = listener == NULL ? 0 : listener->tag;
    conn->info.context = net->config.context;
    (void)env->ops->sock_address(env, take_fd, false, &conn->info.local, &size);
    (void)env->ops->sock_address(env, take_fd, true, &conn->info.peer, &size);
    address_print(&conn->info.peer, conn->info.peer_host, sizeof(conn->info.peer_host));
    list_init(&conn->requests);
    return conn;
}

static void conn_on_arrive(struct loop_msg *msg)
{
    struct conn *conn = container_of(msg, struct conn, move_msg);
    const struct net_config *config = &conn->net->config;
    struct net_loop *nl = conn->nl;
    loop_assert_owner(nl->loop);
    conn->state = CONN_OPEN;
    list_append(&nl->conns, &conn->link);
    count_add(&nl->connections, 1);
    count_add(&nl->connections_total, 1);
    conn->active_ms = loop_now_ms(nl->loop);
    (void)config->env->ops->sock_set_buffers(
        config->env, conn->fd, config->send_buffer_size, config->receive_buffer_size);
    log_debug("conn.opened", "conn=%" PRIu64 " peer=%s listener=%s loop=%u", conn->info.id,
        conn->info.peer_host, conn->info.listener, loop_index(nl->loop));
    if (loop_io_start(&conn->io, nl->loop, conn->fd, conn_on_io) < 0) {
        conn_close(conn, "cannot be watched");
        return;
    }
    conn_schedule(conn);
}

void conn_send_home(struct conn *conn)
{
    loop_post(conn->nl->loop, &conn->move_msg, conn_on_arrive);
}
