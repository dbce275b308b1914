// SPDX-License-Identifier: BSD-2-Clause
/*
 * InitProducerId: a fresh id for an idempotent producer. Transactional ids are refused until there
 * are transactions, with the error that every client treats as final and shows to its user; the log
 * line says the real reason.
 */
#include "base/log.h"
#include "broker/broker.h"
#include "net/request.h"
#include "wire/errors.gen.h"
#include "wire/init_producer_id.gen.h"

#include <inttypes.h>

struct init_producer_id {
    struct request *req;
    struct init_producer_id_response *response;
    struct broker_producer_id next;
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

static int16_t init_producer_id_check(
    const struct request *req, const struct init_producer_id_request *request)
{
    if (!slice_is_null(request->transactional_id) && request->transactional_id.size == 0)
        return KAFKA_ERROR_INVALID_REQUEST;
    if ((request->producer_id == -1) != (request->producer_epoch == -1))
        return KAFKA_ERROR_INVALID_REQUEST;
    if (slice_is_null(request->transactional_id))
        return KAFKA_ERROR_NONE;
    log_warn("transactions.unsupported",
        "conn=%" PRIu64 " client=%s transactional_id=%s "
        "reason=\"transactions are not implemented; idempotent producers are\"",
        req->conn->id, log_quote(req->client_id).str, log_quote(request->transactional_id).str);
    return KAFKA_ERROR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
}

enum handle_result init_producer_id_handle(struct request *req,
    const struct init_producer_id_request *request, struct init_producer_id_response *response)
{
    response->producer_id = -1;
    response->producer_epoch = -1;
    response->error_code = init_producer_id_check(req, request);
    if (response->error_code != KAFKA_ERROR_NONE)
        return HANDLE_DONE;
    struct init_producer_id *init = arena_new(&req->arena, struct init_producer_id);
    init->req = req;
    init->response = response;
    init->next.call.done = init_producer_id_on_next;
    broker_producer_id_next(req->conn->context, &init->next);
    return HANDLE_PARKED;
}
