// SPDX-License-Identifier: BSD-2-Clause
#include "wire/reader.h"
#include "runner.h"

#define READER(...) \
    reader_make(slice_make((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})))

START_TEST(reader_reads_every_fixed_type)
{
    struct reader reader = READER(1, 0xff, 0xff, 0xfe, 0xff, 0xfe, 0x80, 0, 0, 0, 0xff, 0xff, 0xff,
        0xff, 0x80, 0, 0, 0, 0, 0, 0, 1, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0);
    ck_assert(reader_bool(&reader));
    ck_assert_int_eq(reader_int8(&reader), -1);
    ck_assert_int_eq(reader_int16(&reader), -2);
    ck_assert_uint_eq(reader_uint16(&reader), 65534);
    ck_assert_int_eq(reader_int32(&reader), INT32_MIN);
    ck_assert_uint_eq(reader_uint32(&reader), UINT32_MAX);
    ck_assert_int_eq(reader_int64(&reader), INT64_MIN + 1);
    ck_assert_double_eq(reader_float64(&reader), 1.5);
    reader_finish(&reader);
    ck_assert(reader_ok(&reader));
}
END_TEST

START_TEST(reader_stays_failed_and_yields_zero)
{
    struct reader reader = READER(1, 2, 3);
    ck_assert_int_eq(reader_int32(&reader), 0);
    ck_assert(!reader_ok(&reader));
    ck_assert_int_eq(reader_int8(&reader), 0);
    ck_assert_uint_eq(reader_remaining(&reader), 0);
    reader_fail(&reader, "second");
    ck_assert_str_eq(reader.fault, "message ends early");
}
END_TEST

START_TEST(reader_of_nothing_is_empty)
{
    struct reader reader = reader_make(SLICE_NULL);
    ck_assert_uint_eq(reader_remaining(&reader), 0);
    reader_finish(&reader);
    ck_assert(reader_ok(&reader));
    reader_int8(&reader);
    ck_assert(!reader_ok(&reader));
}
END_TEST

START_TEST(reader_varints_take_what_fits)
{
    struct reader reader = READER(0, 0x7f, 0x80, 1, 0xff, 0xff, 0xff, 0xff, 0x0f);
    ck_assert_uint_eq(reader_uvarint(&reader), 0);
    ck_assert_uint_eq(reader_uvarint(&reader), 127);
    ck_assert_uint_eq(reader_uvarint(&reader), 128);
    ck_assert_uint_eq(reader_uvarint(&reader), UINT32_MAX);
    reader = READER(1, 2, 0xff, 0xff, 0xff, 0xff, 0x0f);
    ck_assert_int_eq(reader_varint(&reader), -1);
    ck_assert_int_eq(reader_varint(&reader), 1);
    ck_assert_int_eq(reader_varint(&reader), INT32_MIN);
    reader = READER(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1);
    ck_assert_int_eq(reader_varlong(&reader), INT64_MIN);
    ck_assert(reader_ok(&reader));
}
END_TEST

START_TEST(reader_varints_refuse_what_does_not_fit)
{
    struct reader reader = READER(0xff, 0xff, 0xff, 0xff, 0x1f);
    ck_assert_uint_eq(reader_uvarint(&reader), 0);
    ck_assert(!reader_ok(&reader));
    reader = READER(0x80, 0x80, 0x80, 0x80, 0x80, 0);
    reader_uvarint(&reader);
    ck_assert(!reader_ok(&reader));
    reader = READER(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2);
    reader_varlong(&reader);
    ck_assert(!reader_ok(&reader));
    reader = READER(0x80);
    reader_uvarint(&reader);
    ck_assert_str_eq(reader.fault, "message ends early");
}
END_TEST

START_TEST(reader_tells_null_from_empty)
{
    struct reader reader = READER(0xff, 0xff, 0, 0, 0, 1);
    ck_assert(slice_is_null(reader_string(&reader, false, true)));
    struct slice empty = reader_string(&reader, false, false);
    ck_assert(!slice_is_null(empty));
    ck_assert_uint_eq(empty.size, 0);
    ck_assert(slice_is_null(reader_string(&reader, true, true)));
    ck_assert(!slice_is_null(reader_bytes(&reader, true, true)));
    ck_assert(reader_ok(&reader));
}
END_TEST

START_TEST(reader_refuses_lengths_that_make_no_sense)
{
    struct reader reader = READER(0xff, 0xff);
    reader_string(&reader, false, false);
    ck_assert_str_eq(reader.fault, "null where a value is required");
    reader = READER(0xff, 0xfe);
    reader_string(&reader, false, true);
    ck_assert_str_eq(reader.fault, "negative length");
    reader = READER(0x7f, 0xff, 0xff, 0xff, 1);
    reader_bytes(&reader, false, true);
    ck_assert_str_eq(reader.fault, "message ends early");
    reader = READER(0xff, 0xff, 0xff, 0xff, 0x0f, 1);
    reader_bytes(&reader, true, true);
    ck_assert_str_eq(reader.fault, "message ends early");
}
END_TEST

START_TEST(reader_strings_are_no_longer_in_compact_form)
{
    static uint8_t bytes[3 + INT16_MAX + 1] = {0x80, 0x80, 2}; /* 32768 + 1 - 1 = 32767 */
    struct reader reader = reader_make(slice_make(bytes, sizeof(bytes)));
    ck_assert_uint_eq(reader_string(&reader, true, false).size, INT16_MAX);
    bytes[0] = 0x81;
    reader = reader_make(slice_make(bytes, sizeof(bytes)));
    reader_string(&reader, true, false);
    ck_assert_str_eq(reader.fault, "string longer than a string may be");
}
END_TEST

START_TEST(reader_array_takes_no_more_than_the_message_can_hold)
{
    struct arena arena;
    arena_init(&arena, 1 << 20);
    int32_t count = 7;
    struct reader reader = READER(0, 0, 0, 3, 1, 2, 3, 4, 5, 6);
    ck_assert_ptr_nonnull(reader_array(&reader, false, false, 2, 64, &arena, &count));
    ck_assert_int_eq(count, 3);
    reader = READER(0, 0, 0, 4, 1, 2, 3, 4, 5, 6);
    ck_assert_ptr_null(reader_array(&reader, false, false, 2, 64, &arena, &count));
    ck_assert_int_eq(count, 0);
    ck_assert_str_eq(reader.fault, "array longer than its message");
    ck_assert_uint_eq(arena.used, 3 * 64);
    arena_deinit(&arena);
}
END_TEST

START_TEST(reader_array_knows_null_and_refuses_negative)
{
    struct arena arena;
    arena_init(&arena, 1 << 20);
    int32_t count = 7;
    struct reader reader = READER(0xff, 0xff, 0xff, 0xff, 0);
    ck_assert_ptr_null(reader_array(&reader, false, true, 1, 8, &arena, &count));
    ck_assert_int_eq(count, -1);
    ck_assert_ptr_null(reader_array(&reader, true, true, 1, 8, &arena, &count));
    ck_assert_int_eq(count, -1);
    ck_assert(reader_ok(&reader));
    reader = READER(0xff, 0xff, 0xff, 0xff);
    reader_array(&reader, false, false, 1, 8, &arena, &count);
    ck_assert_str_eq(reader.fault, "null where an array is required");
    reader = READER(0x80, 0, 0, 0);
    reader_array(&reader, false, true, 1, 8, &arena, &count);
    ck_assert_str_eq(reader.fault, "negative count");
    arena_deinit(&arena);
}
END_TEST

START_TEST(reader_array_obeys_the_arenas_limit)
{
    struct arena arena;
    arena_init(&arena, 64);
    int32_t count;
    struct reader reader = READER(4, 1, 2, 3);
    ck_assert_ptr_null(reader_array(&reader, true, false, 1, 32, &arena, &count));
    ck_assert_str_eq(reader.fault, "message needs more memory than it may have");
    arena_deinit(&arena);
}
END_TEST

START_TEST(reader_walks_over_tagged_fields)
{
    struct reader reader = READER(3, 0, 1, 42, 7, 2, 0xaa, 0xbb, 9, 4, 0, 0, 0, 5, 99);
    struct reader_tag tag = READER_TAG_FIRST;
    int seen = 0;
    while (reader_tag_next(&reader, &tag)) {
        seen++;
        if (tag.number == 0)
            ck_assert_int_eq(reader_int8(&tag.value), 42);
        if (tag.number == 9)
            ck_assert_int_eq(reader_int32(&tag.value), 5);
    }
    ck_assert_int_eq(seen, 3);
    ck_assert_int_eq(reader_int8(&reader), 99);
    ck_assert(reader_ok(&reader));
}
END_TEST

START_TEST(reader_refuses_tagged_fields_that_lie)
{
    struct reader reader = READER(0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0);
    reader_skip_tags(&reader);
    ck_assert_str_eq(reader.fault, "more tagged fields than bytes");
    reader = READER(1, 0, 0xff, 0xff, 0xff, 0xff, 0x0f, 0);
    reader_skip_tags(&reader);
    ck_assert_str_eq(reader.fault, "message ends early");

    reader = READER(1, 0, 2, 42, 43);
    struct reader_tag tag = READER_TAG_FIRST;
    while (reader_tag_next(&reader, &tag))
        reader_int8(&tag.value);
    ck_assert_str_eq(reader.fault, "tagged field longer than its type");

    reader = READER(1, 0, 2, 42, 43);
    tag = READER_TAG_FIRST;
    while (reader_tag_next(&reader, &tag))
        reader_int32(&tag.value);
    ck_assert_str_eq(reader.fault, "message ends early");
}
END_TEST

TEST_MAIN("wire/reader", reader_reads_every_fixed_type, reader_stays_failed_and_yields_zero,
    reader_of_nothing_is_empty, reader_varints_take_what_fits,
    reader_varints_refuse_what_does_not_fit, reader_tells_null_from_empty,
    reader_refuses_lengths_that_make_no_sense, reader_strings_are_no_longer_in_compact_form,
    reader_array_takes_no_more_than_the_message_can_hold,
    reader_array_knows_null_and_refuses_negative, reader_array_obeys_the_arenas_limit,
    reader_walks_over_tagged_fields, reader_refuses_tagged_fields_that_lie)
