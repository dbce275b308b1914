// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/* regex_parse: an expression as a tree; used by regex.c alone. Nodes are indexes into one array. */
#include "base/memory.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

enum regex_kind {
    REGEX_EMPTY,
    REGEX_SET,       /* one byte of a set */
    REGEX_CONCAT,    /* a b */
    REGEX_ALTERNATE, /* a | b */
    REGEX_REPEAT,    /* a, from min to max times; max < 0: without end */
    REGEX_ASSERT,
};

enum regex_assert {
    REGEX_TEXT_BEGIN,
    REGEX_TEXT_END,
    REGEX_LINE_BEGIN,
    REGEX_LINE_END,
    REGEX_WORD_EDGE,
    REGEX_WORD_INSIDE,
};

struct regex_set {
    uint64_t words[4];
};

struct regex_node {
    enum regex_kind kind;
    struct regex_set set;
    enum regex_assert assertion;
    uint32_t a, b;
    int min, max;
};

struct regex_tree {
    struct regex_node *nodes;
    uint32_t count, capacity;
    uint32_t root;
};

static inline void regex_set_add(struct regex_set *set, unsigned byte)
{
    set->words[byte >> 6] |= (uint64_t)1 << (byte & 63);
}
static inline bool regex_set_has(const struct regex_set *set, unsigned byte)
{
    return (set->words[byte >> 6] >> (byte & 63) & 1) != 0;
}

/* 0, -EINVAL or -E2BIG; the tree is to be freed either way. */
int regex_parse(struct slice pattern, struct regex_tree *ret_tree);
