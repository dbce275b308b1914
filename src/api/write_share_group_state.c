// SPDX-License-Identifier: BSD-2-Clause
/* WriteShareGroupState: what changed in share partitions. */
#include "wire/write_share_group_state.gen.h"

#include "api/lookup.h"
#include "api/share_states.h"

static struct share_state_batch *write_share_group_state_batches(
    struct arena *arena, const struct write_share_group_state_request_partition *asked)
{
    size_t count = (size_t)asked->state_batches_count;
    struct share_state_batch *batches = arena_new_n(arena, struct share_state_batch, count);
    for (size_t i = 0; i < count; i++) {
        const struct write_share_group_state_request_state_batch *batch = &asked->state_batches[i];
        batches[i] = (struct share_state_batch){
            batch->first_offset, batch->last_offset, batch->delivery_state, batch->delivery_count};
    }
    return batches;
}

static void write_share_group_state_answer(struct request *req, const struct share_state_op *op,
    int16_t error_code, struct slice error_message, void *response)
{
    struct write_share_group_state_response_partition *partition = response;
    (void)req, (void)op;
    partition->error_code = error_code;
    partition->error_message = error_message;
}

enum handle_result write_share_group_state_handle(struct request *req,
    const struct write_share_group_state_request *request,
    struct write_share_group_state_response *response)
{
    size_t count = 0;
    for (int32_t t = 0; t < request->topics_count; t++)
        count += (size_t)request->topics[t].partitions_count;
    if (lookup_too_many(req, count))
        return HANDLE_CLOSE;
    struct share_states *states = share_states_new(req, request->group_id, count);
    response->results = arena_new_n(
        &req->arena, struct write_share_group_state_response_topic, (size_t)request->topics_count);
    response->results_count = request->topics_count;
    for (int32_t t = 0; t < request->topics_count; t++) {
        const struct write_share_group_state_request_topic *asked = &request->topics[t];
        struct write_share_group_state_response_topic *topic = &response->results[t];
        write_share_group_state_response_topic_init(topic);
        topic->topic_id = asked->topic_id;
        topic->partitions = arena_new_n(&req->arena,
            struct write_share_group_state_response_partition, (size_t)asked->partitions_count);
        topic->partitions_count = asked->partitions_count;
        for (int32_t p = 0; p < asked->partitions_count; p++) {
            write_share_group_state_response_partition_init(&topic->partitions[p]);
            topic->partitions[p].partition = asked->partitions[p].partition;
            struct share_state_op *op = share_states_add(states, SHARE_STATE_WRITE, asked->topic_id,
                asked->partitions[p].partition, write_share_group_state_answer,
                &topic->partitions[p]);
            op->state_epoch = asked->partitions[p].state_epoch;
            op->leader_epoch = asked->partitions[p].leader_epoch;
            op->start_offset = asked->partitions[p].start_offset;
            op->complete_count = asked->partitions[p].delivery_complete_count;
            op->batches = write_share_group_state_batches(&req->arena, &asked->partitions[p]);
            op->batches_count = (size_t)asked->partitions[p].state_batches_count;
        }
    }
    return share_states_start(states);
}
