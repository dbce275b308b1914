// SPDX-License-Identifier: BSD-2-Clause
// Reads a whole partition as a consumer would (read_committed) and keeps what is visible. One
// thread; the memory belongs to the scan.
#pragma once

#include "model.h"

struct found {
    int64_t offset;
    uint32_t id;
    uint16_t mark;
};

struct scan {
    struct found *found;
    size_t n_found, found_max;
    int64_t log_start, high_watermark, stable, next;
    int16_t code; // UNKNOWN_TOPIC_OR_PARTITION is an answer, too
};

// 0, or -1 when the broker is gone or a violation was noted: batches with a wrong checksum, values
// that were never sent, offsets that do not rise, a last stable offset that stays behind.
int scan_lane(struct model *model, int lane, struct scan *scan);
void scan_deinit(struct scan *scan);
