// SPDX-License-Identifier: BSD-2-Clause
#include "admin.h"
#include "runner.h"
#include "wire/describe_log_dirs.gen.h"

static struct harness *harness;

static void setup(void)
{
    harness = harness_new(2, NULL);
    admin_create(harness, "a", 3);
    admin_create(harness, "b", 2);
}

static void teardown(void)
{
    harness_free(harness);
}

START_TEST(log_dirs_of_everything)
{
    struct describe_log_dirs_request *request =
        harness_request(harness, &describe_log_dirs_api_codec);
    request->topics_count = -1;
    const struct describe_log_dirs_response *response =
        harness_call(harness, &describe_log_dirs_api_codec, 4, request);
    ck_assert_int_eq(response->results_count, 1);
    const struct describe_log_dirs_response_result *result = response->results;
    ck_assert_int_eq(result->error_code, KAFKA_ERROR_NONE);
    ck_assert_int_eq(result->log_dir.data[0], '/');
    ck_assert_int_gt(result->total_bytes, 0);
    ck_assert_int_gt(result->usable_bytes, 0);
    ck_assert_int_eq(result->topics_count, 2);
    ck_assert_slice(result->topics[0].name, "a");
    ck_assert_int_eq(result->topics[0].partitions_count, 3);
    ck_assert_int_eq(result->topics[0].partitions[1].partition_index, 1);
    ck_assert_int_eq(result->topics[0].partitions[1].partition_size, 0);
}
END_TEST

START_TEST(log_dirs_of_some)
{
    struct describe_log_dirs_request *request =
        harness_request(harness, &describe_log_dirs_api_codec);
    int32_t partitions[] = {1, 7, -1};
    struct describe_log_dirs_request_topic topics[] = {
        {SLICE_LIT("b"), partitions, 3}, {SLICE_LIT("nothing"), partitions, 1}};
    request->topics = topics;
    request->topics_count = 2;
    const struct describe_log_dirs_response *response =
        harness_call(harness, &describe_log_dirs_api_codec, 1, request);
    ck_assert_int_eq(response->results->topics_count, 1);
    ck_assert_int_eq(response->results->topics->partitions_count, 1);
    ck_assert_int_eq(response->results->topics->partitions->partition_index, 1);
}
END_TEST

TEST_MAIN_FIXTURE(
    "api/describe_log_dirs", setup, teardown, log_dirs_of_everything, log_dirs_of_some)
