// SPDX-License-Identifier: BSD-2-Clause
/*
 * A record stays when it is the last of its key and has a value; a record without a value (a
 * tombstone) stays until its batch's delete horizon, so that readers who are on their way still
 * learn of it. The horizon is set by the first pass that has seen the tombstone, from then on it
 * lies in the place of the base timestamp (attribute 0x40), and the records' timestamp deltas count
 * from it. A marker of a transaction of which nothing is left goes in the same two steps.
 *
 * Because base offset and base timestamp stay, kept records are copied as they are encoded; only a
 * new horizon encodes their timestamps anew.
 */
#include "store/cleaner/cleaner_filter.h"

#include "base/canary.h"
#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/varint.h"
#include "store/batch/batch_check.h"
#include "store/batch/compression.h"
#include "store/batch/records.h"

#include <assert.h>

struct filtering {
    struct cleaner_filter *filter;
    const struct cleaner_batch *batch;
    int32_t kept_count;
    int64_t max_timestamp; /* of the kept ones */
    bool tombstones;       /* kept ones that the map covers */
};

void cleaner_filter_deinit(struct cleaner_filter *filter)
{
    buffer_deinit(&filter->inflated);
    buffer_deinit(&filter->kept);
}

const char *cleaner_filter_records(
    struct cleaner_filter *filter, const struct cleaner_batch *batch, struct slice *ret_records)
{
    struct slice records =
        slice_make(batch->bytes.data + BATCH_HEADER_SIZE, batch->bytes.size - BATCH_HEADER_SIZE);
    unsigned codec = (unsigned)batch->header.attributes & BATCH_COMPRESSION_MASK;
    if (codec == BATCH_NONE) {
        *ret_records = records;
        return NULL;
    }
    filter->inflated.size = 0;
    if (codec > BATCH_ZSTD)
        return "its compression is unknown";
    int r = compression_inflate(
        (enum batch_compression)codec, records, BATCH_INFLATED_SIZE_MAX, &filter->inflated);
    if (r != 0)
        return r == COMPRESSION_TOO_LARGE ? "its records inflate to too much"
                                          : "its records cannot be inflated";
    buffer_reserve(&filter->inflated, 1);
    *ret_records = buffer_slice(&filter->inflated);
    return NULL;
}

static bool horizon_passed(const struct filtering *filtering)
{
    const struct batch_header *header = &filtering->batch->header;
    return (header->attributes & BATCH_DELETE_HORIZON) != 0 &&
           header->base_timestamp <= filtering->filter->now_ms;
}

static bool record_stays(const struct filtering *filtering, const struct record *record)
{
    const struct cleaner_batch *batch = filtering->batch;
    int64_t offset = batch->header.base_offset + record->offset_delta;
    if (batch->marker_useless)
        return !horizon_passed(filtering);
    if ((batch->header.attributes & BATCH_CONTROL) != 0 || offset >= filtering->filter->map_end)
        return true;
    if (slice_is_null(record->key) || offset < cleaner_map_get(filtering->filter->map, record->key))
        return false;
    if (canary(COMPACTION_DROPS_LATEST) && !slice_is_null(record->value))
        return false;
    if (canary(TOMBSTONE_TOO_EARLY) && slice_is_null(record->value))
        return false;
    return !slice_is_null(record->value) || !horizon_passed(filtering);
}

static void record_keep(
    struct filtering *filtering, const struct record *record, struct slice encoded)
{
    const struct batch_header *header = &filtering->batch->header;
    int64_t timestamp =
        (int64_t)((uint64_t)header->base_timestamp + (uint64_t)record->timestamp_delta);
    if (filtering->kept_count++ == 0 || timestamp > filtering->max_timestamp)
        filtering->max_timestamp = timestamp;
    if (slice_is_null(record->value) &&
        header->base_offset + record->offset_delta < filtering->filter->map_end)
        filtering->tombstones = true;
    buffer_append_slice(&filtering->filter->kept, encoded);
}

/* What stays goes to filter->kept. */
static const char *filter_select(struct filtering *filtering)
{
    const struct batch_header *header = &filtering->batch->header;
    struct slice records;
    filtering->filter->kept.size = 0;
    if (header->records_count == 0 || filtering->batch->discard)
        return NULL;
    const char *fault = cleaner_filter_records(filtering->filter, filtering->batch, &records);
    if (fault != NULL)
        return fault;
    struct record_cursor cursor = record_cursor_make(records, header->records_count);
    struct record record;
    const uint8_t *from = cursor.cursor;
    while (record_next(&cursor, &record)) {
        if (record.offset_delta < 0 || record.offset_delta > header->last_offset_delta)
            return "a record's offset is not the batch's";
        if (record_stays(filtering, &record))
            record_keep(filtering, &record, slice_make(from, (size_t)(cursor.cursor - from)));
        from = cursor.cursor;
    }
    return cursor.fault;
}

/* The kept records with their timestamps counted from `base`; they replace filter->inflated. */
static void filter_rebase(struct filtering *filtering, int64_t base)
{
    struct cleaner_filter *filter = filtering->filter;
    struct buffer *out = &filter->inflated;
    const struct batch_header *header = &filtering->batch->header;
    struct record_cursor cursor =
        record_cursor_make(buffer_slice(&filter->kept), filtering->kept_count);
    const uint8_t *from = cursor.cursor;
    struct record record;
    out->size = 0;
    while (record_next(&cursor, &record)) {
        int32_t size;
        int64_t delta;
        bool whole = varint_get(&from, cursor.cursor, &size);
        const uint8_t *rest = from + 1;
        whole = whole && varlong_get(&rest, cursor.cursor, &delta);
        assert(whole); /* it was walked before */
        delta = (int64_t)((uint64_t)delta + (uint64_t)header->base_timestamp - (uint64_t)base);
        size_t rest_size = (size_t)(cursor.cursor - rest);
        size_t body_size = 1 + varlong_size(delta) + rest_size;
        uint8_t *at = buffer_reserve(out, body_size + VARINT_SIZE_MAX), *start = at;
        at += varlong_put(at, (int64_t)body_size);
        *at++ = *from; /* attributes */
        at += varlong_put(at, delta);
        memcpy(at, rest, rest_size);
        out->size += (size_t)(at - start) + rest_size;
        from = cursor.cursor;
    }
    assert(cursor.fault == NULL);
}

/* Appends the batch's header with these changes, and the records. */
static void filter_write(const struct filtering *filtering, int16_t attributes,
    int64_t base_timestamp, int64_t max_timestamp, struct slice records, struct buffer *out)
{
    size_t start = out->size;
    buffer_append(out, filtering->batch->bytes.data, BATCH_HEADER_SIZE);
    compression_deflate(
        (enum batch_compression)(attributes & BATCH_COMPRESSION_MASK), records, out);
    uint8_t *at = out->data + start;
    size_t size = out->size - start;
    assert(size <= INT32_MAX);
    bytes_put_u32(at + BATCH_POS_LENGTH, (uint32_t)(size - BATCH_LENGTH_OVERHEAD));
    bytes_put_u16(at + BATCH_POS_ATTRIBUTES, (uint16_t)attributes);
    bytes_put_u64(at + BATCH_POS_BASE_TIMESTAMP, (uint64_t)base_timestamp);
    bytes_put_u64(at + BATCH_POS_MAX_TIMESTAMP, (uint64_t)max_timestamp);
    bytes_put_u32(at + BATCH_POS_RECORDS_COUNT, (uint32_t)filtering->kept_count);
    bytes_put_u32(
        at + BATCH_POS_CRC, crc32c(0, at + BATCH_POS_ATTRIBUTES, size - BATCH_POS_ATTRIBUTES));
}

static enum cleaner_left filter_empty(const struct filtering *filtering, struct buffer *out)
{
    const struct batch_header *header = &filtering->batch->header;
    if (!filtering->batch->keep_header)
        return CLEANER_LEFT_NONE;
    if (header->records_count == 0) {
        buffer_append_slice(out, filtering->batch->bytes);
        return CLEANER_LEFT_ALL;
    }
    int16_t attributes =
        (int16_t)(header->attributes & ~(BATCH_COMPRESSION_MASK | BATCH_DELETE_HORIZON));
    filter_write(
        filtering, attributes, header->max_timestamp, header->max_timestamp, SLICE_LIT(""), out);
    return CLEANER_LEFT_EMPTY;
}

static void filter_rewrite(struct filtering *filtering, bool new_horizon, struct buffer *out)
{
    struct cleaner_filter *filter = filtering->filter;
    const struct batch_header *header = &filtering->batch->header;
    int64_t base = header->base_timestamp;
    int16_t attributes = header->attributes;
    struct slice records = buffer_slice(&filter->kept);
    if (new_horizon) {
        base = filter->delete_retention_ms > INT64_MAX - filter->now_ms
                   ? INT64_MAX
                   : filter->now_ms + filter->delete_retention_ms;
        attributes = (int16_t)(attributes | BATCH_DELETE_HORIZON);
        filter_rebase(filtering, base);
        records = buffer_slice(&filter->inflated);
    }
    bool append_time = (attributes & BATCH_LOG_APPEND_TIME) != 0;
    filter_write(filtering, attributes, base,
        append_time ? header->max_timestamp : filtering->max_timestamp, records, out);
}

const char *cleaner_filter_batch(struct cleaner_filter *filter, const struct cleaner_batch *batch,
    struct buffer *out, enum cleaner_left *ret_left)
{
    const struct batch_header *header = &batch->header;
    struct filtering filtering = {.filter = filter, .batch = batch};
    assert(batch->bytes.size == batch_size(header));
    const char *fault = filter_select(&filtering);
    if (fault != NULL)
        return fault;
    bool new_horizon = (filtering.tombstones || batch->marker_useless) &&
                       (header->attributes & BATCH_DELETE_HORIZON) == 0;
    if (filtering.kept_count == 0) {
        *ret_left = filter_empty(&filtering, out);
    } else if (filtering.kept_count == header->records_count && !new_horizon) {
        buffer_append_slice(out, batch->bytes);
        *ret_left = CLEANER_LEFT_ALL;
    } else {
        filter_rewrite(&filtering, new_horizon, out);
        *ret_left = CLEANER_LEFT_SOME;
    }
    return NULL;
}
