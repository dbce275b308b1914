// SPDX-License-Identifier: BSD-2-Clause
#include "base/bytes.h"
#include "base/crc32c.h"
#include "store/batch/batch.h"
#include "runner.h"

/* An empty batch with every field set to something of its own. */
static void batch_fill(uint8_t *at, int32_t size)
{
    memset(at, 0x5a, (size_t)size);
    bytes_put_u64(at + BATCH_POS_BASE_OFFSET, 1000);
    bytes_put_u32(at + BATCH_POS_LENGTH, (uint32_t)size - BATCH_LENGTH_OVERHEAD);
    bytes_put_u32(at + BATCH_POS_LEADER_EPOCH, 7);
    at[BATCH_POS_MAGIC] = 2;
    bytes_put_u16(at + BATCH_POS_ATTRIBUTES, BATCH_ZSTD | BATCH_TRANSACTIONAL);
    bytes_put_u32(at + BATCH_POS_LAST_OFFSET_DELTA, 9);
    bytes_put_u64(at + BATCH_POS_BASE_TIMESTAMP, 1111);
    bytes_put_u64(at + BATCH_POS_MAX_TIMESTAMP, 2222);
    bytes_put_u64(at + BATCH_POS_PRODUCER_ID, UINT64_MAX);
    bytes_put_u16(at + BATCH_POS_PRODUCER_EPOCH, 3);
    bytes_put_u32(at + BATCH_POS_BASE_SEQUENCE, 44);
    bytes_put_u32(at + BATCH_POS_RECORDS_COUNT, 10);
    bytes_put_u32(at + BATCH_POS_CRC,
        crc32c(0, at + BATCH_POS_ATTRIBUTES, (size_t)size - BATCH_POS_ATTRIBUTES));
}

START_TEST(batch_fields_are_where_kafka_has_them)
{
    uint8_t batch[100];
    batch_fill(batch, sizeof(batch));
    struct batch_header header = batch_header_parse(batch);
    ck_assert_int_eq(header.base_offset, 1000);
    ck_assert_uint_eq(batch_size(&header), sizeof(batch));
    ck_assert_int_eq(header.leader_epoch, 7);
    ck_assert_int_eq(header.attributes, BATCH_ZSTD | BATCH_TRANSACTIONAL);
    ck_assert_int_eq(batch_last_offset(&header), 1009);
    ck_assert_int_eq(header.base_timestamp, 1111);
    ck_assert_int_eq(header.max_timestamp, 2222);
    ck_assert_int_eq(header.producer_id, -1);
    ck_assert_int_eq(header.producer_epoch, 3);
    ck_assert_int_eq(header.base_sequence, 44);
    ck_assert_int_eq(header.records_count, 10);
    ck_assert(batch_header_sane(&header));
    ck_assert(batch_crc_valid(batch, &header));
}
END_TEST

START_TEST(batch_patch_leaves_the_crc_valid)
{
    uint8_t batch[100];
    batch_fill(batch, sizeof(batch));
    batch_patch(batch, 123456789012, 1);
    struct batch_header header = batch_header_parse(batch);
    ck_assert_int_eq(header.base_offset, 123456789012);
    ck_assert_int_eq(header.leader_epoch, 1);
    ck_assert(batch_crc_valid(batch, &header));
}
END_TEST

START_TEST(batch_crc_covers_every_byte_from_the_attributes_on)
{
    uint8_t batch[100];
    batch_fill(batch, sizeof(batch));
    for (size_t i = BATCH_POS_CRC; i < sizeof(batch); i++) {
        batch[i] ^= 0x10;
        struct batch_header header = batch_header_parse(batch);
        ck_assert(!batch_crc_valid(batch, &header));
        batch[i] ^= 0x10;
    }
}
END_TEST

START_TEST(batch_header_that_cannot_be_walked_is_not_sane)
{
    uint8_t batch[100];
    batch_fill(batch, sizeof(batch));
    struct batch_header good = batch_header_parse(batch), bad = good;
    bad.length = BATCH_HEADER_SIZE - BATCH_LENGTH_OVERHEAD;
    ck_assert(batch_header_sane(&bad));
    bad.length -= 1;
    ck_assert(!batch_header_sane(&bad));
    bad.length = -1;
    ck_assert(!batch_header_sane(&bad));
    bad = good;
    bad.magic = 1;
    ck_assert(!batch_header_sane(&bad));
    bad = good;
    bad.last_offset_delta = -1;
    ck_assert(!batch_header_sane(&bad));
}
END_TEST

TEST_MAIN("store/batch", batch_fields_are_where_kafka_has_them, batch_patch_leaves_the_crc_valid,
    batch_crc_covers_every_byte_from_the_attributes_on,
    batch_header_that_cannot_be_walked_is_not_sane)
