// SPDX-License-Identifier: BSD-2-Clause
/*
 * FindCoordinator: this broker, for groups and for transactional ids. Asking for a coordinator is
 * the first sign that groups (transactions) will be used, so __consumer_offsets
 * (__transaction_state) is made here and the answer waits for it: what follows finds everything in
 * place.
 */
#include "wire/find_coordinator.gen.h"

#include "api/group_common.h"

enum coordinator_type { COORDINATOR_GROUP, COORDINATOR_TRANSACTION };

struct find_coordinator {
    struct broker_call call;
    struct request *req;
    const struct find_coordinator_request *request;
    struct find_coordinator_response *response;
};

static void find_coordinator_batch(struct request *req,
    const struct find_coordinator_request *request, struct find_coordinator_response *response,
    int16_t error, struct slice host, uint16_t port)
{
    size_t count = (size_t)request->coordinator_keys_count;
    response->coordinators =
        arena_new_n(&req->arena, struct find_coordinator_response_coordinator, count);
    for (size_t i = 0; i < count; i++) {
        struct find_coordinator_response_coordinator *out =
            &response->coordinators[response->coordinators_count++];
        find_coordinator_response_coordinator_init(out);
        out->key = request->coordinator_keys[i];
        out->error_code = error;
        out->error_message = SLICE_LIT("");
        out->node_id = error == KAFKA_ERROR_NONE ? broker_id(request_broker(req)) : -1;
        out->host = host;
        out->port = error == KAFKA_ERROR_NONE ? port : -1;
    }
}

static void find_coordinator_answer(struct request *req,
    const struct find_coordinator_request *request, struct find_coordinator_response *response,
    int16_t error, struct slice message)
{
    char host[ADVERTISED_HOST_SIZE] = "";
    uint16_t port = 0;
    if (error == KAFKA_ERROR_NONE)
        broker_advertise(request_broker(req), req->conn->listener, &req->conn->local,
            &req->conn->peer, host, &port);
    struct slice host_copy = arena_copy_slice(&req->arena, slice_from_str(host));
    if (req->version >= 4) {
        find_coordinator_batch(req, request, response, error, host_copy, port);
        return;
    }
    response->error_code = error;
    response->error_message = message;
    response->node_id = error == KAFKA_ERROR_NONE ? broker_id(request_broker(req)) : -1;
    response->host = host_copy;
    response->port = error == KAFKA_ERROR_NONE ? port : -1;
}

static void find_coordinator_on_ensured(struct broker_call *call)
{
    struct find_coordinator *my = container_of(call, struct find_coordinator, call);
    int16_t error = call->result < 0 ? KAFKA_ERROR_COORDINATOR_NOT_AVAILABLE : KAFKA_ERROR_NONE;
    find_coordinator_answer(my->req, my->request, my->response, error,
        call->result < 0 ? SLICE_LIT("The coordinator's topic could not be created.") : SLICE_NULL);
    request_complete(my->req);
}

enum handle_result find_coordinator_handle(struct request *req,
    const struct find_coordinator_request *request, struct find_coordinator_response *response)
{
    struct broker *broker = request_broker(req);
    if (request->key_type != COORDINATOR_GROUP && request->key_type != COORDINATOR_TRANSACTION) {
        find_coordinator_answer(req, request, response, KAFKA_ERROR_INVALID_REQUEST,
            SLICE_LIT("The key type must be 0 (group) or 1 (transaction)."));
        return HANDLE_DONE;
    }
    const struct image *image = broker_image(broker);
    bool group = request->key_type == COORDINATOR_GROUP;
    if ((group ? image->offsets : image->transactions) != NULL) {
        find_coordinator_answer(req, request, response, KAFKA_ERROR_NONE, SLICE_NULL);
        return HANDLE_DONE;
    }
    struct find_coordinator *my = arena_new(&req->arena, struct find_coordinator);
    *my = (struct find_coordinator){.call.done = find_coordinator_on_ensured,
        .req = req,
        .request = request,
        .response = response};
    (group ? broker_offsets_ensure : broker_transactions_ensure)(broker, &my->call);
    return HANDLE_PARKED;
}
