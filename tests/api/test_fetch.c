// SPDX-License-Identifier: BSD-2-Clause
#include "api/plane.h"
#include "runner.h"

START_TEST(fetch_returns_what_was_produced)
{
    struct harness *harness = harness_new(2, NULL);
    plane_topic(harness, "orders", 1, NULL, NULL);
    for (int i = 0; i < 5; i++)
        plane_produce(harness, "orders", 0, (struct plane_batch){.count = 3});
    int64_t next;
    for (int16_t version = 4; version <= 12; version++) {
        const struct fetch_response_partition *answer =
            plane_fetch(harness, version, (struct plane_fetch){.topic = "orders", .min_bytes = 1});
        ck_assert_int_eq(answer->error_code, KAFKA_ERROR_NONE);
        ck_assert_int_eq(answer->high_watermark, 15);
        ck_assert_int_eq(answer->last_stable_offset, 15);
        ck_assert_int_eq(answer->log_start_offset, 0);
        ck_assert_int_eq(answer->preferred_read_replica, -1);
        ck_assert_int_eq(plane_walk(plane_records(harness, answer), &next), 5);
        ck_assert_int_eq(next, 15);
    }
    /* The batch that contains the offset comes whole. */
    const struct fetch_response_partition *answer = plane_fetch(
        harness, 11, (struct plane_fetch){.topic = "orders", .offset = 7, .min_bytes = 1});
    struct slice records = plane_records(harness, answer);
    ck_assert_int_eq(batch_header_parse(records.data).base_offset, 6);
    ck_assert_int_eq(plane_walk(records, &next), 3);
    harness_free(harness);
}
END_TEST

START_TEST(fetch_by_topic_id)
{
    struct harness *harness = harness_new(2, NULL);
    struct uuid id = plane_topic(harness, "orders", 1, NULL, NULL);
    plane_produce(harness, "orders", 0, (struct plane_batch){0});
    const struct fetch_response *response = harness_call(harness, &fetch_api_codec, 13,
        plane_fetch_request(harness, &(struct plane_fetch){.topic_id = id, .min_bytes = 1}));
    ck_assert(uuid_equal(response->responses[0].topic_id, id));
    ck_assert_uint_gt(plane_records(harness, plane_fetched(response, 0)).size, 0);
    id.bytes[3] ^= 1;
    ck_assert_int_eq(plane_fetch(harness, 13,
                         (struct plane_fetch){.topic_id = id, .min_bytes = 1, .max_wait_ms = 60000})
                         ->error_code,
        KAFKA_ERROR_UNKNOWN_TOPIC_ID);
    harness_free(harness);
}
END_TEST

START_TEST(fetch_errors_answer_at_once)
{
    struct harness *harness = harness_new(2, "odradek.fetch.max.wait.ms=-1", NULL);
    plane_topic(harness, "orders", 1, NULL, NULL);
    plane_topic(harness, "packed", 1, "compression.type", "zstd");
    plane_produce(harness, "orders", 0, (struct plane_batch){.count = 2});
    const struct {
        struct plane_fetch fetch;
        int16_t version, error_code;
    } cases[] = {
        {{.topic = "nothing"}, 11, KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION},
        {{.topic = "orders", .partition = 1}, 11, KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION},
        {{.topic = "orders", .offset = 3}, 11, KAFKA_ERROR_OFFSET_OUT_OF_RANGE},
        {{.topic = "orders", .offset = -1}, 11, KAFKA_ERROR_OFFSET_OUT_OF_RANGE},
        {{.topic = "orders", .leader_epoch = 101}, 11, KAFKA_ERROR_UNKNOWN_LEADER_EPOCH},
        {{.topic = "packed"}, 9, KAFKA_ERROR_UNSUPPORTED_COMPRESSION_TYPE},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct plane_fetch spec = cases[i].fetch;
        spec.min_bytes = 1;
        spec.max_wait_ms = 60000;
        const struct fetch_response_partition *answer =
            plane_fetch(harness, cases[i].version, spec);
        ck_assert_msg(
            answer->error_code == cases[i].error_code, "case %zu: %d", i, answer->error_code);
        ck_assert_int_eq(answer->high_watermark, -1);
        ck_assert(!records_is_null(&answer->records));
        ck_assert_uint_eq(records_size(&answer->records), 0);
    }
    /* The leader's own epoch is fine. */
    ck_assert_int_eq(
        plane_fetch(harness, 11, (struct plane_fetch){.topic = "orders", .offset = 2})->error_code,
        KAFKA_ERROR_NONE);
    harness_free(harness);
}
END_TEST

START_TEST(fetch_waits_for_data_and_wakes)
{
    struct harness *harness = harness_new(2, "odradek.fetch.max.wait.ms=-1", NULL);
    plane_topic(harness, "orders", 4, NULL, NULL);
    int64_t next;
    for (int32_t p = 0; p < 4; p++) {
        /* From loop to loop: connections 0 and 1 live on different ones, so do the partitions. */
        struct harness_call *call = harness_send(harness, &fetch_api_codec, 11,
            plane_fetch_request(harness, &(struct plane_fetch){.topic = "orders",
                                             .partition = p,
                                             .partitions = 4 - p,
                                             .min_bytes = 1,
                                             .max_wait_ms = 60000}),
            (uint64_t)p);
        ck_assert_ptr_null(harness_wait(call, 30));
        plane_produce(harness, "orders", p, (struct plane_batch){.count = 2});
        const struct fetch_response *response = harness_wait(call, 5000);
        ck_assert_ptr_nonnull(response);
        ck_assert_int_eq(plane_walk(plane_records(harness, plane_fetched(response, 0)), &next), 1);
        ck_assert_int_eq(next, 2);
    }
    harness_free(harness);
}
END_TEST

START_TEST(fetch_gives_up_after_its_time)
{
    struct harness *harness = harness_new(2, "odradek.fetch.max.wait.ms=-1", NULL);
    plane_topic(harness, "orders", 1, NULL, NULL);
    int64_t start = env_monotonic_ms(env_posix());
    const struct fetch_response_partition *answer = plane_fetch(
        harness, 11, (struct plane_fetch){.topic = "orders", .min_bytes = 1, .max_wait_ms = 200});
    int64_t took = env_monotonic_ms(env_posix()) - start;
    ck_assert_int_eq(answer->error_code, KAFKA_ERROR_NONE);
    ck_assert_int_eq(answer->high_watermark, 0);
    ck_assert_uint_eq(records_size(&answer->records), 0);
    ck_assert_int_ge(took, 190);
    /* And the broker's own limit. */
    harness_restart(harness, "odradek.fetch.max.wait.ms=100", NULL);
    start = env_monotonic_ms(env_posix());
    plane_fetch(
        harness, 11, (struct plane_fetch){.topic = "orders", .min_bytes = 1, .max_wait_ms = 60000});
    took = env_monotonic_ms(env_posix()) - start;
    ck_assert_int_ge(took, 90);
    ck_assert_int_lt(took, 8000);
    harness_free(harness);
}
END_TEST

START_TEST(fetch_waits_for_min_bytes)
{
    struct harness *harness = harness_new(2, "odradek.fetch.max.wait.ms=-1", NULL);
    plane_topic(harness, "orders", 2, NULL, NULL);
    struct harness_call *call = harness_send(harness, &fetch_api_codec, 11,
        plane_fetch_request(harness,
            &(struct plane_fetch){
                .topic = "orders", .partitions = 2, .min_bytes = 1000, .max_wait_ms = 60000}),
        1);
    for (int i = 0; i < 5; i++) {
        plane_produce(harness, "orders", i % 2, (struct plane_batch){.value_size = 50});
        ck_assert_ptr_null(harness_wait(call, 10));
    }
    plane_produce(harness, "orders", 0, (struct plane_batch){.value_size = 1000});
    const struct fetch_response *response = harness_wait(call, 5000);
    ck_assert_ptr_nonnull(response);
    int64_t next;
    ck_assert_int_eq(plane_walk(plane_records(harness, plane_fetched(response, 0)), &next), 4);
    ck_assert_int_eq(plane_walk(plane_records(harness, plane_fetched(response, 1)), &next), 2);
    harness_free(harness);
}
END_TEST

START_TEST(fetch_ends_with_its_connection)
{
    struct harness *harness = harness_new(2, "odradek.fetch.max.wait.ms=-1", NULL);
    plane_topic(harness, "orders", 3, NULL, NULL);
    struct harness_call *call = harness_send(harness, &fetch_api_codec, 11,
        plane_fetch_request(harness,
            &(struct plane_fetch){
                .topic = "orders", .partitions = 3, .min_bytes = 1, .max_wait_ms = 60000}),
        5);
    ck_assert_ptr_null(harness_wait(call, 50));
    harness_close_conn(harness, 5);
    ck_assert_ptr_nonnull(harness_wait(call, 5000));
    harness_free(harness);
}
END_TEST

START_TEST(fetch_ends_when_the_topic_goes)
{
    struct harness *harness = harness_new(2, "odradek.fetch.max.wait.ms=-1", NULL);
    plane_topic(harness, "orders", 3, NULL, NULL);
    struct harness_call *call = harness_send(harness, &fetch_api_codec, 11,
        plane_fetch_request(harness,
            &(struct plane_fetch){
                .topic = "orders", .partitions = 3, .min_bytes = 1, .max_wait_ms = 60000}),
        5);
    ck_assert_ptr_null(harness_wait(call, 50));
    plane_delete(harness, "orders");
    const struct fetch_response *response = harness_wait(call, 5000);
    ck_assert_ptr_nonnull(response);
    harness_free(harness);
}
END_TEST

START_TEST(fetch_respects_its_limits)
{
    struct harness *harness = harness_new(1, NULL);
    plane_topic(harness, "orders", 3, NULL, NULL);
    for (int p = 0; p < 3; p++) {
        for (int i = 0; i < 10; i++)
            plane_produce(harness, "orders", p, (struct plane_batch){.value_size = 900});
    }
    int64_t next;
    /* A batch is larger than both limits: it comes all the same, alone. */
    const struct fetch_response *response = harness_call(harness, &fetch_api_codec, 11,
        plane_fetch_request(harness, &(struct plane_fetch){.topic = "orders",
                                         .partitions = 3,
                                         .max_bytes = 10,
                                         .partition_max_bytes = 10,
                                         .min_bytes = 1}));
    ck_assert_int_eq(plane_walk(plane_records(harness, plane_fetched(response, 0)), &next), 1);
    ck_assert_uint_eq(records_size(&plane_fetched(response, 1)->records), 0);
    ck_assert_int_eq(plane_fetched(response, 1)->high_watermark, 10);
    /* Per partition. */
    response = harness_call(harness, &fetch_api_codec, 11,
        plane_fetch_request(harness,
            &(struct plane_fetch){
                .topic = "orders", .partitions = 3, .partition_max_bytes = 3000, .min_bytes = 1}));
    for (int p = 0; p < 3; p++)
        ck_assert_int_le(plane_walk(plane_records(harness, plane_fetched(response, p)), &next), 3);
    /* Together. */
    response = harness_call(harness, &fetch_api_codec, 11,
        plane_fetch_request(
            harness, &(struct plane_fetch){
                         .topic = "orders", .partitions = 3, .max_bytes = 15000, .min_bytes = 1}));
    size_t size = 0;
    for (int p = 0; p < 3; p++)
        size += plane_records(harness, plane_fetched(response, p)).size;
    ck_assert_uint_le(size, 15000);
    ck_assert_uint_gt(size, 10000);
    harness_free(harness);
}
END_TEST

START_TEST(fetch_committed_lists_no_aborted_transactions)
{
    struct harness *harness = harness_new(1, NULL);
    plane_topic(harness, "orders", 1, NULL, NULL);
    plane_produce(harness, "orders", 0, (struct plane_batch){0});
    const struct fetch_response_partition *committed = plane_fetch(
        harness, 11, (struct plane_fetch){.topic = "orders", .isolation = 1, .min_bytes = 1});
    ck_assert_int_eq(committed->aborted_transactions_count, 0);
    ck_assert_uint_gt(plane_records(harness, committed).size, 0);
    const struct fetch_response_partition *uncommitted =
        plane_fetch(harness, 11, (struct plane_fetch){.topic = "orders", .min_bytes = 1});
    ck_assert_int_eq(uncommitted->aborted_transactions_count, -1);
    plane_records(harness, uncommitted);
    harness_free(harness);
}
END_TEST

START_TEST(fetch_sessions_are_declined)
{
    struct harness *harness = harness_new(1, NULL);
    plane_topic(harness, "orders", 1, NULL, NULL);
    struct plane_fetch spec = {.topic = "orders"};
    struct fetch_request *request = plane_fetch_request(harness, &spec);
    request->session_epoch = 0; /* wants a new one */
    const struct fetch_response *response = harness_call(harness, &fetch_api_codec, 12, request);
    ck_assert_int_eq(response->session_id, 0);
    ck_assert_int_eq(response->error_code, KAFKA_ERROR_NONE);
    ck_assert_int_eq(response->responses_count, 1);
    request = plane_fetch_request(harness, &spec);
    request->session_id = 5;
    request->session_epoch = 1;
    response = harness_call(harness, &fetch_api_codec, 12, request);
    ck_assert_int_eq(response->error_code, KAFKA_ERROR_FETCH_SESSION_ID_NOT_FOUND);
    ck_assert_int_eq(response->responses_count, 0);
    request = plane_fetch_request(harness, &spec);
    request->topics_count = 0;
    response = harness_call(harness, &fetch_api_codec, 12, request);
    ck_assert_int_eq(response->error_code, KAFKA_ERROR_NONE);
    harness_free(harness);
}
END_TEST

START_TEST(fetch_names_no_more_partitions_than_may_exist)
{
    struct harness *harness = harness_new(1, "odradek.partitions.max=100", NULL);
    plane_topic(harness, "orders", 1, NULL, NULL);
    for (int32_t extra = 0; extra < 2; extra++) {
        struct plane_fetch spec = {.topic = "orders", .partitions = 100 + extra};
        struct harness_call *call =
            harness_send(harness, &fetch_api_codec, 11, plane_fetch_request(harness, &spec), 1);
        ck_assert_ptr_nonnull(harness_wait(call, 5000));
        ck_assert_int_eq(harness_result(call), extra == 0 ? HANDLE_DONE : HANDLE_CLOSE);
    }
    harness_free(harness);
}
END_TEST

/* Readers follow a writer through delays and losses, and see each offset once, in order. */
START_TEST(fetch_survives_the_delay_engine)
{
    enum { BATCHES = 150 };
    struct harness *harness =
        harness_new(2, "odradek.engine=delay", "odradek.engine.delay.max.ms=3",
            "odradek.engine.delay.loss=100", "odradek.engine.delay.seed=7", NULL);
    plane_topic(harness, "orders", 1, NULL, NULL);
    int64_t offset = 0;
    for (int i = 0; i < BATCHES || offset < BATCHES;) {
        if (i < BATCHES)
            i += plane_produce(harness, "orders", 0,
                     (struct plane_batch){.producer_id = 9, .sequence = i, .count = 1})
                     ->error_code == KAFKA_ERROR_NONE;
        const struct fetch_response_partition *answer = plane_fetch(harness, 11,
            (struct plane_fetch){
                .topic = "orders", .offset = offset, .min_bytes = 1, .max_wait_ms = 5});
        if (answer->error_code != KAFKA_ERROR_NONE) {
            ck_assert_int_eq(answer->error_code, KAFKA_ERROR_NOT_LEADER_OR_FOLLOWER);
            continue;
        }
        struct slice records = plane_records(harness, answer);
        if (records.size == 0)
            continue;
        ck_assert_int_eq(batch_header_parse(records.data).base_offset, offset);
        plane_walk(records, &offset);
        ck_assert_int_le(offset, answer->high_watermark);
    }
    ck_assert_int_eq(offset, BATCHES);
    harness_free(harness);
}
END_TEST

TEST_MAIN("api/fetch", fetch_returns_what_was_produced, fetch_by_topic_id,
    fetch_errors_answer_at_once, fetch_waits_for_data_and_wakes, fetch_gives_up_after_its_time,
    fetch_waits_for_min_bytes, fetch_ends_with_its_connection, fetch_ends_when_the_topic_goes,
    fetch_respects_its_limits, fetch_committed_lists_no_aborted_transactions,
    fetch_sessions_are_declined, fetch_names_no_more_partitions_than_may_exist,
    fetch_survives_the_delay_engine)
