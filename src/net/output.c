// SPDX-License-Identifier: BSD-2-Clause
/*
 * The ready replies at the head of the FIFO are one stream of pieces: runs of buffer bytes, chunks
 * in memory, ranges of files. Runs and chunks are gathered across replies into one writev; a file
 * range goes by sendfile, and the bytes before it are sent with MSG_MORE so that they share its
 * packets. A reply that is sent whole is freed at once and its memory is the next one's.
 *
 * A short send leaves the cursors where the socket stopped. Failure: the peer's death, or a file
 * that is shorter than its range (never truncated while pinned, so the disk is at fault).
 */
#include "net/output.h"
#include "base/log.h"
#include "net/net_internal.h"
#include "net/net_request.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>

#define OUTPUT_IOV_MAX        64
#define OUTPUT_BYTES_PER_TURN ((size_t)4 * 1024 * 1024)

struct output_piece {
    const uint8_t *data; /* NULL: a range of chunk's file */
    size_t size;
    const struct chunk *chunk;
    size_t chunk_pos;
};

/* The piece at the cursor; size 0 at the end of the reply. Empty chunks are stepped over. */
static struct output_piece output_piece_at(
    const struct writer *writer, struct output_cursor *cursor)
{
    while (cursor->splice_index < writer->n_splices) {
        const struct writer_splice *splice = &writer->splices[cursor->splice_index];
        const struct chunk *chunk = &splice->chunk;
        if (cursor->buffer_pos < splice->at)
            return (struct output_piece){.data = writer->buffer.data + cursor->buffer_pos,
                .size = splice->at - cursor->buffer_pos};
        if (cursor->splice_pos < chunk->size)
            return (struct output_piece){
                .data = chunk->data == NULL ? NULL : chunk->data + cursor->splice_pos,
                .size = chunk->size - cursor->splice_pos,
                .chunk = chunk,
                .chunk_pos = cursor->splice_pos,
            };
        cursor->splice_index++;
        cursor->splice_pos = 0;
    }
    if (cursor->buffer_pos == writer->buffer.size)
        return (struct output_piece){.size = 0};
    return (struct output_piece){.data = writer->buffer.data + cursor->buffer_pos,
        .size = writer->buffer.size - cursor->buffer_pos};
}

static void output_cursor_advance(
    struct output_cursor *cursor, const struct output_piece *piece, size_t size)
{
    assert(size <= piece->size);
    if (piece->chunk != NULL)
        cursor->splice_pos += size;
    else
        cursor->buffer_pos += size;
}

/* The reply whose turn it is, if it is ready and not to be dropped with the connection. */
static struct net_request *output_ready(struct conn *conn, struct list_link *link)
{
    if (link == &conn->requests)
        return NULL;
    struct net_request *nr = net_request_of(list_entry(link, struct request, link));
    return nr->returned && !nr->req.close ? nr : NULL;
}

struct output_batch {
    struct iovec iov[OUTPUT_IOV_MAX];
    int n_iov;
    size_t size;              /* bytes in iov */
    struct output_piece file; /* size > 0: what follows iov */
    bool full;                /* more would follow, but not in this batch */
};

/* Gathers from the head of the FIFO up to the first file range. Changes nothing. */
static void output_gather(struct conn *conn, struct output_batch *batch)
{
    batch->n_iov = 0;
    batch->size = batch->file.size = 0;
    batch->full = false;
    struct net_request *nr = output_ready(conn, conn->requests.next);
    for (; nr != NULL; nr = output_ready(conn, nr->req.link.next)) {
        struct output_cursor cursor = nr->sent;
        for (;;) {
            struct output_piece piece = output_piece_at(&nr->req.output, &cursor);
            if (piece.size == 0)
                break;
            if (piece.data == NULL) {
                batch->file = piece;
                return;
            }
            if (batch->n_iov == OUTPUT_IOV_MAX || batch->size >= OUTPUT_BYTES_PER_TURN) {
                batch->full = true;
                return;
            }
            batch->iov[batch->n_iov++] = (struct iovec){(void *)piece.data, piece.size};
            batch->size += piece.size;
            output_cursor_advance(&cursor, &piece, piece.size);
        }
    }
}

/* `size` bytes of the stream have left: cursors move, replies that are through are freed. */
static void output_advance(struct conn *conn, size_t size)
{
    assert(size <= conn->output_size);
    conn->output_size -= size;
    for (;;) {
        struct net_request *nr = output_ready(conn, conn->requests.next);
        if (nr == NULL)
            break;
        struct output_piece piece = output_piece_at(&nr->req.output, &nr->sent);
        if (piece.size == 0) {
            net_request_free(nr);
            continue;
        }
        if (size == 0)
            break;
        size_t n = size < piece.size ? size : piece.size;
        output_cursor_advance(&nr->sent, &piece, n);
        size -= n;
    }
    assert(size == 0);
}

static ssize_t output_send(struct conn *conn, const struct output_batch *batch)
{
    struct env *env = conn->net->config.env;
    if (batch->n_iov > 0)
        return env->ops->sock_send(
            env, conn->fd, batch->iov, batch->n_iov, batch->file.size > 0 || batch->full);
    const struct output_piece *file = &batch->file;
    ssize_t n = env->ops->sock_send_file(
        env, conn->fd, file->chunk->fd, file->chunk->pos + file->chunk_pos, file->size, false);
    if (n != 0)
        return n;
    log_error("conn.file_short", "conn=%" PRIu64 " pos=%" PRIu64 " missing=%zu", conn->info.id,
        file->chunk->pos + file->chunk_pos, file->size);
    return -EIO;
}

int output_flush(struct conn *conn)
{
    struct output_batch batch;
    size_t sent = 0;
    for (;;) {
        output_advance(conn, 0); /* replies without bytes */
        output_gather(conn, &batch);
        if (batch.n_iov == 0 && batch.file.size == 0)
            return OUTPUT_IDLE;
        if (sent >= OUTPUT_BYTES_PER_TURN)
            return OUTPUT_MORE;
        ssize_t n = output_send(conn, &batch);
        if (n == -EAGAIN)
            return OUTPUT_BLOCKED;
        if (n < 0)
            return (int)n;
        size_t asked = batch.n_iov > 0 ? batch.size : batch.file.size;
        bool file = batch.n_iov == 0;
        output_advance(conn, (size_t)n);
        sent += (size_t)n;
        conn->active_ms = loop_now_ms(conn->nl->loop);
        count_add(&conn->nl->bytes_out, (uint64_t)n);
        if (!file && (size_t)n < asked)
            return OUTPUT_BLOCKED;
    }
}
