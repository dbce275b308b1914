// SPDX-License-Identifier: BSD-2-Clause
#include "runner.h"
#include "support/group_calls.h"

static struct harness *start(void)
{
    struct harness *harness = calls_new(3);
    calls_topic(harness, "orders", 3);
    calls_topic(harness, "trades", 3);
    ck_assert_int_eq(calls_commit(harness, 7, "g", NULL, "orders", 2, 12), KAFKA_ERROR_NONE);
    ck_assert_int_eq(calls_commit(harness, 7, "g", NULL, "orders", 0, 10), KAFKA_ERROR_NONE);
    ck_assert_int_eq(calls_commit(harness, 7, "g", NULL, "trades", 1, 21), KAFKA_ERROR_NONE);
    ck_assert_int_eq(calls_commit(harness, 7, "h", NULL, "trades", 1, 99), KAFKA_ERROR_NONE);
    return harness;
}

START_TEST(before_there_is_anything)
{
    struct harness *harness = calls_new(2);
    ck_assert_int_eq(calls_committed(harness, "g", "orders", 0), -1);
    harness_free(harness);
}
END_TEST

START_TEST(one_group_some_topics)
{
    struct harness *harness = start();
    for (int16_t version = 0; version <= 7; version++) {
        int32_t partitions[2] = {2, 1};
        struct offset_fetch_request_topic topics[2];
        for (int i = 0; i < 2; i++) {
            offset_fetch_request_topic_init(&topics[i]);
            topics[i].name = i == 0 ? SLICE_LIT("orders") : SLICE_LIT("nothing");
            topics[i].partition_indexes = partitions;
            topics[i].partition_indexes_count = 2;
        }
        struct offset_fetch_request *request = harness_request(harness, &offset_fetch_api_codec);
        request->group_id = SLICE_LIT("g");
        request->topics = topics;
        request->topics_count = 2;
        const struct offset_fetch_response *response =
            calls_do(harness, &offset_fetch_api_codec, version, request);
        ck_assert_int_eq(response->error_code, KAFKA_ERROR_NONE);
        ck_assert_int_eq(response->topics_count, 2);
        const struct offset_fetch_response_partition *found = response->topics[0].partitions;
        ck_assert_int_eq(found[0].partition_index, 2);
        ck_assert_int_eq(found[0].committed_offset, 12);
        ck_assert_int_eq(found[0].committed_leader_epoch, 3);
        ck_assert(slice_equal_str(found[0].metadata, "note"));
        ck_assert_int_eq(found[1].committed_offset, -1);
        ck_assert_int_eq(found[1].committed_leader_epoch, -1);
        ck_assert_int_eq(found[1].error_code, KAFKA_ERROR_NONE);
        ck_assert_int_eq(response->topics[1].partitions[0].committed_offset, -1);
        ck_assert_int_eq(response->topics[1].partitions[0].error_code, KAFKA_ERROR_NONE);
    }
    harness_free(harness);
}
END_TEST

START_TEST(one_group_all_topics)
{
    struct harness *harness = start();
    for (int16_t version = 2; version <= 7; version++) {
        struct offset_fetch_request *request = harness_request(harness, &offset_fetch_api_codec);
        request->group_id = SLICE_LIT("g");
        request->topics_count = -1;
        const struct offset_fetch_response *response =
            calls_do(harness, &offset_fetch_api_codec, version, request);
        ck_assert_int_eq(response->topics_count, 2);
        ck_assert(slice_equal_str(response->topics[0].name, "orders"));
        ck_assert_int_eq(response->topics[0].partitions_count, 2);
        ck_assert_int_eq(response->topics[0].partitions[0].committed_offset, 10);
        ck_assert_int_eq(response->topics[0].partitions[1].committed_offset, 12);
        ck_assert_int_eq(response->topics[1].partitions[0].committed_offset, 21);
        request->group_id = SLICE_LIT("nobody");
        response = calls_do(harness, &offset_fetch_api_codec, version, request);
        ck_assert_int_eq(response->topics_count, 0);
        ck_assert_int_eq(response->error_code, KAFKA_ERROR_NONE);
    }
    harness_free(harness);
}
END_TEST

START_TEST(several_groups)
{
    struct harness *harness = start();
    int32_t partitions[2] = {1, 0};
    for (int16_t version = 8; version <= 10; version++) {
        struct offset_fetch_request_group groups[3];
        struct offset_fetch_request_group_topic topic;
        offset_fetch_request_group_topic_init(&topic);
        topic.name = SLICE_LIT("trades");
        topic.topic_id = calls_topic_id(harness, "trades");
        topic.partition_indexes = partitions;
        topic.partition_indexes_count = 2;
        const char *names[] = {"g", "h", "nobody"};
        for (int i = 0; i < 3; i++) {
            offset_fetch_request_group_init(&groups[i]);
            groups[i].group_id = slice_from_str(names[i]);
            groups[i].topics = &topic;
            groups[i].topics_count = 1;
        }
        groups[0].topics = NULL;
        groups[0].topics_count = -1;
        struct offset_fetch_request *request = harness_request(harness, &offset_fetch_api_codec);
        request->groups = groups;
        request->groups_count = 3;
        request->require_stable = true;
        const struct offset_fetch_response *response =
            calls_do(harness, &offset_fetch_api_codec, version, request);
        ck_assert_int_eq(response->groups_count, 3);
        for (int i = 0; i < 3; i++) {
            ck_assert(slice_equal_str(response->groups[i].group_id, names[i]));
            ck_assert_int_eq(response->groups[i].error_code, KAFKA_ERROR_NONE);
        }
        ck_assert_int_eq(response->groups[0].topics_count, 2);
        ck_assert_int_eq(response->groups[0].topics[0].partitions[1].committed_offset, 12);
        ck_assert_int_eq(response->groups[1].topics[0].partitions[0].committed_offset, 99);
        ck_assert(uuid_equal(response->groups[1].topics[0].topic_id, topic.topic_id));
        ck_assert_int_eq(response->groups[1].topics[0].partitions[1].committed_offset, -1);
        ck_assert_int_eq(response->groups[2].topics[0].partitions[0].committed_offset, -1);
    }
    harness_free(harness);
}
END_TEST

START_TEST(an_unknown_topic_id)
{
    struct harness *harness = start();
    int32_t partition = 0;
    struct offset_fetch_request_group group;
    struct offset_fetch_request_group_topic topic;
    offset_fetch_request_group_topic_init(&topic);
    topic.topic_id.bytes[0] = 7;
    topic.partition_indexes = &partition;
    topic.partition_indexes_count = 1;
    offset_fetch_request_group_init(&group);
    group.group_id = SLICE_LIT("g");
    group.topics = &topic;
    group.topics_count = 1;
    struct offset_fetch_request *request = harness_request(harness, &offset_fetch_api_codec);
    request->groups = &group;
    request->groups_count = 1;
    const struct offset_fetch_response *response =
        calls_do(harness, &offset_fetch_api_codec, 10, request);
    ck_assert_int_eq(
        response->groups[0].topics[0].partitions[0].error_code, KAFKA_ERROR_UNKNOWN_TOPIC_ID);
    harness_free(harness);
}
END_TEST

TEST_MAIN("api/offset_fetch", before_there_is_anything, one_group_some_topics, one_group_all_topics,
    several_groups, an_unknown_topic_id)
