// SPDX-License-Identifier: BSD-2-Clause
#include "admin.h"
#include "runner.h"
#include "wire/delete_topics.gen.h"

#include <stdio.h>

static struct harness *harness;

static void setup(void)
{
    harness = harness_new(2, NULL);
}

static void teardown(void)
{
    harness_free(harness);
}

static const struct delete_topics_response_topic *delete_named(int16_t version, const char *name)
{
    struct delete_topics_request *request = harness_request(harness, &delete_topics_api_codec);
    request->topic_names = arena_new(harness_arena(harness), struct slice);
    request->topic_names[0] = slice_from_str(name);
    request->topic_names_count = 1;
    const struct delete_topics_response *response =
        harness_call(harness, &delete_topics_api_codec, version, request);
    ck_assert_int_eq(response->responses_count, 1);
    return response->responses;
}

/* Version 6: by name, by id, or (wrongly) both. */
static const struct delete_topics_response_topic *delete_either(const char *name, struct uuid id)
{
    struct delete_topics_request *request = harness_request(harness, &delete_topics_api_codec);
    request->topics = arena_new(harness_arena(harness), struct delete_topics_request_topic);
    request->topics[0] = (struct delete_topics_request_topic){slice_from_str(name), id};
    request->topics_count = 1;
    const struct delete_topics_response *response =
        harness_call(harness, &delete_topics_api_codec, 6, request);
    ck_assert_int_eq(response->responses_count, 1);
    return response->responses;
}

START_TEST(delete_topic_by_name)
{
    struct uuid id = admin_create(harness, "orders", 3);
    const struct delete_topics_response_topic *answer = delete_named(1, "orders");
    ck_assert_int_eq(answer->error_code, KAFKA_ERROR_NONE);
    ck_assert_slice(answer->name, "orders");
    ck_assert_int_eq(
        admin_topic(harness, "orders")->error_code, KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION);
    /* The same name again is another topic. */
    ck_assert(!uuid_equal(admin_create(harness, "orders", 2), id));
    ck_assert_int_eq(admin_topic(harness, "orders")->partitions_count, 2);
}
END_TEST

START_TEST(delete_topic_by_id)
{
    struct uuid id = admin_create(harness, "orders", 1);
    const struct delete_topics_response_topic *answer = delete_either(NULL, id);
    ck_assert_int_eq(answer->error_code, KAFKA_ERROR_NONE);
    ck_assert_slice(answer->name, "orders");
    ck_assert(uuid_equal(answer->topic_id, id));
    answer = delete_either(NULL, id);
    ck_assert_int_eq(answer->error_code, KAFKA_ERROR_UNKNOWN_TOPIC_ID);
    ck_assert(slice_is_null(answer->name));
}
END_TEST

START_TEST(delete_topic_that_is_not_there)
{
    ck_assert_int_eq(
        delete_named(5, "nothing")->error_code, KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION);
    ck_assert_int_eq(
        delete_either("nothing", UUID_ZERO)->error_code, KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION);
}
END_TEST

START_TEST(delete_topic_named_wrongly)
{
    struct uuid id = admin_create(harness, "orders", 1);
    ck_assert_int_eq(delete_either("orders", id)->error_code, KAFKA_ERROR_INVALID_REQUEST);
    ck_assert_int_eq(delete_either(NULL, UUID_ZERO)->error_code, KAFKA_ERROR_INVALID_REQUEST);
    ck_assert_int_eq(admin_topic(harness, "orders")->error_code, KAFKA_ERROR_NONE);
}
END_TEST

START_TEST(delete_topic_when_disabled)
{
    harness_restart(harness, "delete.topic.enable=false", NULL);
    admin_create(harness, "orders", 1);
    ck_assert_int_eq(delete_named(2, "orders")->error_code, KAFKA_ERROR_INVALID_REQUEST);
    ck_assert_int_eq(delete_named(3, "orders")->error_code, KAFKA_ERROR_TOPIC_DELETION_DISABLED);
    ck_assert_int_eq(admin_topic(harness, "orders")->error_code, KAFKA_ERROR_NONE);
}
END_TEST

START_TEST(delete_topic_stays_deleted)
{
    admin_create(harness, "orders", 2);
    admin_create(harness, "trades", 2);
    ck_assert_int_eq(delete_named(1, "orders")->error_code, KAFKA_ERROR_NONE);
    harness_restart(harness, NULL);
    ck_assert_int_eq(
        admin_topic(harness, "orders")->error_code, KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION);
    ck_assert_int_eq(admin_topic(harness, "trades")->error_code, KAFKA_ERROR_NONE);
}
END_TEST

/* More topics than one transaction of the metadata holds, some named twice over the requests. */
START_TEST(delete_many_topics)
{
    enum { TOPICS = 150 };
    static char names[TOPICS][16];
    struct delete_topics_request *request = harness_request(harness, &delete_topics_api_codec);
    request->topic_names = arena_new_n(harness_arena(harness), struct slice, TOPICS);
    request->topic_names_count = TOPICS;
    for (int i = 0; i < TOPICS; i++) {
        snprintf(names[i], sizeof(names[i]), "topic-%d", i);
        request->topic_names[i] = slice_from_str(names[i]);
        admin_create(harness, names[i], 1);
    }
    const struct delete_topics_response *response =
        harness_call(harness, &delete_topics_api_codec, 1, request);
    for (int i = 0; i < TOPICS; i++)
        ck_assert_int_eq(response->responses[i].error_code, KAFKA_ERROR_NONE);
    ck_assert_int_eq(
        admin_topic(harness, "topic-0")->error_code, KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION);
    admin_create(harness, "topic-0", 1);
}
END_TEST

TEST_MAIN_FIXTURE("api/delete_topics", setup, teardown, delete_topic_by_name, delete_topic_by_id,
    delete_topic_that_is_not_there, delete_topic_named_wrongly, delete_topic_when_disabled,
    delete_topic_stays_deleted, delete_many_topics)
