// SPDX-License-Identifier: BSD-2-Clause
// suite: timeout=120 warnings=yes threads=yes
//
// librdkafka's transactional producer: commit, abort, offsets of a group within a transaction, a
// restart in the middle, and the fencing of a producer whose place was taken.

#include "rig.h"

static void must(rd_kafka_error_t *error, const char *what)
{
    CHECK(error == NULL, "%s: %s", what, rd_kafka_error_string(error));
}

static rd_kafka_t *transactional(const char *id)
{
    const char *settings[] = {"transactional.id", rig_name(id), "linger.ms", "1",
        "reconnect.backoff.max.ms", "500", "retry.backoff.ms", "20", NULL};
    rd_kafka_t *producer = rig_producer(settings);
    must(rd_kafka_init_transactions(producer, RIG_WAIT_MS), "init");
    return producer;
}

static void post(rd_kafka_t *producer, const char *topic, int from, int count)
{
    char text[32];
    for (int i = from; i < from + count; i++) {
        snprintf(text, sizeof(text), "%d", i);
        rig_post(producer, topic, 0, NULL, text);
    }
}

static int read_all(const char *topic, const char *isolation, int from, int to)
{
    const char *settings[] = {"isolation.level", isolation, NULL};
    rd_kafka_t *consumer = rig_consumer(rig_name("reader"), settings);
    char text[32];
    int count = 0, next = from;
    rig_assign(consumer, topic, 0, RD_KAFKA_OFFSET_BEGINNING);
    for (;;) {
        rd_kafka_message_t *message = rig_next(consumer, next < to ? RIG_WAIT_MS : 500);
        if (message == NULL)
            break;
        snprintf(text, sizeof(text), "%d", next);
        if (next < to && message->len == strlen(text) &&
            memcmp(message->payload, text, message->len) == 0)
            next++;
        count++;
        rd_kafka_message_destroy(message);
    }
    CHECK(next == to, "%d of %d came", next, to);
    rig_close(consumer);
    return count;
}

static void send_offset(rd_kafka_t *producer, rd_kafka_t *member, const char *topic, int64_t offset)
{
    rd_kafka_topic_partition_list_t *offsets = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(offsets, topic, 0)->offset = offset;
    rd_kafka_consumer_group_metadata_t *group = rd_kafka_consumer_group_metadata(member);
    must(rd_kafka_send_offsets_to_transaction(producer, offsets, group, RIG_WAIT_MS), "offsets");
    rd_kafka_consumer_group_metadata_destroy(group);
    rd_kafka_topic_partition_list_destroy(offsets);
}

static int64_t committed(rd_kafka_t *member, const char *topic)
{
    rd_kafka_topic_partition_list_t *offsets = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(offsets, topic, 0);
    rd_kafka_resp_err_t error = rd_kafka_committed(member, offsets, RIG_WAIT_MS);
    CHECK(error == RD_KAFKA_RESP_ERR_NO_ERROR, "%s", rd_kafka_err2str(error));
    int64_t offset = offsets->elems[0].offset;
    rd_kafka_topic_partition_list_destroy(offsets);
    return offset;
}

static void fencing(const char *topic)
{
    rd_kafka_t *old = transactional("fenced");
    must(rd_kafka_begin_transaction(old), "begin");
    post(old, topic, 1000000, 3);
    rd_kafka_flush(old, RIG_WAIT_MS);
    rd_kafka_t *young = transactional("fenced");
    rd_kafka_error_t *error = rd_kafka_commit_transaction(old, RIG_WAIT_MS);
    CHECK(error != NULL && rd_kafka_error_is_fatal(error), "the old producer was not fenced");
    rd_kafka_error_destroy(error);
    rd_kafka_destroy(old);
    rig_close(young);
}

enum { ROUNDS = 20, EACH = 50 };

int main(void)
{
    const char *topic = rig_name("transactions"), *input = rig_name("input");
    rd_kafka_t *producer = transactional("writer");
    rig_create_topic(producer, topic, 1);
    rig_create_topic(producer, input, 1);
    rd_kafka_t *member = rig_consumer(rig_name("group"), NULL);
    int next = 0, sent = 0;
    for (int i = 0; i < ROUNDS; i++) {
        bool commit = i % 4 != 3;
        must(rd_kafka_begin_transaction(producer), "begin");
        post(producer, topic, next, EACH);
        if (i == ROUNDS / 2) {
            rd_kafka_flush(producer, RIG_WAIT_MS);
            rig_control("restart");
        }
        send_offset(producer, member, input, commit ? i : 1000);
        sent += EACH;
        if (commit) {
            must(rd_kafka_commit_transaction(producer, RIG_WAIT_MS), "commit");
            next += EACH;
            CHECK(committed(member, input) == i, "not the offset that was committed");
        } else {
            rd_kafka_flush(producer, RIG_WAIT_MS);
            must(rd_kafka_abort_transaction(producer, RIG_WAIT_MS), "abort");
            CHECK(committed(member, input) == i - 1, "an aborted offset counts");
        }
    }
    rig_close(producer);
    int count = read_all(topic, "read_committed", 0, next);
    CHECK(count == next, "%d committed records instead of %d", count, next);
    count = read_all(topic, "read_uncommitted", 0, next);
    CHECK(count == sent, "%d records instead of %d", count, sent);
    fencing(topic);
    CHECK(read_all(topic, "read_committed", 0, next) == next, "a fenced producer's records count");
    rig_close(member);
    return 0;
}
