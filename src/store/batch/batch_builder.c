// SPDX-License-Identifier: BSD-2-Clause
/* Records are encoded straight behind the room for the header, so finishing is 61 bytes and a CRC.
 */
#include "store/batch/batch_builder.h"
#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/varint.h"

#include <assert.h>

void batch_builder_init(struct batch_builder *builder)
{
    *builder = (struct batch_builder){.buffer = BUFFER_NULL};
    batch_builder_reset(builder);
}

void batch_builder_deinit(struct batch_builder *builder)
{
    buffer_deinit(&builder->buffer);
}

void batch_builder_reset(struct batch_builder *builder)
{
    struct buffer buffer = builder->buffer;
    buffer.size = 0;
    *builder = (struct batch_builder){
        .buffer = buffer,
        .max_timestamp = -1,
        .base_timestamp = -1,
        .producer_id = -1,
        .producer_epoch = -1,
        .base_sequence = -1,
    };
    buffer_reserve(&builder->buffer, BATCH_HEADER_SIZE);
    builder->buffer.size = BATCH_HEADER_SIZE;
}

size_t batch_builder_size(const struct batch_builder *builder)
{
    return builder->buffer.size;
}

/* Wraps around like the reader's sum does; timestamps may be anything. */
static int64_t batch_timestamp_delta(const struct batch_builder *builder, int64_t timestamp_ms)
{
    return (int64_t)((uint64_t)timestamp_ms - (uint64_t)builder->base_timestamp);
}

static uint8_t *batch_put_bytes(uint8_t *at, struct slice bytes)
{
    at += varlong_put(at, slice_is_null(bytes) ? -1 : (int64_t)bytes.size);
    if (bytes.size > 0)
        memcpy(at, bytes.data, bytes.size);
    return at + bytes.size;
}

static size_t batch_bytes_size(struct slice bytes)
{
    return varlong_size(slice_is_null(bytes) ? -1 : (int64_t)bytes.size) + bytes.size;
}

static size_t batch_record_size(
    const struct batch_builder *builder, const struct batch_record *record)
{
    size_t size = 1 + varlong_size(batch_timestamp_delta(builder, record->timestamp_ms)) +
                  varlong_size(builder->records_count) + batch_bytes_size(record->key) +
                  batch_bytes_size(record->value) + varlong_size((int64_t)record->n_headers);
    if (record->headers == NULL)
        return size + record->encoded_headers.size;
    for (size_t i = 0; i < record->n_headers; i++)
        size +=
            batch_bytes_size(record->headers[i].key) + batch_bytes_size(record->headers[i].value);
    return size;
}

void batch_builder_append(struct batch_builder *builder, const struct batch_record *record)
{
    if (builder->records_count == 0)
        builder->base_timestamp = record->timestamp_ms;
    if (builder->records_count == 0 || record->timestamp_ms > builder->max_timestamp)
        builder->max_timestamp = record->timestamp_ms;
    size_t size = batch_record_size(builder, record);
    assert(size <= INT32_MAX - VARINT_SIZE_MAX - builder->buffer.size);
    uint8_t *start = buffer_reserve(&builder->buffer, size + VARINT_SIZE_MAX);
    uint8_t *at = start + varlong_put(start, (int64_t)size);
    uint8_t *body = at;
    *at++ = 0; /* attributes */
    at += varlong_put(at, batch_timestamp_delta(builder, record->timestamp_ms));
    at += varlong_put(at, builder->records_count);
    at = batch_put_bytes(at, record->key);
    at = batch_put_bytes(at, record->value);
    at += varlong_put(at, (int64_t)record->n_headers);
    if (record->headers == NULL && record->encoded_headers.size > 0)
        at = mempcpy(at, record->encoded_headers.data, record->encoded_headers.size);
    for (size_t i = 0; record->headers != NULL && i < record->n_headers; i++) {
        at = batch_put_bytes(at, record->headers[i].key);
        at = batch_put_bytes(at, record->headers[i].value);
    }
    assert((size_t)(at - body) == size);
    builder->buffer.size += (size_t)(at - start);
    builder->records_count++;
}

uint8_t *batch_builder_finish(struct batch_builder *builder, size_t *ret_size)
{
    assert(builder->records_count > 0);
    uint8_t *batch = builder->buffer.data;
    size_t size = builder->buffer.size;
    bytes_put_u64(batch + BATCH_POS_BASE_OFFSET, 0);
    bytes_put_u32(batch + BATCH_POS_LENGTH, (uint32_t)(size - BATCH_LENGTH_OVERHEAD));
    bytes_put_u32(batch + BATCH_POS_LEADER_EPOCH, UINT32_MAX);
    batch[BATCH_POS_MAGIC] = 2;
    bytes_put_u16(batch + BATCH_POS_ATTRIBUTES, (uint16_t)builder->attributes);
    bytes_put_u32(batch + BATCH_POS_LAST_OFFSET_DELTA, (uint32_t)builder->records_count - 1);
    bytes_put_u64(batch + BATCH_POS_BASE_TIMESTAMP, (uint64_t)builder->base_timestamp);
    bytes_put_u64(batch + BATCH_POS_MAX_TIMESTAMP, (uint64_t)builder->max_timestamp);
    bytes_put_u64(batch + BATCH_POS_PRODUCER_ID, (uint64_t)builder->producer_id);
    bytes_put_u16(batch + BATCH_POS_PRODUCER_EPOCH, (uint16_t)builder->producer_epoch);
    bytes_put_u32(batch + BATCH_POS_BASE_SEQUENCE, (uint32_t)builder->base_sequence);
    bytes_put_u32(batch + BATCH_POS_RECORDS_COUNT, (uint32_t)builder->records_count);
    bytes_put_u32(batch + BATCH_POS_CRC,
        crc32c(0, batch + BATCH_POS_ATTRIBUTES, size - BATCH_POS_ATTRIBUTES));
    *ret_size = size;
    return batch;
}
