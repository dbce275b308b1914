// SPDX-License-Identifier: BSD-2-Clause
#include "broker/topics/replicas.h"

#include <assert.h>

#include "base/memory.h"
#include "wire/reader.h"
#include "wire/writer.h"

static bool node_known(const struct broker_settings *settings, int32_t node)
{
    return node >= settings->node_id && node - settings->node_id < settings->nodes_count;
}

static struct replicas replicas_spread_one(const struct broker_settings *settings,
    struct uuid topic_id, int32_t partition, int32_t replication)
{
    uint32_t nodes_count = (uint32_t)settings->nodes_count;
    /* The id is random; the loops of partitions go by its last bytes. */
    uint32_t start = (uint32_t)topic_id.bytes[12] << 8 | topic_id.bytes[13];
    struct replicas replicas = {
        .count = replication < settings->nodes_count ? replication : settings->nodes_count};
    for (int32_t i = 0; i < replicas.count; i++)
        replicas.nodes[i] = settings->node_id +
                            (int32_t)((start + (uint32_t)partition + (uint32_t)i) % nodes_count);
    replicas.leader = replicas.nodes[0];
    return replicas;
}

bool replicas_have(const struct replicas *replicas, int32_t node)
{
    for (int32_t i = 0; i < replicas->count; i++) {
        if (replicas->nodes[i] == node)
            return true;
    }
    return false;
}

struct replicas *replicas_spread(const struct broker_settings *settings, struct uuid topic_id,
    int32_t partitions_count, int32_t replication)
{
    assert(partitions_count >= 0 && replication >= 1);
    if (settings->nodes_count == 1)
        return NULL;
    struct replicas *replicas = xnew_n(struct replicas, (size_t)partitions_count);
    for (int32_t i = 0; i < partitions_count; i++)
        replicas[i] = replicas_spread_one(settings, topic_id, i, replication);
    return replicas;
}

struct replicas *replicas_resize(
    const struct broker_settings *settings, const struct topic *topic, int32_t partitions_count)
{
    if (topic->replicas == NULL)
        return NULL;
    struct replicas *replicas = xnew_n(struct replicas, (size_t)partitions_count);
    for (int32_t i = 0; i < partitions_count; i++)
        replicas[i] = i < topic->partitions_count
                          ? topic->replicas[i]
                          : replicas_spread_one(settings, topic->id, i, topic->replicas[0].count);
    return replicas;
}

bool replicas_valid(const struct broker_settings *settings, const int32_t *nodes, size_t count)
{
    struct replicas seen = {0};
    if (count < 1 || count > (size_t)settings->nodes_count)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!node_known(settings, nodes[i]) || replicas_have(&seen, nodes[i]))
            return false;
        seen.nodes[seen.count++] = nodes[i];
    }
    return true;
}

void replicas_assign(struct replicas *replicas, const int32_t *nodes, size_t count)
{
    assert(count >= 1 && count <= NODES_COUNT_MAX);
    replicas->count = (int32_t)count;
    for (size_t i = 0; i < count; i++)
        replicas->nodes[i] = nodes[i];
    if (!replicas_have(replicas, replicas->leader))
        replicas->leader = nodes[0];
}

void replicas_write(struct writer *writer, const struct replicas *replicas)
{
    writer_int32(writer, replicas->leader);
    writer_int8(writer, (int8_t)replicas->count);
    for (int32_t i = 0; i < replicas->count; i++)
        writer_int32(writer, replicas->nodes[i]);
}

bool replicas_read(
    struct reader *reader, const struct broker_settings *settings, struct replicas *ret_replicas)
{
    struct replicas replicas = {.leader = reader_int32(reader)};
    int8_t count = reader_int8(reader);
    for (int8_t i = 0; i < count && reader_ok(reader); i++) {
        int32_t node = reader_int32(reader);
        if (node_known(settings, node) && replicas.count < NODES_COUNT_MAX &&
            !replicas_have(&replicas, node))
            replicas.nodes[replicas.count++] = node;
    }
    if (!reader_ok(reader) || replicas.count == 0)
        return false;
    if (!replicas_have(&replicas, replicas.leader))
        replicas.leader = replicas.nodes[0];
    *ret_replicas = replicas;
    return true;
}

struct replicas topic_replicas(
    const struct broker_settings *settings, const struct topic *topic, int32_t partition)
{
    assert(partition >= 0 && partition < topic->partitions_count);
    if (topic->replicas != NULL)
        return topic->replicas[partition];
    return (struct replicas){.leader = settings->node_id, .count = 1, .nodes = {settings->node_id}};
}

int32_t topic_leader(
    const struct broker_settings *settings, const struct topic *topic, int32_t partition)
{
    assert(partition >= 0 && partition < topic->partitions_count);
    return topic->replicas == NULL ? settings->node_id : topic->replicas[partition].leader;
}
