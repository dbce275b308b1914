// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * siphash: SipHash-2-4 with 128 bits of result. Whoever does not know the key cannot find two
 * inputs with the same result, so that a table may keep the hash in place of the bytes. Pure; any
 * thread.
 */
#include "base/slice.h"

struct siphash_key {
    uint64_t words[2];
};

struct siphash_result {
    uint64_t words[2];
};

struct siphash_result siphash_128(const struct siphash_key *key, struct slice bytes);
