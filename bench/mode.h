// SPDX-License-Identifier: BSD-2-Clause
// The modes of the load generator. Each runs to its end and prints one line of JSON on stdout.
#pragma once

#include "kafka_frame.h"
#include "options.h"
#include "pump.h"

// Ready-made Produce requests at full speed.
void produce_mode(const struct options *options);

// Consumers that drain the topic.
void fetch_mode(const struct options *options);

// Small requests.
void pingpong_mode(const struct options *options);

// Produce to fetch latency at a fixed rate.
void e2e_mode(const struct options *options);

// How fast a parked Fetch is answered when something is appended.
void wake_mode(const struct options *options);

// What idle connections cost the server.
void hold_mode(const struct options *options);

// Start time and idle memory of the server command argv[0..]; "{port}" and "{dir}" are filled in.
void start_mode(const struct options *options, char **argv);

// Builds the Produce frame for partitions first, first+1, ... (modulo the count), one batch each;
// the pieces stay alive as long as `storage` and `batch`.
void produce_frame_init(struct pump_frame *frame, struct frame_buffer *storage,
    const struct options *options, const struct frame_buffer *batch, uint32_t first);

// Ends the program when a Produce answer carries an error. `produce_version` must be set before.
void produce_check_reply(struct frame_reader *reader);
void produce_set_version(uint32_t version);

// Builds a whole Fetch request of all partitions at these offsets into `request`.
void fetch_request_build(struct frame_buffer *request, const struct options *options,
    const int64_t *offsets, int32_t max_wait_ms, int32_t id);

// Reads a Fetch answer (after the correlation id) and moves the offsets past its batches. Returns
// whether every partition has reached its high watermark.
bool fetch_reply_take(struct frame_reader *reader, const struct options *options, int64_t *offsets,
    uint64_t *inout_records, uint64_t *inout_bytes);
