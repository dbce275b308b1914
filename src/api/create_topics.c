// SPDX-License-Identifier: BSD-2-Clause
/* create_topics: each topic of the request is an operation of its own; one that is refused does not
 * touch the others. */
#include "api/configs.h"
#include "api/topics_join.h"
#include "base/map.h"
#include "broker/topics/image.h"
#include "wire/create_topics.gen.h"
#include "wire/errors.gen.h"

/* Partitions must be numbered from 0 without a gap. */
static void op_assign(struct topics_op *op, const struct create_topics_request_topic *topic)
{
    size_t count = (size_t)topic->assignments_count;
    struct topics_nodes *nodes = arena_new_n(op->arena, struct topics_nodes, count);
    if (topic->num_partitions != -1 || topic->replication_factor != -1) {
        topics_op_refuse(op, TOPICS_REQUEST_INVALID,
            SLICE_LIT("Both numPartitions or replicationFactor and replicasAssignments were set. "
                      "Use one of them."));
        return;
    }
    for (size_t i = 0; i < count; i++) {
        const struct create_topics_request_assignment *assignment = &topic->assignments[i];
        int32_t partition = assignment->partition_index;
        if (partition < 0 || (size_t)partition >= count || nodes[partition].ids != NULL) {
            topics_op_refuse(op, TOPICS_ASSIGNMENT_INVALID,
                SLICE_LIT("Partitions should be a consecutive 0-based integer sequence."));
            return;
        }
        nodes[partition] =
            (struct topics_nodes){assignment->broker_ids, assignment->broker_ids_count};
        if (nodes[partition].ids == NULL)
            nodes[partition].ids = arena_new(op->arena, int32_t); /* none: refused later */
    }
    op->partitions = topic->assignments_count;
    op->assignments = nodes;
    op->assignments_count = topic->assignments_count;
}

/* Of a name that is there twice the last value counts. */
static void op_configure(struct topics_op *op, const struct create_topics_request_topic *topic)
{
    struct topics_config *configs =
        arena_new_n(op->arena, struct topics_config, (size_t)topic->configs_count + 1);
    struct map seen = MAP_NULL;
    for (int32_t i = 0; i < topic->configs_count; i++) {
        struct topics_config *config = map_get(&seen, topic->configs[i].name);
        if (config == NULL)
            config = &configs[op->configs_count++];
        *config = (struct topics_config){
            topic->configs[i].name, topic->configs[i].value, TOPICS_CONFIG_SET};
        map_put(&seen, config->name, config);
    }
    map_deinit(&seen);
    op->configs = configs;
}

static void op_prepare(
    struct topics_op *op, const struct create_topics_request *request, int32_t index)
{
    const struct create_topics_request_topic *topic = &request->topics[index];
    op->name = topic->name;
    op->partitions = topic->num_partitions;
    op->replication = topic->replication_factor;
    op->validate_only = request->validate_only;
    op_configure(op, topic);
    if (topic->assignments_count > 0)
        op_assign(op, topic);
}

static void fill_configs(
    struct request *req, const struct topic *topic, struct create_topics_response_topic *answer)
{
    const struct config *config = broker_settings(request_broker(req))->config;
    answer->configs =
        arena_new_n(&req->arena, struct create_topics_response_config, config_keys_count);
    for (size_t i = 0; i < config_keys_count; i++) {
        const struct config_key *key = &config_keys[i];
        if ((key->scope & CONFIG_SCOPE_TOPIC) == 0)
            continue;
        struct configs_entry entry = configs_topic_entry(&req->arena, config, topic, key);
        answer->configs[answer->configs_count++] = (struct create_topics_response_config){
            .name = slice_from_str(key->name),
            .value = entry.value,
            .config_source = entry.source,
        };
    }
}

static void fill_topic(
    struct request *req, const struct topics_op *op, struct create_topics_response_topic *answer)
{
    create_topics_response_topic_init(answer);
    answer->name = op->name;
    answer->error_code = topics_error_code(op);
    answer->error_message = op->message;
    answer->configs_count = 0;
    if (op->topic == NULL)
        return;
    answer->topic_id = op->topic->id; /* also of one that will not be, as in Kafka */
    answer->num_partitions = op->topic->partitions_count;
    answer->replication_factor =
        (int16_t)(op->topic->replicas == NULL ? 1 : op->topic->replicas[0].count);
    fill_configs(req, op->topic, answer);
}

static void create_topics_finish(struct topics_join *join)
{
    struct create_topics_response *response = join->req->response;
    response->topics =
        arena_new_n(&join->req->arena, struct create_topics_response_topic, join->count + 1);
    response->topics_count = (int32_t)join->count;
    for (size_t i = 0; i < join->count; i++)
        fill_topic(join->req, &join->ops[i], &response->topics[i]);
}

enum handle_result create_topics_handle(struct request *req,
    const struct create_topics_request *request, struct create_topics_response *response)
{
    (void)response;
    struct topics_join *join =
        topics_join_new(req, TOPICS_CREATE, (size_t)request->topics_count, create_topics_finish);
    for (int32_t i = 0; i < request->topics_count; i++)
        op_prepare(&join->ops[i], request, i);
    topics_join_unite_duplicates(join);
    return topics_join_start(join);
}
