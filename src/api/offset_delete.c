// SPDX-License-Identifier: BSD-2-Clause
/* OffsetDelete: forgets committed offsets, except of topics that the group's members read. */
#include "wire/offset_delete.gen.h"

#include "api/group_common.h"

struct offset_delete {
    struct groups_op op;
    struct groups_deletion deletion;
    struct request *req;
    const struct offset_delete_request *request;
    struct offset_delete_response *response;
};

/* An error of the whole group leaves the list empty, as Kafka does. */
static void offset_delete_answer(struct offset_delete *my, enum group_error error)
{
    const struct offset_delete_request *request = my->request;
    struct offset_delete_response *response = my->response;
    struct arena *arena = &my->req->arena;
    const struct groups_commit_item *item = my->deletion.items;
    response->error_code = group_error_code(error);
    response->topics =
        arena_new_n(arena, struct offset_delete_response_topic, (size_t)request->topics_count);
    for (int32_t t = 0; t < request->topics_count && error == GROUP_OK; t++) {
        const struct offset_delete_request_topic *topic = &request->topics[t];
        struct offset_delete_response_topic *out = &response->topics[response->topics_count++];
        offset_delete_response_topic_init(out);
        out->name = topic->name;
        out->partitions = arena_new_n(
            arena, struct offset_delete_response_partition, (size_t)topic->partitions_count);
        for (int32_t p = 0; p < topic->partitions_count; p++, item++) {
            struct offset_delete_response_partition *partition =
                &out->partitions[out->partitions_count++];
            offset_delete_response_partition_init(partition);
            partition->partition_index = topic->partitions[p].partition_index;
            partition->error_code = group_error_code(item->error);
        }
    }
    request_complete(my->req);
}

static void offset_delete_on_done(struct groups_deletion *deletion, enum group_error error)
{
    offset_delete_answer(container_of(deletion, struct offset_delete, deletion), error);
}

static void offset_delete_on_entered(struct groups_op *op)
{
    struct offset_delete *my = container_of(op, struct offset_delete, op);
    if (op->shard == NULL)
        offset_delete_answer(my, op->error);
    else
        groups_delete_offsets(op->shard, op->group, &my->deletion);
}

static void offset_delete_fill(struct offset_delete *my,
    const struct offset_delete_request_topic *topic, struct groups_commit_item *items)
{
    const struct topic *known = group_topic(my->op.broker, false, topic->name, UUID_ZERO);
    for (int32_t p = 0; p < topic->partitions_count; p++) {
        int32_t index = topic->partitions[p].partition_index;
        items[p].offset = (struct group_offset){.topic = topic->name, .partition = index};
        if (known == NULL || index < 0 || index >= known->partitions_count)
            items[p].error = GROUP_E_UNKNOWN_PARTITION;
    }
}

enum handle_result offset_delete_handle(struct request *req,
    const struct offset_delete_request *request, struct offset_delete_response *response)
{
    if (request->group_id.size == 0) {
        response->error_code = KAFKA_ERROR_INVALID_GROUP_ID;
        return HANDLE_DONE;
    }
    struct offset_delete *my = arena_new(&req->arena, struct offset_delete);
    my->req = req;
    my->request = request;
    my->response = response;
    group_op_init(&my->op, req, request->group_id, false, offset_delete_on_entered);
    int32_t count = 0;
    for (int32_t t = 0; t < request->topics_count; t++)
        count += request->topics[t].partitions_count;
    struct groups_commit_item *items =
        arena_new_n(&req->arena, struct groups_commit_item, (size_t)count);
    my->deletion = (struct groups_deletion){
        .done = offset_delete_on_done, .items = items, .items_count = count};
    for (int32_t t = 0; t < request->topics_count; t++) {
        offset_delete_fill(my, &request->topics[t], items);
        items += request->topics[t].partitions_count;
    }
    return group_op_start(&my->op);
}
