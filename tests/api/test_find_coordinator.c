// SPDX-License-Identifier: BSD-2-Clause
#include "runner.h"
#include "support/group_calls.h"
#include "wire/find_coordinator.gen.h"

static const struct find_coordinator_response *find(
    struct harness *harness, int16_t version, int8_t type)
{
    static struct slice keys[2];
    keys[0] = SLICE_LIT("g");
    keys[1] = SLICE_LIT("h");
    struct find_coordinator_request *request =
        harness_request(harness, &find_coordinator_api_codec);
    request->key = keys[0];
    request->key_type = type;
    request->coordinator_keys = keys;
    request->coordinator_keys_count = 2;
    return calls_do(harness, &find_coordinator_api_codec, version, request);
}

START_TEST(it_is_this_broker)
{
    struct harness *harness = calls_new(2);
    int32_t id = broker_id(harness_broker(harness));
    for (int16_t version = 0; version <= 3; version++) {
        const struct find_coordinator_response *response =
            find(harness, version, (int8_t)(version % 2));
        ck_assert_int_eq(response->error_code, KAFKA_ERROR_NONE);
        ck_assert_int_eq(response->node_id, id);
        ck_assert_uint_gt(response->host.size, 0);
        ck_assert_int_gt(response->port, 0);
        ck_assert(slice_equal_str(response->error_message, "NONE"));
    }
    for (int16_t version = 4; version <= 6; version++) {
        const struct find_coordinator_response *response =
            find(harness, version, (int8_t)(version % 2));
        ck_assert_int_eq(response->coordinators_count, 2);
        ck_assert(slice_equal_str(response->coordinators[1].key, "h"));
        ck_assert_int_eq(response->coordinators[1].error_code, KAFKA_ERROR_NONE);
        ck_assert_int_eq(response->coordinators[1].node_id, id);
        ck_assert_int_gt(response->coordinators[1].port, 0);
    }
    harness_free(harness);
}
END_TEST

START_TEST(other_types_are_refused)
{
    struct harness *harness = calls_new(2);
    for (int16_t version = 1; version <= 3; version++) {
        const struct find_coordinator_response *response = find(harness, version, 2);
        ck_assert_int_eq(response->error_code, KAFKA_ERROR_INVALID_REQUEST);
        ck_assert_int_eq(response->node_id, -1);
    }
    for (int16_t version = 4; version <= 6; version++)
        ck_assert_int_eq(
            find(harness, version, 2)->coordinators[0].error_code, KAFKA_ERROR_INVALID_REQUEST);
    harness_free(harness);
}
END_TEST

START_TEST(share_coordinators)
{
    static const struct {
        const char *key;
        bool valid;
    } keys[] = {
        {"g:AAAAAAAAAAAAAAAAAAAAAQ:0", true},
        {"a:b:AAAAAAAAAAAAAAAAAAAAAQ:12", true},
        {":AAAAAAAAAAAAAAAAAAAAAQ:0", false},
        {"g:AAAAAAAAAAAAAAAAAAAAAQ:", false},
        {"g:AAAAAAAAAAAAAAAAAAAAAQ:-1", false},
        {"g:short:0", false},
        {"g", false},
        {"", false},
    };
    struct harness *harness = calls_new(2);
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        struct find_coordinator_request *request =
            harness_request(harness, &find_coordinator_api_codec);
        struct slice key = slice_from_str(keys[i].key);
        request->key_type = 2;
        request->coordinator_keys = &key;
        request->coordinator_keys_count = 1;
        const struct find_coordinator_response *response =
            calls_do(harness, &find_coordinator_api_codec, 6, request);
        ck_assert_int_eq(response->coordinators_count, 1);
        ck_assert_int_eq(response->coordinators[0].error_code,
            keys[i].valid ? KAFKA_ERROR_NONE : KAFKA_ERROR_INVALID_REQUEST);
    }
    harness_free(harness);
}
END_TEST

TEST_MAIN("api/find_coordinator", it_is_this_broker, other_types_are_refused, share_coordinators)
