// SPDX-License-Identifier: BSD-2-Clause
// Values below 32 have a bucket each. A larger value v with its highest bit at position b falls
// into octave b-4, step (v >> (b-5)) - 32: the six leading bits decide, the rest is rounded away.
#include "histogram.h"

#include <assert.h>

static unsigned histogram_bucket(uint64_t value)
{
    unsigned shift, bucket;

    if (value < HISTOGRAM_STEPS)
        return (unsigned)value;
    shift = 63u - (unsigned)__builtin_clzll(value) - 5u;
    bucket = (shift + 1u) * HISTOGRAM_STEPS + (unsigned)(value >> shift) - HISTOGRAM_STEPS;
    return bucket < HISTOGRAM_BUCKETS_MAX ? bucket : HISTOGRAM_BUCKETS_MAX - 1u;
}

static uint64_t histogram_bucket_top(unsigned bucket)
{
    unsigned shift;

    if (bucket < HISTOGRAM_STEPS)
        return bucket;
    shift = bucket / HISTOGRAM_STEPS - 1u;
    return ((uint64_t)(bucket % HISTOGRAM_STEPS + HISTOGRAM_STEPS + 1u) << shift) - 1u;
}

void histogram_add(struct histogram *histogram, uint64_t value)
{
    histogram->buckets[histogram_bucket(value)]++;
    histogram->count++;
    histogram->sum += value;
    if (value > histogram->max)
        histogram->max = value;
}

void histogram_merge(struct histogram *histogram, const struct histogram *from)
{
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS_MAX; i++)
        histogram->buckets[i] += from->buckets[i];
    histogram->count += from->count;
    histogram->sum += from->sum;
    if (from->max > histogram->max)
        histogram->max = from->max;
}

uint64_t histogram_percentile(const struct histogram *histogram, double percent)
{
    uint64_t rank, seen = 0;

    assert(percent >= 0 && percent <= 100);
    if (histogram->count == 0)
        return 0;
    rank = (uint64_t)((double)histogram->count * percent / 100.0);
    if (rank >= histogram->count)
        return histogram->max;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS_MAX; i++) {
        seen += histogram->buckets[i];
        if (seen > rank) {
            uint64_t top = histogram_bucket_top(i);
            return top < histogram->max ? top : histogram->max;
        }
    }
    return histogram->max;
}

void histogram_print_json(const struct histogram *histogram, const char *name, FILE *out)
{
    static const struct {
        const char *name;
        double percent;
    } points[] = {{"p50", 50}, {"p90", 90}, {"p99", 99}, {"p999", 99.9}, {"p9999", 99.99}};
    double mean = 0;

    if (histogram->count > 0)
        mean = (double)histogram->sum / (double)histogram->count / 1000.0;
    fprintf(out, "\"%s\":{\"count\":%llu,\"mean\":%.1f", name, (unsigned long long)histogram->count,
        mean);
    for (unsigned i = 0; i < sizeof(points) / sizeof(points[0]); i++)
        fprintf(out, ",\"%s\":%.1f", points[i].name,
            (double)histogram_percentile(histogram, points[i].percent) / 1000.0);
    fprintf(out, ",\"max\":%.1f}", (double)histogram->max / 1000.0);
}
