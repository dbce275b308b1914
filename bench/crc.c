// SPDX-License-Identifier: BSD-2-Clause
// The crc32 instruction has a latency of three cycles and a throughput of one, so three independent
// streams over adjacent blocks run three times as fast as one. Joining them needs "the CRC after N
// more zero bytes", a linear map over GF(2), kept as a table of 4 x 256 words for the block size.
// Without SSE4.2 a plain table does the work (the floor is then slower, and so is everybody).
#include "crc.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#define CRC_POLY       0x82f63b78u
#define CRC_BLOCK_SIZE 4096u

static uint32_t crc_byte_table[256];
static uint32_t crc_shift_table[4][256];
static bool crc_hardware;

static uint32_t crc_portable(uint32_t crc, const uint8_t *data, size_t size)
{
    while (size-- > 0)
        crc = crc >> 8u ^ crc_byte_table[(crc ^ *data++) & 0xffu];
    return crc;
}

static void crc_tables_init(void)
{
    static const uint8_t zeros[CRC_BLOCK_SIZE];
    uint32_t bit_image[32];

    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i;
        for (unsigned bit = 0; bit < 8; bit++)
            crc = crc >> 1u ^ (crc & 1u ? CRC_POLY : 0u);
        crc_byte_table[i] = crc;
    }
    for (unsigned bit = 0; bit < 32; bit++)
        bit_image[bit] = crc_portable(1u << bit, zeros, sizeof(zeros));
    for (unsigned byte = 0; byte < 4; byte++)
        for (unsigned value = 0; value < 256; value++)
            for (unsigned bit = 0; bit < 8; bit++)
                if (value >> bit & 1u)
                    crc_shift_table[byte][value] ^= bit_image[byte * 8u + bit];
#ifdef __x86_64__
    crc_hardware = __builtin_cpu_supports("sse4.2");
#endif
}

#ifdef __x86_64__
static uint64_t crc_load(const uint8_t *data)
{
    uint64_t word;

    memcpy(&word, data, sizeof(word));
    return word;
}

static uint32_t crc_shift(uint32_t crc)
{
    return crc_shift_table[0][crc & 0xffu] ^ crc_shift_table[1][crc >> 8u & 0xffu] ^
           crc_shift_table[2][crc >> 16u & 0xffu] ^ crc_shift_table[3][crc >> 24u];
}

__attribute__((target("sse4.2"))) static uint32_t crc_sse42(
    uint32_t crc, const uint8_t *data, size_t size)
{
    uint64_t a = crc;

    while (size >= 3 * CRC_BLOCK_SIZE) {
        uint64_t b = 0, c = 0;
        for (size_t i = 0; i < CRC_BLOCK_SIZE; i += 8) {
            a = __builtin_ia32_crc32di(a, crc_load(data + i));
            b = __builtin_ia32_crc32di(b, crc_load(data + CRC_BLOCK_SIZE + i));
            c = __builtin_ia32_crc32di(c, crc_load(data + 2 * CRC_BLOCK_SIZE + i));
        }
        a = crc_shift(crc_shift((uint32_t)a) ^ (uint32_t)b) ^ (uint32_t)c;
        data += 3 * CRC_BLOCK_SIZE;
        size -= 3 * CRC_BLOCK_SIZE;
    }
    for (; size >= 8; size -= 8, data += 8)
        a = __builtin_ia32_crc32di(a, crc_load(data));
    for (; size > 0; size--, data++)
        a = __builtin_ia32_crc32qi((uint32_t)a, *data);
    return (uint32_t)a;
}
#endif

uint32_t crc_of(const void *data, size_t size)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, crc_tables_init);
#ifdef __x86_64__
    if (crc_hardware)
        return ~crc_sse42(~0u, data, size);
#endif
    return ~crc_portable(~0u, data, size);
}
