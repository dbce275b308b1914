// SPDX-License-Identifier: BSD-2-Clause
/*
 * check: shape -> header -> records -> rewrite. The first fault ends it, except that faulty records
 * are collected so that the client learns all of them (up to a limit).
 *
 * A batch is rewritten when the topic stores another compression, or when its records do not number
 * their offsets 0, 1, 2, ... (readers would compute wrong offsets); else at most the timestamp
 * type, the greatest timestamp and the CRC change in place.
 */
#include "store/batch/batch_check.h"
#include "base/bytes.h"
#include "base/canary.h"
#include "base/crc32c.h"
#include "store/batch/batch_builder.h"
#include "store/batch/compression.h"

#include <assert.h>

struct batch_checking {
    const struct batch_rules *rules;
    struct arena *arena;
    struct batch_verdict *verdict;
    struct slice records;  /* uncompressed */
    int64_t max_timestamp; /* of the walked records */
    bool walked;           /* max_timestamp and in_sequence are known */
    bool in_sequence;      /* offset deltas are 0, 1, 2, ... */
};

static bool check_fail(struct batch_checking *checking, enum batch_fault fault, const char *message)
{
    checking->verdict->fault = fault;
    checking->verdict->message = message;
    return false;
}

static enum batch_compression check_codec(const struct batch_header *header)
{
    return (enum batch_compression)(header->attributes & BATCH_COMPRESSION_MASK);
}

/* Exactly one whole batch of magic 2. */
static bool check_shape(struct batch_checking *checking, const uint8_t *data, size_t size)
{
    if (data == NULL || size < BATCH_HEADER_SIZE)
        return check_fail(checking, BATCH_NOT_ONE, "There is no record batch");
    struct batch_header header = batch_header_parse(data);
    if (header.magic < 0 || header.magic > 2)
        return check_fail(checking, BATCH_CORRUPT, "The record batch is of an unknown magic");
    if (header.magic != 2)
        return check_fail(checking, BATCH_NOT_ONE, "The record batch is not of magic 2");
    if (header.length < BATCH_HEADER_SIZE - BATCH_LENGTH_OVERHEAD)
        return check_fail(checking, BATCH_CORRUPT, "The record batch is shorter than its header");
    if (batch_size(&header) > size)
        return check_fail(checking, BATCH_NOT_ONE, "The record batch is not complete");
    if (batch_size(&header) < size)
        return check_fail(checking, BATCH_NOT_ONE, "There is more than one record batch");
    checking->verdict->header = header;
    return true;
}

static bool check_header(struct batch_checking *checking, const uint8_t *data, size_t size)
{
    const struct batch_header *header = &checking->verdict->header;
    if (check_codec(header) > BATCH_ZSTD ||
        (check_codec(header) == BATCH_ZSTD && !checking->rules->zstd_allowed))
        return check_fail(checking, BATCH_CODEC_UNKNOWN,
            "The compression cannot be used with this version of the request");
    if (header->base_offset != 0)
        return check_fail(checking, BATCH_INVALID, "The base offset of the record batch is not 0");
    if (size > (size_t)checking->rules->size_max)
        return check_fail(
            checking, BATCH_TOO_LARGE, "The record batch is larger than max.message.bytes");
    if (!batch_crc_valid(data, header) && !canary(CRC_UNCHECKED))
        return check_fail(checking, BATCH_CORRUPT, "The CRC of the record batch does not match");
    if (header->records_count <= 0 || header->last_offset_delta < 0 ||
        header->last_offset_delta != header->records_count - 1)
        return check_fail(checking, BATCH_INVALID,
            "The offset range and the number of records of the batch disagree");
    if ((header->attributes & BATCH_CONTROL) != 0)
        return check_fail(checking, BATCH_INVALID, "Clients may not write control records");
    if (header->producer_id >= 0 && header->base_sequence < 0)
        return check_fail(
            checking, BATCH_INVALID, "A record batch with a producer id needs a sequence number");
    if ((header->attributes & BATCH_LOG_APPEND_TIME) != 0)
        return check_fail(checking, BATCH_TIMESTAMP,
            "The producer may not set the timestamp type to LogAppendTime");
    return true;
}

/* A record without a timestamp (-1) is within every limit. */
static bool check_time_ok(const struct batch_rules *rules, int64_t timestamp)
{
    if (timestamp == -1)
        return true;
    int64_t age;
    if (__builtin_sub_overflow(rules->now_ms, timestamp, &age))
        age = timestamp < 0 ? INT64_MAX : -INT64_MAX;
    return age <= rules->timestamp_before_ms_max && -age <= rules->timestamp_after_ms_max;
}

static bool check_must_walk(struct batch_checking *checking)
{
    const struct batch_rules *rules = checking->rules;
    enum batch_compression codec = check_codec(&checking->verdict->header);
    if (codec == BATCH_NONE || rules->compact)
        return true;
    if (rules->compression >= 0 && rules->compression != (int8_t)codec)
        return true;
    if (rules->log_append_time)
        return false;
    /* The greatest timestamp is in the header: when that one is too late, the walk finds out which
     * records are. */
    return rules->timestamp_before_ms_max != INT64_MAX ||
           !check_time_ok(rules, checking->verdict->header.max_timestamp);
}

static void check_record_fault(
    struct batch_checking *checking, int32_t index, enum batch_fault fault, const char *message)
{
    struct batch_verdict *verdict = checking->verdict;
    if (verdict->record_faults == NULL) {
        verdict->record_faults =
            arena_new_n(checking->arena, struct batch_record_fault, BATCH_RECORD_FAULTS_MAX);
        verdict->fault = fault; /* the first one names the error of the batch */
        verdict->message = "One or more records were rejected";
    }
    if (verdict->record_faults_count < BATCH_RECORD_FAULTS_MAX)
        verdict->record_faults[verdict->record_faults_count++] =
            (struct batch_record_fault){index, message};
}

static void check_record(
    struct batch_checking *checking, int32_t index, const struct record *record)
{
    const struct batch_rules *rules = checking->rules;
    int64_t timestamp;
    if (record->offset_delta != index)
        checking->in_sequence = false;
    if (rules->compact && slice_is_null(record->key)) {
        check_record_fault(checking, index, BATCH_INVALID,
            "A compacted topic cannot accept a message without key");
    } else if (__builtin_add_overflow(
                   checking->verdict->header.base_timestamp, record->timestamp_delta, &timestamp)) {
        check_record_fault(checking, index, BATCH_TIMESTAMP, "The timestamp is out of range");
    } else {
        if (timestamp > checking->max_timestamp)
            checking->max_timestamp = timestamp;
        if (!rules->log_append_time && !check_time_ok(rules, timestamp))
            check_record_fault(checking, index, BATCH_TIMESTAMP,
                "The timestamp is outside message.timestamp.before.max.ms and "
                "message.timestamp.after.max.ms");
    }
}

static bool check_walk(struct batch_checking *checking)
{
    struct record_cursor cursor =
        record_cursor_make(checking->records, checking->verdict->header.records_count);
    struct record record;
    checking->max_timestamp = -1;
    checking->in_sequence = true;
    checking->walked = true;
    for (int32_t index = 0; record_next(&cursor, &record); index++)
        check_record(checking, index, &record);
    if (cursor.fault != NULL) {
        checking->verdict->record_faults_count = 0;
        return check_fail(checking, BATCH_INVALID, cursor.fault);
    }
    return checking->verdict->fault == BATCH_GOOD;
}

/* Number the offsets anew; everything else stays. */
static void check_renumber(struct batch_checking *checking, struct batch_builder *builder)
{
    const struct batch_header *header = &checking->verdict->header;
    struct record_cursor cursor = record_cursor_make(checking->records, header->records_count);
    struct record record;
    batch_builder_reset(builder);
    while (record_next(&cursor, &record)) {
        struct batch_record copy = {
            .timestamp_ms = header->base_timestamp + record.timestamp_delta,
            .key = record.key,
            .value = record.value,
            .n_headers = (size_t)record.headers_count,
            .encoded_headers = record.headers,
        };
        batch_builder_append(builder, &copy);
    }
    checking->records = slice_make(
        builder->buffer.data + BATCH_HEADER_SIZE, builder->buffer.size - BATCH_HEADER_SIZE);
    checking->verdict->header.base_timestamp = builder->base_timestamp;
}

/* A new batch in the arena around checking->records. */
static bool check_rebuild(
    struct batch_checking *checking, const uint8_t *data, enum batch_compression codec)
{
    struct batch_verdict *verdict = checking->verdict;
    _cleanup_(buffer_deinit) struct buffer buffer = BUFFER_NULL;
    buffer_append(&buffer, data, BATCH_HEADER_SIZE);
    compression_deflate_at(codec, checking->rules->levels, checking->records, &buffer);
    if (buffer.size > (size_t)checking->rules->size_max)
        return check_fail(
            checking, BATCH_TOO_LARGE, "The record batch is larger than max.message.bytes");
    verdict->header.length = (int32_t)(buffer.size - BATCH_LENGTH_OVERHEAD);
    verdict->header.attributes =
        (int16_t)((verdict->header.attributes & ~BATCH_COMPRESSION_MASK) | (int16_t)codec);
    bytes_put_u32(buffer.data + BATCH_POS_LENGTH, (uint32_t)verdict->header.length);
    bytes_put_u16(buffer.data + BATCH_POS_ATTRIBUTES, (uint16_t)verdict->header.attributes);
    bytes_put_u64(buffer.data + BATCH_POS_BASE_TIMESTAMP, (uint64_t)verdict->header.base_timestamp);
    struct slice copy = arena_copy_slice(checking->arena, buffer_slice(&buffer));
    verdict->data = (uint8_t *)(uintptr_t)copy.data;
    verdict->size = copy.size;
    return true;
}

static void check_stamp(struct batch_checking *checking, bool changed)
{
    struct batch_verdict *verdict = checking->verdict;
    struct batch_header *header = &verdict->header;
    int64_t max_timestamp = header->max_timestamp;
    if (checking->rules->log_append_time) {
        max_timestamp = checking->rules->now_ms;
        header->attributes = (int16_t)(header->attributes | BATCH_LOG_APPEND_TIME);
        changed = true;
    } else if (checking->walked) {
        max_timestamp = checking->max_timestamp;
    }
    if (!changed && max_timestamp == header->max_timestamp)
        return;
    header->max_timestamp = max_timestamp;
    bytes_put_u16(verdict->data + BATCH_POS_ATTRIBUTES, (uint16_t)header->attributes);
    bytes_put_u64(verdict->data + BATCH_POS_MAX_TIMESTAMP, (uint64_t)max_timestamp);
    header->crc =
        crc32c(0, verdict->data + BATCH_POS_ATTRIBUTES, verdict->size - BATCH_POS_ATTRIBUTES);
    bytes_put_u32(verdict->data + BATCH_POS_CRC, header->crc);
}

/* The records, inflated and walked where needed, and the batch rewritten where needed. */
static bool check_records(
    struct batch_checking *checking, uint8_t *data, size_t size, struct buffer *inflated)
{
    struct batch_verdict *verdict = checking->verdict;
    enum batch_compression source = check_codec(&verdict->header);
    enum batch_compression target = checking->rules->compression < 0
                                        ? source
                                        : (enum batch_compression)checking->rules->compression;
    verdict->data = data;
    verdict->size = size;
    if (!check_must_walk(checking)) {
        check_stamp(checking, false);
        return true;
    }
    checking->records = slice_make(data + BATCH_HEADER_SIZE, size - BATCH_HEADER_SIZE);
    if (source != BATCH_NONE) {
        int r = compression_inflate(source, checking->records, BATCH_INFLATED_SIZE_MAX, inflated);
        if (r == COMPRESSION_TOO_LARGE)
            return check_fail(
                checking, BATCH_TOO_LARGE, "The record batch is too large when decompressed");
        if (r != 0)
            return check_fail(checking, BATCH_CORRUPT, "The record batch cannot be decompressed");
        checking->records = slice_make(
            inflated->data == NULL ? (const uint8_t *)"" : inflated->data, inflated->size);
    }
    if (!check_walk(checking))
        return false;
    struct batch_builder builder;
    batch_builder_init(&builder);
    bool rebuild = !checking->in_sequence || source != target, good = true;
    if (!checking->in_sequence)
        check_renumber(checking, &builder);
    if (rebuild)
        good = check_rebuild(checking, data, target);
    batch_builder_deinit(&builder);
    if (good)
        check_stamp(checking, rebuild);
    return good;
}

void batch_check(uint8_t *data, size_t size, const struct batch_rules *rules, struct arena *arena,
    struct batch_verdict *ret_verdict)
{
    assert(rules->compression >= -1 && rules->compression <= BATCH_ZSTD);
    *ret_verdict = (struct batch_verdict){.fault = BATCH_GOOD};
    struct batch_checking checking = {.rules = rules, .arena = arena, .verdict = ret_verdict};
    _cleanup_(buffer_deinit) struct buffer inflated = BUFFER_NULL;
    if (check_shape(&checking, data, size) && check_header(&checking, data, size))
        check_records(&checking, data, size, &inflated);
    assert((ret_verdict->fault == BATCH_GOOD) == (ret_verdict->message == NULL));
}
