// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * harness: net on loops of its own with a table of toy APIs, and a blocking client. The toy APIs
 * echo a payload; `action` in the request says how the handler ends it. Parked requests are listed
 * in `parked` and completed by the test with harness_complete.
 */
#include "base/bytes.h"
#include "base/log.h"
#include "net/net.h"
#include "net/net_internal.h"
#include "wire/header.h"
#include "../loop/loops.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <semaphore.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- the toy APIs: 0 "Echo" on the connection's loop, 1 "HomeEcho" on the group's, 2 codec only
 * --- */

enum toy_action {
    TOY_DONE,
    TOY_PARK,        /* until harness_complete */
    TOY_PARK_CANCEL, /* same, and completes itself when it is cancelled */
    TOY_PARK_DONE,   /* parks, having called request_complete */
    TOY_NO_REPLY,
    TOY_CLOSE,
    TOY_SPLICE, /* answers `number` bytes of a file */
    TOY_WATCH,  /* done, and wants to know when the connection ends */
};

struct toy_request {
    int32_t action, number;
    struct slice group, payload;
};

struct toy_response {
    int32_t number;
    struct records records;
};

enum { PARKED_MAX = 512 };

static struct harness {
    struct loops loops;
    struct net *net;
    uint16_t port;
    struct net_config config;

    pthread_mutex_t lock;
    struct request *parked[PARKED_MAX]; /* by number */
    _Atomic int n_parked, n_cancelled, n_handled, n_conn_closed;
    int order[1 << 16]; /* numbers in the order of the handler's calls; locked */
    int file_fd;        /* bytes of TOY_SPLICE */
    struct ref file_ref;
    _Atomic int n_file_freed;
} harness = {.lock = PTHREAD_MUTEX_INITIALIZER};

enum { TOY_FILE_SIZE = 8 * 1024 * 1024 };

static inline uint8_t toy_file_byte(size_t pos)
{
    return (uint8_t)(pos * 7 + pos / 251);
}

static inline bool toy_decode(
    struct reader *reader, int16_t version, struct arena *arena, void *message)
{
    struct toy_request *request = message;
    bool flexible = version >= 1;
    request->action = reader_int32(reader);
    request->number = reader_int32(reader);
    request->group = reader_string(reader, flexible, true);
    int32_t count;
    if (version >= 2) { /* an array, so that counts can lie */
        reader_array(reader, flexible, true, 1, 64, arena, &count);
        reader_take(reader, count < 0 ? 0 : (size_t)count);
    }
    request->payload = reader_bytes(reader, flexible, true);
    reader_finish(reader);
    return reader_ok(reader);
}

static inline void toy_encode(struct writer *writer, int16_t version, const void *message)
{
    const struct toy_response *response = message;
    writer_int32(writer, response->number);
    writer_records(writer, version >= 1, &response->records);
    if (response->records.chunks_count > 0)
        writer_int32(writer, 77); /* bytes after a splice */
}

static inline void toy_init(void *message)
{
    (void)message;
}

static inline void toy_print(struct buffer *buffer, int16_t version, const void *message)
{
    (void)message;
    buffer_printf(buffer, "toy version %d", version);
}

static inline void toy_file_freed(struct ref *ref)
{
    (void)ref;
    harness.n_file_freed++;
}

static inline void toy_splice(struct request *req, struct toy_response *response, int32_t size)
{
    struct chunk *chunks = arena_new_n(&req->arena, struct chunk, 3);
    uint32_t half = (uint32_t)size / 2;
    chunks[0] = (struct chunk){.fd = harness.file_fd, .pos = 0, .size = half};
    chunks[1] = (struct chunk){.data = (const uint8_t *)"middle", .fd = -1, .size = 6};
    chunks[2] = (struct chunk){.fd = harness.file_fd, .pos = half, .size = (uint32_t)size - half};
    for (int i = 0; i < 3; i++)
        chunks[i].owner = ref_get(&harness.file_ref);
    response->records = (struct records){.chunks = chunks, .chunks_count = 3};
}

static inline void toy_on_cancel(struct request *req)
{
    const struct toy_request *request = req->message;
    loop_assert_owner(req->home);
    harness.n_cancelled++;
    if (request->action == TOY_PARK_CANCEL)
        request_complete(req);
}

static inline void toy_park(struct request *req, const struct toy_request *request)
{
    req->on_cancel = toy_on_cancel;
    pthread_mutex_lock(&harness.lock);
    if (request->action == TOY_PARK)
        harness.parked[request->number] = req;
    pthread_mutex_unlock(&harness.lock);
    harness.n_parked++;
}

static inline enum handle_result toy_handle(struct request *req, const void *message, void *answer)
{
    const struct toy_request *request = message;
    struct toy_response *response = answer;
    loop_assert_owner(req->home);
    ck_assert_ptr_eq(loop_current(), req->home);
    response->number = request->number;
    response->records = (struct records){.bytes = request->payload};
    pthread_mutex_lock(&harness.lock);
    harness.order[harness.n_handled++] = request->number;
    pthread_mutex_unlock(&harness.lock);
    switch ((enum toy_action)request->action) {
    case TOY_DONE: return HANDLE_DONE;
    case TOY_PARK:
    case TOY_PARK_CANCEL: toy_park(req, request); return HANDLE_PARKED;
    case TOY_PARK_DONE: request_complete(req); return HANDLE_PARKED;
    case TOY_NO_REPLY: return HANDLE_NO_REPLY;
    case TOY_CLOSE: return HANDLE_CLOSE;
    case TOY_SPLICE: toy_splice(req, response, request->number); return HANDLE_DONE;
    case TOY_WATCH: request_watch_close(req); return HANDLE_DONE;
    }
    return HANDLE_CLOSE;
}

static inline struct slice toy_home(const void *message)
{
    return ((const struct toy_request *)message)->group;
}

#define TOY_API                                                                               \
    .version_min = 0, .version_max = 2, .flexible_since = 1,                                  \
    .request_size = sizeof(struct toy_request), .response_size = sizeof(struct toy_response), \
    .decode_request = toy_decode, .encode_response = toy_encode, .init_request = toy_init,    \
    .init_response = toy_init, .print_request = toy_print, .print_response = toy_print

static const struct api toy_echo = {.name = "Echo", .key = 0, TOY_API, .handle = toy_handle};
static const struct api toy_home_echo = {
    .name = "HomeEcho", .key = 1, TOY_API, .home = toy_home, .handle = toy_handle};
static const struct api toy_codec_only = {.name = "CodecOnly", .key = 2, TOY_API};
static const struct api *const toy_apis[] = {&toy_echo, &toy_home_echo, &toy_codec_only, NULL};

/* --- start and stop --- */

static inline struct loop *harness_home(void *context, struct slice group)
{
    (void)context;
    return harness.loops.loop[group.size % harness.loops.count];
}

/* Answers version 9 of key 0, as ApiVersions does. */
static inline bool harness_unsupported(
    void *context, int16_t key, int16_t version, struct writer *ret_reply)
{
    (void)context;
    if (key != 0 || version != 9)
        return false;
    writer_int16(ret_reply, 35);
    return true;
}

static inline void harness_on_conn_close(void *context, const struct conn_info *conn)
{
    (void)context;
    ck_assert_uint_gt(conn->id, 0);
    harness.n_conn_closed++;
}

/* Tests may change harness.config between init and start. */
static inline void harness_init(void)
{
    log_set_level(getenv("TEST_LOG") != NULL ? LOG_DEBUG : LOG_ERROR);
    harness.config = (struct net_config){
        .env = env_posix(),
        .apis = toy_apis,
        .n_apis = ARRAY_COUNT(toy_apis),
        .request_size_max = 100 * 1024 * 1024,
        .memory_max = SIZE_MAX,
        .requests_in_flight_max = 100,
        .output_size_max = 1024 * 1024,
        .idle_ms_max = -1,
        .frame_ms_max = -1,
        .connections_max = 1000,
        .connections_per_ip_max = 1000,
        .send_buffer_size = -1,
        .receive_buffer_size = -1,
        .home_loop = harness_home,
        .unsupported = harness_unsupported,
        .on_conn_close = harness_on_conn_close,
    };
}

static inline void harness_make_file(void)
{
    uint8_t *bytes = xmalloc(TOY_FILE_SIZE);
    for (size_t i = 0; i < TOY_FILE_SIZE; i++)
        bytes[i] = toy_file_byte(i);
    harness.file_fd = memfd_create("toy", MFD_CLOEXEC);
    ck_assert_int_eq(write(harness.file_fd, bytes, TOY_FILE_SIZE), TOY_FILE_SIZE);
    free(bytes);
    ref_init(&harness.file_ref, toy_file_freed);
}

static inline void harness_start(unsigned n_loops)
{
    harness_make_file();
    loops_start(&harness.loops, n_loops);
    harness.config.loops = harness.loops.loop;
    harness.config.n_loops = n_loops;
    struct net_listener_config listener = {.name = "PLAINTEXT", .host = "127.0.0.1"};
    ck_assert_int_eq(net_start(&harness.config, &listener, 1, &harness.port, &harness.net), 0);
    ck_assert_uint_gt(harness.port, 0);
}

/* Checks that nothing is left: requests, budget, references to the file. */
static inline void harness_stop(int64_t grace_ms)
{
    net_stop(harness.net, grace_ms);
    struct net_stats stats;
    net_get_stats(harness.net, &stats);
    ck_assert_uint_eq(stats.connections, 0);
    net_free(harness.net);
    loops_join(&harness.loops);
    loops_free(&harness.loops);
    ck_assert_uint_eq(ref_count(&harness.file_ref), 1);
    close(harness.file_fd);
}

#define harness_wait_until(condition)                                         \
    do {                                                                      \
        for (int wait_i_ = 0; !(condition); wait_i_++) {                      \
            ck_assert_msg(wait_i_ < 20000, "waited in vain for " #condition); \
            usleep(500);                                                      \
        }                                                                     \
    } while (0)

/* Called from the test's thread, which is a foreign one for the loops. */
static inline void harness_complete(int number)
{
    pthread_mutex_lock(&harness.lock);
    struct request *req = harness.parked[number];
    harness.parked[number] = NULL;
    pthread_mutex_unlock(&harness.lock);
    ck_assert_ptr_nonnull(req);
    request_complete(req);
}

/* Runs fn on a loop and waits for it. */
struct harness_call {
    struct loop_msg msg;
    void (*fn)(void *arg);
    void *arg;
    sem_t done;
};

static inline void harness_on_call(struct loop_msg *msg)
{
    struct harness_call *call = container_of(msg, struct harness_call, msg);
    call->fn(call->arg);
    sem_post(&call->done);
}

static inline void harness_call(struct loop *loop, void (*fn)(void *arg), void *arg)
{
    struct harness_call call = {.fn = fn, .arg = arg};
    sem_init(&call.done, 0, 0);
    loop_post(loop, &call.msg, harness_on_call);
    sem_wait(&call.done);
    sem_destroy(&call.done);
}

static inline void harness_read_memory(void *arg)
{
    *(size_t *)arg = harness.net->net_loops[loop_index(loop_current())].memory_used;
}

/* Bytes on the first loop's budget. */
static inline size_t harness_memory_used(void)
{
    size_t used;
    harness_call(harness.loops.loop[0], harness_read_memory, &used);
    return used;
}

static inline uint64_t harness_connections(void)
{
    struct net_stats stats;
    net_get_stats(harness.net, &stats);
    return stats.connections;
}

/* --- the client --- */

static inline int client_connect_buffers(int receive_size)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
        .sin_port = htons(harness.port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval patience = {.tv_sec = 20};
    int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (receive_size > 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_size, sizeof(receive_size));
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static inline int client_connect(void)
{
    return client_connect_buffers(0);
}

static inline void client_send(int fd, const void *data, size_t size)
{
    const uint8_t *at = data;
    while (size > 0) {
        ssize_t n = send(fd, at, size, MSG_NOSIGNAL);
        ck_assert_msg(n > 0, "send: %s", strerror(errno));
        at += n;
        size -= (size_t)n;
    }
}

static inline bool client_recv(int fd, void *data, size_t size)
{
    uint8_t *at = data;
    while (size > 0) {
        ssize_t n = recv(fd, at, size, 0);
        ck_assert_msg(n >= 0 || errno == ECONNRESET, "recv: %s", strerror(errno));
        if (n <= 0)
            return false;
        at += n;
        size -= (size_t)n;
    }
    return true;
}

static inline bool client_at_end(int fd)
{
    uint8_t byte;
    return !client_recv(fd, &byte, 1);
}

/* Appends a frame; correlation id = number. */
static inline void frame_append_request(struct buffer *out, int16_t key, int16_t version,
    enum toy_action action, int32_t number, const char *group, struct slice payload)
{
    struct writer writer = WRITER_NULL;
    struct request_header header = {.api_key = key,
        .api_version = version,
        .correlation_id = number,
        .client_id = SLICE_LIT("tester")};
    writer_int32(&writer, 0);
    header_encode_request(&writer, version >= 1, &header);
    writer_int32(&writer, (int32_t)action);
    writer_int32(&writer, number);
    writer_string(&writer, version >= 1, slice_from_str(group));
    if (version >= 2)
        writer_array_count(&writer, true, 0);
    writer_bytes(&writer, version >= 1, payload);
    bytes_put_u32(writer.buffer.data, (uint32_t)writer.buffer.size - 4);
    buffer_append_slice(out, buffer_slice(&writer.buffer));
    writer_deinit(&writer);
}

static inline void client_request(int fd, int16_t key, enum toy_action action, int32_t number,
    const char *group, struct slice payload)
{
    struct buffer out = BUFFER_NULL;
    frame_append_request(&out, key, 0, action, number, group, payload);
    client_send(fd, out.data, out.size);
    buffer_deinit(&out);
}

/* The next reply (version 0); false at the end of the connection. Caller frees *ret_body. */
static inline bool client_reply(
    int fd, int32_t *ret_correlation, uint8_t **ret_body, size_t *ret_size)
{
    uint8_t head[8];
    if (!client_recv(fd, head, sizeof(head)))
        return false;
    uint32_t size = bytes_get_u32(head);
    ck_assert_uint_ge(size, 4);
    *ret_correlation = (int32_t)bytes_get_u32(head + 4);
    *ret_size = size - 4;
    *ret_body = xmalloc(*ret_size);
    return client_recv(fd, *ret_body, *ret_size);
}

/* The next reply must be the echo of `payload` with this number. */
static inline void client_expect_echo(int fd, int32_t number, struct slice payload)
{
    int32_t correlation;
    uint8_t *body;
    size_t size;
    ck_assert(client_reply(fd, &correlation, &body, &size));
    ck_assert_int_eq(correlation, number);
    ck_assert_uint_eq(size, 8 + payload.size);
    ck_assert_int_eq((int32_t)bytes_get_u32(body), number);
    ck_assert_int_eq((int32_t)bytes_get_u32(body + 4), (int32_t)payload.size);
    if (payload.size > 0)
        ck_assert_mem_eq(body + 8, payload.data, payload.size);
    free(body);
}
