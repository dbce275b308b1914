// SPDX-License-Identifier: BSD-2-Clause
// A small blocking client: requests of Kafka's protocol by hand (with bench's codec, which shares
// nothing with the broker), answers frame by frame. The broker may die at any moment: then sending
// and receiving return -1. One thread.
#pragma once

#include "../../bench/kafka_frame.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum wire_api {
    WIRE_OFFSET_COMMIT = 8,
    WIRE_OFFSET_FETCH = 9,
    WIRE_DELETE_TOPICS = 20,
    WIRE_DELETE_RECORDS = 21,
    WIRE_INIT_PRODUCER_ID = 22,
    WIRE_ADD_PARTITIONS = 24,
    WIRE_END_TXN = 26,
};

enum wire_code {
    WIRE_OK = 0,
    WIRE_UNKNOWN_TOPIC = 3,
    WIRE_TOPIC_EXISTS = 36,
    WIRE_CONCURRENT_TRANSACTIONS = 51,
};

struct wire {
    int fd; // -1: not connected
    int32_t next_id;
    uint8_t *data; // the last frame
    size_t capacity;
    struct frame_buffer out;
};

int wire_connect(struct wire *wire, uint16_t port);
void wire_close(struct wire *wire); // may be connected again
void wire_deinit(struct wire *wire);

// Starts a request in wire->out; the caller puts the body and then sends.
struct frame_buffer *wire_begin(struct wire *wire, int api, int16_t version);
int wire_send(struct wire *wire);
// The next answer behind its correlation id, valid until the next call.
int wire_receive(struct wire *wire, struct frame_reader *ret_reader);

struct wire_value {
    int key; // -1: none
    const uint8_t *data;
    size_t size;
};

struct wire_batch {
    int64_t producer_id; // -1: not idempotent
    int16_t epoch;
    int32_t sequence;
    bool transactional;
    int count;
    const struct wire_value *values;
};

void wire_put_produce(struct frame_buffer *out, const char *txn_id, int16_t acks, const char *topic,
    int32_t partition, const struct wire_batch *batch);
