// SPDX-License-Identifier: BSD-2-Clause
/* ListGroups: the request goes round all loops and takes the groups of each along. */
#include "wire/list_groups.gen.h"

#include "api/group_common.h"
#include "api/nodes.h"
#include "broker/group/group_subscription.h"

#include <strings.h>

#define LIST_GROUPS_ROOM_FIRST 64

struct list_groups {
    struct groups_op op;
    struct request *req;
    const struct list_groups_request *request;
    struct list_groups_response *response;
    size_t room;
    unsigned loop_index;
};

/* Names are compared as Kafka does: whatever the case. */
static bool list_groups_named(const struct slice *names, int32_t count, const char *name)
{
    size_t size = strlen(name);
    for (int32_t i = 0; i < count; i++) {
        if (names[i].size == size && strncasecmp((const char *)names[i].data, name, size) == 0)
            return true;
    }
    return count <= 0;
}

static void list_groups_add(void *ctx, const struct groups_entry *entry)
{
    struct list_groups *my = ctx;
    const struct group *group = entry->group;
    const char *state = groups_entry_state(entry);
    bool share = groups_entry_is_share(entry);
    const char *type = share ? "share" : entry->consumer != NULL ? "consumer" : "classic";
    if (!request_coordinates_group(my->req, group->id) ||
        !list_groups_named(my->request->types_filter, my->request->types_filter_count, type))
        return;
    if (!list_groups_named(my->request->states_filter, my->request->states_filter_count, state))
        return;
    struct list_groups_response *response = my->response;
    struct arena *arena = &my->req->arena;
    size_t count = (size_t)response->groups_count;
    if (count == my->room) {
        my->room = my->room == 0 ? LIST_GROUPS_ROOM_FIRST : my->room * 2;
        struct list_groups_response_group *groups =
            arena_new_n(arena, struct list_groups_response_group, my->room);
        if (count > 0)
            memcpy(groups, response->groups, count * sizeof(*groups));
        response->groups = groups;
    }
    struct list_groups_response_group *out = &response->groups[response->groups_count++];
    list_groups_response_group_init(out);
    out->group_id = arena_copy_slice(arena, group->id);
    out->protocol_type = share ? SLICE_LIT("share")
                         : entry->consumer != NULL
                             ? SLICE_LIT(GROUP_CONSUMER_PROTOCOL_TYPE)
                             : arena_copy_slice(arena, slice_or_empty(group->protocol_type));
    out->group_state = slice_from_str(state);
    out->group_type = slice_from_str(type);
}

static void list_groups_on_visit(struct groups_op *op)
{
    struct list_groups *my = container_of(op, struct list_groups, op);
    if (op->error != GROUP_OK)
        my->response->error_code = group_error_code(op->error);
    else
        groups_each(op->broker, list_groups_add, my);
    if (++my->loop_index < broker_loops_count(op->broker))
        groups_visit(op, my->loop_index);
    else
        request_complete(my->req);
}

enum handle_result list_groups_handle(struct request *req,
    const struct list_groups_request *request, struct list_groups_response *response)
{
    struct list_groups *my = arena_new(&req->arena, struct list_groups);
    my->req = req;
    my->request = request;
    my->response = response;
    group_op_init(&my->op, req, SLICE_LIT(""), false, list_groups_on_visit);
    groups_visit(&my->op, 0);
    return HANDLE_PARKED;
}
