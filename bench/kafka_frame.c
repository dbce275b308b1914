// SPDX-License-Identifier: BSD-2-Clause
// Big-endian integers, classic and compact strings, and record batches of format version 2.
// Failure modes: out of memory aborts (the bench is the only one hurt); a short or odd answer from
// the broker makes the sticky reader fail, which the caller reports as a protocol error.
#include "kafka_frame.h"

#include "crc.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void frame_buffer_deinit(struct frame_buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct frame_buffer){0};
}

static uint8_t *frame_reserve(struct frame_buffer *buffer, size_t size)
{
    uint8_t *pos;

    if (size > buffer->capacity - buffer->size) {
        size_t capacity = (buffer->capacity + size) * 2u;
        buffer->data = realloc(buffer->data, capacity);
        if (buffer->data == NULL)
            abort();
        buffer->capacity = capacity;
    }
    pos = buffer->data + buffer->size;
    buffer->size += size;
    return pos;
}

void frame_put_bytes(struct frame_buffer *buffer, const void *data, size_t size)
{
    if (size > 0)
        memcpy(frame_reserve(buffer, size), data, size);
}

static void frame_put_big_endian(struct frame_buffer *buffer, uint64_t value, unsigned size)
{
    uint8_t *pos = frame_reserve(buffer, size);

    for (unsigned i = 0; i < size; i++)
        pos[i] = (uint8_t)(value >> (8u * (size - 1u - i)));
}

void frame_put_i8(struct frame_buffer *buffer, int8_t value)
{
    frame_put_big_endian(buffer, (uint64_t)value, 1);
}

void frame_put_i16(struct frame_buffer *buffer, int16_t value)
{
    frame_put_big_endian(buffer, (uint64_t)value, 2);
}

void frame_put_i32(struct frame_buffer *buffer, int32_t value)
{
    frame_put_big_endian(buffer, (uint64_t)value, 4);
}

void frame_put_i64(struct frame_buffer *buffer, int64_t value)
{
    frame_put_big_endian(buffer, (uint64_t)value, 8);
}

void frame_put_uvarint(struct frame_buffer *buffer, uint64_t value)
{
    while (value >= 0x80u) {
        frame_put_i8(buffer, (int8_t)(uint8_t)(value | 0x80u));
        value >>= 7u;
    }
    frame_put_i8(buffer, (int8_t)value);
}

void frame_put_varint(struct frame_buffer *buffer, int64_t value)
{
    frame_put_uvarint(buffer, ((uint64_t)value << 1u) ^ (value < 0 ? UINT64_MAX : 0u));
}

void frame_put_string(struct frame_buffer *buffer, const char *text, bool flexible)
{
    size_t size = strlen(text);

    if (flexible)
        frame_put_uvarint(buffer, size + 1u);
    else
        frame_put_i16(buffer, (int16_t)size);
    frame_put_bytes(buffer, text, size);
}

void frame_patch_i32(uint8_t *pos, int32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        pos[i] = (uint8_t)((uint32_t)value >> (8u * (3u - i)));
}

void frame_begin(
    struct frame_buffer *buffer, enum frame_api api, int16_t version, bool flexible, int32_t id)
{
    buffer->size = 0;
    frame_put_i32(buffer, 0);
    frame_put_i16(buffer, (int16_t)api);
    frame_put_i16(buffer, version);
    frame_put_i32(buffer, id);
    frame_put_string(buffer, FRAME_CLIENT_ID, false);
    if (flexible)
        frame_put_uvarint(buffer, 0);
}

void frame_end(struct frame_buffer *buffer)
{
    assert(buffer->size >= FRAME_HEAD_SIZE);
    frame_patch_i32(buffer->data, (int32_t)(buffer->size - 4u));
}

static unsigned frame_varint_size(int64_t value)
{
    uint64_t bits = ((uint64_t)value << 1u) ^ (value < 0 ? UINT64_MAX : 0u);
    unsigned size = 1;

    while (bits >= 0x80u) {
        bits >>= 7u;
        size++;
    }
    return size;
}

static void frame_put_record(struct frame_buffer *buffer, uint32_t delta, size_t value_size)
{
    static uint64_t noise = 0x9e3779b97f4a7c15u;
    size_t body = 1u + 1u + frame_varint_size(delta) + 1u + frame_varint_size((int64_t)value_size) +
                  value_size + 1u;
    uint8_t *pos;

    frame_put_varint(buffer, (int64_t)body);
    frame_put_i8(buffer, 0);     // attributes
    frame_put_varint(buffer, 0); // timestamp delta
    frame_put_varint(buffer, delta);
    frame_put_varint(buffer, -1); // null key
    frame_put_varint(buffer, (int64_t)value_size);
    pos = frame_reserve(buffer, value_size);
    for (size_t i = 0; i < value_size; i++) {
        noise ^= noise << 13u;
        noise ^= noise >> 7u;
        noise ^= noise << 17u;
        pos[i] = (uint8_t)noise;
    }
    frame_put_varint(buffer, 0); // headers
}

static void frame_put_batch_head(struct frame_buffer *buffer)
{
    int64_t timestamp_ms = (int64_t)time(NULL) * 1000; // an old one would invite retention

    frame_put_i64(buffer, 0);            // base offset, the broker's business
    frame_put_i32(buffer, 0);            // length, patched
    frame_put_i32(buffer, -1);           // leader epoch
    frame_put_i8(buffer, 2);             // magic
    frame_put_i32(buffer, 0);            // CRC, patched
    frame_put_i16(buffer, 0);            // attributes
    frame_put_i32(buffer, 0);            // last offset delta, patched
    frame_put_i64(buffer, timestamp_ms); // base timestamp
    frame_put_i64(buffer, timestamp_ms); // max timestamp
    frame_put_i64(buffer, -1);           // producer id: none
    frame_put_i16(buffer, -1);           // producer epoch
    frame_put_i32(buffer, -1);           // base sequence
    frame_put_i32(buffer, 0);            // record count, patched
}

uint32_t frame_put_batch(struct frame_buffer *buffer, size_t batch_size, size_t record_size)
{
    size_t start = buffer->size, record_max = record_size + 24u;
    uint32_t count = 0;
    uint8_t *batch;

    frame_put_batch_head(buffer);
    do {
        frame_put_record(buffer, count++, record_size);
    } while (buffer->size - start + record_max <= batch_size);

    batch = buffer->data + start;
    frame_patch_i32(batch + 8, (int32_t)(buffer->size - start - 12u));
    frame_patch_i32(batch + 23, (int32_t)(count - 1u));
    frame_patch_i32(batch + 57, (int32_t)count);
    frame_patch_i32(batch + 17, (int32_t)crc_of(batch + 21, buffer->size - start - 21u));
    return count;
}

struct frame_reader frame_reader_of(const void *data, size_t size)
{
    const uint8_t *pos = data;

    return (struct frame_reader){.pos = pos, .end = pos + size, .ok = true};
}

void frame_skip(struct frame_reader *reader, size_t size)
{
    if (size > (size_t)(reader->end - reader->pos)) {
        reader->ok = false;
        reader->pos = reader->end;
        return;
    }
    reader->pos += size;
}

static uint64_t frame_get_big_endian(struct frame_reader *reader, unsigned size)
{
    const uint8_t *pos = reader->pos;
    uint64_t value = 0;

    frame_skip(reader, size);
    if (!reader->ok)
        return 0;
    for (unsigned i = 0; i < size; i++)
        value = value << 8u | pos[i];
    return value;
}

int8_t frame_get_i8(struct frame_reader *reader)
{
    return (int8_t)frame_get_big_endian(reader, 1);
}

int16_t frame_get_i16(struct frame_reader *reader)
{
    return (int16_t)frame_get_big_endian(reader, 2);
}

int32_t frame_get_i32(struct frame_reader *reader)
{
    return (int32_t)frame_get_big_endian(reader, 4);
}

int64_t frame_get_i64(struct frame_reader *reader)
{
    return (int64_t)frame_get_big_endian(reader, 8);
}

uint64_t frame_get_uvarint(struct frame_reader *reader)
{
    uint64_t value = 0;

    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = (uint8_t)frame_get_i8(reader);
        value |= (uint64_t)(byte & 0x7fu) << shift;
        if (byte < 0x80u)
            return value;
    }
    reader->ok = false;
    return 0;
}

void frame_skip_string(struct frame_reader *reader, bool flexible)
{
    if (flexible) {
        uint64_t size = frame_get_uvarint(reader);
        frame_skip(reader, size > 0 ? size - 1u : 0);
    } else {
        int16_t size = frame_get_i16(reader);
        frame_skip(reader, size > 0 ? (size_t)size : 0);
    }
}

void frame_skip_tags(struct frame_reader *reader, bool flexible)
{
    if (!flexible)
        return;
    for (uint64_t count = frame_get_uvarint(reader); count > 0 && reader->ok; count--) {
        frame_get_uvarint(reader);
        frame_skip(reader, frame_get_uvarint(reader));
    }
}

uint32_t frame_get_count(struct frame_reader *reader, bool flexible)
{
    int64_t count;

    if (flexible)
        count = (int64_t)frame_get_uvarint(reader) - 1;
    else
        count = frame_get_i32(reader);
    return count > 0 ? (uint32_t)count : 0;
}

void frame_scan_batches(const uint8_t *records, size_t size, int64_t *ret_next_offset,
    uint64_t *inout_records, uint64_t *inout_bytes)
{
    while (size >= FRAME_BATCH_HEAD_SIZE) {
        struct frame_reader reader = frame_reader_of(records, FRAME_BATCH_HEAD_SIZE);
        int64_t base_offset = frame_get_i64(&reader);
        size_t batch_size = (size_t)frame_get_i32(&reader) + 12u;

        if (batch_size < FRAME_BATCH_HEAD_SIZE || batch_size > size)
            return;
        frame_skip(&reader, 11); // leader epoch, magic, CRC, attributes
        *ret_next_offset = base_offset + frame_get_i32(&reader) + 1;
        frame_skip(&reader, 30); // timestamps, producer
        *inout_records += (uint32_t)frame_get_i32(&reader);
        *inout_bytes += batch_size;
        records += batch_size;
        size -= batch_size;
    }
}

void frame_scan_alike(const uint8_t *records, size_t size, int64_t *ret_next_offset,
    uint64_t *inout_records, uint64_t *inout_bytes)
{
    int64_t base_offset = 0, next = -1;
    uint64_t first_records = 0, first_bytes = 0;
    struct frame_reader reader = frame_reader_of(records, FRAME_BATCH_HEAD_SIZE);
    size_t batch_size, count;

    if (size < FRAME_BATCH_HEAD_SIZE)
        return;
    base_offset = frame_get_i64(&reader);
    batch_size = (size_t)frame_get_i32(&reader) + 12u;
    if (batch_size < FRAME_BATCH_HEAD_SIZE || batch_size > size)
        return;
    frame_scan_batches(records, batch_size, &next, &first_records, &first_bytes);
    count = size / batch_size; // the last one may be cut
    *ret_next_offset = base_offset + (int64_t)count * (next - base_offset);
    *inout_records += count * first_records;
    *inout_bytes += count * batch_size;
}
