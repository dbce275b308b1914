// SPDX-License-Identifier: BSD-2-Clause
/*
 * TxnOffsetCommit: offsets that count when the transaction commits. Written to the group's
 * partition of __consumer_offsets at once. Before version 5 the group was added to the transaction
 * by AddOffsetsToTxn; from there on (transactions v2) this adds it.
 */
#include "wire/txn_offset_commit.gen.h"

#include "api/group_common.h"

enum { TXN_COMMIT_ABORTABLE_SINCE = 4, TXN_COMMIT_ADDS_SINCE = 5, TXN_COMMIT_LOADING_SINCE = 2 };

struct txn_offset_commit {
    struct groups_op op;
    struct groups_commit commit;
    struct request *req;
    const struct txn_offset_commit_request *request;
    struct txn_offset_commit_response *response;
};

static int16_t txn_offset_commit_code(const struct request *req, enum group_error error)
{
    if (error == GROUP_E_NOT_IN_TXN)
        return req->version >= TXN_COMMIT_ABORTABLE_SINCE ? KAFKA_ERROR_TRANSACTION_ABORTABLE
                                                          : KAFKA_ERROR_INVALID_TXN_STATE;
    /* Producers of that age do not survive the other code. */
    if (error == GROUP_E_LOADING && req->version < TXN_COMMIT_LOADING_SINCE)
        return KAFKA_ERROR_COORDINATOR_NOT_AVAILABLE;
    return group_error_code(error);
}

/* Items lie in request order, so the answer is the request with codes. */
static void txn_offset_commit_answer(struct txn_offset_commit *my)
{
    const struct txn_offset_commit_request *request = my->request;
    struct txn_offset_commit_response *response = my->response;
    struct arena *arena = &my->req->arena;
    const struct groups_commit_item *item = my->commit.items;
    response->topics =
        arena_new_n(arena, struct txn_offset_commit_response_topic, (size_t)request->topics_count);
    for (int32_t t = 0; t < request->topics_count; t++) {
        const struct txn_offset_commit_request_topic *topic = &request->topics[t];
        struct txn_offset_commit_response_topic *out = &response->topics[response->topics_count++];
        txn_offset_commit_response_topic_init(out);
        out->name = topic->name;
        out->partitions = arena_new_n(
            arena, struct txn_offset_commit_response_partition, (size_t)topic->partitions_count);
        for (int32_t p = 0; p < topic->partitions_count; p++, item++)
            out->partitions[out->partitions_count++] =
                (struct txn_offset_commit_response_partition){topic->partitions[p].partition_index,
                    txn_offset_commit_code(my->req, item->error)};
    }
    request_complete(my->req);
}

static void txn_offset_commit_on_done(struct groups_commit *commit)
{
    txn_offset_commit_answer(container_of(commit, struct txn_offset_commit, commit));
}

static void txn_offset_commit_on_entered(struct groups_op *op)
{
    struct txn_offset_commit *my = container_of(op, struct txn_offset_commit, op);
    if (op->shard != NULL) {
        groups_commit(op->shard, op->group, &my->commit);
        return;
    }
    for (int32_t i = 0; i < my->commit.items_count; i++) {
        if (my->commit.items[i].error == GROUP_OK)
            my->commit.items[i].error = op->error;
    }
    txn_offset_commit_answer(my);
}

static void txn_offset_commit_fill(struct txn_offset_commit *my,
    const struct txn_offset_commit_request_topic *topic, struct groups_commit_item *items)
{
    const struct topic *known = group_topic(my->op.broker, false, topic->name, UUID_ZERO);
    for (int32_t p = 0; p < topic->partitions_count; p++) {
        const struct txn_offset_commit_request_partition *partition = &topic->partitions[p];
        items[p].offset = (struct group_offset){.topic = topic->name,
            .partition = partition->partition_index,
            .offset = partition->committed_offset,
            .leader_epoch = partition->committed_leader_epoch,
            .metadata = partition->committed_metadata};
        if (known == NULL || partition->partition_index < 0 ||
            partition->partition_index >= known->partitions_count)
            items[p].error = GROUP_E_UNKNOWN_PARTITION;
    }
}

enum handle_result txn_offset_commit_handle(struct request *req,
    const struct txn_offset_commit_request *request, struct txn_offset_commit_response *response)
{
    struct txn_offset_commit *my = arena_new(&req->arena, struct txn_offset_commit);
    my->req = req;
    my->request = request;
    my->response = response;
    group_op_init(&my->op, req, request->group_id, true, txn_offset_commit_on_entered);
    int32_t count = 0, refused = 0;
    for (int32_t t = 0; t < request->topics_count; t++)
        count += request->topics[t].partitions_count;
    struct groups_commit_item *items =
        arena_new_n(&req->arena, struct groups_commit_item, (size_t)count);
    my->commit = (struct groups_commit){.member_id = request->member_id,
        .instance_id = request->group_instance_id,
        .generation = request->generation_id,
        .retention_ms = -1,
        .items = items,
        .items_count = count,
        .done = txn_offset_commit_on_done,
        .transactional_id = slice_or_empty(request->transactional_id),
        .producer_id = request->producer_id,
        .producer_epoch = request->producer_epoch,
        .txn_add = req->version >= TXN_COMMIT_ADDS_SINCE};
    for (int32_t t = 0; t < request->topics_count; t++) {
        txn_offset_commit_fill(my, &request->topics[t], items);
        items += request->topics[t].partitions_count;
    }
    for (int32_t i = 0; i < count; i++) {
        if (my->commit.items[i].error == GROUP_OK && request->producer_id < 0)
            my->commit.items[i].error = GROUP_E_UNKNOWN_PRODUCER;
        refused += my->commit.items[i].error != GROUP_OK;
    }
    if (refused == count) { /* nothing to commit: the group is not asked */
        txn_offset_commit_answer(my);
        return HANDLE_PARKED;
    }
    return group_op_start(&my->op);
}
