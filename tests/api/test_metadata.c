// SPDX-License-Identifier: BSD-2-Clause
#include "admin.h"
#include "runner.h"

#include <stdio.h>

static struct harness *harness;

static void setup(void)
{
    harness = harness_new(2, "num.partitions=3", NULL);
}

static void teardown(void)
{
    harness_free(harness);
}

/* `count` names; -1: null. */
static struct metadata_request *request_for(int32_t count, const char *const *names)
{
    struct metadata_request *request = harness_request(harness, &metadata_api_codec);
    request->topics_count = count;
    request->topics = count < 0 ? NULL
                                : arena_new_n(harness_arena(harness), struct metadata_request_topic,
                                      (size_t)count + 1);
    for (int32_t i = 0; i < count; i++)
        request->topics[i].name = slice_from_str(names[i]);
    return request;
}

static const struct metadata_response *ask(int16_t version, const struct metadata_request *request)
{
    return harness_call(harness, &metadata_api_codec, version, request);
}
#define NAMES(...)                                                           \
    ARRAY_COUNT(((const char *const[]){__VA_ARGS__})), (const char *const[]) \
    {                                                                        \
        __VA_ARGS__                                                          \
    }

START_TEST(metadata_names_the_broker)
{
    const struct metadata_response *response = ask(9, request_for(0, NULL));
    ck_assert_int_eq(response->brokers_count, 1);
    ck_assert_int_eq(response->brokers->node_id, 1);
    ck_assert_slice(response->brokers->host, "localhost");
    ck_assert_int_eq(response->brokers->port, 9092);
    ck_assert_int_eq(response->controller_id, 1);
    ck_assert_uint_eq(response->cluster_id.size, UUID_TEXT_SIZE);
    ck_assert_int_eq(response->topics_count, 0);
}
END_TEST

START_TEST(metadata_creates_what_is_missing)
{
    const struct metadata_response *response = ask(4, request_for(NAMES("orders")));
    ck_assert_int_eq(response->topics_count, 1);
    const struct metadata_response_topic *topic = response->topics;
    ck_assert_int_eq(topic->error_code, KAFKA_ERROR_NONE);
    ck_assert_slice(topic->name, "orders");
    ck_assert(!uuid_is_zero(topic->topic_id));
    ck_assert_int_eq(topic->partitions_count, 3);
    for (int32_t i = 0; i < 3; i++) {
        const struct metadata_response_partition *partition = &topic->partitions[i];
        ck_assert_int_eq(partition->error_code, KAFKA_ERROR_NONE);
        ck_assert_int_eq(partition->partition_index, i);
        ck_assert_int_eq(partition->leader_id, 1);
        ck_assert_int_ge(partition->leader_epoch, 0);
        ck_assert_int_eq(partition->replica_nodes_count, 1);
        ck_assert_int_eq(partition->isr_nodes[0], 1);
        ck_assert_int_eq(partition->offline_replicas_count, 0);
    }
}
END_TEST

START_TEST(metadata_creates_only_when_allowed)
{
    struct metadata_request *request = request_for(NAMES("orders"));
    request->allow_auto_topic_creation = false;
    ck_assert_int_eq(ask(4, request)->topics->error_code, KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION);
    /* Before version 4 asking was enough. */
    ck_assert_int_eq(ask(3, request)->topics->error_code, KAFKA_ERROR_NONE);
    harness_restart(harness, "auto.create.topics.enable=false", NULL);
    const struct metadata_response *response = ask(4, request_for(NAMES("orders", "other")));
    ck_assert_int_eq(response->topics[0].error_code, KAFKA_ERROR_NONE);
    ck_assert_int_eq(response->topics[1].error_code, KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION);
}
END_TEST

START_TEST(metadata_all_topics)
{
    admin_create(harness, "b", 1);
    admin_create(harness, "a", 2);
    ck_assert_int_eq(ask(1, request_for(0, NULL))->topics_count, 0);
    ck_assert_int_eq(ask(0, request_for(0, NULL))->topics_count, 2);
    const struct metadata_response *response = ask(1, request_for(-1, NULL));
    ck_assert_int_eq(response->topics_count, 2);
    ck_assert_slice(response->topics[0].name, "a");
    ck_assert_int_eq(response->topics[0].partitions_count, 2);
    ck_assert_slice(response->topics[1].name, "b");
}
END_TEST

START_TEST(metadata_bad_names)
{
    const struct metadata_response *response =
        ask(9, request_for(NAMES("a/b", "", "..", "good", "good")));
    ck_assert_int_eq(response->topics_count, 4); /* each once */
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(response->topics[i].error_code, KAFKA_ERROR_INVALID_TOPIC_EXCEPTION);
    ck_assert_int_eq(response->topics[3].error_code, KAFKA_ERROR_NONE);
    ck_assert_int_eq(ask(1, request_for(-1, NULL))->topics_count, 1);
}
END_TEST

START_TEST(metadata_by_id)
{
    struct uuid id = admin_create(harness, "orders", 1);
    struct metadata_request *request = request_for(2, (const char *const[]){NULL, NULL});
    request->topics[0].topic_id = id;
    request->topics[1].topic_id = (struct uuid){{1, 2, 3}};
    const struct metadata_response *response = ask(12, request);
    ck_assert_int_eq(response->topics_count, 2);
    ck_assert_slice(response->topics[0].name, "orders");
    ck_assert(uuid_equal(response->topics[0].topic_id, id));
    ck_assert_int_eq(response->topics[1].error_code, KAFKA_ERROR_UNKNOWN_TOPIC_ID);
    ck_assert(slice_is_null(response->topics[1].name));
    ck_assert(uuid_equal(response->topics[1].topic_id, request->topics[1].topic_id));
}
END_TEST

/* The id says which topic is meant, whatever the name; before version 12 it may not be used. */
START_TEST(metadata_by_id_and_name)
{
    struct uuid id = admin_create(harness, "orders", 1);
    struct metadata_request *request = request_for(NAMES("other"));
    request->topics[0].topic_id = id;
    ck_assert_slice(ask(12, request)->topics->name, "orders");
    ck_assert_int_eq(ask(11, request)->topics->error_code, KAFKA_ERROR_INVALID_REQUEST);
    ck_assert_int_eq(ask(1, request_for(-1, NULL))->topics_count, 1); /* nothing was created */
}
END_TEST

START_TEST(metadata_authorized_operations)
{
    admin_create(harness, "orders", 1);
    struct metadata_request *request = request_for(NAMES("orders"));
    const struct metadata_response *response = ask(8, request);
    ck_assert_int_eq(response->cluster_authorized_operations, INT32_MIN);
    ck_assert_int_eq(response->topics->topic_authorized_operations, INT32_MIN);
    request->include_cluster_authorized_operations = true;
    request->include_topic_authorized_operations = true;
    response = ask(8, request);
    ck_assert_int_eq(response->cluster_authorized_operations, 8096);
    ck_assert_int_eq(response->topics->topic_authorized_operations, 3576);
    request->topics[0].name = SLICE_LIT("nothing");
    request->allow_auto_topic_creation = false;
    response = ask(8, request);
    ck_assert_int_eq(response->topics->error_code, KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION);
    ck_assert_int_eq(response->topics->topic_authorized_operations, 3576);
}
END_TEST

/* Two connections ask for the same missing topic at once: both get it. */
START_TEST(metadata_joins_a_creation_in_flight)
{
    enum { ASKERS = 8 };
    struct harness_call *calls[ASKERS];
    struct uuid id = UUID_ZERO;
    for (int i = 0; i < ASKERS; i++)
        calls[i] = harness_send(
            harness, &metadata_api_codec, 10, request_for(NAMES("orders")), (uint64_t)i + 1);
    for (int i = 0; i < ASKERS; i++) {
        const struct metadata_response *response = harness_wait(calls[i], 10000);
        ck_assert_ptr_nonnull(response);
        ck_assert_int_eq(response->topics->error_code, KAFKA_ERROR_NONE);
        ck_assert(i == 0 || uuid_equal(response->topics->topic_id, id));
        id = response->topics->topic_id;
    }
}
END_TEST

START_TEST(metadata_survives_a_restart)
{
    struct uuid id = admin_create(harness, "orders", 5);
    struct slice cluster =
        arena_copy_slice(harness_arena(harness), ask(9, request_for(0, NULL))->cluster_id);
    char text[64];
    snprintf(text, sizeof(text), "%.*s", SLICE_FMT(cluster));
    harness_restart(harness, NULL);
    const struct metadata_response *response = ask(10, request_for(-1, NULL));
    ck_assert_int_eq(response->topics_count, 1);
    ck_assert(uuid_equal(response->topics->topic_id, id));
    ck_assert_int_eq(response->topics->partitions_count, 5);
    ck_assert_slice(response->cluster_id, text);
}
END_TEST

START_TEST(metadata_many_topics_in_one_request)
{
    enum { TOPICS = 200 };
    static char names[TOPICS][16];
    const char *pointers[TOPICS];
    for (int i = 0; i < TOPICS; i++) {
        snprintf(names[i], sizeof(names[i]), "topic-%d", i);
        pointers[i] = names[i];
    }
    const struct metadata_response *response = ask(9, request_for(TOPICS, pointers));
    ck_assert_int_eq(response->topics_count, TOPICS);
    for (int i = 0; i < TOPICS; i++)
        ck_assert_int_eq(response->topics[i].error_code, KAFKA_ERROR_NONE);
}
END_TEST

TEST_MAIN_FIXTURE("api/metadata", setup, teardown, metadata_names_the_broker,
    metadata_creates_what_is_missing, metadata_creates_only_when_allowed, metadata_all_topics,
    metadata_bad_names, metadata_by_id, metadata_by_id_and_name, metadata_authorized_operations,
    metadata_joins_a_creation_in_flight, metadata_survives_a_restart,
    metadata_many_topics_in_one_request)
