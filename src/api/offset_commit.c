// SPDX-License-Identifier: BSD-2-Clause
/* OffsetCommit: answered when the offsets are committed in __consumer_offsets. Offsets and metadata
 * are kept as they come, negative ones too. */
#include "api/group_commit.h"
#include "wire/offset_commit.gen.h"

static void offset_commit_answer(struct group_commit *my)
{
    const struct offset_commit_request *request = my->req->message;
    struct offset_commit_response *response = my->req->response;
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

static void offset_commit_fill(
    struct group_commit *my, const struct offset_commit_request_topic *topic)
{
    bool by_id = my->req->version >= 10;
    const struct topic *known = group_topic(my->op.broker, by_id, topic->name, topic->topic_id);
    struct slice name = topic->name;
    if (by_id && known != NULL)
        name = arena_copy_slice(&my->req->arena, slice_from_str(known->name));
    for (int32_t p = 0; p < topic->partitions_count; p++) {
        const struct offset_commit_request_partition *partition = &topic->partitions[p];
        group_commit_add(my, known, by_id ? GROUP_E_UNKNOWN_TOPIC_ID : GROUP_E_UNKNOWN_PARTITION,
            &(struct group_offset){.topic = name,
                .partition = partition->partition_index,
                .offset = partition->committed_offset,
                .leader_epoch = partition->committed_leader_epoch,
                .metadata = partition->committed_metadata});
    }
}

enum handle_result offset_commit_handle(struct request *req,
    const struct offset_commit_request *request, struct offset_commit_response *response)
{
    struct group_commit *my = arena_new(&req->arena, struct group_commit);
    int32_t count = 0;
    (void)response;
    for (int32_t t = 0; t < request->topics_count; t++)
        count += request->topics[t].partitions_count;
    group_commit_init(my, req, request->group_id, count, offset_commit_answer);
    my->commit.member_id = request->member_id;
    my->commit.instance_id = request->group_instance_id;
    my->commit.generation = request->generation_id_or_member_epoch;
    my->commit.no_epochs = req->version < 9;
    my->commit.retention_ms = request->retention_time_ms;
    for (int32_t t = 0; t < request->topics_count; t++)
        offset_commit_fill(my, &request->topics[t]);
    return group_commit_start(my);
}
