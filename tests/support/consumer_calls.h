// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/* consumer_calls: heartbeats of the newer group protocol in one line each. What a member is
 * assigned is taken to be partitions 0, 1, ... of one topic, by their count. */
#include "runner.h"
#include "support/group_calls.h"
#include "wire/consumer_group_heartbeat.gen.h"

struct consumer_call {
    const char *id;
    int32_t epoch;
    const char *instance, *pattern, *assignor;
    int16_t version; /* 0: the newest; -1: the oldest */
    /* answers */
    int16_t error;
    int32_t assigned, heartbeat_ms; /* assigned stays when the answer does not say */
    char ret_id[64];
    int32_t partitions[64];
    struct uuid topic;
};

static inline void consumer_take(
    struct consumer_call *call, const struct consumer_group_heartbeat_response *response)
{
    call->error = response->error_code;
    if (response->error_code != KAFKA_ERROR_NONE) {
        ck_assert(!slice_is_null(response->error_message));
        return;
    }
    call->epoch = response->member_epoch;
    call->heartbeat_ms = response->heartbeat_interval_ms;
    snprintf(call->ret_id, sizeof(call->ret_id), "%.*s", SLICE_FMT(response->member_id));
    if (response->assignment == NULL)
        return;
    call->assigned = 0;
    for (int32_t t = 0; t < response->assignment->topic_partitions_count; t++) {
        call->topic = response->assignment->topic_partitions[t].topic_id;
        for (int32_t p = 0; p < response->assignment->topic_partitions[t].partitions_count; p++)
            call->partitions[call->assigned++] =
                response->assignment->topic_partitions[t].partitions[p];
    }
}

static inline void consumer_do(struct harness *harness, struct consumer_call *call,
    const struct consumer_group_heartbeat_request *request)
{
    consumer_take(call, calls_do(harness, &consumer_group_heartbeat_api_codec,
                            call->version == -1 ? 0 : 1, request));
}

static inline struct consumer_group_heartbeat_request *consumer_request(
    struct harness *harness, const char *group, const struct consumer_call *call)
{
    struct consumer_group_heartbeat_request *request =
        harness_request(harness, &consumer_group_heartbeat_api_codec);
    request->group_id = slice_from_str(group);
    request->member_id = slice_from_str(call->id);
    request->member_epoch = call->epoch;
    request->instance_id = slice_from_str(call->instance);
    request->server_assignor = slice_from_str(call->assignor);
    return request;
}

static inline void consumer_join(
    struct harness *harness, const char *group, struct consumer_call *call, const char *topic)
{
    struct consumer_group_heartbeat_request *request = consumer_request(harness, group, call);
    request->member_epoch = 0;
    request->rebalance_timeout_ms = 30000;
    request->subscribed_topic_names = arena_new(harness_arena(harness), struct slice);
    request->subscribed_topic_names[0] = slice_from_str(topic);
    request->subscribed_topic_names_count = topic != NULL;
    request->subscribed_topic_regex = slice_from_str(call->pattern);
    request->topic_partitions_count = 0;
    consumer_do(harness, call, request);
}

static inline struct consumer_group_heartbeat_request *consumer_beat_request(
    struct harness *harness, const char *group, struct consumer_call *call, int32_t owned)
{
    struct consumer_group_heartbeat_request *request = consumer_request(harness, group, call);
    request->topic_partitions_count = owned < 0 ? -1 : owned > 0;
    if (owned > 0) {
        request->topic_partitions = arena_new(
            harness_arena(harness), struct consumer_group_heartbeat_request_topic_partitions);
        request->topic_partitions->topic_id = call->topic;
        request->topic_partitions->partitions = call->partitions;
        request->topic_partitions->partitions_count = owned;
    }
    return request;
}

/* Says that it has the first `owned` of what it was assigned; < 0: says nothing. */
static inline void consumer_beat(
    struct harness *harness, const char *group, struct consumer_call *call, int32_t owned)
{
    consumer_do(harness, call, consumer_beat_request(harness, group, call, owned));
}

static inline int16_t consumer_commit_at(
    struct harness *harness, const char *group, const char *member, int32_t epoch, int16_t version)
{
    struct offset_commit_request *request = harness_request(harness, &offset_commit_api_codec);
    struct arena *arena = harness_arena(harness);
    request->group_id = slice_from_str(group);
    request->member_id = slice_from_str(member);
    request->generation_id_or_member_epoch = epoch;
    request->topics = arena_new(arena, struct offset_commit_request_topic);
    request->topics_count = 1;
    request->topics->name = SLICE_LIT("t");
    request->topics->partitions = arena_new(arena, struct offset_commit_request_partition);
    request->topics->partitions_count = 1;
    offset_commit_request_partition_init(request->topics->partitions);
    request->topics->partitions->committed_offset = 5;
    const struct offset_commit_response *response =
        calls_do(harness, &offset_commit_api_codec, version, request);
    return response->topics[0].partitions[0].error_code;
}

static inline int16_t consumer_commit(
    struct harness *harness, const char *group, const char *member, int32_t epoch)
{
    return consumer_commit_at(harness, group, member, epoch, 9);
}
