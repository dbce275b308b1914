// SPDX-License-Identifier: BSD-2-Clause
/*
 * AddPartitionsToTxn: all partitions of one request become part of the transaction, or none.
 * Versions 0-3 are about one transaction; 4 and later about several, which may also only be asked
 * about (verify only). All are served one after the other by one path that fills the later form;
 * the request, with its arena, travels from coordinator to coordinator; each step begins with a
 * message, since an answer may come from within the question.
 */
#include "wire/add_partitions_to_txn.gen.h"

#include "api/group_common.h"
#include "api/txn_common.h"

enum { ADD_FENCED_SINCE = 2, ADD_BATCHED_SINCE = 4 };

struct add_partitions {
    struct request *req;
    struct broker *broker;
    struct add_partitions_to_txn_request_transaction *asked;
    int32_t asked_count, at;
    struct add_partitions_to_txn_response *response;
    struct add_partitions_to_txn_response_transaction *results;
    struct txn_topic_partition *partitions; /* of the transaction at hand */
    size_t partitions_count;
    struct txns_op op;
    struct loop_msg step;
};

static void add_partitions_end(struct add_partitions *my);
static void add_partitions_on_step(struct loop_msg *msg);

/* Before anything is tried: does every partition exist, and may clients write there? */
static int16_t add_partitions_check(struct add_partitions *my, struct slice name, int32_t index)
{
    const struct topic *topic = image_topic(broker_image(my->broker), name);
    if (topic != NULL && topic->internal && my->req->version < ADD_BATCHED_SINCE)
        return KAFKA_ERROR_TOPIC_AUTHORIZATION_FAILED;
    if (topic == NULL || index < 0 || index >= topic->partitions_count)
        return KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION;
    return KAFKA_ERROR_NONE;
}

/* True when all of the transaction at hand is well; every partition has its error then. */
static bool add_partitions_prepare(struct add_partitions *my,
    const struct add_partitions_to_txn_request_transaction *asked,
    struct add_partitions_to_txn_response_transaction *result)
{
    struct arena *arena = &my->req->arena;
    size_t count = 0;
    bool fine = true;
    for (int32_t t = 0; t < asked->topics_count; t++)
        count += (size_t)asked->topics[t].partitions_count;
    my->partitions = arena_new_n(arena, struct txn_topic_partition, count);
    my->partitions_count = 0;
    add_partitions_to_txn_response_transaction_init(result);
    result->transactional_id = asked->transactional_id;
    result->topic_results = arena_new_n(
        arena, struct add_partitions_to_txn_response_topic, (size_t)asked->topics_count);
    for (int32_t t = 0; t < asked->topics_count; t++) {
        const struct add_partitions_to_txn_request_topic *topic = &asked->topics[t];
        struct add_partitions_to_txn_response_topic *out =
            &result->topic_results[result->topic_results_count++];
        add_partitions_to_txn_response_topic_init(out);
        out->name = topic->name;
        out->results_by_partition = arena_new_n(arena,
            struct add_partitions_to_txn_response_partition, (size_t)topic->partitions_count);
        for (int32_t p = 0; p < topic->partitions_count; p++) {
            int16_t error = add_partitions_check(my, topic->name, topic->partitions[p]);
            fine = fine && error == KAFKA_ERROR_NONE;
            out->results_by_partition[out->results_by_partition_count++] =
                (struct add_partitions_to_txn_response_partition){topic->partitions[p], error};
            my->partitions[my->partitions_count++] =
                (struct txn_topic_partition){topic->name, topic->partitions[p]};
        }
    }
    return fine;
}

/* Gives an error to every partition that has none of its own. */
static void add_partitions_spread(
    struct add_partitions_to_txn_response_transaction *result, int16_t error)
{
    for (int32_t t = 0; t < result->topic_results_count; t++) {
        struct add_partitions_to_txn_response_topic *topic = &result->topic_results[t];
        for (int32_t p = 0; p < topic->results_by_partition_count; p++) {
            if (topic->results_by_partition[p].partition_error_code == KAFKA_ERROR_NONE)
                topic->results_by_partition[p].partition_error_code = error;
        }
    }
}

/* At the coordinator: each partition by itself. */
static void add_partitions_verify(
    struct add_partitions *my, struct add_partitions_to_txn_response_transaction *result)
{
    const struct add_partitions_to_txn_request_transaction *asked = &my->asked[my->at];
    const struct txn_topic_partition *partition = my->partitions;
    for (int32_t t = 0; t < result->topic_results_count; t++) {
        struct add_partitions_to_txn_response_topic *topic = &result->topic_results[t];
        for (int32_t p = 0; p < topic->results_by_partition_count; p++, partition++) {
            enum txn_error error =
                txn_verify(my->op.txn, asked->producer_id, asked->producer_epoch, partition);
            topic->results_by_partition[p].partition_error_code =
                txn_error_code(error, my->req, ADD_FENCED_SINCE);
        }
    }
}

static void add_partitions_on_done(struct txns_op *op)
{
    struct add_partitions *my = container_of(op, struct add_partitions, op);
    struct add_partitions_to_txn_response_transaction *result = &my->results[my->at];
    if (op->kind == TXNS_LOOK && op->error == TXN_OK)
        add_partitions_verify(my, result);
    else
        add_partitions_spread(result, txn_error_code(op->error, my->req, ADD_FENCED_SINCE));
    if (++my->at == my->asked_count)
        add_partitions_end(my);
    else
        loop_post(loop_current(), &my->step, add_partitions_on_step);
}

static void add_partitions_end(struct add_partitions *my)
{
    if (my->req->version >= ADD_BATCHED_SINCE) {
        my->response->results_by_transaction = my->results;
        my->response->results_by_transaction_count = my->asked_count;
    } else {
        my->response->results_by_topic_v3_and_below = my->results->topic_results;
        my->response->results_by_topic_v3_and_below_count = my->results->topic_results_count;
    }
    request_complete(my->req);
}

static void add_partitions_run(struct add_partitions *my)
{
    for (; my->at < my->asked_count; my->at++) {
        const struct add_partitions_to_txn_request_transaction *asked = &my->asked[my->at];
        if (!add_partitions_prepare(my, asked, &my->results[my->at])) {
            add_partitions_spread(&my->results[my->at], KAFKA_ERROR_OPERATION_NOT_ATTEMPTED);
            continue;
        }
        my->op = (struct txns_op){.broker = my->broker,
            .id = asked->transactional_id,
            .kind = asked->verify_only ? TXNS_LOOK : TXNS_ADD,
            .producer_id = asked->producer_id,
            .epoch = asked->producer_epoch,
            .partitions = my->partitions,
            .partitions_count = my->partitions_count,
            .done = add_partitions_on_done};
        txn_op_submit(my->req, &my->op);
        return;
    }
    add_partitions_end(my);
}

static void add_partitions_on_step(struct loop_msg *msg)
{
    add_partitions_run(container_of(msg, struct add_partitions, step));
}

enum handle_result add_partitions_to_txn_handle(struct request *req,
    const struct add_partitions_to_txn_request *request,
    struct add_partitions_to_txn_response *response)
{
    struct add_partitions *my = arena_new(&req->arena, struct add_partitions);
    my->req = req;
    my->broker = request_broker(req);
    my->response = response;
    my->asked = request->transactions;
    my->asked_count = request->transactions_count;
    if (req->version < ADD_BATCHED_SINCE) {
        my->asked = arena_new(&req->arena, struct add_partitions_to_txn_request_transaction);
        my->asked_count = 1;
        add_partitions_to_txn_request_transaction_init(my->asked);
        my->asked->transactional_id = request->v3_and_below_transactional_id;
        my->asked->producer_id = request->v3_and_below_producer_id;
        my->asked->producer_epoch = request->v3_and_below_producer_epoch;
        my->asked->topics = request->v3_and_below_topics;
        my->asked->topics_count = request->v3_and_below_topics_count;
    }
    my->results = arena_new_n(
        &req->arena, struct add_partitions_to_txn_response_transaction, (size_t)my->asked_count);
    add_partitions_run(my);
    return HANDLE_PARKED;
}
