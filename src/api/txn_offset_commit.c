// SPDX-License-Identifier: BSD-2-Clause
/*
 * TxnOffsetCommit: offsets that count when the transaction commits. Written to the group's
 * partition of __consumer_offsets at once. Before version 5 the group was added to the transaction
 * by AddOffsetsToTxn; from there on (transactions v2) this adds it.
 */
#include "api/group_commit.h"
#include "wire/txn_offset_commit.gen.h"

enum { TXN_COMMIT_ABORTABLE_SINCE = 4, TXN_COMMIT_ADDS_SINCE = 5, TXN_COMMIT_LOADING_SINCE = 2 };

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

static void txn_offset_commit_answer(struct group_commit *my)
{
    const struct txn_offset_commit_request *request = my->req->message;
    struct txn_offset_commit_response *response = my->req->response;
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

static void txn_offset_commit_fill(struct group_commit *my,
    const struct txn_offset_commit_request *request,
    const struct txn_offset_commit_request_topic *topic)
{
    const struct topic *known = group_topic(my->op.broker, false, topic->name, UUID_ZERO);
    for (int32_t p = 0; p < topic->partitions_count; p++) {
        const struct txn_offset_commit_request_partition *partition = &topic->partitions[p];
        group_commit_add(my, known, GROUP_E_UNKNOWN_PARTITION,
            &(struct group_offset){.topic = topic->name,
                .partition = partition->partition_index,
                .offset = partition->committed_offset,
                .leader_epoch = partition->committed_leader_epoch,
                .metadata = partition->committed_metadata});
        struct groups_commit_item *item = &my->commit.items[my->commit.items_count - 1];
        if (item->error == GROUP_OK && request->producer_id < 0)
            item->error = GROUP_E_UNKNOWN_PRODUCER;
    }
}

enum handle_result txn_offset_commit_handle(struct request *req,
    const struct txn_offset_commit_request *request, struct txn_offset_commit_response *response)
{
    struct group_commit *my = arena_new(&req->arena, struct group_commit);
    int32_t count = 0;
    (void)response;
    for (int32_t t = 0; t < request->topics_count; t++)
        count += request->topics[t].partitions_count;
    group_commit_init(my, req, request->group_id, count, txn_offset_commit_answer);
    my->commit.member_id = request->member_id;
    my->commit.instance_id = request->group_instance_id;
    my->commit.generation = request->generation_id;
    my->commit.retention_ms = -1;
    my->commit.transactional_id = slice_or_empty(request->transactional_id);
    my->commit.producer_id = request->producer_id;
    my->commit.producer_epoch = request->producer_epoch;
    my->commit.txn_add = req->version >= TXN_COMMIT_ADDS_SINCE;
    for (int32_t t = 0; t < request->topics_count; t++)
        txn_offset_commit_fill(my, request, &request->topics[t]);
    return group_commit_start(my);
}
