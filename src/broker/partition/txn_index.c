// SPDX-License-Identifier: BSD-2-Clause
/*
 * Two arrays that grow at their end and shrink at their start. A transaction holds the last stable
 * offset back from its first record until its marker is readable: what follows an open one may have
 * been decided long ago, but readers go on in order.
 *
 * Saved: count of spans | count of aborted | spans | aborted, each three numbers of 8 bytes.
 */
#include "broker/partition/txn_index.h"

#include "base/bytes.h"
#include "base/canary.h"
#include "store/engine.h"

#include <assert.h>

#define TXN_SPAN_SIZE ((size_t)24)
#define TXN_HEAD_SIZE ((size_t)16)

void txn_index_deinit(struct txn_index *index)
{
    free(index->spans);
    free(index->aborted);
    *index = TXN_INDEX_NULL;
}

static void spans_add(struct txn_span **spans, size_t *from, size_t *end, size_t *capacity,
    const struct txn_span *span)
{
    if (*end == *capacity && *from > *capacity / 2) {
        memmove(*spans, *spans + *from, (*end - *from) * sizeof(**spans));
        *end -= *from;
        *from = 0;
    }
    if (*end == *capacity) {
        *capacity = *capacity * 2 + 8;
        *spans = xrealloc(*spans, *capacity * sizeof(**spans));
    }
    (*spans)[(*end)++] = *span;
}

void txn_index_begin(struct txn_index *index, int64_t producer_id, int64_t first_offset)
{
    assert(index->spans_end == index->spans_from ||
           index->spans[index->spans_end - 1].first_offset < first_offset);
    struct txn_span span = {producer_id, first_offset, -1};
    spans_add(&index->spans, &index->spans_from, &index->spans_end, &index->spans_capacity, &span);
}

void txn_index_end(struct txn_index *index, int64_t first_offset, int64_t last_offset, bool commit)
{
    size_t low = index->spans_from, high = index->spans_end;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (index->spans[middle].first_offset < first_offset)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == index->spans_end || index->spans[low].first_offset != first_offset)
        return;
    struct txn_span *span = &index->spans[low];
    span->last_offset = last_offset;
    if (!commit && !canary(ABORTED_FORGOTTEN))
        spans_add(&index->aborted, &index->aborted_from, &index->aborted_end,
            &index->aborted_capacity, span);
}

int64_t txn_index_stable(struct txn_index *index, int64_t high_watermark)
{
    for (; index->spans_from < index->spans_end && !canary(LSO_AHEAD); index->spans_from++) {
        const struct txn_span *span = &index->spans[index->spans_from];
        if (span->last_offset < 0 || span->last_offset >= high_watermark)
            return span->first_offset < high_watermark ? span->first_offset : high_watermark;
    }
    index->spans_from = index->spans_end = 0;
    return high_watermark;
}

void txn_index_trim(struct txn_index *index, int64_t log_start)
{
    while (index->aborted_from < index->aborted_end &&
           index->aborted[index->aborted_from].last_offset < log_start)
        index->aborted_from++;
    if (index->aborted_from == index->aborted_end)
        index->aborted_from = index->aborted_end = 0;
}

static int spans_order(const void *a, const void *b)
{
    const struct txn_span *left = a, *right = b;
    return (left->first_offset > right->first_offset) - (left->first_offset < right->first_offset);
}

size_t txn_index_find(
    const struct txn_index *index, int64_t from, int64_t bound, struct txn_span **ret_spans)
{
    size_t low = index->aborted_from, high = index->aborted_end, count = 0;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (index->aborted[middle].last_offset < from)
            low = middle + 1;
        else
            high = middle;
    }
    *ret_spans = NULL;
    if (low == index->aborted_end)
        return 0;
    struct txn_span *spans = xnew_n(struct txn_span, index->aborted_end - low);
    for (size_t i = low; i < index->aborted_end; i++) {
        if (index->aborted[i].first_offset < bound)
            spans[count++] = index->aborted[i];
    }
    qsort(spans, count, sizeof(*spans), spans_order);
    *ret_spans = spans;
    return count;
}

/* The stable offset of each is the least that the open ones and the later aborted ones allow; what
 * committed later may have held it back further, which matters to nobody who looks for aborted
 * ones. */
void txn_index_aborted(const struct txn_index *index, struct buffer *out)
{
    size_t count = index->aborted_end - index->aborted_from;
    if (count == 0)
        return;
    struct engine_aborted *entries = (void *)buffer_reserve(out, count * sizeof(*entries));
    int64_t held = INT64_MAX;
    for (size_t i = index->spans_from; i < index->spans_end; i++) {
        if (index->spans[i].last_offset < 0 && index->spans[i].first_offset < held)
            held = index->spans[i].first_offset;
    }
    for (size_t i = count; i > 0; i--) {
        const struct txn_span *span = &index->aborted[index->aborted_from + i - 1];
        entries[i - 1] = (struct engine_aborted){span->producer_id, span->first_offset,
            span->last_offset, held <= span->last_offset ? held : span->last_offset + 1};
        held = span->first_offset < held ? span->first_offset : held;
    }
    out->size += count * sizeof(*entries);
}

/* --- snapshot --- */

static uint8_t *spans_save(const struct txn_span *spans, size_t from, size_t end, uint8_t *at)
{
    for (size_t i = from; i < end; i++, at += TXN_SPAN_SIZE) {
        bytes_put_u64(at, (uint64_t)spans[i].producer_id);
        bytes_put_u64(at + 8, (uint64_t)spans[i].first_offset);
        bytes_put_u64(at + 16, (uint64_t)spans[i].last_offset);
    }
    return at;
}

void txn_index_save(const struct txn_index *index, struct buffer *out)
{
    size_t spans_count = index->spans_end - index->spans_from;
    size_t aborted_count = index->aborted_end - index->aborted_from;
    size_t size = TXN_HEAD_SIZE + (spans_count + aborted_count) * TXN_SPAN_SIZE;
    uint8_t *at = buffer_reserve(out, size);
    bytes_put_u64(at, spans_count);
    bytes_put_u64(at + 8, aborted_count);
    at = spans_save(index->spans, index->spans_from, index->spans_end, at + TXN_HEAD_SIZE);
    spans_save(index->aborted, index->aborted_from, index->aborted_end, at);
    out->size += size;
}

static struct txn_span span_load(const uint8_t *at)
{
    return (struct txn_span){(int64_t)bytes_get_u64(at), (int64_t)bytes_get_u64(at + 8),
        (int64_t)bytes_get_u64(at + 16)};
}

bool txn_index_load(struct txn_index *index, const uint8_t **cursor, const uint8_t *end)
{
    const uint8_t *at = *cursor;
    size_t left = (size_t)(end - at);
    if (left < TXN_HEAD_SIZE)
        return false;
    uint64_t spans_count = bytes_get_u64(at), aborted_count = bytes_get_u64(at + 8);
    left = (left - TXN_HEAD_SIZE) / TXN_SPAN_SIZE;
    if (spans_count > left || aborted_count > left - spans_count)
        return false;
    at += TXN_HEAD_SIZE;
    int64_t before = -1;
    for (uint64_t i = 0; i < spans_count; i++, at += TXN_SPAN_SIZE) {
        struct txn_span span = span_load(at);
        if (span.first_offset <= before)
            return false;
        before = span.first_offset;
        spans_add(
            &index->spans, &index->spans_from, &index->spans_end, &index->spans_capacity, &span);
    }
    for (uint64_t i = 0; i < aborted_count; i++, at += TXN_SPAN_SIZE) {
        struct txn_span span = span_load(at);
        spans_add(&index->aborted, &index->aborted_from, &index->aborted_end,
            &index->aborted_capacity, &span);
    }
    *cursor = at;
    return true;
}
