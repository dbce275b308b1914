// SPDX-License-Identifier: BSD-2-Clause
/* InitializeShareGroupState: a share group comes to a partition, or is set to another place in it.
 */
#include "wire/initialize_share_group_state.gen.h"

#include "api/lookup.h"
#include "api/share_states.h"

static void initialize_share_group_state_answer(struct request *req,
    const struct share_state_op *op, int16_t error_code, struct slice error_message, void *response)
{
    struct initialize_share_group_state_response_partition *partition = response;
    (void)req, (void)op;
    partition->error_code = error_code;
    partition->error_message = error_message;
}

enum handle_result initialize_share_group_state_handle(struct request *req,
    const struct initialize_share_group_state_request *request,
    struct initialize_share_group_state_response *response)
{
    size_t count = 0;
    for (int32_t t = 0; t < request->topics_count; t++)
        count += (size_t)request->topics[t].partitions_count;
    if (lookup_too_many(req, count))
        return HANDLE_CLOSE;
    struct share_states *states = share_states_new(req, request->group_id, count);
    response->results = arena_new_n(&req->arena, struct initialize_share_group_state_response_topic,
        (size_t)request->topics_count);
    response->results_count = request->topics_count;
    for (int32_t t = 0; t < request->topics_count; t++) {
        const struct initialize_share_group_state_request_topic *asked = &request->topics[t];
        struct initialize_share_group_state_response_topic *topic = &response->results[t];
        initialize_share_group_state_response_topic_init(topic);
        topic->topic_id = asked->topic_id;
        topic->partitions =
            arena_new_n(&req->arena, struct initialize_share_group_state_response_partition,
                (size_t)asked->partitions_count);
        topic->partitions_count = asked->partitions_count;
        for (int32_t p = 0; p < asked->partitions_count; p++) {
            initialize_share_group_state_response_partition_init(&topic->partitions[p]);
            topic->partitions[p].partition = asked->partitions[p].partition;
            struct share_state_op *op = share_states_add(states, SHARE_STATE_INITIALIZE,
                asked->topic_id, asked->partitions[p].partition,
                initialize_share_group_state_answer, &topic->partitions[p]);
            op->state_epoch = asked->partitions[p].state_epoch;
            op->start_offset = asked->partitions[p].start_offset;
        }
    }
    return share_states_start(states);
}
