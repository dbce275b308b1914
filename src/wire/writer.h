// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * writer: encodes into a growing buffer and notes where chunks (file ranges) are to be spliced in.
 * One thread. The bytes and the splices together are the message: splice i comes after
 * `splices[i].at` bytes of the buffer.
 */
#include "base/buffer.h"
#include "base/uuid.h"
#include "wire/records.h"

struct writer_splice {
    size_t at; /* number of buffer bytes that precede the chunk */
    struct chunk chunk;
};

struct writer {
    struct buffer buffer;
    struct writer_splice *splices;
    size_t n_splices, splices_capacity;
    size_t spliced_size; /* bytes in all splices */
};

#define WRITER_NULL ((struct writer){.buffer = {NULL, 0, 0}})

void writer_deinit(struct writer *writer); /* releases chunks that nobody took */
/* Bytes of the message so far, splices included. */
static inline size_t writer_size(const struct writer *writer)
{
    return writer->buffer.size + writer->spliced_size;
}

void writer_bool(struct writer *writer, bool value);
void writer_int8(struct writer *writer, int8_t value);
void writer_int16(struct writer *writer, int16_t value);
void writer_uint16(struct writer *writer, uint16_t value);
void writer_int32(struct writer *writer, int32_t value);
void writer_uint32(struct writer *writer, uint32_t value);
void writer_int64(struct writer *writer, int64_t value);
void writer_float64(struct writer *writer, double value);
void writer_uuid(struct writer *writer, struct uuid value);
void writer_uvarint(struct writer *writer, uint32_t value);
void writer_varint(struct writer *writer, int32_t value);
void writer_varlong(struct writer *writer, int64_t value);
void writer_raw(struct writer *writer, struct slice s);
/* Null when data is NULL; cut at 32767 bytes, the longest string there is. */
void writer_string(struct writer *writer, bool flexible, struct slice s);
void writer_bytes(struct writer *writer, bool flexible, struct slice s);
/* Takes over the chunk references in `records`. */
void writer_records(struct writer *writer, bool flexible, const struct records *records);
void writer_array_count(struct writer *writer, bool flexible, int32_t count); /* -1: null */

/* As a schema's fields are written: null where it is not allowed becomes empty. */
void writer_field_string(struct writer *writer, bool flexible, bool nullable, struct slice s);
void writer_field_bytes(struct writer *writer, bool flexible, bool nullable, struct slice s);
void writer_field_records(
    struct writer *writer, bool flexible, bool nullable, const struct records *records);
void writer_array(struct writer *writer, bool flexible, bool nullable, int32_t count);
/* What stands in front of a tagged field's value of `size` bytes. */
void writer_tag(struct writer *writer, uint32_t number, size_t size);
