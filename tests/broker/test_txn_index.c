// SPDX-License-Identifier: BSD-2-Clause
/* Against the plainest model: every transaction in a list, every question by going through it. */
#include "broker/partition/txn_index.h"
#include "runner.h"

#define SPANS_MAX 400

static struct {
    struct txn_span span;
    bool commit, open;
} model[SPANS_MAX];
static int model_count;
static uint64_t state;

static uint32_t random_below(uint32_t bound)
{
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t)(state >> 33) % bound;
}

static void check(struct txn_index *index, int64_t high_watermark, int64_t log_end)
{
    int64_t stable = high_watermark;
    for (int i = 0; i < model_count; i++) {
        if ((model[i].open || model[i].span.last_offset >= high_watermark) &&
            model[i].span.first_offset < stable)
            stable = model[i].span.first_offset;
    }
    ck_assert_int_eq(txn_index_stable(index, high_watermark), stable);
    int64_t from = random_below((uint32_t)log_end + 1), bound = from + random_below(50);
    struct txn_span *found;
    size_t count = txn_index_find(index, from, bound, &found), at = 0;
    for (int i = 0; i < model_count; i++) { /* begun in order of offsets */
        const struct txn_span *span = &model[i].span;
        if (model[i].open || model[i].commit || span->last_offset < from ||
            span->first_offset >= bound)
            continue;
        ck_assert_uint_lt(at, count);
        ck_assert_int_eq(found[at].first_offset, span->first_offset);
        ck_assert_int_eq(found[at].producer_id, span->producer_id);
        at++;
    }
    ck_assert_uint_eq(at, count);
    free(found);
}

static struct txn_index reloaded(struct txn_index *index)
{
    struct buffer bytes = BUFFER_NULL;
    struct txn_index copy = TXN_INDEX_NULL;
    txn_index_save(index, &bytes);
    for (size_t cut = 0; cut < bytes.size; cut += 1 + bytes.size / 7) {
        const uint8_t *cursor = bytes.data;
        struct txn_index none = TXN_INDEX_NULL;
        ck_assert(!txn_index_load(&none, &cursor, bytes.data + cut));
        txn_index_deinit(&none);
    }
    const uint8_t *cursor = bytes.data;
    ck_assert(txn_index_load(&copy, &cursor, bytes.data + bytes.size));
    ck_assert_ptr_eq(cursor, bytes.data + bytes.size);
    buffer_deinit(&bytes);
    txn_index_deinit(index);
    return copy;
}

START_TEST(txn_index_random)
{
    for (uint64_t seed = 1; seed <= 50; seed++) {
        struct txn_index index = TXN_INDEX_NULL;
        int64_t log_end = 0, high_watermark = 0;
        state = seed;
        model_count = 0;
        for (int step = 0; step < 1000; step++) {
            int i = model_count == 0 ? 0 : (int)random_below((uint32_t)model_count);
            if (random_below(3) == 0 && model_count < SPANS_MAX) {
                model[model_count].span = (struct txn_span){model_count, log_end, -1};
                model[model_count].open = true;
                txn_index_begin(&index, model_count++, log_end++);
            } else if (model_count > 0 && model[i].open) {
                model[i].open = false;
                model[i].commit = random_below(2) == 0;
                model[i].span.last_offset = log_end;
                txn_index_end(&index, model[i].span.first_offset, log_end++, model[i].commit);
            } else {
                log_end++;
            }
            high_watermark += random_below((uint32_t)(log_end - high_watermark) + 1);
            check(&index, high_watermark, log_end);
            if (random_below(100) == 0)
                index = reloaded(&index);
        }
        txn_index_deinit(&index);
    }
}
END_TEST

START_TEST(txn_index_trims_what_retention_took)
{
    struct txn_index index = TXN_INDEX_NULL;
    struct txn_span *found;
    for (int i = 0; i < 10; i++) {
        txn_index_begin(&index, i, i * 2);
        txn_index_end(&index, i * 2, i * 2 + 1, false);
    }
    txn_index_trim(&index, 10);
    ck_assert_uint_eq(txn_index_find(&index, 0, 100, &found), 5);
    ck_assert_int_eq(found[0].first_offset, 10);
    free(found);
    txn_index_trim(&index, 100);
    ck_assert_uint_eq(txn_index_find(&index, 0, 100, &found), 0);
    txn_index_deinit(&index);
}
END_TEST

TEST_MAIN("broker/txn_index", txn_index_random, txn_index_trims_what_retention_took)
