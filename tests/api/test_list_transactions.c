// SPDX-License-Identifier: BSD-2-Clause
#include "api/txn.h"
#include "runner.h"

#include "wire/list_transactions.gen.h"

#include <stdio.h>

static struct harness *harness;

static const struct list_transactions_response *list(
    const char *state, int64_t producer_id, int64_t duration_ms)
{
    struct arena *arena = harness_arena(harness);
    struct list_transactions_request *request =
        harness_request(harness, &list_transactions_api_codec);
    if (state != NULL) {
        request->state_filters = arena_new(arena, struct slice);
        request->state_filters[0] = slice_from_str(state);
        request->state_filters_count = 1;
    }
    if (producer_id >= 0) {
        request->producer_id_filters = arena_new(arena, int64_t);
        request->producer_id_filters[0] = producer_id;
        request->producer_id_filters_count = 1;
    }
    request->duration_filter = duration_ms;
    const struct list_transactions_response *response =
        harness_call(harness, &list_transactions_api_codec, 1, request);
    ck_assert_int_eq(response->error_code, KAFKA_ERROR_NONE);
    return response;
}

static const struct list_transactions_response *list_named(const char *pattern)
{
    struct list_transactions_request *request =
        harness_request(harness, &list_transactions_api_codec);
    request->duration_filter = -1;
    request->transactional_id_pattern = slice_from_str(pattern);
    return harness_call(harness, &list_transactions_api_codec, 2, request);
}

START_TEST(list_transactions_filters)
{
    harness = harness_new(3, NULL);
    ck_assert_int_eq(list(NULL, -1, -1)->transaction_states_count, 0);
    plane_topic(harness, "orders", 1, NULL, NULL);
    char ids[100][8];
    int64_t some = -1;
    for (int i = 0; i < 100; i++) {
        snprintf(ids[i], sizeof(ids[i]), "t-%d", i);
        struct txn_client client = txn_client_new(harness, ids[i]);
        some = client.producer_id;
        if (i % 10 == 0)
            txn_add_one(&client, 3, "orders", 0);
    }
    ck_assert_int_eq(list(NULL, -1, -1)->transaction_states_count, 100);
    ck_assert_int_eq(list("Ongoing", -1, -1)->transaction_states_count, 10);
    ck_assert_int_eq(list("Ongoing", -1, 3600000)->transaction_states_count, 0);
    ck_assert_int_eq(list(NULL, some, -1)->transaction_states_count, 1);
    const struct list_transactions_response *response = list("Nonsense", -1, -1);
    ck_assert_int_eq(response->transaction_states_count, 0);
    ck_assert_int_eq(response->unknown_state_filters_count, 1);
    ck_assert_int_eq(list_named(NULL)->transaction_states_count, 100);
    ck_assert_int_eq(list_named("")->transaction_states_count, 100);
    ck_assert_int_eq(list_named("t-1.*")->transaction_states_count, 11);
    ck_assert_int_eq(list_named("t-[0-9]")->transaction_states_count, 10); /* from end to end */
    ck_assert_int_eq(list_named("(")->error_code, KAFKA_ERROR_INVALID_REGULAR_EXPRESSION);
    harness_restart(harness, NULL);
    ck_assert_int_eq(list("Ongoing", -1, -1)->transaction_states_count, 10);
    harness_free(harness);
}
END_TEST

TEST_MAIN("api/list_transactions", list_transactions_filters)
