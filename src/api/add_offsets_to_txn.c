// SPDX-License-Identifier: BSD-2-Clause
/* AddOffsetsToTxn: the group's partition of __consumer_offsets becomes part of the transaction. It
 * is made here when this is the first need of it. */
#include "wire/add_offsets_to_txn.gen.h"

#include "api/group_common.h"
#include "api/txn_common.h"

enum { ADD_OFFSETS_FENCED_SINCE = 2 };

struct add_offsets {
    struct broker_call call;
    struct request *req;
    const struct add_offsets_to_txn_request *request;
    struct add_offsets_to_txn_response *response;
    struct txn_topic_partition partition;
    struct txns_op op;
};

static void add_offsets_on_done(struct txns_op *op)
{
    struct add_offsets *my = container_of(op, struct add_offsets, op);
    my->response->error_code = txn_error_code(op->error, my->req, ADD_OFFSETS_FENCED_SINCE);
    request_complete(my->req);
}

static void add_offsets_submit(struct add_offsets *my)
{
    struct broker *broker = request_broker(my->req);
    my->partition = (struct txn_topic_partition){SLICE_LIT(TOPIC_NAME_OFFSETS),
        broker_group_partition(broker, slice_or_empty(my->request->group_id))};
    my->op = (struct txns_op){.broker = broker,
        .id = my->request->transactional_id,
        .kind = TXNS_ADD,
        .producer_id = my->request->producer_id,
        .epoch = my->request->producer_epoch,
        .partitions = &my->partition,
        .partitions_count = 1,
        .done = add_offsets_on_done};
    txn_op_submit(my->req, &my->op);
}

static void add_offsets_on_ensured(struct broker_call *call)
{
    struct add_offsets *my = container_of(call, struct add_offsets, call);
    if (call->result < 0) {
        my->response->error_code = KAFKA_ERROR_COORDINATOR_NOT_AVAILABLE;
        request_complete(my->req);
        return;
    }
    add_offsets_submit(my);
}

enum handle_result add_offsets_to_txn_handle(struct request *req,
    const struct add_offsets_to_txn_request *request, struct add_offsets_to_txn_response *response)
{
    struct broker *broker = request_broker(req);
    struct add_offsets *my = arena_new(&req->arena, struct add_offsets);
    my->req = req;
    my->request = request;
    my->response = response;
    if (broker_image(broker)->offsets != NULL) {
        add_offsets_submit(my);
    } else {
        my->call.done = add_offsets_on_ensured;
        broker_offsets_ensure(broker, &my->call);
    }
    return HANDLE_PARKED;
}
