// SPDX-License-Identifier: BSD-2-Clause
#include "api/txn.h"
#include "runner.h"

static struct harness *harness;

static void setup(void)
{
    harness = harness_new(2, NULL);
    plane_topic(harness, "orders", 2, NULL, NULL);
}

static void teardown(void)
{
    harness_free(harness);
}

START_TEST(add_partitions_all_or_none)
{
    struct txn_client client = txn_client_new(harness, "t");
    int32_t good[2] = {0, 1}, bad[1] = {0};
    struct add_partitions_to_txn_request_topic topics[2] = {
        {.name = SLICE_LIT("orders"), .partitions = good, .partitions_count = 2},
        {.name = SLICE_LIT("nothing"), .partitions = bad, .partitions_count = 1}};
    struct add_partitions_to_txn_request *request =
        harness_request(harness, &add_partitions_to_txn_api_codec);
    request->v3_and_below_transactional_id = SLICE_LIT("t");
    request->v3_and_below_producer_id = client.producer_id;
    request->v3_and_below_topics = topics;
    request->v3_and_below_topics_count = 2;
    const struct add_partitions_to_txn_response *response =
        harness_call(harness, &add_partitions_to_txn_api_codec, 0, request);
    const struct add_partitions_to_txn_response_topic *results =
        response->results_by_topic_v3_and_below;
    ck_assert_int_eq(response->results_by_topic_v3_and_below_count, 2);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(results[0].results_by_partition[i].partition_error_code,
            KAFKA_ERROR_OPERATION_NOT_ATTEMPTED);
    ck_assert_int_eq(results[1].results_by_partition[0].partition_error_code,
        KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION);
    ck_assert_slice(txn_described(harness, "t")->transaction_state, "Empty");
    request->v3_and_below_topics_count = 1;
    response = harness_call(harness, &add_partitions_to_txn_api_codec, 0, request);
    ck_assert_int_eq(
        response->results_by_topic_v3_and_below->results_by_partition[1].partition_error_code,
        KAFKA_ERROR_NONE);
    const struct describe_transactions_response_transaction_state *state =
        txn_described(harness, "t");
    ck_assert_slice(state->transaction_state, "Ongoing");
    ck_assert_int_eq(state->topics_count, 1);
    ck_assert_int_eq(state->topics->partitions_count, 2);
}
END_TEST

START_TEST(add_partitions_checks_the_producer)
{
    struct txn_client client = txn_client_new(harness, "t"), wrong = client;
    ck_assert_int_eq(txn_add_one(&client, 3, "orders", 0), KAFKA_ERROR_NONE);
    ck_assert_int_eq(txn_add_one(&client, 3, "orders", 0), KAFKA_ERROR_NONE);
    wrong.producer_id++;
    ck_assert_int_eq(txn_add_one(&wrong, 3, "orders", 0), KAFKA_ERROR_INVALID_PRODUCER_ID_MAPPING);
    wrong = client;
    wrong.epoch++;
    ck_assert_int_eq(txn_add_one(&wrong, 3, "orders", 0), KAFKA_ERROR_PRODUCER_FENCED);
    ck_assert_int_eq(txn_add_one(&wrong, 0, "orders", 0), KAFKA_ERROR_INVALID_PRODUCER_EPOCH);
    wrong = client;
    wrong.id = "nobody";
    ck_assert_int_eq(txn_add_one(&wrong, 3, "orders", 0), KAFKA_ERROR_INVALID_PRODUCER_ID_MAPPING);
    ck_assert_int_eq(
        txn_add_one(&client, 3, "__transaction_state", 0), KAFKA_ERROR_TOPIC_AUTHORIZATION_FAILED);
}
END_TEST

static int16_t send_one(struct txn_client client, int16_t version)
{
    return txn_send(&client, version, "orders");
}

START_TEST(add_partitions_is_needed_before_writing)
{
    struct txn_client client = txn_client_new(harness, "t");
    ck_assert_int_eq(send_one(client, 9), KAFKA_ERROR_INVALID_TXN_STATE);
    ck_assert_int_eq(send_one(client, 11), KAFKA_ERROR_TRANSACTION_ABORTABLE);
    txn_add_one(&client, 3, "orders", 1);
    ck_assert_int_eq(send_one(client, 11), KAFKA_ERROR_TRANSACTION_ABORTABLE);
    txn_add_one(&client, 3, "orders", 0);
    ck_assert_int_eq(send_one(client, 11), KAFKA_ERROR_NONE);
    ck_assert_int_eq(send_one(client, 11), KAFKA_ERROR_NONE); /* the same again */
    /* After the end it would hang for good. */
    client.sequence = 1;
    ck_assert_int_eq(txn_finish(&client, 4, true), KAFKA_ERROR_NONE);
    ck_assert_int_eq(send_one(client, 11), KAFKA_ERROR_TRANSACTION_ABORTABLE);
    ck_assert_int_eq(txn_view(harness, "orders").stable, 2);
    /* Nor may others write in its name. */
    struct txn_client other = client;
    other.id = "nobody";
    ck_assert_int_eq(send_one(other, 11), KAFKA_ERROR_INVALID_PRODUCER_ID_MAPPING);
    /* Outside of its transaction a producer writes what it likes, but not within. */
    txn_add_one(&client, 3, "orders", 0);
    ck_assert_int_eq(send_one(client, 11), KAFKA_ERROR_NONE);
    struct plane_batch plain = {.producer_id = client.producer_id, .sequence = 2};
    ck_assert_int_eq(
        plane_produce(harness, "orders", 0, plain)->error_code, KAFKA_ERROR_INVALID_TXN_STATE);
}
END_TEST

START_TEST(add_partitions_batched_and_verified)
{
    struct txn_client client = txn_client_new(harness, "t");
    txn_client_new(harness, "u");
    txn_add_one(&client, 3, "orders", 0);
    int32_t both[2] = {0, 1};
    struct add_partitions_to_txn_request_topic topic = {
        .name = SLICE_LIT("orders"), .partitions = both, .partitions_count = 2};
    struct add_partitions_to_txn_request_transaction transactions[3];
    for (int i = 0; i < 3; i++)
        transactions[i] = (struct add_partitions_to_txn_request_transaction){
            .transactional_id = i == 0   ? SLICE_LIT("t")
                                : i == 1 ? SLICE_LIT("u")
                                         : SLICE_LIT("v"),
            .producer_id = client.producer_id,
            .verify_only = i != 1,
            .topics = &topic,
            .topics_count = 1};
    struct add_partitions_to_txn_request *request =
        harness_request(harness, &add_partitions_to_txn_api_codec);
    request->transactions = transactions;
    request->transactions_count = 3;
    const struct add_partitions_to_txn_response *response =
        harness_call(harness, &add_partitions_to_txn_api_codec, 5, request);
    ck_assert_int_eq(response->results_by_transaction_count, 3);
    int16_t expected[3][2] = {{KAFKA_ERROR_NONE, KAFKA_ERROR_TRANSACTION_ABORTABLE},
        {KAFKA_ERROR_INVALID_PRODUCER_ID_MAPPING, KAFKA_ERROR_INVALID_PRODUCER_ID_MAPPING},
        {KAFKA_ERROR_INVALID_PRODUCER_ID_MAPPING, KAFKA_ERROR_INVALID_PRODUCER_ID_MAPPING}};
    for (int i = 0; i < 3; i++) {
        for (int p = 0; p < 2; p++)
            ck_assert_int_eq(response->results_by_transaction[i]
                                 .topic_results->results_by_partition[p]
                                 .partition_error_code,
                expected[i][p]);
    }
}
END_TEST

START_TEST(add_partitions_takes_very_many)
{
    enum { MANY = 100000 };
    txn_client_new(harness, "t");
    int32_t partition = 0;
    struct add_partitions_to_txn_request_topic topic = {
        .name = SLICE_LIT("orders"), .partitions = &partition, .partitions_count = 1};
    struct add_partitions_to_txn_request *request =
        harness_request(harness, &add_partitions_to_txn_api_codec);
    request->transactions_count = MANY;
    request->transactions =
        arena_new_n(harness_arena(harness), struct add_partitions_to_txn_request_transaction, MANY);
    for (int i = 0; i < MANY; i++)
        request->transactions[i] = (struct add_partitions_to_txn_request_transaction){
            .transactional_id = SLICE_LIT("nobody"),
            .verify_only = true,
            .topics = &topic,
            .topics_count = 1};
    const struct add_partitions_to_txn_response *response =
        harness_call(harness, &add_partitions_to_txn_api_codec, 5, request);
    ck_assert_int_eq(response->results_by_transaction_count, MANY);
}
END_TEST

TEST_MAIN_FIXTURE("api/add_partitions_to_txn", setup, teardown, add_partitions_all_or_none,
    add_partitions_checks_the_producer, add_partitions_is_needed_before_writing,
    add_partitions_batched_and_verified, add_partitions_takes_very_many)
