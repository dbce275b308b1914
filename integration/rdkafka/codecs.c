// SPDX-License-Identifier: BSD-2-Clause
// suite: threads=yes
//
// gzip, snappy, lz4, zstd and none, batches of a thousand, and back. An old librdkafka sends
// uncompressed, with a notice in its log, when the broker's version ranges do not please it: hence
// the check of complaints.

#include "rig.h"

enum { PER_CODEC = 1000 };

static void expect(rd_kafka_t *consumer, const char *codec)
{
    char text[128];
    for (int i = 0; i < PER_CODEC; i++) {
        rd_kafka_message_t *message = rig_next(consumer, RIG_WAIT_MS);
        CHECK(message, "%s: record %d is missing", codec, i);
        int size = snprintf(text, sizeof(text), "%s %d %s %s %s", codec, i, codec, codec, codec);
        CHECK(message->len == (size_t)size && memcmp(message->payload, text, message->len) == 0,
            "%s %d", codec, i);
        rd_kafka_message_destroy(message);
    }
}

int main(void)
{
    static const char *const codecs[] = {"none", "gzip", "snappy", "lz4", "zstd"};
    const char *topic = rig_name("codecs");
    for (size_t c = 0; c < sizeof(codecs) / sizeof(*codecs); c++) {
        const char *settings[] = {"compression.codec", codecs[c], "linger.ms", "20", NULL};
        rd_kafka_t *producer = rig_producer(settings);
        if (c == 0)
            rig_create_topic(producer, topic, 1);
        char text[128];
        for (int i = 0; i < PER_CODEC; i++) {
            snprintf(text, sizeof(text), "%s %d %s %s %s", codecs[c], i, codecs[c], codecs[c],
                codecs[c]);
            rig_post(producer, topic, 0, codecs[c], text);
        }
        rig_flush(producer);
        rig_close(producer);
    }
    rd_kafka_t *consumer = rig_consumer(rig_name("group"), NULL);
    rig_assign(consumer, topic, 0, RD_KAFKA_OFFSET_BEGINNING);
    for (size_t c = 0; c < sizeof(codecs) / sizeof(*codecs); c++)
        expect(consumer, codecs[c]);
    rig_close(consumer);
    CHECK(rig_complaints() == 0, "%u complaints", rig_complaints());
    return 0;
}
