// SPDX-License-Identifier: BSD-2-Clause
/*
 * DescribeTransactions: transactional ids as their coordinators see them. The request, with its
 * arena, travels from one to the next; each step begins with a message, since an answer may come
 * from within the question.
 */
#include "wire/describe_transactions.gen.h"

#include "api/txn_common.h"

struct describe_transactions {
    struct request *req;
    const struct describe_transactions_request *request;
    struct describe_transactions_response *response;
    struct txns_op op;
    struct loop_msg step;
};

static struct describe_transactions_response_topic *describe_transactions_topic(
    struct describe_transactions_response_transaction_state *out, struct slice name)
{
    for (int32_t t = 0; t < out->topics_count; t++) {
        if (slice_equal(out->topics[t].topic, name))
            return &out->topics[t];
    }
    return NULL;
}

static void describe_transactions_partitions(struct arena *arena, const struct txn *txn,
    struct describe_transactions_response_transaction_state *out)
{
    size_t count = txn->partitions.count;
    out->topics = arena_new_n(arena, struct describe_transactions_response_topic, count);
    map_for_each (&txn->partitions, found) {
        const struct txn_partition *partition = found->value;
        struct describe_transactions_response_topic *topic =
            describe_transactions_topic(out, partition->topic);
        if (partition->adding)
            continue;
        if (topic == NULL) {
            topic = &out->topics[out->topics_count++];
            describe_transactions_response_topic_init(topic);
            topic->topic = arena_copy_slice(arena, partition->topic);
            topic->partitions = arena_new_n(arena, int32_t, count);
        }
        topic->partitions[topic->partitions_count++] = partition->index;
    }
}

static void describe_transactions_fill(struct arena *arena, const struct txn *txn,
    struct describe_transactions_response_transaction_state *out)
{
    out->transaction_state = slice_from_str(txn_state_name(txn->now.state));
    out->transaction_timeout_ms = txn->now.timeout_ms;
    out->transaction_start_time_ms = txn->now.start_ms;
    out->producer_id = txn->now.producer_id;
    out->producer_epoch = txn->now.epoch;
    describe_transactions_partitions(arena, txn, out);
}

static void describe_transactions_on_step(struct loop_msg *msg);

static void describe_transactions_on_done(struct txns_op *op)
{
    struct describe_transactions *my = container_of(op, struct describe_transactions, op);
    struct describe_transactions_response_transaction_state *out =
        &my->response->transaction_states[my->response->transaction_states_count++];
    describe_transactions_response_transaction_state_init(out);
    out->transactional_id = op->id;
    if (op->error == TXN_OK && op->txn->now.epoch != TXN_EPOCH_NONE)
        describe_transactions_fill(&my->req->arena, op->txn, out);
    else if (op->error == TXN_OK || op->error == TXN_E_UNKNOWN)
        out->error_code = KAFKA_ERROR_TRANSACTIONAL_ID_NOT_FOUND;
    else
        out->error_code = txn_error_code(op->error, my->req, 0);
    if (my->response->transaction_states_count == my->request->transactional_ids_count)
        request_complete(my->req);
    else
        loop_post(loop_current(), &my->step, describe_transactions_on_step);
}

static void describe_transactions_next(struct describe_transactions *my)
{
    int32_t at = my->response->transaction_states_count;
    my->op = (struct txns_op){.broker = my->req->conn->context,
        .id = my->request->transactional_ids[at],
        .kind = TXNS_LOOK,
        .done = describe_transactions_on_done};
    txn_op_submit(my->req, &my->op);
}

static void describe_transactions_on_step(struct loop_msg *msg)
{
    describe_transactions_next(container_of(msg, struct describe_transactions, step));
}

enum handle_result describe_transactions_handle(struct request *req,
    const struct describe_transactions_request *request,
    struct describe_transactions_response *response)
{
    struct describe_transactions *my = arena_new(&req->arena, struct describe_transactions);
    my->req = req;
    my->request = request;
    my->response = response;
    response->transaction_states =
        arena_new_n(&req->arena, struct describe_transactions_response_transaction_state,
            (size_t)request->transactional_ids_count);
    if (request->transactional_ids_count == 0)
        return HANDLE_DONE;
    describe_transactions_next(my);
    return HANDLE_PARKED;
}
