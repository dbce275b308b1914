// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * batch_builder: makes a record batch from records, for what the broker itself writes (group
 * offsets, markers), for rebuilt batches and for tools. Owns its bytes; one thread.
 *
 *   struct batch_builder builder;
 *   batch_builder_init(&builder);
 *   batch_builder_append(&builder, &(struct batch_record){.timestamp_ms = now, .key = k, .value =
 * v}); struct slice batch = batch_builder_finish(&builder);   (valid until the next call)
 *   batch_builder_deinit(&builder);
 */
#include "base/buffer.h"
#include "store/batch/batch.h"
#include "store/batch/records.h"

struct batch_builder {
    struct buffer buffer; /* header room and the records so far */
    int32_t records_count;
    int64_t base_timestamp, max_timestamp; /* ms; base is the first record's */
    /* May be set between init and finish: */
    int16_t attributes; /* BATCH_CONTROL, BATCH_TRANSACTIONAL, ...; never the compression */
    int64_t producer_id;
    int16_t producer_epoch;
    int32_t base_sequence;
};

struct batch_record {
    int64_t timestamp_ms;
    struct slice key, value; /* null slices are written as null */
    const struct record_header *headers;
    size_t n_headers;
    struct slice
        encoded_headers; /* used when headers is NULL: n_headers of them, as record.headers */
};

void batch_builder_init(struct batch_builder *builder);
void batch_builder_deinit(struct batch_builder *builder);
/* Empty again, memory kept. */
void batch_builder_reset(struct batch_builder *builder);
/* Copies. Sizes are the broker's own or bounded by the caller: a batch stays below 2 GiB
 * (asserted). */
void batch_builder_append(struct batch_builder *builder, const struct batch_record *record);
/* Bytes of the batch as it would be finished now. */
size_t batch_builder_size(const struct batch_builder *builder);
/* Fills the header (base offset 0, leader epoch -1) and the CRC. At least one record. The bytes
 * belong to the builder until it changes; engine appends patch them in place. */
uint8_t *batch_builder_finish(struct batch_builder *builder, size_t *ret_size);
