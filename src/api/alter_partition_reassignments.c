// SPDX-License-Identifier: BSD-2-Clause
/*
 * AlterPartitionReassignments: other replicas for a partition. There is one copy of the data, so a
 * reassignment is complete when it is answered, and there is never one to cancel.
 */
#include "api/lookup.h"
#include "api/topics_join.h"
#include "broker/topics/replicas.h"
#include "wire/alter_partition_reassignments.gen.h"
#include "wire/errors.gen.h"

static void reassign_finish(struct topics_join *join)
{
    struct alter_partition_reassignments_response *response = join->req->response;
    const struct topics_op *op = join->ops;
    for (int32_t t = 0; t < response->responses_count; t++) {
        struct alter_partition_reassignments_response_topic *topic = &response->responses[t];
        for (int32_t p = 0; p < topic->partitions_count; p++, op++) {
            struct alter_partition_reassignments_response_partition *partition =
                &topic->partitions[p];
            partition->error_message = op->message;
            partition->error_code = op->error == TOPICS_MOVE_NEEDLESS
                                        ? KAFKA_ERROR_NO_REASSIGNMENT_IN_PROGRESS
                                        : topics_error_code(op);
        }
    }
}

/* The request may insist on the number of replicas that there is. */
static bool reassign_keeps_factor(
    struct request *req, struct slice topic_name, int32_t partition, int32_t replicas_count)
{
    struct broker *broker = request_broker(req);
    const struct topic *topic = image_topic(broker_image(broker), topic_name);
    if (topic == NULL || partition < 0 || partition >= topic->partitions_count)
        return true; /* the operation itself says what is wrong */
    return topic_replicas(broker_settings(broker), topic, partition).count == replicas_count;
}

static void reassign_prepare(struct request *req,
    const struct alter_partition_reassignments_request *request,
    const struct alter_partition_reassignments_request_topic *topic,
    const struct alter_partition_reassignments_request_partition *asked, struct topics_op *op)
{
    op->name = topic->name;
    op->partition = asked->partition_index;
    op->nodes = (struct topics_nodes){asked->replicas, asked->replicas_count};
    if (asked->replicas_count < 0)
        topics_op_refuse(op, TOPICS_MOVE_NEEDLESS, SLICE_LIT("No partition reassignment found."));
    else if (asked->replicas_count == 0)
        topics_op_refuse(op, TOPICS_ASSIGNMENT_INVALID,
            SLICE_LIT("The replica list of a partition may not be empty."));
    else if (!request->allow_replication_factor_change &&
             !reassign_keeps_factor(
                 req, topic->name, asked->partition_index, asked->replicas_count))
        topics_op_refuse(op, TOPICS_REPLICATION_INVALID,
            SLICE_LIT("The replication factor is changed but this was not allowed."));
}

enum handle_result alter_partition_reassignments_handle(struct request *req,
    const struct alter_partition_reassignments_request *request,
    struct alter_partition_reassignments_response *response)
{
    size_t count = 0, at = 0;
    for (int32_t t = 0; t < request->topics_count; t++)
        count += (size_t)request->topics[t].partitions_count;
    if (lookup_too_many(req, count))
        return HANDLE_CLOSE;
    response->allow_replication_factor_change = request->allow_replication_factor_change;
    struct topics_join *join = topics_join_new(req, TOPICS_MOVE, count, reassign_finish);
    response->responses = arena_new_n(&req->arena,
        struct alter_partition_reassignments_response_topic, (size_t)request->topics_count + 1);
    response->responses_count = request->topics_count;
    for (int32_t t = 0; t < request->topics_count; t++) {
        const struct alter_partition_reassignments_request_topic *asked = &request->topics[t];
        struct alter_partition_reassignments_response_topic *answer = &response->responses[t];
        alter_partition_reassignments_response_topic_init(answer);
        answer->name = asked->name;
        answer->partitions =
            arena_new_n(&req->arena, struct alter_partition_reassignments_response_partition,
                (size_t)asked->partitions_count + 1);
        answer->partitions_count = asked->partitions_count;
        for (int32_t p = 0; p < asked->partitions_count; p++) {
            alter_partition_reassignments_response_partition_init(&answer->partitions[p]);
            answer->partitions[p].partition_index = asked->partitions[p].partition_index;
            reassign_prepare(req, request, asked, &asked->partitions[p], &join->ops[at++]);
        }
    }
    return topics_join_start(join);
}
