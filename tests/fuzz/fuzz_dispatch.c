// SPDX-License-Identifier: BSD-2-Clause
/*
 * Any bytes as what a peer sends: a connection with the codec of every API, on two loops, under
 * tight limits. The first byte says how the rest goes in: as it is, or as one frame with a right
 * size, or in small pieces. What the handler does follows from the correlation id; it prints both
 * messages and answers with the defaults.
 *
 * Found are crashes, failed asserts, sanitizer reports and connections that never end.
 */
#include "base/bytes.h"
#include "base/log.h"
#include "net/net.h"
#include "wire/codec_messages.h"

#include <assert.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LOOPS = 2, KEYS_MAX = 128 };
enum fuzz_mode { FUZZ_FRAME = 1, FUZZ_PIECES = 2 };

static struct loop *loops[LOOPS];
static struct net *net;
static struct api apis[KEYS_MAX];
static const struct api *table[KEYS_MAX];

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* --- the broker's half --- */

static void fuzz_print(const struct request *req, const void *request, const void *response)
{
    struct buffer text = BUFFER_NULL;
    req->api->print_request(&text, req->version, request);
    req->api->print_response(&text, req->version, response);
    buffer_deinit(&text);
}

static enum handle_result fuzz_handle(struct request *req, const void *request, void *response)
{
    loop_assert_owner(req->home);
    fuzz_print(req, request, response);
    switch (req->correlation_id & 7) {
    case 4: req->on_cancel = request_complete; return HANDLE_PARKED;
    case 5: return HANDLE_NO_REPLY;
    case 6: return HANDLE_CLOSE;
    case 7: request_complete(req); return HANDLE_PARKED;
    default: return HANDLE_DONE;
    }
}

static struct loop *fuzz_home(void *context, struct slice group)
{
    (void)context;
    return loops[group.size % LOOPS];
}

static bool fuzz_unsupported(void *context, int16_t key, int16_t version, struct writer *ret_reply)
{
    (void)context;
    writer_int16(ret_reply, 35);
    return key == 18 && version > 0;
}

static void *fuzz_thread(void *arg)
{
    loop_run(arg);
    return NULL;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    struct net_config config = {
        .env = env_posix(),
        .loops = loops,
        .n_loops = LOOPS,
        .apis = table,
        .n_apis = KEYS_MAX,
        .request_size_max = 1 << 20,
        .memory_max = 1 << 17,
        .requests_in_flight_max = 4,
        .output_size_max = 1 << 15,
        .idle_ms_max = -1,
        .frame_ms_max = -1,
        .connections_max = 100,
        .connections_per_ip_max = 100,
        .send_buffer_size = -1,
        .receive_buffer_size = -1,
        .home_loop = fuzz_home,
        .unsupported = fuzz_unsupported,
    };
    log_set_level(LOG_ERROR);
    for (size_t i = 0; i < codec_apis_count; i++) {
        size_t key = (size_t)codec_apis[i]->key;
        assert(key < KEYS_MAX);
        apis[key] = *codec_apis[i];
        apis[key].handle = fuzz_handle;
        table[key] = &apis[key];
    }
    for (unsigned i = 0; i < LOOPS; i++) {
        pthread_t thread;
        loops[i] = loop_new(config.env, i);
        int r = pthread_create(&thread, NULL, fuzz_thread, loops[i]);
        assert(r == 0);
    }
    int r = net_start(&config, NULL, 0, NULL, &net);
    assert(r == 0);
    return 0;
}

/* --- the peer's half --- */

/* Sends what fits, shuts its side when all is sent; returns how much is sent. */
static size_t fuzz_send(int fd, const struct buffer *bytes, size_t sent, size_t piece)
{
    size_t size = bytes->size - sent;
    if (piece > 0 && size > piece)
        size = piece;
    ssize_t n = size == 0 ? 0 : send(fd, bytes->data + sent, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0)
        n = 0; /* full, or refused: the other half will tell */
    if (sent + (size_t)n == bytes->size)
        shutdown(fd, SHUT_WR);
    return sent + (size_t)n;
}

static void fuzz_connection(const struct buffer *bytes, size_t piece)
{
    static uint8_t replies[1 << 16];
    int pair[2];
    int r = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair);
    assert(r == 0);
    net_adopt(net, pair[0]);
    size_t sent = 0;
    bool done = false;
    for (;;) {
        if (!done) {
            sent = fuzz_send(pair[1], bytes, sent, piece);
            done = sent == bytes->size;
        }
        struct pollfd ready = {.fd = pair[1], .events = POLLIN};
        if (!done)
            ready.events = POLLIN | POLLOUT;
        poll(&ready, 1, -1);
        if ((ready.revents & (POLLIN | POLLHUP | POLLERR)) != 0 &&
            recv(pair[1], replies, sizeof(replies), 0) <= 0)
            break;
    }
    close(pair[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct buffer bytes = BUFFER_NULL;
    if ((data[0] & FUZZ_FRAME) != 0) {
        bytes_put_u32(buffer_reserve(&bytes, 4), (uint32_t)size - 1);
        bytes.size = 4;
    }
    buffer_append(&bytes, data + 1, size - 1);
    size_t piece = (data[0] & FUZZ_PIECES) != 0 ? 1 + (size_t)(data[0] >> 2) * 16 : 0;
    fuzz_connection(&bytes, piece);
    buffer_deinit(&bytes);
    return 0;
}
