// SPDX-License-Identifier: BSD-2-Clause
#include "wire/header.h"
#include "runner.h"

START_TEST(header_classic_and_flexible_are_read_back)
{
    for (int flexible = 0; flexible <= 1; flexible++) {
        struct request_header out = {3, 12, 77, SLICE_LIT("client")}, in;
        struct writer writer = WRITER_NULL;
        header_encode_request(&writer, flexible, &out);
        struct reader reader = reader_make(buffer_slice(&writer.buffer));
        ck_assert(header_decode(&reader, flexible, &in));
        reader_finish(&reader);
        ck_assert(reader_ok(&reader));
        ck_assert_int_eq(in.api_key, 3);
        ck_assert_int_eq(in.api_version, 12);
        ck_assert_int_eq(in.correlation_id, 77);
        ck_assert(slice_equal_str(in.client_id, "client"));
        writer_deinit(&writer);
    }
}
END_TEST

START_TEST(header_client_id_is_classic_even_in_version_2)
{
    static const uint8_t bytes[] = {
        0, 18, 0, 3, 0, 0, 0, 1, 0, 7, 'r', 'd', 'k', 'a', 'f', 'k', 'a', 1, 5, 2, 'x', 'y', 0};
    struct reader reader = reader_make(slice_make(bytes, sizeof(bytes)));
    struct request_header header;
    ck_assert(header_decode(&reader, true, &header));
    ck_assert_int_eq(header.api_key, 18);
    ck_assert(slice_equal_str(header.client_id, "rdkafka"));
    ck_assert_uint_eq(reader_remaining(&reader), 1);
}
END_TEST

START_TEST(header_client_id_may_be_null)
{
    static const uint8_t bytes[] = {0, 3, 0, 0, 0, 0, 0, 9, 0xff, 0xff};
    struct reader reader = reader_make(slice_make(bytes, sizeof(bytes)));
    struct request_header header;
    ck_assert(header_decode(&reader, false, &header));
    ck_assert(slice_is_null(header.client_id));
}
END_TEST

START_TEST(header_cut_anywhere_is_refused)
{
    struct request_header out = {3, 12, 77, SLICE_LIT("client")}, in;
    struct writer writer = WRITER_NULL;
    header_encode_request(&writer, true, &out);
    for (size_t size = 0; size < writer.buffer.size; size++) {
        uint8_t *copy = malloc(size + 1);
        memcpy(copy, writer.buffer.data, size);
        struct reader reader = reader_make(slice_make(copy, size));
        ck_assert(!header_decode(&reader, true, &in));
        free(copy);
    }
    writer_deinit(&writer);
}
END_TEST

START_TEST(header_response_forms)
{
    struct writer writer = WRITER_NULL;
    header_encode_response(&writer, false, 0x01020304);
    header_encode_response(&writer, true, -1);
    ck_assert_uint_eq(writer.buffer.size, 9);
    ck_assert_mem_eq(writer.buffer.data, "\1\2\3\4\xff\xff\xff\xff\0", 9);
    struct reader reader = reader_make(buffer_slice(&writer.buffer));
    int32_t id;
    ck_assert(header_decode_response(&reader, false, &id));
    ck_assert_int_eq(id, 0x01020304);
    ck_assert(header_decode_response(&reader, true, &id));
    ck_assert_int_eq(id, -1);
    ck_assert(!header_decode_response(&reader, true, &id));
    writer_deinit(&writer);
}
END_TEST

START_TEST(header_response_of_api_versions_is_never_flexible)
{
    ck_assert(!header_response_flexible(18, 3, 3));
    ck_assert(header_response_flexible(3, 9, 9));
    ck_assert(!header_response_flexible(3, 8, 9));
    ck_assert(!header_response_flexible(17, 1, INT16_MAX));
}
END_TEST

TEST_MAIN("wire/header", header_classic_and_flexible_are_read_back,
    header_client_id_is_classic_even_in_version_2, header_client_id_may_be_null,
    header_cut_anywhere_is_refused, header_response_forms,
    header_response_of_api_versions_is_never_flexible)
