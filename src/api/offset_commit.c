// SPDX-License-Identifier: BSD-2-Clause
/* OffsetCommit: answered when the offsets are committed in __consumer_offsets. Offsets and metadata
 * are kept as they come, negative ones too. */
#include "wire/offset_commit.gen.h"

#include "api/group_common.h"

struct offset_commit {
    struct groups_op op;
    struct groups_commit commit;
    struct request *req;
    const struct offset_commit_request *request;
    struct offset_commit_response *response;
};

/* Items lie in request order, so the answer is the request with codes. */
static void offset_commit_answer(struct offset_commit *my)
{
    const struct offset_commit_request *request = my->request;
    struct offset_commit_response *response = my->response;
    struct arena *arena = &my->req->arena;
    const struct groups_commit_item *item = my->commit.items;
    response->topics =
        arena_new_n(arena, struct offset_commit_response_topic, (size_t)request->topics_count);
    for (int32_t t = 0; t < request->topics_count; t++) {
        const struct offset_commit_request_topic *topic = &request->topics[t];
        struct offset_commit_response_topic *out = &response->topics[response->topics_count++];
        offset_commit_response_topic_init(out);
        out->name = topic->name;
        out->topic_id = topic->topic_id;
        out->partitions = arena_new_n(
            arena, struct offset_commit_response_partition, (size_t)topic->partitions_count);
        for (int32_t p = 0; p < topic->partitions_count; p++, item++) {
            struct offset_commit_response_partition *partition =
                &out->partitions[out->partitions_count++];
            offset_commit_response_partition_init(partition);
            partition->partition_index = topic->partitions[p].partition_index;
            enum group_error error = item->error;
            if (my->commit.absent && error == GROUP_E_ILLEGAL_GENERATION && my->req->version >= 9)
                error = GROUP_E_NOT_FOUND;
            partition->error_code = group_error_code(error);
        }
    }
    request_complete(my->req);
}

static void offset_commit_on_done(struct groups_commit *commit)
{
    offset_commit_answer(container_of(commit, struct offset_commit, commit));
}

static void offset_commit_on_entered(struct groups_op *op)
{
    struct offset_commit *my = container_of(op, struct offset_commit, op);
    if (op->shard != NULL) {
        groups_commit(op->shard, op->group, &my->commit);
        return;
    }
    for (int32_t i = 0; i < my->commit.items_count; i++) {
        if (my->commit.items[i].error == GROUP_OK)
            my->commit.items[i].error = op->error;
    }
    offset_commit_answer(my);
}

static void offset_commit_fill(struct offset_commit *my,
    const struct offset_commit_request_topic *topic, struct groups_commit_item *items)
{
    bool by_id = my->req->version >= 10;
    const struct topic *known = group_topic(my->op.broker, by_id, topic->name, topic->topic_id);
    struct slice name = topic->name;
    if (by_id && known != NULL)
        name = arena_copy_slice(&my->req->arena, slice_from_str(known->name));
    for (int32_t p = 0; p < topic->partitions_count; p++) {
        const struct offset_commit_request_partition *partition = &topic->partitions[p];
        items[p].offset = (struct group_offset){.topic = name,
            .partition = partition->partition_index,
            .offset = partition->committed_offset,
            .leader_epoch = partition->committed_leader_epoch,
            .metadata = partition->committed_metadata};
        if (known == NULL)
            items[p].error = by_id ? GROUP_E_UNKNOWN_TOPIC_ID : GROUP_E_UNKNOWN_PARTITION;
        else if (partition->partition_index < 0 ||
                 partition->partition_index >= known->partitions_count)
            items[p].error = GROUP_E_UNKNOWN_PARTITION;
    }
}

enum handle_result offset_commit_handle(struct request *req,
    const struct offset_commit_request *request, struct offset_commit_response *response)
{
    struct offset_commit *my = arena_new(&req->arena, struct offset_commit);
    my->req = req;
    my->request = request;
    my->response = response;
    group_op_init(&my->op, req, request->group_id, true, offset_commit_on_entered);
    int32_t count = 0, refused = 0;
    for (int32_t t = 0; t < request->topics_count; t++)
        count += request->topics[t].partitions_count;
    struct groups_commit_item *items =
        arena_new_n(&req->arena, struct groups_commit_item, (size_t)count);
    my->commit = (struct groups_commit){.member_id = request->member_id,
        .instance_id = request->group_instance_id,
        .generation = request->generation_id_or_member_epoch,
        .retention_ms = request->retention_time_ms,
        .items = items,
        .items_count = count,
        .done = offset_commit_on_done};
    for (int32_t t = 0; t < request->topics_count; t++) {
        offset_commit_fill(my, &request->topics[t], items);
        items += request->topics[t].partitions_count;
    }
    for (int32_t i = 0; i < count; i++)
        refused += my->commit.items[i].error != GROUP_OK;
    if (refused == count) { /* nothing to commit: the group is not asked */
        offset_commit_answer(my);
        return HANDLE_PARKED;
    }
    return group_op_start(&my->op);
}
