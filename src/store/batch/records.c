// SPDX-License-Identifier: BSD-2-Clause
/*
 * A record: varint size of what follows | attributes (1 byte, unused) | varlong timestamp delta |
 * varint offset delta | key | value | varint headers count | headers (key, value each).
 * Keys and values are a varint size (-1: null) and bytes. The size in front must be used up
 * exactly.
 */
#include "store/batch/records.h"
#include "base/varint.h"

#include <assert.h>

/* A varint size and that many bytes; a negative size is null. */
static bool record_take_bytes(const uint8_t **cursor, const uint8_t *end, struct slice *ret_bytes)
{
    int32_t size;
    if (!varint_get(cursor, end, &size))
        return false;
    if (size < 0) {
        *ret_bytes = SLICE_NULL;
        return true;
    }
    if (size > end - *cursor)
        return false;
    *ret_bytes = slice_make(*cursor, (size_t)size);
    *cursor += size;
    return true;
}

static const char *record_check_headers(const uint8_t *cursor, const uint8_t *end, int32_t count)
{
    struct record_header header;
    for (int32_t i = 0; i < count; i++) {
        if (!record_take_bytes(&cursor, end, &header.key) ||
            !record_take_bytes(&cursor, end, &header.value))
            return "a record's headers are longer than the record";
        if (slice_is_null(header.key))
            return "a record has a header without a key";
    }
    return cursor == end ? NULL : "a record is longer than its fields";
}

static const char *record_parse(
    const uint8_t *cursor, const uint8_t *end, struct record *ret_record)
{
    struct record record;
    if (cursor == end)
        return "a record is empty";
    cursor++; /* attributes: none are defined */
    if (!varlong_get(&cursor, end, &record.timestamp_delta) ||
        !varint_get(&cursor, end, &record.offset_delta))
        return "a record's deltas are longer than the record";
    if (!record_take_bytes(&cursor, end, &record.key))
        return "a record's key is longer than the record";
    if (!record_take_bytes(&cursor, end, &record.value))
        return "a record's value is longer than the record";
    if (!varint_get(&cursor, end, &record.headers_count) || record.headers_count < 0)
        return "a record's headers count is invalid";
    record.headers = slice_make(cursor, (size_t)(end - cursor));
    const char *fault = record_check_headers(cursor, end, record.headers_count);
    if (fault == NULL)
        *ret_record = record;
    return fault;
}

struct record_cursor record_cursor_make(struct slice records, int32_t count)
{
    return (struct record_cursor){
        .cursor = records.data,
        .end = records.data == NULL ? NULL : records.data + records.size,
        .left = count,
        .fault = count < 0 ? "the records count is negative" : NULL,
    };
}

bool record_next(struct record_cursor *cursor, struct record *ret_record)
{
    if (cursor->fault != NULL)
        return false;
    assert(cursor->cursor <= cursor->end);
    if (cursor->left == 0) {
        if (cursor->cursor != cursor->end)
            cursor->fault = "bytes follow the last record";
        return false;
    }
    int32_t size;
    if (!varint_get(&cursor->cursor, cursor->end, &size) || size < 0 ||
        size > cursor->end - cursor->cursor) {
        cursor->fault = "a record is longer than its batch";
        return false;
    }
    cursor->fault = record_parse(cursor->cursor, cursor->cursor + size, ret_record);
    if (cursor->fault != NULL)
        return false;
    cursor->cursor += size;
    cursor->left--;
    return true;
}

bool record_header_next(struct slice *headers, struct record_header *ret_header)
{
    if (headers->size == 0)
        return false;
    const uint8_t *cursor = headers->data, *end = headers->data + headers->size;
    if (!record_take_bytes(&cursor, end, &ret_header->key) ||
        !record_take_bytes(&cursor, end, &ret_header->value))
        return false;
    *headers = slice_make(cursor, (size_t)(end - cursor));
    return true;
}
