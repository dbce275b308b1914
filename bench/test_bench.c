// SPDX-License-Identifier: BSD-2-Clause
// The instrument itself: checksums, batches, histograms. A crooked ruler would go unnoticed
// otherwise.
#include "crc.h"
#include "histogram.h"
#include "kafka_frame.h"

#include "runner.h"

START_TEST(crc_known_answers)
{
    static uint8_t bytes[40000];
    uint32_t expected = ~0u;

    ck_assert_uint_eq(crc_of("123456789", 9), 0xe3069283u);
    ck_assert_uint_eq(crc_of("", 0), 0);
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)(i * 2654435761u >> 11u);
        expected ^= bytes[i];
        for (unsigned bit = 0; bit < 8; bit++)
            expected = expected >> 1u ^ (expected & 1u ? 0x82f63b78u : 0u);
    }
    ck_assert_uint_eq(crc_of(bytes, sizeof(bytes)), ~expected);
}
END_TEST

START_TEST(varints_come_back)
{
    static const int64_t values[] = {0, -1, 1, 63, -64, 64, 300, -300, INT32_MAX, INT64_MIN};
    struct frame_buffer buffer = {0};
    struct frame_reader reader;

    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        frame_put_varint(&buffer, values[i]);
    reader = frame_reader_of(buffer.data, buffer.size);
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        uint64_t bits = frame_get_uvarint(&reader);
        int64_t value = (int64_t)(bits >> 1u) ^ -(int64_t)(bits & 1u);
        ck_assert_int_eq(value, values[i]);
    }
    ck_assert(reader.ok && reader.pos == reader.end);
    (void)frame_get_i8(&reader);
    ck_assert(!reader.ok);
    frame_buffer_deinit(&buffer);
}
END_TEST

START_TEST(batches_are_scanned)
{
    struct frame_buffer buffer = {0};
    int64_t next_offset = -5;
    uint64_t records = 0, bytes = 0;
    uint32_t count = frame_put_batch(&buffer, 16384, 100);
    size_t first_size = buffer.size;

    ck_assert_uint_gt(count, 100);
    ck_assert_uint_le(buffer.size, 16384);
    ck_assert_uint_eq(frame_put_batch(&buffer, 0, 100), 1);
    frame_scan_batches(buffer.data, first_size - 1u, &next_offset, &records, &bytes);
    ck_assert_int_eq(next_offset, -5);
    frame_scan_batches(buffer.data, buffer.size, &next_offset, &records, &bytes);
    ck_assert_uint_eq(records, count + 1u);
    ck_assert_uint_eq(bytes, buffer.size);
    ck_assert_int_eq(next_offset, 1);
    frame_buffer_deinit(&buffer);
}
END_TEST

// Of three like batches and a part of a fourth only the first header is there.
START_TEST(like_batches_are_counted_by_the_first)
{
    struct frame_buffer buffer = {0};
    uint32_t count = frame_put_batch(&buffer, 16384, 100);
    int64_t next_offset = -5;
    uint64_t records = 0, bytes = 0;

    frame_scan_alike(buffer.data, buffer.size - 1u, &next_offset, &records, &bytes);
    ck_assert_int_eq(next_offset, -5);
    frame_scan_alike(buffer.data, 3u * buffer.size + 100u, &next_offset, &records, &bytes);
    ck_assert_int_eq(next_offset, 3 * (int64_t)count);
    ck_assert_uint_eq(records, 3u * count);
    ck_assert_uint_eq(bytes, 3u * buffer.size);
    frame_buffer_deinit(&buffer);
}
END_TEST

START_TEST(percentiles_are_close)
{
    static struct histogram histogram, other;

    for (uint64_t i = 1; i <= 100000; i++)
        histogram_add(i % 2 ? &histogram : &other, i * 1000u);
    histogram_merge(&histogram, &other);
    ck_assert_uint_eq(histogram.count, 100000);
    ck_assert_uint_eq(histogram.max, 100000000u);
    ck_assert_uint_ge(histogram_percentile(&histogram, 50), 50000000u);
    ck_assert_uint_le(histogram_percentile(&histogram, 50), 52000000u);
    ck_assert_uint_ge(histogram_percentile(&histogram, 99.9), 99900000u);
    ck_assert_uint_eq(histogram_percentile(&histogram, 100), 100000000u);
}
END_TEST

TEST_MAIN("bench", crc_known_answers, varints_come_back, batches_are_scanned,
    like_batches_are_counted_by_the_first, percentiles_are_close)
