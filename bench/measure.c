// SPDX-License-Identifier: BSD-2-Clause
// The CPU of the process under test is read at the same instants as the counters, so connecting,
// topic creation and warm-up are not in the figures, and neither is what the generator itself
// spends.
#include "measure.h"

#include "clock.h"

#include <stdio.h>

#define MEASURE_POLL_NS 5000000u

struct measure_reading {
    uint64_t time_ns;
    uint64_t server_cpu_ns;
    uint64_t self_cpu_ns;
    uint64_t requests;
    uint64_t bytes_out;
    uint64_t bytes_in;
    uint64_t records;
};

static struct measure_reading measure_read(struct measure *measure, const struct options *options)
{
    return (struct measure_reading){
        .time_ns = clock_now_ns(),
        .server_cpu_ns = clock_cpu_ns((pid_t)options->pid),
        .self_cpu_ns = clock_self_cpu_ns(),
        .requests = atomic_load(&measure->requests),
        .bytes_out = atomic_load(&measure->bytes_out),
        .bytes_in = atomic_load(&measure->bytes_in),
        .records = atomic_load(&measure->records),
    };
}

static void measure_wait(
    struct measure *measure, const struct options *options, const struct measure_reading *first)
{
    uint64_t end_ns = first->time_ns + (uint64_t)options->seconds * 1000000000u;
    uint64_t bytes_max = (uint64_t)options->mebibytes_max << 20u;
    uint64_t first_bytes = first->bytes_out + first->bytes_in, now_ns;

    while ((now_ns = clock_now_ns()) < end_ns) {
        uint64_t bytes = atomic_load(&measure->bytes_out) + atomic_load(&measure->bytes_in);
        if (bytes_max > 0 && bytes - first_bytes >= bytes_max)
            return;
        clock_sleep_until_ns(end_ns - now_ns < MEASURE_POLL_NS ? end_ns : now_ns + MEASURE_POLL_NS);
    }
}

void measure_window(
    struct measure *measure, const struct options *options, struct measure_result *ret_result)
{
    struct measure_reading first, last;

    clock_sleep_until_ns(clock_now_ns() + (uint64_t)options->warmup_ms * 1000000u);
    atomic_store(&measure->measuring, true);
    first = measure_read(measure, options);
    measure_wait(measure, options, &first);
    last = measure_read(measure, options);
    atomic_store(&measure->measuring, false);
    atomic_store(&measure->stop, true);
    *ret_result = (struct measure_result){
        .seconds = (double)(last.time_ns - first.time_ns) / 1e9,
        .server_cpu_seconds = (double)(last.server_cpu_ns - first.server_cpu_ns) / 1e9,
        .self_cpu_seconds = (double)(last.self_cpu_ns - first.self_cpu_ns) / 1e9,
        .requests = last.requests - first.requests,
        .bytes_out = last.bytes_out - first.bytes_out,
        .bytes_in = last.bytes_in - first.bytes_in,
        .records = last.records - first.records,
    };
}

static double measure_per(double value, double count)
{
    return count > 0 ? value / count : 0;
}

void measure_print_json(const struct measure_result *result, const char *mode,
    const struct histogram *latency, const char *latency_name)
{
    uint64_t bytes = result->bytes_out > result->bytes_in ? result->bytes_out : result->bytes_in;
    double gib = (double)bytes / (double)(1u << 30u), seconds = result->seconds;

    printf("{\"mode\":\"%s\",\"seconds\":%.3f,\"requests\":%llu,\"records\":%llu,\"bytes\":%llu,",
        mode, seconds, (unsigned long long)result->requests, (unsigned long long)result->records,
        (unsigned long long)bytes);
    printf("\"requests_per_s\":%.1f,\"records_per_s\":%.1f,\"mib_per_s\":%.2f,",
        measure_per((double)result->requests, seconds),
        measure_per((double)result->records, seconds), measure_per(gib * 1024.0, seconds));
    printf(
        "\"reply_bytes\":%.1f,", measure_per((double)result->bytes_in, (double)result->requests));
    printf("\"server_cpu_s\":%.6f,\"server_cpu_s_per_gib\":%.4f,\"server_cpu_us_per_request\":%.3f,"
           "\"server_cpu_s_per_million_records\":%.4f,\"self_cpu_s\":%.6f,",
        result->server_cpu_seconds, measure_per(result->server_cpu_seconds, gib),
        measure_per(result->server_cpu_seconds * 1e6, (double)result->requests),
        measure_per(result->server_cpu_seconds * 1e6, (double)result->records),
        result->self_cpu_seconds);
    histogram_print_json(latency, latency_name, stdout);
    printf("}\n");
    fflush(stdout);
}
