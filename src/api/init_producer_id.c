// SPDX-License-Identifier: BSD-2-Clause
/*
 * InitProducerId: a fresh id for an idempotent producer; for a transactional one the id and next
 * epoch of its transactional id, after whatever its predecessor left open was aborted.
 */
#include "wire/init_producer_id.gen.h"

#include "api/txn_common.h"

enum { INIT_FENCED_SINCE = 4 };

struct init_producer_id {
    struct request *req;
    struct init_producer_id_response *response;
    struct broker_producer_id next;
    struct txns_op op;
};

static void init_producer_id_on_next(struct broker_call *call)
{
    struct init_producer_id *init = container_of(call, struct init_producer_id, next.call);
    if (call->result == 0) {
        init->response->producer_id = init->next.producer_id;
        init->response->producer_epoch = 0;
    } else { /* the client tries again */
        init->response->error_code = KAFKA_ERROR_COORDINATOR_NOT_AVAILABLE;
    }
    request_complete(init->req);
}

static void init_producer_id_on_done(struct txns_op *op)
{
    struct init_producer_id *init = container_of(op, struct init_producer_id, op);
    init->response->error_code = txn_error_code(op->error, init->req, INIT_FENCED_SINCE);
    if (op->error == TXN_OK) {
        init->response->producer_id = op->producer_id;
        init->response->producer_epoch = op->epoch;
    }
    request_complete(init->req);
}

enum handle_result init_producer_id_handle(struct request *req,
    const struct init_producer_id_request *request, struct init_producer_id_response *response)
{
    response->producer_id = -1;
    response->producer_epoch = -1;
    if ((request->producer_id == -1) != (request->producer_epoch == -1)) {
        response->error_code = KAFKA_ERROR_INVALID_REQUEST;
        return HANDLE_DONE;
    }
    struct init_producer_id *init = arena_new(&req->arena, struct init_producer_id);
    init->req = req;
    init->response = response;
    if (slice_is_null(request->transactional_id)) {
        init->next.call.done = init_producer_id_on_next;
        broker_producer_id_next(req->conn->context, &init->next);
        return HANDLE_PARKED;
    }
    init->op = (struct txns_op){.broker = req->conn->context,
        .id = request->transactional_id,
        .kind = TXNS_INIT,
        .producer_id = request->producer_id,
        .epoch = request->producer_epoch,
        .timeout_ms = request->transaction_timeout_ms,
        .done = init_producer_id_on_done};
    txn_op_submit(req, &init->op);
    return HANDLE_PARKED;
}
