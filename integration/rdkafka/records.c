// SPDX-License-Identifier: BSD-2-Clause
//
// What goes in comes out: null and empty keys and values, headers, a 900 KB record; each delivery
// report has the offset at which the record is found. And the client has nothing to complain about.

#include "rig.h"

enum { LARGE_SIZE = 900 * 1024 };

static void message_expect(rd_kafka_t *consumer, int64_t offset, const void *key, size_t key_size,
    const void *value, size_t value_size)
{
    rd_kafka_message_t *message = rig_next(consumer, RIG_WAIT_MS);
    CHECK(message, "no record at %lld", (long long)offset);
    CHECK(message->offset == offset, "got %lld, not %lld", (long long)message->offset,
        (long long)offset);
    CHECK(!message->key == !key && message->key_len == key_size, "key of %lld", (long long)offset);
    CHECK(!key || memcmp(message->key, key, key_size) == 0, "key of %lld", (long long)offset);
    CHECK(!message->payload == !value && message->len == value_size, "value of %lld",
        (long long)offset);
    CHECK(!value || memcmp(message->payload, value, value_size) == 0, "value of %lld",
        (long long)offset);
    rd_kafka_message_destroy(message);
}

static void headers_expect(rd_kafka_t *consumer)
{
    rd_kafka_message_t *message = rig_next(consumer, RIG_WAIT_MS);
    CHECK(message, "no record with headers");
    rd_kafka_headers_t *headers = NULL;
    CHECK(!rd_kafka_message_headers(message, &headers), "no headers");
    CHECK(rd_kafka_header_cnt(headers) == 3, "%zu headers", rd_kafka_header_cnt(headers));
    const void *value;
    size_t size;
    CHECK(!rd_kafka_header_get(headers, 0, "twice", &value, &size) && size == 3 &&
              memcmp(value, "one", 3) == 0,
        "1st");
    CHECK(!rd_kafka_header_get(headers, 1, "twice", &value, &size) && size == 3 &&
              memcmp(value, "two", 3) == 0,
        "2nd");
    CHECK(!rd_kafka_header_get(headers, 0, "null", &value, &size) && value == NULL && size == 0,
        "null");
    rd_kafka_message_destroy(message);
}

int main(void)
{
    const char *topic = rig_name("records");
    const char *settings[] = {"message.max.bytes", "2000000", "linger.ms", "0", NULL};
    rd_kafka_t *producer = rig_producer(settings);
    rig_create_topic(producer, topic, 1);

    char *large = malloc(LARGE_SIZE);
    for (size_t i = 0; i < LARGE_SIZE; i++)
        large[i] = (char)(i * 2654435761U >> 13);
    struct {
        const void *key;
        size_t key_size;
        const void *value;
        size_t value_size;
    } cases[] = {
        {"k", 1, "v", 1},
        {NULL, 0, "no key", 6},
        {"no value", 8, NULL, 0},
        {NULL, 0, NULL, 0},
        {"", 0, "", 0},
        {"large", 5, large, LARGE_SIZE},
        {"a\0b", 3, "\0\xff", 2},
    };
    int64_t count = (int64_t)(sizeof(cases) / sizeof(*cases));
    for (int64_t i = 0; i < count; i++) {
        struct rig_report report = rig_send(producer, topic, RD_KAFKA_PARTITION_UA, cases[i].key,
            cases[i].key_size, cases[i].value, cases[i].value_size, NULL);
        CHECK(!report.error, "%s", rd_kafka_err2str(report.error));
        CHECK(report.offset == i, "offset %lld, not %lld", (long long)report.offset, (long long)i);
    }
    rd_kafka_headers_t *headers = rd_kafka_headers_new(3);
    rd_kafka_header_add(headers, "twice", -1, "one", -1);
    rd_kafka_header_add(headers, "twice", -1, "two", -1);
    rd_kafka_header_add(headers, "null", -1, NULL, 0);
    CHECK(!rig_send(producer, topic, 0, NULL, 0, "h", 1, headers).error, "headers");
    rig_close(producer);

    rd_kafka_t *consumer = rig_consumer(rig_name("group"), NULL);
    rig_assign(consumer, topic, 0, RD_KAFKA_OFFSET_BEGINNING);
    for (int64_t i = 0; i < count; i++) {
        message_expect(
            consumer, i, cases[i].key, cases[i].key_size, cases[i].value, cases[i].value_size);
    }
    headers_expect(consumer);
    rig_close(consumer);
    CHECK(rig_complaints() == 0, "%u complaints", rig_complaints());
    free(large);
    return 0;
}
