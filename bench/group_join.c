// SPDX-License-Identifier: BSD-2-Clause
// group_join HOST:PORT TOPIC COUNT: how long a librdkafka consumer of a new group takes from
// creation to its first record, COUNT times, each with a group of its own. The topic is filled
// first, with one record. Two numbers: `first_record_ms` from rd_kafka_new, as an application sees
// it, and `join_ms`, the same up to the assignment. Everything is at the client's defaults except
// where to begin. Failure modes: no record within 30 s ends the program.
#include "clock.h"
#include "net.h"

#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uint64_t join_assigned_ns;

static void join_set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char error[256];

    if (rd_kafka_conf_set(conf, name, value, error, sizeof(error)) != RD_KAFKA_CONF_OK)
        net_die(name, error);
}

static void join_produce(const char *servers, const char *topic)
{
    char error[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_t *producer;
    char value[] = "first";

    join_set(conf, "bootstrap.servers", servers);
    producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof(error));
    if (producer == NULL)
        net_die("producer", error);
    if (rd_kafka_producev(producer, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_VALUE(value, 5),
            RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END) != RD_KAFKA_RESP_ERR_NO_ERROR)
        net_die("produce", topic);
    if (rd_kafka_flush(producer, 30000) != RD_KAFKA_RESP_ERR_NO_ERROR)
        net_die("produce", "not delivered within 30 s");
    rd_kafka_destroy(producer);
}

static void join_on_rebalance(rd_kafka_t *consumer, rd_kafka_resp_err_t error,
    rd_kafka_topic_partition_list_t *partitions, void *context)
{
    (void)context;
    if (error == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        join_assigned_ns = clock_now_ns();
        rd_kafka_assign(consumer, partitions);
    } else {
        rd_kafka_assign(consumer, NULL);
    }
}

static void join_once(const char *servers, const char *topic, unsigned number)
{
    char group[64], error[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
    rd_kafka_message_t *message = NULL;
    rd_kafka_t *consumer;
    uint64_t start_ns = clock_now_ns(), first_ns;

    (void)snprintf(group, sizeof(group), "bench-join-%d-%u", (int)getpid(), number);
    join_set(conf, "bootstrap.servers", servers);
    join_set(conf, "group.id", group);
    join_set(conf, "auto.offset.reset", "earliest");
    rd_kafka_conf_set_rebalance_cb(conf, join_on_rebalance);
    consumer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, error, sizeof(error));
    if (consumer == NULL)
        net_die("consumer", error);
    rd_kafka_poll_set_consumer(consumer);
    rd_kafka_topic_partition_list_add(topics, topic, RD_KAFKA_PARTITION_UA);
    if (rd_kafka_subscribe(consumer, topics) != RD_KAFKA_RESP_ERR_NO_ERROR)
        net_die("subscribe", topic);
    while (message == NULL || message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        if (message != NULL)
            rd_kafka_message_destroy(message);
        message = rd_kafka_consumer_poll(consumer, 10);
        if (clock_now_ns() - start_ns > 30000000000u)
            net_die("join", "no record within 30 s");
    }
    first_ns = clock_now_ns();
    printf("{\"mode\":\"group_join\",\"join_ms\":%.2f,\"first_record_ms\":%.2f}\n",
        (double)(join_assigned_ns - start_ns) / 1e6, (double)(first_ns - start_ns) / 1e6);
    fflush(stdout);
    rd_kafka_message_destroy(message);
    rd_kafka_topic_partition_list_destroy(topics);
    rd_kafka_consumer_close(consumer);
    rd_kafka_destroy(consumer);
}

int main(int argc, char **argv)
{
    if (argc != 4)
        net_die("usage", "group_join HOST:PORT TOPIC COUNT");
    join_produce(argv[1], argv[2]);
    for (unsigned i = 0; i < (unsigned)atoi(argv[3]); i++)
        join_once(argv[1], argv[2], i);
    return 0;
}
