// SPDX-License-Identifier: BSD-2-Clause
/* Heartbeat: keeps a member's session alive and tells it of rebalances. */
#include "wire/heartbeat.gen.h"

#include "api/group_common.h"

struct heartbeat {
    struct groups_op op;
    struct request *req;
    const struct heartbeat_request *request;
    struct heartbeat_response *response;
};

static void heartbeat_on_entered(struct groups_op *op)
{
    struct heartbeat *my = container_of(op, struct heartbeat, op);
    const struct heartbeat_request *request = my->request;
    enum group_error error = op->error == GROUP_E_NOT_FOUND ? GROUP_E_UNKNOWN_MEMBER : op->error;
    if (op->shard != NULL) {
        struct groups_entry *entry = groups_find(op->shard, op->group);
        error = entry == NULL
                    ? GROUP_E_UNKNOWN_MEMBER
                    : groups_heartbeat(entry, request->member_id, request->group_instance_id,
                          request->generation_id, op->conn_id);
    }
    my->response->error_code = group_error_code(error);
    request_complete(my->req);
}

enum handle_result heartbeat_handle(struct request *req, const struct heartbeat_request *request,
    struct heartbeat_response *response)
{
    if (request->group_id.size == 0) {
        response->error_code = KAFKA_ERROR_INVALID_GROUP_ID;
        return HANDLE_DONE;
    }
    struct heartbeat *my = arena_new(&req->arena, struct heartbeat);
    my->req = req;
    my->request = request;
    my->response = response;
    group_op_init(&my->op, req, request->group_id, false, heartbeat_on_entered);
    group_watch_member(req, &my->op);
    return group_op_start(&my->op);
}
