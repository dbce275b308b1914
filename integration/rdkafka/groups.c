// SPDX-License-Identifier: BSD-2-Clause
// suite: timeout=90 threads=yes
//
// Three members of one group share six partitions as they come, leave (unsubscribe and close) and
// vanish (destroyed without leaving); each record reaches the group, and the committed offsets are
// where the last reader stopped.

#include "rig.h"

enum { PARTITIONS = 6, MEMBERS = 3, RECORDS = 120 };

static rd_kafka_t *members[MEMBERS];
static bool seen[RECORDS];

static void poll_all(void)
{
    for (int i = 0; i < MEMBERS; i++) {
        if (!members[i])
            continue;
        rd_kafka_message_t *message = rig_next(members[i], 20);
        if (!message)
            continue;
        int value = atoi((const char *)message->payload);
        CHECK(value >= 0 && value < RECORDS, "value %d", value);
        seen[value] = true;
        rd_kafka_message_destroy(message);
    }
}

static int share(rd_kafka_t *member)
{
    rd_kafka_topic_partition_list_t *list = NULL;
    CHECK(!rd_kafka_assignment(member, &list), "assignment");
    int count = list->cnt;
    rd_kafka_topic_partition_list_destroy(list);
    return count;
}

// Polls until each member that is there has `each` partitions.
static void settle(const char *when, int each)
{
    int64_t deadline = rig_now_ms() + RIG_WAIT_MS;
    for (bool good = false; !good;) {
        CHECK(rig_now_ms() < deadline, "%s: no even share", when);
        poll_all();
        good = true;
        for (int i = 0; i < MEMBERS; i++)
            good &= !members[i] || share(members[i]) == each;
    }
    printf("%s: %d each\n", when, each);
}

static void join(int i, const char *topic)
{
    static char text[100];
    snprintf(text, sizeof(text), "member-%d", i);
    const char *settings[] = {"auto.offset.reset", "earliest", "session.timeout.ms", "6000",
        "client.id", text, "heartbeat.interval.ms", "500", "auto.commit.interval.ms", "200", NULL};
    members[i] = rig_consumer(rig_name("group"), settings);
    rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(topics, topic, RD_KAFKA_PARTITION_UA);
    CHECK(!rd_kafka_subscribe(members[i], topics), "subscribe");
    rd_kafka_topic_partition_list_destroy(topics);
}

static void send_some(rd_kafka_t *producer, const char *topic, int from, int to)
{
    char text[32];
    for (int i = from; i < to; i++) {
        snprintf(text, sizeof(text), "%d", i);
        rig_post(producer, topic, i % PARTITIONS, NULL, text);
    }
    rig_flush(producer);
    int64_t deadline = rig_now_ms() + RIG_WAIT_MS;
    for (int i = 0; i < to; i++) {
        while (!seen[i]) {
            CHECK(rig_now_ms() < deadline, "record %d never came", i);
            poll_all();
        }
    }
}

static int64_t committed_sum(rd_kafka_t *client, const char *topic)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(PARTITIONS);
    rd_kafka_topic_partition_list_add_range(list, topic, 0, PARTITIONS - 1);
    CHECK(!rd_kafka_committed(client, list, RIG_WAIT_MS), "committed");
    int64_t sum = 0;
    for (int i = 0; i < list->cnt; i++)
        sum += list->elems[i].offset;
    rd_kafka_topic_partition_list_destroy(list);
    return sum;
}

int main(void)
{
    const char *topic = rig_name("groups");
    rd_kafka_t *producer = rig_producer(NULL);
    rig_create_topic(producer, topic, PARTITIONS);
    join(0, topic);
    settle("one", 6);
    send_some(producer, topic, 0, 30);
    join(1, topic);
    settle("two", 3);
    join(2, topic);
    settle("three", 2);
    send_some(producer, topic, 30, 60);

    rig_close(members[2]); // leaves
    members[2] = NULL;
    settle("one left", 3);
    send_some(producer, topic, 60, 90);

    rd_kafka_destroy_flags(members[1], RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE); // vanishes
    members[1] = NULL;
    settle("one vanished", 6);
    send_some(producer, topic, 90, RECORDS);

    CHECK(!rd_kafka_commit(members[0], NULL, 0), "commit");
    int64_t sum = committed_sum(members[0], topic);
    CHECK(sum == RECORDS, "committed %lld", (long long)sum);
    rig_close(members[0]);
    rig_close(producer);
    return 0;
}
