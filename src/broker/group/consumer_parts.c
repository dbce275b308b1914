// SPDX-License-Identifier: BSD-2-Clause
/* Sets are small and read more often than changed: sorted arrays, merged side by side. */
#include "broker/group/consumer_parts.h"

#include <assert.h>

int consumer_part_compare(const struct consumer_part *a, const struct consumer_part *b)
{
    int order = memcmp(a->topic.bytes, b->topic.bytes, UUID_SIZE);
    return order != 0 ? order : (a->partition > b->partition) - (a->partition < b->partition);
}

void consumer_parts_free(struct consumer_parts *parts)
{
    free(parts->items);
    *parts = CONSUMER_PARTS_NULL;
}

void consumer_parts_add(struct consumer_parts *parts, struct uuid topic, int32_t partition)
{
    if (parts->count == parts->capacity) {
        parts->capacity = parts->capacity == 0 ? 4 : parts->capacity * 2;
        parts->items = xrealloc(parts->items, parts->capacity * sizeof(*parts->items));
    }
    parts->items[parts->count++] = (struct consumer_part){topic, partition};
}

static int consumer_part_order(const void *a, const void *b)
{
    return consumer_part_compare(a, b);
}

void consumer_parts_sort(struct consumer_parts *parts)
{
    if (parts->count < 2)
        return;
    qsort(parts->items, parts->count, sizeof(*parts->items), consumer_part_order);
    size_t kept = 1;
    for (size_t i = 1; i < parts->count; i++) {
        if (consumer_part_compare(&parts->items[i], &parts->items[kept - 1]) != 0)
            parts->items[kept++] = parts->items[i];
    }
    parts->count = kept;
}

struct consumer_parts consumer_parts_copy(const struct consumer_parts *parts)
{
    struct consumer_parts copy = CONSUMER_PARTS_NULL;
    if (parts->count == 0)
        return copy;
    copy.items = xmalloc(parts->count * sizeof(*parts->items));
    memcpy(copy.items, parts->items, parts->count * sizeof(*parts->items));
    copy.count = copy.capacity = parts->count;
    return copy;
}

bool consumer_parts_equal(const struct consumer_parts *a, const struct consumer_parts *b)
{
    return a->count == b->count &&
           (a->count == 0 || memcmp(a->items, b->items, a->count * sizeof(*a->items)) == 0);
}

bool consumer_parts_contain(const struct consumer_parts *parts, const struct consumer_part *part)
{
    return parts->count > 0 && bsearch(part, parts->items, parts->count, sizeof(*parts->items),
                                   consumer_part_order) != NULL;
}

bool consumer_parts_subset(const struct consumer_parts *inner, const struct consumer_parts *outer)
{
    for (size_t i = 0; i < inner->count; i++) {
        if (!consumer_parts_contain(outer, &inner->items[i]))
            return false;
    }
    return true;
}

bool consumer_parts_meet(const struct consumer_parts *a, const struct consumer_parts *b)
{
    for (size_t i = 0; i < a->count; i++) {
        if (consumer_parts_contain(b, &a->items[i]))
            return true;
    }
    return false;
}

static struct consumer_parts consumer_parts_filter(
    const struct consumer_parts *a, const struct consumer_parts *b, bool in_both)
{
    struct consumer_parts out = CONSUMER_PARTS_NULL;
    for (size_t i = 0; i < a->count; i++) {
        if (consumer_parts_contain(b, &a->items[i]) == in_both)
            consumer_parts_add(&out, a->items[i].topic, a->items[i].partition);
    }
    return out;
}

struct consumer_parts consumer_parts_both(
    const struct consumer_parts *a, const struct consumer_parts *b)
{
    return consumer_parts_filter(a, b, true);
}

struct consumer_parts consumer_parts_without(
    const struct consumer_parts *a, const struct consumer_parts *b)
{
    return consumer_parts_filter(a, b, false);
}

bool consumer_parts_replace(struct consumer_parts *parts, struct consumer_parts take_other)
{
    bool changed = !consumer_parts_equal(parts, &take_other);
    consumer_parts_free(parts);
    *parts = take_other;
    return changed;
}

struct consumer_runs consumer_runs_make(const struct consumer_parts *parts)
{
    struct consumer_runs runs = {
        xnew_n(struct consumer_run, parts->count + 1), 0, xnew_n(int32_t, parts->count + 1)};
    for (size_t i = 0; i < parts->count; i++) {
        const struct consumer_part *part = &parts->items[i];
        if (runs.count == 0 || !uuid_equal(runs.items[runs.count - 1].topic, part->topic))
            runs.items[runs.count++] = (struct consumer_run){part->topic, &runs.numbers[i], 0};
        runs.numbers[i] = part->partition;
        runs.items[runs.count - 1].count++;
    }
    return runs;
}

void consumer_runs_free(struct consumer_runs *runs)
{
    free(runs->items);
    free(runs->numbers);
}
