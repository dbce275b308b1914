// SPDX-License-Identifier: BSD-2-Clause
/*
 * A reader of libodradek-log. It asks the engine for pinned chunks, reads their bytes on its own
 * thread into a buffer of whole batches, and walks the records in it; when there is nothing more,
 * it waits for the high watermark to pass its offset.
 */
#include "base/buffer.h"
#include "base/env.h"
#include "store/batch/compression.h"
#include "store/odradek_log_internal.h"
#include "store/batch/records.h"

#include <errno.h>
#include <time.h>

#define LOG_READ_SIZE        (256U << 10)
#define LOG_INFLATE_SIZE_MAX (256U << 20)

struct odradek_reader {
    struct odradek_log *log;
    int64_t offset;             /* of the next record wanted */
    struct buffer bytes;        /* whole batches */
    size_t pos;                 /* of the next batch in bytes */
    struct batch_header header; /* of the batch that the cursor is in */
    struct record_cursor cursor;
    struct buffer inflated;
    struct odradek_header *headers;
};

struct odradek_reader *odradek_reader_open(struct odradek_log *log, int64_t offset)
{
    struct odradek_reader *reader = xnew(struct odradek_reader);
    reader->log = log;
    odradek_reader_seek(reader, offset);
    return reader;
}

void odradek_reader_close(struct odradek_reader *reader)
{
    if (reader == NULL)
        return;
    buffer_deinit(&reader->bytes);
    buffer_deinit(&reader->inflated);
    free(reader->headers);
    free(reader);
}

void odradek_reader_seek(struct odradek_reader *reader, int64_t offset)
{
    reader->offset = offset;
    reader->bytes.size = reader->pos = 0;
    reader->cursor = record_cursor_make(SLICE_LIT(""), 0);
}

int64_t odradek_reader_offset(const struct odradek_reader *reader)
{
    return reader->offset;
}

static void reader_on_answer(struct engine_read *read, enum engine_status status)
{
    log_answer(container_of(read, struct log_call, read), status);
}

static void reader_on_read(struct loop_msg *msg)
{
    struct log_call *call = container_of(msg, struct log_call, msg);
    call->read.done = reader_on_answer;
    enum engine_status status = call->log->engine->ops->part_read(call->log->part, &call->read);
    if (status != ENGINE_PENDING)
        log_answer(call, status);
}

static int reader_copy(struct odradek_reader *reader, const struct chunk *chunk)
{
    struct env *env = reader->log->env;
    uint8_t *at = buffer_reserve(&reader->bytes, chunk->size);
    ssize_t n = env->ops->file_pread(env, chunk->fd, at, chunk->size, chunk->pos);
    if (n < 0)
        return (int)n;
    if ((size_t)n < chunk->size)
        return -EIO;
    reader->bytes.size += chunk->size;
    return 0;
}

/* The next batches from the log, if there are any. */
static int reader_fill(struct odradek_reader *reader)
{
    struct log_call call = {.read = {.offset = reader->offset,
                                .bound = INT64_MAX,
                                .size_max = LOG_READ_SIZE,
                                .one_at_least = true}};
    reader->bytes.size = reader->pos = 0;
    log_call(reader->log, &call, reader_on_read);
    int r = log_result(call.status);
    if (r != 0)
        return r;
    for (unsigned i = 0; i < call.read.n_chunks; i++) {
        if (r == 0)
            r = reader_copy(reader, &call.read.chunks[i]);
        chunk_release(&call.read.chunks[i]);
    }
    return r;
}

/* The cursor enters the next batch of the buffer. */
static int reader_enter(struct odradek_reader *reader)
{
    const uint8_t *at = reader->bytes.data + reader->pos;
    struct batch_header header = batch_header_parse(at);
    if (!batch_header_sane(&header) || batch_size(&header) > reader->bytes.size - reader->pos ||
        !batch_crc_valid(at, &header))
        return ODRADEK_CORRUPT;
    reader->pos += batch_size(&header);
    reader->header = header;
    struct slice records =
        slice_make(at + BATCH_HEADER_SIZE, batch_size(&header) - BATCH_HEADER_SIZE);
    enum batch_compression codec =
        (enum batch_compression)(header.attributes & BATCH_COMPRESSION_MASK);
    if (codec != BATCH_NONE) {
        reader->inflated.size = 0;
        if (compression_inflate(codec, records, LOG_INFLATE_SIZE_MAX, &reader->inflated) != 0)
            return ODRADEK_CORRUPT;
        records = buffer_slice(&reader->inflated);
    }
    reader->cursor = record_cursor_make(records, header.records_count);
    return 0;
}

static struct odradek_bytes reader_bytes(struct slice s)
{
    return (struct odradek_bytes){s.data, s.size};
}

static void reader_headers(
    struct odradek_reader *reader, const struct record *record, struct odradek_record *ret_record)
{
    struct slice headers = record->headers;
    struct record_header header;
    size_t n = 0;
    free(reader->headers);
    reader->headers = xnew_n(struct odradek_header, (size_t)record->headers_count);
    while (n < (size_t)record->headers_count && record_header_next(&headers, &header)) {
        reader->headers[n].key = reader_bytes(header.key);
        reader->headers[n++].value = reader_bytes(header.value);
    }
    ret_record->headers = reader->headers;
    ret_record->n_headers = n;
}

/* The next record of the batch at or behind the offset. False when there is none left. */
static bool reader_take(struct odradek_reader *reader, struct odradek_record *ret_record)
{
    struct record record;
    while (record_next(&reader->cursor, &record)) {
        int64_t offset = reader->header.base_offset + record.offset_delta;
        if (offset < reader->offset || (reader->header.attributes & BATCH_CONTROL) != 0)
            continue;
        ret_record->offset = offset;
        ret_record->timestamp_ms = reader->header.base_timestamp + record.timestamp_delta;
        ret_record->key = reader_bytes(record.key);
        ret_record->value = reader_bytes(record.value);
        reader_headers(reader, &record, ret_record);
        reader->offset = offset + 1;
        return true;
    }
    return false;
}

/* Until the log reaches the reader's offset. 0, ODRADEK_TIMEOUT or -errno. */
static int reader_wait(struct odradek_reader *reader, const struct timespec *deadline)
{
    struct odradek_log *log = reader->log;
    int r = 0;
    pthread_mutex_lock(&log->mutex);
    while (log->log_end <= reader->offset && log->state == 0 && r == 0) {
        if (deadline == NULL)
            pthread_cond_wait(&log->changed, &log->mutex);
        else if (pthread_cond_timedwait(&log->changed, &log->mutex, deadline) == ETIMEDOUT)
            r = ODRADEK_TIMEOUT;
    }
    r = log->state < 0 ? log->state : r;
    pthread_mutex_unlock(&log->mutex);
    return r;
}

static struct timespec reader_deadline(struct env *env, int timeout_ms)
{
    int64_t at_ns = env->ops->monotonic_ns(env) + (int64_t)timeout_ms * 1000000;
    return (struct timespec){.tv_sec = at_ns / 1000000000, .tv_nsec = at_ns % 1000000000};
}

int odradek_reader_next(
    struct odradek_reader *reader, int timeout_ms, struct odradek_record *ret_record)
{
    struct timespec deadline = reader_deadline(reader->log->env, timeout_ms);
    while (!reader_take(reader, ret_record)) {
        int r = 0;
        if (reader->cursor.fault != NULL)
            return ODRADEK_CORRUPT;
        if (reader->pos > 0 && reader->offset <= batch_last_offset(&reader->header))
            reader->offset = batch_last_offset(&reader->header) + 1;
        if (reader->pos == reader->bytes.size)
            r = reader_wait(reader, timeout_ms < 0 ? NULL : &deadline);
        if (r == 0 && reader->pos == reader->bytes.size)
            r = reader_fill(reader);
        if (r == 0 && reader->bytes.size > 0)
            r = reader_enter(reader);
        if (r != 0)
            return r;
    }
    return 0;
}
