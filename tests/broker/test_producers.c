// SPDX-License-Identifier: BSD-2-Clause
#include "broker/partition/producers.h"
#include "runner.h"

static struct batch_header batch_of(int64_t id, int16_t epoch, int32_t sequence, int32_t count)
{
    return (struct batch_header){
        .producer_id = id,
        .producer_epoch = epoch,
        .base_sequence = sequence,
        .last_offset_delta = count - 1,
        .records_count = count,
        .max_timestamp = INT64_C(1000) + sequence,
    };
}

/* Checks and, when it may follow, records at that offset. */
static enum producers_verdict put(
    struct producers *producers, struct batch_header header, int64_t offset)
{
    struct producer_batch original;
    enum producers_verdict verdict = producers_check(producers, &header, &original);
    header.base_offset = offset;
    if (verdict == PRODUCERS_NEXT)
        producers_record(producers, &header, NULL, 0);
    return verdict;
}

START_TEST(producers_follow_their_sequence)
{
    struct producers producers;
    producers_init(&producers);
    ck_assert_int_eq(put(&producers, batch_of(7, 0, 0, 10), 100), PRODUCERS_NEXT);
    ck_assert_int_eq(put(&producers, batch_of(7, 0, 10, 1), 110), PRODUCERS_NEXT);
    ck_assert_int_eq(put(&producers, batch_of(7, 0, 12, 1), 111), PRODUCERS_OUT_OF_ORDER);
    ck_assert_int_eq(put(&producers, batch_of(7, 0, 9, 1), 111), PRODUCERS_OUT_OF_ORDER);
    ck_assert_int_eq(put(&producers, batch_of(7, 0, 0, 9), 111), PRODUCERS_OUT_OF_ORDER);
    ck_assert_int_eq(put(&producers, batch_of(7, 0, 11, 1), 111), PRODUCERS_NEXT);
    /* Others do not mind. */
    ck_assert_int_eq(put(&producers, batch_of(8, 0, 0, 1), 112), PRODUCERS_NEXT);
    producers_clear(&producers);
}
END_TEST

START_TEST(producers_know_their_last_five_batches)
{
    struct producers producers;
    struct producer_batch original;
    producers_init(&producers);
    for (int i = 0; i < 7; i++)
        ck_assert_int_eq(put(&producers, batch_of(7, 0, 3 * i, 3), 1000 + 3 * i), PRODUCERS_NEXT);
    for (int i = 0; i < 7; i++) {
        struct batch_header again = batch_of(7, 0, 3 * i, 3);
        enum producers_verdict verdict = producers_check(&producers, &again, &original);
        ck_assert_int_eq(verdict, i < 2 ? PRODUCERS_OUT_OF_ORDER : PRODUCERS_DUPLICATE);
        if (i >= 2) {
            ck_assert_int_eq(original.base_offset, 1000 + 3 * i);
            ck_assert_int_eq(original.timestamp, 1000 + 3 * i);
        }
    }
    producers_clear(&producers);
}
END_TEST

START_TEST(producers_sequences_wrap)
{
    struct producers producers;
    struct producer_batch original;
    producers_init(&producers);
    /* Nobody knows it: any sequence will do. 5 records end at 1 after the wrap. */
    ck_assert_int_eq(put(&producers, batch_of(7, 0, INT32_MAX - 2, 5), 0), PRODUCERS_NEXT);
    struct batch_header again = batch_of(7, 0, INT32_MAX - 2, 5);
    ck_assert_int_eq(producers_check(&producers, &again, &original), PRODUCERS_DUPLICATE);
    ck_assert_int_eq(put(&producers, batch_of(7, 0, 3, 1), 5), PRODUCERS_OUT_OF_ORDER);
    ck_assert_int_eq(put(&producers, batch_of(7, 0, 2, 1), 5), PRODUCERS_NEXT);
    ck_assert_int_eq(put(&producers, batch_of(9, 0, INT32_MAX, 1), 6), PRODUCERS_NEXT);
    ck_assert_int_eq(put(&producers, batch_of(9, 0, 0, 1), 7), PRODUCERS_NEXT);
    producers_clear(&producers);
}
END_TEST

START_TEST(producers_epochs_only_rise)
{
    struct producers producers;
    producers_init(&producers);
    ck_assert_int_eq(put(&producers, batch_of(7, 3, 40, 1), 0), PRODUCERS_NEXT);
    ck_assert_int_eq(put(&producers, batch_of(7, 2, 0, 1), 1), PRODUCERS_OLD_EPOCH);
    ck_assert_int_eq(put(&producers, batch_of(7, 4, 41, 1), 1), PRODUCERS_OUT_OF_ORDER);
    ck_assert_int_eq(put(&producers, batch_of(7, 4, 0, 1), 1), PRODUCERS_NEXT);
    ck_assert_int_eq(put(&producers, batch_of(7, 3, 41, 1), 2), PRODUCERS_OLD_EPOCH);
    producers_clear(&producers);
}
END_TEST

START_TEST(producers_expire_and_may_then_start_anywhere)
{
    struct producers producers;
    producers_init(&producers);
    struct batch_header old = batch_of(1, 0, 0, 1), young = batch_of(2, 0, 0, 1);
    producers_record(&producers, &old, NULL, 1000);
    producers_record(&producers, &young, NULL, 1500);
    producers_expire(&producers, 1999, 1000);
    ck_assert_uint_eq(producers_count(&producers), 2);
    producers_expire(&producers, 2000, 1000);
    ck_assert_uint_eq(producers_count(&producers), 1);
    ck_assert_int_eq(put(&producers, batch_of(1, 0, 99, 1), 9), PRODUCERS_NEXT);
    ck_assert_int_eq(put(&producers, batch_of(2, 0, 99, 1), 9), PRODUCERS_OUT_OF_ORDER);
    producers_clear(&producers);
}
END_TEST

START_TEST(producers_are_limited)
{
    struct producers producers;
    producers_init(&producers);
    for (int64_t id = 0; id <= PRODUCERS_COUNT_MAX; id++) {
        struct batch_header header = batch_of(id, 0, 0, 1);
        producers_record(&producers, &header, NULL, id);
    }
    ck_assert_uint_eq(producers_count(&producers), PRODUCERS_COUNT_MAX);
    ck_assert_int_eq(put(&producers, batch_of(0, 0, 50, 1), 9), PRODUCERS_NEXT); /* forgotten */
    ck_assert_int_eq(put(&producers, batch_of(9999, 0, 50, 1), 9), PRODUCERS_OUT_OF_ORDER);
    producers_clear(&producers);
}
END_TEST

START_TEST(producers_survive_a_snapshot)
{
    struct producers producers, loaded;
    struct buffer blob = BUFFER_NULL;
    producers_init(&producers);
    producers_init(&loaded);
    for (int i = 0; i < 8; i++)
        put(&producers, batch_of(7, 1, 2 * i, 2), 2 * i);
    put(&producers, batch_of(INT64_MAX, 5, 0, 1), 16);
    producers_save(&producers, &blob);
    ck_assert(producers_load(&loaded, buffer_slice(&blob)));
    ck_assert_uint_eq(producers_count(&loaded), 2);
    struct producer_batch original;
    struct batch_header again = batch_of(7, 1, 6, 2);
    ck_assert_int_eq(producers_check(&loaded, &again, &original), PRODUCERS_DUPLICATE);
    ck_assert_int_eq(original.base_offset, 6);
    ck_assert_int_eq(put(&loaded, batch_of(7, 1, 16, 2), 17), PRODUCERS_NEXT);
    ck_assert_int_eq(put(&loaded, batch_of(INT64_MAX, 4, 1, 1), 19), PRODUCERS_OLD_EPOCH);

    /* Cut or changed anywhere: refused, and nothing is remembered. */
    for (size_t cut = 0; cut < blob.size; cut++) {
        ck_assert(!producers_load(&loaded, slice_make(blob.data, cut)));
        ck_assert_uint_eq(producers_count(&loaded), 0);
    }
    for (size_t at = 0; at < blob.size; at++) {
        blob.data[at] ^= 0x10;
        ck_assert(!producers_load(&loaded, buffer_slice(&blob)));
        blob.data[at] ^= 0x10;
    }
    producers_clear(&producers);
    producers_clear(&loaded);
    buffer_deinit(&blob);
}
END_TEST

TEST_MAIN("broker/producers", producers_follow_their_sequence,
    producers_know_their_last_five_batches, producers_sequences_wrap, producers_epochs_only_rise,
    producers_expire_and_may_then_start_anywhere, producers_are_limited,
    producers_survive_a_snapshot)
