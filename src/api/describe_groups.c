// SPDX-License-Identifier: BSD-2-Clause
/* DescribeGroups: state and members; metadata and assignments of stable groups only. A group nobody
 * knows is "Dead" (and an error from version 6 on). */
#include "wire/describe_groups.gen.h"

#include "api/group_tour.h"

struct describe_groups {
    struct group_tour tour;
    const struct describe_groups_request *request;
    struct describe_groups_response *response;
};

static void describe_groups_members(
    struct arena *arena, const struct group *group, struct describe_groups_response_group *out)
{
    bool stable = group->state == GROUP_STABLE;
    out->members = arena_new_n(arena, struct describe_groups_response_member, group->members_count);
    const struct group_member *member;
    list_for_each_entry (member, &group->members, link) {
        struct describe_groups_response_member *item = &out->members[out->members_count++];
        describe_groups_response_member_init(item);
        item->member_id = arena_copy_slice(arena, member->id);
        item->group_instance_id = arena_copy_slice(arena, member->instance_id);
        item->client_id = arena_copy_slice(arena, member->client_id);
        item->client_host = arena_copy_slice(arena, member->client_host);
        if (!stable)
            continue;
        item->member_metadata =
            arena_copy_slice(arena, group_member_metadata(member, group->protocol));
        item->member_assignment = arena_copy_slice(arena, member->assignment);
    }
}

static void describe_groups_one(struct describe_groups *my, const struct groups_entry *entry,
    struct describe_groups_response_group *out)
{
    struct arena *arena = &my->tour.req->arena;
    if (entry == NULL || entry->consumer != NULL) {
        out->group_state = slice_from_str(group_state_name(GROUP_DEAD));
        if (my->tour.req->version >= 6) {
            out->error_code = KAFKA_ERROR_GROUP_ID_NOT_FOUND;
            out->error_message = arena_printf(arena,
                entry == NULL ? "Group %.*s not found." : "Group %.*s is not a classic group.",
                SLICE_FMT(out->group_id));
        }
        return;
    }
    const struct group *group = entry->group;
    out->group_state = slice_from_str(group_state_name(group->state));
    out->protocol_type = arena_copy_slice(arena, slice_or_empty(group->protocol_type));
    if (group->state == GROUP_STABLE)
        out->protocol_data = arena_copy_slice(arena, slice_or_empty(group->protocol));
    describe_groups_members(arena, group, out);
}

static bool describe_groups_visit(
    struct group_tour *tour, int32_t index, struct groups_shard *shard, enum group_error error)
{
    struct describe_groups *my = container_of(tour, struct describe_groups, tour);
    struct describe_groups_response_group *out = &my->response->groups[index];
    describe_groups_response_group_init(out);
    out->group_id = my->request->groups[index];
    if (shard == NULL && error != GROUP_E_NOT_FOUND)
        out->error_code = group_error_code(error);
    else
        describe_groups_one(my, shard == NULL ? NULL : groups_find(shard, out->group_id), out);
    if (my->request->include_authorized_operations && out->error_code == KAFKA_ERROR_NONE)
        out->authorized_operations = GROUP_OPERATIONS;
    return true;
}

static void describe_groups_end(struct group_tour *tour)
{
    request_complete(tour->req);
}

enum handle_result describe_groups_handle(struct request *req,
    const struct describe_groups_request *request, struct describe_groups_response *response)
{
    struct describe_groups *my = arena_new(&req->arena, struct describe_groups);
    my->request = request;
    my->response = response;
    my->tour.visit = describe_groups_visit;
    my->tour.end = describe_groups_end;
    response->groups = arena_new_n(
        &req->arena, struct describe_groups_response_group, (size_t)request->groups_count);
    response->groups_count = request->groups_count;
    return group_tour_start(&my->tour, req, request->groups, request->groups_count);
}
