// SPDX-License-Identifier: BSD-2-Clause
// The closed-loop generator behind the produce and pingpong modes: every connection keeps `depth`
// ready-made frames in flight. Frames are gathered from shared pieces, so a thousand partitions
// cost the generator no memory traffic of its own.
#pragma once

#include "histogram.h"
#include "kafka_frame.h"
#include "measure.h"
#include "options.h"

#include <sys/uio.h>

// One frame: the 12-byte head (made per send, it holds the correlation id) and then these pieces.
struct pump_frame {
    struct iovec *pieces;
    unsigned piece_count;
    size_t size; // of the whole frame, head and size field included
    uint32_t record_count;
};

// Looks at one answer (after its correlation id); ends the program when it is an error.
typedef void (*pump_reply_fn)(struct frame_reader *reader);

struct pump {
    const struct options *options;
    const struct pump_frame *frames; // connection c starts with frame c, and goes round
    unsigned frame_count;
    enum frame_api api;
    int16_t version;
    bool no_reply;          // acks=0: a frame counts when it is sent
    pump_reply_fn on_reply; // not called when the peer is a floor program
};

// Runs it and returns result and latency (send of the first byte to arrival of the answer).
void pump_run(
    const struct pump *pump, struct measure_result *ret_result, struct histogram *ret_latency);
