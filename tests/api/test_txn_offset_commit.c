// SPDX-License-Identifier: BSD-2-Clause
#include "api/txn.h"
#include "runner.h"

static struct harness *harness;

static void setup(void)
{
    harness = harness_new(2, NULL);
    plane_topic(harness, "orders", 1, NULL, NULL);
}

static void teardown(void)
{
    harness_free(harness);
}

START_TEST(txn_offset_commit_counts_with_the_commit)
{
    struct txn_client client = txn_client_new(harness, "t");
    ck_assert_int_eq(txn_add_offsets(&client, "g"), KAFKA_ERROR_NONE);
    for (int64_t offset = 10; offset < 20; offset += 5)
        ck_assert_int_eq(txn_commit_offset(&client, 3, "g", "orders", offset), KAFKA_ERROR_NONE);
    ck_assert_int_eq(txn_committed_offset(harness, "g", "orders", false), -1);
    ck_assert_int_eq(
        txn_committed_offset(harness, "g", "orders", true), -KAFKA_ERROR_UNSTABLE_OFFSET_COMMIT);
    ck_assert_int_eq(txn_finish(&client, 3, true), KAFKA_ERROR_NONE);
    ck_assert_int_eq(txn_committed_offset(harness, "g", "orders", false), 15);
    ck_assert_int_eq(txn_committed_offset(harness, "g", "orders", true), 15);
}
END_TEST

START_TEST(txn_offset_commit_vanishes_with_the_abort)
{
    struct txn_client client = txn_client_new(harness, "t");
    for (int round = 0; round < 2; round++) {
        txn_add_offsets(&client, "g");
        ck_assert_int_eq(
            txn_commit_offset(&client, 3, "g", "orders", 10 + round), KAFKA_ERROR_NONE);
        ck_assert_int_eq(txn_finish(&client, 3, round == 0), KAFKA_ERROR_NONE);
        ck_assert_int_eq(txn_committed_offset(harness, "g", "orders", true), 10);
    }
}
END_TEST

START_TEST(txn_offset_commit_needs_its_group_added)
{
    struct txn_client client = txn_client_new(harness, "t");
    ck_assert_int_eq(
        txn_commit_offset(&client, 3, "g", "orders", 1), KAFKA_ERROR_INVALID_TXN_STATE);
    ck_assert_int_eq(
        txn_commit_offset(&client, 4, "g", "orders", 1), KAFKA_ERROR_TRANSACTION_ABORTABLE);
    ck_assert_int_eq(txn_committed_offset(harness, "g", "orders", true), -1);
    ck_assert_int_eq(txn_commit_offset(&client, 5, "g", "orders", 7), KAFKA_ERROR_NONE);
    ck_assert_int_eq(
        txn_commit_offset(&client, 5, "g", "nothing", 7), KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION);
    struct txn_client late = client;
    ck_assert_int_eq(txn_finish(&client, 5, true), KAFKA_ERROR_NONE);
    ck_assert_int_eq(txn_committed_offset(harness, "g", "orders", true), 7);
    ck_assert_int_eq(
        txn_commit_offset(&late, 5, "g", "orders", 8), KAFKA_ERROR_INVALID_PRODUCER_EPOCH);
    late.id = "nobody";
    ck_assert_int_ne(txn_commit_offset(&late, 5, "g", "orders", 8), KAFKA_ERROR_NONE);
    ck_assert_int_eq(txn_committed_offset(harness, "g", "orders", true), 7);
}
END_TEST

START_TEST(txn_offset_commit_survives_restarts)
{
    struct txn_client client = txn_client_new(harness, "t");
    ck_assert_int_eq(txn_commit_offset(&client, 5, "g", "orders", 7), KAFKA_ERROR_NONE);
    harness_restart(harness, NULL);
    ck_assert_int_eq(
        txn_committed_offset(harness, "g", "orders", true), -KAFKA_ERROR_UNSTABLE_OFFSET_COMMIT);
    ck_assert_int_eq(txn_committed_offset(harness, "g", "orders", false), -1);
    ck_assert_int_eq(txn_finish(&client, 5, true), KAFKA_ERROR_NONE);
    ck_assert_int_eq(txn_committed_offset(harness, "g", "orders", true), 7);
    ck_assert_int_eq(txn_commit_offset(&client, 5, "g", "orders", 9), KAFKA_ERROR_NONE);
    ck_assert_int_eq(txn_finish(&client, 5, false), KAFKA_ERROR_NONE);
    harness_restart(harness, NULL);
    ck_assert_int_eq(txn_committed_offset(harness, "g", "orders", true), 7);
}
END_TEST

TEST_MAIN_FIXTURE("api/txn_offset_commit", setup, teardown,
    txn_offset_commit_counts_with_the_commit, txn_offset_commit_vanishes_with_the_abort,
    txn_offset_commit_needs_its_group_added, txn_offset_commit_survives_restarts)
