// SPDX-License-Identifier: BSD-2-Clause
/* ShareGroupDescribe: share groups, with what each member fetches from. */
#include "wire/share_group_describe.gen.h"

#include "api/group_tour.h"
#include "api/share_groups.h"

struct share_group_describe {
    struct group_tour tour;
    const struct share_group_describe_request *request;
    struct share_group_describe_response *response;
};

/* Topics that are gone have no name to show. */
static void share_describe_assignment(struct share_group_describe *my,
    const struct consumer_parts *parts, struct share_group_describe_response_assignment *out)
{
    struct arena *arena = &my->tour.req->arena;
    share_group_describe_response_assignment_init(out);
    struct consumer_runs runs = consumer_runs_make(parts);
    out->topic_partitions = arena_new_n(
        arena, struct share_group_describe_response_topic_partitions, (size_t)runs.count);
    for (int32_t i = 0; i < runs.count; i++) {
        const struct consumer_run *run = &runs.items[i];
        const struct topic *topic = group_topic(my->tour.op.broker, true, SLICE_NULL, run->topic);
        if (topic == NULL)
            continue;
        struct share_group_describe_response_topic_partitions *item =
            &out->topic_partitions[out->topic_partitions_count++];
        item->topic_id = topic->id;
        item->topic_name = arena_copy_slice(arena, slice_from_str(topic->name));
        item->partitions_count = run->count;
        item->partitions = arena_new_n(arena, int32_t, (size_t)run->count);
        memcpy(item->partitions, run->partitions, (size_t)run->count * sizeof(int32_t));
    }
    consumer_runs_free(&runs);
}

static void share_describe_member(struct share_group_describe *my,
    const struct consumer_member *member, struct share_group_describe_response_member *out)
{
    struct arena *arena = &my->tour.req->arena;
    const struct consumer_subscription *subscription = member->subscription;
    share_group_describe_response_member_init(out);
    out->member_id = arena_copy_slice(arena, member->id);
    out->rack_id = arena_copy_slice(arena, member->rack_id);
    out->member_epoch = member->epoch;
    out->client_id = arena_copy_slice(arena, member->client_id);
    out->client_host = arena_copy_slice(arena, member->client_host);
    out->subscribed_topic_names =
        arena_new_n(arena, struct slice, (size_t)subscription->names_count);
    for (int32_t i = 0; i < subscription->names_count; i++)
        out->subscribed_topic_names[out->subscribed_topic_names_count++] =
            arena_copy_slice(arena, subscription->names[i]);
    share_describe_assignment(my, &member->owned, &out->assignment);
}

static void share_describe_one(struct share_group_describe *my, const struct consumer_group *group,
    struct share_group_describe_response_group *out)
{
    struct arena *arena = &my->tour.req->arena;
    out->group_state = slice_from_str(consumer_state_name(consumer_group_state(group)));
    out->group_epoch = group->epoch;
    out->assignment_epoch = group->target_epoch;
    out->assignor_name = SLICE_LIT("simple");
    out->members =
        arena_new_n(arena, struct share_group_describe_response_member, group->members_count);
    const struct consumer_member *member;
    list_for_each_entry (member, &group->members, link)
        share_describe_member(my, member, &out->members[out->members_count++]);
}

static bool share_describe_visit(
    struct group_tour *tour, int32_t index, struct groups_shard *shard, enum group_error error)
{
    struct share_group_describe *my = container_of(tour, struct share_group_describe, tour);
    struct share_group_describe_response_group *out = &my->response->groups[index];
    share_group_describe_response_group_init(out);
    out->group_id = my->request->group_ids[index];
    const struct groups_entry *entry = shard == NULL ? NULL : groups_find(shard, out->group_id);
    if (shard == NULL && error != GROUP_E_NOT_FOUND) {
        out->error_code = group_error_code(error);
    } else if (entry == NULL || !groups_entry_is_share(entry)) {
        out->error_code = KAFKA_ERROR_GROUP_ID_NOT_FOUND;
        out->error_message = arena_printf(&tour->req->arena,
            entry == NULL ? "Group %.*s not found." : "Group %.*s is not a share group.",
            SLICE_FMT(out->group_id));
    } else {
        share_describe_one(my, entry->consumer, out);
        if (my->request->include_authorized_operations)
            out->authorized_operations = GROUP_OPERATIONS;
    }
    return true;
}

static void share_describe_end(struct group_tour *tour)
{
    request_complete(tour->req);
}

enum handle_result share_group_describe_handle(struct request *req,
    const struct share_group_describe_request *request,
    struct share_group_describe_response *response)
{
    struct share_group_describe *my = arena_new(&req->arena, struct share_group_describe);
    my->request = request;
    my->response = response;
    my->tour.visit = share_describe_visit;
    my->tour.end = share_describe_end;
    response->groups = arena_new_n(
        &req->arena, struct share_group_describe_response_group, (size_t)request->group_ids_count);
    response->groups_count = request->group_ids_count;
    if (share_is_enabled(req))
        return group_tour_start(&my->tour, req, request->group_ids, request->group_ids_count);
    for (int32_t i = 0; i < request->group_ids_count; i++) {
        share_group_describe_response_group_init(&response->groups[i]);
        response->groups[i].group_id = request->group_ids[i];
        response->groups[i].error_code = KAFKA_ERROR_UNSUPPORTED_VERSION;
        response->groups[i].error_message = SLICE_LIT(SHARE_DISABLED_TEXT);
    }
    return HANDLE_DONE;
}
