// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * group_calls: what tests of group handlers do again and again, on the broker harness: topics, a
 * member that joins and syncs, commits and look-ups. Every answer is also encoded and decoded again
 * in its version.
 */
#include "base/buffer.h"
#include "broker/group/group.h"
#include "support/broker_harness.h"
#include "wire/create_topics.gen.h"
#include "wire/errors.gen.h"
#include "wire/heartbeat.gen.h"
#include "wire/join_group.gen.h"
#include "wire/leave_group.gen.h"
#include "wire/offset_commit.gen.h"
#include "wire/offset_fetch.gen.h"
#include "wire/sync_group.gen.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#define CALLS_WAIT_MS 10000

static inline struct harness *calls_new(unsigned loops)
{
    return harness_new(loops, "offsets.topic.num.partitions=8", NULL);
}

/* The answer can be sent in that version, and read again. */
static inline void calls_check_codec(const struct api *codec, int16_t version, const void *response)
{
    struct writer writer = WRITER_NULL;
    codec->encode_response(&writer, version, response);
    struct reader reader = reader_make(buffer_slice(&writer.buffer));
    struct arena arena;
    arena_init(&arena, SIZE_MAX);
    void *again = arena_xalloc_n(&arena, 1, codec->response_size);
    codec->init_response(again);
    ck_assert_msg(codec->decode_response(&reader, version, &arena, again), "%s v%d: %s",
        codec->name, version, reader.fault);
    arena_deinit(&arena);
    writer_deinit(&writer);
}

static inline const void *calls_do(
    struct harness *harness, const struct api *codec, int16_t version, const void *request)
{
    const void *response = harness_call(harness, codec, version, request);
    calls_check_codec(codec, version, response);
    return response;
}

static inline void calls_topic(struct harness *harness, const char *name, int32_t partitions)
{
    struct create_topics_request *request = harness_request(harness, &create_topics_api_codec);
    struct create_topics_request_topic *topic =
        arena_new(harness_arena(harness), struct create_topics_request_topic);
    create_topics_request_topic_init(topic);
    topic->name = slice_from_str(name);
    topic->num_partitions = partitions;
    topic->replication_factor = 1;
    request->topics = topic;
    request->topics_count = 1;
    const struct create_topics_response *response =
        harness_call(harness, &create_topics_api_codec, 5, request);
    ck_assert_int_eq(response->topics[0].error_code, KAFKA_ERROR_NONE);
}

struct calls_topic_look_up {
    struct harness *harness;
    struct slice name;
    struct uuid id;
};

static inline void calls_look_up_topic(void *ctx)
{
    struct calls_topic_look_up *look_up = ctx;
    const struct topic *topic =
        image_topic(broker_image(harness_broker(look_up->harness)), look_up->name);
    ck_assert_ptr_nonnull(topic);
    look_up->id = topic->id;
}

static inline struct uuid calls_topic_id(struct harness *harness, const char *name)
{
    struct calls_topic_look_up look_up = {harness, slice_from_str(name), UUID_ZERO};
    harness_on_loop(harness, 0, calls_look_up_topic, &look_up);
    return look_up.id;
}

/* --- members --- */

struct calls_member {
    struct harness *harness;
    const char *group;
    uint64_t conn;
    int16_t version;      /* of JoinGroup; SyncGroup follows it as far as it goes */
    const char *instance; /* NULL: dynamic */
    const char *topic;    /* subscribed */
    char id[128], leader[128];
    int32_t generation;
    int16_t error;
    char assignment[160];
    const struct join_group_response *joined;
};

static inline struct calls_member calls_member(
    struct harness *harness, const char *group, uint64_t conn)
{
    return (struct calls_member){.harness = harness,
        .group = group,
        .conn = conn,
        .version = 5,
        .topic = "orders",
        .generation = -1};
}

static inline void *calls_join_request(struct calls_member *member)
{
    struct arena *arena = harness_arena(member->harness);
    struct join_group_request *request = harness_request(member->harness, &join_group_api_codec);
    struct join_group_request_protocol *protocol =
        arena_new(arena, struct join_group_request_protocol);
    size_t size = strlen(member->topic);
    uint8_t *metadata = arena_new_n(arena, uint8_t, 12 + size);
    metadata[5] = 1;             /* version 0, one topic */
    metadata[7] = (uint8_t)size; /* its name */
    memcpy(metadata + 8, member->topic, size);
    memset(metadata + 8 + size, 0xff, 4); /* no user data */
    protocol->name = SLICE_LIT("range");
    protocol->metadata = slice_make(metadata, 12 + size);
    request->group_id = slice_from_str(member->group);
    request->member_id = arena_copy_slice(arena, slice_from_str(member->id));
    request->group_instance_id = slice_from_str(member->instance);
    request->protocol_type = SLICE_LIT("consumer");
    request->protocols = protocol;
    request->protocols_count = 1;
    request->session_timeout_ms = 10000;
    request->rebalance_timeout_ms = 20000;
    return request;
}

static inline struct harness_call *calls_join_send(struct calls_member *member)
{
    return harness_send(member->harness, &join_group_api_codec, member->version,
        calls_join_request(member), member->conn);
}

static inline void calls_join_take(struct calls_member *member, struct harness_call *call)
{
    const struct join_group_response *response = harness_wait(call, CALLS_WAIT_MS);
    ck_assert_ptr_nonnull(response);
    calls_check_codec(&join_group_api_codec, member->version, response);
    member->joined = response;
    member->error = response->error_code;
    if (response->error_code == KAFKA_ERROR_NONE ||
        response->error_code == KAFKA_ERROR_MEMBER_ID_REQUIRED)
        snprintf(member->id, sizeof(member->id), "%.*s", SLICE_FMT(response->member_id));
    member->generation = response->generation_id;
    snprintf(member->leader, sizeof(member->leader), "%.*s", SLICE_FMT(response->leader));
}

/* A member that is told its id comes back with it. */
static inline void calls_join_wait(struct calls_member *member, struct harness_call *call)
{
    calls_join_take(member, call);
    if (member->error == KAFKA_ERROR_MEMBER_ID_REQUIRED)
        calls_join_take(member, calls_join_send(member));
}

static inline void calls_join(struct calls_member *member)
{
    calls_join_wait(member, calls_join_send(member));
}

/* The leader gives each member "<id>@<generation>". */
static inline struct harness_call *calls_sync_send(struct calls_member *member)
{
    struct arena *arena = harness_arena(member->harness);
    struct sync_group_request *request = harness_request(member->harness, &sync_group_api_codec);
    const struct join_group_response *joined = member->joined;
    request->group_id = slice_from_str(member->group);
    request->member_id = arena_copy_slice(arena, slice_from_str(member->id));
    request->group_instance_id = slice_from_str(member->instance);
    request->generation_id = member->generation;
    request->protocol_type = SLICE_LIT("consumer");
    request->protocol_name = SLICE_LIT("range");
    request->assignments =
        arena_new_n(arena, struct sync_group_request_assignment, (size_t)joined->members_count);
    for (int32_t i = 0; i < joined->members_count; i++) {
        struct sync_group_request_assignment *out =
            &request->assignments[request->assignments_count++];
        out->member_id = joined->members[i].member_id;
        out->assignment = arena_printf(
            arena, "%.*s@%d", SLICE_FMT(joined->members[i].member_id), member->generation);
    }
    int16_t version = member->version < 5 ? 3 : 5;
    return harness_send(member->harness, &sync_group_api_codec, version, request, member->conn);
}

static inline void calls_sync_wait(struct calls_member *member, struct harness_call *call)
{
    const struct sync_group_response *response = harness_wait(call, CALLS_WAIT_MS);
    ck_assert_ptr_nonnull(response);
    calls_check_codec(&sync_group_api_codec, 3, response);
    calls_check_codec(&sync_group_api_codec, 5, response);
    member->error = response->error_code;
    snprintf(
        member->assignment, sizeof(member->assignment), "%.*s", SLICE_FMT(response->assignment));
}

static inline void calls_sync(struct calls_member *member)
{
    calls_sync_wait(member, calls_sync_send(member));
}

/* Joins and syncs, alone in its group. */
static inline void calls_stabilize(struct calls_member *member)
{
    calls_join(member);
    ck_assert_int_eq(member->error, KAFKA_ERROR_NONE);
    calls_sync(member);
    ck_assert_int_eq(member->error, KAFKA_ERROR_NONE);
    char expected[160];
    snprintf(expected, sizeof(expected), "%s@%d", member->id, member->generation);
    ck_assert_str_eq(member->assignment, expected);
}

static inline int16_t calls_heartbeat(struct calls_member *member)
{
    struct heartbeat_request *request = harness_request(member->harness, &heartbeat_api_codec);
    request->group_id = slice_from_str(member->group);
    request->member_id = slice_from_str(member->id);
    request->group_instance_id = slice_from_str(member->instance);
    request->generation_id = member->generation;
    const struct heartbeat_response *response =
        harness_wait(harness_send(member->harness, &heartbeat_api_codec, 3, request, member->conn),
            CALLS_WAIT_MS);
    ck_assert_ptr_nonnull(response);
    return response->error_code;
}

static inline int16_t calls_leave(struct calls_member *member)
{
    struct leave_group_request *request = harness_request(member->harness, &leave_group_api_codec);
    request->group_id = slice_from_str(member->group);
    request->member_id = slice_from_str(member->id);
    const struct leave_group_response *response =
        calls_do(member->harness, &leave_group_api_codec, 1, request);
    return response->error_code;
}

/* --- offsets --- */

static inline int16_t calls_commit(struct harness *harness, int16_t version, const char *group,
    const struct calls_member *member, const char *topic, int32_t partition, int64_t offset)
{
    struct arena *arena = harness_arena(harness);
    struct offset_commit_request *request = harness_request(harness, &offset_commit_api_codec);
    request->group_id = slice_from_str(group);
    if (member != NULL) {
        request->member_id = slice_from_str(member->id);
        request->generation_id_or_member_epoch = member->generation;
    }
    request->topics = arena_new(arena, struct offset_commit_request_topic);
    request->topics_count = 1;
    offset_commit_request_topic_init(request->topics);
    request->topics->name = slice_from_str(topic);
    request->topics->partitions = arena_new(arena, struct offset_commit_request_partition);
    request->topics->partitions_count = 1;
    offset_commit_request_partition_init(request->topics->partitions);
    request->topics->partitions->partition_index = partition;
    request->topics->partitions->committed_offset = offset;
    request->topics->partitions->committed_leader_epoch = 3;
    request->topics->partitions->committed_metadata = SLICE_LIT("note");
    const struct offset_commit_response *response =
        calls_do(harness, &offset_commit_api_codec, version, request);
    ck_assert_int_eq(response->topics_count, 1);
    ck_assert_int_eq(response->topics[0].partitions_count, 1);
    return response->topics[0].partitions[0].error_code;
}

/* -1: nothing. */
static inline int64_t calls_committed(
    struct harness *harness, const char *group, const char *topic, int32_t partition)
{
    struct offset_fetch_request *request = harness_request(harness, &offset_fetch_api_codec);
    request->group_id = slice_from_str(group);
    request->topics = arena_new(harness_arena(harness), struct offset_fetch_request_topic);
    request->topics_count = 1;
    offset_fetch_request_topic_init(request->topics);
    request->topics->name = slice_from_str(topic);
    request->topics->partition_indexes = arena_new(harness_arena(harness), int32_t);
    request->topics->partition_indexes[0] = partition;
    request->topics->partition_indexes_count = 1;
    const struct offset_fetch_response *response =
        calls_do(harness, &offset_fetch_api_codec, 5, request);
    ck_assert_int_eq(response->error_code, KAFKA_ERROR_NONE);
    ck_assert_int_eq(response->topics[0].partitions[0].error_code, KAFKA_ERROR_NONE);
    return response->topics[0].partitions[0].committed_offset;
}
