// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * batch: Kafka's record batch (magic 2), the unit that is appended, stored and sent verbatim.
 * Positions of its header fields, a parsed header, and checks. Pure functions, any thread.
 * (docs/disk-format.md draws it.)
 */
#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

enum batch_pos {
    BATCH_POS_BASE_OFFSET = 0,
    BATCH_POS_LENGTH = 8, /* bytes that follow the length field */
    BATCH_POS_LEADER_EPOCH = 12,
    BATCH_POS_MAGIC = 16,
    BATCH_POS_CRC = 17, /* CRC32C of everything from the attributes on */
    BATCH_POS_ATTRIBUTES = 21,
    BATCH_POS_LAST_OFFSET_DELTA = 23,
    BATCH_POS_BASE_TIMESTAMP = 27,
    BATCH_POS_MAX_TIMESTAMP = 35,
    BATCH_POS_PRODUCER_ID = 43,
    BATCH_POS_PRODUCER_EPOCH = 51,
    BATCH_POS_BASE_SEQUENCE = 53,
    BATCH_POS_RECORDS_COUNT = 57,
    BATCH_HEADER_SIZE = 61,
};
#define BATCH_LENGTH_OVERHEAD 12 /* bytes before what the length field counts */

enum batch_attributes {
    BATCH_COMPRESSION_MASK = 0x07,
    BATCH_LOG_APPEND_TIME = 0x08,
    BATCH_TRANSACTIONAL = 0x10,
    BATCH_CONTROL = 0x20,
    BATCH_DELETE_HORIZON = 0x40,
};

enum batch_compression { BATCH_NONE, BATCH_GZIP, BATCH_SNAPPY, BATCH_LZ4, BATCH_ZSTD };

struct batch_header {
    int64_t base_offset;
    int32_t length;
    int32_t leader_epoch;
    int8_t magic;
    uint32_t crc;
    int16_t attributes;
    int32_t last_offset_delta;
    int64_t base_timestamp, max_timestamp; /* ms since the epoch */
    int64_t producer_id;
    int16_t producer_epoch;
    int32_t base_sequence;
    int32_t records_count;
};

/* `at` has at least BATCH_HEADER_SIZE bytes. No checks. */
struct batch_header batch_header_parse(const uint8_t *at);

static inline int64_t batch_last_offset(const struct batch_header *header)
{
    return header->base_offset + header->last_offset_delta;
}
static inline size_t batch_size(const struct batch_header *header)
{
    return (size_t)header->length + BATCH_LENGTH_OVERHEAD;
}

/* What the header alone must satisfy for the log to be walked: length >= header, magic 2, delta >=
 * 0. */
bool batch_header_sane(const struct batch_header *header);
/* CRC32C over the whole batch (all batch_size bytes present). */
bool batch_crc_valid(const uint8_t *batch, const struct batch_header *header);
/* Sets the two fields that the CRC does not cover. */
void batch_patch(uint8_t *batch, int64_t base_offset, int32_t leader_epoch);
