// SPDX-License-Identifier: BSD-2-Clause
#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/varint.h"
#include "store/batch/batch_builder.h"
#include "store/batch/batch_check.h"
#include "store/batch/compression.h"
#include "store/golden_batches.h"
#include "runner.h"

#define NOW_MS 1700000001000

static struct arena arena;
static uint8_t *copies[64];
static size_t copies_count;

static struct batch_rules rules_default(void)
{
    return (struct batch_rules){
        .size_max = 1048588,
        .compression = -1,
        .zstd_allowed = true,
        .now_ms = NOW_MS,
        .timestamp_before_ms_max = INT64_MAX,
        .timestamp_after_ms_max = 3600000,
    };
}

/* A block of exactly that size, so that the address sanitizer sees reads past it. */
static uint8_t *copy_of(const uint8_t *data, size_t size)
{
    uint8_t *copy = xmalloc(size + (size == 0));
    memcpy(copy, data, size);
    ck_assert_uint_lt(copies_count, ARRAY_COUNT(copies));
    copies[copies_count++] = copy;
    return copy;
}

static void setup(void)
{
    arena_init(&arena, SIZE_MAX);
    copies_count = 0;
}

static void teardown(void)
{
    arena_deinit(&arena);
    while (copies_count > 0)
        free(copies[--copies_count]);
}

static void crc_fix(uint8_t *batch, size_t size)
{
    bytes_put_u32(batch + BATCH_POS_CRC,
        crc32c(0, batch + BATCH_POS_ATTRIBUTES, size - BATCH_POS_ATTRIBUTES));
}

static struct batch_verdict check(uint8_t *data, size_t size, const struct batch_rules *rules)
{
    struct batch_verdict verdict;
    batch_check(data, size, rules, &arena, &verdict);
    if (verdict.fault == BATCH_GOOD) {
        struct batch_header header = batch_header_parse(verdict.data);
        ck_assert(batch_crc_valid(verdict.data, &header));
        ck_assert_uint_eq(batch_size(&header), verdict.size);
        ck_assert_int_eq(header.max_timestamp, verdict.header.max_timestamp);
        ck_assert_int_eq(header.attributes, verdict.header.attributes);
        ck_assert_int_eq(header.records_count, verdict.header.records_count);
        ck_assert_int_eq(header.base_timestamp, verdict.header.base_timestamp);
        ck_assert_int_eq(header.length, verdict.header.length);
    }
    return verdict;
}

#define GOLDEN(name)      copy_of(kafkajs_##name, sizeof(kafkajs_##name)), sizeof(kafkajs_##name)
#define GOLDEN_SIZE(name) sizeof(kafkajs_##name)

START_TEST(batch_check_takes_what_kafkajs_sends)
{
    setup();
    struct batch_rules rules = rules_default();
    struct batch_verdict verdict = check(GOLDEN(none), &rules);
    ck_assert_int_eq(verdict.fault, BATCH_GOOD);
    ck_assert_int_eq(verdict.header.max_timestamp, 1700000000900);
    ck_assert_int_eq(verdict.header.producer_epoch, 0);
    ck_assert_uint_eq(verdict.size, GOLDEN_SIZE(none));
    ck_assert(memcmp(verdict.data, kafkajs_none, verdict.size) == 0);
    ck_assert_int_eq(check(GOLDEN(gzip), &rules).fault, BATCH_GOOD);
    ck_assert_int_eq(check(GOLDEN(snappy), &rules).fault, BATCH_GOOD);
    /* And looks inside when it must. */
    rules.timestamp_before_ms_max = 3600000;
    ck_assert_int_eq(check(GOLDEN(gzip), &rules).fault, BATCH_GOOD);
    ck_assert_int_eq(check(GOLDEN(snappy), &rules).fault, BATCH_GOOD);
    teardown();
}
END_TEST

START_TEST(batch_check_wants_exactly_one_batch)
{
    setup();
    struct batch_rules rules = rules_default();
    ck_assert_int_eq(check(NULL, 0, &rules).fault, BATCH_NOT_ONE);
    for (size_t cut = 0; cut < GOLDEN_SIZE(none); cut += 7) {
        uint8_t *data = copy_of(kafkajs_none, cut);
        ck_assert_int_eq(check(data, cut, &rules).fault, BATCH_NOT_ONE);
    }
    uint8_t two[2 * sizeof(kafkajs_none)];
    memcpy(two, kafkajs_none, sizeof(kafkajs_none));
    memcpy(two + sizeof(kafkajs_none), kafkajs_none, sizeof(kafkajs_none));
    ck_assert_int_eq(check(copy_of(two, sizeof(two)), sizeof(two), &rules).fault, BATCH_NOT_ONE);
    uint8_t *old = copy_of(kafkajs_none, sizeof(kafkajs_none));
    old[BATCH_POS_MAGIC] = 1;
    ck_assert_int_eq(check(old, sizeof(kafkajs_none), &rules).fault, BATCH_NOT_ONE);
    for (int magic = 3; magic <= 255; magic += 84) {
        uint8_t *unknown = copy_of(kafkajs_none, sizeof(kafkajs_none));
        unknown[BATCH_POS_MAGIC] = (uint8_t)magic;
        ck_assert_int_eq(check(unknown, sizeof(kafkajs_none), &rules).fault, BATCH_CORRUPT);
    }
    teardown();
}
END_TEST

struct header_change {
    enum batch_pos pos;
    unsigned width;
    int64_t value;
    bool crc; /* made valid again */
    enum batch_fault fault;
};

START_TEST(batch_check_names_each_fault_of_the_header)
{
    const struct header_change changes[] = {
        {BATCH_POS_BASE_OFFSET, 8, 1, false, BATCH_INVALID},
        {BATCH_POS_LENGTH, 4, 48, false, BATCH_CORRUPT},
        {BATCH_POS_LENGTH, 4, -1, false, BATCH_CORRUPT},
        {BATCH_POS_CRC, 4, 7, false, BATCH_CORRUPT},
        {BATCH_POS_ATTRIBUTES, 2, 5, true, BATCH_CODEC_UNKNOWN},
        {BATCH_POS_ATTRIBUTES, 2, BATCH_CONTROL, true, BATCH_INVALID},
        {BATCH_POS_ATTRIBUTES, 2, BATCH_LOG_APPEND_TIME, true, BATCH_TIMESTAMP},
        {BATCH_POS_LAST_OFFSET_DELTA, 4, 3, true, BATCH_INVALID},
        {BATCH_POS_LAST_OFFSET_DELTA, 4, -1, true, BATCH_INVALID},
        {BATCH_POS_RECORDS_COUNT, 4, 0, true, BATCH_INVALID},
        {BATCH_POS_RECORDS_COUNT, 4, INT32_MIN, true, BATCH_INVALID},
        {BATCH_POS_BASE_TIMESTAMP, 8, INT64_MAX, true, BATCH_TIMESTAMP},
        {BATCH_POS_LEADER_EPOCH, 4, 99, false, BATCH_GOOD},
    };
    setup();
    struct batch_rules rules = rules_default();
    for (size_t i = 0; i < ARRAY_COUNT(changes); i++) {
        const struct header_change *change = &changes[i];
        uint8_t *data = copy_of(kafkajs_none, sizeof(kafkajs_none));
        for (unsigned byte = 0; byte < change->width; byte++)
            data[(size_t)change->pos + byte] =
                (uint8_t)((uint64_t)change->value >> (8 * (change->width - 1 - byte)));
        if (change->crc)
            crc_fix(data, sizeof(kafkajs_none));
        ck_assert_msg(
            check(data, sizeof(kafkajs_none), &rules).fault == change->fault, "change %zu", i);
    }
    uint8_t *data = copy_of(kafkajs_none, sizeof(kafkajs_none));
    bytes_put_u64(data + BATCH_POS_PRODUCER_ID, 5);
    bytes_put_u32(data + BATCH_POS_BASE_SEQUENCE, UINT32_MAX);
    crc_fix(data, sizeof(kafkajs_none));
    ck_assert_int_eq(check(data, sizeof(kafkajs_none), &rules).fault, BATCH_INVALID);
    teardown();
}
END_TEST

START_TEST(batch_check_size_is_checked_before_the_crc)
{
    setup();
    struct batch_rules rules = rules_default();
    uint8_t *data = copy_of(kafkajs_none, sizeof(kafkajs_none));
    data[BATCH_POS_CRC] ^= 1;
    rules.size_max = sizeof(kafkajs_none) - 1;
    ck_assert_int_eq(check(data, sizeof(kafkajs_none), &rules).fault, BATCH_TOO_LARGE);
    rules.size_max = sizeof(kafkajs_none);
    ck_assert_int_eq(check(data, sizeof(kafkajs_none), &rules).fault, BATCH_CORRUPT);
    teardown();
}
END_TEST

START_TEST(batch_check_names_records_without_key)
{
    setup();
    struct batch_rules rules = rules_default();
    rules.compact = true;
    struct batch_verdict plain = check(GOLDEN(none), &rules);
    struct batch_verdict packed = check(GOLDEN(gzip), &rules);
    ck_assert_int_eq(plain.fault, BATCH_INVALID);
    ck_assert_int_eq(packed.fault, BATCH_INVALID);
    ck_assert_int_eq(plain.record_faults_count, 1);
    ck_assert_int_eq(packed.record_faults_count, 1);
    ck_assert_int_eq(plain.record_faults[0].index, 1);
    ck_assert_int_eq(packed.record_faults[0].index, 1);
    teardown();
}
END_TEST

START_TEST(batch_check_timestamps_have_limits)
{
    setup();
    struct batch_rules rules = rules_default();
    rules.now_ms = 1700000000000 - 3600000;
    /* 500 and 900 ms too late; the header's maximum makes it look into the compressed batch too. */
    struct batch_verdict plain = check(GOLDEN(none), &rules);
    struct batch_verdict packed = check(GOLDEN(gzip), &rules);
    ck_assert_int_eq(plain.fault, BATCH_TIMESTAMP);
    ck_assert_int_eq(plain.record_faults_count, 2);
    ck_assert_int_eq(plain.record_faults[1].index, 2);
    ck_assert_int_eq(packed.fault, BATCH_TIMESTAMP);
    ck_assert_int_eq(packed.record_faults_count, 2);
    rules.log_append_time = true; /* nobody minds what the records say */
    ck_assert_int_eq(check(GOLDEN(none), &rules).fault, BATCH_GOOD);
    rules = rules_default();
    rules.timestamp_before_ms_max = 600;
    plain = check(GOLDEN(none), &rules);
    packed = check(GOLDEN(snappy), &rules);
    ck_assert_int_eq(plain.record_faults_count, 1);
    ck_assert_int_eq(packed.record_faults_count, 1);
    ck_assert_int_eq(packed.record_faults[0].index, 1);
    teardown();
}
END_TEST

START_TEST(batch_check_stamps_the_append_time)
{
    setup();
    struct batch_rules rules = rules_default();
    rules.log_append_time = true;
    struct batch_verdict verdict = check(GOLDEN(gzip), &rules);
    ck_assert_int_eq(verdict.fault, BATCH_GOOD);
    ck_assert_int_eq(verdict.header.max_timestamp, NOW_MS);
    ck_assert(verdict.header.attributes & BATCH_LOG_APPEND_TIME);
    teardown();
}
END_TEST

START_TEST(batch_check_corrects_the_greatest_timestamp)
{
    setup();
    struct batch_rules rules = rules_default();
    uint8_t *data = copy_of(kafkajs_none, sizeof(kafkajs_none));
    bytes_put_u64(data + BATCH_POS_MAX_TIMESTAMP, 12);
    crc_fix(data, sizeof(kafkajs_none));
    struct batch_verdict verdict = check(data, sizeof(kafkajs_none), &rules);
    ck_assert_int_eq(verdict.fault, BATCH_GOOD);
    ck_assert_int_eq(verdict.header.max_timestamp, 1700000000900);
    teardown();
}
END_TEST

static void check_same_records(const struct batch_verdict *verdict)
{
    struct buffer records = BUFFER_NULL;
    enum batch_compression codec =
        (enum batch_compression)(verdict->header.attributes & BATCH_COMPRESSION_MASK);
    struct slice body =
        slice_make(verdict->data + BATCH_HEADER_SIZE, verdict->size - BATCH_HEADER_SIZE);
    ck_assert_int_eq(compression_inflate(codec, body, 1 << 20, &records), 0);
    ck_assert(slice_equal(buffer_slice(&records),
        slice_make(kafkajs_none + BATCH_HEADER_SIZE, sizeof(kafkajs_none) - BATCH_HEADER_SIZE)));
    buffer_deinit(&records);
}

START_TEST(batch_check_compresses_as_the_topic_wants)
{
    setup();
    struct batch_rules rules = rules_default();
    for (int8_t codec = BATCH_NONE; codec <= BATCH_ZSTD; codec++) {
        rules.compression = codec;
        struct batch_verdict from_plain = check(GOLDEN(none), &rules);
        struct batch_verdict from_snappy = check(GOLDEN(snappy), &rules);
        ck_assert_int_eq(from_plain.fault, BATCH_GOOD);
        ck_assert_int_eq(from_snappy.fault, BATCH_GOOD);
        ck_assert_int_eq(from_plain.header.attributes & BATCH_COMPRESSION_MASK, codec);
        ck_assert_int_eq(from_snappy.header.attributes & BATCH_COMPRESSION_MASK, codec);
        check_same_records(&from_plain);
        check_same_records(&from_snappy);
    }
    teardown();
}
END_TEST

/* Deltas 0, 0, 0: readers would see one offset three times. */
START_TEST(batch_check_renumbers_records)
{
    setup();
    struct batch_rules rules = rules_default();
    uint8_t *data = copy_of(kafkajs_none, sizeof(kafkajs_none));
    struct record_cursor cursor = record_cursor_make(
        slice_make(data + BATCH_HEADER_SIZE, sizeof(kafkajs_none) - BATCH_HEADER_SIZE), 3);
    struct record record;
    for (int i = 0; i < 3; i++) {
        uint8_t *at = (uint8_t *)(uintptr_t)cursor.cursor;
        ck_assert(record_next(&cursor, &record));
        at += 2 - (at[0] < 0x80); /* the size */
        at += 1;                  /* attributes */
        at += varlong_size(record.timestamp_delta);
        ck_assert_uint_eq(*at, 2 * (unsigned)i);
        *at = 0;
    }
    crc_fix(data, sizeof(kafkajs_none));
    struct batch_verdict verdict = check(data, sizeof(kafkajs_none), &rules);
    ck_assert_int_eq(verdict.fault, BATCH_GOOD);
    cursor = record_cursor_make(
        slice_make(verdict.data + BATCH_HEADER_SIZE, verdict.size - BATCH_HEADER_SIZE), 3);
    for (int i = 0; i < 3; i++) {
        ck_assert(record_next(&cursor, &record));
        ck_assert_int_eq(record.offset_delta, i);
    }
    ck_assert_int_eq(record.headers_count, 2);
    ck_assert_int_eq(verdict.header.max_timestamp, 1700000000900);
    teardown();
}
END_TEST

/* Whatever one byte becomes, with a valid CRC: no verdict but a defined one, and no read outside.
 */
START_TEST(batch_check_survives_every_change)
{
    setup();
    struct batch_rules rules = rules_default();
    rules.compact = true;
    rules.compression = BATCH_LZ4;
    const struct {
        const uint8_t *data;
        size_t size;
    } goldens[] = {{kafkajs_none, sizeof(kafkajs_none)}, {kafkajs_gzip, sizeof(kafkajs_gzip)},
        {kafkajs_snappy, sizeof(kafkajs_snappy)}};
    for (size_t g = 0; g < ARRAY_COUNT(goldens); g++) {
        for (size_t at = BATCH_POS_ATTRIBUTES; at < goldens[g].size; at++) {
            for (unsigned bit = 0; bit < 8; bit++) {
                uint8_t *data = copy_of(goldens[g].data, goldens[g].size);
                data[at] ^= (uint8_t)(1U << bit);
                crc_fix(data, goldens[g].size);
                check(data, goldens[g].size, &rules);
                free(copies[--copies_count]);
                arena_reset(&arena);
            }
        }
    }
    teardown();
}
END_TEST

TEST_MAIN("store/batch_check", batch_check_takes_what_kafkajs_sends,
    batch_check_wants_exactly_one_batch, batch_check_names_each_fault_of_the_header,
    batch_check_size_is_checked_before_the_crc, batch_check_names_records_without_key,
    batch_check_timestamps_have_limits, batch_check_stamps_the_append_time,
    batch_check_corrects_the_greatest_timestamp, batch_check_compresses_as_the_topic_wants,
    batch_check_renumbers_records, batch_check_survives_every_change)
