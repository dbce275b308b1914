// SPDX-License-Identifier: BSD-2-Clause
// floors ingest|sendfile|pingpong [--option value]...: servers that do only what cannot be avoided,
// under the same load generator as the broker (run with --floor). What they cost is the floor of
// the machine.
//
//   ingest    receive each frame, CRC32C it, append it to a fresh file, answer a few bytes
//   sendfile  answer each frame by --response-size bytes of --file, which lies in the page cache
//   pingpong  answer each frame by --reply-size bytes from memory
//
// One thread, one libevent loop, plain events. Prints "port N" once it listens and runs until
// SIGTERM. Failure modes: anything unexpected ends the program, and with it the run.
#include "crc.h"
#include "kafka_frame.h"
#include "net.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define FLOOR_BUFFER_SIZE    (2u << 20u)
#define FLOOR_LARGE_SIZE     65536u // a larger frame is received by itself, with no byte of the next
#define FLOOR_REPLIES_MAX    256u
#define FLOOR_REPLY_SIZE_MAX 4096u
#define FLOOR_FILE_SIZE_MAX  (1u << 30u)
#define FLOOR_RECEIVES_MAX   8u
#define FLOOR_SPARE_BUFFERS  64u

struct floor_conn;

struct floor {
    struct event_base *base;
    void (*serve)(struct floor *, struct floor_conn *);
    const char *dir;       // ingest: where files are made
    const char *file_path; // sendfile: what is sent
    size_t reply_size;
    size_t response_size;
    size_t file_size;
    int listen_fd;
    int file_fd;
    size_t file_pos;
    unsigned file_count;
    uint8_t *spares[FLOOR_SPARE_BUFFERS]; // the hottest buffer is on top
    unsigned spare_count;
    uint8_t replies[FLOOR_REPLIES_MAX * FLOOR_REPLY_SIZE_MAX];
};

struct floor_conn {
    struct floor *floor;
    struct event *read_event;
    struct event *write_event;
    int fd;
    uint8_t *buffer; // NULL while nothing is received
    size_t size;
    // sendfile only: the answer under way
    uint8_t head[8];
    size_t left;
    off_t pos;
};

static void floor_buffer_take(struct floor *floor, struct floor_conn *conn)
{
    if (conn->buffer != NULL)
        return;
    if (floor->spare_count > 0)
        conn->buffer = floor->spares[--floor->spare_count];
    else
        conn->buffer = malloc(FLOOR_BUFFER_SIZE);
    assert(conn->buffer != NULL);
}

static void floor_buffer_give(struct floor *floor, struct floor_conn *conn)
{
    if (floor->spare_count < FLOOR_SPARE_BUFFERS)
        floor->spares[floor->spare_count++] = conn->buffer;
    else
        free(conn->buffer);
    conn->buffer = NULL;
}

static void floor_conn_free(struct floor_conn *conn)
{
    if (conn->buffer != NULL)
        floor_buffer_give(conn->floor, conn);
    event_free(conn->read_event);
    event_free(conn->write_event);
    close(conn->fd);
    free(conn);
}

// The size of the frame at `data` with its size field; 0 when not enough of it is there to tell.
static size_t floor_frame_size(const uint8_t *data, size_t size)
{
    struct frame_reader reader = frame_reader_of(data, 4);
    int32_t frame_size;

    if (size < 4)
        return 0;
    frame_size = frame_get_i32(&reader);
    if (frame_size < 8 || (size_t)frame_size + 4u > FLOOR_BUFFER_SIZE)
        net_die("floor", "frame of a size that it does not serve");
    return (size_t)frame_size + 4u;
}

static void floor_write_file(struct floor *floor, const uint8_t *data, size_t size)
{
    if (floor->file_fd < 0 || floor->file_pos > FLOOR_FILE_SIZE_MAX) {
        char path[512];
        if (floor->file_fd >= 0)
            close(floor->file_fd);
        (void)snprintf(path, sizeof(path), "%s/floor-%u.log", floor->dir, floor->file_count++);
        floor->file_fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        floor->file_pos = 0;
    }
    if (write(floor->file_fd, data, size) != (ssize_t)size)
        net_die("write", strerror(errno));
    floor->file_pos += size;
}

static void floor_reply(struct floor *floor, struct floor_conn *conn, unsigned count)
{
    size_t size = count * floor->reply_size;

    // A generator that has seen enough just leaves; the next receive will tell.
    if (send(conn->fd, floor->replies, size, MSG_NOSIGNAL) != (ssize_t)size && errno == EAGAIN)
        net_die("send", "answers do not fit into the socket");
}

static void floor_reply_add(struct floor *floor, unsigned index, const uint8_t *frame)
{
    uint8_t *reply = floor->replies + index * floor->reply_size;

    frame_patch_i32(reply, (int32_t)(floor->reply_size - 4u));
    memcpy(reply + 4, frame + 8, 4); // correlation id
}

// Handles the whole frames in the buffer; the rest moves to its front.
static void floor_take_frames(struct floor *floor, struct floor_conn *conn, bool store)
{
    size_t pos = 0, frame_size;
    unsigned count = 0;

    while (count < FLOOR_REPLIES_MAX) {
        frame_size = floor_frame_size(conn->buffer + pos, conn->size - pos);
        if (frame_size == 0 || frame_size > conn->size - pos)
            break;
        if (store && crc_of(conn->buffer + pos, frame_size) == 1u)
            net_die("floor", "one in four thousand million");
        floor_reply_add(floor, count++, conn->buffer + pos);
        pos += frame_size;
    }
    if (count == 0)
        return;
    if (store)
        floor_write_file(floor, conn->buffer, pos);
    floor_reply(floor, conn, count);
    conn->size -= pos;
    memmove(conn->buffer, conn->buffer + pos, conn->size);
}

// Receives once. Returns bytes, 0 when there is nothing more, -1 when the peer is gone.
static ssize_t floor_receive(struct floor *floor, struct floor_conn *conn, size_t *ret_asked)
{
    size_t frame_size, wanted;
    ssize_t size;

    floor_buffer_take(floor, conn);
    frame_size = floor_frame_size(conn->buffer, conn->size);
    wanted = FLOOR_LARGE_SIZE;
    if (frame_size > FLOOR_LARGE_SIZE)
        wanted = frame_size - conn->size;
    else if (wanted > FLOOR_BUFFER_SIZE - conn->size)
        wanted = FLOOR_BUFFER_SIZE - conn->size;
    size = recv(conn->fd, conn->buffer + conn->size, wanted, 0);
    *ret_asked = wanted;
    if (size > 0)
        conn->size += (size_t)size;
    if (size < 0 && errno == EAGAIN)
        return 0;
    return size > 0 ? size : -1;
}

static void floor_on_read(struct floor *floor, struct floor_conn *conn, bool store)
{
    for (unsigned i = 0; i < FLOOR_RECEIVES_MAX; i++) {
        size_t asked;
        ssize_t size = floor_receive(floor, conn, &asked);

        if (size < 0) {
            floor_conn_free(conn);
            return;
        }
        if (size > 0)
            floor_take_frames(floor, conn, store);
        if ((size_t)size < asked)
            break;
    }
    if (conn->size == 0 && conn->buffer != NULL)
        floor_buffer_give(floor, conn);
}

static void floor_serve_ingest(struct floor *floor, struct floor_conn *conn)
{
    floor_on_read(floor, conn, true);
}

static void floor_serve_pingpong(struct floor *floor, struct floor_conn *conn)
{
    floor_on_read(floor, conn, false);
}

// Sends what is left of the answer; when the socket is full, the write event goes on with it.
static void floor_sendfile(struct floor *floor, struct floor_conn *conn)
{
    while (conn->left > 0) {
        ssize_t size = sendfile(conn->fd, floor->file_fd, &conn->pos, conn->left);
        if (size < 0 && errno == EAGAIN) {
            (void)event_add(conn->write_event, NULL);
            return;
        }
        if (size <= 0) {
            event_del(conn->write_event);
            conn->left = 0;
            return;
        }
        conn->left -= (size_t)size;
    }
}

static void floor_serve_sendfile(struct floor *floor, struct floor_conn *conn)
{
    uint8_t request[65536];
    ssize_t size = recv(conn->fd, request, sizeof(request), 0);

    if (size < 0 && errno == EAGAIN)
        return;
    if (size < 12) {
        floor_conn_free(conn);
        return;
    }
    frame_patch_i32(conn->head, (int32_t)(floor->response_size + 4u));
    memcpy(conn->head + 4, request + 8, 4);
    if (send(conn->fd, conn->head, sizeof(conn->head), MSG_NOSIGNAL | MSG_MORE) < 0) {
        floor_conn_free(conn);
        return;
    }
    if ((size_t)conn->pos + floor->response_size > floor->file_size)
        conn->pos = 13; // batches begin anywhere
    conn->left = floor->response_size;
    floor_sendfile(floor, conn);
}

static void floor_on_event(evutil_socket_t fd, short what, void *context)
{
    struct floor_conn *conn = context;

    (void)fd;
    if ((what & EV_WRITE) != 0)
        floor_sendfile(conn->floor, conn);
    else
        conn->floor->serve(conn->floor, conn);
}

static void floor_on_accept(evutil_socket_t listen_fd, short what, void *context)
{
    struct floor *floor = context;
    int one = 1, fd = accept4((int)listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct floor_conn *conn;

    (void)what;
    if (fd < 0)
        return;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    conn = calloc(1, sizeof(*conn));
    assert(conn != NULL);
    conn->floor = floor;
    conn->fd = fd;
    conn->pos = 13;
    conn->read_event = event_new(floor->base, fd, EV_READ | EV_PERSIST, floor_on_event, conn);
    conn->write_event = event_new(floor->base, fd, EV_WRITE, floor_on_event, conn);
    assert(conn->read_event != NULL && conn->write_event != NULL);
    (void)event_add(conn->read_event, NULL);
}

// The file lies in the page cache already: the broker whose log it is has just served it.
static void floor_file_open(struct floor *floor)
{
    struct stat stat;

    if (floor->file_path == NULL)
        net_die("sendfile", "wants --file");
    floor->file_fd = open(floor->file_path, O_RDONLY | O_CLOEXEC);
    if (floor->file_fd < 0 || fstat(floor->file_fd, &stat) < 0)
        net_die(floor->file_path, strerror(errno));
    floor->file_size = (size_t)stat.st_size;
    if (floor->file_size < 13u + floor->response_size)
        net_die(floor->file_path, "is shorter than one answer");
}

static size_t floor_number(const char *text)
{
    char *end;
    unsigned long long value = strtoull(text, &end, 10);

    if (*end != '\0' || value == 0)
        net_die("not a number", text);
    return (size_t)value;
}

static void floor_option(struct floor *floor, const char *name, const char *value)
{
    if (strcmp(name, "--dir") == 0)
        floor->dir = value;
    else if (strcmp(name, "--reply-size") == 0)
        floor->reply_size = floor_number(value);
    else if (strcmp(name, "--response-size") == 0)
        floor->response_size = floor_number(value);
    else if (strcmp(name, "--file") == 0)
        floor->file_path = value;
    else
        net_die("unknown option", name);
    if (floor->reply_size < 8 || floor->reply_size > FLOOR_REPLY_SIZE_MAX)
        net_die("reply size out of range", value);
}

static void floor_init(struct floor *floor, int argc, char **argv)
{
    if (argc < 2 || argc % 2 != 0)
        net_die("usage", "floors ingest|sendfile|pingpong [--option value]...");
    floor->dir = ".";
    floor->reply_size = 53; // a Produce answer for one partition of a topic with a short name
    floor->response_size = 1u << 20u;
    floor->file_fd = -1;
    for (int i = 2; i < argc; i += 2)
        floor_option(floor, argv[i], argv[i + 1]);
    if (strcmp(argv[1], "ingest") == 0)
        floor->serve = floor_serve_ingest;
    else if (strcmp(argv[1], "sendfile") == 0)
        floor->serve = floor_serve_sendfile;
    else if (strcmp(argv[1], "pingpong") == 0)
        floor->serve = floor_serve_pingpong;
    else
        net_die("no such floor", argv[1]);
    if (floor->serve == floor_serve_sendfile)
        floor_file_open(floor);
}

int main(int argc, char **argv)
{
    static struct floor floor;
    struct event *accept_event;
    uint16_t port;

    (void)signal(SIGPIPE, SIG_IGN);
    floor_init(&floor, argc, argv);
    floor.base = event_base_new();
    assert(floor.base != NULL);
    floor.listen_fd = net_must(net_listen(0, &port), "listen");
    accept_event =
        event_new(floor.base, floor.listen_fd, EV_READ | EV_PERSIST, floor_on_accept, &floor);
    assert(accept_event != NULL);
    (void)event_add(accept_event, NULL);
    printf("port %u\n", port);
    fflush(stdout);
    return event_base_dispatch(floor.base) < 0 ? 1 : 0;
}
