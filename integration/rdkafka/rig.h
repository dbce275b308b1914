// SPDX-License-Identifier: BSD-2-Clause
#pragma once
//
// What the librdkafka scenarios share: clients whose complaints are counted, delivery reports that
// are kept, checks that end the program. One thread; all memory lives as long as the program.

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Ends the program with status 1 and a message unless `ok`.
#define CHECK(ok, ...)                                      \
    do {                                                    \
        if (!(ok))                                          \
            rig_fail(__FILE__, __LINE__, #ok, __VA_ARGS__); \
    } while (0)

enum { RIG_WAIT_MS = 30000 };

// A delivery report: what `rig_send` waited for.
struct rig_report {
    rd_kafka_resp_err_t error;
    int32_t partition;
    int64_t offset;
};

_Noreturn void rig_fail(const char *file, int line, const char *what, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

// `PREFIX` + suffix.
const char *rig_name(const char *suffix);

// Milliseconds of a clock that never goes back.
int64_t rig_now_ms(void);

// Sends one word to the suite (restart, stop, kill, start) and waits until it is done.
void rig_control(const char *word);
// The same for words that have an answer ("proxy address" and the like); the caller frees it.
char *rig_ask(const char *word);

// Clients. `settings`: key, value, key, value, ..., NULL; may be NULL. The consumer is subscribed
// to nothing yet.
rd_kafka_t *rig_producer(const char *const *settings);
rd_kafka_t *rig_consumer(const char *group, const char *const *settings);
void rig_close(rd_kafka_t *client);

// Log lines of level notice or worse, and error events, that clients of this program had so far.
unsigned rig_complaints(void);

// Creates a topic and waits until the broker lists it.
void rig_create_topic(rd_kafka_t *client, const char *topic, int partitions);

// Produces one record and waits for its report.
struct rig_report rig_send(rd_kafka_t *producer, const char *topic, int32_t partition,
    const void *key, size_t key_size, const void *value, size_t value_size,
    rd_kafka_headers_t *take_headers);

// Produces a text value without waiting; rig_flush waits for all and checks that none failed.
void rig_post(
    rd_kafka_t *producer, const char *topic, int32_t partition, const char *key, const char *value);
void rig_flush(rd_kafka_t *producer);

// Reads `topic` [partition] from `offset` with assign(): the caller then polls.
void rig_assign(rd_kafka_t *consumer, const char *topic, int32_t partition, int64_t offset);

// The next record, or NULL when none comes within timeout_ms. An error of a partition ends the
// program.
rd_kafka_message_t *rig_next(rd_kafka_t *consumer, int timeout_ms);
