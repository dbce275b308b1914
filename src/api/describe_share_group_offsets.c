// SPDX-License-Identifier: BSD-2-Clause
/*
 * DescribeShareGroupOffsets: where share groups stand, and how far behind the end that is. Three
 * rounds: the groups say which partitions they know (for those who ask for all), the share
 * coordinators say where each starts and how much after that is done with, and the partitions where
 * their ends are.
 *
 * What is unknown (a group, a topic, a partition that the group never had) has no offset, which is
 * no error, as with Kafka.
 */
#include "wire/describe_share_group_offsets.gen.h"

#include "api/fanout.h"
#include "api/group_tour.h"
#include "api/lookup.h"
#include "api/share_groups.h"
#include "broker/group/share_group.h"
#include "broker/share/share_state.h"
#include "broker/topics/image.h"

struct describe_share {
    struct group_tour tour;
    const struct describe_share_group_offsets_request *request;
    struct describe_share_group_offsets_response *response;
    struct describe_share_item *items; /* in the arena */
    size_t items_left;
    struct fanout *fanout;
};

struct describe_share_item {
    struct share_state_op state;
    struct fanout_item item;
    struct describe_share_item *next;
    struct describe_share *my;
    struct describe_share_group_offsets_response_partition *out;
    struct part_id id;
    struct loop *home;
    int64_t end; /* the partition's; -1: not known */
    struct partition *partition;
    struct partition_ready ready;
};

/* --- the third round: the ends --- */

static void describe_share_on_ends(struct fanout *fanout)
{
    struct describe_share *my = fanout_context(fanout);
    for (struct describe_share_item *item = my->items; item != NULL; item = item->next) {
        struct describe_share_group_offsets_response_partition *out = item->out;
        if (out->start_offset < 0 || item->state.complete_count < 0 || item->end < 0)
            continue;
        int64_t lag = item->end - out->start_offset - item->state.complete_count;
        out->lag = lag < 0 ? 0 : lag;
    }
    request_complete(my->tour.req);
}

static void describe_share_on_ready(struct partition_ready *ready, enum partition_error error)
{
    struct describe_share_item *item = container_of(ready, struct describe_share_item, ready);
    struct part_state state;
    if (error == PARTITION_OK) {
        partition_get_state(item->partition, &state);
        item->end = state.high_watermark;
        item->out->leader_epoch = state.leader_epoch;
    }
    fanout_item_done(&item->item);
}

static void describe_share_run(struct fanout_item *fanout_item)
{
    struct describe_share_item *item = container_of(fanout_item, struct describe_share_item, item);
    item->partition = broker_partition(item->my->tour.op.broker, &item->id);
    if (item->partition == NULL) {
        fanout_item_done(fanout_item);
        return;
    }
    item->ready.fn = describe_share_on_ready;
    enum partition_error error = partition_when_ready(item->partition, &item->ready);
    if (error != PARTITION_PENDING)
        describe_share_on_ready(&item->ready, error);
}

static void describe_share_ends(struct describe_share *my)
{
    my->fanout = fanout_new(
        &my->tour.req->arena, my->tour.op.broker, describe_share_run, describe_share_on_ends, my);
    for (struct describe_share_item *item = my->items; item != NULL; item = item->next) {
        if (item->out->start_offset >= 0)
            fanout_add(my->fanout, &item->item, item->home);
    }
    fanout_start(my->fanout);
}

/* --- the second round: the share coordinators --- */

static int16_t describe_share_error(enum share_state_error error)
{
    switch (error) {
    case SHARE_STATE_OK: return KAFKA_ERROR_NONE;
    case SHARE_STATE_E_UNKNOWN_TOPIC: return KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION;
    case SHARE_STATE_E_NOT_COORDINATOR: return KAFKA_ERROR_NOT_COORDINATOR;
    case SHARE_STATE_E_LOADING: return KAFKA_ERROR_COORDINATOR_LOAD_IN_PROGRESS;
    default: return KAFKA_ERROR_COORDINATOR_NOT_AVAILABLE;
    }
}

static void describe_share_on_state(struct share_state_op *state)
{
    struct describe_share_item *item = container_of(state, struct describe_share_item, state);
    struct describe_share *my = item->my;
    item->out->error_code = describe_share_error(state->error);
    if (state->error == SHARE_STATE_OK)
        item->out->start_offset = state->start_offset;
    else
        item->out->error_message = SLICE_LIT("The state could not be read.");
    share_state_op_deinit(state);
    if (--my->items_left == 0)
        describe_share_ends(my);
}

static void describe_share_states(struct group_tour *tour)
{
    struct describe_share *my = container_of(tour, struct describe_share, tour);
    if (my->items == NULL) {
        request_complete(tour->req);
        return;
    }
    for (struct describe_share_item *item = my->items; item != NULL; item = item->next)
        my->items_left++;
    struct describe_share_item *next; /* the last answer may end it all, but never from within */
    for (struct describe_share_item *item = my->items; item != NULL; item = next) {
        next = item->next;
        share_state_submit(&item->state);
    }
}

/* --- the first round: the groups --- */

static void describe_share_partition(struct describe_share *my, struct slice group,
    const struct topic *topic, int32_t index,
    struct describe_share_group_offsets_response_partition *out)
{
    struct broker *broker = my->tour.op.broker;
    describe_share_group_offsets_response_partition_init(out);
    out->partition_index = index;
    out->start_offset = -1;
    if (topic == NULL || index < 0 || index >= topic->partitions_count)
        return;
    struct describe_share_item *item = arena_new(&my->tour.req->arena, struct describe_share_item);
    *item = (struct describe_share_item){.my = my,
        .out = out,
        .id = {.topic_id = topic->id, .partition = index},
        .home = broker_topic_home(broker, topic, index),
        .end = -1,
        .next = my->items,
        .state = {.broker = broker,
            .kind = SHARE_STATE_SUMMARY,
            .group = group,
            .topic_id = topic->id,
            .partition = index,
            .state_epoch = -1,
            .leader_epoch = -1,
            .done = describe_share_on_state}};
    my->items = item;
}

static void describe_share_all(struct describe_share *my, const struct groups_entry *entry,
    struct describe_share_group_offsets_response_group *out)
{
    struct arena *arena = &my->tour.req->arena;
    struct consumer_runs runs = consumer_runs_make(&entry->consumer->share->initialized);
    out->topics =
        arena_new_n(arena, struct describe_share_group_offsets_response_topic, (size_t)runs.count);
    for (int32_t i = 0; i < runs.count; i++) {
        const struct consumer_run *run = &runs.items[i];
        const struct topic *topic = group_topic(my->tour.op.broker, true, SLICE_NULL, run->topic);
        if (topic == NULL)
            continue;
        struct describe_share_group_offsets_response_topic *answer =
            &out->topics[out->topics_count++];
        describe_share_group_offsets_response_topic_init(answer);
        answer->topic_name = arena_copy_slice(arena, slice_from_str(topic->name));
        answer->topic_id = topic->id;
        answer->partitions = arena_new_n(
            arena, struct describe_share_group_offsets_response_partition, (size_t)run->count);
        for (int32_t p = 0; p < run->count; p++)
            describe_share_partition(my, out->group_id, topic, run->partitions[p],
                &answer->partitions[answer->partitions_count++]);
    }
    consumer_runs_free(&runs);
}

static void describe_share_asked(struct describe_share *my,
    const struct describe_share_group_offsets_request_group *asked,
    struct describe_share_group_offsets_response_group *out)
{
    struct arena *arena = &my->tour.req->arena;
    out->topics = arena_new_n(
        arena, struct describe_share_group_offsets_response_topic, (size_t)asked->topics_count);
    for (int32_t t = 0; t < asked->topics_count; t++) {
        struct describe_share_group_offsets_response_topic *answer =
            &out->topics[out->topics_count++];
        const struct topic *topic =
            group_topic(my->tour.op.broker, false, asked->topics[t].topic_name, UUID_ZERO);
        describe_share_group_offsets_response_topic_init(answer);
        answer->topic_name = asked->topics[t].topic_name;
        answer->topic_id = topic == NULL ? UUID_ZERO : topic->id;
        answer->partitions =
            arena_new_n(arena, struct describe_share_group_offsets_response_partition,
                (size_t)asked->topics[t].partitions_count);
        for (int32_t p = 0; p < asked->topics[t].partitions_count; p++)
            describe_share_partition(my, out->group_id, topic, asked->topics[t].partitions[p],
                &answer->partitions[answer->partitions_count++]);
    }
}

static bool describe_share_visit(
    struct group_tour *tour, int32_t index, struct groups_shard *shard, enum group_error error)
{
    struct describe_share *my = container_of(tour, struct describe_share, tour);
    const struct describe_share_group_offsets_request_group *asked = &my->request->groups[index];
    struct describe_share_group_offsets_response_group *out = &my->response->groups[index];
    describe_share_group_offsets_response_group_init(out);
    out->group_id = asked->group_id;
    const struct groups_entry *entry = shard == NULL ? NULL : groups_find(shard, out->group_id);
    if (shard == NULL && error != GROUP_E_NOT_FOUND) {
        out->error_code = group_error_code(error);
    } else if (asked->topics_count >= 0) {
        describe_share_asked(my, asked, out);
    } else if (entry != NULL && groups_entry_is_share(entry)) {
        describe_share_all(my, entry, out);
    }
    return true;
}

enum handle_result describe_share_group_offsets_handle(struct request *req,
    const struct describe_share_group_offsets_request *request,
    struct describe_share_group_offsets_response *response)
{
    size_t count = (size_t)request->groups_count, partitions = 0;
    for (size_t g = 0; g < count; g++) {
        for (int32_t t = 0; t < request->groups[g].topics_count; t++)
            partitions += (size_t)request->groups[g].topics[t].partitions_count;
    }
    if (lookup_too_many(req, partitions))
        return HANDLE_CLOSE;
    struct describe_share *my = arena_new(&req->arena, struct describe_share);
    my->request = request;
    my->response = response;
    my->tour.visit = describe_share_visit;
    my->tour.end = describe_share_states;
    response->groups =
        arena_new_n(&req->arena, struct describe_share_group_offsets_response_group, count);
    response->groups_count = request->groups_count;
    struct slice *names = arena_new_n(&req->arena, struct slice, count);
    for (size_t g = 0; g < count; g++) {
        names[g] = request->groups[g].group_id;
        describe_share_group_offsets_response_group_init(&response->groups[g]);
        response->groups[g].group_id = names[g];
        response->groups[g].error_code = KAFKA_ERROR_UNSUPPORTED_VERSION;
        response->groups[g].error_message = SLICE_LIT(SHARE_DISABLED_TEXT);
    }
    if (!share_is_enabled(req))
        return HANDLE_DONE;
    return group_tour_start(&my->tour, req, names, request->groups_count);
}
