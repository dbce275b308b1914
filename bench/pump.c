// SPDX-License-Identifier: BSD-2-Clause
// Happy path: a worker thread waits on its epoll set; a readable connection takes in all answers,
// and each answer frees a slot of the window; then as many frames as the window allows leave by one
// sendmsg. A frame cut short by a full socket is finished when the socket drains.
//
//   frames of a connection:   answered ... | in flight ... | half sent | next ...
//                                          ^ acked         ^ sent (+ pos bytes)
//
// Failure modes: an answer out of order, an error code or a lost connection ends the program.
#include "pump.h"

#include "clock.h"
#include "net.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define PUMP_PIECES_MAX 512u
#define PUMP_HEADS_MAX  128u
#define PUMP_EVENTS_MAX 256

struct pump_conn {
    struct net_conn net;
    uint64_t first;       // index of the frame it starts with
    uint64_t acked;       // frames answered
    uint64_t sent;        // frames sent completely
    size_t pos;           // bytes sent of frame number `sent`
    uint64_t *started_ns; // send time of the frames in the window, by number modulo depth
    bool blocked;         // waits for the socket to drain
};

struct pump_worker {
    const struct pump *pump;
    struct measure *measure;
    struct pump_conn *conns;
    unsigned conn_count;
    int epoll_fd;
    pthread_t thread;
    struct histogram latency;
};

static const struct pump_frame *pump_frame_of(
    const struct pump *pump, const struct pump_conn *conn, uint64_t number)
{
    return &pump->frames[(conn->first + number) % pump->frame_count];
}

struct pump_gather {
    struct iovec pieces[PUMP_PIECES_MAX];
    uint8_t heads[PUMP_HEADS_MAX][FRAME_HEAD_SIZE];
    unsigned piece_count;
    unsigned head_count;
};

static void pump_gather_piece(struct pump_gather *gather, struct iovec piece, size_t *inout_skip)
{
    size_t skip = *inout_skip < piece.iov_len ? *inout_skip : piece.iov_len;

    *inout_skip -= skip;
    if (piece.iov_len == skip)
        return;
    gather->pieces[gather->piece_count++] = (struct iovec){
        .iov_base = (char *)piece.iov_base + skip,
        .iov_len = piece.iov_len - skip,
    };
}

static bool pump_gather_frame(struct pump_gather *gather, const struct pump *pump,
    const struct pump_frame *frame, uint64_t number, size_t skip)
{
    uint8_t *head;

    if (gather->head_count == PUMP_HEADS_MAX ||
        gather->piece_count + frame->piece_count + 1u > PUMP_PIECES_MAX)
        return false;
    head = gather->heads[gather->head_count++];
    frame_patch_i32(head, (int32_t)(frame->size - 4u));
    frame_patch_i32(head + 4, (int32_t)((uint32_t)pump->api << 16u | (uint16_t)pump->version));
    frame_patch_i32(head + 8, (int32_t)(number & 0x7fffffffu));
    pump_gather_piece(gather, (struct iovec){head, FRAME_HEAD_SIZE}, &skip);
    for (unsigned i = 0; i < frame->piece_count; i++)
        pump_gather_piece(gather, frame->pieces[i], &skip);
    return true;
}

static void pump_conn_advance(struct pump_worker *worker, struct pump_conn *conn, size_t size)
{
    struct measure *measure = worker->measure;

    atomic_fetch_add_explicit(&measure->bytes_out, size, memory_order_relaxed);
    conn->pos += size;
    for (;;) {
        const struct pump_frame *frame = pump_frame_of(worker->pump, conn, conn->sent);
        if (conn->pos < frame->size)
            return;
        conn->pos -= frame->size;
        conn->sent++;
        if (!worker->pump->no_reply)
            continue;
        conn->acked++;
        atomic_fetch_add_explicit(&measure->requests, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&measure->records, frame->record_count, memory_order_relaxed);
    }
}

// Sends what the window allows. Returns bytes sent, 0 when there is nothing to send or the socket
// is full.
static size_t pump_conn_send_once(struct pump_worker *worker, struct pump_conn *conn)
{
    const struct pump *pump = worker->pump;
    uint64_t end = conn->acked + pump->options->depth, now_ns = clock_now_ns();
    struct pump_gather gather = {.piece_count = 0};
    struct msghdr message = {.msg_iov = gather.pieces};
    size_t skip = conn->pos;
    ssize_t size;

    for (uint64_t number = conn->sent; number < end; number++) {
        if (!pump_gather_frame(&gather, pump, pump_frame_of(pump, conn, number), number, skip))
            break;
        if (skip == 0)
            conn->started_ns[number % pump->options->depth] = now_ns;
        skip = 0;
    }
    if (gather.piece_count == 0)
        return 0;
    message.msg_iovlen = gather.piece_count;
    size = sendmsg(conn->net.fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (size < 0 && errno != EAGAIN && errno != EINTR)
        net_die("send", strerror(errno));
    return size > 0 ? (size_t)size : 0;
}

static void pump_conn_send(struct pump_worker *worker, struct pump_conn *conn)
{
    uint64_t end = conn->acked + worker->pump->options->depth;
    bool blocked;
    size_t size;

    for (unsigned i = 0; i < 4 && conn->sent < end; i++) {
        size = pump_conn_send_once(worker, conn);
        if (size == 0)
            break;
        pump_conn_advance(worker, conn, size);
        end = conn->acked + worker->pump->options->depth;
    }
    blocked = conn->sent < end;
    if (blocked != conn->blocked) {
        struct epoll_event event = {
            .events = EPOLLIN | (blocked ? (uint32_t)EPOLLOUT : 0u),
            .data.ptr = conn,
        };
        (void)net_must(
            epoll_ctl(worker->epoll_fd, EPOLL_CTL_MOD, conn->net.fd, &event) < 0 ? -errno : 0,
            "epoll");
        conn->blocked = blocked;
    }
}

static void pump_conn_take_reply(
    struct pump_worker *worker, struct pump_conn *conn, const uint8_t *data, size_t size)
{
    const struct pump *pump = worker->pump;
    struct measure *measure = worker->measure;
    struct frame_reader reader = frame_reader_of(data, size);
    uint64_t number = conn->acked++;

    if (frame_get_i32(&reader) != (int32_t)(number & 0x7fffffffu) || number >= conn->sent)
        net_die("answer", "unexpected correlation id");
    if (!pump->options->floor && pump->on_reply != NULL) {
        pump->on_reply(&reader);
        if (!reader.ok)
            net_die("answer", "shorter than its fields");
    }
    atomic_fetch_add_explicit(&measure->requests, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&measure->bytes_in, size + 4u, memory_order_relaxed);
    atomic_fetch_add_explicit(
        &measure->records, pump_frame_of(pump, conn, number)->record_count, memory_order_relaxed);
    if (atomic_load_explicit(&measure->measuring, memory_order_relaxed))
        histogram_add(
            &worker->latency, clock_now_ns() - conn->started_ns[number % pump->options->depth]);
}

static void pump_conn_on_event(struct pump_worker *worker, struct pump_conn *conn)
{
    const uint8_t *data;
    size_t size;

    (void)net_must(net_conn_fill(&conn->net), "receive");
    while (net_conn_frame(&conn->net, &data, &size))
        pump_conn_take_reply(worker, conn, data, size);
    pump_conn_send(worker, conn);
}

static void *pump_worker_run(void *argument)
{
    struct pump_worker *worker = argument;
    struct epoll_event events[PUMP_EVENTS_MAX];

    for (unsigned i = 0; i < worker->conn_count; i++)
        pump_conn_send(worker, &worker->conns[i]);
    while (!atomic_load_explicit(&worker->measure->stop, memory_order_relaxed)) {
        int count = epoll_wait(worker->epoll_fd, events, PUMP_EVENTS_MAX, 100);
        for (int i = 0; i < count; i++)
            pump_conn_on_event(worker, events[i].data.ptr);
    }
    return NULL;
}

static void pump_worker_init(
    struct pump_worker *worker, const struct pump *pump, struct measure *measure, unsigned index)
{
    const struct options *options = pump->options;

    worker->pump = pump;
    worker->measure = measure;
    worker->conn_count = options->connections / options->threads +
                         (index < options->connections % options->threads ? 1u : 0u);
    worker->conns = calloc(worker->conn_count + 1u, sizeof(*worker->conns));
    worker->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    assert(worker->conns != NULL && worker->epoll_fd >= 0);
    for (unsigned i = 0; i < worker->conn_count; i++) {
        struct pump_conn *conn = &worker->conns[i];
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = conn};

        net_conn_init(
            &conn->net, net_must(net_connect(options->host, (uint16_t)options->port), "connect"));
        conn->first = (uint64_t)i * options->threads + index;
        conn->started_ns = calloc(options->depth, sizeof(uint64_t));
        assert(conn->started_ns != NULL);
        (void)net_must(
            epoll_ctl(worker->epoll_fd, EPOLL_CTL_ADD, conn->net.fd, &event) < 0 ? -errno : 0,
            "epoll");
    }
}

void pump_run(
    const struct pump *pump, struct measure_result *ret_result, struct histogram *ret_latency)
{
    unsigned count = pump->options->threads;
    struct pump_worker *workers = calloc(count, sizeof(*workers));
    struct measure measure = {0};

    assert(workers != NULL && pump->frame_count > 0);
    for (unsigned i = 0; i < count; i++)
        pump_worker_init(&workers[i], pump, &measure, i);
    for (unsigned i = 0; i < count; i++)
        (void)net_must(
            -pthread_create(&workers[i].thread, NULL, pump_worker_run, &workers[i]), "thread");
    measure_window(&measure, pump->options, ret_result);
    for (unsigned i = 0; i < count; i++) {
        (void)pthread_join(workers[i].thread, NULL);
        histogram_merge(ret_latency, &workers[i].latency);
        for (unsigned j = 0; j < workers[i].conn_count; j++) {
            net_conn_deinit(&workers[i].conns[j].net);
            free(workers[i].conns[j].started_ns);
        }
        free(workers[i].conns);
    }
    free(workers);
}
