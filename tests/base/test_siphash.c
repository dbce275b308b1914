// SPDX-License-Identifier: BSD-2-Clause
/* Against vectors of another implementation (OpenSSL's): key 00..0f, input 00..n-1. */
#include "base/siphash.h"

#include "runner.h"

static const struct siphash_key key = {{0x0706050403020100, 0x0f0e0d0c0b0a0908}};

static struct siphash_result hash_of(size_t size)
{
    uint8_t input[16];
    for (size_t i = 0; i < sizeof(input); i++)
        input[i] = (uint8_t)i;
    return siphash_128(&key, slice_make(input, size));
}

/* As the bytes are printed: each word lowest byte first. */
static void check_hash(size_t size, uint64_t first, uint64_t second)
{
    struct siphash_result result = hash_of(size);
    ck_assert_uint_eq(__builtin_bswap64(result.words[0]), first);
    ck_assert_uint_eq(__builtin_bswap64(result.words[1]), second);
}

START_TEST(siphash_gives_the_known_results)
{
    check_hash(0, 0xa3817f04ba25a8e6, 0x6df67214c7550293);
    check_hash(1, 0xda87c1d86b99af44, 0x347659119b22fc45);
    check_hash(8, 0x3b62a9ba6258f561, 0x0f83e264f31497b4);
    check_hash(15, 0x5493e99933b0a811, 0x7e08ec0f97cfc3d9);
}
END_TEST

START_TEST(siphash_depends_on_the_key)
{
    struct siphash_key other = key;
    other.words[1] ^= 1;
    struct siphash_result a = siphash_128(&key, SLICE_LIT("x"));
    struct siphash_result b = siphash_128(&other, SLICE_LIT("x"));
    ck_assert(a.words[0] != b.words[0] && a.words[1] != b.words[1]);
}
END_TEST

TEST_MAIN("base/siphash", siphash_gives_the_known_results, siphash_depends_on_the_key)
