// SPDX-License-Identifier: BSD-2-Clause
/*
 * OffsetFetch: what groups have committed. Versions 0-7 ask about one group, 8 and later about
 * several; both are served by one path that fills the later form, and the older answer is made of
 * it. Null topics mean all; nothing committed is offset -1 without an error. Topic ids (v10) are
 * names behind the image's index.
 */
#include "wire/offset_fetch.gen.h"

#include "api/group_tour.h"

#include <stdlib.h>

struct offset_fetch {
    struct group_tour tour;
    struct offset_fetch_request_group *groups; /* the request, in its later form */
    int32_t groups_count;
    struct offset_fetch_response *response;
    bool require_stable; /* offsets that an open transaction may replace are refused */
};

static void offset_fetch_partition(struct arena *arena, const struct group_offset *offset,
    int32_t partition, bool unstable, struct offset_fetch_response_group_partition *out)
{
    offset_fetch_response_group_partition_init(out);
    out->partition_index = partition;
    if (unstable) {
        out->error_code = KAFKA_ERROR_UNSTABLE_OFFSET_COMMIT;
        offset = NULL;
    }
    out->committed_offset = offset == NULL ? -1 : offset->offset;
    out->committed_leader_epoch = offset == NULL ? -1 : offset->leader_epoch;
    out->metadata = offset == NULL ? SLICE_LIT("") : arena_copy_slice(arena, offset->metadata);
}

/* --- the topics that were asked for --- */

static void offset_fetch_topic(struct offset_fetch *my, struct groups_entry *entry,
    const struct offset_fetch_request_group_topic *topic,
    struct offset_fetch_response_group_topic *out)
{
    struct arena *arena = &my->tour.req->arena;
    bool by_id = my->tour.req->version >= 10;
    const struct topic *known =
        by_id ? group_topic(my->tour.op.broker, true, SLICE_NULL, topic->topic_id) : NULL;
    struct slice name = by_id && known != NULL ? slice_from_str(known->name) : topic->name;
    offset_fetch_response_group_topic_init(out);
    out->name = topic->name;
    out->topic_id = topic->topic_id;
    out->partitions = arena_new_n(arena, struct offset_fetch_response_group_partition,
        (size_t)topic->partition_indexes_count);
    for (int32_t p = 0; p < topic->partition_indexes_count; p++) {
        int32_t index = topic->partition_indexes[p];
        const struct group_offset *offset =
            entry == NULL ? NULL : group_offsets_get(&entry->offsets, name, index);
        bool unstable =
            my->require_stable && entry != NULL && groups_is_unstable(entry, name, index);
        offset_fetch_partition(
            arena, offset, index, unstable, &out->partitions[out->partitions_count]);
        if (by_id && known == NULL)
            out->partitions[out->partitions_count].error_code = KAFKA_ERROR_UNKNOWN_TOPIC_ID;
        out->partitions_count++;
    }
}

/* --- all topics --- */

static int offset_fetch_order(const void *a, const void *b)
{
    const struct group_offset *left = *(const struct group_offset *const *)a;
    const struct group_offset *right = *(const struct group_offset *const *)b;
    int order = slice_compare(left->topic, right->topic);
    return order != 0 ? order
                      : (left->partition > right->partition) - (left->partition < right->partition);
}

static const struct group_offset **offset_fetch_sorted(
    struct arena *arena, const struct groups_entry *entry, size_t *ret_count)
{
    size_t count = 0;
    const struct group_offset **sorted =
        arena_xalloc_n(arena, entry->offsets.map.count + 1, sizeof(*sorted));
    group_offsets_for_each(&entry->offsets, offset) sorted[count++] = offset;
    qsort(sorted, count, sizeof(*sorted), offset_fetch_order);
    *ret_count = count;
    return sorted;
}

static void offset_fetch_all(
    struct offset_fetch *my, struct groups_entry *entry, struct offset_fetch_response_group *out)
{
    struct arena *arena = &my->tour.req->arena;
    bool by_id = my->tour.req->version >= 10;
    size_t count;
    const struct group_offset **sorted = offset_fetch_sorted(arena, entry, &count);
    out->topics = arena_new_n(arena, struct offset_fetch_response_group_topic, count);
    for (size_t i = 0, end; i < count; i = end) {
        for (end = i + 1; end < count && slice_equal(sorted[end]->topic, sorted[i]->topic);)
            end++;
        const struct topic *known =
            group_topic(my->tour.op.broker, false, sorted[i]->topic, UUID_ZERO);
        if (by_id && known == NULL)
            continue; /* deleted: it has no id any more */
        struct offset_fetch_response_group_topic *topic = &out->topics[out->topics_count++];
        offset_fetch_response_group_topic_init(topic);
        topic->name = arena_copy_slice(arena, sorted[i]->topic);
        topic->topic_id = known == NULL ? UUID_ZERO : known->id;
        topic->partitions =
            arena_new_n(arena, struct offset_fetch_response_group_partition, end - i);
        for (size_t p = i; p < end; p++)
            offset_fetch_partition(arena, sorted[p], sorted[p]->partition,
                my->require_stable &&
                    groups_is_unstable(entry, sorted[p]->topic, sorted[p]->partition),
                &topic->partitions[topic->partitions_count++]);
    }
}

static bool offset_fetch_visit(
    struct group_tour *tour, int32_t index, struct groups_shard *shard, enum group_error error)
{
    struct offset_fetch *my = container_of(tour, struct offset_fetch, tour);
    const struct offset_fetch_request_group *group = &my->groups[index];
    struct offset_fetch_response_group *out = &my->response->groups[index];
    offset_fetch_response_group_init(out);
    out->group_id = group->group_id;
    if (shard == NULL && error != GROUP_E_NOT_FOUND) {
        out->error_code = group_error_code(error);
        return true;
    }
    struct groups_entry *entry = shard == NULL ? NULL : groups_find(shard, group->group_id);
    if (tour->req->version >= 9 && entry != NULL && entry->consumer != NULL) {
        error = consumer_group_may_fetch(entry->consumer, group->member_id, group->member_epoch);
        if (error != GROUP_OK) {
            out->error_code = group_error_code(error);
            return true;
        }
    }
    if (group->topics_count < 0) {
        if (entry != NULL)
            offset_fetch_all(my, entry, out);
        return true;
    }
    out->topics = arena_new_n(
        &tour->req->arena, struct offset_fetch_response_group_topic, (size_t)group->topics_count);
    for (int32_t t = 0; t < group->topics_count; t++)
        offset_fetch_topic(my, entry, &group->topics[t], &out->topics[out->topics_count++]);
    return true;
}

/* --- the older form --- */

static void offset_fetch_lift(
    struct offset_fetch *my, struct request *req, const struct offset_fetch_request *request)
{
    my->groups = arena_new(&req->arena, struct offset_fetch_request_group);
    my->groups_count = 1;
    offset_fetch_request_group_init(my->groups);
    my->groups->group_id = request->group_id;
    my->groups->topics_count = request->topics_count;
    if (request->topics_count <= 0)
        return;
    my->groups->topics = arena_new_n(
        &req->arena, struct offset_fetch_request_group_topic, (size_t)request->topics_count);
    for (int32_t t = 0; t < request->topics_count; t++) {
        struct offset_fetch_request_group_topic *topic = &my->groups->topics[t];
        offset_fetch_request_group_topic_init(topic);
        topic->name = request->topics[t].name;
        topic->partition_indexes = request->topics[t].partition_indexes;
        topic->partition_indexes_count = request->topics[t].partition_indexes_count;
    }
}

static void offset_fetch_lower_topic(struct arena *arena,
    const struct offset_fetch_response_group_topic *topic, struct offset_fetch_response_topic *out)
{
    offset_fetch_response_topic_init(out);
    out->name = topic->name;
    out->partitions =
        arena_new_n(arena, struct offset_fetch_response_partition, (size_t)topic->partitions_count);
    for (int32_t p = 0; p < topic->partitions_count; p++) {
        const struct offset_fetch_response_group_partition *from = &topic->partitions[p];
        struct offset_fetch_response_partition *to = &out->partitions[out->partitions_count++];
        offset_fetch_response_partition_init(to);
        to->partition_index = from->partition_index;
        to->committed_offset = from->committed_offset;
        to->committed_leader_epoch = from->committed_leader_epoch;
        to->metadata = from->metadata;
        to->error_code = from->error_code;
    }
}

/* Before version 2 there is no error of the whole group: every partition gets it. */
static void offset_fetch_spread_error(struct offset_fetch *my, int16_t error)
{
    const struct offset_fetch_request_group *group = my->groups;
    struct offset_fetch_response_group *out = my->response->groups;
    out->topics = arena_new_n(&my->tour.req->arena, struct offset_fetch_response_group_topic,
        (size_t)(group->topics_count < 0 ? 0 : group->topics_count));
    for (int32_t t = 0; t < group->topics_count; t++) {
        struct offset_fetch_response_group_topic *topic = &out->topics[out->topics_count++];
        offset_fetch_topic(my, NULL, &group->topics[t], topic);
        for (int32_t p = 0; p < topic->partitions_count; p++)
            topic->partitions[p].error_code = error;
    }
}

static void offset_fetch_lower(struct offset_fetch *my)
{
    struct offset_fetch_response *response = my->response;
    struct arena *arena = &my->tour.req->arena;
    struct offset_fetch_response_group *group = response->groups;
    if (group->error_code != KAFKA_ERROR_NONE && my->tour.req->version < 2)
        offset_fetch_spread_error(my, group->error_code);
    response->error_code = group->error_code;
    response->topics =
        arena_new_n(arena, struct offset_fetch_response_topic, (size_t)group->topics_count);
    for (int32_t t = 0; t < group->topics_count; t++)
        offset_fetch_lower_topic(
            arena, &group->topics[t], &response->topics[response->topics_count++]);
    response->groups = NULL;
    response->groups_count = 0;
}

static void offset_fetch_end(struct group_tour *tour)
{
    struct offset_fetch *my = container_of(tour, struct offset_fetch, tour);
    if (tour->req->version < 8)
        offset_fetch_lower(my);
    request_complete(tour->req);
}

enum handle_result offset_fetch_handle(struct request *req,
    const struct offset_fetch_request *request, struct offset_fetch_response *response)
{
    struct offset_fetch *my = arena_new(&req->arena, struct offset_fetch);
    my->response = response;
    my->require_stable = request->require_stable;
    my->tour.visit = offset_fetch_visit;
    my->tour.end = offset_fetch_end;
    my->groups = request->groups;
    my->groups_count = request->groups_count;
    if (req->version < 8)
        offset_fetch_lift(my, req, request);
    size_t count = (size_t)my->groups_count;
    struct slice *names = arena_new_n(&req->arena, struct slice, count);
    for (size_t i = 0; i < count; i++)
        names[i] = my->groups[i].group_id;
    response->groups = arena_new_n(&req->arena, struct offset_fetch_response_group, count);
    response->groups_count = my->groups_count;
    return group_tour_start(&my->tour, req, names, my->groups_count);
}
