// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/* bytes: big-endian integers at unaligned places, as Kafka's wire and disk formats have them. */
#include <endian.h>
#include <stdint.h>
#include <string.h>

static inline uint16_t bytes_get_u16(const void *at)
{
    uint16_t value;
    memcpy(&value, at, sizeof(value));
    return be16toh(value);
}

static inline uint32_t bytes_get_u32(const void *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof(value));
    return be32toh(value);
}

static inline uint64_t bytes_get_u64(const void *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof(value));
    return be64toh(value);
}

static inline void bytes_put_u16(void *at, uint16_t value)
{
    value = htobe16(value);
    memcpy(at, &value, sizeof(value));
}

static inline void bytes_put_u32(void *at, uint32_t value)
{
    value = htobe32(value);
    memcpy(at, &value, sizeof(value));
}

static inline void bytes_put_u64(void *at, uint64_t value)
{
    value = htobe64(value);
    memcpy(at, &value, sizeof(value));
}
