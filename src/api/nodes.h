// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * nodes: the brokers that clients see. There is one, or with odradek.virtual.brokers several, each
 * with listeners of its own; a request is addressed to the broker whose listener it came in on.
 * Any loop.
 */
#include "broker/topics/replicas.h"
#include "net/request.h"

/* The id of the broker that the request is addressed to. */
int32_t request_node(const struct request *req);
/* It leads the partition. */
bool request_is_led(const struct request *req, const struct topic *topic, int32_t partition);
/* It coordinates the group (the transactional id); true also while the coordinators' topic does not
 * exist. */
bool request_coordinates_group(const struct request *req, struct slice group);
bool request_coordinates_txn(const struct request *req, struct slice transactional_id);
bool request_coordinates_share(const struct request *req, struct slice key); /* share_state_key */

/* The replicas of a partition, in the arena. */
int32_t *nodes_copy(struct arena *arena, const struct replicas *replicas);

/* Where this client reaches a broker. */
struct node_endpoint {
    int32_t node, port;
    struct slice host; /* in the request's arena */
    struct slice rack; /* null: none */
};
struct node_endpoint node_endpoint(struct request *req, int32_t node);
