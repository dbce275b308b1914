// SPDX-License-Identifier: BSD-2-Clause
//
// Produces without pause until SIGTERM, through whatever happens to the broker, and writes down
// what was acknowledged.
//
//   producer TOPIC PARTITIONS ID ACKS IDEMPOTENT REPORT
//
// The value of a record is "ID PARTITION SEQUENCE xxxx..", with sequences of its own for each
// partition. A line of the report is `a PARTITION OFFSET SEQUENCE` (acknowledged), `f PARTITION
// SEQUENCE` (given up) or, for each SIGUSR1, `q COUNT` (records in flight at that moment). The
// report is written line by line: it holds what was true when it was read. PAUSE_US in the
// environment sets the pause between two records for each partition.

#include "rig.h"

#include <signal.h>
#include <unistd.h>

enum { VALUE_SIZE_MAX = 3000, WINDOW_COUNT = 2000 };

static FILE *report;
static volatile sig_atomic_t stopping, asked;

static void on_signal(int number)
{
    if (number == SIGTERM)
        stopping = 1;
    if (number == SIGUSR1)
        asked = 1;
}

static void on_report(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque)
{
    (void)client;
    (void)opaque;
    long sequence = (long)(intptr_t)message->_private;
    if (message->err) {
        fprintf(report, "f %d %ld\n", message->partition, sequence);
    } else {
        fprintf(
            report, "a %d %lld %ld\n", message->partition, (long long)message->offset, sequence);
    }
}

static rd_kafka_t *client_new(const char *acks, const char *idempotent)
{
    char error[256];
    const char *settings[][2] = {
        {"bootstrap.servers", getenv("BOOTSTRAP")},
        {"acks", acks},
        {"enable.idempotence", idempotent},
        // Without idempotence order over a retry holds only with one request in flight.
        {"max.in.flight.requests.per.connection", strcmp(idempotent, "true") == 0 ? "5" : "1"},
        {"linger.ms", "2"},
        {"batch.num.messages", "50"},
        {"message.timeout.ms", "300000"},
        {"retry.backoff.ms", "20"},
        {"reconnect.backoff.ms", "10"},
        {"reconnect.backoff.max.ms", "100"},
        {"compression.codec", strcmp(acks, "1") == 0 ? "lz4" : "none"},
    };
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    for (size_t i = 0; i < sizeof(settings) / sizeof(*settings); i++) {
        CHECK(!rd_kafka_conf_set(conf, settings[i][0], settings[i][1], error, sizeof(error)), "%s",
            error);
    }
    rd_kafka_conf_set_dr_msg_cb(conf, on_report);
    rd_kafka_conf_set_log_cb(conf, NULL);
    rd_kafka_t *client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof(error));
    CHECK(client, "%s", error);
    return client;
}

static bool produce(
    rd_kafka_t *client, const char *topic, int partition, const char *id, long sequence)
{
    static char value[VALUE_SIZE_MAX];
    size_t size = (size_t)(40 + (sequence * 7919 + partition * 31) % (VALUE_SIZE_MAX - 40));
    if (sequence % 4)
        size = 40 + size % 100; // most are small
    memset(value, 'x', size);
    int head = snprintf(value, size, "%s %d %ld ", id, partition, sequence);
    value[head] = 'x';
    return rd_kafka_producev(client, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition),
               RD_KAFKA_V_VALUE(value, size), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
               RD_KAFKA_V_OPAQUE((void *)(intptr_t)sequence), RD_KAFKA_V_END) == 0;
}

static void answer(rd_kafka_t *client)
{
    if (!asked)
        return;
    asked = 0;
    fprintf(report, "q %d\n", rd_kafka_outq_len(client));
}

int main(int count, char **arguments)
{
    CHECK(count == 7, "usage: producer TOPIC PARTITIONS ID ACKS IDEMPOTENT REPORT");
    int partitions = atoi(arguments[2]);
    const char *pause = getenv("PAUSE_US");
    useconds_t pause_us = pause ? (useconds_t)atoi(pause) : 500;
    report = fopen(arguments[6], "w");
    CHECK(report, "%s", arguments[6]);
    setvbuf(report, NULL, _IOLBF, 0);
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGUSR1, &action, NULL);

    rd_kafka_t *client = client_new(arguments[4], arguments[5]);
    for (long sequence = 0; !stopping; sequence++) {
        for (int partition = 0; partition < partitions; partition++) {
            while (rd_kafka_outq_len(client) >= WINDOW_COUNT ||
                   !produce(client, arguments[1], partition, arguments[3], sequence)) {
                rd_kafka_poll(client, 5);
                answer(client);
            }
        }
        answer(client);
        rd_kafka_poll(client, 0);
        usleep(pause_us);
    }
    CHECK(!rd_kafka_flush(client, 60000), "%d records are still in flight",
        rd_kafka_outq_len(client));
    CHECK(!rd_kafka_fatal_error(client, NULL, 0), "a fatal error");
    fclose(report);
    rd_kafka_destroy(client);
    return 0;
}
