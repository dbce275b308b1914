// SPDX-License-Identifier: BSD-2-Clause
#include "api/plane.h"
#include "base/bytes.h"
#include "base/crc32c.h"
#include "runner.h"

START_TEST(produce_gives_offsets)
{
    struct harness *harness = harness_new(2, NULL);
    plane_topic(harness, "orders", 3, NULL, NULL);
    for (int32_t p = 0; p < 3; p++) {
        const struct produce_response_partition *first =
            plane_produce(harness, "orders", p, (struct plane_batch){.count = 4});
        const struct produce_response_partition *second =
            plane_produce(harness, "orders", p, (struct plane_batch){.count = 1});
        ck_assert_int_eq(first->error_code, KAFKA_ERROR_NONE);
        ck_assert_int_eq(first->base_offset, 0);
        ck_assert_int_eq(first->log_start_offset, 0);
        ck_assert_int_eq(first->log_append_time_ms, -1);
        ck_assert_int_eq(second->base_offset, 4);
    }
    harness_free(harness);
}
END_TEST

START_TEST(produce_names_unknown_topics_and_partitions)
{
    struct harness *harness = harness_new(2, NULL);
    struct uuid id = plane_topic(harness, "orders", 1, NULL, NULL);
    struct plane_batch one = {0};
    ck_assert_int_eq(plane_produce(harness, "nothing", 0, one)->error_code,
        KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION);
    ck_assert_int_eq(plane_produce(harness, "orders", 1, one)->error_code,
        KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION);
    ck_assert_int_eq(plane_produce(harness, "orders", -1, one)->error_code,
        KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION);
    struct slice bytes = plane_encode(harness, &one);
    const struct produce_response *response = harness_call(
        harness, &produce_api_codec, 13, plane_produce_request(harness, NULL, id, 0, bytes, 1));
    ck_assert_int_eq(plane_produced(response)->error_code, KAFKA_ERROR_NONE);
    ck_assert(uuid_equal(response->responses[0].topic_id, id));
    id.bytes[0] ^= 1;
    response = harness_call(
        harness, &produce_api_codec, 13, plane_produce_request(harness, NULL, id, 0, bytes, 1));
    ck_assert_int_eq(plane_produced(response)->error_code, KAFKA_ERROR_UNKNOWN_TOPIC_ID);
    plane_delete(harness, "orders");
    ck_assert_int_eq(plane_produce(harness, "orders", 0, one)->error_code,
        KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION);
    harness_free(harness);
}
END_TEST

START_TEST(produce_refuses_bad_batches)
{
    struct harness *harness = harness_new(1, "message.max.bytes=1000", NULL);
    plane_topic(harness, "orders", 1, NULL, NULL);
    struct plane_batch one = {0}, large = {.value_size = 2000};
    struct slice batch = plane_encode(harness, &one);
    struct slice half = slice_make(batch.data, batch.size / 2);
    ck_assert_int_eq(plane_produce_bytes(harness, 7, "orders", 0, SLICE_NULL)->error_code,
        KAFKA_ERROR_INVALID_RECORD);
    ck_assert_int_eq(
        plane_produce_bytes(harness, 7, "orders", 0, half)->error_code, KAFKA_ERROR_INVALID_RECORD);
    ck_assert_int_eq(
        plane_produce(harness, "orders", 0, large)->error_code, KAFKA_ERROR_MESSAGE_TOO_LARGE);
    ((uint8_t *)(uintptr_t)batch.data)[BATCH_POS_CRC] ^= 1;
    ck_assert_int_eq(plane_produce_bytes(harness, 7, "orders", 0, batch)->error_code,
        KAFKA_ERROR_CORRUPT_MESSAGE);
    struct plane_batch transactional = {.producer_id = 5, .attributes = BATCH_TRANSACTIONAL};
    ck_assert_int_eq(plane_produce(harness, "orders", 0, transactional)->error_code,
        KAFKA_ERROR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
    struct plane_batch zstd = {.attributes = BATCH_ZSTD};
    ck_assert_int_eq(
        plane_produce_bytes(harness, 6, "orders", 0, plane_encode(harness, &zstd))->error_code,
        KAFKA_ERROR_UNSUPPORTED_COMPRESSION_TYPE);
    /* Nothing of it is in the log. */
    ck_assert_int_eq(plane_produce(harness, "orders", 0, one)->base_offset, 0);
    harness_free(harness);
}
END_TEST

START_TEST(produce_names_the_faulty_records)
{
    struct harness *harness = harness_new(1, NULL);
    plane_topic(harness, "state", 1, "cleanup.policy", "compact");
    const struct produce_response_partition *answer =
        plane_produce(harness, "state", 0, (struct plane_batch){.count = 3});
    ck_assert_int_eq(answer->error_code, KAFKA_ERROR_INVALID_RECORD);
    ck_assert_int_eq(answer->record_errors_count, 3);
    ck_assert_int_eq(answer->record_errors[2].batch_index, 2);
    ck_assert_uint_gt(answer->record_errors[2].batch_index_error_message.size, 0);
    ck_assert_uint_gt(answer->error_message.size, 0);
    ck_assert_int_eq(answer->base_offset, -1);
    answer = plane_produce(harness, "state", 0, (struct plane_batch){.count = 3, .key = "k"});
    ck_assert_int_eq(answer->error_code, KAFKA_ERROR_NONE);
    answer = plane_produce(
        harness, "state", 0, (struct plane_batch){.key = "k", .timestamp = INT64_C(1) << 50});
    ck_assert_int_eq(answer->error_code, KAFKA_ERROR_INVALID_TIMESTAMP);
    harness_free(harness);
}
END_TEST

START_TEST(produce_stamps_the_append_time)
{
    struct harness *harness = harness_new(1, NULL);
    plane_topic(harness, "log", 1, "message.timestamp.type", "LogAppendTime");
    int64_t before = env_real_ms(env_posix());
    const struct produce_response_partition *answer =
        plane_produce(harness, "log", 0, (struct plane_batch){.timestamp = 1000, .count = 2});
    ck_assert_int_eq(answer->error_code, KAFKA_ERROR_NONE);
    ck_assert_int_ge(answer->log_append_time_ms, before);
    ck_assert_int_le(answer->log_append_time_ms, env_real_ms(env_posix()));
    struct slice records = plane_records(
        harness, plane_fetch(harness, 11, (struct plane_fetch){.topic = "log", .min_bytes = 1}));
    struct batch_header header = batch_header_parse(records.data);
    ck_assert_int_eq(header.max_timestamp, answer->log_append_time_ms);
    ck_assert(header.attributes & BATCH_LOG_APPEND_TIME);
    ck_assert(batch_crc_valid(records.data, &header));
    harness_free(harness);
}
END_TEST

START_TEST(produce_compresses_where_the_topic_wants_it)
{
    struct harness *harness = harness_new(1, NULL);
    plane_topic(harness, "packed", 1, "compression.type", "lz4");
    plane_produce(harness, "packed", 0, (struct plane_batch){.count = 50, .value_size = 100});
    struct slice records = plane_records(
        harness, plane_fetch(harness, 11, (struct plane_fetch){.topic = "packed", .min_bytes = 1}));
    int64_t next;
    ck_assert_int_eq(plane_walk(records, &next), 1);
    ck_assert_int_eq(next, 50);
    struct batch_header header = batch_header_parse(records.data);
    ck_assert_int_eq(header.attributes & BATCH_COMPRESSION_MASK, BATCH_LZ4);
    ck_assert_uint_lt(records.size, 2000);
    harness_free(harness);
}
END_TEST

START_TEST(produce_knows_duplicates_also_after_a_restart)
{
    struct harness *harness = harness_new(2, NULL);
    plane_topic(harness, "orders", 1, NULL, NULL);
    for (int i = 0; i < 8; i++) {
        const struct produce_response_partition *answer = plane_produce(harness, "orders", 0,
            (struct plane_batch){.producer_id = 77, .sequence = 2 * i, .count = 2});
        ck_assert_int_eq(answer->error_code, KAFKA_ERROR_NONE);
    }
    for (int round = 0; round < 3; round++) {
        const struct produce_response_partition *answer = plane_produce(harness, "orders", 0,
            (struct plane_batch){.producer_id = 77, .sequence = 10, .count = 2});
        ck_assert_int_eq(answer->error_code, KAFKA_ERROR_NONE);
        ck_assert_int_eq(answer->base_offset, 10);
        answer = plane_produce(
            harness, "orders", 0, (struct plane_batch){.producer_id = 77, .sequence = 17});
        ck_assert_int_eq(answer->error_code, KAFKA_ERROR_OUT_OF_ORDER_SEQUENCE_NUMBER);
        answer = plane_produce(harness, "orders", 0,
            (struct plane_batch){.producer_id = 77, .epoch = -1, .sequence = 16});
        ck_assert_int_eq(answer->error_code, KAFKA_ERROR_INVALID_PRODUCER_EPOCH);
        harness_restart(harness, NULL);
    }
    ck_assert_int_eq(
        plane_produce(harness, "orders", 0, (struct plane_batch){.producer_id = 77, .sequence = 16})
            ->base_offset,
        16);
    harness_free(harness);
}
END_TEST

START_TEST(produce_acks_mean_what_they_say)
{
    struct harness *harness = harness_new(2, NULL);
    plane_topic(harness, "orders", 1, NULL, NULL);
    struct plane_batch one = {0};
    struct slice batch = plane_encode(harness, &one);
    struct harness_call *quiet = harness_send(harness, &produce_api_codec, 7,
        plane_produce_request(harness, "orders", UUID_ZERO, 0, batch, 0), 1);
    ck_assert_ptr_nonnull(harness_wait(quiet, 5000));
    ck_assert_int_eq(harness_result(quiet), HANDLE_NO_REPLY);
    struct harness_call *lost = harness_send(harness, &produce_api_codec, 7,
        plane_produce_request(harness, "nothing", UUID_ZERO, 0, batch, 0), 1);
    ck_assert_ptr_nonnull(harness_wait(lost, 5000));
    ck_assert_int_eq(harness_result(lost), HANDLE_CLOSE);
    batch = plane_encode(harness, &one);
    const struct produce_response *answer = harness_call(harness, &produce_api_codec, 7,
        plane_produce_request(harness, "orders", UUID_ZERO, 0, batch, 1));
    ck_assert_int_eq(plane_produced(answer)->base_offset, 1);
    answer = harness_call(harness, &produce_api_codec, 7,
        plane_produce_request(harness, "orders", UUID_ZERO, 0, batch, 2));
    ck_assert_int_eq(plane_produced(answer)->error_code, KAFKA_ERROR_INVALID_REQUIRED_ACKS);
    harness_free(harness);
}
END_TEST

START_TEST(produce_keeps_out_of_internal_topics)
{
    struct harness *harness = harness_new(1, NULL);
    plane_topic(harness, "__consumer_offsets", 1, NULL, NULL);
    ck_assert_int_eq(
        plane_produce(harness, "__consumer_offsets", 0, (struct plane_batch){.key = "k"})
            ->error_code,
        KAFKA_ERROR_INVALID_TOPIC_EXCEPTION);
    ck_assert_int_eq(
        plane_produce(harness, "__transaction_state", 0, (struct plane_batch){0})->error_code,
        KAFKA_ERROR_INVALID_TOPIC_EXCEPTION); /* before it exists, too */
    harness_free(harness);
}
END_TEST

START_TEST(produce_answers_each_partition_in_order)
{
    enum { PARTITIONS = 16 };
    struct harness *harness = harness_new(2, NULL);
    plane_topic(harness, "wide", PARTITIONS, NULL, NULL);
    struct plane_batch one = {0};
    struct produce_request *request =
        plane_produce_request(harness, "wide", UUID_ZERO, 0, SLICE_NULL, -1);
    struct produce_request_partition *partitions =
        arena_new_n(harness_arena(harness), struct produce_request_partition, PARTITIONS + 1);
    for (int32_t p = 0; p <= PARTITIONS; p++) {
        partitions[p].index = p;
        partitions[p].records.bytes = plane_encode(harness, &one);
    }
    request->topic_data->partition_data = partitions;
    request->topic_data->partition_data_count = PARTITIONS + 1;
    const struct produce_response *response = harness_call(harness, &produce_api_codec, 8, request);
    ck_assert_int_eq(response->responses[0].partition_responses_count, PARTITIONS + 1);
    for (int32_t p = 0; p <= PARTITIONS; p++) {
        ck_assert_int_eq(response->responses[0].partition_responses[p].index, p);
        ck_assert_int_eq(response->responses[0].partition_responses[p].error_code,
            p < PARTITIONS ? KAFKA_ERROR_NONE : KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION);
    }
    harness_free(harness);
}
END_TEST

/* The whole path late and out of step, with ownership lost now and then: a producer that retries
 * gets everything in once, in order. */
START_TEST(produce_survives_the_delay_engine)
{
    enum { BATCHES = 300 };
    struct harness *harness =
        harness_new(2, "odradek.engine=delay", "odradek.engine.delay.max.ms=3",
            "odradek.engine.delay.loss=200", "odradek.engine.delay.seed=42", NULL);
    plane_topic(harness, "orders", 1, NULL, NULL);
    int retries = 0;
    for (int i = 0; i < BATCHES;) {
        const struct produce_response_partition *answer = plane_produce(harness, "orders", 0,
            (struct plane_batch){.producer_id = 9, .sequence = i, .count = 1});
        if (answer->error_code == KAFKA_ERROR_NONE) {
            ck_assert_int_eq(answer->base_offset, i);
            i++;
        } else {
            ck_assert_int_eq(answer->error_code, KAFKA_ERROR_NOT_LEADER_OR_FOLLOWER);
            retries++;
            usleep(1000);
        }
    }
    ck_assert_int_gt(retries, 0);
    harness_free(harness);
}
END_TEST

static struct plane_op again_ops[3];

static void again_submit(void *ctx)
{
    for (int i = 0; i < 3; i++) {
        struct plane_op *op = &again_ops[i];
        op->harness = ctx;
        op->op.arena = &op->arena;
        op->op.call.done = plane_on_done;
        op->op.replication = -1;
        arena_init(&op->arena, SIZE_MAX);
        plane_submit(op);
    }
}

/* A topic is deleted and made again at once, while somebody produces by its name: what the new one
 * acknowledged is there after a restart. */
START_TEST(produce_into_a_topic_made_again)
{
    enum { PARTITIONS = 40, OLD = 1000 };
    int64_t expected[PARTITIONS] = {0};
    struct harness *harness = harness_new(2, NULL);
    plane_topic(harness, "orders", PARTITIONS, NULL, NULL);
    for (int32_t p = 0; p < PARTITIONS; p++)
        plane_produce(harness, "orders", p, (struct plane_batch){.count = OLD});
    memset(again_ops, 0, sizeof(again_ops));
    again_ops[0].op = (struct topics_op){.type = TOPICS_CREATE,
        .name = SLICE_LIT("other"),
        .partitions = 1}; /* a batch of its own */
    again_ops[1].op = (struct topics_op){.type = TOPICS_DELETE, .name = SLICE_LIT("orders")};
    again_ops[2].op = (struct topics_op){
        .type = TOPICS_CREATE, .name = SLICE_LIT("orders"), .partitions = PARTITIONS};
    harness_on_loop(harness, 0, again_submit, harness);
    while (!again_ops[2].done) {
        struct harness_call *calls[PARTITIONS];
        for (int32_t p = 0; p < PARTITIONS; p++)
            calls[p] = harness_send(harness, &produce_api_codec, 9,
                plane_produce_request(harness, "orders", UUID_ZERO, p,
                    plane_encode(harness, &(struct plane_batch){0}), 1),
                1);
        for (int32_t p = 0; p < PARTITIONS; p++) {
            const struct produce_response_partition *answer =
                plane_produced(harness_wait(calls[p], 10000));
            if (answer->error_code == KAFKA_ERROR_NONE && answer->base_offset < OLD)
                expected[p] = answer->base_offset + 1;
        }
    }
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(again_ops[i].op.error, TOPICS_OK);
        arena_deinit(&again_ops[i].arena);
    }
    harness_restart(harness, NULL);
    for (int32_t p = 0; p < PARTITIONS; p++) {
        const struct fetch_response_partition *answer =
            plane_fetch(harness, 12, (struct plane_fetch){.topic = "orders", .partition = p});
        plane_records(harness, answer);
        ck_assert_int_eq(answer->high_watermark, expected[p]);
    }
    harness_free(harness);
}
END_TEST

TEST_MAIN("api/produce", produce_gives_offsets, produce_names_unknown_topics_and_partitions,
    produce_refuses_bad_batches, produce_names_the_faulty_records, produce_stamps_the_append_time,
    produce_compresses_where_the_topic_wants_it, produce_knows_duplicates_also_after_a_restart,
    produce_acks_mean_what_they_say, produce_keeps_out_of_internal_topics,
    produce_answers_each_partition_in_order, produce_into_a_topic_made_again,
    produce_survives_the_delay_engine)
