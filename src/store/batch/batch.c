// SPDX-License-Identifier: BSD-2-Clause
#include "store/batch/batch.h"

#include "base/bytes.h"
#include "base/crc32c.h"

#include <assert.h>

static_assert(BATCH_POS_RECORDS_COUNT + 4 == BATCH_HEADER_SIZE, "the header ends with the count");

struct batch_header batch_header_parse(const uint8_t *at)
{
    return (struct batch_header){
        .base_offset = (int64_t)bytes_get_u64(at + BATCH_POS_BASE_OFFSET),
        .length = (int32_t)bytes_get_u32(at + BATCH_POS_LENGTH),
        .leader_epoch = (int32_t)bytes_get_u32(at + BATCH_POS_LEADER_EPOCH),
        .magic = (int8_t)at[BATCH_POS_MAGIC],
        .crc = bytes_get_u32(at + BATCH_POS_CRC),
        .attributes = (int16_t)bytes_get_u16(at + BATCH_POS_ATTRIBUTES),
        .last_offset_delta = (int32_t)bytes_get_u32(at + BATCH_POS_LAST_OFFSET_DELTA),
        .base_timestamp = (int64_t)bytes_get_u64(at + BATCH_POS_BASE_TIMESTAMP),
        .max_timestamp = (int64_t)bytes_get_u64(at + BATCH_POS_MAX_TIMESTAMP),
        .producer_id = (int64_t)bytes_get_u64(at + BATCH_POS_PRODUCER_ID),
        .producer_epoch = (int16_t)bytes_get_u16(at + BATCH_POS_PRODUCER_EPOCH),
        .base_sequence = (int32_t)bytes_get_u32(at + BATCH_POS_BASE_SEQUENCE),
        .records_count = (int32_t)bytes_get_u32(at + BATCH_POS_RECORDS_COUNT),
    };
}

bool batch_header_sane(const struct batch_header *header)
{
    return header->length >= BATCH_HEADER_SIZE - BATCH_LENGTH_OVERHEAD && header->magic == 2 &&
           header->last_offset_delta >= 0;
}

bool batch_crc_valid(const uint8_t *batch, const struct batch_header *header)
{
    assert(header->length >= BATCH_HEADER_SIZE - BATCH_LENGTH_OVERHEAD);
    size_t covered = batch_size(header) - BATCH_POS_ATTRIBUTES;
    return crc32c(0, batch + BATCH_POS_ATTRIBUTES, covered) == header->crc;
}

void batch_patch(uint8_t *batch, int64_t base_offset, int32_t leader_epoch)
{
    bytes_put_u64(batch + BATCH_POS_BASE_OFFSET, (uint64_t)base_offset);
    bytes_put_u32(batch + BATCH_POS_LEADER_EPOCH, (uint32_t)leader_epoch);
}
