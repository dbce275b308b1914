// SPDX-License-Identifier: BSD-2-Clause
#include "api/cluster.h"
#include "runner.h"

START_TEST(replicas_and_leader_follow_at_once)
{
    struct harness *harness = cluster_new("odradek.virtual.brokers=3");
    cluster_topic(harness, "orders", 2, (int32_t[]){2, 3}, 2);
    ck_assert_int_eq(cluster_leader(harness, "orders", 0), 2);
    ck_assert_int_eq(
        cluster_reassign(harness, "orders", 0, (int32_t[]){1, 3}, 2)->error_code, KAFKA_ERROR_NONE);
    const struct metadata_response_partition *partition =
        &admin_topic(harness, "orders")->partitions[0];
    ck_assert_int_eq(partition->leader_id, 1);
    ck_assert_int_eq(partition->replica_nodes_count, 2);
    ck_assert_int_eq(partition->replica_nodes[0], 1);
    ck_assert_int_eq(partition->replica_nodes[1], 3);
    ck_assert_int_eq(partition->isr_nodes_count, 2);
    ck_assert_int_eq(cluster_leader(harness, "orders", 1), 2);
    harness_restart(harness, NULL);
    ck_assert_int_eq(cluster_leader(harness, "orders", 0), 1);
    ck_assert_int_eq(cluster_leader(harness, "orders", 1), 2);
    harness_free(harness);
}
END_TEST

START_TEST(a_leader_that_stays_a_replica_stays_leader)
{
    struct harness *harness = cluster_new("odradek.virtual.brokers=3");
    cluster_topic(harness, "orders", 1, (int32_t[]){2, 3}, 2);
    int32_t epoch = cluster_epoch(harness, "orders", 0);
    cluster_reassign(harness, "orders", 0, (int32_t[]){1, 2, 3}, 3);
    ck_assert_int_eq(cluster_leader(harness, "orders", 0), 2);
    ck_assert_int_eq(cluster_epoch(harness, "orders", 0), epoch);
    harness_free(harness);
}
END_TEST

static void refused(struct harness *harness, int32_t partition, const int32_t *nodes, int32_t count,
    int16_t error, const char *text)
{
    const struct alter_partition_reassignments_response_partition *answer =
        cluster_reassign(harness, "orders", partition, nodes, count);
    ck_assert_int_eq(answer->error_code, error);
    ck_assert_text(answer->error_message, text);
}

START_TEST(what_cannot_be_is_refused)
{
    struct harness *harness = cluster_new("odradek.virtual.brokers=3");
    cluster_topic(harness, "orders", 1, (int32_t[]){2, 3}, 2);
    int16_t invalid = KAFKA_ERROR_INVALID_REPLICA_ASSIGNMENT;
    refused(harness, 0, (int32_t[]){1, 4}, 2, invalid, "brokers 1 to 3");
    refused(harness, 0, (int32_t[]){1, 1}, 2, invalid, "none of them twice");
    refused(harness, 0, NULL, 0, invalid, "may not be empty");
    refused(harness, 1, (int32_t[]){1}, 1, KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION, "not host");
    refused(harness, 0, NULL, -1, KAFKA_ERROR_NO_REASSIGNMENT_IN_PROGRESS, "No partition");
    ck_assert_int_eq(cluster_leader(harness, "orders", 0), 2);
    harness_free(harness);
}
END_TEST

START_TEST(one_broker_can_only_be_given_to_itself)
{
    struct harness *harness = harness_new(2, NULL);
    admin_create(harness, "orders", 1);
    ck_assert_int_eq(
        cluster_reassign(harness, "orders", 0, (int32_t[]){1}, 1)->error_code, KAFKA_ERROR_NONE);
    refused(harness, 0, (int32_t[]){2}, 1, KAFKA_ERROR_INVALID_REPLICA_ASSIGNMENT, "one broker");
    harness_free(harness);
}
END_TEST

TEST_MAIN("api/alter_partition_reassignments", replicas_and_leader_follow_at_once,
    a_leader_that_stays_a_replica_stays_leader, what_cannot_be_is_refused,
    one_broker_can_only_be_given_to_itself)
