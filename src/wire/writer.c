// SPDX-License-Identifier: BSD-2-Clause
/*
 * Bytes are appended to one buffer; a chunk leaves only a note of where it belongs. A string
 * that is longer than the protocol allows is cut; bytes and counts that do not fit their field are
 * our own mistakes (a handler built them) and asserted.
 */
#include "wire/writer.h"

#include "base/bytes.h"
#include "wire/size.h"

#include <assert.h>

void writer_deinit(struct writer *writer)
{
    for (size_t i = 0; i < writer->n_splices; i++)
        chunk_release(&writer->splices[i].chunk);
    free(writer->splices);
    buffer_deinit(&writer->buffer);
    *writer = WRITER_NULL;
}

void writer_bool(struct writer *writer, bool value)
{
    writer_int8(writer, value ? 1 : 0);
}

void writer_int8(struct writer *writer, int8_t value)
{
    uint8_t *at = buffer_reserve(&writer->buffer, 1);
    *at = (uint8_t)value;
    writer->buffer.size += 1;
}

void writer_int16(struct writer *writer, int16_t value)
{
    writer_uint16(writer, (uint16_t)value);
}

void writer_uint16(struct writer *writer, uint16_t value)
{
    bytes_put_u16(buffer_reserve(&writer->buffer, sizeof(value)), value);
    writer->buffer.size += sizeof(value);
}

void writer_int32(struct writer *writer, int32_t value)
{
    writer_uint32(writer, (uint32_t)value);
}

void writer_uint32(struct writer *writer, uint32_t value)
{
    bytes_put_u32(buffer_reserve(&writer->buffer, sizeof(value)), value);
    writer->buffer.size += sizeof(value);
}

void writer_int64(struct writer *writer, int64_t value)
{
    bytes_put_u64(buffer_reserve(&writer->buffer, sizeof(value)), (uint64_t)value);
    writer->buffer.size += sizeof(value);
}

void writer_float64(struct writer *writer, double value)
{
    uint64_t bits;
    static_assert(sizeof(value) == sizeof(bits), "float64 is eight bytes");
    memcpy(&bits, &value, sizeof(bits));
    writer_int64(writer, (int64_t)bits);
}

void writer_uuid(struct writer *writer, struct uuid value)
{
    buffer_append(&writer->buffer, value.bytes, UUID_SIZE);
}

static void writer_base128(struct writer *writer, uint64_t value)
{
    uint8_t *at = buffer_reserve(&writer->buffer, 10);
    size_t size = 0;
    for (; value >= 0x80; value >>= 7)
        at[size++] = (uint8_t)(value | 0x80);
    at[size++] = (uint8_t)value;
    writer->buffer.size += size;
}

void writer_uvarint(struct writer *writer, uint32_t value)
{
    writer_base128(writer, value);
}

void writer_varint(struct writer *writer, int32_t value)
{
    writer_base128(writer, (uint32_t)value << 1 ^ (value < 0 ? UINT32_MAX : 0));
}

void writer_varlong(struct writer *writer, int64_t value)
{
    writer_base128(writer, (uint64_t)value << 1 ^ (value < 0 ? UINT64_MAX : 0));
}

void writer_raw(struct writer *writer, struct slice s)
{
    buffer_append_slice(&writer->buffer, s);
}

/* A length or count in compact form: one more on the wire, 0 for null. */
static void writer_compact_length(struct writer *writer, size_t length)
{
    assert(length < UINT32_MAX);
    writer_uvarint(writer, (uint32_t)length + 1);
}

void writer_string(struct writer *writer, bool flexible, struct slice s)
{
    if (s.size > SIZE_STRING_MAX) /* a message for people that quotes what a peer sent */
        s.size = SIZE_STRING_MAX;
    if (flexible && slice_is_null(s)) {
        writer_uvarint(writer, 0);
    } else if (flexible) {
        writer_compact_length(writer, s.size);
    } else {
        writer_int16(writer, slice_is_null(s) ? -1 : (int16_t)s.size);
    }
    writer_raw(writer, s);
}

/* The length in front of bytes and records. */
static void writer_bytes_length(struct writer *writer, bool flexible, bool null, size_t size)
{
    if (flexible && null) {
        writer_uvarint(writer, 0);
    } else if (flexible) {
        writer_compact_length(writer, size);
    } else {
        assert(size <= INT32_MAX);
        writer_int32(writer, null ? -1 : (int32_t)size);
    }
}

void writer_bytes(struct writer *writer, bool flexible, struct slice s)
{
    writer_bytes_length(writer, flexible, slice_is_null(s), s.size);
    writer_raw(writer, s);
}

static void writer_splice(struct writer *writer, struct chunk chunk)
{
    if (writer->n_splices == writer->splices_capacity) {
        writer->splices_capacity = writer->splices_capacity == 0 ? 8 : writer->splices_capacity * 2;
        writer->splices =
            xrealloc(writer->splices, writer->splices_capacity * sizeof(*writer->splices));
    }
    writer->splices[writer->n_splices++] =
        (struct writer_splice){.at = writer->buffer.size, .chunk = chunk};
    writer->spliced_size += chunk.size;
}

void writer_records(struct writer *writer, bool flexible, const struct records *records)
{
    writer_bytes_length(writer, flexible, records_is_null(records), records_size(records));
    if (records->chunks_count == 0)
        writer_raw(writer, records->bytes);
    for (int32_t i = 0; i < records->chunks_count; i++)
        writer_splice(writer, records->chunks[i]);
}

void writer_array_count(struct writer *writer, bool flexible, int32_t count)
{
    assert(count >= -1);
    if (flexible)
        writer_uvarint(writer, (uint32_t)(count + 1));
    else
        writer_int32(writer, count);
}

static struct slice slice_or_empty(bool nullable, struct slice s)
{
    return slice_is_null(s) && !nullable ? SLICE_LIT("") : s;
}

void writer_field_string(struct writer *writer, bool flexible, bool nullable, struct slice s)
{
    writer_string(writer, flexible, slice_or_empty(nullable, s));
}

void writer_field_bytes(struct writer *writer, bool flexible, bool nullable, struct slice s)
{
    writer_bytes(writer, flexible, slice_or_empty(nullable, s));
}

void writer_field_records(
    struct writer *writer, bool flexible, bool nullable, const struct records *records)
{
    struct records empty = RECORDS_EMPTY;
    writer_records(writer, flexible, records_is_null(records) && !nullable ? &empty : records);
}

void writer_array(struct writer *writer, bool flexible, bool nullable, int32_t count)
{
    writer_array_count(writer, flexible, count < 0 && !nullable ? 0 : count);
}

void writer_tag(struct writer *writer, uint32_t number, size_t size)
{
    assert(size <= UINT32_MAX);
    writer_uvarint(writer, number);
    writer_uvarint(writer, (uint32_t)size);
}
