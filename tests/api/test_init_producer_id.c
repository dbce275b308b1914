// SPDX-License-Identifier: BSD-2-Clause
#include "api/txn.h"
#include "runner.h"

static const struct init_producer_id_response *init(
    struct harness *harness, int16_t version, const char *transactional_id)
{
    struct init_producer_id_request *request =
        harness_request(harness, &init_producer_id_api_codec);
    request->transactional_id = slice_from_str(transactional_id);
    request->transaction_timeout_ms = 60000;
    return harness_call(harness, &init_producer_id_api_codec, version, request);
}

START_TEST(init_producer_id_is_never_given_twice)
{
    struct harness *harness = harness_new(2, NULL);
    int64_t last = -1;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 50; i++) {
            const struct init_producer_id_response *answer = init(harness, (int16_t)(i % 5), NULL);
            ck_assert_int_eq(answer->error_code, KAFKA_ERROR_NONE);
            ck_assert_int_eq(answer->producer_epoch, 0);
            ck_assert_int_gt(answer->producer_id, last);
            last = answer->producer_id;
        }
        harness_restart(harness, NULL);
    }
    harness_free(harness);
}
END_TEST

START_TEST(init_producer_id_checks_what_is_asked)
{
    struct harness *harness = harness_new(1, "transaction.max.timeout.ms=70000", NULL);
    ck_assert_int_eq(init(harness, 4, "")->error_code, KAFKA_ERROR_INVALID_REQUEST);
    struct txn_client client = {.harness = harness, .id = "t"};
    ck_assert_int_eq(
        txn_init_as(&client, 3, 5, -1, 60000)->error_code, KAFKA_ERROR_INVALID_REQUEST);
    ck_assert_int_eq(txn_init_as(&client, 3, -1, -1, 70001)->error_code,
        KAFKA_ERROR_INVALID_TRANSACTION_TIMEOUT);
    ck_assert_int_eq(
        txn_init_as(&client, 3, -1, -1, 0)->error_code, KAFKA_ERROR_INVALID_TRANSACTION_TIMEOUT);
    harness_free(harness);
}
END_TEST

START_TEST(init_producer_id_fences_who_was_there_before)
{
    struct harness *harness = harness_new(2, NULL);
    plane_topic(harness, "orders", 1, NULL, NULL);
    struct txn_client old = txn_client_new(harness, "t");
    ck_assert_int_eq(txn_add_one(&old, 1, "orders", 0), KAFKA_ERROR_NONE);
    ck_assert_int_eq(txn_send(&old, 9, "orders"), KAFKA_ERROR_NONE);
    /* What it left open is aborted before the answer. */
    struct txn_client young = txn_client_new(harness, "t");
    ck_assert_int_eq(young.producer_id, old.producer_id);
    ck_assert_int_eq(young.epoch, 2);
    struct txn_view view = txn_view(harness, "orders");
    ck_assert_int_eq(view.records, 0);
    ck_assert_int_eq(view.stable, 2);
    ck_assert_int_eq(txn_add_one(&old, 1, "orders", 0), KAFKA_ERROR_INVALID_PRODUCER_EPOCH);
    ck_assert_int_eq(txn_add_one(&old, 2, "orders", 0), KAFKA_ERROR_PRODUCER_FENCED);
    ck_assert_int_eq(txn_send(&old, 9, "orders"), KAFKA_ERROR_INVALID_PRODUCER_EPOCH);
    ck_assert_int_eq(txn_finish(&old, 3, true), KAFKA_ERROR_PRODUCER_FENCED);
    ck_assert_int_eq(txn_add_one(&young, 2, "orders", 0), KAFKA_ERROR_NONE);
    ck_assert_int_eq(txn_send(&young, 9, "orders"), KAFKA_ERROR_NONE);
    ck_assert_int_eq(txn_finish(&young, 3, true), KAFKA_ERROR_NONE);
    ck_assert_int_eq(txn_view(harness, "orders").records, 1);
    harness_free(harness);
}
END_TEST

START_TEST(init_producer_id_takes_up_its_own)
{
    struct harness *harness = harness_new(2, NULL);
    struct txn_client client = txn_client_new(harness, "t");
    const struct init_producer_id_response *answer =
        txn_init_as(&client, 3, client.producer_id, 0, 60000);
    ck_assert_int_eq(answer->error_code, KAFKA_ERROR_NONE);
    ck_assert_int_eq(answer->producer_epoch, 1);
    /* The answer was lost: the same again. */
    answer = txn_init_as(&client, 3, client.producer_id, 0, 60000);
    ck_assert_int_eq(answer->producer_epoch, 1);
    /* Somebody else starts: it may not go on. */
    ck_assert_int_eq(txn_client_new(harness, "t").epoch, 2);
    answer = txn_init_as(&client, 3, client.producer_id, 1, 60000);
    ck_assert_int_eq(answer->error_code, KAFKA_ERROR_INVALID_PRODUCER_EPOCH);
    answer = txn_init_as(&client, 4, client.producer_id, 1, 60000);
    ck_assert_int_eq(answer->error_code, KAFKA_ERROR_PRODUCER_FENCED);
    answer = txn_init_as(&client, 4, client.producer_id + 100, 2, 60000);
    ck_assert_int_eq(answer->error_code, KAFKA_ERROR_PRODUCER_FENCED);
    harness_free(harness);
}
END_TEST

START_TEST(init_producer_id_many_at_once)
{
    struct harness *harness = harness_new(2, NULL);
    struct harness_call *calls[20];
    for (int i = 0; i < 20; i++) {
        struct init_producer_id_request *request =
            harness_request(harness, &init_producer_id_api_codec);
        request->transactional_id = SLICE_LIT("t");
        request->transaction_timeout_ms = 60000;
        calls[i] = harness_send(harness, &init_producer_id_api_codec, 4, request, (uint64_t)i + 1);
    }
    unsigned seen = 0;
    for (int i = 0; i < 20; i++) {
        const struct init_producer_id_response *answer = harness_wait(calls[i], 10000);
        ck_assert_ptr_nonnull(answer);
        ck_assert_int_eq(answer->error_code, KAFKA_ERROR_NONE);
        ck_assert_int_lt(answer->producer_epoch, 20);
        ck_assert_uint_eq(seen & 1u << answer->producer_epoch, 0);
        seen |= 1u << answer->producer_epoch;
    }
    harness_free(harness);
}
END_TEST

TEST_MAIN("api/init_producer_id", init_producer_id_is_never_given_twice,
    init_producer_id_checks_what_is_asked, init_producer_id_fences_who_was_there_before,
    init_producer_id_takes_up_its_own, init_producer_id_many_at_once)
