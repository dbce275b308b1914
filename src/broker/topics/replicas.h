// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * replicas: which of the virtual brokers (odradek.virtual.brokers) are said to have a partition,
 * and which of them leads it. There is one copy of everything all the same; what this decides is
 * whom clients are told to talk to, and who sends them away. Plain values inside immutable topics;
 * any thread.
 */
#include "broker/broker.h"
#include "broker/config/settings.h"

struct reader;
struct writer;

struct replicas {
    int32_t leader; /* one of the nodes */
    int32_t count;
    int32_t nodes[NODES_COUNT_MAX]; /* the first is the preferred leader */
};

/* Spread over all brokers, from a place that depends on the topic. NULL when there is one broker.
 */
struct replicas *replicas_spread(const struct broker_settings *settings, struct uuid topic_id,
    int32_t partitions_count, int32_t replication);
/* A copy for another count of partitions; those that are new have as many replicas as partition 0.
 */
struct replicas *replicas_resize(
    const struct broker_settings *settings, const struct topic *topic, int32_t partitions_count);
/* At least one, all known, none twice. */
bool replicas_valid(const struct broker_settings *settings, const int32_t *nodes, size_t count);
bool replicas_have(const struct replicas *replicas, int32_t node);
/* `nodes` is valid. The leader stays when it is among them, else the first of them leads. */
void replicas_assign(struct replicas *replicas, const int32_t *nodes, size_t count);

void replicas_write(struct writer *writer, const struct replicas *replicas);
/* Nodes that are not there any more (the number of brokers was lowered) are left out; false: none
 * is left, or the bytes are no replicas. */
bool replicas_read(
    struct reader *reader, const struct broker_settings *settings, struct replicas *ret_replicas);

/* Of a partition, also of a topic with one broker. */
struct replicas topic_replicas(
    const struct broker_settings *settings, const struct topic *topic, int32_t partition);
int32_t topic_leader(
    const struct broker_settings *settings, const struct topic *topic, int32_t partition);
