// SPDX-License-Identifier: BSD-2-Clause
/*
 * Any bytes as a produced batch: the first chooses the topic's rules, the second whether the CRC is
 * put right (so that the checks behind it are reached). What is found good is whole, has a valid
 * CRC, and its records are as many as it says, numbered from 0.
 */
#include "base/bytes.h"
#include "base/crc32c.h"
#include "store/batch/batch_check.h"
#include "store/batch/compression.h"
#include "store/batch/records.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct batch_rules fuzz_rules(uint8_t choice)
{
    return (struct batch_rules){
        .size_max = 1048588,
        .compression = (int8_t)(choice % 6 - 1),
        .zstd_allowed = true,
        .compact = (choice & 0x40) != 0,
        .log_append_time = (choice & 0x80) != 0,
        .now_ms = 1700000000000,
        .timestamp_before_ms_max = (choice & 0x20) != 0 ? INT64_MAX : 86400000,
        .timestamp_after_ms_max = (choice & 0x10) != 0 ? INT64_MAX : 3600000,
    };
}

static void fuzz_walk(const struct batch_verdict *verdict)
{
    struct buffer inflated = BUFFER_NULL;
    struct slice records =
        slice_make(verdict->data + BATCH_HEADER_SIZE, verdict->size - BATCH_HEADER_SIZE);
    int r = compression_inflate(
        (enum batch_compression)(verdict->header.attributes & BATCH_COMPRESSION_MASK), records,
        BATCH_INFLATED_SIZE_MAX, &inflated);
    if (r == 0) {
        struct record_cursor cursor =
            record_cursor_make(buffer_slice(&inflated), verdict->header.records_count);
        struct record record;
        for (int32_t index = 0; record_next(&cursor, &record); index++)
            assert(record.offset_delta == index);
        assert(cursor.fault == NULL);
    }
    assert(r == 0);
    buffer_deinit(&inflated);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct batch_rules rules = fuzz_rules(data[0]);
    size_t batch_bytes = size - 2;
    uint8_t *batch = malloc(batch_bytes + (batch_bytes == 0));
    memcpy(batch, data + 2, batch_bytes);
    if (data[1] != 0 && batch_bytes >= BATCH_HEADER_SIZE) {
        bytes_put_u32(batch + BATCH_POS_LENGTH, (uint32_t)(batch_bytes - BATCH_LENGTH_OVERHEAD));
        bytes_put_u32(batch + BATCH_POS_CRC,
            crc32c(0, batch + BATCH_POS_ATTRIBUTES, batch_bytes - BATCH_POS_ATTRIBUTES));
    }
    struct arena arena;
    struct batch_verdict verdict;
    arena_init(&arena, SIZE_MAX);
    batch_check(batch, batch_bytes, &rules, &arena, &verdict);
    if (verdict.fault == BATCH_GOOD) {
        struct batch_header header = batch_header_parse(verdict.data);
        assert(batch_header_sane(&header) && batch_size(&header) == verdict.size);
        assert(batch_crc_valid(verdict.data, &header));
        assert(header.max_timestamp == verdict.header.max_timestamp);
        /* A compressed batch that needed no look inside is believed. */
        if ((header.attributes & BATCH_COMPRESSION_MASK) == BATCH_NONE || rules.compact)
            fuzz_walk(&verdict);
    }
    arena_deinit(&arena);
    free(batch);
    return 0;
}
