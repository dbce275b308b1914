// SPDX-License-Identifier: BSD-2-Clause
/* JoinGroup: waits in the group until its next generation begins. */
#include "wire/join_group.gen.h"

#include "api/group_common.h"

struct join_group {
    struct groups_op op;
    struct group_join join;
    struct request *req;
    const struct join_group_request *request;
    struct join_group_response *response;
};

static void join_group_refuse(struct join_group *my, enum group_error error)
{
    my->response->error_code = group_error_code(error);
    my->response->member_id = my->request->member_id;
    request_complete(my->req);
}

static void join_group_list_members(struct join_group *my, const struct group *group)
{
    struct arena *arena = &my->req->arena;
    struct join_group_response *response = my->response;
    response->members = arena_new_n(arena, struct join_group_response_member, group->members_count);
    const struct group_member *member;
    list_for_each_entry (member, &group->members, link) {
        struct join_group_response_member *out = &response->members[response->members_count++];
        join_group_response_member_init(out);
        out->member_id = arena_copy_slice(arena, member->id);
        out->group_instance_id = arena_copy_slice(arena, member->instance_id);
        out->metadata = arena_copy_slice(arena, group_member_metadata(member, group->protocol));
    }
}

static void join_group_on_done(struct group_join *join, const struct group_join_answer *answer)
{
    struct join_group *my = container_of(join, struct join_group, join);
    struct arena *arena = &my->req->arena;
    struct join_group_response *response = my->response;
    response->error_code = group_error_code(answer->error);
    response->generation_id = answer->generation;
    response->member_id = arena_copy_slice(arena, slice_or_empty(answer->member_id));
    response->leader = arena_copy_slice(arena, slice_or_empty(answer->leader));
    response->protocol_type = arena_copy_slice(arena, answer->protocol_type);
    if (!slice_is_null(answer->protocol))
        response->protocol_name = arena_copy_slice(arena, answer->protocol);
    response->skip_assignment = answer->skip_assignment;
    if (answer->members != NULL)
        join_group_list_members(my, answer->members);
    request_complete(my->req);
}

static void join_group_on_entered(struct groups_op *op)
{
    struct join_group *my = container_of(op, struct join_group, op);
    const struct join_group_request *request = my->request;
    if (op->shard == NULL) {
        join_group_refuse(my, op->error);
        return;
    }
    struct arena *arena = &my->req->arena;
    struct group_protocol *protocols =
        arena_new_n(arena, struct group_protocol, (size_t)request->protocols_count);
    for (int32_t i = 0; i < request->protocols_count; i++)
        protocols[i] =
            (struct group_protocol){request->protocols[i].name, request->protocols[i].metadata};
    int16_t version = my->req->version;
    my->join = (struct group_join){
        .member_id = request->member_id,
        .instance_id = request->group_instance_id,
        .client_id = my->req->client_id,
        .client_host = arena_printf(arena, "/%s", my->req->conn->peer_host),
        .protocol_type = request->protocol_type,
        .protocols = protocols,
        .protocols_count = request->protocols_count,
        .session_timeout_ms = request->session_timeout_ms,
        .rebalance_timeout_ms =
            version == 0 ? request->session_timeout_ms : request->rebalance_timeout_ms,
        .require_member_id = version >= 4,
        .may_skip_assignment = version >= 9,
        .reason = request->reason,
        .conn_id = op->conn_id,
        .done = join_group_on_done,
    };
    groups_join(op->shard, op->group, &my->join);
}

enum handle_result join_group_handle(struct request *req, const struct join_group_request *request,
    struct join_group_response *response)
{
    if (req->version < 7)
        response->protocol_name = SLICE_LIT(""); /* not nullable there */
    else
        response->protocol_name = SLICE_NULL;
    if (request->group_id.size == 0) {
        response->error_code = KAFKA_ERROR_INVALID_GROUP_ID;
        response->member_id = request->member_id;
        return HANDLE_DONE;
    }
    struct join_group *my = arena_new(&req->arena, struct join_group);
    my->req = req;
    my->request = request;
    my->response = response;
    group_op_init(&my->op, req, request->group_id, true, join_group_on_entered);
    group_watch_member(req, &my->op);
    return group_op_start(&my->op);
}
