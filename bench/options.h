// SPDX-License-Identifier: BSD-2-Clause
// What a run of the load generator shall do. Filled once at start, read-only afterwards.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct options {
    const char *host;
    const char *topic;
    const char *api;        // pingpong: api-versions or heartbeat
    uint32_t port;          //
    uint32_t pid;           // whose CPU time is reported; 0: nobody's
    uint32_t partitions;    // of the topic
    uint32_t connections;   //
    uint32_t threads;       // of the generator
    uint32_t depth;         // requests in flight per connection
    uint32_t acks;          // 0, 1, or 2 for all
    uint32_t version;       // of Produce: 3 to 9
    uint32_t record_size;   // bytes of a record's value
    uint32_t batch_size;    // bytes of a batch
    uint32_t batches;       // batches (each for a partition of its own) per request
    uint32_t seconds;       // measured time
    uint32_t warmup_ms;     // before it
    uint32_t mebibytes_max; // stop early after so many MiB; 0: no limit
    uint32_t rate;          // e2e: records per second
    uint32_t count;         // wake, start: repetitions
    uint32_t fetch_size;    // fetch: bytes per partition and per answer
    bool create;            // create the topic first
    bool tail;              // fetch from the end rather than from the beginning
    bool rewind;            // fetch: begin again at the end of the log
    bool lean;  // fetch: one partition of like batches, of which only the first is looked at
    bool floor; // the peer is a floor program: count bytes, decode nothing
};

// Parses argv[1..] (mode word already taken by the caller at argv[0]); exits with usage on errors.
// Returns the index of the first argument after "--", or argc.
int options_parse(struct options *options, int argc, char **argv);
