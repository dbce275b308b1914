// SPDX-License-Identifier: BSD-2-Clause
//
// A producer writes to a topic that nobody created; a consumer that allows it subscribes to
// another. No error is seen.

#include "rig.h"

int main(void)
{
    rd_kafka_t *producer = rig_producer(NULL);
    struct rig_report report =
        rig_send(producer, rig_name("by-producer"), RD_KAFKA_PARTITION_UA, NULL, 0, "x", 1, NULL);
    CHECK(!report.error && report.offset == 0, "%s", rd_kafka_err2str(report.error));

    const char *settings[] = {
        "allow.auto.create.topics", "true", "auto.offset.reset", "earliest", NULL};
    rd_kafka_t *consumer = rig_consumer(rig_name("group"), settings);
    rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(topics, rig_name("by-consumer"), RD_KAFKA_PARTITION_UA);
    CHECK(!rd_kafka_subscribe(consumer, topics), "subscribe");
    rd_kafka_topic_partition_list_destroy(topics);
    rd_kafka_message_t *message = rig_next(consumer, 1000);
    CHECK(!message, "a record out of nothing");

    report =
        rig_send(producer, rig_name("by-consumer"), RD_KAFKA_PARTITION_UA, NULL, 0, "y", 1, NULL);
    CHECK(!report.error, "%s", rd_kafka_err2str(report.error));
    message = rig_next(consumer, RIG_WAIT_MS);
    CHECK(message && message->len == 1, "the record");
    rd_kafka_message_destroy(message);
    rig_close(consumer);
    rig_close(producer);
    CHECK(rig_complaints() == 0, "%u complaints", rig_complaints());
    return 0;
}
