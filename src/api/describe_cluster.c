// SPDX-License-Identifier: BSD-2-Clause
/* describe_cluster: this broker is the cluster. */
#include "api/topics_join.h"
#include "broker/settings.h"
#include "wire/describe_cluster.gen.h"
#include "wire/errors.gen.h"

enum endpoint_type { ENDPOINT_BROKERS = 1, ENDPOINT_CONTROLLERS = 2 };

static void fill_broker(struct request *req, struct describe_cluster_response_broker *answer)
{
    struct broker *broker = request_broker(req);
    char host[ADVERTISED_HOST_SIZE];
    uint16_t port;
    broker_advertise(broker, req->conn->listener, &req->conn->local, &req->conn->peer, host, &port);
    describe_cluster_response_broker_init(answer);
    answer->broker_id = broker_id(broker);
    answer->host = arena_copy_slice(&req->arena, slice_from_str(host));
    answer->port = port;
    answer->rack = arena_copy_slice(&req->arena, slice_from_str(broker_settings(broker)->rack));
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
    response->brokers = arena_new(&req->arena, struct describe_cluster_response_broker);
    response->brokers_count = 1;
    fill_broker(req, response->brokers);
    if (request->include_cluster_authorized_operations)
        response->cluster_authorized_operations = AUTHORIZED_CLUSTER;
    return HANDLE_DONE;
}
