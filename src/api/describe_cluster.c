// SPDX-License-Identifier: BSD-2-Clause
/* describe_cluster: the brokers that this process shows. */
#include "api/nodes.h"
#include "api/topics_join.h"
#include "wire/describe_cluster.gen.h"
#include "wire/errors.gen.h"

enum endpoint_type { ENDPOINT_BROKERS = 1, ENDPOINT_CONTROLLERS = 2 };

static void fill_broker(
    struct request *req, int32_t node, struct describe_cluster_response_broker *answer)
{
    struct node_endpoint at = node_endpoint(req, node);
    describe_cluster_response_broker_init(answer);
    answer->broker_id = at.node;
    answer->host = at.host;
    answer->port = at.port;
    answer->rack = at.rack;
}

enum handle_result describe_cluster_handle(struct request *req,
    const struct describe_cluster_request *request, struct describe_cluster_response *response)
{
    struct broker *broker = request_broker(req);
    response->cluster_id = slice_from_str(broker_cluster_id(broker));
    if (request->endpoint_type != ENDPOINT_BROKERS) {
        bool known = request->endpoint_type == ENDPOINT_CONTROLLERS;
        response->error_code =
            known ? KAFKA_ERROR_MISMATCHED_ENDPOINT_TYPE : KAFKA_ERROR_UNSUPPORTED_ENDPOINT_TYPE;
        response->error_message =
            known ? SLICE_LIT("This is an endpoint of brokers; there are no separate controllers.")
                  : SLICE_LIT("Unsupported endpoint type.");
        return HANDLE_DONE;
    }
    response->controller_id = broker_id(broker);
    response->brokers_count = broker_nodes_count(broker);
    response->brokers = arena_new_n(
        &req->arena, struct describe_cluster_response_broker, (size_t)response->brokers_count);
    for (int32_t i = 0; i < response->brokers_count; i++)
        fill_broker(req, broker_node_id(broker, i), &response->brokers[i]);
    if (request->include_cluster_authorized_operations)
        response->cluster_authorized_operations = AUTHORIZED_CLUSTER;
    return HANDLE_DONE;
}
