// SPDX-License-Identifier: BSD-2-Clause
/*
 * A log owns a loop on a thread, a small offload pool and a local engine with one part. A call from
 * outside is a struct on the caller's stack: it is posted to the loop, done there, and the caller
 * sleeps on a condition variable until it is answered. The high watermark is copied out under the
 * same mutex, so that readers wait for more without asking the loop.
 */
#include "store/odradek_log.h"

#include "base/error.h"
#include "loop/offload.h"
#include "store/batch/batch_builder.h"
#include "store/odradek_log_internal.h"

#include <assert.h>
#include <errno.h>
#include <time.h>

#define LOG_LABEL           "log-0"
#define LOG_SEGMENT_SIZE    (1U << 30)
#define LOG_SEGMENT_MS      INT64_C(604800000) /* a week */
#define LOG_INDEX_INTERVAL  4096
#define LOG_INDEX_SIZE_MAX  (10U << 20)
#define LOG_RETENTION_MS    300000      /* between looks */
#define LOG_SPACE_RESERVE   (64U << 20) /* bytes that stay free on the disk */
#define LOG_FILES_OPEN_MAX  64
#define LOG_POOL_THREADS    2
#define LOG_APPEND_SIZE_MAX (256U << 20)

/* --- calls --- */

void log_answer(struct log_call *call, enum engine_status status)
{
    struct odradek_log *log = call->log;
    pthread_mutex_lock(&log->mutex);
    call->status = status;
    call->done = true;
    pthread_cond_broadcast(&log->changed);
    pthread_mutex_unlock(&log->mutex);
}

void log_call(struct odradek_log *log, struct log_call *call, void (*fn)(struct loop_msg *))
{
    call->log = log;
    loop_post(log->loop, &call->msg, fn);
    pthread_mutex_lock(&log->mutex);
    while (!call->done)
        pthread_cond_wait(&log->changed, &log->mutex);
    pthread_mutex_unlock(&log->mutex);
}

int log_result(enum engine_status status)
{
    switch (status) {
    case ENGINE_OK: return 0;
    case ENGINE_STORAGE: return ODRADEK_FULL;
    case ENGINE_OUT_OF_RANGE: return ODRADEK_OUT_OF_RANGE;
    case ENGINE_CORRUPT: return ODRADEK_CORRUPT;
    case ENGINE_BUSY: return -EAGAIN;
    case ENGINE_NOT_OWNER: return -EIO; /* a failed sync: nobody knows what is on the medium */
    case ENGINE_PENDING: break;
    }
    assert(false);
    return -EIO;
}

static void log_on_called(struct engine_call *call, enum engine_status status)
{
    log_answer(container_of(call, struct log_call, call), status);
}

/* --- the sink --- */

static void log_set_state(struct odradek_log *log, int state)
{
    struct part_state part;
    log->engine->ops->part_get_state(log->part, &part);
    pthread_mutex_lock(&log->mutex);
    log->log_start = part.log_start;
    log->log_end = part.high_watermark;
    log->state = state;
    pthread_cond_broadcast(&log->changed);
    pthread_mutex_unlock(&log->mutex);
}

static void log_on_acquired(void *ctx, struct part *part, int32_t leader_epoch)
{
    (void)part;
    (void)leader_epoch;
    log_set_state(ctx, 0);
}

static void log_on_lost(void *ctx, struct part *part)
{
    (void)ctx;
    (void)part; /* on_acquired follows and has the new end */
}

static void log_on_moved(void *ctx, struct part *part, int64_t offset)
{
    (void)part;
    (void)offset;
    log_set_state(ctx, 0);
}

static void log_on_failed(void *ctx, struct part *part, int error)
{
    (void)part;
    log_set_state(ctx, error);
}

static const struct engine_sink log_sink = {
    .on_acquired = log_on_acquired,
    .on_lost = log_on_lost,
    .on_committed = log_on_moved,
    .on_log_start = log_on_moved,
    .on_failed = log_on_failed,
};

/* --- open and close --- */

struct log_opening {
    struct loop_msg msg;
    struct odradek_log *log;
    struct part_config config;
};

static void log_on_open(struct loop_msg *msg)
{
    struct log_opening *opening = container_of(msg, struct log_opening, msg);
    struct odradek_log *log = opening->log;
    /* The same for every log: a directory may be moved and is still recognised. */
    struct part_id id = {.topic_id = {{'o', 'd', 'r', 'a', 'd', 'e', 'k', '-', 'l', 'o', 'g'}}};
    log->part = log->engine->ops->part_open(
        log->engine, log->loop, &id, LOG_LABEL, false, &opening->config, &log_sink, log);
}

static void *log_thread(void *arg)
{
    struct odradek_log *log = arg;
    loop_run(log->loop);
    return NULL;
}

static struct part_config log_config(const struct odradek_log_options *options)
{
    return (struct part_config){
        .segment_size_max =
            options->segment_size_max > 0 ? options->segment_size_max : LOG_SEGMENT_SIZE,
        .segment_ms_max = LOG_SEGMENT_MS,
        .retention_ms = options->retention_ms > 0 ? options->retention_ms : -1,
        .retention_size = options->retention_size > 0 ? options->retention_size : -1,
        .index_interval_size = LOG_INDEX_INTERVAL,
        .index_size_max = LOG_INDEX_SIZE_MAX,
        .flush_messages = INT64_MAX,
        .flush_ms = INT64_MAX,
        .cleanup_delete = true,
    };
}

/* Everything but the part. */
static int log_start(struct odradek_log *log, const char *dir)
{
    int r = log->env->ops->dir_make(log->env, dir);
    if (r < 0 && r != -EEXIST)
        return r;
    log->loop = loop_new(log->env, 0);
    if (log->loop == NULL)
        return -ENOMEM;
    log->offload = offload_new(LOG_POOL_THREADS);
    struct engine_local_config config = {
        .env = log->env,
        .offload = log->offload,
        .loops = &log->loop,
        .n_loops = 1,
        .dir = dir,
        .files_open_max = LOG_FILES_OPEN_MAX,
        .space_reserve = LOG_SPACE_RESERVE,
        .retention_check_ms = LOG_RETENTION_MS,
        .sync_all = true,
    };
    r = engine_local_new(&config, &log->engine);
    if (r < 0)
        return r;
    r = pthread_create(&log->thread, NULL, log_thread, log);
    log->running = r == 0;
    return -r;
}

int odradek_log_open(
    const char *dir, const struct odradek_log_options *options, struct odradek_log **ret_log)
{
    static const struct odradek_log_options defaults;
    struct odradek_log *log = xnew(struct odradek_log);
    options = options == NULL ? &defaults : options;
    pthread_mutex_init(&log->mutex, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&log->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    log->memory = options->in_memory != 0 ? env_memory_new(env_posix()) : NULL;
    log->env = log->memory != NULL ? log->memory : env_posix();
    int r = log_start(log, dir);
    if (r == 0) {
        struct log_opening opening = {.log = log, .config = log_config(options)};
        log->state = 1;
        loop_post(log->loop, &opening.msg, log_on_open);
        pthread_mutex_lock(&log->mutex);
        while (log->state > 0)
            pthread_cond_wait(&log->changed, &log->mutex);
        r = log->state;
        pthread_mutex_unlock(&log->mutex);
    }
    if (r < 0) {
        odradek_log_close(log);
        return error_trace(r);
    }
    *ret_log = log;
    return 0;
}

static void log_on_close(struct loop_msg *msg)
{
    struct log_call *call = container_of(msg, struct log_call, msg);
    call->call.done = log_on_called;
    call->log->engine->ops->part_close(call->log->part, &call->call);
}

void odradek_log_close(struct odradek_log *log)
{
    if (log == NULL)
        return;
    if (log->running) {
        struct log_call call = {0};
        log_call(log, &call, log_on_close);
        loop_stop(log->loop);
        pthread_join(log->thread, NULL);
    }
    offload_free(log->offload);
    if (log->engine != NULL)
        log->engine->ops->free(log->engine);
    loop_free(log->loop);
    env_memory_free(log->memory);
    pthread_cond_destroy(&log->changed);
    pthread_mutex_destroy(&log->mutex);
    free(log);
}

/* --- append --- */

static struct slice log_slice(struct odradek_bytes bytes)
{
    return slice_make(bytes.data, bytes.size);
}

static void log_build_record(
    struct batch_builder *builder, const struct odradek_record *record, int64_t now_ms)
{
    struct record_header *headers = xnew_n(struct record_header, record->n_headers);
    for (size_t i = 0; i < record->n_headers; i++) {
        headers[i].key = log_slice(record->headers[i].key);
        headers[i].value = log_slice(record->headers[i].value);
    }
    struct batch_record built = {
        .timestamp_ms = record->timestamp_ms != 0 ? record->timestamp_ms : now_ms,
        .key = log_slice(record->key),
        .value = log_slice(record->value),
        .headers = headers,
        .n_headers = record->n_headers,
    };
    batch_builder_append(builder, &built);
    free(headers);
}

/* An upper bound of what the records take. */
static bool log_fits(const struct odradek_record *records, size_t n)
{
    size_t left = LOG_APPEND_SIZE_MAX;
    for (size_t i = 0; i < n; i++) {
        size_t parts = 2 + 2 * records[i].n_headers;
        for (size_t part = 0; part < parts; part++) {
            size_t at = (part - 2) / 2;
            size_t size = part == 0   ? records[i].key.size
                          : part == 1 ? records[i].value.size
                          : part % 2  ? records[i].headers[at].value.size
                                      : records[i].headers[at].key.size;
            if (size > left || left - size < 64)
                return false;
            left -= size + 16;
        }
    }
    return n > 0 && n <= INT32_MAX;
}

static void log_on_appended(struct engine_append *append, enum engine_status status)
{
    log_answer(container_of(append, struct log_call, append), status);
}

static void log_on_append(struct loop_msg *msg)
{
    struct log_call *call = container_of(msg, struct log_call, msg);
    call->append.done = log_on_appended;
    enum engine_status status = call->log->engine->ops->part_append(call->log->part, &call->append);
    if (status != ENGINE_PENDING)
        log_answer(call, status);
}

int odradek_log_append(struct odradek_log *log, const struct odradek_record *records, size_t n,
    unsigned flags, int64_t *ret_offset)
{
    struct batch_builder builder;
    struct log_call call = {0};
    if (!log_fits(records, n))
        return -EMSGSIZE;
    batch_builder_init(&builder);
    int64_t now_ms = env_real_ms(log->env);
    for (size_t i = 0; i < n; i++)
        log_build_record(&builder, &records[i], now_ms);
    call.append.data = batch_builder_finish(&builder, &call.append.size);
    call.append.flags = (flags & ODRADEK_DURABLE) != 0 ? ENGINE_APPEND_DURABLE : 0;
    log_call(log, &call, log_on_append);
    batch_builder_deinit(&builder);
    if (call.status == ENGINE_OK && ret_offset != NULL)
        *ret_offset = call.append.base_offset;
    return log_result(call.status);
}

/* --- questions --- */

static void log_on_flush(struct loop_msg *msg)
{
    struct log_call *call = container_of(msg, struct log_call, msg);
    call->call.done = log_on_called;
    call->log->engine->ops->part_flush(call->log->part, &call->call);
}

int odradek_log_flush(struct odradek_log *log)
{
    struct log_call call = {0};
    log_call(log, &call, log_on_flush);
    return log_result(call.status);
}

static void log_on_trim(struct loop_msg *msg)
{
    struct log_call *call = container_of(msg, struct log_call, msg);
    call->call.done = log_on_called;
    call->log->engine->ops->part_set_log_start(call->log->part, &call->call);
}

int odradek_log_trim(struct odradek_log *log, int64_t offset)
{
    struct log_call call = {.call = {.offset = offset}};
    log_call(log, &call, log_on_trim);
    return log_result(call.status);
}

int64_t odradek_log_start(struct odradek_log *log)
{
    pthread_mutex_lock(&log->mutex);
    int64_t offset = log->log_start;
    pthread_mutex_unlock(&log->mutex);
    return offset;
}

int64_t odradek_log_end(struct odradek_log *log)
{
    pthread_mutex_lock(&log->mutex);
    int64_t offset = log->log_end;
    pthread_mutex_unlock(&log->mutex);
    return offset;
}

static void log_on_time(struct loop_msg *msg)
{
    struct log_call *call = container_of(msg, struct log_call, msg);
    call->call.done = log_on_called;
    call->log->engine->ops->part_offset_for_time(call->log->part, &call->call);
}

int odradek_log_offset_for_time(struct odradek_log *log, int64_t timestamp_ms, int64_t *ret_offset)
{
    struct log_call call = {.call = {.timestamp = timestamp_ms}};
    log_call(log, &call, log_on_time);
    if (call.status != ENGINE_OK)
        return log_result(call.status);
    if (call.call.offset < 0) {
        *ret_offset = odradek_log_end(log);
        return 0;
    }
    /* The batch is known; the record in it is found by reading. */
    struct odradek_reader *reader = odradek_reader_open(log, call.call.offset);
    struct odradek_record record;
    int r;
    do {
        r = odradek_reader_next(reader, 0, &record);
    } while (r == 0 && record.timestamp_ms < timestamp_ms);
    if (r == 0)
        *ret_offset = record.offset;
    else if (r == ODRADEK_TIMEOUT)
        *ret_offset = odradek_log_end(log);
    odradek_reader_close(reader);
    return r == ODRADEK_TIMEOUT ? 0 : r;
}
