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

static struct create_topics_request *request_for(const char *name, int32_t partitions)
{
    return admin_create_request(harness, name, partitions);
}

static const struct create_topics_response_topic *create(
    const struct create_topics_request *request)
{
    return admin_create_call(harness, request);
}

static void add_config(struct create_topics_request *request, const char *name, const char *value)
{
    struct create_topics_request_topic *topic = request->topics;
    if (topic->configs == NULL)
        topic->configs =
            arena_new_n(harness_arena(harness), struct create_topics_request_config, 8);
    topic->configs[topic->configs_count++] =
        (struct create_topics_request_config){slice_from_str(name), slice_from_str(value)};
}

/* One replica list per partition; every list names `node` alone. */
static void add_assignments(struct create_topics_request *request, int32_t count, int32_t node)
{
    struct create_topics_request_topic *topic = request->topics;
    topic->num_partitions = topic->replication_factor = -1;
    topic->assignments_count = count;
    topic->assignments =
        arena_new_n(harness_arena(harness), struct create_topics_request_assignment, (size_t)count);
    for (int32_t i = 0; i < count; i++) {
        topic->assignments[i].partition_index = i;
        topic->assignments[i].broker_ids = arena_new(harness_arena(harness), int32_t);
        topic->assignments[i].broker_ids[0] = node;
        topic->assignments[i].broker_ids_count = 1;
    }
}

static const struct create_topics_response_config *config_of(
    const struct create_topics_response_topic *topic, const char *name)
{
    for (int32_t i = 0; i < topic->configs_count; i++) {
        if (slice_equal_str(topic->configs[i].name, name))
            return &topic->configs[i];
    }
    ck_abort_msg("no config %s", name);
    return NULL;
}

static void refused(
    const struct create_topics_response_topic *topic, int16_t error, const char *text)
{
    ck_assert_msg(
        topic->error_code == error, "%d: %.*s", topic->error_code, SLICE_FMT(topic->error_message));
    ck_assert_text(topic->error_message, text);
    ck_assert(uuid_is_zero(topic->topic_id));
}

START_TEST(create_topic)
{
    struct create_topics_request *request = request_for("orders", 4);
    add_config(request, "retention.ms", "1000");
    const struct create_topics_response_topic *topic = create(request);
    ck_assert_int_eq(topic->error_code, KAFKA_ERROR_NONE);
    ck_assert(slice_is_null(topic->error_message));
    ck_assert_int_eq(topic->num_partitions, 4);
    ck_assert_int_eq(topic->replication_factor, 1);
    ck_assert(!uuid_is_zero(topic->topic_id));
    ck_assert_slice(config_of(topic, "retention.ms")->value, "1000");
    ck_assert_int_eq(config_of(topic, "retention.ms")->config_source, 1);
    ck_assert_slice(config_of(topic, "cleanup.policy")->value, "delete");
    ck_assert_int_eq(config_of(topic, "cleanup.policy")->config_source, 5);
    const struct metadata_response_topic *found = admin_topic(harness, "orders");
    ck_assert(uuid_equal(found->topic_id, topic->topic_id));
    ck_assert_int_eq(found->partitions_count, 4);
}
END_TEST

START_TEST(create_topic_that_exists)
{
    admin_create(harness, "orders", 1);
    refused(create(request_for("orders", 1)), KAFKA_ERROR_TOPIC_ALREADY_EXISTS,
        "Topic 'orders' already exists.");
}
END_TEST

START_TEST(create_topic_with_a_bad_name)
{
    static const char *const names[] = {"", ".", "..", "a b", "a/b", "\xc3\xa9"};
    for (size_t i = 0; i < ARRAY_COUNT(names); i++)
        refused(create(request_for(names[i], 1)), KAFKA_ERROR_INVALID_TOPIC_EXCEPTION,
            "is no topic name");
    char name[251];
    memset(name, 'a', sizeof(name));
    name[250] = '\0';
    refused(create(request_for(name, 1)), KAFKA_ERROR_INVALID_TOPIC_EXCEPTION, "1 to 249");
    name[249] = '\0';
    ck_assert_int_eq(create(request_for(name, 1))->error_code, KAFKA_ERROR_NONE);
}
END_TEST

START_TEST(create_topic_whose_name_collides)
{
    admin_create(harness, "a.b", 1);
    refused(create(request_for("a_b", 1)), KAFKA_ERROR_INVALID_TOPIC_EXCEPTION,
        "collides with existing topic 'a.b'");
    ck_assert_int_eq(create(request_for("a-b", 1))->error_code, KAFKA_ERROR_NONE);
}
END_TEST

START_TEST(create_topic_partition_counts)
{
    refused(create(request_for("a", 0)), KAFKA_ERROR_INVALID_PARTITIONS, "at least 1");
    refused(create(request_for("a", -2)), KAFKA_ERROR_INVALID_PARTITIONS, "at least 1");
    refused(create(request_for("a", 10001)), KAFKA_ERROR_INVALID_PARTITIONS,
        "odradek.topic.partitions.max");
    ck_assert_int_eq(create(request_for("a", -1))->num_partitions, 3);
}
END_TEST

START_TEST(create_topic_limit_of_all_partitions)
{
    harness_restart(harness, "odradek.partitions.max=5", NULL);
    ck_assert_int_eq(create(request_for("a", 4))->error_code, KAFKA_ERROR_NONE);
    refused(create(request_for("b", 2)), KAFKA_ERROR_POLICY_VIOLATION, "odradek.partitions.max");
    ck_assert_int_eq(create(request_for("b", 1))->error_code, KAFKA_ERROR_NONE);
}
END_TEST

START_TEST(create_topic_replication_factor)
{
    struct create_topics_request *request = request_for("a", 1);
    request->topics->replication_factor = 3;
    const struct create_topics_response_topic *topic = create(request);
    ck_assert_int_eq(topic->error_code, KAFKA_ERROR_NONE); /* the dev profile is lenient */
    ck_assert_int_eq(topic->replication_factor, 1);
    harness_restart(harness, "odradek.profile=strict", NULL);
    request = request_for("b", 1);
    request->topics->replication_factor = 3;
    refused(create(request), KAFKA_ERROR_INVALID_REPLICATION_FACTOR,
        "Replication factor 3 is larger than the number of brokers, 1.");
    request->topics->replication_factor = 0;
    refused(create(request), KAFKA_ERROR_INVALID_REPLICATION_FACTOR, "larger than 0");
    request->topics->replication_factor = -1;
    ck_assert_int_eq(create(request)->error_code, KAFKA_ERROR_NONE);
}
END_TEST

START_TEST(create_topic_with_assignments)
{
    struct create_topics_request *request = request_for("a", 1);
    add_assignments(request, 2, 1);
    ck_assert_int_eq(create(request)->num_partitions, 2);
    request = request_for("b", 1);
    add_assignments(request, 2, 7);
    refused(create(request), KAFKA_ERROR_INVALID_REPLICA_ASSIGNMENT, "exactly [1]");
    request = request_for("b", 1);
    add_assignments(request, 2, 1);
    request->topics->assignments[1].partition_index = 5;
    refused(create(request), KAFKA_ERROR_INVALID_REPLICA_ASSIGNMENT, "consecutive");
    request = request_for("b", 1);
    add_assignments(request, 2, 1);
    request->topics->num_partitions = 2;
    refused(create(request), KAFKA_ERROR_INVALID_REQUEST, "Use one of them");
}
END_TEST

START_TEST(create_topic_with_bad_configs)
{
    struct create_topics_request *request = request_for("a", 1);
    add_config(request, "retention.msec", "1");
    refused(create(request), KAFKA_ERROR_INVALID_CONFIG, "did you mean retention.ms?");
    request = request_for("a", 1);
    add_config(request, "retention.ms", "soon");
    refused(create(request), KAFKA_ERROR_INVALID_CONFIG, "\"soon\" is no value for retention.ms");
    request = request_for("a", 1);
    add_config(request, "cleanup.policy", "delete,shred");
    refused(create(request), KAFKA_ERROR_INVALID_CONFIG, "compact,delete");
    request = request_for("a", 1);
    add_config(request, "retention.ms", NULL);
    refused(create(request), KAFKA_ERROR_INVALID_CONFIG, "Null value");
    request = request_for("a", 1);
    add_config(request, "min.compaction.lag.ms", "5");
    add_config(request, "max.compaction.lag.ms", "4");
    refused(create(request), KAFKA_ERROR_INVALID_CONFIG, "must not be above");
    ck_assert_int_eq(admin_topic(harness, "a")->error_code, KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION);
}
END_TEST

START_TEST(create_topic_validate_only)
{
    struct create_topics_request *request = request_for("a", 2);
    request->validate_only = true;
    const struct create_topics_response_topic *topic = create(request);
    ck_assert_int_eq(topic->error_code, KAFKA_ERROR_NONE);
    ck_assert_int_eq(topic->num_partitions, 2);
    ck_assert(!uuid_is_zero(topic->topic_id));
    ck_assert_int_eq(admin_topic(harness, "a")->error_code, KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION);
    request->topics->num_partitions = 0;
    refused(create(request), KAFKA_ERROR_INVALID_PARTITIONS, "at least 1");
}
END_TEST

/* As Kafka: the last of two values counts, and spaces around a value do not. */
START_TEST(create_topic_config_named_twice)
{
    struct create_topics_request *request = request_for("a", 1);
    add_config(request, "retention.ms", "1");
    add_config(request, "retention.ms", " 77 ");
    const struct create_topics_response_topic *topic = create(request);
    ck_assert_int_eq(topic->error_code, KAFKA_ERROR_NONE);
    for (int32_t i = 0; i < topic->configs_count; i++) {
        if (slice_equal_str(topic->configs[i].name, "retention.ms"))
            ck_assert_slice(topic->configs[i].value, "77");
    }
}
END_TEST

START_TEST(create_topics_named_twice)
{
    struct create_topics_request *request = request_for("a", 1);
    struct create_topics_request_topic *topics =
        arena_new_n(harness_arena(harness), struct create_topics_request_topic, 3);
    topics[0] = topics[2] = *request->topics;
    topics[1] = *request->topics;
    topics[1].name = SLICE_LIT("b");
    request->topics = topics;
    request->topics_count = 3;
    const struct create_topics_response *response =
        harness_call(harness, &create_topics_api_codec, 7, request);
    ck_assert_int_eq(response->topics_count, 2); /* each name once */
    ck_assert_slice(response->topics[0].name, "a");
    ck_assert_int_eq(response->topics[0].error_code, KAFKA_ERROR_INVALID_REQUEST);
    ck_assert_slice(response->topics[1].name, "b");
    ck_assert_int_eq(response->topics[1].error_code, KAFKA_ERROR_NONE);
}
END_TEST

START_TEST(create_topics_empty)
{
    struct create_topics_request *request = harness_request(harness, &create_topics_api_codec);
    const struct create_topics_response *response =
        harness_call(harness, &create_topics_api_codec, 5, request);
    ck_assert_int_eq(response->topics_count, 0);
}
END_TEST

/* More topics than one transaction of the metadata holds. */
START_TEST(create_many_topics)
{
    enum { TOPICS = 150 };
    static char names[TOPICS][16];
    struct create_topics_request *request = request_for("x", 2);
    struct create_topics_request_topic *topics =
        arena_new_n(harness_arena(harness), struct create_topics_request_topic, TOPICS);
    for (int i = 0; i < TOPICS; i++) {
        snprintf(names[i], sizeof(names[i]), "topic-%d", i);
        topics[i] = *request->topics;
        topics[i].name = slice_from_str(names[i]);
    }
    request->topics = topics;
    request->topics_count = TOPICS;
    const struct create_topics_response_topic *answer = create(request);
    for (int i = 0; i < TOPICS; i++) {
        ck_assert_slice(answer[i].name, names[i]);
        ck_assert_int_eq(answer[i].error_code, KAFKA_ERROR_NONE);
    }
    harness_restart(harness, NULL);
    ck_assert_int_eq(admin_topic(harness, "topic-149")->partitions_count, 2);
}
END_TEST

TEST_MAIN_FIXTURE("api/create_topics", setup, teardown, create_topic, create_topic_that_exists,
    create_topic_with_a_bad_name, create_topic_whose_name_collides, create_topic_partition_counts,
    create_topic_limit_of_all_partitions, create_topic_replication_factor,
    create_topic_with_assignments, create_topic_with_bad_configs, create_topic_validate_only,
    create_topic_config_named_twice, create_topics_named_twice, create_topics_empty,
    create_many_topics)
