// SPDX-License-Identifier: BSD-2-Clause
/* ConsumerGroupHeartbeat: a member of the newer protocol joins, lives, gives back and gets
 * partitions, and leaves. Answered when what it changed is in the log. */
#include "wire/consumer_group_heartbeat.gen.h"

#include "api/group_common.h"
#include "broker/config/settings.h"

struct consumer_group_heartbeat {
    struct groups_op op;
    struct groups_consumer_call call;
    struct request *req;
    const struct consumer_group_heartbeat_request *request;
    struct consumer_group_heartbeat_response *response;
    struct consumer_parts owned;
};

/* --- the request --- */

/* What is wrong with it; NULL: nothing. */
static const char *heartbeat_fault(
    const struct consumer_group_heartbeat_request *request, int16_t version)
{
    if (request->group_id.size == 0)
        return "GroupId can't be empty.";
    if (!slice_is_null(request->instance_id) && request->instance_id.size == 0)
        return "InstanceId can't be empty.";
    if (!slice_is_null(request->rack_id) && request->rack_id.size == 0)
        return "RackId can't be empty.";
    if (request->member_id.size == 0 && (version >= 1 || request->member_epoch != 0))
        return "MemberId can't be empty.";
    if (request->member_epoch == CONSUMER_EPOCH_LEAVE_STATIC)
        return slice_is_null(request->instance_id) ? "InstanceId can't be null." : NULL;
    if (request->member_epoch < CONSUMER_EPOCH_LEAVE_STATIC)
        return "MemberEpoch is invalid.";
    if (request->member_epoch != CONSUMER_EPOCH_JOIN)
        return NULL;
    if (request->rebalance_timeout_ms == -1)
        return "RebalanceTimeoutMs must be provided in first request.";
    if (request->topic_partitions_count != 0)
        return "TopicPartitions must be empty when (re-)joining.";
    if (request->subscribed_topic_names_count <= 0 && request->subscribed_topic_regex.size == 0)
        return "Either SubscribedTopicNames or SubscribedTopicRegex must be non-empty when "
               "(re-)joining.";
    return NULL;
}

static struct slice heartbeat_member_id(struct request *req, struct broker *broker)
{
    uint8_t random[UUID_SIZE];
    struct env *env = broker_env(broker);
    env->ops->random(env, random, sizeof(random));
    struct uuid_text text = uuid_to_text(uuid_from_random(random));
    return arena_copy_slice(&req->arena, slice_from_str(text.str));
}

static void heartbeat_fill(struct consumer_group_heartbeat *my)
{
    const struct consumer_group_heartbeat_request *request = my->request;
    struct consumer_heartbeat *heartbeat = &my->call.heartbeat;
    *heartbeat = (struct consumer_heartbeat){.member_id = request->member_id,
        .instance_id = request->instance_id,
        .rack_id = request->rack_id,
        .client_id = slice_or_empty(my->req->client_id),
        .client_host = arena_printf(&my->req->arena, "/%s", my->req->conn->peer_host),
        .epoch = request->member_epoch,
        .rebalance_timeout_ms = request->rebalance_timeout_ms,
        .names = request->subscribed_topic_names,
        .names_count = request->subscribed_topic_names_count,
        .pattern = request->subscribed_topic_regex,
        .assignor = request->server_assignor};
    if (heartbeat->member_id.size == 0)
        heartbeat->member_id = heartbeat_member_id(my->req, my->op.broker);
    if (request->topic_partitions_count < 0)
        return;
    for (int32_t t = 0; t < request->topic_partitions_count; t++) {
        for (int32_t p = 0; p < request->topic_partitions[t].partitions_count; p++)
            consumer_parts_add(&my->owned, request->topic_partitions[t].topic_id,
                request->topic_partitions[t].partitions[p]);
    }
    consumer_parts_sort(&my->owned);
    heartbeat->owned = &my->owned;
}

/* --- the answer --- */

static void heartbeat_assign(
    struct consumer_group_heartbeat *my, const struct consumer_parts *parts)
{
    struct arena *arena = &my->req->arena;
    struct consumer_group_heartbeat_response_assignment *assignment =
        arena_new(arena, struct consumer_group_heartbeat_response_assignment);
    consumer_group_heartbeat_response_assignment_init(assignment);
    assignment->topic_partitions =
        arena_new_n(arena, struct consumer_group_heartbeat_response_topic_partitions, parts->count);
    for (size_t at = 0, end; at < parts->count; at = end) {
        for (end = at + 1;
             end < parts->count && uuid_equal(parts->items[end].topic, parts->items[at].topic);)
            end++;
        struct consumer_group_heartbeat_response_topic_partitions *out =
            &assignment->topic_partitions[assignment->topic_partitions_count++];
        out->topic_id = parts->items[at].topic;
        out->partitions = arena_new_n(arena, int32_t, end - at);
        for (size_t i = at; i < end; i++)
            out->partitions[out->partitions_count++] = parts->items[i].partition;
    }
    my->response->assignment = assignment;
}

static void heartbeat_on_answer(struct groups_consumer_call *call)
{
    struct consumer_group_heartbeat *my = container_of(call, struct consumer_group_heartbeat, call);
    const struct consumer_heartbeat *heartbeat = &call->heartbeat;
    struct consumer_group_heartbeat_response *response = my->response;
    response->member_id = arena_copy_slice(&my->req->arena, heartbeat->ret_member_id);
    response->member_epoch = heartbeat->ret_epoch;
    response->heartbeat_interval_ms = heartbeat->heartbeat_ms;
    if (heartbeat->assignment != NULL)
        heartbeat_assign(my, heartbeat->assignment);
}

static void heartbeat_on_done(struct groups_consumer_call *call, enum group_error error)
{
    struct consumer_group_heartbeat *my = container_of(call, struct consumer_group_heartbeat, call);
    if (error != GROUP_OK) {
        consumer_group_heartbeat_response_init(my->response);
        my->response->error_code = group_error_code(error);
        my->response->error_message = slice_from_str(call->heartbeat.message);
    }
    consumer_parts_free(&my->owned);
    request_complete(my->req);
}

static void heartbeat_on_entered(struct groups_op *op)
{
    struct consumer_group_heartbeat *my = container_of(op, struct consumer_group_heartbeat, op);
    my->call.heartbeat.conn_id = op->conn_id;
    if (op->shard == NULL)
        heartbeat_on_done(&my->call, op->error);
    else
        groups_consumer_heartbeat(op->shard, op->group, &my->call);
}

static enum handle_result heartbeat_refuse(
    struct consumer_group_heartbeat_response *response, int16_t code, const char *message)
{
    response->error_code = code;
    response->error_message = slice_from_str(message);
    return HANDLE_DONE;
}

enum handle_result consumer_group_heartbeat_handle(struct request *req,
    const struct consumer_group_heartbeat_request *request,
    struct consumer_group_heartbeat_response *response)
{
    struct broker *broker = request_broker(req);
    if (!broker_settings(broker)->group.consumer_enabled)
        return heartbeat_refuse(response, KAFKA_ERROR_UNSUPPORTED_VERSION,
            "The consumer group protocol is not enabled (group.coordinator.rebalance.protocols).");
    const char *fault = heartbeat_fault(request, req->version);
    if (fault != NULL)
        return heartbeat_refuse(response, KAFKA_ERROR_INVALID_REQUEST, fault);
    struct consumer_group_heartbeat *my = arena_new(&req->arena, struct consumer_group_heartbeat);
    my->req = req;
    my->request = request;
    my->response = response;
    my->owned = CONSUMER_PARTS_NULL;
    my->call.answer = heartbeat_on_answer;
    my->call.done = heartbeat_on_done;
    bool joins = request->member_epoch == CONSUMER_EPOCH_JOIN;
    group_op_init(&my->op, req, request->group_id, joins, heartbeat_on_entered);
    if (request->member_epoch >= 0)
        group_watch_member(req, &my->op);
    heartbeat_fill(my);
    return group_op_start(&my->op);
}
