// SPDX-License-Identifier: BSD-2-Clause
/*
 * broker_harness: stands in for net. It owns request_complete and request_watch_close, so test
 * programs that use it do not link net.
 */
#include "support/broker_harness.h"
#include "net/answer.h"

#include <assert.h>
#include <check.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <arpa/inet.h>
#include <time.h>
#include <unistd.h>
#include <ftw.h>

#include "api/api_table.h"
#include "base/log.h"
#include "broker/config/settings.h"
#include "loop/offload.h"

#define CALL_TIMEOUT_MS 10000

struct harness_call {
    struct request req;
    struct conn_info conn;
    struct harness *harness;
    struct loop_msg msg;
    enum handle_result result;
    bool done; /* guarded by the harness's mutex */
    bool cancelled;
    struct harness_call *next;
};

struct harness {
    struct env *env;
    struct env *memory; /* with log.dirs=memory:, kept over restarts */
    struct offload *offload;
    struct loop **loops;
    pthread_t *threads;
    unsigned loops_count;
    struct config *config;
    struct broker_settings *settings;
    struct broker *broker;
    char dir[64];
    struct arena arena;
    struct harness_call *calls;
    int addressed; /* virtual broker */
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool stepped; /* broker_start, broker_stop and harness_on_loop */
};

/* --- start and stop --- */

static void *harness_thread(void *arg)
{
    loop_run(arg);
    return NULL;
}

static void harness_signal(struct harness *harness, bool *flag)
{
    pthread_mutex_lock(&harness->mutex);
    *flag = true;
    pthread_cond_broadcast(&harness->changed);
    pthread_mutex_unlock(&harness->mutex);
}

static bool harness_await(struct harness *harness, const bool *flag, int timeout_ms)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += timeout_ms / 1000;
    until.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&harness->mutex);
    int error = 0;
    while (!*flag && error == 0)
        error = pthread_cond_timedwait(&harness->changed, &harness->mutex, &until);
    bool set = *flag;
    pthread_mutex_unlock(&harness->mutex);
    return set;
}

static void harness_on_step(void *ctx)
{
    struct harness *harness = ctx;
    harness_signal(harness, &harness->stepped);
}

static void harness_await_step(struct harness *harness)
{
    ck_assert_msg(harness_await(harness, &harness->stepped, CALL_TIMEOUT_MS), "no end of waiting");
    harness->stepped = false;
}

static void harness_override(struct harness *harness, const char *pair)
{
    const char *equals = strchr(pair, '=');
    ck_assert_ptr_nonnull(equals);
    config_set(harness->config, slice_make(pair, (size_t)(equals - pair)),
        slice_from_str(equals + 1), CONFIG_FROM_OVERRIDE, "test");
}

static void harness_start(struct harness *harness)
{
    struct buffer problem = BUFFER_NULL;
    bool fine = config_check(harness->config, &problem) &&
                settings_new(harness->config, &problem, &harness->settings) == 0;
    ck_assert_msg(fine, "%.*s", SLICE_FMT(buffer_slice(&problem)));
    if (harness->settings->ephemeral && harness->memory == NULL)
        harness->env = harness->memory = env_memory_new(env_posix());
    harness->offload = offload_new(2);
    for (unsigned i = 0; i < harness->loops_count; i++)
        harness->loops[i] = loop_new(harness->env, i);
    struct broker_params params = {
        .env = harness->env,
        .offload = harness->offload,
        .loops = harness->loops,
        .loops_count = harness->loops_count,
        .config = harness->config,
        .settings = harness->settings,
        .data_dir = harness->dir,
    };
    ck_assert_int_eq(broker_new(&params, &harness->broker), 0);
    for (unsigned i = 0; i < harness->loops_count; i++) {
        int error = pthread_create(&harness->threads[i], NULL, harness_thread, harness->loops[i]);
        ck_assert_int_eq(error, 0);
    }
    broker_start(harness->broker, harness_on_step, harness);
    harness_await_step(harness);
}

static void harness_stop(struct harness *harness)
{
    broker_stop(harness->broker, harness_on_step, harness);
    harness_await_step(harness);
    for (unsigned i = 0; i < harness->loops_count; i++) {
        loop_stop(harness->loops[i]);
        pthread_join(harness->threads[i], NULL);
    }
    offload_free(harness->offload);
    broker_free(harness->broker);
    for (unsigned i = 0; i < harness->loops_count; i++)
        loop_free(harness->loops[i]);
    settings_put(harness->settings);
}

struct harness *harness_new(unsigned loops, ...)
{
    struct harness *harness = xnew(struct harness);
    const char *pair, *level = getenv("HARNESS_LOG");
    enum log_level threshold = LOG_ERROR;
    if (level != NULL && !log_level_from_name(level, &threshold))
        threshold = LOG_DEBUG;
    log_set_level(threshold);
    pthread_mutex_init(&harness->mutex, NULL);
    pthread_cond_init(&harness->changed, NULL);
    arena_init(&harness->arena, SIZE_MAX);
    harness->env = env_posix();
    harness->loops_count = loops;
    harness->loops = xnew_n(struct loop *, loops);
    harness->threads = xnew_n(pthread_t, loops);
    harness->config = config_new();
    snprintf(harness->dir, sizeof(harness->dir), "/tmp/odradek-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(harness->dir));
    if (getenv("HARNESS_ENGINE_DELAY") != NULL) { /* the whole suite, once more, on a late engine */
        harness_override(harness, "odradek.engine=delay");
        harness_override(harness, "odradek.engine.delay.max.ms=5");
    }
    va_list overrides;
    va_start(overrides, loops);
    while ((pair = va_arg(overrides, const char *)) != NULL)
        harness_override(harness, pair);
    va_end(overrides);
    harness_start(harness);
    return harness;
}

void harness_restart(struct harness *harness, ...)
{
    const char *pair;
    va_list overrides;
    harness_forget(harness);
    harness_stop(harness);
    va_start(overrides, harness);
    while ((pair = va_arg(overrides, const char *)) != NULL)
        harness_override(harness, pair);
    va_end(overrides);
    harness_start(harness);
}

static int remove_entry(const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
    (void)stat;
    (void)type;
    (void)ftw;
    return remove(path);
}

void harness_free(struct harness *harness)
{
    harness_forget(harness);
    harness_stop(harness);
    nftw(harness->dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    if (harness->memory != NULL)
        env_memory_free(harness->memory);
    config_free(harness->config);
    arena_deinit(&harness->arena);
    pthread_mutex_destroy(&harness->mutex);
    pthread_cond_destroy(&harness->changed);
    free(harness->loops);
    free(harness->threads);
    free(harness);
}

struct broker *harness_broker(struct harness *harness)
{
    return harness->broker;
}

struct arena *harness_arena(struct harness *harness)
{
    return &harness->arena;
}

const char *harness_dir(struct harness *harness)
{
    return harness->dir;
}

/* --- calls --- */

void *harness_request(struct harness *harness, const struct api *codec)
{
    void *message = arena_xalloc_n(&harness->arena, 1, codec->request_size);
    codec->init_request(message);
    return message;
}

static void call_finish(struct harness_call *call, enum handle_result result)
{
    call->result = result;
    harness_signal(call->harness, &call->done);
}

static void call_on_complete(struct loop_msg *msg)
{
    struct harness_call *call = container_of(msg, struct harness_call, msg);
    call_finish(call, call->req.close      ? HANDLE_CLOSE
                      : call->req.no_reply ? HANDLE_NO_REPLY
                                           : HANDLE_DONE);
}

/* Net's part. */
void request_complete(struct request *req)
{
    struct harness_call *call = container_of(req, struct harness_call, req);
    loop_post(req->loop, &call->msg, call_on_complete);
}

void request_watch_close(struct request *req)
{
    (void)req; /* harness_close_conn tells the broker of every connection */
}

/* As a client would see it. */
void request_answer(struct request *req, struct slice body)
{
    struct reader reader = reader_make(body);
    ck_assert(req->api->decode_response(&reader, req->version, &req->arena, req->response));
}

static void call_run(struct loop_msg *msg)
{
    struct harness_call *call = container_of(msg, struct harness_call, msg);
    struct request *req = &call->req;
    enum handle_result result = req->api->handle(req, req->message, req->response);
    if (result != HANDLE_PARKED)
        call_finish(call, result);
}

static void call_dispatch(struct loop_msg *msg)
{
    struct harness_call *call = container_of(msg, struct harness_call, msg);
    struct request *req = &call->req;
    if (req->api->home != NULL)
        req->home = broker_group_home(call->harness->broker, req->api->home(req->message));
    if (req->home == req->loop)
        call_run(msg);
    else
        loop_post(req->home, msg, call_run);
}

struct harness_call *harness_send(struct harness *harness, const struct api *codec, int16_t version,
    const void *request, uint64_t conn)
{
    struct harness_call *call = xnew(struct harness_call);
    struct sockaddr_in *local = (struct sockaddr_in *)&call->conn.local;
    ck_assert((size_t)codec->key < api_table_count && api_table[codec->key] != NULL);
    call->harness = harness;
    call->conn.id = conn;
    call->conn.listener = "PLAINTEXT";
    call->conn.context = harness->broker;
    call->conn.tag = harness->addressed;
    snprintf(call->conn.peer_host, sizeof(call->conn.peer_host), "127.0.0.1");
    *local = (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(9092), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    call->conn.peer = call->conn.local;
    arena_init(&call->req.arena, SIZE_MAX);
    call->req.api = api_table[codec->key];
    call->req.version = version;
    call->req.client_id = SLICE_LIT("harness");
    call->req.conn = &call->conn;
    call->req.message = (void *)request;
    call->req.response = arena_xalloc_n(&call->req.arena, 1, codec->response_size);
    codec->init_response(call->req.response);
    call->req.loop = call->req.home = harness->loops[conn % harness->loops_count];
    call->req.received_ms = env_monotonic_ms(harness->env);
    call->next = harness->calls;
    harness->calls = call;
    loop_post(call->req.loop, &call->msg, call_dispatch);
    return call;
}

void harness_address(struct harness *harness, int broker)
{
    harness->addressed = broker;
}

bool harness_call_done(struct harness_call *call)
{
    return harness_await(call->harness, &call->done, 0);
}

const void *harness_wait(struct harness_call *call, int timeout_ms)
{
    return harness_await(call->harness, &call->done, timeout_ms) ? call->req.response : NULL;
}

enum handle_result harness_result(struct harness_call *call)
{
    ck_assert(harness_call_done(call));
    return call->result;
}

const void *harness_call(
    struct harness *harness, const struct api *codec, int16_t version, const void *request)
{
    struct harness_call *call = harness_send(harness, codec, version, request, 1);
    ck_assert_msg(harness_wait(call, CALL_TIMEOUT_MS) != NULL, "%s: no answer", codec->name);
    ck_assert_int_eq(call->result, HANDLE_DONE);
    return call->req.response;
}

static void call_cancel(void *ctx)
{
    struct harness_call *call = ctx;
    pthread_mutex_lock(&call->harness->mutex);
    bool parked = !call->done;
    pthread_mutex_unlock(&call->harness->mutex);
    if (parked && !call->cancelled && call->req.on_cancel != NULL)
        call->req.on_cancel(&call->req);
    call->cancelled = true;
}

static void conn_closed(void *ctx)
{
    struct harness_call *call = ctx;
    broker_on_conn_close(call->harness->broker, call->conn.id);
}

void harness_close_conn(struct harness *harness, uint64_t conn)
{
    unsigned loop = (unsigned)(conn % harness->loops_count);
    struct harness_call *any = NULL;
    for (struct harness_call *call = harness->calls; call != NULL; call = call->next) {
        if (call->conn.id != conn)
            continue;
        any = call;
        harness_on_loop(harness, loop, call_cancel, call);
    }
    if (any != NULL)
        harness_on_loop(harness, loop, conn_closed, any);
}

void harness_forget(struct harness *harness)
{
    while (harness->calls != NULL) {
        struct harness_call *call = harness->calls;
        ck_assert_msg(
            harness_wait(call, CALL_TIMEOUT_MS) != NULL, "%s: never answered", call->req.api->name);
        harness->calls = call->next;
        arena_deinit(&call->req.arena);
        free(call);
    }
    arena_reset(&harness->arena);
}

struct loop_errand {
    struct loop_msg msg;
    struct harness *harness;
    void (*fn)(void *ctx);
    void *ctx;
};

static void errand_run(struct loop_msg *msg)
{
    struct loop_errand *errand = container_of(msg, struct loop_errand, msg);
    errand->fn(errand->ctx);
    harness_signal(errand->harness, &errand->harness->stepped);
}

void harness_on_loop(struct harness *harness, unsigned loop, void (*fn)(void *ctx), void *ctx)
{
    struct loop_errand errand = {.harness = harness, .fn = fn, .ctx = ctx};
    loop_post(harness->loops[loop], &errand.msg, errand_run);
    harness_await_step(harness);
}
