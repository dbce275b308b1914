// SPDX-License-Identifier: BSD-2-Clause
// Latency histogram with logarithmic buckets: 32 linear steps per power of two, so a percentile is
// read back within about 3 %. Fixed size, no allocation; one thread at a time.
#pragma once

#include <stdint.h>
#include <stdio.h>

#define HISTOGRAM_STEPS       32u
#define HISTOGRAM_BUCKETS_MAX (HISTOGRAM_STEPS * 60u)

struct histogram {
    uint64_t count;                          // values recorded
    uint64_t max;                            // largest value, exact
    uint64_t sum;                            // of all values
    uint64_t buckets[HISTOGRAM_BUCKETS_MAX]; // counts
};

// Records one value (nanoseconds everywhere in the bench).
void histogram_add(struct histogram *histogram, uint64_t value);

// Adds all of `from` to `histogram`.
void histogram_merge(struct histogram *histogram, const struct histogram *from);

// The value below which `percent` of the values lie (upper edge of its bucket); 0 when empty.
uint64_t histogram_percentile(const struct histogram *histogram, double percent);

// Prints `"NAME":{"count":..,"p50":..,...}` in microseconds, without a trailing comma.
void histogram_print_json(const struct histogram *histogram, const char *name, FILE *out);
