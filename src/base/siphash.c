// SPDX-License-Identifier: BSD-2-Clause
#include "base/siphash.h"

#include <string.h>

struct sip {
    uint64_t v0, v1, v2, v3;
};

static uint64_t sip_rotate(uint64_t word, unsigned bits)
{
    return word << bits | word >> (64 - bits);
}

static void sip_rounds(struct sip *sip, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        sip->v0 += sip->v1;
        sip->v1 = sip_rotate(sip->v1, 13) ^ sip->v0;
        sip->v0 = sip_rotate(sip->v0, 32);
        sip->v2 += sip->v3;
        sip->v3 = sip_rotate(sip->v3, 16) ^ sip->v2;
        sip->v0 += sip->v3;
        sip->v3 = sip_rotate(sip->v3, 21) ^ sip->v0;
        sip->v2 += sip->v1;
        sip->v1 = sip_rotate(sip->v1, 17) ^ sip->v2;
        sip->v2 = sip_rotate(sip->v2, 32);
    }
}

/* Up to eight bytes, the first one lowest. */
static uint64_t sip_word(const uint8_t *at, size_t size)
{
    uint64_t word = 0;
    for (size_t i = 0; i < size; i++)
        word |= (uint64_t)at[i] << (8 * i);
    return word;
}

static void sip_absorb(struct sip *sip, uint64_t word)
{
    sip->v3 ^= word;
    sip_rounds(sip, 2);
    sip->v0 ^= word;
}

struct siphash_result siphash_128(const struct siphash_key *key, struct slice bytes)
{
    struct sip sip = {
        key->words[0] ^ 0x736f6d6570736575,
        key->words[1] ^ 0x646f72616e646f6d ^ 0xee,
        key->words[0] ^ 0x6c7967656e657261,
        key->words[1] ^ 0x7465646279746573,
    };
    size_t at = 0;
    for (; bytes.size - at >= 8; at += 8)
        sip_absorb(&sip, sip_word(bytes.data + at, 8));
    uint64_t tail = at == bytes.size ? 0 : sip_word(bytes.data + at, bytes.size - at);
    sip_absorb(&sip, tail | (uint64_t)bytes.size << 56);
    struct siphash_result result;
    sip.v2 ^= 0xee;
    sip_rounds(&sip, 4);
    result.words[0] = sip.v0 ^ sip.v1 ^ sip.v2 ^ sip.v3;
    sip.v1 ^= 0xdd;
    sip_rounds(&sip, 4);
    result.words[1] = sip.v0 ^ sip.v1 ^ sip.v2 ^ sip.v3;
    return result;
}
