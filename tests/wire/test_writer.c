// SPDX-License-Identifier: BSD-2-Clause
#include "wire/writer.h"
#include "wire/reader.h"
#include "wire/size.h"
#include "runner.h"

#include <stdatomic.h>

static void assert_bytes(const struct writer *writer, const char *bytes, size_t size)
{
    ck_assert_uint_eq(writer->buffer.size, size);
    ck_assert_mem_eq(writer->buffer.data, bytes, size);
}
#define ASSERT_BYTES(writer, lit) assert_bytes((writer), "" lit, sizeof(lit) - 1)

START_TEST(writer_writes_big_endian)
{
    struct writer writer = WRITER_NULL;
    writer_bool(&writer, true);
    writer_int8(&writer, -2);
    writer_int16(&writer, -2);
    writer_uint16(&writer, 0x1234);
    writer_int32(&writer, 0x01020304);
    writer_uint32(&writer, UINT32_MAX);
    writer_int64(&writer, -1);
    writer_float64(&writer, 1.5);
    ASSERT_BYTES(&writer, "\1\xfe\xff\xfe\x12\x34\1\2\3\4\xff\xff\xff\xff"
                          "\xff\xff\xff\xff\xff\xff\xff\xff\x3f\xf8\0\0\0\0\0\0");
    writer_deinit(&writer);
}
END_TEST

START_TEST(writer_varints_are_read_back)
{
    static const int64_t values[] = {
        0, 1, -1, 63, 64, -64, -65, 8191, 8192, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN};
    struct writer writer = WRITER_NULL;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        writer_varlong(&writer, values[i]);
        writer_varint(&writer, (int32_t)values[i]);
        writer_uvarint(&writer, (uint32_t)values[i]);
    }
    struct reader reader = reader_make(buffer_slice(&writer.buffer));
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        ck_assert_int_eq(reader_varlong(&reader), values[i]);
        ck_assert_int_eq(reader_varint(&reader), (int32_t)values[i]);
        ck_assert_uint_eq(reader_uvarint(&reader), (uint32_t)values[i]);
    }
    reader_finish(&reader);
    ck_assert(reader_ok(&reader));
    writer_deinit(&writer);
}
END_TEST

START_TEST(writer_tells_null_from_empty_where_it_may)
{
    struct writer writer = WRITER_NULL;
    writer_string(&writer, false, SLICE_NULL);
    writer_string(&writer, true, SLICE_NULL);
    writer_string(&writer, true, SLICE_LIT(""));
    writer_field_string(&writer, false, false, SLICE_NULL);
    writer_field_bytes(&writer, false, true, SLICE_NULL);
    writer_array(&writer, false, true, -1);
    writer_array(&writer, true, false, -1);
    writer_array_count(&writer, true, -1);
    ASSERT_BYTES(&writer, "\xff\xff\0\1\0\0\xff\xff\xff\xff\xff\xff\xff\xff\1\0");
    writer_deinit(&writer);
}
END_TEST

static atomic_int released;

static void owner_release(struct ref *ref)
{
    (void)ref;
    released++;
}

START_TEST(writer_splices_chunks_and_releases_them)
{
    struct ref owner;
    ref_init(&owner, owner_release);
    ref_get(&owner);
    struct chunk chunks[] = {
        {.data = (const uint8_t *)"abc", .fd = -1, .size = 3, .owner = &owner},
        {.fd = 5, .pos = 100, .size = 1000, .owner = &owner},
    };
    struct records records = {.chunks = chunks, .chunks_count = 2};
    struct writer writer = WRITER_NULL;
    writer_int8(&writer, 1);
    writer_records(&writer, true, &records);
    writer_int8(&writer, 2);
    ASSERT_BYTES(&writer, "\1\xec\7\2"); /* 1003 + 1 */
    ck_assert_uint_eq(writer.n_splices, 2);
    ck_assert_uint_eq(writer.splices[0].at, 3);
    ck_assert_uint_eq(writer.splices[1].at, 3);
    ck_assert_uint_eq(writer_size(&writer), 4 + 1003);
    ck_assert_uint_eq(size_records(true, &records), 2 + 1003);
    ck_assert_int_eq(released, 0);
    writer_deinit(&writer);
    ck_assert_int_eq(released, 1);
}
END_TEST

START_TEST(writer_null_records_are_null_only_where_allowed)
{
    struct writer writer = WRITER_NULL;
    writer_field_records(&writer, false, true, &RECORDS_NULL);
    writer_field_records(&writer, false, false, &RECORDS_NULL);
    writer_field_records(&writer, true, true, &RECORDS_EMPTY);
    ASSERT_BYTES(&writer, "\xff\xff\xff\xff\0\0\0\0\1");
    writer_deinit(&writer);
}
END_TEST

START_TEST(writer_cuts_strings_that_are_too_long)
{
    static uint8_t bytes[INT16_MAX + 1];
    for (int flexible = 0; flexible <= 1; flexible++) {
        struct writer writer = WRITER_NULL;
        writer_string(&writer, flexible, slice_make(bytes, sizeof(bytes)));
        ck_assert_uint_eq(
            writer.buffer.size, size_string(flexible, slice_make(bytes, sizeof(bytes))));
        struct reader reader = reader_make(buffer_slice(&writer.buffer));
        ck_assert_uint_eq(reader_string(&reader, flexible, false).size, INT16_MAX);
        writer_deinit(&writer);
    }
}
END_TEST

START_TEST(sizes_agree_with_the_writer)
{
    static const size_t sizes[] = {0, 1, 126, 127, 128, 16382, 16383, 16384, INT16_MAX};
    static uint8_t bytes[INT16_MAX];
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        for (int flexible = 0; flexible <= 1; flexible++) {
            struct slice s = slice_make(bytes, sizes[i]);
            struct writer writer = WRITER_NULL;
            writer_string(&writer, flexible, s);
            ck_assert_uint_eq(writer.buffer.size, size_string(flexible, s));
            writer.buffer.size = 0;
            writer_bytes(&writer, flexible, s);
            ck_assert_uint_eq(writer.buffer.size, size_bytes(flexible, s));
            writer.buffer.size = 0;
            writer_array(&writer, flexible, true, (int32_t)sizes[i] - 1);
            ck_assert_uint_eq(writer.buffer.size, size_array(flexible, (int32_t)sizes[i] - 1));
            writer.buffer.size = 0;
            writer_tag(&writer, (uint32_t)i, s.size);
            writer_raw(&writer, s);
            ck_assert_uint_eq(writer.buffer.size, size_tag((uint32_t)i, s.size));
            writer_deinit(&writer);
        }
    }
}
END_TEST

TEST_MAIN("wire/writer", writer_writes_big_endian, writer_varints_are_read_back,
    writer_tells_null_from_empty_where_it_may, writer_splices_chunks_and_releases_them,
    writer_null_records_are_null_only_where_allowed, writer_cuts_strings_that_are_too_long,
    sizes_agree_with_the_writer)
