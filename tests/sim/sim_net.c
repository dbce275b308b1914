// SPDX-License-Identifier: BSD-2-Clause
#include "sim/sim_net.h"

#include "base/bytes.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>

#define SOCKS_MAX   512
#define SOCK_FD     2000000
#define SOCK_BUFFER (256U << 10)

struct sim_way {
    struct buffer bytes;
    size_t taken;
    int64_t ready_ns; /* of all that is there */
};

struct sim_sock {
    bool used, broker_closed, client_closed;
    bool told; /* whoever watches for the end was told */
    struct sim_way to_broker, to_client;
};

static struct {
    struct sim_disk *disk;
    struct sim_random *random;
    int64_t delay_ms_max;
    struct sim_sock socks[SOCKS_MAX];
    unsigned next;
} net;

static struct sim_sock *sock_of(int fd)
{
    assert(fd >= SOCK_FD && fd < SOCK_FD + SOCKS_MAX);
    return &net.socks[fd - SOCK_FD];
}

static void way_put(struct sim_way *way, const void *data, size_t size)
{
    if (way->taken == way->bytes.size) {
        way->taken = way->bytes.size = 0;
        way->ready_ns = net.disk->now_ns;
        if (net.delay_ms_max > 0)
            way->ready_ns += (int64_t)sim_below(net.random, (uint64_t)net.delay_ms_max * 1000000);
    }
    buffer_append(&way->bytes, data, size);
}

static size_t way_ready(const struct sim_way *way)
{
    return way->ready_ns <= net.disk->now_ns ? way->bytes.size - way->taken : 0;
}

static unsigned net_ready(int fd)
{
    struct sim_sock *sock = sock_of(fd);
    unsigned events = 0;
    if (way_ready(&sock->to_broker) > 0 || sock->client_closed)
        events |= LOOP_IO_READ;
    if (sock->to_client.bytes.size - sock->to_client.taken < SOCK_BUFFER || sock->client_closed)
        events |= LOOP_IO_WRITE;
    if (sock->client_closed && !sock->told)
        events |= LOOP_IO_CLOSED;
    return events;
}

static void net_told(int fd)
{
    sock_of(fd)->told = true;
}

/* --- the broker's half --- */

static ssize_t net_sock_recv(struct env *env, int fd, void *data, size_t size)
{
    struct sim_sock *sock = sock_of(fd);
    struct sim_way *way = &sock->to_broker;
    size_t ready = way_ready(way);
    (void)env;
    if (sock->client_closed && sim_chance(net.random, 20))
        return -ECONNRESET;
    if (ready == 0)
        return sock->client_closed ? 0 : -EAGAIN;
    size = size < ready ? size : ready;
    if (size > 1 && sim_chance(net.random, 10))
        size = 1 + (size_t)sim_below(net.random, size);
    memcpy(data, way->bytes.data + way->taken, size);
    way->taken += size;
    return (ssize_t)size;
}

static ssize_t net_send(struct sim_sock *sock, const void *data, size_t size)
{
    if (sock->client_closed)
        return -EPIPE;
    size_t room = SOCK_BUFFER - (sock->to_client.bytes.size - sock->to_client.taken);
    size = size < room ? size : room;
    if (size == 0)
        return -EAGAIN;
    if (size > 1 && sim_chance(net.random, 10))
        size = 1 + (size_t)sim_below(net.random, size);
    way_put(&sock->to_client, data, size);
    return (ssize_t)size;
}

static ssize_t net_sock_send(struct env *env, int fd, const struct iovec *iov, int n_iov, bool more)
{
    struct buffer bytes = BUFFER_NULL;
    (void)env;
    (void)more;
    for (int i = 0; i < n_iov; i++)
        buffer_append(&bytes, iov[i].iov_base, iov[i].iov_len);
    ssize_t n = bytes.size == 0 ? 0 : net_send(sock_of(fd), bytes.data, bytes.size);
    buffer_deinit(&bytes);
    return n;
}

static ssize_t net_sock_send_file(
    struct env *env, int fd, int file_fd, uint64_t pos, size_t size, bool more)
{
    uint8_t *bytes = xmalloc(size + 1);
    (void)more;
    ssize_t n = sim_disk_ops.file_pread(env, file_fd, bytes, size, pos);
    if (n > 0)
        n = net_send(sock_of(fd), bytes, (size_t)n);
    free(bytes);
    return n;
}

static int net_sock_address(struct env *env, int fd, bool of_peer,
    struct sockaddr_storage *ret_address, socklen_t *ret_size)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
        .sin_port = htons((uint16_t)(of_peer ? 10000 + fd % 50000 : 9092)),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    (void)env;
    memset(ret_address, 0, sizeof(*ret_address));
    memcpy(ret_address, &address, sizeof(address));
    *ret_size = sizeof(address);
    return 0;
}

static int net_sock_set_buffers(struct env *env, int fd, int send_size, int receive_size)
{
    (void)env;
    (void)fd;
    (void)send_size;
    (void)receive_size;
    return 0;
}

static int net_sock_close(struct env *env, int fd)
{
    (void)env;
    sock_of(fd)->broker_closed = true;
    return 0;
}

struct env_ops sim_net_ops(void)
{
    struct env_ops ops = sim_disk_ops;
    ops.sock_recv = net_sock_recv;
    ops.sock_send = net_sock_send;
    ops.sock_send_file = net_sock_send_file;
    ops.sock_address = net_sock_address;
    ops.sock_set_buffers = net_sock_set_buffers;
    ops.sock_close = net_sock_close;
    return ops;
}

/* --- the client's half --- */

void sim_net_start(struct sim_disk *disk, struct sim_random *random, int64_t delay_ms_max)
{
    net.disk = disk;
    net.random = random;
    net.delay_ms_max = delay_ms_max;
    sim_sched_ready_fn(net_ready, net_told);
}

static void sock_clear(struct sim_sock *sock)
{
    buffer_deinit(&sock->to_broker.bytes);
    buffer_deinit(&sock->to_client.bytes);
    *sock = (struct sim_sock){0};
}

int sim_net_connect(void)
{
    for (unsigned i = 0; i < SOCKS_MAX; i++) {
        unsigned at = (net.next + i) % SOCKS_MAX;
        struct sim_sock *sock = &net.socks[at];
        if (sock->used && !(sock->broker_closed && sock->client_closed))
            continue;
        sock_clear(sock);
        sock->used = true;
        net.next = at + 1;
        return SOCK_FD + (int)at;
    }
    assert(false); /* the broker does not close what ended */
    return -EMFILE;
}

void sim_net_send(int fd, const void *data, size_t size)
{
    struct sim_sock *sock = sock_of(fd);
    if (!sock->broker_closed)
        way_put(&sock->to_broker, data, size);
}

bool sim_net_receive(int fd, struct buffer *ret_frame)
{
    struct sim_way *way = &sock_of(fd)->to_client;
    size_t ready = way_ready(way);
    const uint8_t *at = way->bytes.data + way->taken;
    if (ready < 4 || ready - 4 < bytes_get_u32(at))
        return false;
    size_t size = bytes_get_u32(at);
    ret_frame->size = 0;
    buffer_append(ret_frame, at + 4, size);
    way->taken += 4 + size;
    return true;
}

bool sim_net_ended(int fd)
{
    return sock_of(fd)->broker_closed;
}

bool sim_net_whole(int fd)
{
    return !sock_of(fd)->broker_closed && !sock_of(fd)->client_closed;
}

void sim_net_cut(int fd)
{
    struct sim_sock *sock = sock_of(fd);
    sock->client_closed = true;
    if (sim_chance(net.random, 50))
        sock->to_broker.taken = sock->to_broker.bytes.size;
}

void sim_net_reset(void)
{
    for (unsigned i = 0; i < SOCKS_MAX; i++) {
        if (net.socks[i].used)
            net.socks[i].broker_closed = true;
    }
}

int64_t sim_net_next_ns(void)
{
    int64_t next = INT64_MAX;
    for (unsigned i = 0; i < SOCKS_MAX; i++) {
        const struct sim_sock *sock = &net.socks[i];
        const struct sim_way *ways[] = {&sock->to_broker, &sock->to_client};
        for (unsigned j = 0; sock->used && j < 2; j++) {
            if (ways[j]->taken < ways[j]->bytes.size && ways[j]->ready_ns > net.disk->now_ns &&
                ways[j]->ready_ns < next)
                next = ways[j]->ready_ns;
        }
    }
    return next;
}
