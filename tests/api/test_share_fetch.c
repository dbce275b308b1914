// SPDX-License-Identifier: BSD-2-Clause
#include "api/cluster.h"
#include "api/share.h"
#include "api/txn.h"
#include "runner.h"

START_TEST(each_record_goes_to_one)
{
    struct harness *harness = harness_new(2, NULL);
    struct uuid id = share_topic(harness, 1, 20);
    struct share_client a = {harness, "a", .id = id, .records_max = 10},
                        b = {harness, "b", .id = id, .records_max = 7};
    ck_assert_str_eq(share_take(&a), "0: 0-9/1");
    ck_assert_str_eq(share_take(&b), "0: 10-19/1"); /* to the end of a batch */
    ck_assert_str_eq(share_take(&a), "");
    plane_produce(harness, "orders", 0, (struct plane_batch){.count = 5});
    b.mode = 1; /* exactly as many */
    b.records_max = 3;
    ck_assert_str_eq(share_take(&b), "0: 20-22/1");
    ck_assert_str_eq(share_take(&a), "0: 23-24/1");
    harness_free(harness);
}
END_TEST

START_TEST(several_partitions_share_the_limit)
{
    struct harness *harness = harness_new(3, NULL);
    struct uuid id = share_topic(harness, 3, 10);
    plane_produce(harness, "orders", 1, (struct plane_batch){.count = 5});
    plane_produce(harness, "orders", 2, (struct plane_batch){.count = 5});
    struct share_client a = {harness, "a", .id = id, .partitions = 3};
    ck_assert_str_eq(share_take(&a), "0: 0-9/1 1: 0-4/1 2: 0-4/1");
    ck_assert_int_eq(share_ack(&a, 1, 0, 4, 2), KAFKA_ERROR_NONE);
    ck_assert_int_eq(share_ack(&a, 2, 0, 4, 2), KAFKA_ERROR_NONE);
    a.mode = 1;
    a.records_max = 3;
    int count = 0;
    for (int i = 0; i < 4; i++) /* three at a time, of either */
        count += strlen(share_take(&a)) > 0;
    ck_assert_int_ge(count, 4);
    harness_free(harness);
}
END_TEST

START_TEST(a_session_is_kept_in_step)
{
    struct harness *harness = harness_new(2, NULL);
    struct uuid id = share_topic(harness, 2, 5);
    struct share_client a = {harness, "a", .id = id};
    a.epoch = 1;
    ck_assert_int_eq(
        share_fetch_call(&a, share_fetch_ask(&a))->error_code, KAFKA_ERROR_SHARE_SESSION_NOT_FOUND);
    a.epoch = -1;
    ck_assert_int_eq(
        share_fetch_call(&a, share_fetch_ask(&a))->error_code, KAFKA_ERROR_SHARE_SESSION_NOT_FOUND);
    a.epoch = 0;
    share_take(&a);
    ck_assert_int_eq(a.epoch, 1);
    a.epoch = 2;
    ck_assert_int_eq(share_fetch_call(&a, share_fetch_ask(&a))->error_code,
        KAFKA_ERROR_INVALID_SHARE_SESSION_EPOCH);
    a.epoch = 1;
    ck_assert_str_eq(share_take(&a), "");
    /* Another partition joins, the first goes. */
    plane_produce(harness, "orders", 0, (struct plane_batch){.count = 5});
    plane_produce(harness, "orders", 1, (struct plane_batch){.count = 5});
    struct share_fetch_request *request = share_fetch_ask(&a);
    share_fetch_name(&a, request, 1)->partition_index = 1;
    int32_t zero = 0;
    struct share_fetch_request_forgotten_topic forgotten = {id, &zero, 1};
    request->forgotten_topics_data = &forgotten;
    request->forgotten_topics_data_count = 1;
    ck_assert_str_eq(share_acquired_text(&a, share_fetch_call(&a, request)), "1: 0-4/1");
    /* And from the beginning: what it has stays its own. */
    a.epoch = 0;
    ck_assert_str_eq(share_take(&a), "0: 5-9/1");
    harness_free(harness);
}
END_TEST

START_TEST(it_refuses_nonsense)
{
    struct harness *harness = harness_new(2, NULL);
    struct uuid id = share_topic(harness, 1, 5);
    struct share_client a = {harness, "a", .id = id}, nobody = {harness, "", .id = id},
                        longer = {harness, "0123456789012345678901234567890123456", .id = id};
    ck_assert_int_eq(share_fetch_call(&nobody, share_fetch_ask(&nobody))->error_code,
        KAFKA_ERROR_INVALID_REQUEST);
    ck_assert_int_eq(share_fetch_call(&longer, share_fetch_ask(&longer))->error_code,
        KAFKA_ERROR_INVALID_REQUEST);
    struct share_fetch_request *request = share_fetch_ask(&a);
    request->group_id = SLICE_NULL;
    ck_assert_int_eq(share_fetch_call(&a, request)->error_code, KAFKA_ERROR_INVALID_REQUEST);
    request = share_fetch_ask(&a);
    request->is_renew_ack = true;
    ck_assert_int_eq(share_fetch_call(&a, request)->error_code, KAFKA_ERROR_INVALID_REQUEST);
    request = share_fetch_ask(&a);
    request->share_acquire_mode = 2;
    ck_assert_int_eq(share_fetch_call(&a, request)->error_code, KAFKA_ERROR_INVALID_REQUEST);
    /* What begins has nothing to acknowledge. */
    request = share_fetch_ask(&a);
    int8_t accept = 1;
    struct share_fetch_request_acknowledgement_batch batch = {0, 4, &accept, 1};
    struct share_fetch_request_partition *partition = share_fetch_name(&a, request, 1);
    partition->acknowledgement_batches = &batch;
    partition->acknowledgement_batches_count = 1;
    ck_assert_int_eq(share_fetch_call(&a, request)->error_code, KAFKA_ERROR_INVALID_REQUEST);
    harness_free(harness);
}
END_TEST

START_TEST(it_does_not_know)
{
    struct harness *harness = harness_new(2, NULL);
    struct uuid id = share_topic(harness, 1, 5), other = {{9}};
    struct share_client a = {harness, "a", .id = other};
    struct share_fetch_request *request = share_fetch_ask(&a);
    share_fetch_name(&a, request, 1);
    const struct share_fetch_response *response = share_fetch_call(&a, request);
    ck_assert_int_eq(response->responses->partitions->error_code, KAFKA_ERROR_UNKNOWN_TOPIC_ID);
    a = (struct share_client){harness, "b", .id = id};
    request = share_fetch_ask(&a);
    share_fetch_name(&a, request, 1)->partition_index = 7;
    response = share_fetch_call(&a, request);
    ck_assert_int_eq(
        response->responses->partitions->error_code, KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION);
    /* A group that never came to the partition. */
    share_delete(harness, id, 0);
    request = share_fetch_ask(&(struct share_client){harness, "c", .id = id});
    share_fetch_name(&a, request, 1);
    a.epoch = 0;
    response = share_fetch_call(&a, request);
    ck_assert_int_eq(response->responses->partitions->error_code, KAFKA_ERROR_UNKNOWN_SERVER_ERROR);
    harness_free(harness);
}
END_TEST

START_TEST(it_waits_for_records)
{
    struct harness *harness = harness_new(2, NULL);
    struct uuid id = share_topic(harness, 2, 0);
    struct share_client a = {
        harness, "a", .id = id, .partitions = 2, .min_bytes = 1, .wait_ms = 8000};
    struct share_fetch_request *request = share_fetch_ask(&a);
    share_fetch_name(&a, request, 2);
    struct harness_call *call = share_fetch_send(&a, request);
    ck_assert_ptr_null(harness_wait(call, 50));
    plane_produce(harness, "orders", 1, (struct plane_batch){.count = 5});
    const struct share_fetch_response *response = harness_wait(call, 5000);
    ck_assert_ptr_nonnull(response);
    ck_assert_str_eq(share_acquired_text(&a, response), "1: 0-4/1");
    /* And for what another one releases. */
    a.epoch = 1;
    struct share_client b = {
        harness, "b", .id = id, .partitions = 2, .min_bytes = 1, .wait_ms = 8000};
    request = share_fetch_ask(&b);
    share_fetch_name(&b, request, 2);
    call = share_fetch_send(&b, request);
    ck_assert_ptr_null(harness_wait(call, 50));
    ck_assert_int_eq(share_ack(&a, 1, 2, 3, 2), KAFKA_ERROR_NONE);
    response = harness_wait(call, 5000);
    ck_assert_ptr_nonnull(response);
    ck_assert_str_eq(share_acquired_text(&b, response), "1: 2-3/2");
    harness_free(harness);
}
END_TEST

START_TEST(it_waits_for_enough)
{
    struct harness *harness = harness_new(2, NULL);
    struct uuid id = share_topic(harness, 1, 5);
    struct share_client a = {harness, "a", .id = id, .min_bytes = 300, .wait_ms = 8000};
    struct share_fetch_request *request = share_fetch_ask(&a);
    share_fetch_name(&a, request, 1);
    struct harness_call *call = share_fetch_send(&a, request);
    ck_assert_ptr_null(harness_wait(call, 50));
    for (int i = 0; i < 5; i++)
        plane_produce(harness, "orders", 0, (struct plane_batch){.count = 5});
    const struct share_fetch_response *response = harness_wait(call, 5000);
    ck_assert_ptr_nonnull(response);
    ck_assert_ptr_nonnull(strstr(share_acquired_text(&a, response), "0: 0-"));
    /* Not enough, but no more time. */
    a = (struct share_client){harness, "b", .id = id, .min_bytes = 100000, .wait_ms = 60};
    plane_produce(harness, "orders", 0, (struct plane_batch){.count = 5});
    ck_assert_uint_gt(strlen(share_take(&a)), 0);
    harness_free(harness);
}
END_TEST

START_TEST(a_lost_connection_releases)
{
    struct harness *harness = harness_new(2, NULL);
    struct uuid id = share_topic(harness, 1, 10);
    struct share_client a = {harness, "a", 7, .id = id},
                        b = {harness, "b", 8, .id = id, .min_bytes = 1, .wait_ms = 5000};
    ck_assert_str_eq(share_take(&a), "0: 0-9/1");
    ck_assert_int_eq(share_ack(&a, 0, 0, 2, 1), KAFKA_ERROR_NONE);
    harness_close_conn(harness, 7);
    ck_assert_str_eq(share_take(&b), "0: 3-9/2");
    ck_assert_int_eq(
        share_fetch_call(&a, share_fetch_ask(&a))->error_code, KAFKA_ERROR_SHARE_SESSION_NOT_FOUND);
    harness_free(harness);
}
END_TEST

/* Nobody waits for an answer any more: parked, with waiters at two homes. */
START_TEST(a_parked_fetch_is_given_up)
{
    struct harness *harness = harness_new(2, NULL);
    struct uuid id = share_topic(harness, 2, 0);
    struct share_client a = {harness, "a", 7, .id = id, .min_bytes = 1, .wait_ms = 60000};
    struct share_fetch_request *request = share_fetch_ask(&a);
    share_fetch_name(&a, request, 2);
    struct harness_call *call = share_fetch_send(&a, request);
    ck_assert_ptr_null(harness_wait(call, 50));
    harness_close_conn(harness, 7);
    harness_wait(call, 5000);
    ck_assert(harness_call_done(call));
    harness_free(harness);
}
END_TEST

START_TEST(an_ended_session_releases)
{
    struct harness *harness = harness_new(2, NULL);
    struct uuid id = share_topic(harness, 1, 10);
    struct share_client a = {harness, "a", .id = id},
                        b = {harness, "b", .id = id, .min_bytes = 1, .wait_ms = 5000};
    share_take(&a);
    int8_t accept = 1;
    a.epoch = -1;
    struct share_fetch_request *request = share_fetch_ask(&a);
    struct share_fetch_request_acknowledgement_batch batch = {0, 4, &accept, 1};
    struct share_fetch_request_partition *partition = share_fetch_name(&a, request, 1);
    partition->acknowledgement_batches = &batch;
    partition->acknowledgement_batches_count = 1;
    const struct share_fetch_response *response = share_fetch_call(&a, request);
    ck_assert_int_eq(response->error_code, KAFKA_ERROR_NONE);
    ck_assert_int_eq(response->responses->partitions->acknowledge_error_code, KAFKA_ERROR_NONE);
    ck_assert_str_eq(share_take(&b), "0: 5-9/2");
    harness_free(harness);
}
END_TEST

START_TEST(sessions_are_limited)
{
    struct harness *harness = harness_new(1, "group.share.max.share.sessions=2", NULL);
    struct uuid id = share_topic(harness, 1, 5);
    struct share_client a = {harness, "a", .id = id}, b = {harness, "b", .id = id},
                        c = {harness, "c", .id = id, .min_bytes = 1, .wait_ms = 30};
    share_take(&a);
    share_take(&b);
    ck_assert_int_eq(share_fetch_call(&c, share_fetch_ask(&c))->error_code,
        KAFKA_ERROR_SHARE_SESSION_LIMIT_REACHED);
    a.epoch = -1;
    ck_assert_int_eq(share_fetch_call(&a, share_fetch_ask(&a))->error_code, KAFKA_ERROR_NONE);
    share_take(&c);
    harness_free(harness);
}
END_TEST

START_TEST(what_was_acknowledged_stays_so)
{
    struct harness *harness = harness_new(2, NULL);
    struct uuid id = share_topic(harness, 1, 20);
    struct share_client a = {harness, "a", .id = id};
    ck_assert_str_eq(share_take(&a), "0: 0-19/1");
    ck_assert_int_eq(share_ack(&a, 0, 0, 4, 1), KAFKA_ERROR_NONE);
    ck_assert_int_eq(share_ack(&a, 0, 7, 8, 3), KAFKA_ERROR_NONE);
    ck_assert_int_eq(share_ack(&a, 0, 10, 12, 2), KAFKA_ERROR_NONE);
    harness_restart(harness, NULL);
    a.epoch = 0;
    /* What was not said anything of was as good as never delivered. */
    ck_assert_str_eq(share_take(&a), "0: 5-6/1 9-9/1 10-12/2 13-19/1");
    harness_free(harness);
}
END_TEST

START_TEST(the_log_moves_on)
{
    struct harness *harness = harness_new(2, NULL);
    struct uuid id = share_topic(harness, 1, 20);
    struct share_client a = {harness, "a", .id = id, .records_max = 5};
    ck_assert_str_eq(share_take(&a), "0: 0-4/1");
    share_trim(harness, 0, 12);
    ck_assert_str_eq(share_take(&a), "0: 12-19/1");
    ck_assert_int_eq(share_ack(&a, 0, 0, 4, 1), KAFKA_ERROR_NONE); /* too late to matter */
    harness_free(harness);
}
END_TEST

START_TEST(a_group_that_is_set_elsewhere)
{
    struct harness *harness = harness_new(2, NULL);
    struct uuid id = share_topic(harness, 1, 20);
    struct share_client a = {harness, "a", .id = id, .records_max = 5};
    ck_assert_str_eq(share_take(&a), "0: 0-4/1");
    ck_assert_int_eq(share_initialize(harness, id, 0, 2, 15), KAFKA_ERROR_NONE);
    ck_assert_int_eq(share_ack(&a, 0, 0, 4, 1), KAFKA_ERROR_NOT_LEADER_OR_FOLLOWER);
    ck_assert_str_eq(share_take(&a), "0: 15-19/1");
    harness_free(harness);
}
END_TEST

/* Records of an open transaction are waited for, those of an aborted one are nobody's. */
START_TEST(committed_records_alone)
{
    struct harness *harness = harness_new(2, NULL);
    struct uuid id = share_topic(harness, 1, 5);
    share_configure(harness, "share.isolation.level", "read_committed");
    struct txn_client producer = txn_client_new(harness, "t");
    struct share_client a = {harness, "a", .id = id};
    ck_assert_int_eq(txn_send(&producer, 12, "orders"), KAFKA_ERROR_NONE);
    ck_assert_str_eq(share_take(&a), "0: 0-4/1");
    ck_assert_str_eq(share_take(&a), "");
    ck_assert_int_eq(txn_finish(&producer, 5, false), KAFKA_ERROR_NONE);
    ck_assert_int_eq(txn_send(&producer, 12, "orders"), KAFKA_ERROR_NONE);
    ck_assert_int_eq(txn_finish(&producer, 5, true), KAFKA_ERROR_NONE);
    /* 5 is aborted, 6 and 8 are markers: clients say of them that there is nothing. */
    ck_assert_str_eq(share_take(&a), "0: 6-8/1");
    share_configure(harness, "share.isolation.level", "read_uncommitted");
    ck_assert_int_eq(txn_send(&producer, 12, "orders"), KAFKA_ERROR_NONE);
    ck_assert_str_eq(share_take(&a), "0: 9-9/1");
    harness_free(harness);
}
END_TEST

/* Where a group begins that nobody has set anywhere: twenty records, the older half from 1970 and
 * therefore in a segment of its own, and five more after the first look. */
START_TEST(it_begins_as_configured)
{
    static const struct {
        const char *value, *first, *second;
    } rows[] = {
        {"latest", "", "0: 20-24/1"},
        {"earliest", "0: 0-9/1", "0: 10-24/1"},
        {"by_duration:PT1H", "0: 10-19/1", "0: 20-24/1"},
        {"by_duration:P30000D", "0: 0-9/1", "0: 10-24/1"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct harness *harness = harness_new(2, NULL);
        struct uuid id = plane_topic(harness, "orders", 1, NULL, NULL);
        for (int batch = 0; batch < 4; batch++)
            plane_produce(harness, "orders", 0,
                (struct plane_batch){.count = 5, .timestamp = batch < 2 ? 1000 : 0});
        share_configure(harness, "share.auto.offset.reset", rows[i].value);
        share_initialize(harness, id, 0, 1, -1);
        struct share_client a = {harness, "a", .id = id};
        ck_assert_str_eq(share_take(&a), rows[i].first);
        plane_produce(harness, "orders", 0, (struct plane_batch){.count = 5});
        ck_assert_str_eq(share_take(&a), rows[i].second);
        harness_free(harness);
    }
}
END_TEST

/* Each of several brokers has sessions of its own, and serves what it leads. */
START_TEST(virtual_brokers)
{
    struct harness *harness = harness_new(2, "odradek.virtual.brokers=2", NULL);
    struct uuid id = plane_topic(harness, "orders", 2, NULL, NULL);
    for (int32_t i = 0; i < 2; i++) {
        harness_address(harness, 0);
        int16_t error = share_initialize(harness, id, i, 1, 0);
        harness_address(harness, 1);
        if (error == KAFKA_ERROR_NOT_COORDINATOR)
            error = share_initialize(harness, id, i, 1, 0);
        ck_assert_int_eq(error, KAFKA_ERROR_NONE);
    }
    int served = 0, sent_on = 0;
    for (int broker = 0; broker < 2; broker++) {
        harness_address(harness, broker);
        struct share_client a = {harness, "a", .id = id};
        struct share_fetch_request *request = share_fetch_ask(&a);
        share_fetch_name(&a, request, 2);
        const struct share_fetch_response *response = share_fetch_call(&a, request);
        ck_assert_int_eq(response->error_code, KAFKA_ERROR_NONE);
        ck_assert_int_eq(response->responses->partitions_count, 2);
        for (int32_t i = 0; i < 2; i++) {
            const struct share_fetch_response_partition *partition =
                &response->responses->partitions[i];
            served += partition->error_code == KAFKA_ERROR_NONE;
            if (partition->error_code != KAFKA_ERROR_NOT_LEADER_OR_FOLLOWER)
                continue;
            sent_on++;
            ck_assert_int_eq(partition->current_leader.leader_id,
                cluster_leader(harness, "orders", partition->partition_index));
            ck_assert_int_eq(response->node_endpoints_count, 2);
        }
    }
    ck_assert_int_eq(served, 2);
    ck_assert_int_eq(sent_on, 2);
    harness_free(harness);
}
END_TEST

TEST_MAIN("api/share_fetch", each_record_goes_to_one, several_partitions_share_the_limit,
    a_session_is_kept_in_step, it_refuses_nonsense, it_does_not_know, it_waits_for_records,
    it_waits_for_enough, a_lost_connection_releases, a_parked_fetch_is_given_up,
    an_ended_session_releases, sessions_are_limited, what_was_acknowledged_stays_so,
    the_log_moves_on, a_group_that_is_set_elsewhere, committed_records_alone,
    it_begins_as_configured, virtual_brokers)
