// SPDX-License-Identifier: BSD-2-Clause
/* Transactions from one end to the other: what readers of committed data see, and when. */
#include "api/txn.h"
#include "runner.h"

#include "wire/list_offsets.gen.h"

static struct harness *harness;

static void setup(void)
{
    harness = harness_new(2, NULL);
    plane_topic(harness, "orders", 1, NULL, NULL);
    plane_topic(harness, "trades", 1, NULL, NULL);
}

static void teardown(void)
{
    harness_free(harness);
}

static int64_t latest(int8_t isolation)
{
    struct arena *arena = harness_arena(harness);
    struct list_offsets_request *request = harness_request(harness, &list_offsets_api_codec);
    request->isolation_level = isolation;
    request->topics = arena_new(arena, struct list_offsets_request_topic);
    request->topics_count = 1;
    request->topics->name = SLICE_LIT("orders");
    request->topics->partitions = arena_new(arena, struct list_offsets_request_partition);
    request->topics->partitions_count = 1;
    list_offsets_request_partition_init(request->topics->partitions);
    request->topics->partitions->timestamp = -1;
    const struct list_offsets_response *response =
        harness_call(harness, &list_offsets_api_codec, 5, request);
    return response->topics->partitions->offset;
}

START_TEST(end_txn_commit_makes_records_readable)
{
    struct txn_client client = txn_client_new(harness, "t");
    ck_assert_int_eq(txn_add_one(&client, 3, "orders", 0), KAFKA_ERROR_NONE);
    ck_assert_int_eq(txn_send(&client, 11, "orders"), KAFKA_ERROR_NONE);
    ck_assert_int_eq(txn_send(&client, 11, "orders"), KAFKA_ERROR_NONE);
    struct txn_view view = txn_view(harness, "orders");
    ck_assert_int_eq(view.records, 0);
    ck_assert_int_eq(view.stable, 0);
    ck_assert_int_eq(view.high_watermark, 2);
    ck_assert_int_eq(latest(1), 0);
    ck_assert_int_eq(latest(0), 2);
    ck_assert_int_eq(txn_finish(&client, 4, true), KAFKA_ERROR_NONE);
    view = txn_view(harness, "orders");
    ck_assert_int_eq(view.records, 2);
    ck_assert_int_eq(view.aborted, 0);
    ck_assert_int_eq(view.stable, 3); /* the marker has an offset too */
    ck_assert_int_eq(latest(1), 3);
}
END_TEST

START_TEST(end_txn_abort_hides_records)
{
    struct txn_client client = txn_client_new(harness, "t");
    txn_add_one(&client, 3, "orders", 0);
    txn_send(&client, 11, "orders");
    ck_assert_int_eq(txn_finish(&client, 4, false), KAFKA_ERROR_NONE);
    struct txn_view view = txn_view(harness, "orders");
    ck_assert_int_eq(view.records, 0);
    ck_assert_int_eq(view.aborted, 1);
    ck_assert_int_eq(view.stable, 2);
    /* The same producer goes on, in sequence. */
    txn_add_one(&client, 3, "orders", 0);
    ck_assert_int_eq(txn_send(&client, 11, "orders"), KAFKA_ERROR_NONE);
    ck_assert_int_eq(txn_finish(&client, 4, true), KAFKA_ERROR_NONE);
    view = txn_view(harness, "orders");
    ck_assert_int_eq(view.records, 1);
    ck_assert_int_eq(view.aborted, 1);
}
END_TEST

START_TEST(end_txn_open_one_holds_back_what_follows)
{
    struct txn_client first = txn_client_new(harness, "first"),
                      second = txn_client_new(harness, "second");
    txn_add_one(&first, 3, "orders", 0);
    txn_add_one(&second, 3, "orders", 0);
    txn_send(&first, 11, "orders");
    txn_send(&second, 11, "orders");
    plane_produce(harness, "orders", 0, (struct plane_batch){.count = 1});
    ck_assert_int_eq(txn_finish(&second, 4, true), KAFKA_ERROR_NONE);
    struct txn_view view = txn_view(harness, "orders");
    ck_assert_int_eq(view.records, 0);
    ck_assert_int_eq(view.stable, 0);
    ck_assert_int_eq(txn_finish(&first, 4, false), KAFKA_ERROR_NONE);
    view = txn_view(harness, "orders");
    ck_assert_int_eq(view.records, 2);
    ck_assert_int_eq(view.stable, 5);
}
END_TEST

START_TEST(end_txn_repeated_and_contrary)
{
    struct txn_client client = txn_client_new(harness, "t");
    ck_assert_int_eq(txn_finish(&client, 4, true), KAFKA_ERROR_INVALID_TXN_STATE); /* empty */
    txn_add_one(&client, 3, "orders", 0);
    txn_send(&client, 11, "orders");
    ck_assert_int_eq(txn_finish(&client, 4, true), KAFKA_ERROR_NONE);
    ck_assert_int_eq(txn_finish(&client, 4, true), KAFKA_ERROR_NONE);
    ck_assert_int_eq(txn_finish(&client, 4, false), KAFKA_ERROR_INVALID_TXN_STATE);
    ck_assert_int_eq(
        txn_end_as(&client, 1, 7, true)->error_code, KAFKA_ERROR_INVALID_PRODUCER_EPOCH);
    ck_assert_int_eq(txn_end_as(&client, 2, 7, true)->error_code, KAFKA_ERROR_PRODUCER_FENCED);
    client.producer_id++;
    ck_assert_int_eq(txn_finish(&client, 4, true), KAFKA_ERROR_INVALID_PRODUCER_ID_MAPPING);
    client.id = "nobody";
    ck_assert_int_eq(txn_finish(&client, 4, true), KAFKA_ERROR_INVALID_PRODUCER_ID_MAPPING);
    client.id = "";
    ck_assert_int_eq(txn_finish(&client, 4, true), KAFKA_ERROR_INVALID_REQUEST);
}
END_TEST

START_TEST(end_txn_v2_takes_the_epoch_up)
{
    struct txn_client client = txn_client_new(harness, "t");
    int64_t producer_id = client.producer_id;
    for (int16_t i = 0; i < 3; i++) {
        ck_assert_int_eq(client.epoch, i);
        ck_assert_int_eq(txn_send(&client, 12, "orders"), KAFKA_ERROR_NONE);
        ck_assert_int_eq(txn_send(&client, 12, "orders"), KAFKA_ERROR_NONE);
        ck_assert_int_eq(txn_finish(&client, 5, i != 1), KAFKA_ERROR_NONE);
        ck_assert_int_eq(client.producer_id, producer_id);
    }
    struct txn_view view = txn_view(harness, "orders");
    ck_assert_int_eq(view.records, 4);
    ck_assert_int_eq(view.aborted, 1);
    /* A late repetition of the last end changes nothing; one of an earlier end is refused. */
    const struct end_txn_response *again = txn_end_as(&client, 5, 2, true);
    ck_assert_int_eq(again->error_code, KAFKA_ERROR_NONE);
    ck_assert_int_eq(again->producer_epoch, 3);
    ck_assert_int_eq(txn_end_as(&client, 5, 2, false)->error_code, KAFKA_ERROR_INVALID_TXN_STATE);
    ck_assert_int_eq(txn_end_as(&client, 5, 1, true)->error_code, KAFKA_ERROR_PRODUCER_FENCED);
    /* So is a late record of the last transaction, at every door. */
    struct txn_client late = client;
    late.epoch = 2;
    late.sequence = 2;
    ck_assert_int_eq(txn_send(&late, 12, "orders"), KAFKA_ERROR_INVALID_PRODUCER_EPOCH);
    late.sequence = 0;
    ck_assert_int_eq(txn_send(&late, 12, "trades"), KAFKA_ERROR_INVALID_PRODUCER_EPOCH);
    ck_assert_int_eq(txn_view(harness, "orders").stable, 9);
}
END_TEST

START_TEST(end_txn_v2_abort_of_nothing)
{
    struct txn_client client = txn_client_new(harness, "t");
    ck_assert_int_eq(txn_finish(&client, 5, true), KAFKA_ERROR_INVALID_TXN_STATE);
    ck_assert_int_eq(txn_finish(&client, 5, false), KAFKA_ERROR_NONE);
    ck_assert_int_eq(client.epoch, 1);
    ck_assert_int_eq(txn_send(&client, 12, "orders"), KAFKA_ERROR_NONE);
    ck_assert_int_eq(txn_finish(&client, 5, true), KAFKA_ERROR_NONE);
    ck_assert_int_eq(txn_view(harness, "orders").records, 1);
}
END_TEST

START_TEST(end_txn_survives_restarts)
{
    struct txn_client client = txn_client_new(harness, "t");
    txn_add_one(&client, 3, "orders", 0);
    txn_add_one(&client, 3, "trades", 0);
    txn_send(&client, 11, "orders");
    harness_restart(harness, NULL);
    ck_assert_int_eq(txn_view(harness, "orders").stable, 0);
    ck_assert_int_eq(txn_send(&client, 11, "orders"), KAFKA_ERROR_NONE);
    struct txn_client other = client;
    other.sequence = 0;
    ck_assert_int_eq(txn_send(&other, 11, "trades"), KAFKA_ERROR_NONE);
    ck_assert_int_eq(txn_finish(&client, 4, false), KAFKA_ERROR_NONE);
    harness_restart(harness, NULL);
    struct txn_view view = txn_view(harness, "orders");
    ck_assert_int_eq(view.records, 0);
    ck_assert_int_eq(view.aborted, 1);
    /* A stop between the answer and the completion makes the next start mark again. */
    ck_assert_int_ge(view.stable, 3);
    ck_assert_int_ge(txn_view(harness, "trades").stable, 2);
    ck_assert_int_eq(txn_finish(&client, 4, false), KAFKA_ERROR_NONE);
    ck_assert_slice(txn_described(harness, "t")->transaction_state, "CompleteAbort");
    txn_add_one(&client, 3, "orders", 0);
    ck_assert_int_eq(txn_send(&client, 11, "orders"), KAFKA_ERROR_NONE);
    ck_assert_int_eq(txn_finish(&client, 4, true), KAFKA_ERROR_NONE);
    ck_assert_int_eq(txn_view(harness, "orders").records, 1);
}
END_TEST

START_TEST(end_txn_deleted_topic_is_no_hindrance)
{
    struct txn_client client = txn_client_new(harness, "t");
    txn_add_one(&client, 3, "orders", 0);
    txn_add_one(&client, 3, "trades", 0);
    txn_send(&client, 11, "orders");
    plane_delete(harness, "trades");
    ck_assert_int_eq(txn_finish(&client, 4, true), KAFKA_ERROR_NONE);
    ck_assert_int_eq(txn_view(harness, "orders").records, 1);
}
END_TEST

START_TEST(end_txn_late_ones_are_aborted)
{
    harness_restart(
        harness, "transaction.abort.timed.out.transaction.cleanup.interval.ms=20", NULL);
    struct txn_client client = {.harness = harness};
    txn_init_as(&client, 4, -1, -1, 60000); /* id 0 is none to plane_encode */
    client.id = "t";
    const struct init_producer_id_response *answer = txn_init_as(&client, 4, -1, -1, 100);
    client.producer_id = answer->producer_id;
    txn_add_one(&client, 3, "orders", 0);
    ck_assert_int_eq(txn_send(&client, 11, "orders"), KAFKA_ERROR_NONE);
    for (int i = 0; i < 200 && txn_view(harness, "orders").stable == 0; i++)
        usleep(20000);
    struct txn_view view = txn_view(harness, "orders");
    ck_assert_int_eq(view.stable, 2);
    ck_assert_int_eq(view.aborted, 1);
    /* Its producer is kept out. */
    ck_assert_int_eq(txn_send(&client, 11, "orders"), KAFKA_ERROR_INVALID_PRODUCER_EPOCH);
    ck_assert_int_eq(txn_finish(&client, 4, true), KAFKA_ERROR_PRODUCER_FENCED);
    answer = txn_init_as(&client, 4, -1, -1, 60000);
    ck_assert_int_eq(answer->producer_epoch, 2);
}
END_TEST

TEST_MAIN_FIXTURE("api/end_txn", setup, teardown, end_txn_commit_makes_records_readable,
    end_txn_abort_hides_records, end_txn_open_one_holds_back_what_follows,
    end_txn_repeated_and_contrary, end_txn_v2_takes_the_epoch_up, end_txn_v2_abort_of_nothing,
    end_txn_survives_restarts, end_txn_deleted_topic_is_no_hindrance, end_txn_late_ones_are_aborted)
