// SPDX-License-Identifier: BSD-2-Clause
#include "api/share.h"
#include "runner.h"

START_TEST(each_kind)
{
    struct harness *harness = harness_new(2, NULL);
    struct uuid id = share_topic(harness, 1, 10);
    struct share_client a = {harness, "a", .id = id};
    share_take(&a);
    ck_assert_int_eq(share_ack(&a, 0, 3, 3, 1), KAFKA_ERROR_NONE);
    ck_assert_str_eq(share_stored(harness, id, 0), "0: 3-3:2/1");
    ck_assert_int_eq(share_ack(&a, 0, 4, 4, 3), KAFKA_ERROR_NONE);
    ck_assert_int_eq(share_ack(&a, 0, 5, 6, 0), KAFKA_ERROR_NONE);
    ck_assert_int_eq(share_ack(&a, 0, 7, 7, 2), KAFKA_ERROR_NONE);
    ck_assert_str_eq(share_stored(harness, id, 0), "0: 3-3:2/1 4-6:4/1 7-7:0/1");
    ck_assert_int_eq(share_summary(harness, id, 0)->delivery_complete_count, 4);
    ck_assert_str_eq(share_take(&a), "0: 7-7/2");
    ck_assert_int_eq(share_ack(&a, 0, 0, 2, 1), KAFKA_ERROR_NONE);
    ck_assert_int_eq(share_ack(&a, 0, 8, 9, 1), KAFKA_ERROR_NONE);
    ck_assert_str_eq(share_stored(harness, id, 0), "7: 7-7:0/1 8-9:2/1");
    harness_free(harness);
}
END_TEST

START_TEST(it_refuses)
{
    struct harness *harness = harness_new(2, NULL);
    struct uuid id = share_topic(harness, 2, 10), other = {{9}};
    struct share_client a = {harness, "a", .id = id}, b = {harness, "b", .id = id};
    ck_assert_int_eq(share_ack_call(&a, share_ack_ask(&a, 0, 0, 0, 1))->error_code,
        KAFKA_ERROR_INVALID_SHARE_SESSION_EPOCH);
    a.epoch = 1;
    ck_assert_int_eq(share_ack_call(&a, share_ack_ask(&a, 0, 0, 0, 1))->error_code,
        KAFKA_ERROR_SHARE_SESSION_NOT_FOUND);
    a.epoch = 0;
    share_take(&a);
    share_take(&b);
    a.epoch = 5;
    ck_assert_int_eq(share_ack_call(&a, share_ack_ask(&a, 0, 0, 0, 1))->error_code,
        KAFKA_ERROR_INVALID_SHARE_SESSION_EPOCH);
    a.epoch = 1;
    static const struct {
        int32_t partition;
        int64_t first, last;
        int8_t type;
        int16_t error;
    } asks[] = {
        {0, 5, 4, 1, KAFKA_ERROR_INVALID_REQUEST},
        {0, 0, 4, 5, KAFKA_ERROR_INVALID_REQUEST},
        {0, 0, 4, -1, KAFKA_ERROR_INVALID_REQUEST},
        {0, 0, 10, 1, KAFKA_ERROR_INVALID_REQUEST},
        {0, 0, INT64_MAX, 1, KAFKA_ERROR_INVALID_REQUEST},
        {1, 0, 0, 1, KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION}, /* nobody fetched from it */
        {9, 0, 0, 1, KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION},
        {0, 0, 4, 1, KAFKA_ERROR_NONE},
        {0, 4, 5, 1, KAFKA_ERROR_INVALID_RECORD_STATE},
    };
    ck_assert_int_eq(share_ack(&b, 0, 0, 4, 1), KAFKA_ERROR_INVALID_RECORD_STATE);
    plane_produce(harness, "orders", 0, (struct plane_batch){.count = 5});
    for (size_t i = 0; i < ARRAY_COUNT(asks); i++)
        ck_assert_int_eq(
            share_ack(&a, asks[i].partition, asks[i].first, asks[i].last, asks[i].type),
            i == 8 ? KAFKA_ERROR_NONE : asks[i].error); /* below the start nothing is left to say */
    a.id = other;
    ck_assert_int_eq(share_ack(&a, 0, 0, 4, 1), KAFKA_ERROR_UNKNOWN_TOPIC_ID);
    harness_free(harness);
}
END_TEST

START_TEST(a_lock_ends)
{
    struct harness *harness = harness_new(2, "group.share.record.lock.duration.ms=1000",
        "group.share.min.record.lock.duration.ms=1000", NULL);
    struct uuid id = share_topic(harness, 1, 10);
    struct share_client a = {harness, "a", .id = id},
                        b = {harness, "b", .id = id, .min_bytes = 1, .wait_ms = 5000};
    ck_assert_str_eq(share_take(&a), "0: 0-9/1");
    usleep(600000);
    struct share_acknowledge_request *renew = share_ack_ask(&a, 0, 5, 9, 4);
    const struct share_acknowledge_response *response = share_ack_call(&a, renew);
    ck_assert_int_eq(response->responses->partitions->error_code, KAFKA_ERROR_NONE);
    ck_assert_int_eq(response->acquisition_lock_timeout_ms, 1000);
    ck_assert_str_eq(share_take(&b), "0: 0-4/2"); /* the others are locked for longer */
    ck_assert_int_eq(share_ack(&a, 0, 0, 4, 1), KAFKA_ERROR_INVALID_RECORD_STATE);
    ck_assert_int_eq(share_ack(&a, 0, 5, 9, 1), KAFKA_ERROR_NONE);
    ck_assert_int_eq(share_ack(&b, 0, 0, 4, 1), KAFKA_ERROR_NONE);
    harness_free(harness);
}
END_TEST

START_TEST(deliveries_are_counted)
{
    struct harness *harness = harness_new(2, "group.share.delivery.count.limit=2", NULL);
    struct uuid id = share_topic(harness, 1, 5);
    struct share_client a = {harness, "a", .id = id};
    ck_assert_str_eq(share_take(&a), "0: 0-4/1");
    ck_assert_int_eq(share_ack(&a, 0, 0, 4, 2), KAFKA_ERROR_NONE);
    harness_restart(harness, NULL); /* also over a restart */
    a.epoch = 0;
    ck_assert_str_eq(share_take(&a), "0: 0-4/2");
    ck_assert_int_eq(share_ack(&a, 0, 0, 4, 2), KAFKA_ERROR_NONE);
    ck_assert_str_eq(share_stored(harness, id, 0), "0: 0-4:4/2");
    ck_assert_str_eq(share_take(&a), "");
    harness_free(harness);
}
END_TEST

START_TEST(the_last_one_ends_the_session)
{
    struct harness *harness = harness_new(2, NULL);
    struct uuid id = share_topic(harness, 1, 10);
    struct share_client a = {harness, "a", .id = id},
                        b = {harness, "b", .id = id, .min_bytes = 1, .wait_ms = 5000};
    share_take(&a);
    a.epoch = -1;
    ck_assert_int_eq(share_ack(&a, 0, 0, 4, 1), KAFKA_ERROR_NONE);
    ck_assert_str_eq(share_take(&b), "0: 5-9/2");
    a.epoch = -1;
    ck_assert_int_eq(share_ack_call(&a, share_ack_ask(&a, 0, 0, 0, 1))->error_code,
        KAFKA_ERROR_SHARE_SESSION_NOT_FOUND);
    harness_free(harness);
}
END_TEST

TEST_MAIN("api/share_acknowledge", each_kind, it_refuses, a_lock_ends, deliveries_are_counted,
    the_last_one_ends_the_session)
