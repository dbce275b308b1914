// SPDX-License-Identifier: BSD-2-Clause
//
// Watermarks, seek by offset, offsets for times, and the end-of-partition event.

#include "rig.h"

enum { COUNT = 100 };
static const int64_t START_MS = 1700000000000;

static int64_t first_after(rd_kafka_t *consumer, const char *topic, int64_t offset)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, 0)->offset = offset;
    rd_kafka_error_t *error = rd_kafka_seek_partitions(consumer, list, RIG_WAIT_MS);
    CHECK(!error && !list->elems[0].err, "seek");
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_message_t *message = rig_next(consumer, RIG_WAIT_MS);
    CHECK(message, "nothing after the seek to %lld", (long long)offset);
    int64_t got = message->offset;
    rd_kafka_message_destroy(message);
    return got;
}

static int64_t offset_at(rd_kafka_t *consumer, const char *topic, int64_t time_ms)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, 0)->offset = time_ms;
    CHECK(!rd_kafka_offsets_for_times(consumer, list, RIG_WAIT_MS), "offsets_for_times");
    int64_t got = list->elems[0].offset;
    rd_kafka_topic_partition_list_destroy(list);
    return got;
}

static void produce(const char *topic)
{
    const char *settings[] = {"linger.ms", "50", "batch.num.messages", "10", NULL};
    rd_kafka_t *producer = rig_producer(settings);
    rig_create_topic(producer, topic, 1);
    for (int i = 0; i < COUNT; i++) {
        char text[16];
        int size = snprintf(text, sizeof(text), "%d", i);
        CHECK(!rd_kafka_producev(producer, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(0),
                  RD_KAFKA_V_TIMESTAMP(START_MS + 1000 * i), RD_KAFKA_V_VALUE(text, (size_t)size),
                  RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                  RD_KAFKA_V_OPAQUE(&(struct rig_report){0}), RD_KAFKA_V_END),
            "produce");
    }
    CHECK(!rd_kafka_flush(producer, RIG_WAIT_MS), "flush");
    rig_close(producer);
}

int main(void)
{
    const char *topic = rig_name("seek");
    produce(topic);
    const char *settings[] = {"enable.partition.eof", "false", NULL};
    rd_kafka_t *consumer = rig_consumer(rig_name("group"), settings);
    int64_t low, high;
    CHECK(!rd_kafka_query_watermark_offsets(consumer, topic, 0, &low, &high, RIG_WAIT_MS),
        "watermarks");
    CHECK(low == 0 && high == COUNT, "watermarks %lld %lld", (long long)low, (long long)high);

    rig_assign(consumer, topic, 0, RD_KAFKA_OFFSET_TAIL(10));
    rd_kafka_message_t *message = rig_next(consumer, RIG_WAIT_MS);
    CHECK(message && message->offset == COUNT - 10, "tail");
    rd_kafka_message_destroy(message);
    CHECK(first_after(consumer, topic, 57) == 57, "the middle");
    CHECK(first_after(consumer, topic, RD_KAFKA_OFFSET_BEGINNING) == 0, "the beginning");
    CHECK(first_after(consumer, topic, COUNT - 1) == COUNT - 1, "the last");

    CHECK(offset_at(consumer, topic, START_MS + 57000) == 57, "the exact time");
    CHECK(offset_at(consumer, topic, START_MS + 56001) == 57, "between two records");
    CHECK(offset_at(consumer, topic, START_MS - 1) == 0, "before all");
    CHECK(offset_at(consumer, topic, START_MS + 99001) == RD_KAFKA_OFFSET_END, "after all");
    rig_close(consumer);
    CHECK(rig_complaints() == 0, "%u complaints", rig_complaints());
    return 0;
}
