// SPDX-License-Identifier: BSD-2-Clause
#include "api/txn_common.h"

#include "api/nodes.h"

int16_t txn_error_code(enum txn_error error, const struct request *req, int16_t fenced_since)
{
    switch (error) {
    case TXN_OK: return KAFKA_ERROR_NONE;
    case TXN_E_INVALID_REQUEST: return KAFKA_ERROR_INVALID_REQUEST;
    case TXN_E_INVALID_TIMEOUT: return KAFKA_ERROR_INVALID_TRANSACTION_TIMEOUT;
    case TXN_E_FENCED:
        return req->version < fenced_since ? KAFKA_ERROR_INVALID_PRODUCER_EPOCH
                                           : KAFKA_ERROR_PRODUCER_FENCED;
    case TXN_E_UNKNOWN: return KAFKA_ERROR_INVALID_PRODUCER_ID_MAPPING;
    case TXN_E_INVALID_STATE: return KAFKA_ERROR_INVALID_TXN_STATE;
    case TXN_E_NOT_ADDED: return KAFKA_ERROR_TRANSACTION_ABORTABLE;
    case TXN_E_CONCURRENT: return KAFKA_ERROR_CONCURRENT_TRANSACTIONS;
    case TXN_E_NOT_COORDINATOR: return KAFKA_ERROR_NOT_COORDINATOR;
    case TXN_E_UNAVAILABLE: return KAFKA_ERROR_COORDINATOR_NOT_AVAILABLE;
    case TXN_E_LOADING: return KAFKA_ERROR_COORDINATOR_LOAD_IN_PROGRESS;
    }
    return KAFKA_ERROR_UNKNOWN_SERVER_ERROR;
}

void txn_op_submit(const struct request *req, struct txns_op *op)
{
    if (request_coordinates_txn(req, op->id)) {
        txns_submit(op);
        return;
    }
    op->error = TXN_E_NOT_COORDINATOR;
    op->done(op);
}
