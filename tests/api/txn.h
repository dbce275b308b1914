// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/* txn: a transactional producer and a reader of committed data, in one line per step. */
#include "api/admin.h"
#include "api/plane.h"
#include "wire/add_offsets_to_txn.gen.h"
#include "wire/add_partitions_to_txn.gen.h"
#include "wire/describe_transactions.gen.h"
#include "wire/end_txn.gen.h"
#include "wire/init_producer_id.gen.h"
#include "wire/offset_fetch.gen.h"
#include "wire/txn_offset_commit.gen.h"

struct txn_client {
    struct harness *harness;
    const char *id;
    int64_t producer_id;
    int16_t epoch;
    int32_t sequence; /* of partition 0 of the topic written to */
};

static inline const struct init_producer_id_response *txn_init_as(struct txn_client *client,
    int16_t version, int64_t producer_id, int16_t epoch, int32_t timeout_ms)
{
    struct init_producer_id_request *request =
        harness_request(client->harness, &init_producer_id_api_codec);
    request->transactional_id = slice_from_str(client->id);
    request->transaction_timeout_ms = timeout_ms;
    request->producer_id = producer_id;
    request->producer_epoch = epoch;
    return harness_call(client->harness, &init_producer_id_api_codec, version, request);
}

/* A producer that starts. Never with id 0, which is none to plane_encode. */
static inline struct txn_client txn_client_new(struct harness *harness, const char *id)
{
    struct txn_client nobody = {.harness = harness}, client = {.harness = harness, .id = id};
    txn_init_as(&nobody, 5, -1, -1, 60000);
    const struct init_producer_id_response *answer = txn_init_as(&client, 5, -1, -1, 60000);
    ck_assert_int_eq(answer->error_code, KAFKA_ERROR_NONE);
    client.producer_id = answer->producer_id;
    client.epoch = answer->producer_epoch;
    return client;
}

static inline int16_t txn_add_one(
    struct txn_client *client, int16_t version, const char *topic, int32_t partition)
{
    struct arena *arena = harness_arena(client->harness);
    struct add_partitions_to_txn_request *request =
        harness_request(client->harness, &add_partitions_to_txn_api_codec);
    request->v3_and_below_transactional_id = slice_from_str(client->id);
    request->v3_and_below_producer_id = client->producer_id;
    request->v3_and_below_producer_epoch = client->epoch;
    request->v3_and_below_topics = arena_new(arena, struct add_partitions_to_txn_request_topic);
    request->v3_and_below_topics_count = 1;
    request->v3_and_below_topics->name = slice_from_str(topic);
    request->v3_and_below_topics->partitions = arena_new(arena, int32_t);
    request->v3_and_below_topics->partitions[0] = partition;
    request->v3_and_below_topics->partitions_count = 1;
    const struct add_partitions_to_txn_response *response =
        harness_call(client->harness, &add_partitions_to_txn_api_codec, version, request);
    ck_assert_int_eq(response->results_by_topic_v3_and_below_count, 1);
    return response->results_by_topic_v3_and_below->results_by_partition->partition_error_code;
}

/* One record. The version says whether the partition must be added before (11) or not (12). */
static inline const struct produce_response_partition *txn_send_as(
    struct txn_client *client, int16_t version, const char *topic, int32_t partition)
{
    struct plane_batch batch = {.producer_id = client->producer_id,
        .epoch = client->epoch,
        .sequence = client->sequence,
        .attributes = BATCH_TRANSACTIONAL};
    struct produce_request *request = plane_produce_request(
        client->harness, topic, UUID_ZERO, partition, plane_encode(client->harness, &batch), -1);
    request->transactional_id = slice_from_str(client->id);
    const struct produce_response_partition *answer =
        plane_produced(harness_call(client->harness, &produce_api_codec, version, request));
    if (answer->error_code == KAFKA_ERROR_NONE)
        client->sequence++;
    return answer;
}

static inline int16_t txn_send(struct txn_client *client, int16_t version, const char *topic)
{
    return txn_send_as(client, version, topic, 0)->error_code;
}

static inline const struct end_txn_response *txn_end_as(
    struct txn_client *client, int16_t version, int16_t epoch, bool commit)
{
    struct end_txn_request *request = harness_request(client->harness, &end_txn_api_codec);
    request->transactional_id = slice_from_str(client->id);
    request->producer_id = client->producer_id;
    request->producer_epoch = epoch;
    request->committed = commit;
    return harness_call(client->harness, &end_txn_api_codec, version, request);
}

/* Version 5 goes on with the next epoch. */
static inline int16_t txn_finish(struct txn_client *client, int16_t version, bool commit)
{
    const struct end_txn_response *answer = txn_end_as(client, version, client->epoch, commit);
    if (version >= 5 && answer->error_code == KAFKA_ERROR_NONE) {
        client->producer_id = answer->producer_id;
        client->epoch = answer->producer_epoch;
        client->sequence = 0;
    }
    return answer->error_code;
}

static inline int16_t txn_add_offsets(struct txn_client *client, const char *group)
{
    struct add_offsets_to_txn_request *request =
        harness_request(client->harness, &add_offsets_to_txn_api_codec);
    request->transactional_id = slice_from_str(client->id);
    request->producer_id = client->producer_id;
    request->producer_epoch = client->epoch;
    request->group_id = slice_from_str(group);
    const struct add_offsets_to_txn_response *response =
        harness_call(client->harness, &add_offsets_to_txn_api_codec, 3, request);
    return response->error_code;
}

/* Of partition 0, by nobody in particular. */
static inline int16_t txn_commit_offset(struct txn_client *client, int16_t version,
    const char *group, const char *topic, int64_t offset)
{
    struct arena *arena = harness_arena(client->harness);
    struct txn_offset_commit_request *request =
        harness_request(client->harness, &txn_offset_commit_api_codec);
    request->transactional_id = slice_from_str(client->id);
    request->group_id = slice_from_str(group);
    request->producer_id = client->producer_id;
    request->producer_epoch = client->epoch;
    request->member_id = SLICE_LIT("");
    request->topics = arena_new(arena, struct txn_offset_commit_request_topic);
    request->topics_count = 1;
    request->topics->name = slice_from_str(topic);
    request->topics->partitions = arena_new(arena, struct txn_offset_commit_request_partition);
    request->topics->partitions_count = 1;
    txn_offset_commit_request_partition_init(request->topics->partitions);
    request->topics->partitions->committed_offset = offset;
    const struct txn_offset_commit_response *response =
        harness_call(client->harness, &txn_offset_commit_api_codec, version, request);
    ck_assert_int_eq(response->topics_count, 1);
    return response->topics->partitions->error_code;
}

/* Of partition 0; -1: none, -88: unstable. */
static inline int64_t txn_committed_offset(
    struct harness *harness, const char *group, const char *topic, bool require_stable)
{
    struct arena *arena = harness_arena(harness);
    struct offset_fetch_request *request = harness_request(harness, &offset_fetch_api_codec);
    request->group_id = slice_from_str(group);
    request->require_stable = require_stable;
    request->topics = arena_new(arena, struct offset_fetch_request_topic);
    request->topics_count = 1;
    request->topics->name = slice_from_str(topic);
    request->topics->partition_indexes = arena_new(arena, int32_t);
    request->topics->partition_indexes_count = 1;
    const struct offset_fetch_response *response =
        harness_call(harness, &offset_fetch_api_codec, 7, request);
    const struct offset_fetch_response_partition *partition = response->topics->partitions;
    return partition->error_code != 0 ? -partition->error_code : partition->committed_offset;
}

static inline const struct describe_transactions_response_transaction_state *txn_described(
    struct harness *harness, const char *id)
{
    struct describe_transactions_request *request =
        harness_request(harness, &describe_transactions_api_codec);
    request->transactional_ids = arena_new(harness_arena(harness), struct slice);
    request->transactional_ids[0] = slice_from_str(id);
    request->transactional_ids_count = 1;
    const struct describe_transactions_response *response =
        harness_call(harness, &describe_transactions_api_codec, 0, request);
    ck_assert_int_eq(response->transaction_states_count, 1);
    return response->transaction_states;
}

/* What a reader of committed data sees of partition 0: records, without those of aborted
 * transactions and without markers. */
struct txn_view {
    int records;
    int aborted; /* transactions in the answer's list */
    int64_t stable, high_watermark;
};

static inline bool txn_is_aborted(const struct fetch_response_partition *answer, int64_t producer,
    int64_t offset, struct slice records)
{
    for (int32_t i = 0; i < answer->aborted_transactions_count; i++) {
        const struct fetch_response_aborted_transaction *aborted = &answer->aborted_transactions[i];
        if (aborted->producer_id != producer || aborted->first_offset > offset)
            continue;
        /* It lasts to this producer's next marker. */
        bool over = false;
        for (size_t at = 0; at < records.size;) {
            struct batch_header header = batch_header_parse(records.data + at);
            if ((header.attributes & BATCH_CONTROL) != 0 && header.producer_id == producer &&
                header.base_offset > aborted->first_offset && header.base_offset < offset)
                over = true;
            at += batch_size(&header);
        }
        if (!over)
            return true;
    }
    return false;
}

static inline struct txn_view txn_view(struct harness *harness, const char *topic)
{
    struct txn_view view = {0};
    const struct fetch_response_partition *answer =
        plane_fetch(harness, 11, (struct plane_fetch){.topic = topic, .isolation = 1});
    ck_assert_int_eq(answer->error_code, KAFKA_ERROR_NONE);
    struct slice records = plane_records(harness, answer);
    for (size_t at = 0; at < records.size;) {
        struct batch_header header = batch_header_parse(records.data + at);
        ck_assert_int_lt(batch_last_offset(&header), answer->last_stable_offset);
        bool transactional = (header.attributes & BATCH_TRANSACTIONAL) != 0;
        if ((header.attributes & BATCH_CONTROL) == 0 &&
            !(transactional &&
                txn_is_aborted(answer, header.producer_id, header.base_offset, records)))
            view.records += header.records_count;
        at += batch_size(&header);
    }
    view.aborted = answer->aborted_transactions_count;
    view.stable = answer->last_stable_offset;
    view.high_watermark = answer->high_watermark;
    return view;
}
