// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * reader: a sticky cursor over received bytes. After the first short or malformed read every getter
 * answers zero and reader_ok() is false, so generated code checks once at the end. Slices point
 * into the bytes read. One thread.
 */
#include "base/arena.h"
#include "base/slice.h"
#include "base/uuid.h"
#include "wire/records.h"

#include <stdbool.h>
#include <stdint.h>

struct reader {
    const uint8_t *cursor, *end;
    const char *fault; /* NULL while all is well, else what was wrong ("message ends early") */
    const uint8_t *fault_at; /* where reading stopped, when there is a fault */
    bool rest_allowed;       /* bytes after the message are no fault */
};

static inline struct reader reader_make(struct slice bytes)
{
    return (struct reader){
        .cursor = bytes.data, .end = bytes.data == NULL ? NULL : bytes.data + bytes.size};
}
static inline bool reader_ok(const struct reader *reader)
{
    return reader->fault == NULL;
}
static inline size_t reader_remaining(const struct reader *reader)
{
    return reader->fault != NULL ? 0 : (size_t)(reader->end - reader->cursor);
}
/* Marks the reader as failed; the first fault stays. */
void reader_fail(struct reader *reader, const char *fault);

bool reader_bool(struct reader *reader);
int8_t reader_int8(struct reader *reader);
int16_t reader_int16(struct reader *reader);
uint16_t reader_uint16(struct reader *reader);
int32_t reader_int32(struct reader *reader);
uint32_t reader_uint32(struct reader *reader);
int64_t reader_int64(struct reader *reader);
double reader_float64(struct reader *reader);
struct uuid reader_uuid(struct reader *reader);
uint32_t reader_uvarint(struct reader *reader); /* at most 5 bytes */
int32_t reader_varint(struct reader *reader);   /* zigzag */
int64_t reader_varlong(struct reader *reader);  /* zigzag, at most 10 bytes */
struct slice reader_take(struct reader *reader, size_t size);

/* `flexible` chooses compact (uvarint length + 1) or classic (int16/int32 length) form. Null gives
 * SLICE_NULL when `nullable`, else it is a fault. */
struct slice reader_string(struct reader *reader, bool flexible, bool nullable);
struct slice reader_bytes(struct reader *reader, bool flexible, bool nullable);
struct records reader_records(struct reader *reader, bool flexible, bool nullable);
/*
 * Reads an array's count and allocates `count` zeroed elements of `element_size` (in memory) from
 * the arena; a count above remaining / `wire_size_min` or beyond the arena's limit is a fault.
 * Null: *ret_count = -1 (a fault unless `nullable`). Returns the memory or NULL (null array or
 * fault).
 */
void *reader_array(struct reader *reader, bool flexible, bool nullable, size_t wire_size_min,
    size_t element_size, struct arena *arena, int32_t *ret_count);
/* Reads a nullable struct's presence: memory for it from the arena, or NULL (null or fault). */
void *reader_struct(struct reader *reader, size_t size, struct arena *arena);
/* The same within a tagged field, where 0 is null. */
void *reader_tagged_struct(struct reader *reader, size_t size, struct arena *arena);

/*
 * Walks over the tagged fields at the end of a flexible struct:
 *
 *   struct reader_tag tag = READER_TAG_FIRST;
 *   while (reader_tag_next(reader, &tag))
 *       if (tag.number == 0)
 *           ... = reader_int32(&tag.value);
 *
 * A value is read to its end or left alone, which skips it; anything between is a fault.
 */
struct reader_tag {
    uint32_t number;
    struct reader value;
    uint32_t left; /* tagged fields after this one */
    bool begun;
    const uint8_t *start; /* of the value */
};

#define READER_TAG_FIRST ((struct reader_tag){.begun = false})

bool reader_tag_next(struct reader *reader, struct reader_tag *tag);
void reader_skip_tags(struct reader *reader);

/* The message is over: bytes that are left are a fault, unless allowed. */
void reader_finish(struct reader *reader);
