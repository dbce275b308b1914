// SPDX-License-Identifier: BSD-2-Clause
#include "api/cluster.h"
#include "runner.h"
#include "wire/list_partition_reassignments.gen.h"

START_TEST(nothing_is_under_way)
{
    struct harness *harness = cluster_new("odradek.virtual.brokers=3");
    cluster_topic(harness, "orders", 1, (int32_t[]){2, 3}, 2);
    cluster_reassign(harness, "orders", 0, (int32_t[]){1}, 1);
    struct list_partition_reassignments_request *request =
        harness_request(harness, &list_partition_reassignments_api_codec);
    request->topics_count = -1;
    const struct list_partition_reassignments_response *response =
        harness_call(harness, &list_partition_reassignments_api_codec, 0, request);
    ck_assert_int_eq(response->error_code, KAFKA_ERROR_NONE);
    ck_assert_int_eq(response->topics_count, 0);
    harness_free(harness);
}
END_TEST

TEST_MAIN("api/list_partition_reassignments", nothing_is_under_way)
