// SPDX-License-Identifier: BSD-2-Clause
#include "harness.h"
#include "runner.h"

static const struct slice hello = SLICE_LIT("hello");

START_TEST(request_one_byte_at_a_time)
{
    harness_init();
    harness_start(1);
    int fd = client_connect();
    struct buffer out = BUFFER_NULL;
    frame_append_request(&out, 0, 0, TOY_DONE, 5, "g", hello);
    for (size_t i = 0; i < out.size; i++) {
        client_send(fd, out.data + i, 1);
        usleep(100);
    }
    client_expect_echo(fd, 5, hello);
    buffer_deinit(&out);
    close(fd);
    harness_stop(1000);
}
END_TEST

/* Far more than one read, far more than the limit on output and in flight. */
START_TEST(request_many_frames_at_once)
{
    enum { COUNT = 3000 };
    harness_init();
    harness.config.requests_in_flight_max = 3;
    harness.config.output_size_max = 20000;
    harness_start(2);
    int fd = client_connect();
    struct buffer out = BUFFER_NULL;
    for (int i = 0; i < COUNT; i++)
        frame_append_request(&out, (int16_t)(i % 2), 0, i % 7 == 0 ? TOY_PARK_DONE : TOY_DONE, i,
            i % 5 < 2 ? "a" : "ab", hello);
    client_send(fd, out.data, out.size);
    for (int i = 0; i < COUNT; i++)
        client_expect_echo(fd, i, hello);
    ck_assert_int_eq(harness.n_handled, COUNT);
    buffer_deinit(&out);
    close(fd);
    harness_stop(1000);
}
END_TEST

/* Random frames cut at random places: the replies are the same as ever. */
START_TEST(request_random_splits)
{
    enum { COUNT = 300 };
    static uint8_t payload[200000];
    harness_init();
    harness.config.trace = true;
    ck_assert_ptr_nonnull(freopen("/dev/null", "w", stderr));
    harness_start(2);
    for (size_t i = 0; i < sizeof(payload); i++)
        payload[i] = (uint8_t)rand();
    for (unsigned seed = 1; seed <= 5; seed++) {
        srand(seed);
        int fd = client_connect();
        int sizes[COUNT];
        struct buffer out = BUFFER_NULL;
        for (int i = 0; i < COUNT; i++) {
            sizes[i] = rand() % 20 == 0 ? rand() % (int)sizeof(payload) : rand() % 500;
            frame_append_request(&out, (int16_t)(rand() % 2), 0, TOY_DONE, i,
                rand() % 2 == 0 ? "a" : "ab", slice_make(payload, (size_t)sizes[i]));
        }
        size_t pos = 0;
        int expected = 0;
        while (pos < out.size) {
            size_t n = rand() % 10 == 0 ? (size_t)rand() % 300000 : (size_t)rand() % 3000;
            n = n < out.size - pos ? n : out.size - pos;
            client_send(fd, out.data + pos, n);
            pos += n;
            /* take replies now and then, so that neither side waits for the other */
            for (size_t end = 0, i = 0; i < COUNT; i++) {
                end += 4 + 2 + 2 + 4 + 2 + 6 + 4 + 4 + 2 + 1 + 4 + (size_t)sizes[i];
                if (end + COUNT > pos)
                    break;
                if ((int)i >= expected) {
                    client_expect_echo(fd, expected, slice_make(payload, (size_t)sizes[i]));
                    expected++;
                }
            }
        }
        for (; expected < COUNT; expected++)
            client_expect_echo(fd, expected, slice_make(payload, (size_t)sizes[expected]));
        buffer_deinit(&out);
        close(fd);
    }
    harness_stop(1000);
}
END_TEST

/* Parked requests are completed in reverse; replies leave in order all the same. */
static void park_and_reverse(int16_t key)
{
    enum { COUNT = 50 };
    harness_init();
    harness_start(2);
    int fd = client_connect();
    for (int i = 0; i < COUNT; i++)
        client_request(fd, key, TOY_PARK, i, i % 2 ? "a" : "ab", hello);
    harness_wait_until(harness.n_parked == COUNT);
    uint8_t byte;
    for (int i = COUNT - 1; i > 0; i--)
        harness_complete(i);
    usleep(20000);
    ck_assert_int_lt(recv(fd, &byte, 1, MSG_DONTWAIT), 0);
    harness_complete(0);
    for (int i = 0; i < COUNT; i++)
        client_expect_echo(fd, i, hello);
    close(fd);
    harness_stop(1000);
}

START_TEST(request_parked_ones_reply_in_order)
{
    park_and_reverse(0);
}
END_TEST

START_TEST(request_parked_at_home_reply_in_order)
{
    park_and_reverse(1);
}
END_TEST

/* What one connection sends to one home loop arrives there in order. */
START_TEST(request_order_to_one_home)
{
    enum { COUNT = 2000 };
    harness_init();
    harness_start(2);
    int fd = client_connect();
    struct buffer out = BUFFER_NULL;
    for (int i = 0; i < COUNT; i++)
        frame_append_request(&out, 1, 0, TOY_NO_REPLY, i, "x", hello);
    frame_append_request(&out, 1, 0, TOY_DONE, COUNT, "x", hello);
    client_send(fd, out.data, out.size);
    client_expect_echo(fd, COUNT, hello);
    for (int i = 0; i <= COUNT; i++)
        ck_assert_int_eq(harness.order[i], i);
    buffer_deinit(&out);
    close(fd);
    harness_stop(1000);
}
END_TEST

START_TEST(request_close_comes_after_earlier_replies)
{
    harness_init();
    harness_start(2);
    int fd = client_connect();
    client_request(fd, 0, TOY_PARK, 0, "g", hello);
    client_request(fd, 0, TOY_CLOSE, 1, "g", hello);
    client_request(fd, 0, TOY_DONE, 2, "g", hello);
    harness_wait_until(harness.n_handled == 3);
    harness_complete(0);
    client_expect_echo(fd, 0, hello);
    ck_assert(client_at_end(fd));
    close(fd);
    harness_stop(1000);
}
END_TEST

/* Flexible versions: header 2 in, header 1 out. */
START_TEST(request_flexible_headers)
{
    harness_init();
    harness_start(1);
    int fd = client_connect();
    struct buffer out = BUFFER_NULL;
    frame_append_request(&out, 0, 1, TOY_DONE, 9, "g", hello);
    client_send(fd, out.data, out.size);
    static const uint8_t expected[] = {
        0, 0, 0, 15, 0, 0, 0, 9, 0 /* tags */, 0, 0, 0, 9, 6, 'h', 'e', 'l', 'l', 'o'};
    uint8_t got[sizeof(expected)];
    ck_assert(client_recv(fd, got, sizeof(got)));
    ck_assert_mem_eq(got, expected, sizeof(expected));
    buffer_deinit(&out);
    close(fd);
    harness_stop(1000);
}
END_TEST

START_TEST(request_unsupported_version_is_the_hooks)
{
    harness_init();
    harness_start(1);
    int fd = client_connect();
    struct buffer out = BUFFER_NULL;
    frame_append_request(&out, 0, 9, TOY_DONE, 4, "g", hello);
    client_send(fd, out.data, out.size);
    static const uint8_t expected[] = {0, 0, 0, 6, 0, 0, 0, 4, 0, 35};
    uint8_t got[sizeof(expected)];
    ck_assert(client_recv(fd, got, sizeof(got)));
    ck_assert_mem_eq(got, expected, sizeof(expected));
    client_request(fd, 0, TOY_DONE, 5, "g", hello); /* the connection goes on */
    client_expect_echo(fd, 5, hello);
    buffer_deinit(&out);
    close(fd);
    harness_stop(1000);
}
END_TEST

/* --- what is no request --- */

static void expect_refused(const void *bytes, size_t size)
{
    int fd = client_connect();
    client_request(fd, 0, TOY_DONE, 1, "g", hello); /* whose answer still comes */
    client_send(fd, bytes, size);
    client_expect_echo(fd, 1, hello);
    ck_assert(client_at_end(fd));
    close(fd);
}

START_TEST(request_bad_frames_close)
{
    static const char negative[] = "\xff\xff\xff\xff", zero[] = "\0\0\0\0";
    static const char oversize[] = "\x06\x40\0\1", short_header[] = "\0\0\0\3\0\0\0";
    static const char unknown_key[] = "\0\0\0\x0a\0\x63\0\0\0\0\0\1\xff\xff";
    static const char negative_key[] = "\0\0\0\x0a\xff\xff\0\0\0\0\0\1\xff\xff";
    static const char null_key[] = "\0\0\0\x0a\0\3\0\0\0\0\0\1\xff\xff";
    static const char codec_only[] = "\0\0\0\x0a\0\2\0\0\0\0\0\1\xff\xff";
    static const char version[] = "\0\0\0\x0a\0\0\0\3\0\0\0\1\xff\xff";
    static const char bad_client[] = "\0\0\0\x0a\0\0\0\0\0\0\0\1\x7f\xff";
    /* version 2: an array of 2^31 - 1 elements */
    static const char count[] = "\0\0\0\x1c\0\0\0\2\0\0\0\1\xff\xff\0"
                                "\0\0\0\0\0\0\0\1\0\xff\xff\xff\xff\x07\0\0\0";
    harness_init();
    harness_start(2);
#define REFUSED(bytes) expect_refused((bytes), sizeof(bytes) - 1)
    REFUSED(negative);
    REFUSED(zero);
    REFUSED(oversize);
    REFUSED(short_header);
    REFUSED(unknown_key);
    REFUSED(negative_key);
    REFUSED(null_key);
    REFUSED(codec_only);
    REFUSED(version);
    REFUSED(bad_client);
    REFUSED(count);
    harness_stop(1000);
}
END_TEST

/* Version 2's array takes 64 bytes per byte received. */
static void send_dense(int fd, int32_t number, size_t count, struct slice payload)
{
    struct writer writer = WRITER_NULL;
    struct request_header header = {
        .api_version = 2, .correlation_id = number, .client_id = SLICE_LIT("tester")};
    writer_int32(&writer, 0);
    header_encode_request(&writer, true, &header);
    writer_int32(&writer, TOY_PARK);
    writer_int32(&writer, number);
    writer_string(&writer, true, SLICE_LIT("g"));
    writer_array_count(&writer, true, (int32_t)count);
    for (size_t i = 0; i < count; i++)
        writer_int8(&writer, 0);
    writer_bytes(&writer, true, payload);
    bytes_put_u32(writer.buffer.data, (uint32_t)writer.buffer.size - 4);
    client_send(fd, writer.buffer.data, writer.buffer.size);
    writer_deinit(&writer);
}

/* What decoding takes is on the loop's budget, and at most twice what was sent plus 64 KiB. */
START_TEST(request_dense_ones_are_charged_or_refused)
{
    enum { COUNT = 2000, TOO_MANY = 3000 };
    static uint8_t payload[40000];
    harness_init();
    harness_start(1);
    int fd = client_connect();
    send_dense(fd, 1, COUNT, slice_make(payload, sizeof(payload)));
    while (harness.n_parked < 1)
        usleep(200);
    ck_assert_uint_ge(harness_memory_used(), COUNT * 64);
    harness_complete(1);
    uint8_t size[4];
    ck_assert(client_recv(fd, size, sizeof(size)));
    while (harness_memory_used() >= COUNT * 64)
        usleep(200);
    close(fd);
    /* 3000 * 64 bytes of 3000 that were sent. */
    fd = client_connect();
    send_dense(fd, 2, TOO_MANY, SLICE_NULL);
    ck_assert(!client_recv(fd, size, sizeof(size)));
    close(fd);
    harness_stop(1000);
}
END_TEST

/* librdkafka 2.0 does so; Kafka looks at no byte after the message. */
START_TEST(request_bytes_after_the_message_are_ignored)
{
    static const char trailing[] = "\0\0\0\x1e\0\0\0\0\0\0\0\1\xff\xff"
                                   "\0\0\0\0\0\0\0\1\xff\xff\0\0\0\5hello!";
    harness_init();
    harness_start(2);
    int fd = client_connect();
    client_send(fd, trailing, sizeof(trailing) - 1);
    client_expect_echo(fd, 1, hello);
    client_request(fd, 0, TOY_DONE, 2, "g", hello);
    client_expect_echo(fd, 2, hello);
    close(fd);
    harness_stop(1000);
}
END_TEST

START_TEST(request_http_is_told_where_it_is)
{
    harness_init();
    harness.config.http_address = "http://127.0.0.1:9644";
    harness_start(1);
    char text[1024] = {0};
    int fd = client_connect();
    static const char get[] = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    client_send(fd, get, sizeof(get) - 1);
    size_t size = 0;
    for (ssize_t n; (n = recv(fd, text + size, sizeof(text) - 1 - size, 0)) > 0;)
        size += (size_t)n;
    ck_assert_int_eq(strncmp(text, "HTTP/1.1 400 ", 13), 0);
    ck_assert_ptr_nonnull(strstr(text, "Kafka"));
    ck_assert_ptr_nonnull(strstr(text, "http://127.0.0.1:9644"));
    close(fd);
    fd = client_connect();
    client_send(fd, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc", 9);
    ck_assert(client_at_end(fd));
    close(fd);
    harness_stop(1000);
}
END_TEST

TEST_MAIN("net/request", request_one_byte_at_a_time, request_many_frames_at_once,
    request_random_splits, request_parked_ones_reply_in_order,
    request_parked_at_home_reply_in_order, request_order_to_one_home,
    request_close_comes_after_earlier_replies, request_flexible_headers,
    request_unsupported_version_is_the_hooks, request_bad_frames_close,
    request_dense_ones_are_charged_or_refused, request_bytes_after_the_message_are_ignored,
    request_http_is_told_where_it_is)
