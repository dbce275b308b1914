// SPDX-License-Identifier: BSD-2-Clause
#include "api/plane.h"
#include "wire/init_producer_id.gen.h"
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

START_TEST(init_producer_id_refuses_transactions_clearly)
{
    struct harness *harness = harness_new(1, NULL);
    const struct init_producer_id_response *answer = init(harness, 4, "payments");
    ck_assert_int_eq(answer->error_code, KAFKA_ERROR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
    ck_assert_int_eq(answer->producer_id, -1);
    ck_assert_int_eq(init(harness, 4, "")->error_code, KAFKA_ERROR_INVALID_REQUEST);
    struct init_producer_id_request *request =
        harness_request(harness, &init_producer_id_api_codec);
    request->producer_id = 5;
    request->producer_epoch = -1;
    answer = harness_call(harness, &init_producer_id_api_codec, 3, request);
    ck_assert_int_eq(answer->error_code, KAFKA_ERROR_INVALID_REQUEST);
    harness_free(harness);
}
END_TEST

TEST_MAIN("api/init_producer_id", init_producer_id_is_never_given_twice,
    init_producer_id_refuses_transactions_clearly)
