// SPDX-License-Identifier: BSD-2-Clause
/* LeaveGroup: one member that goes (v0-2), or several, also by instance id on behalf of others
 * (v3+). */
#include "wire/leave_group.gen.h"

#include "api/group_common.h"

struct leave_group {
    struct groups_op op;
    struct request *req;
    const struct leave_group_request *request;
    struct leave_group_response *response;
};

static int16_t leave_group_one(struct groups_entry *entry, struct slice member_id,
    struct slice instance_id, struct slice reason)
{
    return group_error_code(entry == NULL ? GROUP_E_UNKNOWN_MEMBER
                                          : groups_leave(entry, member_id, instance_id, reason));
}

static void leave_group_all(struct leave_group *my, struct groups_entry *entry)
{
    const struct leave_group_request *request = my->request;
    struct leave_group_response *response = my->response;
    response->members = arena_new_n(
        &my->req->arena, struct leave_group_response_member, (size_t)request->members_count);
    for (int32_t i = 0; i < request->members_count; i++) {
        const struct leave_group_request_member *member = &request->members[i];
        struct leave_group_response_member *out = &response->members[response->members_count++];
        leave_group_response_member_init(out);
        out->member_id = member->member_id;
        out->group_instance_id = member->group_instance_id;
        out->error_code =
            leave_group_one(entry, member->member_id, member->group_instance_id, member->reason);
    }
}

static void leave_group_on_entered(struct groups_op *op)
{
    struct leave_group *my = container_of(op, struct leave_group, op);
    struct groups_entry *entry = op->shard == NULL ? NULL : groups_find(op->shard, op->group);
    if (op->shard == NULL && op->error != GROUP_E_NOT_FOUND)
        my->response->error_code = group_error_code(op->error);
    else if (my->req->version < 3)
        my->response->error_code =
            leave_group_one(entry, my->request->member_id, SLICE_NULL, SLICE_NULL);
    else
        leave_group_all(my, entry);
    request_complete(my->req);
}

enum handle_result leave_group_handle(struct request *req,
    const struct leave_group_request *request, struct leave_group_response *response)
{
    if (request->group_id.size == 0) {
        response->error_code = KAFKA_ERROR_INVALID_GROUP_ID;
        return HANDLE_DONE;
    }
    struct leave_group *my = arena_new(&req->arena, struct leave_group);
    my->req = req;
    my->request = request;
    my->response = response;
    group_op_init(&my->op, req, request->group_id, false, leave_group_on_entered);
    return group_op_start(&my->op);
}
