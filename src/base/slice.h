// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * slice: a borrowed run of bytes. Plain data, owns nothing; whoever stores one must know whose
 * bytes they are. A slice with data == NULL is the protocol's null; an empty string has data !=
 * NULL and size 0.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const uint8_t *data;
    size_t size; /* bytes */
};

#define SLICE_NULL     ((struct slice){NULL, 0})
#define SLICE_LIT(lit) ((struct slice){(const uint8_t *)("" lit), sizeof(lit) - 1})
/* For printf: printf("%.*s", SLICE_FMT(s)) */
#define SLICE_FMT(s) (int)(s).size, (s).data == NULL ? "" : (const char *)(s).data

static inline struct slice slice_make(const void *data, size_t size)
{
    return (struct slice){data, size};
}

/* The bytes of a C string without its NUL; NULL gives the null slice. */
static inline struct slice slice_from_str(const char *str)
{
    return str == NULL ? SLICE_NULL : slice_make(str, strlen(str));
}

static inline bool slice_is_null(struct slice s)
{
    return s.data == NULL;
}

/* Null and empty compare equal. */
static inline bool slice_equal(struct slice a, struct slice b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static inline bool slice_equal_str(struct slice a, const char *b)
{
    return slice_equal(a, slice_from_str(b));
}

/* Order of the bytes, shorter first on a common prefix: < 0, 0, > 0. */
static inline int slice_compare(struct slice a, struct slice b)
{
    size_t size = a.size < b.size ? a.size : b.size;
    int order = size == 0 ? 0 : memcmp(a.data, b.data, size);
    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}
