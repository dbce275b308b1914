// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * consumer_parts: a set of partitions by topic id, as an array in order without duplicates. Owned
 * by whoever holds it; plain data, one thread at a time.
 */
#include "base/memory.h"
#include "base/uuid.h"

#include <stdbool.h>
#include <stdint.h>

struct consumer_part {
    struct uuid topic;
    int32_t partition;
};

struct consumer_parts {
    struct consumer_part *items;
    size_t count, capacity;
};
#define CONSUMER_PARTS_NULL ((struct consumer_parts){NULL, 0, 0})

int consumer_part_compare(const struct consumer_part *a, const struct consumer_part *b);
/* The bytes that stand for a partition as a map's key; as long as the part lives. */
static inline struct slice consumer_part_key(const struct consumer_part *part)
{
    return slice_make(part, UUID_SIZE + sizeof(int32_t));
}
_Static_assert(sizeof(struct consumer_part) == UUID_SIZE + sizeof(int32_t), "keys have no holes");

void consumer_parts_free(struct consumer_parts *parts);
void consumer_parts_add(struct consumer_parts *parts, struct uuid topic, int32_t partition);
void consumer_parts_sort(struct consumer_parts *parts); /* after adding in any order */
struct consumer_parts consumer_parts_copy(const struct consumer_parts *parts);
bool consumer_parts_equal(const struct consumer_parts *a, const struct consumer_parts *b);
bool consumer_parts_contain(const struct consumer_parts *parts, const struct consumer_part *part);
bool consumer_parts_subset(const struct consumer_parts *inner, const struct consumer_parts *outer);
bool consumer_parts_meet(const struct consumer_parts *a, const struct consumer_parts *b);
/* What of `a` is in `b`, and what is not. */
struct consumer_parts consumer_parts_both(
    const struct consumer_parts *a, const struct consumer_parts *b);
struct consumer_parts consumer_parts_without(
    const struct consumer_parts *a, const struct consumer_parts *b);
/* Runs of one topic each, as records and answers have them. */
struct consumer_run {
    struct uuid topic;
    int32_t *partitions;
    int32_t count;
};
struct consumer_runs {
    struct consumer_run *items;
    int32_t count;
    int32_t *numbers;
};
struct consumer_runs consumer_runs_make(const struct consumer_parts *parts);
void consumer_runs_free(struct consumer_runs *runs);
/* Takes the place of *parts. True: it is another set. */
bool consumer_parts_replace(struct consumer_parts *parts, struct consumer_parts take_other);
