// SPDX-License-Identifier: BSD-2-Clause
// The measured window of a run: the workers count, the main thread takes two readings of the
// counters and of both processes' CPU clocks, and the difference is the result, printed as one line
// of JSON.
#pragma once

#include "histogram.h"
#include "options.h"

#include <stdatomic.h>

// Shared by all workers; `measuring` is up between the two readings (latencies count only then).
struct measure {
    _Atomic uint64_t requests;
    _Atomic uint64_t bytes_out; // sent by the generator, framing included
    _Atomic uint64_t bytes_in;  // received
    _Atomic uint64_t records;
    _Atomic bool measuring;
    _Atomic bool stop;
};

struct measure_result {
    double seconds;
    double server_cpu_seconds;
    double self_cpu_seconds;
    uint64_t requests;
    uint64_t bytes_out;
    uint64_t bytes_in;
    uint64_t records;
};

// Main thread: waits for the warm-up and the window (or its byte limit), then raises `stop`.
void measure_window(
    struct measure *measure, const struct options *options, struct measure_result *ret_result);

// Prints the result; GiB are counted over the direction that carries the data.
void measure_print_json(const struct measure_result *result, const char *mode,
    const struct histogram *latency, const char *latency_name);
