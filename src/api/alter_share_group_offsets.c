// SPDX-License-Identifier: BSD-2-Clause
/* AlterShareGroupOffsets: a share group that nobody is in starts elsewhere in some partitions. */
#include "wire/alter_share_group_offsets.gen.h"

#include "api/share_groups.h"
#include "broker/topics/image.h"

struct alter_share_group_offsets {
    struct groups_op op;
    struct groups_share_change change;
    struct request *req;
    struct alter_share_group_offsets_response *response;
    struct alter_share_group_offsets_response_partition **outs; /* of the change's items */
};

static void alter_share_on_done(struct groups_share_change *change, enum group_error error)
{
    struct alter_share_group_offsets *my =
        container_of(change, struct alter_share_group_offsets, change);
    if (error != GROUP_OK) {
        alter_share_group_offsets_response_init(my->response);
        my->response->error_code = group_error_code(error);
        my->response->error_message = share_error_text(&my->req->arena, my->op.group, error);
    }
    for (int32_t i = 0; i < change->items_count && error == GROUP_OK; i++) {
        my->outs[i]->error_code = group_error_code(change->items[i].error);
        if (change->items[i].error != GROUP_OK)
            my->outs[i]->error_message = SLICE_LIT("The state could not be written.");
    }
    request_complete(my->req);
}

static void alter_share_on_entered(struct groups_op *op)
{
    struct alter_share_group_offsets *my = container_of(op, struct alter_share_group_offsets, op);
    if (op->shard == NULL)
        alter_share_on_done(&my->change, op->error);
    else
        groups_share_alter(op->shard, op->group, &my->change);
}

static void alter_share_topic(struct alter_share_group_offsets *my,
    const struct alter_share_group_offsets_request_topic *asked,
    struct alter_share_group_offsets_response_topic *out)
{
    const struct topic *topic = group_topic(my->op.broker, false, asked->topic_name, UUID_ZERO);
    alter_share_group_offsets_response_topic_init(out);
    out->topic_name = asked->topic_name;
    out->topic_id = topic == NULL ? UUID_ZERO : topic->id;
    out->partitions = arena_new_n(&my->req->arena,
        struct alter_share_group_offsets_response_partition, (size_t)asked->partitions_count);
    for (int32_t p = 0; p < asked->partitions_count; p++) {
        struct alter_share_group_offsets_response_partition *answer =
            &out->partitions[out->partitions_count++];
        int32_t index = asked->partitions[p].partition_index;
        alter_share_group_offsets_response_partition_init(answer);
        answer->partition_index = index;
        if (topic == NULL || index < 0 || index >= topic->partitions_count) {
            answer->error_code = KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION;
            answer->error_message = SLICE_LIT("This server does not host this topic-partition.");
            continue;
        }
        int32_t at = my->change.items_count++;
        my->outs[at] = answer;
        my->change.items[at] = (struct groups_share_item){.topic = topic->id,
            .name = asked->topic_name,
            .partition = index,
            .start_offset = asked->partitions[p].start_offset};
    }
}

enum handle_result alter_share_group_offsets_handle(struct request *req,
    const struct alter_share_group_offsets_request *request,
    struct alter_share_group_offsets_response *response)
{
    if (!share_is_enabled(req) || request->group_id.size == 0) {
        response->error_code =
            share_is_enabled(req) ? KAFKA_ERROR_INVALID_GROUP_ID : KAFKA_ERROR_UNSUPPORTED_VERSION;
        return HANDLE_DONE;
    }
    struct alter_share_group_offsets *my = arena_new(&req->arena, struct alter_share_group_offsets);
    my->req = req;
    my->response = response;
    my->change.done = alter_share_on_done;
    group_op_init(&my->op, req, request->group_id, true, alter_share_on_entered);
    size_t count = 0;
    for (int32_t t = 0; t < request->topics_count; t++)
        count += (size_t)request->topics[t].partitions_count;
    my->change.items = arena_new_n(&req->arena, struct groups_share_item, count);
    my->outs =
        arena_new_n(&req->arena, struct alter_share_group_offsets_response_partition *, count);
    response->responses = arena_new_n(&req->arena, struct alter_share_group_offsets_response_topic,
        (size_t)request->topics_count);
    for (int32_t t = 0; t < request->topics_count; t++)
        alter_share_topic(
            my, &request->topics[t], &response->responses[response->responses_count++]);
    return group_op_start(&my->op);
}
