// SPDX-License-Identifier: BSD-2-Clause
#include "support/cleaner_world.h"

#include "base/bytes.h"
#include "base/crc32c.h"
#include "store/batch/batch_check.h"
#include "store/batch/compression.h"
#include "store/part/part.h"

#include <check.h>
#include <stdio.h>

#define CLEANER_PASSES_MAX 1000

void cleaner_world_make(void)
{
    world_make();
    world.gaps = true;
    world.cleaner_backoff_ms = CLEANER_BACKOFF_MS;
    world.cleaner_map_size_max = 1 << 20;
    world.config.cleanup_delete = false;
    world.config.cleanup_compact = true;
    world.config.segment_size_max = 4096;
    world.config.delete_retention_ms = 1000;
    world.config.max_compaction_lag_ms = INT64_MAX;
    world.config.min_cleanable_ratio = 0;
}

/* --- appends --- */

struct keyed_append {
    struct engine_append append;
    enum engine_status status;
    bool done;
};

static void keyed_on_append(struct engine_append *append, enum engine_status status)
{
    struct keyed_append *it = container_of(append, struct keyed_append, append);
    it->done = true;
    it->status = status;
}

/* The same batch with compressed records. */
static void keyed_compress(
    const uint8_t *batch, size_t size, enum batch_compression codec, struct buffer *out)
{
    buffer_append(out, batch, BATCH_HEADER_SIZE);
    compression_deflate(
        codec, slice_make(batch + BATCH_HEADER_SIZE, size - BATCH_HEADER_SIZE), out);
    uint8_t *at = out->data;
    bytes_put_u32(at + BATCH_POS_LENGTH, (uint32_t)(out->size - BATCH_LENGTH_OVERHEAD));
    bytes_put_u16(at + BATCH_POS_ATTRIBUTES,
        (uint16_t)(bytes_get_u16(at + BATCH_POS_ATTRIBUTES) | (unsigned)codec));
    bytes_put_u32(
        at + BATCH_POS_CRC, crc32c(0, at + BATCH_POS_ATTRIBUTES, out->size - BATCH_POS_ATTRIBUTES));
}

static int64_t keyed_append(struct batch_builder *builder, enum batch_compression codec)
{
    struct buffer bytes = BUFFER_NULL;
    size_t size;
    uint8_t *plain = batch_builder_finish(builder, &size);
    keyed_compress(plain, size, codec, &bytes);
    struct keyed_append it = {.append = {.data = bytes.data,
                                  .size = bytes.size,
                                  .flags = ENGINE_APPEND_DURABLE,
                                  .done = keyed_on_append}};
    world.depth++;
    enum engine_status answer = world.engine->ops->part_append(world.part, &it.append);
    world.depth--;
    if (answer == ENGINE_PENDING) {
        step_settle();
        ck_assert(it.done);
        answer = it.status;
    }
    buffer_deinit(&bytes);
    batch_builder_deinit(builder);
    return answer == ENGINE_OK ? it.append.base_offset : -1;
}

int64_t keyed_put(const struct keyed_batch *batch)
{
    struct batch_builder builder;
    batch_builder_init(&builder);
    for (unsigned i = 0; i < batch->n_records; i++) {
        const struct keyed *record = &batch->records[i];
        batch_builder_append(&builder,
            &(struct batch_record){
                .timestamp_ms = record->timestamp == 0 ? world.faulty.real_ms : record->timestamp,
                .key = slice_from_str(record->key),
                .value = slice_from_str(record->value)});
    }
    builder.attributes = batch->attributes;
    if (batch->producer_id > 0) {
        builder.producer_id = batch->producer_id;
        builder.producer_epoch = batch->producer_epoch;
        builder.base_sequence = batch->base_sequence;
    }
    return keyed_append(&builder, batch->codec);
}

int64_t keyed_put_one(const char *key, const char *value)
{
    struct keyed record = {.key = key, .value = value};
    return keyed_put(&(struct keyed_batch){.records = &record, .n_records = 1});
}

int64_t keyed_put_marker(int64_t producer_id, int16_t epoch, bool commit)
{
    struct batch_builder builder;
    uint8_t key[4] = {0, 0, 0, commit}, value[6] = {0};
    batch_builder_init(&builder);
    builder.attributes = BATCH_CONTROL | BATCH_TRANSACTIONAL;
    builder.producer_id = producer_id;
    builder.producer_epoch = epoch;
    batch_builder_append(&builder, &(struct batch_record){.timestamp_ms = world.faulty.real_ms,
                                       .key = slice_make(key, sizeof(key)),
                                       .value = slice_make(value, sizeof(value))});
    return keyed_append(&builder, BATCH_NONE);
}

void keyed_roll(void)
{
    int64_t ms_max = world.config.segment_ms_max;
    world.config.segment_ms_max = -1;
    world.engine->ops->part_configure(world.part, &world.config);
    ck_assert_int_ge(keyed_put_one("roll", "x"), 0);
    world.config.segment_ms_max = ms_max;
    world.engine->ops->part_configure(world.part, &world.config);
}

void cleaner_look_now(void)
{
    step_advance(CLEANER_BACKOFF_MS);
    for (unsigned i = 0; i < CLEANER_PASSES_MAX && world.part->clean_more; i++)
        step_advance(1);
}

/* --- what is there --- */

static bool seen_copy(struct slice from, char to[SEEN_TEXT_MAX])
{
    ck_assert_uint_lt(from.size, SEEN_TEXT_MAX);
    if (from.size > 0)
        memcpy(to, from.data, from.size);
    to[from.size] = '\0';
    return !slice_is_null(from);
}

static void seen_add_records(
    struct seen_log *log, const struct batch_header *header, struct slice records)
{
    struct record_cursor cursor = record_cursor_make(records, header->records_count);
    struct record record;
    while (record_next(&cursor, &record)) {
        log->records = xrealloc(log->records, (log->n_records + 1) * sizeof(*log->records));
        struct seen *seen = &log->records[log->n_records];
        seen->offset = header->base_offset + record.offset_delta;
        seen->timestamp = header->base_timestamp + record.timestamp_delta;
        ck_assert_int_le(seen->offset, batch_last_offset(header));
        ck_assert_int_le(seen->timestamp, header->max_timestamp);
        if (log->n_records > 0)
            ck_assert_int_gt(seen->offset, log->records[log->n_records - 1].offset);
        seen->has_key = seen_copy(record.key, seen->key);
        seen->has_value = seen_copy(record.value, seen->value);
        log->n_records++;
    }
    ck_assert_ptr_null(cursor.fault);
}

static void seen_add_batch(struct seen_log *log, const uint8_t *at)
{
    struct batch_header header = batch_header_parse(at);
    struct slice records =
        slice_make(at + BATCH_HEADER_SIZE, batch_size(&header) - BATCH_HEADER_SIZE);
    struct buffer inflated = BUFFER_NULL;
    log->batches = xrealloc(log->batches, (log->n_batches + 1) * sizeof(*log->batches));
    log->batches[log->n_batches++] = (struct seen_batch){header, log->n_records};
    unsigned codec = (unsigned)header.attributes & BATCH_COMPRESSION_MASK;
    ck_assert(header.records_count > 0 || codec == BATCH_NONE);
    int r = compression_inflate(
        (enum batch_compression)codec, records, BATCH_INFLATED_SIZE_MAX, &inflated);
    ck_assert_int_eq(r, 0);
    buffer_reserve(&inflated, 1);
    seen_add_records(log, &header, buffer_slice(&inflated));
    buffer_deinit(&inflated);
}

struct seen_log seen_read(void)
{
    struct seen_log log = {.records = NULL};
    struct part_state state = world_state(world.part);
    int64_t offset = state.log_start;
    while (offset < state.high_watermark) {
        struct world_read read = world_read(world.part, offset, 2000, true);
        ck_assert_int_eq(read.status, ENGINE_OK);
        ck_assert_uint_gt(read.n_batches, 0);
        ck_assert_int_gt(read.next_offset, offset);
        for (size_t at = 0; at < read.size;) {
            struct batch_header header = batch_header_parse(read.bytes + at);
            seen_add_batch(&log, read.bytes + at);
            at += batch_size(&header);
        }
        offset = read.next_offset;
        free(read.bytes);
    }
    ck_assert_int_eq(offset, state.high_watermark);
    return log;
}

void seen_free(struct seen_log *log)
{
    free(log->records);
    free(log->batches);
    *log = (struct seen_log){.records = NULL};
}

const struct seen *seen_last(const struct seen_log *log, const char *key)
{
    for (unsigned i = log->n_records; i-- > 0;) {
        if (log->records[i].has_key && strcmp(log->records[i].key, key) == 0)
            return &log->records[i];
    }
    return NULL;
}

const char *seen_text(const struct seen_log *log)
{
    static char text[4096];
    size_t size = 0;
    text[0] = '\0';
    for (unsigned i = 0; i < log->n_records; i++) {
        const struct seen *seen = &log->records[i];
        if (strcmp(seen->key, "roll") == 0)
            continue;
        size += (size_t)snprintf(text + size, sizeof(text) - size, "%s=%s ",
            seen->has_key ? seen->key : "?", seen->has_value ? seen->value : "-");
        ck_assert_uint_lt(size, sizeof(text));
    }
    return text;
}
