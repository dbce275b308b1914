// SPDX-License-Identifier: BSD-2-Clause
/*
 * Two implementations. The portable one eats eight bytes a step through eight tables. The x86 one
 * keeps three independent crc32 instructions in flight (the instruction has a latency of three
 * cycles and a throughput of one): a block is cut in three runs, each gets a sum of its own, and
 * the sums are joined by advancing the earlier ones over the bytes that follow them.
 *
 * Advancing a sum over n bytes is a multiplication by x^(8n) modulo the polynomial. A carry-less
 * product of two reflected 32-bit values, fed to the crc32 instruction as eight bytes, gives their
 * product times x^33, so the factors below are x^(8n - 33).
 */
#include "base/crc32c.h"

#include <assert.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#define CRC32C_X86 1
#endif

#define CRC32C_POLYNOMIAL 0x82F63B78U /* reflected */

static uint32_t crc32c_tables[8][256];
static uint32_t (*crc32c_best)(uint32_t crc, const void *data, size_t size);

static uint32_t crc32c_byte(uint32_t sum, uint8_t byte)
{
    return crc32c_tables[0][(sum ^ byte) & 0xff] ^ (sum >> 8);
}

/* Little-endian whatever the machine is; compilers make one load of it. */
static uint64_t crc32c_load(const uint8_t *at)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < 8; i++)
        value |= (uint64_t)at[i] << (8 * i);
    return value;
}

uint32_t crc32c_portable(uint32_t crc, const void *data, size_t size)
{
    const uint8_t *at = data;
    uint32_t sum = ~crc;
    for (; size >= 8; at += 8, size -= 8) {
        uint64_t value = crc32c_load(at) ^ sum;
        sum = 0;
        for (unsigned i = 0; i < 8; i++)
            sum ^= crc32c_tables[7 - i][(value >> (8 * i)) & 0xff];
    }
    for (; size > 0; size--)
        sum = crc32c_byte(sum, *at++);
    return ~sum;
}

#ifdef CRC32C_X86

#define CRC32C_LONG  8192 /* bytes per run */
#define CRC32C_SHORT 256

struct crc32c_factors {
    uint32_t one, two; /* advance over one run, over two */
};
static const struct crc32c_factors crc32c_long_factors = {0x54a86326U, 0x1dc403ccU};
static const struct crc32c_factors crc32c_short_factors = {0xb9e02b86U, 0xdd7e3b0cU};

#define CRC32C_TARGET __attribute__((target("sse4.2,pclmul")))

CRC32C_TARGET static inline uint64_t crc32c_load_fast(const uint8_t *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof(value));
    return value;
}

CRC32C_TARGET static inline uint64_t crc32c_advance(uint64_t sum, uint32_t factor)
{
    __m128i product =
        _mm_clmulepi64_si128(_mm_cvtsi64_si128((int64_t)sum), _mm_cvtsi32_si128((int)factor), 0);
    return _mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(product));
}

/* Sums three neighbouring runs of `run` bytes. */
CRC32C_TARGET static inline uint64_t crc32c_three(
    uint64_t sum, const uint8_t *at, size_t run, const struct crc32c_factors *factors)
{
    uint64_t second = 0, third = 0;
    for (size_t i = 0; i < run; i += 8) {
        sum = _mm_crc32_u64(sum, crc32c_load_fast(at + i));
        second = _mm_crc32_u64(second, crc32c_load_fast(at + run + i));
        third = _mm_crc32_u64(third, crc32c_load_fast(at + 2 * run + i));
    }
    return crc32c_advance(sum, factors->two) ^ crc32c_advance(second, factors->one) ^ third;
}

CRC32C_TARGET static uint32_t crc32c_x86(uint32_t crc, const void *data, size_t size)
{
    const uint8_t *at = data;
    uint64_t sum = ~crc;
    for (; size >= 3 * CRC32C_LONG; at += 3 * CRC32C_LONG, size -= 3 * CRC32C_LONG)
        sum = crc32c_three(sum, at, CRC32C_LONG, &crc32c_long_factors);
    for (; size >= 3 * CRC32C_SHORT; at += 3 * CRC32C_SHORT, size -= 3 * CRC32C_SHORT)
        sum = crc32c_three(sum, at, CRC32C_SHORT, &crc32c_short_factors);
    for (; size >= 8; at += 8, size -= 8)
        sum = _mm_crc32_u64(sum, crc32c_load_fast(at));
    for (; size > 0; size--)
        sum = _mm_crc32_u8((uint32_t)sum, *at++);
    return ~(uint32_t)sum;
}

#endif

/* Before main, so that no call has to ask whether the tables are there. */
__attribute__((constructor)) static void crc32c_init(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t sum = i;
        for (unsigned bit = 0; bit < 8; bit++)
            sum = (sum >> 1) ^ ((sum & 1) != 0 ? CRC32C_POLYNOMIAL : 0);
        crc32c_tables[0][i] = sum;
    }
    for (uint32_t i = 0; i < 256; i++) {
        for (unsigned table = 1; table < 8; table++) {
            uint32_t before = crc32c_tables[table - 1][i];
            crc32c_tables[table][i] = crc32c_tables[0][before & 0xff] ^ (before >> 8);
        }
    }
    crc32c_best = crc32c_portable;
#ifdef CRC32C_X86
    __builtin_cpu_init();
    if (__builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul"))
        crc32c_best = crc32c_x86;
#endif
}

uint32_t crc32c(uint32_t crc, const void *data, size_t size)
{
    assert(crc32c_best != NULL);
    return crc32c_best(crc, data, size);
}
