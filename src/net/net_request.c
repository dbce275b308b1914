// SPDX-License-Identifier: BSD-2-Clause
/*
 * The life of a request between its frame and its reply.
 *
 * The flags `handling` and `completed` belong to the home loop: request_complete called elsewhere
 * is posted there first. So a request never leaves its home while its handler still runs, and
 * on_cancel never meets a request that was completed there. Everything else belongs to the
 * connection's loop.
 *
 * A connection that dies cancels its requests: on the spot when they are at home here, else by a
 * message to the home loop that comes back; a request is freed when it has returned and no such
 * message is out.
 */
#include "net/net_request.h"
#include "base/bytes.h"
#include "net/answer.h"
#include "net/net_internal.h"
#include "net/trace.h"
#include "wire/header.h"

#include <assert.h>

#define REQUEST_FRAME_IN_ARENA_MAX \
    ((size_t)1024)                             /* bytes; leaves room in the arena's first block */
#define REQUEST_BUFFER_KEPT_MAX ((size_t)4096) /* reply buffers up to this are kept for reuse */
/* What a reply occupies beside its bytes; counts as output, so that many tiny ones stop a reader.
 */
#define REQUEST_OVERHEAD (sizeof(struct net_request) + 4096)

/* --- birth and death --- */

static struct net_request *net_request_spare(struct net_loop *nl)
{
    struct list_link *first = list_first(&nl->spare_requests);
    if (first == NULL) {
        struct net_request *nr = xnew(struct net_request);
        arena_init(&nr->req.arena, SIZE_MAX);
        return nr;
    }
    list_remove(first);
    nl->n_spare_requests--;
    return net_request_of(list_entry(first, struct request, link));
}

static struct net_request *net_request_make(struct conn *conn, size_t frame_size)
{
    struct net_loop *nl = conn->nl;
    struct net_request *nr = net_request_spare(nl);
    nr->req.loop = nr->req.home = nl->loop;
    nr->req.conn = &conn->info;
    nr->req.owner = conn;
    nr->req.received_ms = loop_now_ms(nl->loop);
    nr->req.frame_size = frame_size;
    list_append(&conn->requests, &nr->req.link);
    conn->n_requests++;
    conn->n_in_flight++;
    count_add(&nl->requests_total, 1);
    return nr;
}

struct net_request *net_request_new(struct conn *conn, struct frame *take_frame)
{
    struct net_request *nr = net_request_make(conn, take_frame->size);
    nr->req.frame = take_frame->data;
    nr->frame_capacity = take_frame->capacity;
    nr->charged = take_frame->capacity; /* the charge goes along with the memory */
    *take_frame = FRAME_NULL;
    return nr;
}

struct net_request *net_request_new_copy(struct conn *conn, struct slice frame)
{
    struct net_request *nr = net_request_make(conn, frame.size);
    if (frame.size <= REQUEST_FRAME_IN_ARENA_MAX) {
        nr->req.frame = arena_new_n(&nr->req.arena, uint8_t, frame.size);
    } else {
        nr->req.frame = xmalloc(frame.size); /* at most NET_READ_SIZE, and all of it is here */
        nr->frame_capacity = nr->charged = frame.size;
        net_loop_charge(conn->nl, frame.size);
    }
    memcpy(nr->req.frame, frame.data, frame.size);
    return nr;
}

static void net_request_drop_frame(struct net_request *nr)
{
    struct net_loop *nl = nr->req.owner->nl;
    if (nr->frame_capacity == 0)
        return;
    frame_cache_give(&nl->frames, nr->req.frame, nr->frame_capacity);
    nr->charged -= nr->frame_capacity;
    net_loop_discharge(nl, nr->frame_capacity);
    nr->frame_capacity = 0;
    nr->req.frame = NULL;
}

void net_request_destroy(struct net_request *nr)
{
    writer_deinit(&nr->req.output);
    arena_deinit(&nr->req.arena);
    free(nr);
}

/* Keeps the arena's first block and a small reply buffer, and forgets all else. */
static void net_request_recycle(struct net_request *nr)
{
    struct arena arena = nr->req.arena;
    struct buffer buffer = nr->req.output.buffer;
    arena_reset(&arena);
    arena.limit = SIZE_MAX;
    nr->req.output.buffer = BUFFER_NULL;
    writer_deinit(&nr->req.output);
    buffer.size = 0;
    if (buffer.capacity > REQUEST_BUFFER_KEPT_MAX)
        buffer_deinit(&buffer);
    *nr = (struct net_request){0};
    nr->req.arena = arena;
    nr->req.output = WRITER_NULL;
    nr->req.output.buffer = buffer;
}

void net_request_free(struct net_request *nr)
{
    struct conn *conn = nr->req.owner;
    struct net_loop *nl = conn->nl;
    assert(nr->returned && !nr->cancel_away);
    net_request_drop_frame(nr);
    net_loop_discharge(nl, nr->charged);
    conn->output_size -= REQUEST_OVERHEAD;
    list_remove(&nr->req.link);
    conn->n_requests--;
    if (nl->n_spare_requests == NET_SPARE_REQUESTS_MAX) {
        net_request_destroy(nr);
        return;
    }
    net_request_recycle(nr);
    list_prepend(&nl->spare_requests, &nr->req.link);
    nl->n_spare_requests++;
    net_loop_trim_later(nl);
}

/* --- at home --- */

static void net_request_on_return(struct loop_msg *msg)
{
    net_request_return(net_request_of(container_of(msg, struct request, msg)));
}

static void net_request_leave_home(struct net_request *nr)
{
    if (nr->req.home == nr->req.loop)
        net_request_return(nr);
    else
        loop_post(nr->req.loop, &nr->req.msg, net_request_on_return);
}

static void net_request_handle(struct net_request *nr)
{
    struct request *req = &nr->req;
    loop_assert_owner(req->home);
    nr->handling = true;
    enum handle_result result = req->api->handle(req, req->message, req->response);
    nr->handling = false;
    switch (result) {
    case HANDLE_PARKED:
        if (!nr->completed)
            return;
        break;
    case HANDLE_NO_REPLY: req->no_reply = true; break;
    case HANDLE_CLOSE: req->close = true; break;
    case HANDLE_DONE: break;
    }
    assert((result == HANDLE_PARKED) == nr->completed);
    nr->completed = true;
    net_request_leave_home(nr);
}

static void net_request_on_home(struct loop_msg *msg)
{
    net_request_handle(net_request_of(container_of(msg, struct request, msg)));
}

void net_request_run(struct net_request *nr)
{
    if (nr->req.home == nr->req.loop)
        net_request_handle(nr);
    else
        loop_post(nr->req.home, &nr->req.msg, net_request_on_home);
}

static void net_request_complete(struct net_request *nr)
{
    loop_assert_owner(nr->req.home);
    assert(!nr->completed);
    nr->completed = true;
    if (!nr->handling)
        net_request_leave_home(nr);
}

static void net_request_on_complete(struct loop_msg *msg)
{
    net_request_complete(net_request_of(container_of(msg, struct request, msg)));
}

void request_complete(struct request *req)
{
    if (req->on_complete != NULL)
        req->on_complete(req);
    else if (loop_current() == req->home)
        net_request_complete(net_request_of(req));
    else
        loop_post(req->home, &req->msg, net_request_on_complete);
}

void request_watch_close(struct request *req)
{
    if (req->owner != NULL)
        atomic_store_explicit(&req->owner->watched, true, memory_order_relaxed);
}

/* --- cancelling --- */

static void net_request_tell_cancel(struct net_request *nr)
{
    if (!nr->completed && nr->req.on_cancel != NULL)
        nr->req.on_cancel(&nr->req);
}

static void net_request_on_cancelled(struct loop_msg *msg)
{
    struct net_request *nr = container_of(msg, struct net_request, cancel_msg);
    nr->cancel_away = false;
    conn_schedule(nr->req.owner);
}

static void net_request_on_cancel(struct loop_msg *msg)
{
    struct net_request *nr = container_of(msg, struct net_request, cancel_msg);
    net_request_tell_cancel(nr);
    loop_post(nr->req.loop, msg, net_request_on_cancelled);
}

void net_request_cancel(struct net_request *nr)
{
    if (nr->returned || nr->cancelled)
        return;
    nr->cancelled = true;
    if (nr->req.home == nr->req.loop) {
        net_request_tell_cancel(nr);
        return;
    }
    nr->cancel_away = true;
    loop_post(nr->req.home, &nr->cancel_msg, net_request_on_cancel);
}

/* --- back on the connection's loop --- */

static void net_request_encode_header(struct request *req)
{
    struct writer *output = &req->output;
    assert(output->buffer.size == 0);
    writer_int32(output, 0); /* the size, known below */
    header_encode_response(output,
        header_response_flexible(req->api->key, req->version, req->api->flexible_since),
        req->correlation_id);
}

void request_answer(struct request *req, struct slice body)
{
    if (req->owner->net->config.trace) { /* it is printed first */
        struct reader reader = reader_make(body);
        bool good = req->api->decode_response(&reader, req->version, &req->arena, req->response);
        assert(good);
        return;
    }
    net_request_encode_header(req);
    writer_raw(&req->output, body);
    req->response = NULL;
}

static void net_request_encode(struct net_request *nr)
{
    struct request *req = &nr->req;
    struct writer *output = &req->output;
    net_request_encode_header(req);
    req->api->encode_response(output, req->version, req->response);
}

static void net_request_seal(struct writer *output)
{
    size_t size = writer_size(output) - 4;
    assert(size <= INT32_MAX);
    bytes_put_u32(output->buffer.data, (uint32_t)size);
}

void net_request_return(struct net_request *nr)
{
    struct conn *conn = nr->req.owner;
    loop_assert_owner(conn->nl->loop);
    assert(!nr->returned);
    struct writer *output = &nr->req.output;
    if (!nr->req.no_reply && !nr->req.close) {
        if (conn->net->config.trace && nr->req.api != NULL)
            trace_response(&nr->req);
        if (nr->req.response != NULL)
            net_request_encode(nr);
        net_request_seal(output);
    }
    net_request_drop_frame(nr);
    nr->returned = true;
    nr->charged += output->buffer.capacity;
    net_loop_charge(conn->nl, output->buffer.capacity);
    conn->output_size += writer_size(output) + REQUEST_OVERHEAD;
    assert(conn->n_in_flight > 0);
    conn->n_in_flight--;
    conn->active_ms = loop_now_ms(conn->nl->loop);
    conn_schedule(conn);
}
