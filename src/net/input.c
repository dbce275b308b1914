// SPDX-License-Identifier: BSD-2-Clause
/*
 * Small frames: one read fills the loop's shared buffer; every complete frame in it becomes a
 * request (copied once), the tail becomes a begun frame. Large frames: once a frame is begun and
 * much of it is missing, reads go straight into its own memory. A connection whose last frame was
 * large is asked for few bytes first, so that those of the next one need no copy either.
 *
 * When one of the connection's limits is reached in the middle of the buffer, the rest is kept in
 * `stash` (at most NET_READ_SIZE bytes) and nothing is read until it is used up.
 *
 * Failures: a size that is not allowed, bytes of another protocol, or memory that is not there doom
 * the connection with one log line.
 */
#include "net/input.h"
#include "base/bytes.h"
#include "base/log.h"
#include "net/net_internal.h"
#include "net/net_request.h"
#include "net/sniff.h"
#include "net/violation.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>

#define INPUT_SIZE_FIELD ((size_t)4)
#define INPUT_DIRECT_MIN ((size_t)16 * 1024) /* missing bytes that are read directly */
#define INPUT_LARGE      ((size_t)64 * 1024) /* frames whose memory the loop keeps for the next */
#define INPUT_PEEK_SIZE  ((size_t)256)       /* bytes; a size field, and small requests entirely */
/* What is read is used while the cache holds it; then other connections have a turn. */
#define INPUT_BYTES_PER_EVENT ((size_t)1024 * 1024)

/* The begun frame's memory changed from `before`. */
static void input_account(struct conn *conn, size_t before)
{
    size_t after = conn->frame.capacity;
    if (after > before)
        net_loop_charge(conn->nl, after - before);
    else if (after < before)
        net_loop_discharge(conn->nl, before - after);
}

void input_deinit(struct conn *conn)
{
    size_t before = conn->frame.capacity;
    frame_deinit(&conn->frame, &conn->nl->frames);
    input_account(conn, before);
    free(steal(&conn->stash));
    conn->stash_pos = conn->stash_size = conn->n_size_bytes = 0;
}

/* The size field is complete: judges it and begins the frame. */
static void input_begin_frame(struct conn *conn, const uint8_t *field)
{
    if (!conn->sniffed) {
        conn->sniffed = true;
        if (sniff_foreign(conn, field))
            return;
    }
    int32_t size = (int32_t)bytes_get_u32(field);
    if (size <= 0 || (size_t)size > conn->net->config.request_size_max) {
        violation_frame_size(conn, size);
        return;
    }
    conn->n_size_bytes = 0;
    conn->frame = FRAME_NULL;
    conn->frame.size = (size_t)size;
    conn->large = (size_t)size >= INPUT_LARGE;
    conn->frame_begun_ms = loop_now_ms(conn->nl->loop);
}

/* The begun frame is whole: its memory goes to a request. */
static void input_dispatch_frame(struct conn *conn)
{
    assert(frame_missing(&conn->frame) == 0);
    struct net_request *nr = net_request_new(conn, &conn->frame);
    net_request_dispatch(nr);
}

/* Takes bytes of the size field; returns how many. */
static size_t input_take_size(struct conn *conn, const uint8_t *data, size_t size)
{
    size_t missing = INPUT_SIZE_FIELD - conn->n_size_bytes;
    size_t n = size < missing ? size : missing;
    memcpy(conn->size_bytes + conn->n_size_bytes, data, n);
    if (conn->n_size_bytes == 0)
        conn->frame_begun_ms = loop_now_ms(conn->nl->loop);
    conn->n_size_bytes += n;
    if (conn->n_size_bytes == INPUT_SIZE_FIELD)
        input_begin_frame(conn, conn->size_bytes);
    return n;
}

/* Takes bytes of the begun frame; returns how many. */
static size_t input_take_frame(struct conn *conn, const uint8_t *data, size_t size)
{
    struct frame *frame = &conn->frame;
    if (frame->received == 0 && size >= frame->size) {
        size_t n = frame->size;
        *frame = FRAME_NULL;
        net_request_dispatch(net_request_new_copy(conn, slice_make(data, n)));
        return n;
    }
    size_t missing = frame_missing(frame);
    size_t n = size < missing ? size : missing, before = frame->capacity;
    if (frame_append(frame, &conn->nl->frames, data, n) < 0) {
        violation_no_memory(conn, frame->size);
        return n;
    }
    input_account(conn, before);
    if (frame_missing(frame) == 0)
        input_dispatch_frame(conn);
    return n;
}

/* At a frame's border limits are looked at; within a frame bytes that are here are taken. */
static bool input_may_take(struct conn *conn)
{
    if (conn->doomed != NULL)
        return false;
    return conn->frame.size > 0 || conn->n_size_bytes > 0 || conn_may_read(conn);
}

/* Returns how many bytes were used; fewer than `size` when a limit stops it. */
static size_t input_consume(struct conn *conn, const uint8_t *data, size_t size)
{
    size_t pos = 0;
    while (pos < size && input_may_take(conn)) {
        if (conn->frame.size == 0)
            pos += input_take_size(conn, data + pos, size - pos);
        else
            pos += input_take_frame(conn, data + pos, size - pos);
    }
    return pos;
}

static void input_stash(struct conn *conn, const uint8_t *data, size_t size)
{
    assert(conn->stash == NULL && size <= NET_READ_SIZE);
    conn->stash = xmalloc(size);
    memcpy(conn->stash, data, size);
    conn->stash_pos = 0;
    conn->stash_size = size;
}

void input_resume(struct conn *conn)
{
    if (conn->stash == NULL)
        return;
    conn->stash_pos +=
        input_consume(conn, conn->stash + conn->stash_pos, conn->stash_size - conn->stash_pos);
    if (conn->stash_pos == conn->stash_size || conn->doomed != NULL) {
        free(steal(&conn->stash));
        conn->stash_pos = conn->stash_size = 0;
    }
}

/* 0: nothing to read for now; < 0: the connection is over. */
static ssize_t input_receive(struct conn *conn, void *data, size_t size)
{
    struct env *env = conn->net->config.env;
    ssize_t n = env->ops->sock_recv(env, conn->fd, data, size);
    if (n > 0) {
        conn->active_ms = loop_now_ms(conn->nl->loop);
        count_add(&conn->nl->bytes_in, (uint64_t)n);
        return n;
    }
    if (n == -EAGAIN)
        return 0;
    conn_doom(conn, n == 0 ? "the peer closed" : "the connection broke");
    return -ECONNRESET;
}

/* One read of at most `size` bytes into the shared buffer. True: more may be there. */
static bool input_read_shared(struct conn *conn, size_t size, size_t *read_size)
{
    struct net_loop *nl = conn->nl;
    assert(size <= NET_READ_SIZE);
    if (nl->read_buffer == NULL)
        nl->read_buffer = xmalloc(NET_READ_SIZE);
    uint8_t *buffer = nl->read_buffer;
    ssize_t n = input_receive(conn, buffer, size);
    if (n <= 0)
        return false;
    *read_size += (size_t)n;
    size_t used = input_consume(conn, buffer, (size_t)n);
    if (used < (size_t)n && conn->doomed == NULL)
        input_stash(conn, buffer + used, (size_t)n - used);
    return (size_t)n == size;
}

/* One read into the begun frame's own memory. */
static bool input_read_direct(struct conn *conn, size_t *read_size)
{
    struct frame *frame = &conn->frame;
    size_t before = frame->capacity, size;
    uint8_t *room = frame_room(frame, &conn->nl->frames, &size);
    if (room == NULL) {
        violation_no_memory(conn, frame->size);
        return false;
    }
    input_account(conn, before);
    ssize_t n = input_receive(conn, room, size);
    if (n <= 0)
        return false;
    *read_size += (size_t)n;
    frame->received += (size_t)n;
    bool whole = frame_missing(frame) == 0;
    if (whole)
        input_dispatch_frame(conn);
    return (size_t)n == size && !whole;
}

/* A large frame is expected where a block waits for it: without one it would grow step by step. */
static size_t input_wanted(const struct conn *conn)
{
    return conn->large && conn->nl->frames.count > 0 ? INPUT_PEEK_SIZE : NET_READ_SIZE;
}

void input_read(struct conn *conn)
{
    size_t read_size = 0;
    bool more = true;
    while (more && read_size < INPUT_BYTES_PER_EVENT && conn->doomed == NULL &&
           conn->stash == NULL && conn_may_read(conn)) {
        if (conn->frame.size > 0 &&
            (conn->large || frame_missing(&conn->frame) >= INPUT_DIRECT_MIN))
            more = input_read_direct(conn, &read_size);
        else
            more = input_read_shared(conn, input_wanted(conn), &read_size);
    }
}
