// SPDX-License-Identifier: BSD-2-Clause
//
// A compacted topic: every reader from the beginning sees the last value of each key at its offset,
// and sooner or later nothing older; the records of an idempotent producer, and of every codec.
// suite: timeout=90

#include "rig.h"

#include <unistd.h>

enum { KEYS = 10, ROUNDS = 5 };

static void topic_create(rd_kafka_t *client, const char *topic)
{
    char error[512];
    rd_kafka_NewTopic_t *new_topic = rd_kafka_NewTopic_new(topic, 1, 1, error, sizeof(error));
    CHECK(new_topic, "%s", error);
    rd_kafka_NewTopic_set_config(new_topic, "cleanup.policy", "compact");
    rd_kafka_NewTopic_set_config(new_topic, "segment.ms", "100");
    rd_kafka_NewTopic_set_config(new_topic, "min.cleanable.dirty.ratio", "0.01");
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
    rd_kafka_CreateTopics(client, &new_topic, 1, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, RIG_WAIT_MS);
    CHECK(event && !rd_kafka_event_error(event), "%s",
        event ? rd_kafka_event_error_string(event) : "no answer");
    rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_NewTopic_destroy(new_topic);
}

static int64_t put(rd_kafka_t *producer, const char *topic, const char *key, const char *value)
{
    struct rig_report report =
        rig_send(producer, topic, 0, key, strlen(key), value, strlen(value), NULL);
    CHECK(!report.error, "%s", rd_kafka_err2str(report.error));
    return report.offset;
}

// Reads from the beginning to the record at `end`; returns how many keyed "k..." records there
// were.
static int check(const char *topic, const int64_t latest[KEYS], int64_t end)
{
    rd_kafka_t *consumer = rig_consumer(rig_name("reader"), NULL);
    int64_t seen[KEYS], before = -1;
    int count = 0;
    memset(seen, -1, sizeof(seen));
    rig_assign(consumer, topic, 0, 0);
    while (before < end) {
        rd_kafka_message_t *message = rig_next(consumer, RIG_WAIT_MS);
        CHECK(message, "nothing behind %lld", (long long)before);
        CHECK(message->offset > before, "%lld after %lld", (long long)message->offset,
            (long long)before);
        before = message->offset;
        if (message->key_len == 2 && *(const char *)message->key == 'k') {
            seen[((const char *)message->key)[1] - '0'] = message->offset;
            count++;
        }
        rd_kafka_message_destroy(message);
    }
    for (int i = 0; i < KEYS; i++)
        CHECK(seen[i] == latest[i], "k%d: %lld, not %lld", i, (long long)seen[i],
            (long long)latest[i]);
    rig_close(consumer);
    return count;
}

int main(void)
{
    static const char *const codecs[] = {"none", "gzip", "snappy", "lz4", "zstd"};
    const char *topic = rig_name("compaction");
    int64_t latest[KEYS];
    rd_kafka_t *last = NULL;
    for (int round = 0; round < ROUNDS; round++) {
        const char *settings[] = {"linger.ms", "0", "compression.codec", codecs[round],
            "enable.idempotence", round % 2 ? "true" : "false", NULL};
        if (last)
            rig_close(last);
        last = rig_producer(settings);
        if (round == 0)
            topic_create(last, topic);
        for (int i = 0; i < KEYS; i++) {
            char key[3] = {'k', (char)('0' + i), '\0'}, value[2000];
            memset(value, 'a' + round, sizeof(value) - 1);
            value[sizeof(value) - 1] = '\0';
            latest[i] = put(last, topic, key, value);
        }
        usleep(120000);
    }
    int64_t deadline = rig_now_ms() + 60000;
    int count = 0;
    while (count != KEYS) {
        CHECK(rig_now_ms() < deadline, "%d records are still there", count);
        count = check(topic, latest, put(last, topic, "end", "x"));
        usleep(120000);
    }
    rig_control("restart");
    CHECK(check(topic, latest, put(last, topic, "end", "x")) == KEYS, "after the restart");
    rig_close(last);
    return 0;
}
