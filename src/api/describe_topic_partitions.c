// SPDX-License-Identifier: BSD-2-Clause
/*
 * describe_topic_partitions: topics in order of their names, cut after a number of partitions. A
 * cursor says where the cut was; the next request goes on there.
 */
#include <stdlib.h>

#include "api/nodes.h"
#include "api/topics_join.h"
#include "broker/topics/image.h"
#include "wire/describe_topic_partitions.gen.h"
#include "wire/errors.gen.h"

#define PARTITIONS_PER_ANSWER_MAX 2000

struct describe {
    struct request *req;
    struct describe_topic_partitions_response *response;
    int32_t *node;
    int32_t room; /* partitions that still fit */
};

static int slices_compare(const void *a, const void *b)
{
    return slice_compare(*(const struct slice *)a, *(const struct slice *)b);
}

/* The names to answer about, sorted, each once. Empty request: all topics. */
static size_t names_collect(struct request *req,
    const struct describe_topic_partitions_request *request, struct slice **ret_names)
{
    const struct image *image = broker_image(request_broker(req));
    bool all = request->topics_count <= 0;
    size_t count = all ? image->topics_count : (size_t)request->topics_count, unique = 0;
    struct slice *names = arena_new_n(&req->arena, struct slice, count + 1);
    for (size_t i = 0; i < count; i++)
        names[i] = all ? arena_copy_slice(&req->arena, slice_from_str(image->topics[i]->name))
                       : request->topics[i].name;
    if (!all && count > 0)
        qsort(names, count, sizeof(names[0]), slices_compare);
    for (size_t i = 0; i < count; i++) {
        if (unique == 0 || !slice_equal(names[unique - 1], names[i]))
            names[unique++] = names[i];
    }
    *ret_names = names;
    return unique;
}

static bool names_have(const struct slice *names, size_t count, struct slice name)
{
    return bsearch(&name, names, count, sizeof(names[0]), slices_compare) != NULL;
}

static void fill_partition(const struct describe *describe, const struct topic *topic,
    int32_t index, struct describe_topic_partitions_response_partition *answer)
{
    describe_topic_partitions_response_partition_init(answer);
    answer->partition_index = index;
    answer->leader_id = broker_leader(request_broker(describe->req), topic, index);
    answer->leader_epoch = topic_leader_epoch(topic, index);
    answer->replica_nodes = answer->isr_nodes =
        topic->replicas == NULL ? describe->node
                                : nodes_copy(&describe->req->arena, &topic->replicas[index]);
    answer->replica_nodes_count = answer->isr_nodes_count =
        topic->replicas == NULL ? 1 : topic->replicas[index].count;
    answer->eligible_leader_replicas_count = answer->last_known_elr_count = 0;
}

static struct describe_topic_partitions_response_topic *topic_add(
    struct describe *describe, struct slice name)
{
    struct describe_topic_partitions_response *response = describe->response;
    struct describe_topic_partitions_response_topic *answer =
        &response->topics[response->topics_count++];
    describe_topic_partitions_response_topic_init(answer);
    answer->name = name;
    return answer;
}

/* From partition `first` on; false: the answer is full, and the cursor is set. */
static bool describe_topic(
    struct describe *describe, struct slice name, const struct topic *topic, int32_t first)
{
    struct arena *arena = &describe->req->arena;
    int32_t left = first < topic->partitions_count ? topic->partitions_count - first : 0;
    int32_t count = left < describe->room ? left : describe->room;
    if (count > 0 || left == 0) {
        struct describe_topic_partitions_response_topic *answer = topic_add(describe, name);
        answer->topic_id = topic->id;
        answer->is_internal = topic->internal;
        answer->topic_authorized_operations = AUTHORIZED_TOPIC;
        answer->partitions = arena_new_n(
            arena, struct describe_topic_partitions_response_partition, (size_t)count + 1);
        answer->partitions_count = count;
        for (int32_t i = 0; i < count; i++)
            fill_partition(describe, topic, first + i, &answer->partitions[i]);
        describe->room -= count;
    }
    if (count == left)
        return true;
    describe->response->next_cursor =
        arena_new(arena, struct describe_topic_partitions_response_cursor);
    *describe->response->next_cursor =
        (struct describe_topic_partitions_response_cursor){name, first + count};
    return false;
}

static void describe_missing(struct describe *describe, struct slice name)
{
    topic_add(describe, name)->error_code = topic_name_valid(name)
                                                ? KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION
                                                : KAFKA_ERROR_INVALID_TOPIC_EXCEPTION;
}

static void describe_all(struct describe *describe,
    const struct describe_topic_partitions_request_cursor *cursor, const struct slice *names,
    size_t count)
{
    const struct image *image = broker_image(request_broker(describe->req));
    for (size_t i = 0; i < count; i++) {
        int order = cursor == NULL ? 1 : slice_compare(names[i], cursor->topic_name);
        const struct topic *topic = image_topic(image, names[i]);
        if (order < 0)
            continue;
        if (topic == NULL)
            describe_missing(describe, names[i]);
        else if (!describe_topic(
                     describe, names[i], topic, order == 0 ? cursor->partition_index : 0))
            return;
    }
}

enum handle_result describe_topic_partitions_handle(struct request *req,
    const struct describe_topic_partitions_request *request,
    struct describe_topic_partitions_response *response)
{
    struct slice *names;
    size_t count = names_collect(req, request, &names);
    const struct describe_topic_partitions_request_cursor *cursor = request->cursor;
    struct describe describe = {
        .req = req, .response = response, .room = PARTITIONS_PER_ANSWER_MAX};
    if (request->response_partition_limit < describe.room)
        describe.room =
            request->response_partition_limit < 1 ? 1 : request->response_partition_limit;
    describe.node = arena_new(&req->arena, int32_t);
    *describe.node = broker_id(request_broker(req));
    response->topics =
        arena_new_n(&req->arena, struct describe_topic_partitions_response_topic, count + 1);
    response->topics_count = 0;
    if (cursor != NULL &&
        (cursor->partition_index < 0 ||
            (request->topics_count > 0 && !names_have(names, count, cursor->topic_name)))) {
        for (size_t i = 0; i < count; i++)
            topic_add(&describe, names[i])->error_code = KAFKA_ERROR_INVALID_REQUEST;
        return HANDLE_DONE;
    }
    describe_all(&describe, cursor, names, count);
    return HANDLE_DONE;
}
