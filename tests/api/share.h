// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/* share: a member of a share group, and its coordinator, in one line per step. */
#include "api/admin.h"
#include "api/plane.h"
#include "wire/delete_records.gen.h"
#include "wire/delete_share_group_state.gen.h"
#include "wire/incremental_alter_configs.gen.h"
#include "wire/initialize_share_group_state.gen.h"
#include "wire/read_share_group_state.gen.h"
#include "wire/read_share_group_state_summary.gen.h"
#include "wire/share_acknowledge.gen.h"
#include "wire/share_fetch.gen.h"
#include "wire/write_share_group_state.gen.h"

#include <stdio.h>

/* --- the coordinator; one partition of group "g" each --- */

#define SHARE_ASK(api, topic_id_, partition_)                                        \
    struct api##_request *request = harness_request(harness, &api##_api_codec);      \
    request->group_id = SLICE_LIT("g");                                              \
    request->topics = arena_new(harness_arena(harness), struct api##_request_topic); \
    request->topics_count = 1;                                                       \
    api##_request_topic_init(request->topics);                                       \
    request->topics->topic_id = (topic_id_);                                         \
    request->topics->partitions =                                                    \
        arena_new(harness_arena(harness), struct api##_request_partition);           \
    request->topics->partitions_count = 1;                                           \
    api##_request_partition_init(request->topics->partitions);                       \
    request->topics->partitions->partition = (partition_)

#define SHARE_ANSWER(api, version)                                                 \
    const struct api##_response *response =                                        \
        harness_call(harness, &api##_api_codec, (version), request);               \
    ck_assert_int_eq(response->results_count, 1);                                  \
    ck_assert(uuid_equal(response->results->topic_id, request->topics->topic_id)); \
    ck_assert_int_eq(response->results->partitions_count, 1)

static inline int16_t share_initialize(
    struct harness *harness, struct uuid id, int32_t partition, int32_t epoch, int64_t start)
{
    SHARE_ASK(initialize_share_group_state, id, partition);
    request->topics->partitions->state_epoch = epoch;
    request->topics->partitions->start_offset = start;
    SHARE_ANSWER(initialize_share_group_state, 0);
    return response->results->partitions->error_code;
}

static inline const struct read_share_group_state_response_partition *share_read(
    struct harness *harness, struct uuid id, int32_t partition, int32_t leader_epoch)
{
    SHARE_ASK(read_share_group_state, id, partition);
    request->topics->partitions->leader_epoch = leader_epoch;
    SHARE_ANSWER(read_share_group_state, 0);
    return response->results->partitions;
}

static inline const struct read_share_group_state_summary_response_partition *share_summary(
    struct harness *harness, struct uuid id, int32_t partition)
{
    SHARE_ASK(read_share_group_state_summary, id, partition);
    SHARE_ANSWER(read_share_group_state_summary, 1);
    return response->results->partitions;
}

struct share_says {
    int32_t state_epoch, leader_epoch;
    int64_t start;
    int32_t complete_count;
    int64_t first, last;
    int8_t state;
    int16_t count;
};
static inline int16_t share_write(
    struct harness *harness, struct uuid id, int32_t partition, struct share_says says)
{
    SHARE_ASK(write_share_group_state, id, partition);
    struct write_share_group_state_request_partition *asked = request->topics->partitions;
    asked->state_epoch = says.state_epoch;
    asked->leader_epoch = says.leader_epoch;
    asked->start_offset = says.start;
    asked->delivery_complete_count = says.complete_count;
    asked->state_batches =
        arena_new(harness_arena(harness), struct write_share_group_state_request_state_batch);
    asked->state_batches_count = 1;
    *asked->state_batches = (struct write_share_group_state_request_state_batch){
        says.first, says.last, says.state, says.count};
    SHARE_ANSWER(write_share_group_state, 1);
    return response->results->partitions->error_code;
}

static inline int16_t share_delete(struct harness *harness, struct uuid id, int32_t partition)
{
    SHARE_ASK(delete_share_group_state, id, partition);
    SHARE_ANSWER(delete_share_group_state, 0);
    return response->results->partitions->error_code;
}

/* "5: 5-6:2/1 9-9:0/2", start and batches as they are stored. */
static inline const char *share_stored(struct harness *harness, struct uuid id, int32_t partition)
{
    static char text[1024];
    const struct read_share_group_state_response_partition *read =
        share_read(harness, id, partition, -1);
    ck_assert_int_eq(read->error_code, KAFKA_ERROR_NONE);
    size_t size = (size_t)snprintf(text, sizeof(text), "%d:", (int)read->start_offset);
    for (int32_t i = 0; i < read->state_batches_count; i++) {
        const struct read_share_group_state_response_state_batch *batch = &read->state_batches[i];
        size += (size_t)snprintf(text + size, sizeof(text) - size, " %d-%d:%d/%d",
            (int)batch->first_offset, (int)batch->last_offset, batch->delivery_state,
            batch->delivery_count);
    }
    return text;
}

/* --- a member --- */

struct share_client {
    struct harness *harness;
    const char *member;
    uint64_t conn;
    int32_t epoch;
    struct uuid id;     /* of the topic; its partitions from 0 on: */
    int32_t partitions; /* 0: one */
    /* how it fetches */
    int32_t records_max; /* 0: 500 */
    int32_t min_bytes, wait_ms;
    int8_t mode;
    int32_t batch_size; /* 0: 500 */
};

static inline struct share_fetch_request *share_fetch_ask(struct share_client *client)
{
    struct harness *harness = client->harness;
    struct share_fetch_request *request = harness_request(harness, &share_fetch_api_codec);
    request->group_id = SLICE_LIT("g");
    request->member_id = slice_from_str(client->member);
    request->share_session_epoch = client->epoch;
    request->max_wait_ms = client->wait_ms;
    request->min_bytes = client->min_bytes;
    request->max_bytes = 1 << 20;
    request->max_records = client->records_max == 0 ? 500 : client->records_max;
    request->batch_size = client->batch_size == 0 ? 500 : client->batch_size;
    request->share_acquire_mode = client->mode;
    return request;
}

/* Partitions of the client's topic in a request. */
static inline struct share_fetch_request_partition *share_fetch_name(
    struct share_client *client, struct share_fetch_request *request, int32_t count)
{
    struct arena *arena = harness_arena(client->harness);
    request->topics = arena_new(arena, struct share_fetch_request_topic);
    request->topics_count = 1;
    request->topics->topic_id = client->id;
    request->topics->partitions =
        arena_new_n(arena, struct share_fetch_request_partition, (size_t)count);
    request->topics->partitions_count = count;
    for (int32_t i = 0; i < count; i++) {
        share_fetch_request_partition_init(&request->topics->partitions[i]);
        request->topics->partitions[i].partition_index = i;
    }
    return request->topics->partitions;
}

static inline struct harness_call *share_fetch_send(
    struct share_client *client, struct share_fetch_request *request)
{
    return harness_send(
        client->harness, &share_fetch_api_codec, 2, request, client->conn == 0 ? 1 : client->conn);
}

static inline const struct share_fetch_response *share_fetch_call(
    struct share_client *client, struct share_fetch_request *request)
{
    const struct share_fetch_response *response =
        harness_wait(share_fetch_send(client, request), 10000);
    ck_assert_ptr_nonnull(response);
    if (response->error_code == KAFKA_ERROR_NONE)
        client->epoch++;
    return response;
}

/* What was acquired, by partition: "0: 0-4/1 5-5/2 1: 0-1/1". Checks that the records are there. */
static inline const char *share_acquired_text(
    struct share_client *client, const struct share_fetch_response *response)
{
    static char text[2048];
    size_t size = 0;
    text[0] = '\0';
    ck_assert_int_eq(response->error_code, KAFKA_ERROR_NONE);
    for (int32_t t = 0; t < response->responses_count; t++) {
        for (int32_t p = 0; p < response->responses[t].partitions_count; p++) {
            struct share_fetch_response_partition *partition =
                &response->responses[t].partitions[p];
            ck_assert_int_eq(partition->error_code, KAFKA_ERROR_NONE);
            struct fetch_response_partition as_fetched = {.records = partition->records};
            struct slice records = plane_records(client->harness, &as_fetched);
            if (partition->acquired_records_count == 0) {
                ck_assert_uint_eq(records.size, 0);
                continue;
            }
            size += (size_t)snprintf(text + size, sizeof(text) - size, "%s%d:", size > 0 ? " " : "",
                partition->partition_index);
            int64_t next;
            plane_walk(records, &next);
            ck_assert_int_le(batch_header_parse(records.data).base_offset,
                partition->acquired_records[0].first_offset);
            for (int32_t i = 0; i < partition->acquired_records_count; i++) {
                const struct share_fetch_response_acquired_records *range =
                    &partition->acquired_records[i];
                ck_assert_int_lt(range->last_offset, next);
                size += (size_t)snprintf(text + size, sizeof(text) - size, " %d-%d/%d",
                    (int)range->first_offset, (int)range->last_offset, range->delivery_count);
            }
        }
    }
    return text;
}

/* One fetch: opens the session when there is none. */
static inline const char *share_take(struct share_client *client)
{
    struct share_fetch_request *request = share_fetch_ask(client);
    if (client->epoch == 0)
        share_fetch_name(client, request, client->partitions == 0 ? 1 : client->partitions);
    return share_acquired_text(client, share_fetch_call(client, request));
}

static inline struct share_acknowledge_request *share_ack_ask(
    struct share_client *client, int32_t partition, int64_t first, int64_t last, int8_t type)
{
    struct harness *harness = client->harness;
    struct arena *arena = harness_arena(harness);
    struct share_acknowledge_request *request =
        harness_request(harness, &share_acknowledge_api_codec);
    request->group_id = SLICE_LIT("g");
    request->member_id = slice_from_str(client->member);
    request->share_session_epoch = client->epoch;
    request->is_renew_ack = type == 4;
    request->topics = arena_new(arena, struct share_acknowledge_request_topic);
    request->topics_count = 1;
    request->topics->topic_id = client->id;
    request->topics->partitions = arena_new(arena, struct share_acknowledge_request_partition);
    request->topics->partitions_count = 1;
    request->topics->partitions->partition_index = partition;
    struct share_acknowledge_request_acknowledgement_batch *batch =
        arena_new(arena, struct share_acknowledge_request_acknowledgement_batch);
    request->topics->partitions->acknowledgement_batches = batch;
    request->topics->partitions->acknowledgement_batches_count = 1;
    batch->first_offset = first;
    batch->last_offset = last;
    batch->acknowledge_types = arena_new(arena, int8_t);
    batch->acknowledge_types[0] = type;
    batch->acknowledge_types_count = 1;
    return request;
}

static inline const struct share_acknowledge_response *share_ack_call(
    struct share_client *client, struct share_acknowledge_request *request)
{
    const struct share_acknowledge_response *response =
        harness_wait(harness_send(client->harness, &share_acknowledge_api_codec, 2, request,
                         client->conn == 0 ? 1 : client->conn),
            10000);
    ck_assert_ptr_nonnull(response);
    if (response->error_code == KAFKA_ERROR_NONE)
        client->epoch++;
    return response;
}

/* The partition's error. */
static inline int16_t share_ack(
    struct share_client *client, int32_t partition, int64_t first, int64_t last, int8_t type)
{
    const struct share_acknowledge_response *response =
        share_ack_call(client, share_ack_ask(client, partition, first, last, type));
    ck_assert_int_eq(response->error_code, KAFKA_ERROR_NONE);
    ck_assert_int_eq(response->responses_count, 1);
    return response->responses->partitions->error_code;
}

/* A topic with `count` records in batches of five in its first partition, and a group that begins
 * with the first. */
static inline struct uuid share_topic(struct harness *harness, int32_t partitions, int count)
{
    struct uuid id = plane_topic(harness, "orders", partitions, NULL, NULL);
    for (int i = 0; i < count; i += 5)
        plane_produce(harness, "orders", 0, (struct plane_batch){.count = 5});
    for (int32_t i = 0; i < partitions; i++)
        ck_assert_int_eq(share_initialize(harness, id, i, 1, 0), KAFKA_ERROR_NONE);
    return id;
}

/* DeleteRecords: the log of a partition of "orders" starts there. */
static inline void share_trim(struct harness *harness, int32_t partition, int64_t offset)
{
    struct arena *arena = harness_arena(harness);
    struct delete_records_request *request = harness_request(harness, &delete_records_api_codec);
    request->timeout_ms = 5000;
    request->topics = arena_new(arena, struct delete_records_request_topic);
    request->topics_count = 1;
    request->topics->name = SLICE_LIT("orders");
    request->topics->partitions = arena_new(arena, struct delete_records_request_partition);
    request->topics->partitions_count = 1;
    request->topics->partitions->partition_index = partition;
    request->topics->partitions->offset = offset;
    harness_call(harness, &delete_records_api_codec, 2, request);
}

/* A configuration of the group. */
static inline void share_configure(struct harness *harness, const char *key, const char *value)
{
    struct arena *arena = harness_arena(harness);
    struct incremental_alter_configs_request *request =
        harness_request(harness, &incremental_alter_configs_api_codec);
    request->resources = arena_new(arena, struct incremental_alter_configs_request_resource);
    request->resources_count = 1;
    request->resources->resource_type = 32;
    request->resources->resource_name = SLICE_LIT("g");
    request->resources->configs = arena_new(arena, struct incremental_alter_configs_request_config);
    request->resources->configs_count = 1;
    request->resources->configs->name = slice_from_str(key);
    request->resources->configs->value = slice_from_str(value);
    const struct incremental_alter_configs_response *response =
        harness_call(harness, &incremental_alter_configs_api_codec, 1, request);
    ck_assert_int_eq(response->responses->error_code, KAFKA_ERROR_NONE);
}
