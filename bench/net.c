// SPDX-License-Identifier: BSD-2-Clause
// A frame is received into a buffer that grows to hold it whole; the buffer is rewound when it runs
// empty, so that the same (cached) memory is used again. Any failure of a connection ends a run: a
// bench with fewer connections than asked for measures something else.
#include "net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define NET_BUFFER_SIZE_MIN 16384u

_Noreturn void net_die(const char *what, const char *detail)
{
    fprintf(stderr, "bench: %s: %s\n", what, detail);
    exit(1);
}

int net_must(int result, const char *what)
{
    if (result < 0)
        net_die(what, strerror(-result));
    return result;
}

int net_connect(const char *host, uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    int one = 1, fd, error;

    if (inet_pton(AF_INET, host, &address.sin_addr) != 1)
        return -EINVAL;
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        error = errno;
        close(fd);
        return -error;
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    return fd;
}

int net_listen(uint16_t port, uint16_t *ret_port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons(port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    socklen_t size = sizeof(address);
    int one = 1, error, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -errno;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
        bind(fd, (struct sockaddr *)&address, size) < 0 || listen(fd, 1024) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) < 0) {
        error = errno;
        close(fd);
        return -error;
    }
    *ret_port = ntohs(address.sin_port);
    return fd;
}

void net_conn_init(struct net_conn *conn, int fd)
{
    *conn = (struct net_conn){.fd = fd};
}

void net_conn_deinit(struct net_conn *conn)
{
    if (conn->fd >= 0)
        close(conn->fd);
    free(conn->data);
    *conn = (struct net_conn){.fd = -1};
}

// The size of the frame at the start of the buffer with its size field; 0 when not yet known.
static size_t net_conn_frame_size(const struct net_conn *conn)
{
    struct frame_reader reader;
    int32_t size;

    if (conn->end - conn->start < 4u)
        return 0;
    reader = frame_reader_of(conn->data + conn->start, 4);
    size = frame_get_i32(&reader);
    if (size < 0 || (uint32_t)size > NET_FRAME_SIZE_MAX)
        net_die("receive", "absurd frame size");
    return (size_t)size + 4u;
}

static void net_conn_make_room(struct net_conn *conn)
{
    size_t frame_size = net_conn_frame_size(conn), wanted;

    if (conn->start == conn->end)
        conn->start = conn->end = 0;
    wanted = frame_size > NET_BUFFER_SIZE_MIN ? frame_size : NET_BUFFER_SIZE_MIN;
    if (conn->start > 0 && conn->start + wanted > conn->capacity) {
        memmove(conn->data, conn->data + conn->start, conn->end - conn->start);
        conn->end -= conn->start;
        conn->start = 0;
    }
    if (wanted > conn->capacity) {
        conn->data = realloc(conn->data, wanted);
        if (conn->data == NULL)
            abort();
        conn->capacity = wanted;
    }
}

int net_conn_fill(struct net_conn *conn)
{
    ssize_t size;

    net_conn_make_room(conn);
    if (conn->end == conn->capacity)
        return 0;
    do {
        size = recv(conn->fd, conn->data + conn->end, conn->capacity - conn->end, MSG_DONTWAIT);
    } while (size < 0 && errno == EINTR);
    if (size == 0)
        return -EPIPE;
    if (size < 0)
        return errno == EAGAIN ? 0 : -errno;
    conn->end += (size_t)size;
    return (int)size;
}

bool net_conn_frame(struct net_conn *conn, const uint8_t **ret_data, size_t *ret_size)
{
    size_t size = net_conn_frame_size(conn);

    if (size == 0 || size > conn->end - conn->start)
        return false;
    *ret_data = conn->data + conn->start + 4u;
    *ret_size = size - 4u;
    conn->start += size;
    return true;
}

void net_send_all(int fd, const void *data, size_t size)
{
    const uint8_t *pos = data;

    while (size > 0) {
        ssize_t sent = send(fd, pos, size, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            net_die("send", strerror(errno));
        pos += sent;
        size -= (size_t)sent;
    }
}

void net_await_frame(struct net_conn *conn, const uint8_t **ret_data, size_t *ret_size)
{
    while (!net_conn_frame(conn, ret_data, ret_size)) {
        struct pollfd poll_fd = {.fd = conn->fd, .events = POLLIN};

        if (poll(&poll_fd, 1, 30000) == 0)
            net_die("receive", "no answer within 30 s");
        (void)net_must(net_conn_fill(conn), "receive");
    }
}
