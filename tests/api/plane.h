// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/* plane: topics, batches, produce and fetch in one line each, for the tests of the data plane. */
#include "broker/topics/topics.h"
#include "store/batch/batch_builder.h"
#include "support/broker_harness.h"
#include "wire/errors.gen.h"
#include "wire/fetch.gen.h"
#include "wire/produce.gen.h"

#include <check.h>
#include <stdatomic.h>
#include <unistd.h>

/* --- topics --- */

struct plane_op {
    struct topics_op op;
    struct harness *harness;
    struct arena arena;
    struct uuid id;
    atomic_bool done;
};

static inline void plane_on_done(struct broker_call *call)
{
    struct plane_op *plane = container_of(call, struct plane_op, op.call);
    if (plane->op.topic != NULL)
        plane->id = plane->op.topic->id;
    topics_op_deinit(&plane->op);
    plane->done = true;
}

static inline void plane_submit(void *ctx)
{
    struct plane_op *plane = ctx;
    topics_submit(harness_broker(plane->harness), &plane->op);
}

static inline struct uuid plane_run(struct plane_op *plane, struct harness *harness)
{
    plane->harness = harness;
    plane->op.arena = &plane->arena;
    plane->op.call.done = plane_on_done;
    arena_init(&plane->arena, SIZE_MAX);
    harness_on_loop(harness, 0, plane_submit, plane);
    while (!plane->done)
        usleep(200);
    ck_assert_int_eq(plane->op.error, TOPICS_OK);
    arena_deinit(&plane->arena);
    return plane->id;
}

/* `key` may be NULL. */
static inline struct uuid plane_topic(struct harness *harness, const char *name, int32_t partitions,
    const char *key, const char *value)
{
    struct topics_config config = {slice_from_str(key), slice_from_str(value), TOPICS_CONFIG_SET};
    struct plane_op plane = {
        .op = {.type = TOPICS_CREATE,
            .name = slice_from_str(name),
            .partitions = partitions,
            .replication = -1,
            .configs = &config,
            .configs_count = key != NULL},
    };
    return plane_run(&plane, harness);
}

static inline void plane_delete(struct harness *harness, const char *name)
{
    struct plane_op plane = {.op = {.type = TOPICS_DELETE, .name = slice_from_str(name)}};
    plane_run(&plane, harness);
}

/* --- produce --- */

struct plane_batch {
    int64_t producer_id; /* 0: none */
    int16_t epoch;
    int32_t sequence;
    int count;          /* records; 0: one */
    int64_t timestamp;  /* of the first, each next is 1 ms later; 0: now */
    const char *key;    /* NULL: none */
    size_t value_size;  /* 0: a few bytes */
    int16_t attributes; /* beside the codec */
};

static inline struct slice plane_encode(struct harness *harness, const struct plane_batch *spec)
{
    struct batch_builder builder;
    batch_builder_init(&builder);
    if (spec->producer_id > 0) {
        builder.producer_id = spec->producer_id;
        builder.producer_epoch = spec->epoch;
        builder.base_sequence = spec->sequence;
    }
    builder.attributes = spec->attributes;
    int64_t start = spec->timestamp != 0 ? spec->timestamp : env_real_ms(env_posix());
    size_t value_size = spec->value_size == 0 ? 5 : spec->value_size;
    char *value = xcalloc(1, value_size + 1);
    memset(value, 'v', value_size);
    for (int i = 0; i < (spec->count == 0 ? 1 : spec->count); i++) {
        struct batch_record record = {
            .timestamp_ms = start + i,
            .key = slice_from_str(spec->key),
            .value = slice_make(value, value_size),
        };
        batch_builder_append(&builder, &record);
    }
    size_t size;
    const uint8_t *bytes = batch_builder_finish(&builder, &size);
    struct slice copy = arena_copy_slice(harness_arena(harness), slice_make(bytes, size));
    batch_builder_deinit(&builder);
    free(value);
    return copy;
}

static inline struct produce_request *plane_produce_request(struct harness *harness,
    const char *topic, struct uuid id, int32_t partition, struct slice records, int16_t acks)
{
    struct arena *arena = harness_arena(harness);
    struct produce_request *request = harness_request(harness, &produce_api_codec);
    request->acks = acks;
    request->timeout_ms = 5000;
    request->topic_data = arena_new(arena, struct produce_request_topic);
    request->topic_data_count = 1;
    request->topic_data->name = slice_from_str(topic);
    request->topic_data->topic_id = id;
    request->topic_data->partition_data = arena_new(arena, struct produce_request_partition);
    request->topic_data->partition_data_count = 1;
    request->topic_data->partition_data->index = partition;
    request->topic_data->partition_data->records = (struct records){.bytes = records};
    return request;
}

static inline const struct produce_response_partition *plane_produced(
    const struct produce_response *response)
{
    ck_assert_int_eq(response->responses_count, 1);
    ck_assert_int_eq(response->responses[0].partition_responses_count, 1);
    return &response->responses[0].partition_responses[0];
}

static inline const struct produce_response_partition *plane_produce_bytes(struct harness *harness,
    int16_t version, const char *topic, int32_t partition, struct slice records)
{
    return plane_produced(harness_call(harness, &produce_api_codec, version,
        plane_produce_request(harness, topic, UUID_ZERO, partition, records, -1)));
}

static inline const struct produce_response_partition *plane_produce(
    struct harness *harness, const char *topic, int32_t partition, struct plane_batch spec)
{
    return plane_produce_bytes(harness, 9, topic, partition, plane_encode(harness, &spec));
}

/* --- fetch --- */

struct plane_fetch {
    const char *topic;
    struct uuid topic_id;
    int32_t partition;
    int64_t offset;
    int32_t min_bytes, max_wait_ms;
    int32_t max_bytes, partition_max_bytes; /* 0: 1 MiB */
    int32_t leader_epoch;                   /* 0: does not care; else epoch + 1 */
    int8_t isolation;
    int32_t partitions; /* 0: one; else that many from `partition` on, in one topic */
};

static inline struct fetch_request *plane_fetch_request(
    struct harness *harness, const struct plane_fetch *spec)
{
    struct arena *arena = harness_arena(harness);
    struct fetch_request *request = harness_request(harness, &fetch_api_codec);
    int32_t count = spec->partitions == 0 ? 1 : spec->partitions;
    request->max_wait_ms = spec->max_wait_ms;
    request->min_bytes = spec->min_bytes;
    request->max_bytes = spec->max_bytes == 0 ? 1 << 20 : spec->max_bytes;
    request->isolation_level = spec->isolation;
    request->session_epoch = -1;
    request->topics = arena_new(arena, struct fetch_request_topic);
    request->topics_count = 1;
    request->topics->topic = slice_from_str(spec->topic);
    request->topics->topic_id = spec->topic_id;
    request->topics->partitions = arena_new_n(arena, struct fetch_request_partition, (size_t)count);
    request->topics->partitions_count = count;
    for (int32_t i = 0; i < count; i++) {
        struct fetch_request_partition *partition = &request->topics->partitions[i];
        fetch_request_partition_init(partition);
        partition->partition = spec->partition + i;
        partition->fetch_offset = spec->offset;
        partition->current_leader_epoch = spec->leader_epoch - 1;
        partition->partition_max_bytes =
            spec->partition_max_bytes == 0 ? 1 << 20 : spec->partition_max_bytes;
    }
    return request;
}

static inline const struct fetch_response_partition *plane_fetched(
    const struct fetch_response *response, int32_t index)
{
    ck_assert_int_eq(response->error_code, KAFKA_ERROR_NONE);
    ck_assert_int_eq(response->session_id, 0);
    ck_assert_int_eq(response->responses_count, 1);
    ck_assert_int_lt(index, response->responses[0].partitions_count);
    return &response->responses[0].partitions[index];
}

static inline const struct fetch_response_partition *plane_fetch(
    struct harness *harness, int16_t version, struct plane_fetch spec)
{
    return plane_fetched(
        harness_call(harness, &fetch_api_codec, version, plane_fetch_request(harness, &spec)), 0);
}

/* The record bytes of an answer, in the arena; the references are given back. Once per answer. */
static inline struct slice plane_records(
    struct harness *harness, const struct fetch_response_partition *partition)
{
    const struct records *records = &partition->records;
    size_t size = records_size(records), at = 0;
    if (records->chunks_count == 0)
        return records->bytes;
    uint8_t *bytes = arena_xalloc_n(harness_arena(harness), size, 1);
    for (int32_t i = 0; i < records->chunks_count; i++) {
        struct chunk *chunk = &records->chunks[i];
        if (chunk->data != NULL)
            memcpy(bytes + at, chunk->data, chunk->size);
        else
            ck_assert_int_eq(
                pread(chunk->fd, bytes + at, chunk->size, (off_t)chunk->pos), chunk->size);
        at += chunk->size;
        chunk_release(chunk);
    }
    return slice_make(bytes, size);
}

/* Walks whole batches; checks their CRC and that offsets are without gaps from the first on.
 * Returns the number of batches and the offset behind the last. */
static inline int plane_walk(struct slice records, int64_t *ret_next)
{
    int count = 0;
    for (size_t at = 0; at < records.size; count++) {
        ck_assert_uint_ge(records.size - at, BATCH_HEADER_SIZE);
        struct batch_header header = batch_header_parse(records.data + at);
        ck_assert(batch_header_sane(&header));
        ck_assert_uint_le(batch_size(&header), records.size - at);
        ck_assert(batch_crc_valid(records.data + at, &header));
        if (count > 0)
            ck_assert_int_eq(header.base_offset, *ret_next);
        *ret_next = batch_last_offset(&header) + 1;
        at += batch_size(&header);
    }
    return count;
}
