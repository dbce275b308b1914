// SPDX-License-Identifier: BSD-2-Clause
#include "store/batch/batch_builder.h"
#include "base/varint.h"
#include "runner.h"

static struct slice records_of(const uint8_t *batch, size_t size)
{
    return slice_make(batch + BATCH_HEADER_SIZE, size - BATCH_HEADER_SIZE);
}

static void builder_fill(struct batch_builder *builder)
{
    const struct record_header headers[] = {
        {SLICE_LIT("trace"), SLICE_LIT("abc")},
        {SLICE_LIT("empty"), SLICE_LIT("")},
        {SLICE_LIT("null"), SLICE_NULL},
    };
    batch_builder_init(builder);
    batch_builder_append(builder, &(struct batch_record){.timestamp_ms = 1000,
                                      .key = SLICE_LIT("k"),
                                      .value = SLICE_LIT("v"),
                                      .headers = headers,
                                      .n_headers = 3});
    batch_builder_append(
        builder, &(struct batch_record){.timestamp_ms = 900, .value = SLICE_LIT("")});
    batch_builder_append(
        builder, &(struct batch_record){.timestamp_ms = 5000, .key = SLICE_LIT("k")});
}

START_TEST(records_come_back_as_they_were_built)
{
    struct batch_builder builder;
    builder_fill(&builder);
    size_t expected = batch_builder_size(&builder), size;
    uint8_t *batch = batch_builder_finish(&builder, &size);
    ck_assert_uint_eq(size, expected);
    struct batch_header header = batch_header_parse(batch);
    ck_assert(batch_header_sane(&header));
    ck_assert_uint_eq(batch_size(&header), size);
    ck_assert(batch_crc_valid(batch, &header));
    ck_assert_int_eq(header.base_timestamp, 1000);
    ck_assert_int_eq(header.max_timestamp, 5000);
    ck_assert_int_eq(header.producer_id, -1);
    ck_assert_int_eq(header.last_offset_delta, 2);

    struct record_cursor cursor = record_cursor_make(records_of(batch, size), header.records_count);
    struct record record;
    struct record_header field;
    ck_assert(record_next(&cursor, &record));
    ck_assert(slice_equal_str(record.key, "k"));
    ck_assert(slice_equal_str(record.value, "v"));
    ck_assert_int_eq(record.headers_count, 3);
    ck_assert(record_header_next(&record.headers, &field));
    ck_assert(slice_equal_str(field.key, "trace") && slice_equal_str(field.value, "abc"));
    ck_assert(record_header_next(&record.headers, &field));
    ck_assert(!slice_is_null(field.value) && field.value.size == 0);
    ck_assert(record_header_next(&record.headers, &field));
    ck_assert(slice_is_null(field.value));
    ck_assert(!record_header_next(&record.headers, &field));

    ck_assert(record_next(&cursor, &record));
    ck_assert(slice_is_null(record.key) && !slice_is_null(record.value));
    ck_assert_int_eq(record.timestamp_delta, -100);
    ck_assert_int_eq(record.offset_delta, 1);
    ck_assert(record_next(&cursor, &record));
    ck_assert(slice_is_null(record.value));
    ck_assert(!record_next(&cursor, &record));
    ck_assert_ptr_null(cursor.fault);
    batch_builder_deinit(&builder);
}
END_TEST

/* Cut at each byte, and each byte changed: the walk ends, with a fault or without, and never reads
 * outside a block of exactly that size (the address sanitizer watches). */
START_TEST(records_survive_every_cut_and_every_change)
{
    struct batch_builder builder;
    builder_fill(&builder);
    size_t size;
    uint8_t *batch = batch_builder_finish(&builder, &size);
    struct slice records = records_of(batch, size);
    for (size_t cut = 0; cut < records.size; cut++) {
        uint8_t *copy = xmalloc(cut + 1);
        memcpy(copy, records.data, cut);
        struct record_cursor cursor = record_cursor_make(slice_make(copy, cut), 3);
        struct record record;
        while (record_next(&cursor, &record))
            continue;
        ck_assert_ptr_nonnull(cursor.fault);
        free(copy);
    }
    for (size_t at = 0; at < records.size; at++) {
        for (unsigned value = 0; value < 256; value++) {
            uint8_t *copy = xmalloc(records.size);
            memcpy(copy, records.data, records.size);
            copy[at] = (uint8_t)value;
            struct record_cursor cursor = record_cursor_make(slice_make(copy, records.size), 3);
            struct record record;
            while (record_next(&cursor, &record)) {
                struct record_header field;
                while (record_header_next(&record.headers, &field))
                    continue;
            }
            free(copy);
        }
    }
    batch_builder_deinit(&builder);
}
END_TEST

START_TEST(records_count_must_match)
{
    struct batch_builder builder;
    builder_fill(&builder);
    size_t size;
    uint8_t *batch = batch_builder_finish(&builder, &size);
    const int32_t counts[] = {-1, 0, 2, 4, INT32_MAX};
    for (size_t i = 0; i < ARRAY_COUNT(counts); i++) {
        struct record_cursor cursor = record_cursor_make(records_of(batch, size), counts[i]);
        struct record record;
        while (record_next(&cursor, &record))
            continue;
        ck_assert_ptr_nonnull(cursor.fault);
    }
    batch_builder_deinit(&builder);
}
END_TEST

START_TEST(varints_round_trip)
{
    const int64_t values[] = {
        0, 1, -1, 63, 64, -64, -65, 300, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < ARRAY_COUNT(values); i++) {
        uint8_t bytes[VARLONG_SIZE_MAX];
        size_t size = varlong_put(bytes, values[i]);
        ck_assert_uint_eq(size, varlong_size(values[i]));
        const uint8_t *cursor = bytes;
        int64_t value;
        ck_assert(varlong_get(&cursor, bytes + size, &value));
        ck_assert_int_eq(value, values[i]);
        ck_assert_ptr_eq(cursor, bytes + size);
        cursor = bytes;
        ck_assert(!varlong_get(&cursor, bytes + size - 1, &value));
        int32_t narrow;
        cursor = bytes;
        if (values[i] >= INT32_MIN && values[i] <= INT32_MAX) {
            ck_assert(varint_get(&cursor, bytes + size, &narrow));
            ck_assert_int_eq(narrow, values[i]);
        } else {
            ck_assert(!varint_get(&cursor, bytes + size, &narrow));
        }
    }
}
END_TEST

TEST_MAIN("store/records", records_come_back_as_they_were_built,
    records_survive_every_cut_and_every_change, records_count_must_match, varints_round_trip)
