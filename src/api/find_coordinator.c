// SPDX-License-Identifier: BSD-2-Clause
/*
 * FindCoordinator: the broker that leads the partition of a group or of a transactional id. Asking
 * for a coordinator is the first sign that groups (transactions) will be used, so
 * __consumer_offsets
 * (__transaction_state) is made here and the answer waits for it: what follows finds everything in
 * place.
 */
#include "wire/find_coordinator.gen.h"

#include "api/group_common.h"
#include "api/nodes.h"

enum coordinator_type { COORDINATOR_GROUP, COORDINATOR_TRANSACTION };

/* What Kafka says when there is nothing to say. */
#define FIND_COORDINATOR_FINE SLICE_LIT("NONE")

struct find_coordinator {
    struct broker_call call;
    struct request *req;
    const struct find_coordinator_request *request;
    struct find_coordinator_response *response;
};

/* The coordinators' topic exists when there is no error. */
static int32_t find_coordinator_node(
    struct request *req, const struct find_coordinator_request *request, struct slice key)
{
    struct broker *broker = request_broker(req);
    const struct image *image = broker_image(broker);
    key = slice_or_empty(key);
    return request->key_type == COORDINATOR_GROUP
               ? broker_leader(broker, image->offsets, broker_group_partition(broker, key))
               : broker_leader(broker, image->transactions, broker_txn_partition(broker, key));
}

static void find_coordinator_batch(struct request *req,
    const struct find_coordinator_request *request, struct find_coordinator_response *response,
    int16_t error)
{
    size_t count = (size_t)request->coordinator_keys_count;
    response->coordinators =
        arena_new_n(&req->arena, struct find_coordinator_response_coordinator, count);
    struct node_endpoint at = {.node = -1, .port = -1, .host = SLICE_LIT("")};
    for (size_t i = 0; i < count; i++) {
        struct find_coordinator_response_coordinator *out =
            &response->coordinators[response->coordinators_count++];
        find_coordinator_response_coordinator_init(out);
        out->key = request->coordinator_keys[i];
        out->error_code = error;
        out->error_message = SLICE_LIT("");
        int32_t node =
            error == KAFKA_ERROR_NONE ? find_coordinator_node(req, request, out->key) : -1;
        if (node != at.node)
            at = node_endpoint(req, node);
        out->node_id = at.node;
        out->host = at.host;
        out->port = at.port;
    }
}

static void find_coordinator_answer(struct request *req,
    const struct find_coordinator_request *request, struct find_coordinator_response *response,
    int16_t error, struct slice message)
{
    if (req->version >= 4) {
        find_coordinator_batch(req, request, response, error);
        return;
    }
    struct node_endpoint at = {.node = -1, .port = -1, .host = SLICE_LIT("")};
    if (error == KAFKA_ERROR_NONE)
        at = node_endpoint(req, find_coordinator_node(req, request, request->key));
    response->error_code = error;
    response->error_message = message;
    response->node_id = at.node;
    response->host = at.host;
    response->port = at.port;
}

static void find_coordinator_on_ensured(struct broker_call *call)
{
    struct find_coordinator *my = container_of(call, struct find_coordinator, call);
    int16_t error = call->result < 0 ? KAFKA_ERROR_COORDINATOR_NOT_AVAILABLE : KAFKA_ERROR_NONE;
    find_coordinator_answer(my->req, my->request, my->response, error,
        call->result < 0 ? SLICE_LIT("The coordinator's topic could not be created.")
                         : FIND_COORDINATOR_FINE);
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
        find_coordinator_answer(req, request, response, KAFKA_ERROR_NONE, FIND_COORDINATOR_FINE);
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
