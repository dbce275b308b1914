// SPDX-License-Identifier: BSD-2-Clause
/*
 * Every getter takes its bytes through reader_take_bytes, the one place that checks what is left.
 * A fault empties the reader, so that whatever is read after it costs nothing and yields zero.
 * Counts and lengths are compared with the bytes that are left before anything is allocated.
 */
#include "wire/reader.h"

#include "base/bytes.h"

#include <assert.h>
#include <limits.h>

void reader_fail(struct reader *reader, const char *fault)
{
    assert(fault != NULL);
    if (reader->fault == NULL) {
        reader->fault = fault;
        reader->fault_at = reader->cursor;
    }
    reader->cursor = reader->end;
}

/* The next `size` bytes; NULL after a fault and when they are not there. */
static const uint8_t *reader_take_bytes(struct reader *reader, size_t size)
{
    if (reader->fault != NULL)
        return NULL;
    if (size > (size_t)(reader->end - reader->cursor)) {
        reader_fail(reader, "message ends early");
        return NULL;
    }
    const uint8_t *at = reader->cursor;
    reader->cursor += size;
    return at;
}

void reader_finish(struct reader *reader)
{
    if (reader->fault == NULL && !reader->rest_allowed && reader->cursor != reader->end)
        reader_fail(reader, "bytes after the end of the message");
}

bool reader_bool(struct reader *reader)
{
    return reader_int8(reader) != 0;
}

int8_t reader_int8(struct reader *reader)
{
    const uint8_t *at = reader_take_bytes(reader, 1);
    return at == NULL ? 0 : (int8_t)*at;
}

int16_t reader_int16(struct reader *reader)
{
    return (int16_t)reader_uint16(reader);
}

uint16_t reader_uint16(struct reader *reader)
{
    const uint8_t *at = reader_take_bytes(reader, sizeof(uint16_t));
    return at == NULL ? 0 : bytes_get_u16(at);
}

int32_t reader_int32(struct reader *reader)
{
    return (int32_t)reader_uint32(reader);
}

uint32_t reader_uint32(struct reader *reader)
{
    const uint8_t *at = reader_take_bytes(reader, sizeof(uint32_t));
    return at == NULL ? 0 : bytes_get_u32(at);
}

int64_t reader_int64(struct reader *reader)
{
    const uint8_t *at = reader_take_bytes(reader, sizeof(uint64_t));
    return at == NULL ? 0 : (int64_t)bytes_get_u64(at);
}

double reader_float64(struct reader *reader)
{
    uint64_t bits = (uint64_t)reader_int64(reader);
    double value;
    static_assert(sizeof(value) == sizeof(bits), "float64 is eight bytes");
    memcpy(&value, &bits, sizeof(value));
    return value;
}

struct uuid reader_uuid(struct reader *reader)
{
    struct uuid id = UUID_ZERO;
    const uint8_t *at = reader_take_bytes(reader, UUID_SIZE);
    if (at != NULL)
        memcpy(id.bytes, at, UUID_SIZE);
    return id;
}

/* An unsigned varint of at most `bits` bits. */
static uint64_t reader_base128(struct reader *reader, unsigned bits)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < bits; shift += 7) {
        const uint8_t *at = reader_take_bytes(reader, 1);
        if (at == NULL)
            return 0;
        uint64_t part = *at & 0x7f;
        if (bits - shift < 7 && part >> (bits - shift) != 0)
            break;
        value |= part << shift;
        if ((*at & 0x80) == 0)
            return value;
    }
    reader_fail(reader, "varint longer than its type");
    return 0;
}

uint32_t reader_uvarint(struct reader *reader)
{
    return (uint32_t)reader_base128(reader, 32);
}

int32_t reader_varint(struct reader *reader)
{
    uint32_t zigzag = (uint32_t)reader_base128(reader, 32);
    return (int32_t)(zigzag >> 1 ^ (~(zigzag & 1) + 1));
}

int64_t reader_varlong(struct reader *reader)
{
    uint64_t zigzag = reader_base128(reader, 64);
    return (int64_t)(zigzag >> 1 ^ (~(zigzag & 1) + 1));
}

struct slice reader_take(struct reader *reader, size_t size)
{
    const uint8_t *at = reader_take_bytes(reader, size);
    return at == NULL ? SLICE_NULL : slice_make(at, size);
}

/* A compact length or count (one more on the wire); -1 is null. */
static int64_t reader_compact_length(struct reader *reader)
{
    return (int64_t)reader_uvarint(reader) - 1;
}

/* `length` bytes, or null. An empty slice is not a null one. */
static struct slice reader_slice(struct reader *reader, int64_t length, bool nullable)
{
    if (reader->fault != NULL)
        return SLICE_NULL;
    if (length >= 0)
        return reader_take(reader, (size_t)length);
    if (length < -1)
        reader_fail(reader, "negative length");
    else if (!nullable)
        reader_fail(reader, "null where a value is required");
    return SLICE_NULL;
}

struct slice reader_string(struct reader *reader, bool flexible, bool nullable)
{
    int64_t length = flexible ? reader_compact_length(reader) : reader_int16(reader);
    if (length > INT16_MAX) /* the compact form could say more, but nobody may */
        reader_fail(reader, "string longer than a string may be");
    return reader_slice(reader, length, nullable);
}

struct slice reader_bytes(struct reader *reader, bool flexible, bool nullable)
{
    int64_t length = flexible ? reader_compact_length(reader) : reader_int32(reader);
    return reader_slice(reader, length, nullable);
}

struct records reader_records(struct reader *reader, bool flexible, bool nullable)
{
    return (struct records){.bytes = reader_bytes(reader, flexible, nullable)};
}

void *reader_array(struct reader *reader, bool flexible, bool nullable, size_t wire_size_min,
    size_t element_size, struct arena *arena, int32_t *ret_count)
{
    assert(wire_size_min > 0);
    assert(element_size > 0);
    int64_t count = flexible ? reader_compact_length(reader) : reader_int32(reader);
    *ret_count = 0;
    if (reader->fault != NULL)
        return NULL;
    if (count == -1 && nullable) {
        *ret_count = -1;
        return NULL;
    }
    if (count < 0) {
        reader_fail(reader, count == -1 ? "null where an array is required" : "negative count");
        return NULL;
    }
    if (count > INT32_MAX || (size_t)count > reader_remaining(reader) / wire_size_min) {
        reader_fail(reader, "array longer than its message");
        return NULL;
    }
    void *elements = arena_alloc_n(arena, (size_t)count, element_size);
    if (elements == NULL) {
        reader_fail(reader, "message needs more memory than it may have");
        return NULL;
    }
    *ret_count = (int32_t)count;
    return elements;
}

static void *reader_present(struct reader *reader, bool present, size_t size, struct arena *arena)
{
    if (reader->fault != NULL || !present)
        return NULL;
    void *memory = arena_alloc_n(arena, 1, size);
    if (memory == NULL)
        reader_fail(reader, "message needs more memory than it may have");
    return memory;
}

void *reader_struct(struct reader *reader, size_t size, struct arena *arena)
{
    bool present = reader_int8(reader) >= 0;
    return reader_present(reader, present, size, arena);
}

void *reader_tagged_struct(struct reader *reader, size_t size, struct arena *arena)
{
    bool present = reader_int8(reader) > 0;
    return reader_present(reader, present, size, arena);
}

/* The value before the next one must have been read to its end, or not at all (an unknown tag). */
static bool reader_tag_finish(struct reader *reader, struct reader_tag *tag)
{
    if (tag->value.fault != NULL) {
        reader->cursor = tag->value.fault_at;
        reader_fail(reader, tag->value.fault);
    } else if (tag->value.cursor != tag->start && tag->value.cursor != tag->value.end)
        reader_fail(reader, "tagged field longer than its type");
    return reader->fault == NULL;
}

bool reader_tag_next(struct reader *reader, struct reader_tag *tag)
{
    if (!tag->begun) {
        tag->begun = true;
        tag->left = reader_uvarint(reader);
        /* A tagged field takes at least two bytes: its number and its size. */
        if (tag->left > reader_remaining(reader) / 2)
            reader_fail(reader, "more tagged fields than bytes");
    } else if (!reader_tag_finish(reader, tag)) {
        return false;
    }
    if (reader->fault != NULL || tag->left == 0)
        return false;
    tag->left--;
    tag->number = reader_uvarint(reader);
    tag->value = reader_make(reader_take(reader, reader_uvarint(reader)));
    tag->start = tag->value.cursor;
    return reader->fault == NULL;
}

void reader_skip_tags(struct reader *reader)
{
    struct reader_tag tag = READER_TAG_FIRST;
    while (reader_tag_next(reader, &tag))
        continue;
}
