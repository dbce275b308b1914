// SPDX-License-Identifier: BSD-2-Clause
/* SyncGroup: the leader brings the assignment, everybody waits for his share. */
#include "wire/sync_group.gen.h"

#include "api/group_common.h"

struct sync_group {
    struct groups_op op;
    struct group_sync sync;
    struct request *req;
    const struct sync_group_request *request;
    struct sync_group_response *response;
};

static void sync_group_on_done(struct group_sync *sync, const struct group_sync_answer *answer)
{
    struct sync_group *my = container_of(sync, struct sync_group, sync);
    struct arena *arena = &my->req->arena;
    my->response->error_code = group_error_code(answer->error);
    my->response->protocol_type = arena_copy_slice(arena, answer->protocol_type);
    my->response->protocol_name = arena_copy_slice(arena, answer->protocol);
    my->response->assignment = arena_copy_slice(arena, slice_or_empty(answer->assignment));
    request_complete(my->req);
}

static void sync_group_on_entered(struct groups_op *op)
{
    struct sync_group *my = container_of(op, struct sync_group, op);
    const struct sync_group_request *request = my->request;
    if (op->shard == NULL) {
        my->response->error_code =
            group_error_code(op->error == GROUP_E_NOT_FOUND ? GROUP_E_UNKNOWN_MEMBER : op->error);
        request_complete(my->req);
        return;
    }
    struct group_assignment *assignments =
        arena_new_n(&my->req->arena, struct group_assignment, (size_t)request->assignments_count);
    for (int32_t i = 0; i < request->assignments_count; i++)
        assignments[i] = (struct group_assignment){
            request->assignments[i].member_id, request->assignments[i].assignment};
    my->sync = (struct group_sync){.member_id = request->member_id,
        .instance_id = request->group_instance_id,
        .generation = request->generation_id,
        .protocol_type = request->protocol_type,
        .protocol = request->protocol_name,
        .assignments = assignments,
        .assignments_count = request->assignments_count,
        .conn_id = op->conn_id,
        .done = sync_group_on_done};
    groups_sync(op->shard, op->group, &my->sync);
}

enum handle_result sync_group_handle(struct request *req, const struct sync_group_request *request,
    struct sync_group_response *response)
{
    if (req->version >= 5 &&
        (slice_is_null(request->protocol_type) || slice_is_null(request->protocol_name))) {
        response->error_code = KAFKA_ERROR_INCONSISTENT_GROUP_PROTOCOL;
        return HANDLE_DONE;
    }
    if (request->group_id.size == 0) {
        response->error_code = KAFKA_ERROR_INVALID_GROUP_ID;
        return HANDLE_DONE;
    }
    struct sync_group *my = arena_new(&req->arena, struct sync_group);
    my->req = req;
    my->request = request;
    my->response = response;
    group_op_init(&my->op, req, request->group_id, false, sync_group_on_entered);
    group_watch_member(req, &my->op);
    return group_op_start(&my->op);
}
