// SPDX-License-Identifier: BSD-2-Clause
/* create_partitions: the count asked for is the new total. */
#include "api/topics_join.h"
#include "broker/topics/image.h"
#include "wire/create_partitions.gen.h"
#include "wire/errors.gen.h"

/* One replica list per new partition. */
static void op_assign(
    struct request *req, struct topics_op *op, const struct create_partitions_request_topic *asked)
{
    struct topic *topic = image_topic(broker_image(request_broker(req)), asked->name);
    size_t count = (size_t)asked->assignments_count;
    if (topic == NULL || asked->count <= topic->partitions_count)
        return; /* the operation itself says what is wrong */
    if (asked->assignments_count != asked->count - topic->partitions_count) {
        topics_op_refuse(op, TOPICS_ASSIGNMENT_INVALID,
            arena_printf(&req->arena,
                "Increasing the number of partitions by %d but %d assignments provided.",
                (int)(asked->count - topic->partitions_count), (int)asked->assignments_count));
        return;
    }
    struct topics_nodes *nodes = arena_new_n(&req->arena, struct topics_nodes, count);
    for (size_t i = 0; i < count; i++)
        nodes[i] = (struct topics_nodes){
            asked->assignments[i].broker_ids, asked->assignments[i].broker_ids_count};
    op->assignments = nodes;
    op->assignments_count = asked->assignments_count;
}

static void create_partitions_finish(struct topics_join *join)
{
    struct create_partitions_response *response = join->req->response;
    response->results =
        arena_new_n(&join->req->arena, struct create_partitions_response_topic, join->count + 1);
    response->results_count = (int32_t)join->count;
    for (size_t i = 0; i < join->count; i++) {
        struct create_partitions_response_topic *answer = &response->results[i];
        create_partitions_response_topic_init(answer);
        answer->name = join->ops[i].name;
        answer->error_code = topics_error_code(&join->ops[i]);
        answer->error_message = join->ops[i].message;
    }
}

enum handle_result create_partitions_handle(struct request *req,
    const struct create_partitions_request *request, struct create_partitions_response *response)
{
    struct topics_join *join =
        topics_join_new(req, TOPICS_GROW, (size_t)request->topics_count, create_partitions_finish);
    (void)response;
    for (int32_t i = 0; i < request->topics_count; i++) {
        const struct create_partitions_request_topic *asked = &request->topics[i];
        struct topics_op *op = &join->ops[i];
        op->name = asked->name;
        op->partitions = asked->count;
        op->validate_only = request->validate_only;
        if (asked->assignments_count >= 0)
            op_assign(req, op, asked);
    }
    topics_join_unite_duplicates(join);
    return topics_join_start(join);
}
