// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/* share_calls: heartbeats and offsets of share groups in one line each. What a member is assigned
 * is taken to be partitions of one topic. */
#include "runner.h"
#include "support/group_calls.h"
#include "wire/alter_share_group_offsets.gen.h"
#include "wire/delete_share_group_offsets.gen.h"
#include "wire/describe_share_group_offsets.gen.h"
#include "wire/share_group_heartbeat.gen.h"

struct share_call {
    const char *id;
    int32_t epoch;
    /* answers */
    int16_t error;
    int32_t assigned, heartbeat_ms; /* assigned stays when the answer does not say */
    int32_t partitions[64];
};

static inline void share_do(struct harness *harness, struct share_call *call,
    const struct share_group_heartbeat_request *request)
{
    const struct share_group_heartbeat_response *response =
        calls_do(harness, &share_group_heartbeat_api_codec, 1, request);
    call->error = response->error_code;
    if (response->error_code != KAFKA_ERROR_NONE)
        return;
    call->epoch = response->member_epoch;
    call->heartbeat_ms = response->heartbeat_interval_ms;
    if (response->assignment == NULL)
        return;
    call->assigned = 0;
    for (int32_t t = 0; t < response->assignment->topic_partitions_count; t++) {
        for (int32_t p = 0; p < response->assignment->topic_partitions[t].partitions_count; p++)
            call->partitions[call->assigned++] =
                response->assignment->topic_partitions[t].partitions[p];
    }
}

static inline struct share_group_heartbeat_request *share_request(
    struct harness *harness, const char *group, const struct share_call *call)
{
    struct share_group_heartbeat_request *request =
        harness_request(harness, &share_group_heartbeat_api_codec);
    request->group_id = slice_from_str(group);
    request->member_id = slice_from_str(call->id);
    request->member_epoch = call->epoch;
    request->subscribed_topic_names_count = -1;
    return request;
}

static inline void share_join(
    struct harness *harness, const char *group, struct share_call *call, const char *topic)
{
    struct share_group_heartbeat_request *request = share_request(harness, group, call);
    request->member_epoch = 0;
    request->subscribed_topic_names = arena_new(harness_arena(harness), struct slice);
    request->subscribed_topic_names[0] = slice_from_str(topic);
    request->subscribed_topic_names_count = topic != NULL;
    share_do(harness, call, request);
}

static inline void share_beat(struct harness *harness, const char *group, struct share_call *call)
{
    share_do(harness, call, share_request(harness, group, call));
}

static inline void share_leave(struct harness *harness, const char *group, struct share_call *call)
{
    call->epoch = -1;
    share_beat(harness, group, call);
}

/* What the group says of all its topics; the error of the group when there is one. */
static inline const struct describe_share_group_offsets_response_group *share_offsets(
    struct harness *harness, const char *group)
{
    struct describe_share_group_offsets_request *request =
        harness_request(harness, &describe_share_group_offsets_api_codec);
    request->groups =
        arena_new(harness_arena(harness), struct describe_share_group_offsets_request_group);
    describe_share_group_offsets_request_group_init(request->groups);
    request->groups->group_id = slice_from_str(group);
    request->groups->topics_count = -1;
    request->groups_count = 1;
    const struct describe_share_group_offsets_response *response =
        calls_do(harness, &describe_share_group_offsets_api_codec, 1, request);
    ck_assert_int_eq(response->groups_count, 1);
    return response->groups;
}

/* The error of the group, or of the partition. */
static inline int16_t share_alter(struct harness *harness, const char *group, const char *topic,
    int32_t partition, int64_t offset)
{
    struct arena *arena = harness_arena(harness);
    struct alter_share_group_offsets_request *request =
        harness_request(harness, &alter_share_group_offsets_api_codec);
    request->group_id = slice_from_str(group);
    request->topics = arena_new(arena, struct alter_share_group_offsets_request_topic);
    alter_share_group_offsets_request_topic_init(request->topics);
    request->topics_count = 1;
    request->topics->topic_name = slice_from_str(topic);
    request->topics->partitions =
        arena_new(arena, struct alter_share_group_offsets_request_partition);
    alter_share_group_offsets_request_partition_init(request->topics->partitions);
    request->topics->partitions_count = 1;
    request->topics->partitions->partition_index = partition;
    request->topics->partitions->start_offset = offset;
    const struct alter_share_group_offsets_response *response =
        calls_do(harness, &alter_share_group_offsets_api_codec, 0, request);
    if (response->error_code != KAFKA_ERROR_NONE)
        return response->error_code;
    ck_assert_int_eq(response->responses_count, 1);
    return response->responses->partitions->error_code;
}

/* The error of the group, or of the topic. */
static inline int16_t share_forget(struct harness *harness, const char *group, const char *topic)
{
    struct delete_share_group_offsets_request *request =
        harness_request(harness, &delete_share_group_offsets_api_codec);
    request->group_id = slice_from_str(group);
    request->topics =
        arena_new(harness_arena(harness), struct delete_share_group_offsets_request_topic);
    delete_share_group_offsets_request_topic_init(request->topics);
    request->topics->topic_name = slice_from_str(topic);
    request->topics_count = 1;
    const struct delete_share_group_offsets_response *response =
        calls_do(harness, &delete_share_group_offsets_api_codec, 0, request);
    if (response->error_code != KAFKA_ERROR_NONE)
        return response->error_code;
    ck_assert_int_eq(response->responses_count, 1);
    return response->responses->error_code;
}
