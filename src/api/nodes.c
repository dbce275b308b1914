// SPDX-License-Identifier: BSD-2-Clause
#include "api/nodes.h"

#include "broker/config/settings.h"

int32_t request_node(const struct request *req)
{
    return broker_node_id(req->conn->context, req->conn->tag);
}

bool request_is_led(const struct request *req, const struct topic *topic, int32_t partition)
{
    return broker_leader(req->conn->context, topic, partition) == request_node(req);
}

bool request_coordinates_group(const struct request *req, struct slice group)
{
    struct broker *broker = req->conn->context;
    const struct topic *topic = broker_image(broker)->offsets;
    return topic == NULL || request_is_led(req, topic, broker_group_partition(broker, group));
}

bool request_coordinates_txn(const struct request *req, struct slice transactional_id)
{
    struct broker *broker = req->conn->context;
    const struct topic *topic = broker_image(broker)->transactions;
    return topic == NULL ||
           request_is_led(req, topic, broker_txn_partition(broker, transactional_id));
}

bool request_coordinates_share(const struct request *req, struct slice key)
{
    struct broker *broker = req->conn->context;
    const struct topic *topic = broker_image(broker)->share_state;
    return topic == NULL || request_is_led(req, topic, broker_share_partition(broker, key));
}

int32_t *nodes_copy(struct arena *arena, const struct replicas *replicas)
{
    int32_t *nodes = arena_new_n(arena, int32_t, (size_t)replicas->count);
    memcpy(nodes, replicas->nodes, (size_t)replicas->count * sizeof(nodes[0]));
    return nodes;
}

struct node_endpoint node_endpoint(struct request *req, int32_t node)
{
    struct broker *broker = req->conn->context;
    const struct broker_settings *settings = broker_settings(broker);
    char host[ADVERTISED_HOST_SIZE];
    uint16_t port;
    broker_advertise(
        broker, req->conn->listener, node, &req->conn->local, &req->conn->peer, host, &port);
    return (struct node_endpoint){
        .node = node,
        .port = port,
        .host = arena_copy_slice(&req->arena, slice_from_str(host)),
        .rack = arena_copy_slice(&req->arena, slice_from_str(settings->rack)),
    };
}
