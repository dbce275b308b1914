// SPDX-License-Identifier: BSD-2-Clause
#include "runner.h"
#include "support/group_calls.h"

START_TEST(every_version_commits)
{
    struct harness *harness = calls_new(2);
    calls_topic(harness, "orders", 3);
    for (int16_t version = 0; version <= 9; version++) {
        ck_assert_int_eq(calls_commit(harness, version, "g", NULL, "orders", 1, 100 + version),
            KAFKA_ERROR_NONE);
        ck_assert_int_eq(calls_committed(harness, "g", "orders", 1), 100 + version);
        ck_assert_int_eq(calls_commit(harness, version, "g", NULL, "nothing", 0, 1),
            KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION);
        ck_assert_int_eq(calls_commit(harness, version, "g", NULL, "orders", 3, 1),
            KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION);
        ck_assert_int_eq(calls_commit(harness, version, "g", NULL, "orders", -1, 1),
            KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION);
    }
    /* kafkajs seeks by committing what is no offset; no group id is one, too */
    ck_assert_int_eq(calls_commit(harness, 5, "g", NULL, "orders", 1, -2), KAFKA_ERROR_NONE);
    ck_assert_int_eq(calls_committed(harness, "g", "orders", 1), -2);
    ck_assert_int_eq(calls_commit(harness, 5, "", NULL, "orders", 1, 7), KAFKA_ERROR_NONE);
    ck_assert_int_eq(calls_committed(harness, "", "orders", 1), 7);
    harness_free(harness);
}
END_TEST

START_TEST(members_commit_in_their_generation)
{
    struct harness *harness = calls_new(2);
    calls_topic(harness, "orders", 3);
    struct calls_member member = calls_member(harness, "g", 1);
    calls_stabilize(&member);
    for (int16_t version = 1; version <= 9; version++) {
        member.generation = 1;
        ck_assert_int_eq(
            calls_commit(harness, version, "g", &member, "orders", 1, 5), KAFKA_ERROR_NONE);
        ck_assert_int_eq(calls_commit(harness, version, "g", NULL, "orders", 1, 5),
            KAFKA_ERROR_UNKNOWN_MEMBER_ID);
        member.generation = 3;
        ck_assert_int_eq(calls_commit(harness, version, "g", &member, "orders", 1, 5),
            KAFKA_ERROR_ILLEGAL_GENERATION);
        ck_assert_int_eq(calls_commit(harness, version, "nobody", &member, "orders", 1, 5),
            version >= 9 ? KAFKA_ERROR_GROUP_ID_NOT_FOUND : KAFKA_ERROR_ILLEGAL_GENERATION);
    }
    harness_free(harness);
}
END_TEST

START_TEST(a_new_generation_commits_after_its_sync)
{
    struct harness *harness = calls_new(2);
    calls_topic(harness, "orders", 3);
    struct calls_member member = calls_member(harness, "g", 1);
    calls_join(&member);
    ck_assert_int_eq(
        calls_commit(harness, 5, "g", &member, "orders", 1, 5), KAFKA_ERROR_REBALANCE_IN_PROGRESS);
    calls_sync(&member);
    ck_assert_int_eq(calls_commit(harness, 5, "g", &member, "orders", 1, 5), KAFKA_ERROR_NONE);
    harness_free(harness);
}
END_TEST

START_TEST(topics_by_id)
{
    struct harness *harness = calls_new(2);
    calls_topic(harness, "orders", 3);
    struct offset_commit_request_partition partition;
    offset_commit_request_partition_init(&partition);
    partition.committed_offset = 4;
    struct offset_commit_request_topic topics[2];
    for (int i = 0; i < 2; i++) {
        offset_commit_request_topic_init(&topics[i]);
        topics[i].partitions = &partition;
        topics[i].partitions_count = 1;
    }
    topics[0].topic_id = calls_topic_id(harness, "orders");
    topics[1].topic_id.bytes[3] = 9;
    struct offset_commit_request *request = harness_request(harness, &offset_commit_api_codec);
    request->group_id = SLICE_LIT("g");
    request->topics = topics;
    request->topics_count = 2;
    const struct offset_commit_response *response =
        calls_do(harness, &offset_commit_api_codec, 10, request);
    ck_assert_int_eq(response->topics[0].partitions[0].error_code, KAFKA_ERROR_NONE);
    ck_assert(uuid_equal(response->topics[0].topic_id, topics[0].topic_id));
    ck_assert_int_eq(response->topics[1].partitions[0].error_code, KAFKA_ERROR_UNKNOWN_TOPIC_ID);
    ck_assert_int_eq(calls_committed(harness, "g", "orders", 0), 4);
    harness_free(harness);
}
END_TEST

START_TEST(long_metadata_is_refused)
{
    static char text[4097];
    memset(text, 'x', sizeof(text));
    struct harness *harness = calls_new(2);
    calls_topic(harness, "orders", 3);
    struct offset_commit_request_partition partitions[2];
    for (int i = 0; i < 2; i++) {
        offset_commit_request_partition_init(&partitions[i]);
        partitions[i].partition_index = i;
        partitions[i].committed_metadata = slice_make(text, sizeof(text) - (size_t)i);
    }
    struct offset_commit_request_topic topic;
    offset_commit_request_topic_init(&topic);
    topic.name = SLICE_LIT("orders");
    topic.partitions = partitions;
    topic.partitions_count = 2;
    struct offset_commit_request *request = harness_request(harness, &offset_commit_api_codec);
    request->group_id = SLICE_LIT("g");
    request->topics = &topic;
    request->topics_count = 1;
    const struct offset_commit_response *response =
        calls_do(harness, &offset_commit_api_codec, 7, request);
    ck_assert_int_eq(
        response->topics[0].partitions[0].error_code, KAFKA_ERROR_OFFSET_METADATA_TOO_LARGE);
    ck_assert_int_eq(response->topics[0].partitions[1].error_code, KAFKA_ERROR_NONE);
    harness_free(harness);
}
END_TEST

START_TEST(a_restart_keeps_offsets)
{
    struct harness *harness = calls_new(2);
    calls_topic(harness, "orders", 3);
    ck_assert_int_eq(calls_commit(harness, 7, "g", NULL, "orders", 2, 77), KAFKA_ERROR_NONE);
    harness_restart(harness, NULL);
    ck_assert_int_eq(calls_committed(harness, "g", "orders", 2), 77);
    harness_free(harness);
}
END_TEST

/* Ownership comes and goes, everything is late: what was acknowledged is there, and errors are ones
 * that clients retry. */
START_TEST(an_engine_that_loses_partitions)
{
    enum { COMMITS = 150 };
    static const char *const groups[] = {"g", "h", "i"};
    struct harness *harness =
        harness_new(3, "offsets.topic.num.partitions=4", "odradek.engine=delay",
            "odradek.engine.delay.max.ms=4", "odradek.engine.delay.loss=1500", NULL);
    int retries = 0;
    int64_t acknowledged[3] = {0};
    calls_topic(harness, "orders", 3);
    for (int i = 1; i <= COMMITS; i++) {
        int16_t error = calls_commit(harness, 7, groups[i % 3], NULL, "orders", 1, i);
        if (error == KAFKA_ERROR_NONE)
            acknowledged[i % 3] = i;
        else
            ck_assert_int_eq(error, KAFKA_ERROR_NOT_COORDINATOR);
        retries += error != KAFKA_ERROR_NONE;
        int64_t seen = calls_committed(harness, groups[i % 3], "orders", 1);
        ck_assert_int_ge(seen, acknowledged[i % 3]);
    }
    ck_assert_int_lt(retries, COMMITS);
    harness_restart(harness, "odradek.engine=local", NULL);
    for (int i = 0; i < 3; i++)
        ck_assert_int_ge(calls_committed(harness, groups[i], "orders", 1), acknowledged[i]);
    harness_free(harness);
}
END_TEST

TEST_MAIN("api/offset_commit", every_version_commits, members_commit_in_their_generation,
    a_new_generation_commits_after_its_sync, topics_by_id, long_metadata_is_refused,
    a_restart_keeps_offsets, an_engine_that_loses_partitions)
