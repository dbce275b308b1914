// SPDX-License-Identifier: BSD-2-Clause
// A hand-written Kafka codec that knows just the requests the bench sends. It shares no code with
// the broker on purpose: a fault in the broker's codec cannot hide in its own measuring instrument.
// The caller owns every buffer; any thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum frame_api {
    FRAME_API_PRODUCE = 0,
    FRAME_API_FETCH = 1,
    FRAME_API_LIST_OFFSETS = 2,
    FRAME_API_METADATA = 3,
    FRAME_API_JOIN_GROUP = 11,
    FRAME_API_HEARTBEAT = 12,
    FRAME_API_LEAVE_GROUP = 13,
    FRAME_API_SYNC_GROUP = 14,
    FRAME_API_API_VERSIONS = 18,
    FRAME_API_CREATE_TOPICS = 19,
    FRAME_API_CONSUMER_GROUP_HEARTBEAT = 68,
};

// Size field (4), api key (2), version (2), correlation id (4): what differs from frame to frame.
#define FRAME_HEAD_SIZE       12u
#define FRAME_CLIENT_ID       "bench"
#define FRAME_BATCH_HEAD_SIZE 61u

// A growing byte buffer; zero-initialised is empty. Writing past the memory limit aborts.
struct frame_buffer {
    uint8_t *data;
    size_t size;
    size_t capacity;
};

void frame_buffer_deinit(struct frame_buffer *buffer);
void frame_put_bytes(struct frame_buffer *buffer, const void *data, size_t size);
void frame_put_i8(struct frame_buffer *buffer, int8_t value);
void frame_put_i16(struct frame_buffer *buffer, int16_t value);
void frame_put_i32(struct frame_buffer *buffer, int32_t value);
void frame_put_i64(struct frame_buffer *buffer, int64_t value);
void frame_put_uvarint(struct frame_buffer *buffer, uint64_t value);
void frame_put_varint(struct frame_buffer *buffer, int64_t value); // zigzag
void frame_put_string(struct frame_buffer *buffer, const char *text, bool flexible);

// Overwrites four bytes at `pos`, big-endian.
void frame_patch_i32(uint8_t *pos, int32_t value);

// Starts a request: size (patched by frame_end), key, version, correlation id, client id.
void frame_begin(
    struct frame_buffer *buffer, enum frame_api api, int16_t version, bool flexible, int32_t id);
void frame_end(struct frame_buffer *buffer);

// One v2 record batch of about `batch_size` bytes (at least one record) of `record_size`-byte
// values, no keys, no compression. Values are noise, the same for the same sizes. Returns the
// record count.
uint32_t frame_put_batch(struct frame_buffer *buffer, size_t batch_size, size_t record_size);

// A sticky reader: after a short read every getter returns 0 and `ok` is false.
struct frame_reader {
    const uint8_t *pos;
    const uint8_t *end;
    bool ok;
};

struct frame_reader frame_reader_of(const void *data, size_t size);
int8_t frame_get_i8(struct frame_reader *reader);
int16_t frame_get_i16(struct frame_reader *reader);
int32_t frame_get_i32(struct frame_reader *reader);
int64_t frame_get_i64(struct frame_reader *reader);
uint64_t frame_get_uvarint(struct frame_reader *reader);
void frame_skip(struct frame_reader *reader, size_t size);
void frame_skip_string(struct frame_reader *reader, bool flexible);
// Skips a tagged-field section when `flexible`.
void frame_skip_tags(struct frame_reader *reader, bool flexible);
// An array's count; null counts as 0.
uint32_t frame_get_count(struct frame_reader *reader, bool flexible);

// Walks whole batches in `records`, ignoring a truncated last one. Sets the offset that follows the
// last whole batch (untouched when there is none) and adds records and batch bytes.
void frame_scan_batches(const uint8_t *records, size_t size, int64_t *ret_next_offset,
    uint64_t *inout_records, uint64_t *inout_bytes);
// The same where all batches are as large as the first and have as many records, and of the records
// only FRAME_BATCH_HEAD_SIZE bytes need be there.
void frame_scan_alike(const uint8_t *records, size_t size, int64_t *ret_next_offset,
    uint64_t *inout_records, uint64_t *inout_bytes);
