// SPDX-License-Identifier: BSD-2-Clause
/*
 * FindCoordinator: the broker that leads the partition of a group, of a transactional id, or of a
 * share partition ("group:topicId:partition"). Asking for a coordinator is the first sign that
 * groups (transactions) will be used, so __consumer_offsets (__transaction_state,
 * __share_group_state) is made here and the answer waits for it: what follows finds everything in
 * place.
 */
#include "wire/find_coordinator.gen.h"

#include "api/group_common.h"
#include "api/nodes.h"

enum coordinator_type { COORDINATOR_GROUP, COORDINATOR_TRANSACTION, COORDINATOR_SHARE };

#define VERSION_SHARE 6

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
    if (request->key_type == COORDINATOR_GROUP)
        return broker_leader(broker, image->offsets, broker_group_partition(broker, key));
    if (request->key_type == COORDINATOR_TRANSACTION)
        return broker_leader(broker, image->transactions, broker_txn_partition(broker, key));
    return broker_leader(broker, image->share_state, broker_share_partition(broker, key));
}

/* "group:topicId:partition" */
static bool find_coordinator_share_key(struct slice key)
{
    size_t end = key.size, colon;
    for (colon = end; colon > 0 && key.data[colon - 1] != ':'; colon--)
        if (key.data[colon - 1] < '0' || key.data[colon - 1] > '9')
            return false;
    struct uuid id;
    return colon > UUID_TEXT_SIZE + 2 && colon < end && end - colon <= 10 &&
           key.data[colon - 2 - UUID_TEXT_SIZE] == ':' &&
           uuid_from_text(slice_make(key.data + colon - 1 - UUID_TEXT_SIZE, UUID_TEXT_SIZE), &id);
}

static bool find_coordinator_keys_valid(const struct find_coordinator_request *request)
{
    if (request->key_type != COORDINATOR_SHARE)
        return true;
    for (int32_t i = 0; i < request->coordinator_keys_count; i++) {
        if (!find_coordinator_share_key(slice_or_empty(request->coordinator_keys[i])))
            return false;
    }
    return true;
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
    bool known = request->key_type >= COORDINATOR_GROUP &&
                 request->key_type <=
                     (req->version >= VERSION_SHARE ? COORDINATOR_SHARE : COORDINATOR_TRANSACTION);
    if (!known || !find_coordinator_keys_valid(request)) {
        find_coordinator_answer(req, request, response, KAFKA_ERROR_INVALID_REQUEST,
            known ? SLICE_LIT("The key must be group:topicId:partition.")
                  : SLICE_LIT("The key type must be 0 (group), 1 (transaction) or 2 (share)."));
        return HANDLE_DONE;
    }
    const struct image *image = broker_image(broker);
    const struct topic *topics[] = {image->offsets, image->transactions, image->share_state};
    if (topics[request->key_type] != NULL) {
        find_coordinator_answer(req, request, response, KAFKA_ERROR_NONE, FIND_COORDINATOR_FINE);
        return HANDLE_DONE;
    }
    struct find_coordinator *my = arena_new(&req->arena, struct find_coordinator);
    *my = (struct find_coordinator){.call.done = find_coordinator_on_ensured,
        .req = req,
        .request = request,
        .response = response};
    static void (*const ensure[])(struct broker * broker, struct broker_call * call) = {
        broker_offsets_ensure, broker_transactions_ensure, broker_share_state_ensure};
    ensure[request->key_type](broker, &my->call);
    return HANDLE_PARKED;
}
