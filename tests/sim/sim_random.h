// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/* sim_random: the one source of chance of a simulation (splitmix64). A seed gives the same numbers
 * everywhere. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sim_random {
    uint64_t state;
};

static inline uint64_t sim_next(struct sim_random *random)
{
    uint64_t z = (random->state += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

/* 0 <= answer < bound; bound > 0. */
static inline uint64_t sim_below(struct sim_random *random, uint64_t bound)
{
    return sim_next(random) % bound;
}

/* low <= answer <= high */
static inline int64_t sim_between(struct sim_random *random, int64_t low, int64_t high)
{
    return low + (int64_t)sim_below(random, (uint64_t)(high - low) + 1);
}

static inline bool sim_chance(struct sim_random *random, unsigned percent)
{
    return sim_below(random, 100) < percent;
}
