// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * size: how many bytes the writer takes for a value. Pure functions for the generated code; each
 * agrees with the writer's function of the same name, for null and empty alike.
 */
#include "wire/records.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline size_t size_uvarint(uint64_t value)
{
    size_t size = 1;
    for (; value >= 0x80; value >>= 7)
        size++;
    return size;
}

/* Strings have at most this many bytes, in either form; the writer cuts longer ones. */
#define SIZE_STRING_MAX ((size_t)INT16_MAX)

static inline size_t size_string(bool flexible, struct slice s)
{
    size_t size = s.size < SIZE_STRING_MAX ? s.size : SIZE_STRING_MAX;
    return (flexible ? size_uvarint((uint64_t)size + 1) : 2) + size;
}

static inline size_t size_bytes(bool flexible, struct slice s)
{
    return (flexible ? size_uvarint((uint64_t)s.size + 1) : 4) + s.size;
}

static inline size_t size_records(bool flexible, const struct records *records)
{
    size_t size = records_size(records);
    return (flexible ? size_uvarint((uint64_t)size + 1) : 4) + size;
}

/* The count in front of an array. */
static inline size_t size_array(bool flexible, int32_t count)
{
    return flexible ? size_uvarint(count < 0 ? 1 : (uint64_t)count + 1) : 4;
}

/* A whole array of elements of one size. */
static inline size_t size_array_fixed(bool flexible, int32_t count, size_t element_size)
{
    return size_array(flexible, count) + (count < 0 ? 0 : (size_t)count * element_size);
}

/* A tagged field with a value of `value_size` bytes. */
static inline size_t size_tag(uint32_t number, size_t value_size)
{
    return size_uvarint(number) + size_uvarint(value_size) + value_size;
}
