// SPDX-License-Identifier: BSD-2-Clause
#include "api/txn.h"
#include "runner.h"

START_TEST(describe_transactions_says_what_it_knows)
{
    struct harness *harness = harness_new(2, NULL);
    ck_assert_int_eq(
        txn_described(harness, "t")->error_code, KAFKA_ERROR_TRANSACTIONAL_ID_NOT_FOUND);
    ck_assert_int_eq(txn_described(harness, "")->error_code, KAFKA_ERROR_INVALID_REQUEST);
    plane_topic(harness, "orders", 2, NULL, NULL);
    struct txn_client client = txn_client_new(harness, "t");
    ck_assert_int_eq(
        txn_described(harness, "u")->error_code, KAFKA_ERROR_TRANSACTIONAL_ID_NOT_FOUND);
    const struct describe_transactions_response_transaction_state *state =
        txn_described(harness, "t");
    ck_assert_int_eq(state->error_code, KAFKA_ERROR_NONE);
    ck_assert_slice(state->transactional_id, "t");
    ck_assert_slice(state->transaction_state, "Empty");
    ck_assert_int_eq(state->producer_id, client.producer_id);
    ck_assert_int_eq(state->producer_epoch, 0);
    ck_assert_int_eq(state->transaction_timeout_ms, 60000);
    ck_assert_int_eq(state->transaction_start_time_ms, -1);
    ck_assert_int_eq(state->topics_count, 0);
    txn_add_one(&client, 3, "orders", 1);
    harness_restart(harness, NULL);
    state = txn_described(harness, "t");
    ck_assert_slice(state->transaction_state, "Ongoing");
    ck_assert_int_gt(state->transaction_start_time_ms, 0);
    ck_assert_int_eq(state->topics_count, 1);
    ck_assert_slice(state->topics->topic, "orders");
    ck_assert_int_eq(state->topics->partitions[0], 1);
    harness_free(harness);
}
END_TEST

/* An answer that comes from within the question must not take stack for each. */
START_TEST(describe_transactions_takes_very_many)
{
    struct harness *harness = harness_new(1, NULL);
    for (int round = 0; round < 2; round++) {
        struct describe_transactions_request *request =
            harness_request(harness, &describe_transactions_api_codec);
        request->transactional_ids_count = 200000;
        request->transactional_ids = arena_new_n(harness_arena(harness), struct slice, 200000);
        for (int i = 0; i < 200000; i++)
            request->transactional_ids[i] = SLICE_LIT("nobody");
        const struct describe_transactions_response *response =
            harness_call(harness, &describe_transactions_api_codec, 0, request);
        ck_assert_int_eq(response->transaction_states_count, 200000);
        ck_assert_int_eq(response->transaction_states[199999].error_code,
            KAFKA_ERROR_TRANSACTIONAL_ID_NOT_FOUND);
        txn_client_new(harness, "t"); /* makes the topic */
    }
    harness_free(harness);
}
END_TEST

TEST_MAIN("api/describe_transactions", describe_transactions_takes_very_many,
    describe_transactions_says_what_it_knows)
