// SPDX-License-Identifier: BSD-2-Clause
/* ConsumerGroupDescribe: groups of the newer protocol, with what each member owns and is to own. */
#include "wire/consumer_group_describe.gen.h"

#include "api/group_tour.h"

struct consumer_group_describe {
    struct group_tour tour;
    const struct consumer_group_describe_request *request;
    struct consumer_group_describe_response *response;
};

enum { MEMBER_TYPE_CLASSIC = 0, MEMBER_TYPE_CONSUMER = 1 };

/* Topics that are gone have no name to show. */
static void describe_assignment(struct consumer_group_describe *my,
    const struct consumer_parts *parts, struct consumer_group_describe_response_assignment *out)
{
    struct arena *arena = &my->tour.req->arena;
    consumer_group_describe_response_assignment_init(out);
    out->topic_partitions =
        arena_new_n(arena, struct consumer_group_describe_response_topic_partitions, parts->count);
    for (size_t at = 0, end; at < parts->count; at = end) {
        for (end = at + 1;
             end < parts->count && uuid_equal(parts->items[end].topic, parts->items[at].topic);)
            end++;
        const struct topic *topic =
            group_topic(my->tour.op.broker, true, SLICE_NULL, parts->items[at].topic);
        if (topic == NULL)
            continue;
        struct consumer_group_describe_response_topic_partitions *item =
            &out->topic_partitions[out->topic_partitions_count++];
        item->topic_id = topic->id;
        item->topic_name = arena_copy_slice(arena, slice_from_str(topic->name));
        item->partitions = arena_new_n(arena, int32_t, end - at);
        for (size_t i = at; i < end; i++)
            item->partitions[item->partitions_count++] = parts->items[i].partition;
    }
}

static void describe_member(struct consumer_group_describe *my,
    const struct consumer_member *member, struct consumer_group_describe_response_member *out)
{
    struct arena *arena = &my->tour.req->arena;
    const struct consumer_subscription *subscription = member->subscription;
    consumer_group_describe_response_member_init(out);
    out->member_id = arena_copy_slice(arena, member->id);
    out->instance_id = arena_copy_slice(arena, member->instance_id);
    out->rack_id = arena_copy_slice(arena, member->rack_id);
    out->member_epoch = member->epoch;
    out->client_id = arena_copy_slice(arena, member->client_id);
    out->client_host = arena_copy_slice(arena, member->client_host);
    out->subscribed_topic_names =
        arena_new_n(arena, struct slice, (size_t)subscription->names_count);
    for (int32_t i = 0; i < subscription->names_count; i++)
        out->subscribed_topic_names[out->subscribed_topic_names_count++] =
            arena_copy_slice(arena, subscription->names[i]);
    out->subscribed_topic_regex = arena_copy_slice(arena, subscription->pattern);
    out->member_type = member->classic ? MEMBER_TYPE_CLASSIC : MEMBER_TYPE_CONSUMER;
    describe_assignment(my, &member->owned, &out->assignment);
    describe_assignment(my, &member->target, &out->target_assignment);
}

static void describe_one(struct consumer_group_describe *my, const struct consumer_group *group,
    struct consumer_group_describe_response_group *out)
{
    struct arena *arena = &my->tour.req->arena;
    out->group_state = slice_from_str(consumer_state_name(consumer_group_state(group)));
    out->group_epoch = group->epoch;
    out->assignment_epoch = group->target_epoch;
    out->assignor_name = slice_from_str(consumer_assignor_name(consumer_group_assignor(group)));
    out->members =
        arena_new_n(arena, struct consumer_group_describe_response_member, group->members_count);
    const struct consumer_member *member;
    list_for_each_entry (member, &group->members, link)
        describe_member(my, member, &out->members[out->members_count++]);
}

static bool describe_visit(
    struct group_tour *tour, int32_t index, struct groups_shard *shard, enum group_error error)
{
    struct consumer_group_describe *my = container_of(tour, struct consumer_group_describe, tour);
    struct consumer_group_describe_response_group *out = &my->response->groups[index];
    consumer_group_describe_response_group_init(out);
    out->group_id = my->request->group_ids[index];
    const struct groups_entry *entry = shard == NULL ? NULL : groups_find(shard, out->group_id);
    if (shard == NULL && error != GROUP_E_NOT_FOUND) {
        out->error_code = group_error_code(error);
    } else if (entry == NULL || entry->consumer == NULL || groups_entry_is_share(entry)) {
        out->error_code = KAFKA_ERROR_GROUP_ID_NOT_FOUND;
        out->error_message = arena_printf(&tour->req->arena,
            entry == NULL ? "Group %.*s not found." : "Group %.*s is not a consumer group.",
            SLICE_FMT(out->group_id));
    } else {
        describe_one(my, entry->consumer, out);
        if (my->request->include_authorized_operations)
            out->authorized_operations = GROUP_OPERATIONS;
    }
    return true;
}

static void describe_end(struct group_tour *tour)
{
    request_complete(tour->req);
}

enum handle_result consumer_group_describe_handle(struct request *req,
    const struct consumer_group_describe_request *request,
    struct consumer_group_describe_response *response)
{
    struct consumer_group_describe *my = arena_new(&req->arena, struct consumer_group_describe);
    my->request = request;
    my->response = response;
    my->tour.visit = describe_visit;
    my->tour.end = describe_end;
    response->groups = arena_new_n(&req->arena, struct consumer_group_describe_response_group,
        (size_t)request->group_ids_count);
    response->groups_count = request->group_ids_count;
    return group_tour_start(&my->tour, req, request->group_ids, request->group_ids_count);
}
