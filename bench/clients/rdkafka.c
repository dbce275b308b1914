// SPDX-License-Identifier: BSD-2-Clause
// rdkafka_throughput TOPIC RECORDS SIZE: how fast librdkafka produces and reads. Prints one line of
// JSON, in MB of values per second. Failure modes: any error, or a minute without the last record,
// ends the program.
#include "../clock.h"

#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLIENT_TIMEOUT_NS 60000000000u

static void client_die(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    exit(1);
}

static rd_kafka_t *client_new(rd_kafka_type_t type, const char *const settings[][2], size_t count,
    void (*on_report)(rd_kafka_t *, const rd_kafka_message_t *, void *))
{
    char error[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_t *client;

    for (size_t i = 0; i < count; i++)
        if (rd_kafka_conf_set(conf, settings[i][0], settings[i][1], error, sizeof(error)) !=
            RD_KAFKA_CONF_OK)
            client_die(settings[i][0], error);
    if (on_report != NULL)
        rd_kafka_conf_set_dr_msg_cb(conf, on_report);
    client = rd_kafka_new(type, conf, error, sizeof(error));
    if (client == NULL)
        client_die("rd_kafka_new", error);
    return client;
}

static void client_on_report(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque)
{
    (void)client;
    (void)opaque;
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR)
        client_die("produce", rd_kafka_err2str(message->err));
}

static double client_produce(const char *topic, long records, size_t size)
{
    const char *const settings[][2] = {{"bootstrap.servers", getenv("BOOTSTRAP")}, {"acks", "1"}};
    rd_kafka_t *client = client_new(RD_KAFKA_PRODUCER, settings, 2, client_on_report);
    char *value = calloc(1, size);
    uint64_t begun = clock_now_ns();

    for (long i = 0; i < records;) {
        rd_kafka_resp_err_t error =
            rd_kafka_producev(client, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_VALUE(value, size),
                RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
        if (error == RD_KAFKA_RESP_ERR__QUEUE_FULL)
            (void)rd_kafka_poll(client, 10);
        else if (error != RD_KAFKA_RESP_ERR_NO_ERROR)
            client_die("produce", rd_kafka_err2str(error));
        else if (++i % 1000 == 0)
            (void)rd_kafka_poll(client, 0);
    }
    if (rd_kafka_flush(client, 60000) != RD_KAFKA_RESP_ERR_NO_ERROR)
        client_die("flush", "not everything was acknowledged within a minute");
    begun = clock_now_ns() - begun;
    rd_kafka_destroy(client);
    free(value);
    return (double)begun / 1e9;
}

static double client_consume(const char *topic, long records)
{
    char group[256];
    const char *const settings[][2] = {{"bootstrap.servers", getenv("BOOTSTRAP")},
        {"group.id", group}, {"auto.offset.reset", "earliest"}};
    rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
    uint64_t begun = 0, deadline = clock_now_ns() + CLIENT_TIMEOUT_NS;
    rd_kafka_t *client;

    (void)snprintf(group, sizeof(group), "%s-rdkafka", topic);
    client = client_new(RD_KAFKA_CONSUMER, settings, 3, NULL);
    (void)rd_kafka_poll_set_consumer(client);
    (void)rd_kafka_topic_partition_list_add(topics, topic, RD_KAFKA_PARTITION_UA);
    if (rd_kafka_subscribe(client, topics) != RD_KAFKA_RESP_ERR_NO_ERROR)
        client_die("subscribe", topic);
    while (records > 0) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(client, 500);
        if (message != NULL && message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            begun = begun == 0 ? clock_now_ns() : begun;
            records--;
        }
        if (message != NULL)
            rd_kafka_message_destroy(message);
        if (clock_now_ns() > deadline)
            client_die("consume", "records are missing after a minute");
    }
    begun = clock_now_ns() - begun;
    (void)rd_kafka_consumer_close(client);
    rd_kafka_topic_partition_list_destroy(topics);
    rd_kafka_destroy(client);
    return (double)begun / 1e9;
}

int main(int argc, char **argv)
{
    long records;
    double megabytes, produced, consumed;

    if (argc != 4)
        client_die("usage", "rdkafka_throughput TOPIC RECORDS SIZE");
    records = strtol(argv[2], NULL, 10);
    megabytes = (double)records * (double)strtol(argv[3], NULL, 10) / 1e6;
    produced = client_produce(argv[1], records, (size_t)strtol(argv[3], NULL, 10));
    consumed = client_consume(argv[1], records);
    printf("{\"produce\":%.3f,\"consume\":%.3f}\n", megabytes / produced, megabytes / consumed);
    return 0;
}
