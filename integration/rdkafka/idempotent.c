// SPDX-License-Identifier: BSD-2-Clause
// suite: timeout=120 warnings=yes threads=yes
//
// The idempotent producer, with five requests in flight, keeps each record once and in order while
// the broker is restarted and then killed under it.

#include "rig.h"

#include <unistd.h>

enum { COUNT = 6000 };

int main(void)
{
    const char *topic = rig_name("idempotent");
    const char *settings[] = {"enable.idempotence", "true", "linger.ms", "1", "batch.num.messages",
        "20", "reconnect.backoff.max.ms", "500", "retry.backoff.ms", "20", NULL};
    rd_kafka_t *producer = rig_producer(settings);
    rig_create_topic(producer, topic, 1);
    char text[32];
    for (int i = 0; i < COUNT; i++) {
        if (i == COUNT / 3)
            rig_control("restart");
        if (i == 2 * COUNT / 3) {
            rig_control("kill");
            rig_control("start");
        }
        snprintf(text, sizeof(text), "%d", i);
        rig_post(producer, topic, 0, NULL, text);
        rd_kafka_poll(producer, 0);
        if (i % 10 == 0)
            usleep(1000);
    }
    rig_flush(producer);
    CHECK(!rd_kafka_fatal_error(producer, NULL, 0), "a fatal error");
    rig_close(producer);

    rd_kafka_t *consumer = rig_consumer(rig_name("group"), NULL);
    rig_assign(consumer, topic, 0, RD_KAFKA_OFFSET_BEGINNING);
    for (int i = 0; i < COUNT; i++) {
        rd_kafka_message_t *message = rig_next(consumer, RIG_WAIT_MS);
        CHECK(message, "record %d is missing", i);
        snprintf(text, sizeof(text), "%d", i);
        CHECK(message->len == strlen(text) && memcmp(message->payload, text, message->len) == 0,
            "%.*s where %d was due", (int)message->len, (const char *)message->payload, i);
        rd_kafka_message_destroy(message);
    }
    rd_kafka_message_t *more = rig_next(consumer, 500);
    CHECK(!more, "more records than were sent");
    rig_close(consumer);
    return 0;
}
