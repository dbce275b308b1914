// SPDX-License-Identifier: BSD-2-Clause
//
// Writes or reads a topic of one partition in which every record's key and value follow from its
// number, so that whoever reads it can tell whether compaction left what it must.
//
//   keyed write TOPIC RECORDS KEYS    records 0 to RECORDS - 1; the last one half a second later
//   keyed read TOPIC RECORDS KEYS     from the beginning to the last record; prints how many came
//
// Record i has the key "key-K", K = (i * 2654435761 mod 2^32) mod KEYS, and the value "i xxx..".
// A reader sees offsets and numbers grow, each key's last number, and every key.

#include "rig.h"

#include <unistd.h>

enum { VALUE_SIZE = 100 };

static uint32_t key_of(uint32_t i, uint32_t keys)
{
    return i * UINT32_C(2654435761) % keys;
}

static void send_one(rd_kafka_t *producer, const char *topic, uint32_t i, uint32_t keys)
{
    char key[32], value[VALUE_SIZE];
    int key_size = snprintf(key, sizeof(key), "key-%u", key_of(i, keys));
    memset(value, 'x', sizeof(value));
    value[snprintf(value, sizeof(value), "%u ", i)] = 'x';
    for (;;) {
        rd_kafka_resp_err_t error =
            rd_kafka_producev(producer, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(0),
                RD_KAFKA_V_KEY(key, (size_t)key_size), RD_KAFKA_V_VALUE(value, sizeof(value)),
                RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
        if (error == RD_KAFKA_RESP_ERR_NO_ERROR)
            return;
        CHECK(error == RD_KAFKA_RESP_ERR__QUEUE_FULL, "%s", rd_kafka_err2str(error));
        rd_kafka_poll(producer, 50);
    }
}

static void write_all(const char *topic, uint32_t records, uint32_t keys)
{
    const char *codec = getenv("CODEC");
    const char *settings[] = {"linger.ms", "5", "batch.size", "200000", "enable.idempotence",
        "true", "queue.buffering.max.messages", "200000", "message.timeout.ms", "300000",
        "compression.codec", codec ? codec : "none", NULL};
    rd_kafka_t *producer = rig_producer(settings);
    for (uint32_t i = 0; i + 1 < records; i++) {
        send_one(producer, topic, i, keys);
        if (i % 1000 == 0)
            rd_kafka_poll(producer, 0);
    }
    CHECK(rd_kafka_flush(producer, 600000) == RD_KAFKA_RESP_ERR_NO_ERROR, "unsent records");
    usleep(500000);
    send_one(producer, topic, records - 1, keys);
    CHECK(rd_kafka_flush(producer, 60000) == RD_KAFKA_RESP_ERR_NO_ERROR, "unsent records");
    rd_kafka_destroy(producer);
}

static void read_all(const char *topic, uint32_t records, uint32_t keys)
{
    rd_kafka_t *consumer = rig_consumer(rig_name("keyed"), NULL);
    int64_t *last = calloc(keys, sizeof(*last)), *seen = calloc(keys, sizeof(*seen));
    int64_t offset = -1, number = -1, count = 0;
    CHECK(last && seen, "memory");
    for (uint32_t i = 0; i < records; i++)
        last[key_of(i, keys)] = i + INT64_C(1);
    rig_assign(consumer, topic, 0, 0);
    while (number + 1 < records) {
        rd_kafka_message_t *message = rig_next(consumer, RIG_WAIT_MS);
        if (!message) // it is still being written
            continue;
        CHECK(message->offset > offset, "%lld after %lld", (long long)message->offset,
            (long long)offset);
        offset = message->offset;
        char key[32];
        int64_t i = strtoll(message->payload, NULL, 10);
        CHECK(i > number && i < records, "record %lld after %lld", (long long)i, (long long)number);
        number = i;
        int size = snprintf(key, sizeof(key), "key-%u", key_of((uint32_t)i, keys));
        CHECK(message->key_len == (size_t)size && !memcmp(key, message->key, (size_t)size),
            "record %lld has another key", (long long)i);
        seen[key_of((uint32_t)i, keys)] = i + 1;
        count++;
        rd_kafka_message_destroy(message);
    }
    for (uint32_t k = 0; k < keys; k++)
        CHECK(seen[k] == last[k], "key-%u: %lld, not %lld", k, (long long)seen[k] - 1,
            (long long)last[k] - 1);
    printf("%lld\n", (long long)count);
    rig_close(consumer);
    free(last);
    free(seen);
}

int main(int argc, char **argv)
{
    CHECK(argc == 5, "usage: keyed write|read TOPIC RECORDS KEYS");
    uint32_t records = (uint32_t)strtoul(argv[3], NULL, 10);
    uint32_t keys = (uint32_t)strtoul(argv[4], NULL, 10);
    CHECK(records > 0 && keys > 0, "numbers");
    if (strcmp(argv[1], "write") == 0)
        write_all(argv[2], records, keys);
    else
        read_all(argv[2], records, keys);
    return 0;
}
