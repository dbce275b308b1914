// SPDX-License-Identifier: BSD-2-Clause
#include "harness.h"
#include "runner.h"

#include <fcntl.h>
#include <poll.h>

static const struct slice hello = SLICE_LIT("hello");

static void setup(unsigned n_loops)
{
    harness_init();
    harness_start(n_loops);
}

/* Ends with a reset instead of a FIN. */
static void client_reset(int fd)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    close(fd);
}

/* --- deadlines --- */

START_TEST(conn_half_a_frame_has_a_deadline)
{
    harness_init();
    harness.config.frame_ms_max = 100;
    harness_start(1);
    for (size_t size = 1; size < 40; size += 19) {
        int fd = client_connect();
        struct buffer out = BUFFER_NULL;
        frame_append_request(&out, 0, 0, TOY_DONE, 1, "g", hello);
        int64_t before = env_monotonic_ms(env_posix());
        client_send(fd, out.data, size);
        ck_assert(client_at_end(fd));
        int64_t took = env_monotonic_ms(env_posix()) - before;
        /* A loop's clock is read once a turn: a turn that began earlier counts from there. */
        ck_assert_int_ge(took, 90);
        ck_assert_int_lt(took, 5000);
        buffer_deinit(&out);
        close(fd);
    }
    harness_stop(1000);
}
END_TEST

/* Bytes that trickle in do not move it. */
START_TEST(conn_a_trickle_does_not_move_the_deadline)
{
    harness_init();
    harness.config.frame_ms_max = 150;
    harness_start(1);
    int fd = client_connect();
    int sent = 0;
    client_send(fd, "\0\0\1\0", 4);
    while (send(fd, "x", 1, MSG_NOSIGNAL) == 1 && sent++ < 200)
        usleep(10000);
    ck_assert_int_lt(sent, 150);
    close(fd);
    harness_stop(1000);
}
END_TEST

START_TEST(conn_idle_ones_are_closed_but_not_waiting_ones)
{
    harness_init();
    harness.config.idle_ms_max = 100;
    harness_start(1);
    int idle = client_connect(), waiting = client_connect();
    client_request(waiting, 0, TOY_PARK, 1, "g", hello);
    ck_assert(client_at_end(idle));
    usleep(200000);
    ck_assert_uint_eq(harness_connections(), 1);
    harness_complete(1);
    client_expect_echo(waiting, 1, hello);
    ck_assert(client_at_end(waiting));
    close(idle);
    close(waiting);
    harness_stop(1000);
}
END_TEST

/* --- back-pressure --- */

START_TEST(conn_in_flight_limit_n_and_one_more)
{
    enum { LIMIT = 5 };
    harness_init();
    harness.config.requests_in_flight_max = LIMIT;
    harness_start(2);
    int fd = client_connect();
    struct buffer out = BUFFER_NULL;
    for (int i = 0; i <= LIMIT; i++)
        frame_append_request(&out, (int16_t)(i % 2), 0, TOY_PARK, i, "a", hello);
    client_send(fd, out.data, out.size);
    harness_wait_until(harness.n_parked == LIMIT);
    usleep(50000);
    ck_assert_int_eq(harness.n_parked, LIMIT);
    harness_complete(2); /* any of them makes room, though its reply has to wait */
    harness_wait_until(harness.n_parked == LIMIT + 1);
    for (int i = 0; i <= LIMIT; i++) {
        if (i != 2)
            harness_complete(i);
    }
    for (int i = 0; i <= LIMIT; i++)
        client_expect_echo(fd, i, hello);
    buffer_deinit(&out);
    close(fd);
    harness_stop(1000);
}
END_TEST

/* Sends as much as the connection takes without reading a reply; returns how many frames. */
static int pump(int fd, const struct buffer *frame, int count_max)
{
    int sent = 0;
    size_t pos = 0;
    fcntl(fd, F_SETFL, O_NONBLOCK);
    while (sent < count_max) {
        ssize_t n = send(fd, frame->data + pos, frame->size - pos, MSG_NOSIGNAL);
        struct pollfd writable = {.fd = fd, .events = POLLOUT};
        if (n < 0 && poll(&writable, 1, 300) == 0)
            break;
        pos += n < 0 ? 0 : (size_t)n;
        if (pos == frame->size) {
            pos = 0;
            sent++;
        }
    }
    fcntl(fd, F_SETFL, 0);
    if (pos > 0) /* the rest will fit when replies are read: not needed, cut it off */
        shutdown(fd, SHUT_WR);
    return sent;
}

START_TEST(conn_peer_that_does_not_read)
{
    enum { COUNT = 50000, PAYLOAD = 2000 };
    static uint8_t payload[PAYLOAD];
    harness_init();
    harness.config.output_size_max = 50000;
    harness.config.send_buffer_size = 16384;
    harness.config.receive_buffer_size = 16384;
    harness_start(1);
    int fd = client_connect_buffers(16384);
    struct buffer frame = BUFFER_NULL;
    frame_append_request(&frame, 0, 0, TOY_DONE, 7, "g", slice_make(payload, PAYLOAD));
    int sent = pump(fd, &frame, COUNT);
    ck_assert_int_lt(sent, COUNT); /* it stopped reading */
    ck_assert_uint_lt(harness_memory_used(), 50000 + 3 * 65536);
    int handled = harness.n_handled;
    ck_assert_int_lt(handled, 2000);
    for (int i = 0; i < handled; i++)
        client_expect_echo(fd, 7, slice_make(payload, PAYLOAD));
    harness_wait_until(harness.n_handled > handled); /* and goes on */
    buffer_deinit(&frame);
    close(fd);
    harness_stop(1000);
}
END_TEST

/* Several connections with begun frames that together pass the loop's budget: all get through. */
START_TEST(conn_memory_budget_is_shared)
{
    enum { CONNS = 6, PAYLOAD = 300000, BUDGET = 200000 };
    static uint8_t payload[PAYLOAD];
    struct buffer frames[CONNS] = {0};
    int fds[CONNS];
    harness_init();
    harness.config.memory_max = BUDGET;
    harness_start(1);
    for (int i = 0; i < CONNS; i++) {
        fds[i] = client_connect();
        frame_append_request(&frames[i], 0, 0, TOY_DONE, i, "g", slice_make(payload, PAYLOAD));
        client_send(fds[i], frames[i].data, PAYLOAD / 2);
    }
    usleep(100000);
    ck_assert_uint_lt(harness_memory_used(), BUDGET + 2 * PAYLOAD + 3 * 65536);
    for (int i = CONNS - 1; i >= 0; i--)
        client_send(fds[i], frames[i].data + PAYLOAD / 2, frames[i].size - PAYLOAD / 2);
    for (int i = 0; i < CONNS; i++) {
        client_expect_echo(fds[i], i, slice_make(payload, PAYLOAD));
        buffer_deinit(&frames[i]);
        close(fds[i]);
    }
    harness_stop(1000);
}
END_TEST

/* A size is declared, little is sent: little is allocated. */
START_TEST(conn_memory_follows_bytes_not_promises)
{
    enum { SENT_STEP = 10000, STEPS = 30 };
    static uint8_t zeros[SENT_STEP];
    setup(1);
    int fd = client_connect();
    client_send(fd, "\x06\x3f\xff\xff", 4); /* just under 100 MiB */
    for (size_t i = 1; i <= STEPS; i++) {
        client_send(fd, zeros, SENT_STEP);
        struct net_stats stats;
        do
            net_get_stats(harness.net, &stats);
        while (stats.bytes_in_total < 4 + i * SENT_STEP);
        ck_assert_uint_le(harness_memory_used(), 2 * i * SENT_STEP + 65536);
    }
    close(fd);
    harness_wait_until(harness_connections() == 0);
    ck_assert_uint_eq(harness_memory_used(), 0);
    harness_stop(1000);
}
END_TEST

/* --- limits on connections --- */

static void limit_n_and_one_more(unsigned limit)
{
    int fds[8];
    harness_start(2);
    for (unsigned i = 0; i < limit; i++) {
        fds[i] = client_connect();
        client_request(fds[i], 0, TOY_DONE, 1, "g", hello);
        client_expect_echo(fds[i], 1, hello);
    }
    int extra = client_connect();
    ck_assert(client_at_end(extra));
    close(extra);
    close(fds[0]);
    harness_wait_until(harness_connections() == limit - 1);
    usleep(20000); /* the door hears of it a little later */
    fds[0] = client_connect();
    client_request(fds[0], 0, TOY_DONE, 2, "g", hello);
    client_expect_echo(fds[0], 2, hello);
    for (unsigned i = 0; i < limit; i++)
        close(fds[i]);
    harness_stop(1000);
}

START_TEST(conn_limit_of_all)
{
    harness_init();
    harness.config.connections_max = 4;
    limit_n_and_one_more(4);
}
END_TEST

START_TEST(conn_limit_per_address)
{
    harness_init();
    harness.config.connections_per_ip_max = 3;
    limit_n_and_one_more(3);
}
END_TEST

START_TEST(conn_spread_evenly_over_loops)
{
    enum { CONNS = 12 };
    int fds[CONNS];
    setup(3);
    for (int i = 0; i < CONNS; i++) {
        fds[i] = client_connect();
        client_request(fds[i], 0, TOY_DONE, 1, "g", hello);
        client_expect_echo(fds[i], 1, hello);
    }
    for (unsigned i = 0; i < 3; i++)
        ck_assert_uint_eq(harness.net->net_loops[i].connections, CONNS / 3);
    for (int i = 0; i < CONNS; i++)
        close(fds[i]);
    harness_stop(1000);
}
END_TEST

/* --- dying --- */

/* A peer that dies while its requests are parked, here and at another loop, in both ways of dying,
 * and also when the connection does not read because its limit is reached. */
static void die_parked(unsigned in_flight_max, void (*die)(int fd))
{
    enum { COUNT = 4 };
    harness_init();
    harness.config.requests_in_flight_max = in_flight_max;
    harness_start(2);
    int fd = client_connect();
    for (int i = 0; i < COUNT; i++)
        client_request(fd, (int16_t)(i % 2), TOY_PARK_CANCEL, i, i < 2 ? "a" : "ab", hello);
    harness_wait_until(harness.n_parked == COUNT);
    usleep(20000);
    die(fd);
    harness_wait_until(harness.n_cancelled == COUNT);
    harness_wait_until(harness_connections() == 0);
    harness_stop(1000);
}

static void die_close(int fd)
{
    close(fd);
}

START_TEST(conn_death_cancels)
{
    die_parked(100, die_close);
}
END_TEST

START_TEST(conn_death_cancels_at_the_limit)
{
    die_parked(4, die_close);
}
END_TEST

START_TEST(conn_reset_cancels)
{
    die_parked(100, client_reset);
}
END_TEST

START_TEST(conn_reset_cancels_at_the_limit)
{
    die_parked(4, client_reset);
}
END_TEST

/* What was sent before the end is handled, even when the limit kept it unread. */
START_TEST(conn_last_words_are_heard)
{
    harness_init();
    harness.config.requests_in_flight_max = 1;
    harness_start(1);
    int fd = client_connect();
    client_request(fd, 0, TOY_PARK_CANCEL, 0, "g", hello);
    harness_wait_until(harness.n_parked == 1);
    for (int i = 1; i < 20; i++)
        client_request(fd, 0, i % 2 ? TOY_NO_REPLY : TOY_PARK_CANCEL, i, "g", hello);
    close(fd);
    harness_wait_until(harness.n_handled == 20);
    harness_wait_until(harness_connections() == 0);
    ck_assert_int_eq(harness.n_cancelled, 10);
    harness_stop(1000);
}
END_TEST

/* A handler that takes its time: the request outlives its connection. */
START_TEST(conn_requests_outlive_it)
{
    setup(2);
    int fd = client_connect();
    client_request(fd, 1, TOY_PARK, 0, "a", hello);
    client_request(fd, 0, TOY_PARK, 1, "a", hello);
    harness_wait_until(harness.n_parked == 2);
    close(fd);
    harness_wait_until(harness.n_cancelled == 2);
    ck_assert_uint_eq(harness_connections(), 1);
    harness_complete(0);
    harness_complete(1);
    harness_wait_until(harness_connections() == 0);
    harness_stop(1000);
}
END_TEST

START_TEST(conn_end_is_told_once_to_who_asked)
{
    setup(2);
    int asked = client_connect(), other = client_connect();
    client_request(asked, 1, TOY_WATCH, 0, "a", hello);
    client_request(asked, 0, TOY_WATCH, 1, "a", hello);
    client_request(other, 0, TOY_DONE, 2, "a", hello);
    client_expect_echo(asked, 0, hello);
    client_expect_echo(asked, 1, hello);
    client_expect_echo(other, 2, hello);
    close(asked);
    close(other);
    harness_wait_until(harness_connections() == 0);
    harness_stop(1000);
    ck_assert_int_eq(harness.n_conn_closed, 1);
}
END_TEST

/* --- stopping --- */

static void *stop_thread(void *arg)
{
    net_stop(harness.net, *(int *)arg);
    return NULL;
}

START_TEST(conn_stop_lets_replies_leave)
{
    int grace_ms = 10000;
    pthread_t thread;
    setup(2);
    int busy = client_connect(), idle = client_connect(), half = client_connect();
    client_request(busy, 1, TOY_PARK, 0, "a", hello);
    client_send(half, "\0\0\0\x10half", 8);
    harness_wait_until(harness.n_parked == 1 && harness_connections() == 3);
    pthread_create(&thread, NULL, stop_thread, &grace_ms);
    ck_assert(client_at_end(idle));
    ck_assert(client_at_end(half));
    int refused = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
        .sin_port = htons(harness.port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    ck_assert_int_lt(connect(refused, (struct sockaddr *)&address, sizeof(address)), 0);
    client_request(busy, 0, TOY_DONE, 1, "a", hello); /* no longer read */
    harness_complete(0);
    client_expect_echo(busy, 0, hello);
    ck_assert(client_at_end(busy));
    pthread_join(thread, NULL);
    ck_assert_int_eq(harness.n_handled, 1);
    close(busy);
    close(idle);
    close(half);
    close(refused);
    net_free(harness.net);
    loops_join(&harness.loops);
    loops_free(&harness.loops);
}
END_TEST

START_TEST(conn_stop_ends_after_its_grace)
{
    setup(2);
    int fd = client_connect();
    client_request(fd, 1, TOY_PARK_CANCEL, 0, "a", hello);
    client_request(fd, 0, TOY_PARK_CANCEL, 1, "a", hello);
    harness_wait_until(harness.n_parked == 2);
    int64_t before = env_monotonic_ms(env_posix());
    harness_stop(100);
    int64_t took = env_monotonic_ms(env_posix()) - before;
    ck_assert_int_ge(took, 100);
    ck_assert_int_lt(took, 3000);
    ck_assert_int_eq(harness.n_cancelled, 2);
    ck_assert(client_at_end(fd));
    close(fd);
}
END_TEST

/* --- splices --- */

static void expect_splice(int fd, int32_t number)
{
    int32_t correlation;
    uint8_t *body;
    size_t size, file_size = (size_t)number, half = file_size / 2, at = 0;
    ck_assert(client_reply(fd, &correlation, &body, &size));
    ck_assert_uint_eq(size, 4 + 4 + file_size + 6 + 4);
    ck_assert_uint_eq(bytes_get_u32(body + 4), file_size + 6);
    while (at < half && body[8 + at] == toy_file_byte(at))
        at++;
    ck_assert_uint_eq(at, half);
    ck_assert_mem_eq(body + 8 + half, "middle", 6);
    while (at < file_size && body[14 + at] == toy_file_byte(at))
        at++;
    ck_assert_uint_eq(at, file_size);
    ck_assert_uint_eq(bytes_get_u32(body + 14 + file_size), 77);
    free(body);
}

START_TEST(conn_splices_larger_than_the_socket)
{
    static const int32_t sizes[] = {6000000, 1, 0, 100, 70001, TOY_FILE_SIZE};
    harness_init();
    harness.config.send_buffer_size = 102400;
    harness.config.output_size_max = 20000000;
    harness_start(1);
    int fd = client_connect();
    struct buffer out = BUFFER_NULL;
    for (size_t i = 0; i < ARRAY_COUNT(sizes); i++) {
        frame_append_request(&out, 0, 0, TOY_DONE, (int)i, "g", hello);
        frame_append_request(&out, 0, 0, TOY_SPLICE, sizes[i], "g", hello);
    }
    client_send(fd, out.data, out.size);
    for (size_t i = 0; i < ARRAY_COUNT(sizes); i++) {
        client_expect_echo(fd, (int32_t)i, hello);
        expect_splice(fd, sizes[i]);
    }
    buffer_deinit(&out);
    close(fd);
    harness_stop(1000);
}
END_TEST

/* References to chunks are given back when the peer dies in the middle of them. */
START_TEST(conn_death_in_a_splice_gives_back)
{
    setup(2);
    uint8_t some[1000];
    int fd = client_connect();
    for (int i = 0; i < 4; i++)
        client_request(fd, (int16_t)(i % 2), TOY_SPLICE, TOY_FILE_SIZE, "a", hello);
    ck_assert(client_recv(fd, some, sizeof(some)));
    client_reset(fd);
    harness_wait_until(harness_connections() == 0);
    harness_stop(1000); /* checks the count */
}
END_TEST

START_TEST(conn_adopted_socket_pair)
{
    int pair[2];
    setup(2);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    net_adopt(harness.net, pair[0]);
    client_request(pair[1], 1, TOY_DONE, 3, "ab", hello);
    client_expect_echo(pair[1], 3, hello);
    client_request(pair[1], 0, TOY_SPLICE, 500000, "ab", hello);
    expect_splice(pair[1], 500000);
    close(pair[1]);
    harness_stop(1000);
}
END_TEST

/* --- memory kept for reuse --- */

struct kept {
    unsigned blocks, spares;
    bool timer;
};

static void read_kept(void *arg)
{
    const struct net_loop *nl = &harness.net->net_loops[0];
    *(struct kept *)arg = (struct kept){
        nl->frames.count,
        nl->n_spare_requests,
        timer_running(&nl->trim),
    };
}

static struct kept kept_now(void)
{
    struct kept kept;
    harness_call(harness.loops.loop[0], read_kept, &kept);
    return kept;
}

START_TEST(conn_memory_of_a_burst_goes_back)
{
    enum { COUNT = 20, PAYLOAD = 100000 };
    static uint8_t payload[PAYLOAD];
    struct buffer frames = {0};
    harness_init();
    harness_start(1);
    int fd = client_connect();
    for (int i = 0; i < COUNT; i++)
        frame_append_request(&frames, 0, 0, TOY_DONE, i, "g", slice_make(payload, 100));
    frame_append_request(&frames, 0, 0, TOY_DONE, COUNT, "g", slice_make(payload, PAYLOAD));
    client_send(fd, frames.data, frames.size);
    for (int i = 0; i <= COUNT; i++)
        client_expect_echo(fd, i, slice_make(payload, i < COUNT ? 100 : PAYLOAD));
    struct kept kept = kept_now();
    ck_assert_uint_ge(kept.blocks, 1);
    ck_assert(kept.timer);
    for (int i = 0; i < 100 && kept.timer; i++) {
        usleep(100000);
        kept = kept_now();
    }
    ck_assert(!kept.timer);
    ck_assert_uint_eq(kept.blocks, 0);
    ck_assert_uint_le(kept.spares, NET_SPARE_REQUESTS_QUIET);
    buffer_deinit(&frames);
    close(fd);
    harness_stop(1000);
}
END_TEST

TEST_MAIN("net/conn", conn_memory_of_a_burst_goes_back, conn_half_a_frame_has_a_deadline,
    conn_a_trickle_does_not_move_the_deadline, conn_idle_ones_are_closed_but_not_waiting_ones,
    conn_in_flight_limit_n_and_one_more, conn_peer_that_does_not_read, conn_memory_budget_is_shared,
    conn_memory_follows_bytes_not_promises, conn_limit_of_all, conn_limit_per_address,
    conn_spread_evenly_over_loops, conn_death_cancels, conn_death_cancels_at_the_limit,
    conn_reset_cancels, conn_reset_cancels_at_the_limit, conn_last_words_are_heard,
    conn_requests_outlive_it, conn_end_is_told_once_to_who_asked, conn_stop_lets_replies_leave,
    conn_stop_ends_after_its_grace, conn_splices_larger_than_the_socket,
    conn_death_in_a_splice_gives_back, conn_adopted_socket_pair)
