// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * varint: zigzag variable-length integers as Kafka's records have them. The getters never read at
 * or beyond `end`; false: the bytes end too early or the number is longer than its type. Pure
 * functions, any thread.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VARINT_SIZE_MAX  5
#define VARLONG_SIZE_MAX 10

static inline bool varint_get_raw(
    const uint8_t **cursor, const uint8_t *end, unsigned size_max, uint64_t *ret_value)
{
    const uint8_t *at = *cursor;
    uint64_t value = 0;
    for (unsigned i = 0; i < size_max && at < end; i++) {
        uint8_t byte = *at++;
        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if ((byte & 0x80) == 0) {
            *cursor = at;
            *ret_value = value;
            return true;
        }
    }
    return false;
}

static inline bool varint_get(const uint8_t **cursor, const uint8_t *end, int32_t *ret_value)
{
    uint64_t raw;
    if (!varint_get_raw(cursor, end, VARINT_SIZE_MAX, &raw))
        return false;
    uint32_t word = (uint32_t)raw;
    *ret_value = (int32_t)((word >> 1) ^ (0U - (word & 1)));
    return true;
}

static inline bool varlong_get(const uint8_t **cursor, const uint8_t *end, int64_t *ret_value)
{
    uint64_t raw;
    if (!varint_get_raw(cursor, end, VARLONG_SIZE_MAX, &raw))
        return false;
    *ret_value = (int64_t)((raw >> 1) ^ (0ULL - (raw & 1)));
    return true;
}

/* Writes at most VARLONG_SIZE_MAX (VARINT_SIZE_MAX for a 32-bit value) bytes; returns how many. */
static inline size_t varlong_put(uint8_t *at, int64_t value)
{
    uint64_t raw = ((uint64_t)value << 1) ^ (uint64_t)(value >> 63);
    size_t size = 0;
    while (raw >= 0x80) {
        at[size++] = (uint8_t)(raw | 0x80);
        raw >>= 7;
    }
    at[size++] = (uint8_t)raw;
    return size;
}

static inline size_t varlong_size(int64_t value)
{
    uint64_t raw = ((uint64_t)value << 1) ^ (uint64_t)(value >> 63);
    size_t size = 1;
    for (; raw >= 0x80; raw >>= 7)
        size++;
    return size;
}
