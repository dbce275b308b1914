// SPDX-License-Identifier: BSD-2-Clause
/* ShareGroupHeartbeat: a member of a share group joins, lives and leaves. Answered when what it
 * changed is in the log; a join also when the partitions that it brought have their states. */
#include "wire/share_group_heartbeat.gen.h"

#include "api/share_groups.h"
#include "broker/config/settings.h"

struct share_group_heartbeat {
    struct groups_op op;
    struct groups_consumer_call call;
    struct request *req;
    const struct share_group_heartbeat_request *request;
    struct share_group_heartbeat_response *response;
};

/* What is wrong with it; NULL: nothing. */
static const char *share_heartbeat_fault(const struct share_group_heartbeat_request *request)
{
    if (request->member_id.size == 0)
        return "MemberId can't be empty.";
    if (request->group_id.size == 0)
        return "GroupId can't be empty.";
    if (!slice_is_null(request->rack_id) && request->rack_id.size == 0)
        return "RackId can't be empty.";
    if (request->member_epoch == CONSUMER_EPOCH_JOIN && request->subscribed_topic_names_count <= 0)
        return "SubscribedTopicNames must be set in first request.";
    if (request->member_epoch < CONSUMER_EPOCH_LEAVE)
        return "MemberEpoch is invalid.";
    return NULL;
}

static void share_heartbeat_assign(
    struct share_group_heartbeat *my, const struct consumer_parts *parts)
{
    struct arena *arena = &my->req->arena;
    struct share_group_heartbeat_response_assignment *assignment =
        arena_new(arena, struct share_group_heartbeat_response_assignment);
    share_group_heartbeat_response_assignment_init(assignment);
    struct consumer_runs runs = consumer_runs_make(parts);
    assignment->topic_partitions = arena_new_n(
        arena, struct share_group_heartbeat_response_topic_partitions, (size_t)runs.count);
    for (int32_t i = 0; i < runs.count; i++) {
        struct share_group_heartbeat_response_topic_partitions *out =
            &assignment->topic_partitions[assignment->topic_partitions_count++];
        out->topic_id = runs.items[i].topic;
        out->partitions_count = runs.items[i].count;
        out->partitions = arena_new_n(arena, int32_t, (size_t)runs.items[i].count);
        memcpy(out->partitions, runs.items[i].partitions,
            (size_t)runs.items[i].count * sizeof(int32_t));
    }
    consumer_runs_free(&runs);
    my->response->assignment = assignment;
}

static void share_heartbeat_on_answer(struct groups_consumer_call *call)
{
    struct share_group_heartbeat *my = container_of(call, struct share_group_heartbeat, call);
    const struct consumer_heartbeat *heartbeat = &call->heartbeat;
    my->response->member_id = arena_copy_slice(&my->req->arena, heartbeat->ret_member_id);
    my->response->member_epoch = heartbeat->ret_epoch;
    my->response->heartbeat_interval_ms = heartbeat->heartbeat_ms;
    if (heartbeat->assignment != NULL)
        share_heartbeat_assign(my, heartbeat->assignment);
}

static void share_heartbeat_on_done(struct groups_consumer_call *call, enum group_error error)
{
    struct share_group_heartbeat *my = container_of(call, struct share_group_heartbeat, call);
    if (error != GROUP_OK) {
        share_group_heartbeat_response_init(my->response);
        my->response->error_code = group_error_code(error);
        my->response->error_message = slice_from_str(call->heartbeat.message);
    }
    request_complete(my->req);
}

static void share_heartbeat_on_entered(struct groups_op *op)
{
    struct share_group_heartbeat *my = container_of(op, struct share_group_heartbeat, op);
    my->call.heartbeat.conn_id = op->conn_id;
    if (op->shard == NULL)
        share_heartbeat_on_done(&my->call, op->error);
    else
        groups_consumer_heartbeat(op->shard, op->group, &my->call);
}

static enum handle_result share_heartbeat_refuse(
    struct share_group_heartbeat_response *response, int16_t code, const char *message)
{
    response->error_code = code;
    response->error_message = slice_from_str(message);
    return HANDLE_DONE;
}

enum handle_result share_group_heartbeat_handle(struct request *req,
    const struct share_group_heartbeat_request *request,
    struct share_group_heartbeat_response *response)
{
    if (!share_is_enabled(req))
        return share_heartbeat_refuse(
            response, KAFKA_ERROR_UNSUPPORTED_VERSION, SHARE_DISABLED_TEXT);
    const char *fault = share_heartbeat_fault(request);
    if (fault != NULL)
        return share_heartbeat_refuse(response, KAFKA_ERROR_INVALID_REQUEST, fault);
    struct share_group_heartbeat *my = arena_new(&req->arena, struct share_group_heartbeat);
    my->req = req;
    my->request = request;
    my->response = response;
    my->call.answer = share_heartbeat_on_answer;
    my->call.done = share_heartbeat_on_done;
    my->call.heartbeat = (struct consumer_heartbeat){.share = true,
        .member_id = request->member_id,
        .rack_id = request->rack_id,
        .client_id = slice_or_empty(req->client_id),
        .client_host = arena_printf(&req->arena, "/%s", req->conn->peer_host),
        .epoch = request->member_epoch,
        .rebalance_timeout_ms = -1,
        .names = request->subscribed_topic_names,
        .names_count = request->subscribed_topic_names_count};
    bool joins = request->member_epoch == CONSUMER_EPOCH_JOIN;
    group_op_init(&my->op, req, request->group_id, joins, share_heartbeat_on_entered);
    if (request->member_epoch >= 0)
        group_watch_member(req, &my->op);
    return group_op_start(&my->op);
}
