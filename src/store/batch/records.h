// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * records: walks the records inside a batch (the bytes after its header, uncompressed). Slices
 * point into those bytes. Pure functions, any thread; hostile bytes end the walk with a fault and
 * are never read beyond.
 */
#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

struct record {
    int64_t timestamp_delta; /* ms, to the batch's base timestamp */
    int32_t offset_delta;
    struct slice key, value; /* null when the record has none */
    int32_t headers_count;
    struct slice headers; /* encoded, checked; record_header_next walks them */
};

struct record_header {
    struct slice key, value; /* value may be null */
};

struct record_cursor {
    const uint8_t *cursor, *end;
    int32_t left;      /* records still to come, by the batch's count */
    const char *fault; /* NULL while all is well, else what was wrong */
};

/* `records` is everything after the batch header; `count` what the header says. */
struct record_cursor record_cursor_make(struct slice records, int32_t count);
/* False at the end or at the first fault. Bytes behind the last record are a fault. */
bool record_next(struct record_cursor *cursor, struct record *ret_record);
/* Takes the next header off `headers`; false when there is none left. */
bool record_header_next(struct slice *headers, struct record_header *ret_header);
