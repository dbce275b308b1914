// SPDX-License-Identifier: BSD-2-Clause
#include "api/cluster.h"
#include "api/plane.h"
#include "runner.h"
#include "wire/describe_cluster.gen.h"
#include "wire/find_coordinator.gen.h"
#include "wire/heartbeat.gen.h"
#include "wire/list_groups.gen.h"
#include "wire/offset_commit.gen.h"

#include <stdio.h>

/* NULL: every topic. */
static const struct elect_leaders_response *elect(
    struct harness *harness, int8_t type, const char *topic, int32_t partition)
{
    struct elect_leaders_request *request = harness_request(harness, &elect_leaders_api_codec);
    request->election_type = type;
    request->topic_partitions_count = topic == NULL ? -1 : 1;
    request->topic_partitions =
        arena_new(harness_arena(harness), struct elect_leaders_request_topic);
    request->topic_partitions->topic = slice_from_str(topic);
    request->topic_partitions->partitions = arena_new(harness_arena(harness), int32_t);
    *request->topic_partitions->partitions = partition;
    request->topic_partitions->partitions_count = 1;
    return harness_call(harness, &elect_leaders_api_codec, 2, request);
}

static void elect_one(
    struct harness *harness, int8_t type, const char *topic, int32_t partition, int16_t expected)
{
    const struct elect_leaders_response *response = elect(harness, type, topic, partition);
    ck_assert_int_eq(response->error_code, KAFKA_ERROR_NONE);
    ck_assert_int_eq(response->replica_election_results_count, 1);
    ck_assert_int_eq(
        response->replica_election_results[0].partition_result[0].error_code, expected);
}

/* Partition 0 of "orders" is led by 2 and would rather be led by 1. */
static struct harness *unbalanced(void)
{
    struct harness *harness = cluster_new("odradek.virtual.brokers=3");
    cluster_topic(harness, "orders", 2, (int32_t[]){2, 3}, 2);
    cluster_reassign(harness, "orders", 0, (int32_t[]){1, 2}, 2);
    return harness;
}

START_TEST(the_preferred_leader_leads_again)
{
    struct harness *harness = unbalanced();
    ck_assert_int_eq(cluster_leader(harness, "orders", 0), 2);
    elect_one(harness, 0, "orders", 0, KAFKA_ERROR_NONE);
    ck_assert_int_eq(cluster_leader(harness, "orders", 0), 1);
    elect_one(harness, 0, "orders", 0, KAFKA_ERROR_ELECTION_NOT_NEEDED);
    elect_one(harness, 1, "orders", 0, KAFKA_ERROR_ELECTION_NOT_NEEDED);
    elect_one(harness, 0, "orders", 7, KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION);
    elect_one(harness, 0, "nothing", 0, KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION);
    ck_assert_int_eq(elect(harness, 2, "orders", 0)->error_code, KAFKA_ERROR_INVALID_REQUEST);
    harness_free(harness);
}
END_TEST

START_TEST(without_names_all_that_need_it)
{
    struct harness *harness = unbalanced();
    const struct elect_leaders_response *response = elect(harness, 0, NULL, 0);
    ck_assert_int_eq(response->replica_election_results_count, 1);
    ck_assert_int_eq(response->replica_election_results[0].partition_result_count, 1);
    ck_assert_int_eq(response->replica_election_results[0].partition_result[0].partition_id, 0);
    ck_assert_int_eq(cluster_leader(harness, "orders", 0), 1);
    ck_assert_int_eq(elect(harness, 0, NULL, 0)->replica_election_results_count, 0);
    harness_free(harness);
}
END_TEST

START_TEST(a_new_leader_has_a_new_epoch)
{
    struct harness *harness = unbalanced();
    int32_t before = cluster_epoch(harness, "orders", 0);
    elect_one(harness, 0, "orders", 0, KAFKA_ERROR_NONE);
    ck_assert_int_eq(cluster_epoch(harness, "orders", 0), before + 1);
    harness_restart(harness, NULL);
    ck_assert_int_eq(cluster_epoch(harness, "orders", 0), before + 1);
    harness_free(harness);
}
END_TEST

/* --- who is asked --- */

START_TEST(who_does_not_lead_says_who_does)
{
    struct harness *harness = unbalanced();
    struct plane_batch one = {.count = 1};
    const struct produce_response *produced = harness_call(harness, &produce_api_codec, 12,
        plane_produce_request(harness, "orders", UUID_ZERO, 0, plane_encode(harness, &one), 1));
    const struct produce_response_partition *answer = plane_produced(produced);
    ck_assert_int_eq(answer->error_code, KAFKA_ERROR_NOT_LEADER_OR_FOLLOWER);
    ck_assert_int_eq(answer->current_leader.leader_id, 2);
    ck_assert_int_eq(produced->node_endpoints_count, 1);
    ck_assert_int_eq(produced->node_endpoints[0].node_id, 2);
    ck_assert_int_gt(produced->node_endpoints[0].port, 0);
    harness_free(harness);
}
END_TEST

START_TEST(who_does_not_lead_says_so)
{
    struct harness *harness = unbalanced();
    struct plane_batch one = {.count = 1};
    ck_assert_int_eq(
        plane_produce(harness, "orders", 0, one)->error_code, KAFKA_ERROR_NOT_LEADER_OR_FOLLOWER);
    harness_address(harness, 1); /* broker 2 */
    ck_assert_int_eq(plane_produce(harness, "orders", 0, one)->error_code, KAFKA_ERROR_NONE);
    elect_one(harness, 0, "orders", 0, KAFKA_ERROR_NONE);
    ck_assert_int_eq(
        plane_produce(harness, "orders", 0, one)->error_code, KAFKA_ERROR_NOT_LEADER_OR_FOLLOWER);
    harness_address(harness, 0);
    const struct produce_response_partition *answer = plane_produce(harness, "orders", 0, one);
    ck_assert_int_eq(answer->error_code, KAFKA_ERROR_NONE);
    ck_assert_int_eq(answer->base_offset, 1);
    harness_free(harness);
}
END_TEST

static int32_t coordinator(struct harness *harness, const char *group)
{
    struct find_coordinator_request *request =
        harness_request(harness, &find_coordinator_api_codec);
    struct slice key = slice_from_str(group);
    request->coordinator_keys = &key;
    request->coordinator_keys_count = 1;
    const struct find_coordinator_response *response =
        harness_call(harness, &find_coordinator_api_codec, 4, request);
    ck_assert_int_eq(response->coordinators[0].error_code, KAFKA_ERROR_NONE);
    return response->coordinators[0].node_id;
}

static int16_t heartbeat(struct harness *harness, const char *group)
{
    struct heartbeat_request *request = harness_request(harness, &heartbeat_api_codec);
    request->group_id = slice_from_str(group);
    request->member_id = SLICE_LIT("nobody");
    const struct heartbeat_response *response =
        harness_call(harness, &heartbeat_api_codec, 4, request);
    return response->error_code;
}

START_TEST(coordinators_are_spread_and_refuse_what_is_not_theirs)
{
    struct harness *harness = cluster_new("odradek.virtual.brokers=3");
    unsigned found[3] = {0};
    for (int i = 0; i < 12; i++) {
        char group[16];
        snprintf(group, sizeof(group), "group-%d", i);
        int32_t node = coordinator(harness, group);
        ck_assert_int_ge(node, 1);
        ck_assert_int_le(node, 3);
        found[node - 1]++;
        for (int asked = 0; asked < 3; asked++) {
            harness_address(harness, asked);
            ck_assert_int_eq(heartbeat(harness, group),
                asked == node - 1 ? KAFKA_ERROR_UNKNOWN_MEMBER_ID : KAFKA_ERROR_NOT_COORDINATOR);
        }
        harness_address(harness, 0);
    }
    for (int i = 0; i < 3; i++)
        ck_assert_uint_gt(found[i], 0);
    harness_free(harness);
}
END_TEST

START_TEST(a_group_is_listed_by_its_coordinator_alone)
{
    struct harness *harness = cluster_new("odradek.virtual.brokers=3");
    admin_create(harness, "orders", 1);
    int32_t node = coordinator(harness, "readers");
    struct offset_commit_request *commit = harness_request(harness, &offset_commit_api_codec);
    struct offset_commit_request_topic topic;
    struct offset_commit_request_partition partition;
    offset_commit_request_topic_init(&topic);
    offset_commit_request_partition_init(&partition);
    commit->group_id = SLICE_LIT("readers");
    commit->topics = &topic;
    commit->topics_count = 1;
    topic.name = SLICE_LIT("orders");
    topic.partitions = &partition;
    topic.partitions_count = 1;
    partition.committed_offset = 0;
    harness_address(harness, node - 1);
    const struct offset_commit_response *committed =
        harness_call(harness, &offset_commit_api_codec, 8, commit);
    ck_assert_int_eq(committed->topics[0].partitions[0].error_code, KAFKA_ERROR_NONE);
    for (int asked = 0; asked < 3; asked++) {
        harness_address(harness, asked);
        const struct list_groups_response *groups = harness_call(
            harness, &list_groups_api_codec, 4, harness_request(harness, &list_groups_api_codec));
        ck_assert_int_eq(groups->groups_count, asked == node - 1);
    }
    harness_free(harness);
}
END_TEST

START_TEST(every_broker_is_shown)
{
    struct harness *harness = cluster_new("odradek.virtual.brokers=4");
    const struct describe_cluster_response *cluster = harness_call(harness,
        &describe_cluster_api_codec, 1, harness_request(harness, &describe_cluster_api_codec));
    ck_assert_int_eq(cluster->brokers_count, 4);
    ck_assert_int_eq(cluster->controller_id, 1);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(cluster->brokers[i].broker_id, i + 1);
    harness_free(harness);
}
END_TEST

START_TEST(fewer_brokers_take_over_what_the_others_had)
{
    struct harness *harness = cluster_new("odradek.virtual.brokers=3");
    cluster_topic(harness, "orders", 1, (int32_t[]){3, 2}, 2);
    cluster_topic(harness, "trades", 1, (int32_t[]){3}, 1);
    harness_restart(harness, "odradek.virtual.brokers=2", NULL);
    ck_assert_int_eq(cluster_leader(harness, "orders", 0), 2);
    ck_assert_int_le(cluster_leader(harness, "trades", 0), 2);
    harness_restart(harness, "odradek.virtual.brokers=1", NULL);
    ck_assert_int_eq(cluster_leader(harness, "orders", 0), 1);
    ck_assert_int_eq(cluster_leader(harness, "trades", 0), 1);
    harness_free(harness);
}
END_TEST

TEST_MAIN("api/elect_leaders", the_preferred_leader_leads_again, who_does_not_lead_says_who_does,
    without_names_all_that_need_it, a_new_leader_has_a_new_epoch, who_does_not_lead_says_so,
    coordinators_are_spread_and_refuse_what_is_not_theirs,
    a_group_is_listed_by_its_coordinator_alone, every_broker_is_shown,
    fewer_brokers_take_over_what_the_others_had)
