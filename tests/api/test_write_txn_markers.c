// SPDX-License-Identifier: BSD-2-Clause
#include "api/txn.h"
#include "runner.h"

#include "wire/write_txn_markers.gen.h"

static int16_t mark(struct txn_client *client, int16_t epoch, const char *topic, int32_t partition)
{
    struct arena *arena = harness_arena(client->harness);
    struct write_txn_markers_request *request =
        harness_request(client->harness, &write_txn_markers_api_codec);
    request->markers = arena_new(arena, struct write_txn_markers_request_marker);
    request->markers_count = 1;
    request->markers->producer_id = client->producer_id;
    request->markers->producer_epoch = epoch;
    request->markers->topics = arena_new(arena, struct write_txn_markers_request_topic);
    request->markers->topics_count = 1;
    request->markers->topics->name = slice_from_str(topic);
    request->markers->topics->partition_indexes = arena_new(arena, int32_t);
    request->markers->topics->partition_indexes[0] = partition;
    request->markers->topics->partition_indexes_count = 1;
    const struct write_txn_markers_response *response =
        harness_call(client->harness, &write_txn_markers_api_codec, 1, request);
    ck_assert_int_eq(response->markers_count, 1);
    ck_assert_int_eq(response->markers->producer_id, client->producer_id);
    return response->markers->topics->partitions->error_code;
}

START_TEST(write_txn_markers_ends_a_transaction_by_hand)
{
    struct harness *harness = harness_new(2, NULL);
    plane_topic(harness, "orders", 1, NULL, NULL);
    struct txn_client client = txn_client_new(harness, "t");
    client.epoch = 0;
    txn_add_one(&client, 3, "orders", 0);
    txn_send(&client, 11, "orders");
    ck_assert_int_eq(mark(&client, 0, "nothing", 0), KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION);
    ck_assert_int_eq(mark(&client, 0, "orders", 1), KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION);
    ck_assert_int_eq(txn_view(harness, "orders").stable, 0);
    ck_assert_int_eq(mark(&client, 0, "orders", 0), KAFKA_ERROR_NONE);
    ck_assert_int_eq(txn_view(harness, "orders").stable, 2);
    ck_assert_int_eq(txn_view(harness, "orders").aborted, 1);
    ck_assert_int_eq(mark(&client, -1, "orders", 0), KAFKA_ERROR_INVALID_PRODUCER_EPOCH);
    harness_free(harness);
}
END_TEST

TEST_MAIN("api/write_txn_markers", write_txn_markers_ends_a_transaction_by_hand)
