// SPDX-License-Identifier: BSD-2-Clause
/* ReadShareGroupStateSummary: where share groups stand in partitions. */
#include "wire/read_share_group_state_summary.gen.h"

#include "api/lookup.h"
#include "api/share_states.h"
#include "wire/errors.gen.h"

static void read_share_group_state_summary_answer(struct request *req,
    const struct share_state_op *op, int16_t error_code, struct slice error_message, void *response)
{
    struct read_share_group_state_summary_response_partition *partition = response;
    (void)req, (void)op;
    partition->error_code = error_code;
    partition->error_message = error_message;
    if (error_code != KAFKA_ERROR_NONE)
        return;
    partition->state_epoch = op->state_epoch;
    partition->leader_epoch = op->leader_epoch;
    partition->start_offset = op->start_offset;
    partition->delivery_complete_count = op->complete_count;
}

enum handle_result read_share_group_state_summary_handle(struct request *req,
    const struct read_share_group_state_summary_request *request,
    struct read_share_group_state_summary_response *response)
{
    size_t count = 0;
    for (int32_t t = 0; t < request->topics_count; t++)
        count += (size_t)request->topics[t].partitions_count;
    if (lookup_too_many(req, count))
        return HANDLE_CLOSE;
    struct share_states *states = share_states_new(req, request->group_id, count);
    response->results = arena_new_n(&req->arena,
        struct read_share_group_state_summary_response_topic, (size_t)request->topics_count);
    response->results_count = request->topics_count;
    for (int32_t t = 0; t < request->topics_count; t++) {
        const struct read_share_group_state_summary_request_topic *asked = &request->topics[t];
        struct read_share_group_state_summary_response_topic *topic = &response->results[t];
        read_share_group_state_summary_response_topic_init(topic);
        topic->topic_id = asked->topic_id;
        topic->partitions =
            arena_new_n(&req->arena, struct read_share_group_state_summary_response_partition,
                (size_t)asked->partitions_count);
        topic->partitions_count = asked->partitions_count;
        for (int32_t p = 0; p < asked->partitions_count; p++) {
            read_share_group_state_summary_response_partition_init(&topic->partitions[p]);
            topic->partitions[p].partition = asked->partitions[p].partition;
            struct share_state_op *op = share_states_add(states, SHARE_STATE_SUMMARY,
                asked->topic_id, asked->partitions[p].partition,
                read_share_group_state_summary_answer, &topic->partitions[p]);
            op->leader_epoch = asked->partitions[p].leader_epoch;
        }
    }
    return share_states_start(states);
}
