// SPDX-License-Identifier: BSD-2-Clause
/*
 * metadata: who the brokers are and which partitions there are. Asking for a missing topic creates
 * it when client and broker allow that; the answer waits until it can be used, so no client ever
 * sees "leader not available". An answer about all topics never holds an error.
 */
#include <assert.h>

#include "api/nodes.h"
#include "api/topics_join.h"
#include "broker/topics/image.h"
#include "wire/errors.gen.h"
#include "wire/metadata.gen.h"

#define VERSION_TOPICS_BY_ID 12
#define VERSION_EMPTY_IS_ALL 0
#define VERSION_AUTO_CREATE  4 /* before it, asking was enough */

struct metadata_state {
    struct request *req;
    const struct metadata_request *request;
    struct metadata_response *response;
    int32_t *node; /* the one replica of everything, when there is one broker */
    /* For each topic asked for: the operation that creates it, NULL when there is none. */
    struct topics_op **created;
};

static bool wants_all(const struct request *req, const struct metadata_request *request)
{
    return request->topics_count < 0 ||
           (request->topics_count == 0 && req->version == VERSION_EMPTY_IS_ALL);
}

static void fill_partitions(
    struct metadata_state *state, const struct topic *topic, struct metadata_response_topic *answer)
{
    answer->partitions = arena_new_n(
        &state->req->arena, struct metadata_response_partition, (size_t)topic->partitions_count);
    answer->partitions_count = topic->partitions_count;
    for (int32_t i = 0; i < topic->partitions_count; i++) {
        struct metadata_response_partition *partition = &answer->partitions[i];
        metadata_response_partition_init(partition);
        partition->partition_index = i;
        partition->leader_id = broker_leader(request_broker(state->req), topic, i);
        partition->leader_epoch = topic_leader_epoch(topic, i);
        partition->replica_nodes = partition->isr_nodes =
            topic->replicas == NULL ? state->node
                                    : nodes_copy(&state->req->arena, &topic->replicas[i]);
        partition->replica_nodes_count = partition->isr_nodes_count =
            topic->replicas == NULL ? 1 : topic->replicas[i].count;
    }
}

static void fill_topic(
    struct metadata_state *state, const struct topic *topic, struct metadata_response_topic *answer)
{
    answer->name = arena_copy_slice(&state->req->arena, slice_from_str(topic->name));
    answer->topic_id = topic->id;
    answer->is_internal = topic->internal;
    if (state->request->include_topic_authorized_operations)
        answer->topic_authorized_operations = AUTHORIZED_TOPIC;
    fill_partitions(state, topic, answer);
}

static void fill_brokers(struct metadata_state *state)
{
    struct request *req = state->req;
    struct broker *broker = request_broker(req);
    struct metadata_response *response = state->response;
    response->brokers_count = broker_nodes_count(broker);
    response->brokers =
        arena_new_n(&req->arena, struct metadata_response_broker, (size_t)response->brokers_count);
    for (int32_t i = 0; i < response->brokers_count; i++) {
        struct metadata_response_broker *answer = &response->brokers[i];
        struct node_endpoint at = node_endpoint(req, broker_node_id(broker, i));
        metadata_response_broker_init(answer);
        answer->node_id = at.node;
        answer->host = at.host;
        answer->port = at.port;
        answer->rack = at.rack;
    }
    response->cluster_id = slice_from_str(broker_cluster_id(broker));
    response->controller_id = broker_id(broker);
    if (state->request->include_cluster_authorized_operations)
        response->cluster_authorized_operations = AUTHORIZED_CLUSTER;
}

static void fill_all(struct metadata_state *state)
{
    const struct image *image = broker_image(request_broker(state->req));
    struct metadata_response *response = state->response;
    response->topics =
        arena_new_n(&state->req->arena, struct metadata_response_topic, image->topics_count + 1);
    response->topics_count = (int32_t)image->topics_count;
    for (size_t i = 0; i < image->topics_count; i++) {
        metadata_response_topic_init(&response->topics[i]);
        fill_topic(state, image->topics[i], &response->topics[i]);
    }
}

/* Some clients leave the name empty, not null, when they ask by id. */
static bool asked_by_id(const struct metadata_request_topic *asked)
{
    return slice_is_null(asked->name) || !uuid_is_zero(asked->topic_id);
}

/* The topic a request names, by name or (since version 12) by id; NULL: none. */
static struct topic *topic_asked(const struct request *req, const struct image *image,
    const struct metadata_request_topic *asked)
{
    if (asked_by_id(asked)) /* versions 10 and 11 have the field, but may not use it */
        return req->version < VERSION_TOPICS_BY_ID ? NULL
                                                   : image_topic_by_id(image, asked->topic_id);
    return image_topic(image, asked->name);
}

static void fill_missing(struct metadata_state *state, const struct metadata_request_topic *asked,
    const struct topics_op *created, struct metadata_response_topic *answer)
{
    answer->name = asked_by_id(asked) ? SLICE_NULL : asked->name;
    answer->topic_id = asked->topic_id;
    if (state->request->include_topic_authorized_operations && !asked_by_id(asked))
        answer->topic_authorized_operations = AUTHORIZED_TOPIC; /* a name has them, as in Kafka */
    if (asked_by_id(asked))
        answer->error_code = state->req->version < VERSION_TOPICS_BY_ID
                                 ? KAFKA_ERROR_INVALID_REQUEST
                                 : KAFKA_ERROR_UNKNOWN_TOPIC_ID;
    else if (!topic_name_valid(asked->name))
        answer->error_code = KAFKA_ERROR_INVALID_TOPIC_EXCEPTION;
    else if (created != NULL && created->error != TOPICS_OK)
        answer->error_code = topics_error_code(created);
    else
        answer->error_code = KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION;
    if (slice_is_null(answer->name) && state->req->version < VERSION_TOPICS_BY_ID)
        answer->name = SLICE_LIT("");
}

static void fill_asked(struct metadata_state *state)
{
    const struct image *image = broker_image(request_broker(state->req));
    struct metadata_response *response = state->response;
    struct map seen = MAP_NULL; /* each topic once, however often it is asked for */
    size_t count = (size_t)state->request->topics_count;
    response->topics = arena_new_n(&state->req->arena, struct metadata_response_topic, count + 1);
    response->topics_count = 0;
    for (size_t i = 0; i < count; i++) {
        const struct metadata_request_topic *asked = &state->request->topics[i];
        struct slice key =
            asked_by_id(asked) ? slice_make(asked->topic_id.bytes, UUID_SIZE) : asked->name;
        if (map_put(&seen, key, (void *)asked) != NULL)
            continue;
        struct metadata_response_topic *answer = &response->topics[response->topics_count++];
        const struct topic *topic = topic_asked(state->req, image, asked);
        metadata_response_topic_init(answer);
        if (topic != NULL)
            fill_topic(state, topic, answer);
        else
            fill_missing(state, asked, state->created[i], answer);
    }
    map_deinit(&seen);
}

static void fill(struct metadata_state *state)
{
    fill_brokers(state);
    if (wants_all(state->req, state->request))
        fill_all(state);
    else
        fill_asked(state);
}

static bool may_create(const struct request *req, const struct metadata_request *request)
{
    return (req->version < VERSION_AUTO_CREATE || request->allow_auto_topic_creation) &&
           broker_settings(request_broker(req))->auto_create_topics && !wants_all(req, request);
}

static bool creates(const struct image *image, const struct metadata_request_topic *asked)
{
    return !asked_by_id(asked) && topic_name_valid(asked->name) &&
           image_topic(image, asked->name) == NULL &&
           !slice_equal_str(asked->name, TOPIC_NAME_TRANSACTIONS) &&
           !slice_equal_str(asked->name, TOPIC_NAME_SHARE_STATE);
}

static void on_created(struct topics_join *join)
{
    fill(join->context);
}

static enum handle_result create_missing(struct metadata_state *state, size_t missing)
{
    const struct image *image = broker_image(request_broker(state->req));
    struct topics_join *join = topics_join_new(state->req, TOPICS_ENSURE, missing, on_created);
    size_t next = 0;
    join->context = state;
    for (int32_t i = 0; i < state->request->topics_count; i++) {
        if (!creates(image, &state->request->topics[i]))
            continue;
        struct topics_op *op = &join->ops[next++];
        op->name = state->request->topics[i].name;
        state->created[i] = op;
    }
    assert(next == missing);
    return topics_join_start(join);
}

enum handle_result metadata_handle(
    struct request *req, const struct metadata_request *request, struct metadata_response *response)
{
    struct broker *broker = request_broker(req);
    size_t count = request->topics_count < 0 ? 0 : (size_t)request->topics_count, missing = 0;
    struct metadata_state *state = arena_new(&req->arena, struct metadata_state);
    *state = (struct metadata_state){req, request, response, arena_new(&req->arena, int32_t),
        arena_new_n(&req->arena, struct topics_op *, count + 1)};
    *state->node = broker_id(broker);
    if (may_create(req, request)) {
        for (size_t i = 0; i < count; i++)
            missing += creates(broker_image(broker), &request->topics[i]);
    }
    if (missing > 0)
        return create_missing(state, missing);
    fill(state);
    return HANDLE_DONE;
}
