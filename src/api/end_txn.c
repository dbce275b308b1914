// SPDX-License-Identifier: BSD-2-Clause
/* EndTxn: answered when every partition of the transaction has its marker on the medium. From
 * version 5 on (transactions v2) the producer goes on with the next epoch. */
#include "wire/end_txn.gen.h"

#include "api/txn_common.h"

enum { END_TXN_FENCED_SINCE = 2, END_TXN_V2_SINCE = 5 };

struct end_txn {
    struct request *req;
    struct end_txn_response *response;
    struct txns_op op;
};

static void end_txn_on_done(struct txns_op *op)
{
    struct end_txn *my = container_of(op, struct end_txn, op);
    my->response->error_code = txn_error_code(op->error, my->req, END_TXN_FENCED_SINCE);
    if (op->error == TXN_OK) {
        my->response->producer_id = op->producer_id;
        my->response->producer_epoch = op->epoch;
    }
    request_complete(my->req);
}

enum handle_result end_txn_handle(
    struct request *req, const struct end_txn_request *request, struct end_txn_response *response)
{
    struct end_txn *my = arena_new(&req->arena, struct end_txn);
    my->req = req;
    my->response = response;
    my->op = (struct txns_op){.broker = req->conn->context,
        .id = request->transactional_id,
        .kind = TXNS_END,
        .producer_id = request->producer_id,
        .epoch = request->producer_epoch,
        .commit = request->committed,
        .v2 = req->version >= END_TXN_V2_SINCE,
        .done = end_txn_on_done};
    txn_op_submit(req, &my->op);
    return HANDLE_PARKED;
}
