// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/* cluster: what tests of several virtual brokers ask for often. */
#include "api/admin.h"
#include "wire/alter_partition_reassignments.gen.h"
#include "wire/elect_leaders.gen.h"

static inline struct harness *cluster_new(const char *brokers)
{
    return harness_new(2, brokers, "offsets.topic.num.partitions=6",
        "transaction.state.log.num.partitions=6", NULL);
}

/* Manual replicas: `nodes` for every partition. */
static inline void cluster_topic(struct harness *harness, const char *name, int32_t partitions,
    const int32_t *nodes, int32_t count)
{
    struct create_topics_request *request = admin_create_request(harness, name, -1);
    struct create_topics_request_topic *topic = request->topics;
    topic->replication_factor = -1;
    topic->assignments = arena_new_n(
        harness_arena(harness), struct create_topics_request_assignment, (size_t)partitions);
    topic->assignments_count = partitions;
    for (int32_t i = 0; i < partitions; i++)
        topic->assignments[i] =
            (struct create_topics_request_assignment){i, (int32_t *)(uintptr_t)nodes, count};
    const struct create_topics_response_topic *answer = admin_create_call(harness, request);
    ck_assert_msg(
        answer->error_code == KAFKA_ERROR_NONE, "%s: %.*s", name, SLICE_FMT(answer->error_message));
}

static inline int32_t cluster_leader(struct harness *harness, const char *topic, int32_t partition)
{
    return admin_topic(harness, topic)->partitions[partition].leader_id;
}

static inline int32_t cluster_epoch(struct harness *harness, const char *topic, int32_t partition)
{
    return admin_topic(harness, topic)->partitions[partition].leader_epoch;
}

/* `count` -1 cancels. */
static inline const struct alter_partition_reassignments_response_partition *cluster_reassign(
    struct harness *harness, const char *topic, int32_t partition, const int32_t *nodes,
    int32_t count)
{
    struct alter_partition_reassignments_request *request =
        harness_request(harness, &alter_partition_reassignments_api_codec);
    request->topics =
        arena_new(harness_arena(harness), struct alter_partition_reassignments_request_topic);
    request->topics_count = 1;
    request->topics->name = slice_from_str(topic);
    request->topics->partitions =
        arena_new(harness_arena(harness), struct alter_partition_reassignments_request_partition);
    request->topics->partitions_count = 1;
    *request->topics->partitions = (struct alter_partition_reassignments_request_partition){
        partition, (int32_t *)(uintptr_t)nodes, count};
    const struct alter_partition_reassignments_response *response =
        harness_call(harness, &alter_partition_reassignments_api_codec, 1, request);
    ck_assert_int_eq(response->error_code, KAFKA_ERROR_NONE);
    ck_assert_int_eq(response->responses_count, 1);
    ck_assert_int_eq(response->responses[0].partitions_count, 1);
    return response->responses[0].partitions;
}
