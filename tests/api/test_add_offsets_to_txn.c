// SPDX-License-Identifier: BSD-2-Clause
#include "api/txn.h"
#include "runner.h"

START_TEST(add_offsets_makes_what_it_needs)
{
    struct harness *harness = harness_new(2, NULL);
    struct txn_client client = txn_client_new(harness, "t");
    ck_assert_int_eq(txn_add_offsets(&client, "g"), KAFKA_ERROR_NONE);
    const struct describe_transactions_response_transaction_state *state =
        txn_described(harness, "t");
    ck_assert_slice(state->transaction_state, "Ongoing");
    ck_assert_int_eq(state->topics_count, 1);
    ck_assert_slice(state->topics->topic, "__consumer_offsets");
    ck_assert_int_eq(txn_add_offsets(&client, "g"), KAFKA_ERROR_NONE);
    client.epoch++;
    ck_assert_int_eq(txn_add_offsets(&client, "g"), KAFKA_ERROR_PRODUCER_FENCED);
    client.epoch--;
    ck_assert_int_eq(txn_finish(&client, 4, true), KAFKA_ERROR_NONE);
    harness_free(harness);
}
END_TEST

TEST_MAIN("api/add_offsets_to_txn", add_offsets_makes_what_it_needs)
