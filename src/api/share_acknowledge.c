// SPDX-License-Identifier: BSD-2-Clause
/*
 * ShareAcknowledge: what became of records that a member of a share group had acquired. Each
 * partition's home is told; the answer waits until all of it is written. Epoch -1 ends the session,
 * and what the member still has is released.
 */
#include "wire/share_acknowledge.gen.h"

#include "api/lookup.h"
#include "api/nodes.h"
#include "api/share_common.h"
#include "broker/share/share_sessions.h"
#include "wire/errors.gen.h"

struct share_acknowledge_one {
    struct share_ack_item ack;
    struct share_acknowledge_response_partition *response;
};

struct share_acknowledge_all {
    struct request *req;
    const struct share_acknowledge_request *request;
    struct share_acknowledge_response *response;
    struct fanout *fanout;
    struct share_acknowledge_one *items;
    size_t items_count;
    bool endpoint_told;
};

static const struct share_ack *share_acknowledge_acks(
    struct arena *arena, const struct share_acknowledge_request_partition *asked)
{
    size_t count = (size_t)asked->acknowledgement_batches_count;
    struct share_ack *acks = arena_new_n(arena, struct share_ack, count);
    for (size_t i = 0; i < count; i++) {
        const struct share_acknowledge_request_acknowledgement_batch *batch =
            &asked->acknowledgement_batches[i];
        acks[i] = (struct share_ack){batch->first_offset, batch->last_offset,
            batch->acknowledge_types, (size_t)batch->acknowledge_types_count};
    }
    return acks;
}

static void share_acknowledge_tell_leader(struct share_acknowledge_all *my, struct uuid topic_id,
    struct share_acknowledge_response_partition *response)
{
    struct broker *broker = my->req->conn->context;
    const struct topic *topic = image_topic_by_id(broker_image(broker), topic_id);
    if (response->error_code != KAFKA_ERROR_NOT_LEADER_OR_FOLLOWER || topic == NULL)
        return;
    response->current_leader.leader_id = broker_leader(broker, topic, response->partition_index);
    response->current_leader.leader_epoch = topic_leader_epoch(topic, response->partition_index);
    if (my->endpoint_told)
        return;
    my->endpoint_told = true;
    int32_t count = broker_nodes_count(broker);
    my->response->node_endpoints = arena_new_n(
        &my->req->arena, struct share_acknowledge_response_node_endpoint, (size_t)count);
    my->response->node_endpoints_count = count;
    for (int32_t i = 0; i < count; i++) {
        struct node_endpoint at = node_endpoint(my->req, broker_node_id(broker, i));
        my->response->node_endpoints[i] = (struct share_acknowledge_response_node_endpoint){
            .node_id = at.node, .host = at.host, .port = at.port, .rack = at.rack};
    }
}

static void share_acknowledge_prepare(struct share_acknowledge_all *my, struct uuid topic_id,
    const struct share_acknowledge_request_partition *asked,
    struct share_acknowledge_response_partition *response)
{
    struct broker *broker = my->req->conn->context;
    const struct topic *topic = image_topic_by_id(broker_image(broker), topic_id);
    struct part_id id;
    share_acknowledge_response_partition_init(response);
    response->partition_index = asked->partition_index;
    const struct share_ack *acks = share_acknowledge_acks(&my->req->arena, asked);
    size_t count = (size_t)asked->acknowledgement_batches_count;
    response->error_code = topic == NULL
                               ? KAFKA_ERROR_UNKNOWN_TOPIC_ID
                               : share_acks_check(acks, count, my->req->version >= 2 ? 4 : 3,
                                     my->request->is_renew_ack);
    if (response->error_code == KAFKA_ERROR_NONE)
        response->error_code =
            lookup_partition(my->req, topic, topic_id, asked->partition_index, &id);
    if (response->error_code != KAFKA_ERROR_NONE || count == 0)
        return;
    struct share_acknowledge_one *item = &my->items[my->items_count++];
    *item = (struct share_acknowledge_one){
        .ack = {.home = broker_topic_home(broker, topic, asked->partition_index),
            .broker = broker,
            .id = id,
            .group = my->request->group_id,
            .op = {.member = my->request->member_id, .acks = acks, .acks_count = count}},
        .response = response};
}

static void share_acknowledge_on_joined(struct fanout *fanout)
{
    struct share_acknowledge_all *my = fanout_context(fanout);
    const struct share_acknowledge_request *request = my->request;
    for (size_t i = 0; i < my->items_count; i++)
        my->items[i].response->error_code = my->items[i].ack.error_code;
    for (int32_t t = 0; t < my->response->responses_count; t++) {
        struct share_acknowledge_response_topic *topic = &my->response->responses[t];
        for (int32_t p = 0; p < topic->partitions_count; p++)
            share_acknowledge_tell_leader(my, topic->topic_id, &topic->partitions[p]);
    }
    struct share_session *session;
    if (request->share_session_epoch == SHARE_SESSION_EPOCH_FINAL &&
        share_session_enter(my->req, request->group_id, request->member_id,
            SHARE_SESSION_EPOCH_FINAL, &session) == KAFKA_ERROR_NONE)
        share_session_close(session);
    request_complete(my->req);
}

static size_t share_acknowledge_count(const struct share_acknowledge_request *request)
{
    size_t count = 0;
    for (int32_t t = 0; t < request->topics_count; t++)
        count += (size_t)request->topics[t].partitions_count;
    return count;
}

static int16_t share_acknowledge_enter(
    struct request *req, const struct share_acknowledge_request *request, struct slice *ret_message)
{
    struct share_session *session;
    int16_t error = share_request_check(req, request->group_id, request->member_id, ret_message);
    if (error == KAFKA_ERROR_NONE && request->share_session_epoch == SHARE_SESSION_EPOCH_INITIAL)
        error = KAFKA_ERROR_INVALID_SHARE_SESSION_EPOCH;
    if (error == KAFKA_ERROR_NONE)
        error = share_session_enter(
            req, request->group_id, request->member_id, request->share_session_epoch, &session);
    return error;
}

enum handle_result share_acknowledge_handle(struct request *req,
    const struct share_acknowledge_request *request, struct share_acknowledge_response *response)
{
    size_t count = share_acknowledge_count(request);
    if (lookup_too_many(req, count))
        return HANDLE_CLOSE;
    response->error_code = share_acknowledge_enter(req, request, &response->error_message);
    if (response->error_code != KAFKA_ERROR_NONE)
        return HANDLE_DONE;
    struct share_acknowledge_all *my = arena_new(&req->arena, struct share_acknowledge_all);
    my->req = req;
    my->request = request;
    my->response = response;
    my->items = arena_new_n(&req->arena, struct share_acknowledge_one, count);
    response->acquisition_lock_timeout_ms = share_lock_ms(req, request->group_id);
    response->responses = arena_new_n(
        &req->arena, struct share_acknowledge_response_topic, (size_t)request->topics_count);
    response->responses_count = request->topics_count;
    for (int32_t t = 0; t < request->topics_count; t++) {
        const struct share_acknowledge_request_topic *asked = &request->topics[t];
        struct share_acknowledge_response_topic *topic = &response->responses[t];
        share_acknowledge_response_topic_init(topic);
        topic->topic_id = asked->topic_id;
        topic->partitions = arena_new_n(&req->arena, struct share_acknowledge_response_partition,
            (size_t)asked->partitions_count);
        topic->partitions_count = asked->partitions_count;
        for (int32_t p = 0; p < asked->partitions_count; p++)
            share_acknowledge_prepare(
                my, asked->topic_id, &asked->partitions[p], &topic->partitions[p]);
    }
    my->fanout = fanout_new(
        &req->arena, req->conn->context, share_ack_item_run, share_acknowledge_on_joined, my);
    for (size_t i = 0; i < my->items_count; i++)
        fanout_add(my->fanout, &my->items[i].ack.item, my->items[i].ack.home);
    fanout_start(my->fanout);
    return HANDLE_PARKED;
}
