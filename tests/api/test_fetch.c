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

/* --- sessions --- */

struct session_ask {
    int32_t id, epoch;
    int32_t from, count; /* partitions named */
    int32_t forgotten;   /* that one, when not -1 */
    int64_t offset;
    int16_t version; /* 0: 12 */
    struct uuid topic_id;
    int32_t max_bytes; /* 0: 1 MiB */
    uint64_t conn;     /* 0: 1 */
};

static struct fetch_request *session_request(
    struct harness *harness, const char *topic, const struct session_ask *ask)
{
    struct fetch_request *request =
        plane_fetch_request(harness, &(struct plane_fetch){.topic = topic,
                                         .topic_id = ask->topic_id,
                                         .partition = ask->from,
                                         .partitions = ask->count,
                                         .offset = ask->offset,
                                         .max_bytes = ask->max_bytes});
    request->topics_count = ask->count > 0;
    request->session_id = ask->id;
    request->session_epoch = ask->epoch;
    if (ask->forgotten < 0)
        return request;
    struct arena *arena = harness_arena(harness);
    request->forgotten_topics_data = arena_new(arena, struct fetch_request_forgotten_topic);
    request->forgotten_topics_data_count = 1;
    request->forgotten_topics_data->topic = slice_from_str(topic);
    request->forgotten_topics_data->topic_id = ask->topic_id;
    request->forgotten_topics_data->partitions = arena_new(arena, int32_t);
    request->forgotten_topics_data->partitions[0] = ask->forgotten;
    request->forgotten_topics_data->partitions_count = 1;
    return request;
}

static const struct fetch_response *session_fetch(
    struct harness *harness, const char *topic, struct session_ask ask)
{
    struct harness_call *call =
        harness_send(harness, &fetch_api_codec, ask.version == 0 ? 12 : ask.version,
            session_request(harness, topic, &ask), ask.conn == 0 ? 1 : ask.conn);
    const struct fetch_response *response = harness_wait(call, 5000);
    ck_assert_ptr_nonnull(response);
    return response;
}

/* The partitions answered, as bits; what was read is let go of. */
static unsigned session_told(struct harness *harness, const struct fetch_response *response)
{
    unsigned told = 0;
    ck_assert_int_eq(response->error_code, KAFKA_ERROR_NONE);
    for (int32_t t = 0; t < response->responses_count; t++) {
        for (int32_t p = 0; p < response->responses[t].partitions_count; p++) {
            const struct fetch_response_partition *partition =
                &response->responses[t].partitions[p];
            ck_assert_int_eq(told >> partition->partition_index & 1, 0);
            told |= 1u << partition->partition_index;
            if (records_size(&partition->records) > 0)
                plane_records(harness, partition);
        }
    }
    return told;
}

START_TEST(fetch_session_tells_what_changed)
{
    struct harness *harness = harness_new(2, NULL);
    plane_topic(harness, "orders", 4, NULL, NULL);
    const struct fetch_response *response =
        session_fetch(harness, "orders", (struct session_ask){.count = 4, .forgotten = -1});
    int32_t id = response->session_id;
    ck_assert_int_gt(id, 0);
    ck_assert_uint_eq(session_told(harness, response), 0xF);
    /* Nothing new. */
    response = session_fetch(
        harness, "orders", (struct session_ask){.id = id, .epoch = 1, .forgotten = -1});
    ck_assert_int_eq(response->session_id, id);
    ck_assert_int_eq(response->responses_count, 0);
    /* Data. */
    plane_produce(harness, "orders", 2, (struct plane_batch){0});
    response = session_fetch(
        harness, "orders", (struct session_ask){.id = id, .epoch = 2, .forgotten = -1});
    ck_assert_uint_eq(session_told(harness, response), 1u << 2);
    /* The client has it, and names what it wants next. */
    response = session_fetch(harness, "orders",
        (struct session_ask){
            .id = id, .epoch = 3, .from = 2, .count = 1, .offset = 1, .forgotten = -1});
    ck_assert_uint_eq(session_told(harness, response), 0);
    /* A high watermark that moved behind a full answer is told without data. */
    plane_produce(harness, "orders", 0, (struct plane_batch){0});
    plane_produce(harness, "orders", 3, (struct plane_batch){0});
    response = session_fetch(harness, "orders",
        (struct session_ask){
            .id = id, .epoch = 4, .forgotten = -1, .from = 3, .count = 1, .offset = 1});
    ck_assert_uint_eq(session_told(harness, response), 1u << 0 | 1u << 3);
    /* Forgotten. */
    response = session_fetch(
        harness, "orders", (struct session_ask){.id = id, .epoch = 5, .forgotten = 0});
    ck_assert_uint_eq(session_told(harness, response), 0);
    /* A partition that comes later is told at once. An error is told again and again. */
    for (int32_t epoch = 6; epoch < 9; epoch++) {
        response = session_fetch(harness, "orders",
            (struct session_ask){
                .id = id, .epoch = epoch, .from = 4, .count = epoch == 6, .forgotten = -1});
        ck_assert_uint_eq(session_told(harness, response), 1u << 4);
    }
    harness_free(harness);
}
END_TEST

START_TEST(fetch_session_knows_its_epoch)
{
    struct harness *harness = harness_new(2, NULL);
    struct uuid topic_id = plane_topic(harness, "orders", 1, NULL, NULL);
    const struct fetch_response *response = session_fetch(
        harness, "orders", (struct session_ask){.id = 7, .epoch = 1, .count = 1, .forgotten = -1});
    ck_assert_int_eq(response->error_code, KAFKA_ERROR_FETCH_SESSION_ID_NOT_FOUND);
    ck_assert_int_eq(response->session_id, 0);
    ck_assert_int_eq(response->responses_count, 0);
    struct session_ask ask = {.count = 1, .forgotten = -1};
    int32_t id = session_fetch(harness, "orders", ask)->session_id;
    ask = (struct session_ask){.id = id, .epoch = 2, .forgotten = -1};
    ck_assert_int_eq(
        session_fetch(harness, "orders", ask)->error_code, KAFKA_ERROR_INVALID_FETCH_SESSION_EPOCH);
    ask = (struct session_ask){.id = id, .epoch = 1, .forgotten = -1, .version = 13};
    ck_assert_int_eq(session_fetch(harness, "orders", ask)->error_code,
        KAFKA_ERROR_FETCH_SESSION_TOPIC_ID_ERROR);
    ask.version = 12;
    ck_assert_int_eq(session_fetch(harness, "orders", ask)->error_code, KAFKA_ERROR_NONE);
    /* The end of one, with and without a new one. */
    ask = (struct session_ask){.id = id, .epoch = 0, .count = 1, .forgotten = -1};
    int32_t second = session_fetch(harness, "orders", ask)->session_id;
    ck_assert_int_ne(second, id);
    ask = (struct session_ask){.id = id, .epoch = 2, .forgotten = -1};
    ck_assert_int_eq(
        session_fetch(harness, "orders", ask)->error_code, KAFKA_ERROR_FETCH_SESSION_ID_NOT_FOUND);
    ask = (struct session_ask){.id = second, .epoch = -1, .count = 1, .forgotten = -1};
    ck_assert_int_eq(session_fetch(harness, "orders", ask)->session_id, 0);
    ask.epoch = 1;
    ck_assert_int_eq(
        session_fetch(harness, "orders", ask)->error_code, KAFKA_ERROR_FETCH_SESSION_ID_NOT_FOUND);
    /* One that is left without partitions ends. */
    ask = (struct session_ask){.count = 1, .forgotten = -1, .version = 13, .topic_id = topic_id};
    id = session_fetch(harness, "orders", ask)->session_id;
    ck_assert_int_gt(id, 0);
    ask.id = id;
    ask.epoch = 1;
    ask.count = 0;
    ask.forgotten = 0;
    response = session_fetch(harness, "orders", ask);
    ck_assert_int_eq(response->error_code, KAFKA_ERROR_NONE);
    ck_assert_int_eq(response->session_id, 0);
    ask.epoch = 2;
    ck_assert_int_eq(
        session_fetch(harness, "orders", ask)->error_code, KAFKA_ERROR_FETCH_SESSION_ID_NOT_FOUND);
    harness_free(harness);
}
END_TEST

/* Through connections on both loops: a session is known on its own; it can be ended from anywhere.
 */
START_TEST(fetch_session_has_a_home)
{
    struct harness *harness = harness_new(2, NULL);
    plane_topic(harness, "orders", 2, NULL, NULL);
    for (uint64_t conn = 1; conn <= 2; conn++) {
        struct session_ask ask = {.count = 2, .forgotten = -1, .conn = conn};
        int32_t id = session_fetch(harness, "orders", ask)->session_id;
        ask = (struct session_ask){.id = id, .epoch = 1, .forgotten = -1, .conn = 3 - conn};
        ck_assert_int_eq(session_fetch(harness, "orders", ask)->error_code,
            KAFKA_ERROR_FETCH_SESSION_ID_NOT_FOUND);
        ask.conn = conn;
        ck_assert_int_eq(session_fetch(harness, "orders", ask)->error_code, KAFKA_ERROR_NONE);
        ask = (struct session_ask){
            .id = id, .epoch = -1, .count = 1, .forgotten = -1, .conn = 3 - conn};
        session_fetch(harness, "orders", ask);
        ask = (struct session_ask){.id = id, .epoch = 2, .forgotten = -1, .conn = conn};
        int16_t error = KAFKA_ERROR_NONE;
        for (int i = 0; i < 1000 && error == KAFKA_ERROR_NONE; i++, ask.epoch++)
            error = session_fetch(harness, "orders", ask)->error_code;
        ck_assert_int_eq(error, KAFKA_ERROR_FETCH_SESSION_ID_NOT_FOUND);
    }
    harness_free(harness);
}
END_TEST

/* Answers too small for all partitions: each has its turn. */
START_TEST(fetch_session_is_fair)
{
    struct harness *harness = harness_new(1, NULL);
    plane_topic(harness, "orders", 3, NULL, NULL);
    for (int i = 0; i < 4; i++) {
        for (int p = 0; p < 3; p++)
            plane_produce(harness, "orders", p, (struct plane_batch){.value_size = 900});
    }
    struct session_ask ask = {.count = 3, .forgotten = -1, .max_bytes = 1000};
    const struct fetch_response *response = session_fetch(harness, "orders", ask);
    int32_t id = response->session_id;
    int turns[3] = {0};
    for (int32_t epoch = 1; epoch <= 9; epoch++) {
        int got = -1;
        for (int p = 0;
             response->responses_count > 0 && p < response->responses[0].partitions_count; p++) {
            const struct fetch_response_partition *partition =
                &response->responses[0].partitions[p];
            if (records_size(&partition->records) == 0)
                continue;
            plane_records(harness, partition);
            ck_assert_int_eq(got, -1);
            got = partition->partition_index;
        }
        ck_assert_int_ge(got, 0);
        turns[got]++;
        ask = (struct session_ask){.id = id,
            .epoch = epoch,
            .from = got,
            .count = 1,
            .offset = turns[got],
            .forgotten = -1,
            .max_bytes = 1000};
        response = session_fetch(harness, "orders", ask);
    }
    session_told(harness, response);
    for (int p = 0; p < 3; p++)
        ck_assert_int_eq(turns[p], 3);
    harness_free(harness);
}
END_TEST

static struct harness_call *session_park(struct harness *harness, struct session_ask ask)
{
    struct fetch_request *request = session_request(harness, "orders", &ask);
    request->min_bytes = 1;
    request->max_wait_ms = 60000;
    struct harness_call *call = harness_send(harness, &fetch_api_codec, 12, request, 1);
    ck_assert_ptr_null(harness_wait(call, 30));
    return call;
}

/* A client that does not wait for the answer: the fetch that was under way has lost its session. */
START_TEST(fetch_session_moves_on)
{
    struct harness *harness = harness_new(2, "odradek.fetch.max.wait.ms=-1", NULL);
    plane_topic(harness, "orders", 2, NULL, NULL);
    int32_t id = session_fetch(harness, "orders", (struct session_ask){.count = 2, .forgotten = -1})
                     ->session_id;
    struct harness_call *call =
        session_park(harness, (struct session_ask){.id = id, .epoch = 1, .forgotten = -1});
    struct session_ask ask = {.id = id, .epoch = 2, .forgotten = 1};
    ck_assert_uint_eq(session_told(harness, session_fetch(harness, "orders", ask)), 0);
    plane_produce(harness, "orders", 1, (struct plane_batch){0});
    const struct fetch_response *response = harness_wait(call, 5000);
    ck_assert_ptr_nonnull(response);
    ck_assert_int_eq(response->error_code, KAFKA_ERROR_INVALID_FETCH_SESSION_EPOCH);
    ck_assert_int_eq(response->session_id, id);
    ck_assert_int_eq(response->responses_count, 0);
    /* One whose session was closed meanwhile is answered as if nothing had been. */
    call = session_park(harness, (struct session_ask){.id = id, .epoch = 3, .forgotten = -1});
    ask = (struct session_ask){.id = id, .epoch = -1, .count = 1, .forgotten = -1};
    session_fetch(harness, "orders", ask);
    plane_produce(harness, "orders", 0, (struct plane_batch){0});
    response = harness_wait(call, 5000);
    ck_assert_ptr_nonnull(response);
    ck_assert_int_eq(response->session_id, id);
    ck_assert_uint_eq(session_told(harness, response), 1);
    harness_free(harness);
}
END_TEST

START_TEST(fetch_sessions_can_be_off)
{
    struct harness *harness = harness_new(1, "max.incremental.fetch.session.cache.slots=0", NULL);
    plane_topic(harness, "orders", 1, NULL, NULL);
    struct session_ask ask = {.count = 1, .forgotten = -1};
    const struct fetch_response *response = session_fetch(harness, "orders", ask);
    ck_assert_int_eq(response->session_id, 0);
    ck_assert_uint_eq(session_told(harness, response), 1);
    harness_free(harness);
}
END_TEST

START_TEST(fetch_answers_a_partition_named_twice_once)
{
    struct harness *harness = harness_new(1, NULL);
    plane_topic(harness, "orders", 2, NULL, NULL);
    for (int i = 0; i < 3; i++)
        plane_produce(harness, "orders", 0, (struct plane_batch){0});
    struct fetch_request *request = plane_fetch_request(
        harness, &(struct plane_fetch){.topic = "orders", .partitions = 3, .min_bytes = 1});
    request->topics->partitions[2].partition = 0;
    request->topics->partitions[2].fetch_offset = 2;
    const struct fetch_response *response = harness_call(harness, &fetch_api_codec, 12, request);
    ck_assert_int_eq(response->responses[0].partitions_count, 2);
    int64_t next;
    ck_assert_int_eq(plane_walk(plane_records(harness, plane_fetched(response, 0)), &next), 1);
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
    fetch_session_tells_what_changed, fetch_session_knows_its_epoch, fetch_session_has_a_home,
    fetch_session_is_fair, fetch_session_moves_on, fetch_sessions_can_be_off,
    fetch_answers_a_partition_named_twice_once, fetch_names_no_more_partitions_than_may_exist,
    fetch_survives_the_delay_engine)
