// SPDX-License-Identifier: BSD-2-Clause
//
// Reads a topic through whatever happens to the broker and writes down each record it was given.
//
//   reader TOPIC PARTITIONS GROUP REPORT          a member of a group that commits, until SIGTERM
//   reader TOPIC PARTITIONS - REPORT              from the beginning to the end of each partition,
//   once
//
// A line of the report is `r PARTITION OFFSET VALUE` (without the padding) or `c PARTITION OFFSET`
// (a commit that was acknowledged).

#include "rig.h"

#include <signal.h>

enum { COMMIT_EVERY = 500 };

static FILE *report;
static volatile sig_atomic_t stopping;

static void on_signal(int number)
{
    (void)number;
    stopping = 1;
}

static rd_kafka_t *client_new(const char *group)
{
    char error[256];
    const char *settings[][2] = {
        {"bootstrap.servers", getenv("BOOTSTRAP")},
        {"group.id", group},
        {"enable.auto.commit", "false"},
        {"auto.offset.reset", "earliest"},
        {"enable.partition.eof", "true"},
        {"reconnect.backoff.ms", "10"},
        {"reconnect.backoff.max.ms", "100"},
        {"check.crcs", "true"},
    };
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    for (size_t i = 0; i < sizeof(settings) / sizeof(*settings); i++) {
        CHECK(!rd_kafka_conf_set(conf, settings[i][0], settings[i][1], error, sizeof(error)), "%s",
            error);
    }
    rd_kafka_conf_set_log_cb(conf, NULL);
    rd_kafka_t *client = rd_kafka_new(RD_KAFKA_CONSUMER, conf, error, sizeof(error));
    CHECK(client, "%s", error);
    rd_kafka_poll_set_consumer(client);
    return client;
}

static void commit(rd_kafka_t *client)
{
    rd_kafka_topic_partition_list_t *places = NULL;
    if (rd_kafka_assignment(client, &places) || rd_kafka_position(client, places))
        return;
    if (rd_kafka_commit(client, places, 0) == 0) {
        for (int i = 0; i < places->cnt; i++) {
            if (places->elems[i].offset < 0)
                continue;
            fprintf(report, "c %d %lld\n", places->elems[i].partition,
                (long long)places->elems[i].offset);
        }
    }
    rd_kafka_topic_partition_list_destroy(places);
}

// Notes one record. Returns true at the end of a partition.
static bool note(const rd_kafka_message_t *message)
{
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
        return true;
    if (message->err) {
        fprintf(stderr, "reader: %s\n", rd_kafka_message_errstr(message));
        return false;
    }
    int size = (int)message->len;
    const char *padding = memchr(message->payload, 'x', message->len);
    if (padding)
        size = (int)(padding - (const char *)message->payload);
    fprintf(report, "r %d %lld %.*s\n", message->partition, (long long)message->offset, size,
        (const char *)message->payload);
    return false;
}

int main(int count, char **arguments)
{
    CHECK(count == 5, "usage: reader TOPIC PARTITIONS GROUP|- REPORT");
    int partitions = atoi(arguments[2]);
    bool once = strcmp(arguments[3], "-") == 0;
    report = fopen(arguments[4], "w");
    CHECK(report, "%s", arguments[4]);
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGTERM, &action, NULL);

    rd_kafka_t *client = client_new(once ? "nobody" : arguments[3]);
    rd_kafka_topic_partition_list_t *places = rd_kafka_topic_partition_list_new(partitions);
    if (once) {
        for (int i = 0; i < partitions; i++) {
            rd_kafka_topic_partition_list_add(places, arguments[1], i)->offset =
                RD_KAFKA_OFFSET_BEGINNING;
        }
        CHECK(!rd_kafka_assign(client, places), "assign");
    } else {
        rd_kafka_topic_partition_list_add(places, arguments[1], RD_KAFKA_PARTITION_UA);
        CHECK(!rd_kafka_subscribe(client, places), "subscribe");
    }
    int ends = 0;
    for (long records = 0; !stopping && !(once && ends == partitions);) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(client, 200);
        if (!message)
            continue;
        ends += note(message);
        rd_kafka_message_destroy(message);
        if (!once && ++records % COMMIT_EVERY == 0)
            commit(client);
    }
    if (!once)
        commit(client);
    fclose(report);
    rd_kafka_consumer_close(client);
    rd_kafka_destroy(client);
    return 0;
}
