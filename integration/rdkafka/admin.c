// SPDX-License-Identifier: BSD-2-Clause
//
// The admin calls of librdkafka: partitions, configuration, records, groups and their offsets,
// deletion.

#include "rig.h"

#include <unistd.h>

static rd_kafka_t *client;
static rd_kafka_queue_t *queue;

// The answer to the call just made; ends the program when the whole call failed.
static rd_kafka_event_t *answer(const char *what)
{
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, RIG_WAIT_MS);
    CHECK(event, "%s: no answer", what);
    CHECK(!rd_kafka_event_error(event), "%s: %s", what, rd_kafka_event_error_string(event));
    return event;
}

static int partition_count(const char *topic)
{
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_topic_t *handle = rd_kafka_topic_new(client, topic, NULL);
    CHECK(!rd_kafka_metadata(client, 0, handle, &metadata, RIG_WAIT_MS), "metadata");
    int count = metadata->topics[0].err ? -1 : metadata->topics[0].partition_cnt;
    rd_kafka_metadata_destroy(metadata);
    rd_kafka_topic_destroy(handle);
    return count;
}

static void test_partitions(const char *topic)
{
    char error[256];
    rd_kafka_NewPartitions_t *more = rd_kafka_NewPartitions_new(topic, 4, error, sizeof(error));
    rd_kafka_CreatePartitions(client, &more, 1, NULL, queue);
    rd_kafka_event_t *event = answer("CreatePartitions");
    size_t count;
    const rd_kafka_topic_result_t **topics = rd_kafka_CreatePartitions_result_topics(
        rd_kafka_event_CreatePartitions_result(event), &count);
    CHECK(count == 1 && !rd_kafka_topic_result_error(topics[0]), "%s",
        rd_kafka_topic_result_error_string(topics[0]));
    rd_kafka_event_destroy(event);

    rd_kafka_CreatePartitions(client, &more, 1, NULL, queue); // four again
    event = answer("CreatePartitions");
    topics = rd_kafka_CreatePartitions_result_topics(
        rd_kafka_event_CreatePartitions_result(event), &count);
    CHECK(rd_kafka_topic_result_error(topics[0]) == RD_KAFKA_RESP_ERR_INVALID_PARTITIONS, "%s",
        rd_kafka_topic_result_error_string(topics[0]));
    rd_kafka_event_destroy(event);
    rd_kafka_NewPartitions_destroy(more);
    for (int i = 0; partition_count(topic) != 4; i++, usleep(20000))
        CHECK(i < 500, "four partitions");
}

static void config_expect(const char *topic, const char *name, const char *value, bool is_default)
{
    rd_kafka_ConfigResource_t *resource =
        rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic);
    rd_kafka_DescribeConfigs(client, &resource, 1, NULL, queue);
    rd_kafka_event_t *event = answer("DescribeConfigs");
    size_t count, entry_count;
    const rd_kafka_ConfigResource_t **resources = rd_kafka_DescribeConfigs_result_resources(
        rd_kafka_event_DescribeConfigs_result(event), &count);
    CHECK(!rd_kafka_ConfigResource_error(resources[0]), "%s",
        rd_kafka_ConfigResource_error_string(resources[0]));
    const rd_kafka_ConfigEntry_t **entries =
        rd_kafka_ConfigResource_configs(resources[0], &entry_count);
    bool found = false;
    for (size_t i = 0; i < entry_count; i++) {
        if (strcmp(rd_kafka_ConfigEntry_name(entries[i]), name) != 0)
            continue;
        found = true;
        CHECK(strcmp(rd_kafka_ConfigEntry_value(entries[i]), value) == 0, "%s=%s", name,
            rd_kafka_ConfigEntry_value(entries[i]));
        CHECK(!rd_kafka_ConfigEntry_is_default(entries[i]) == !is_default, "%s is default", name);
    }
    CHECK(found, "%s is not among %zu entries", name, entry_count);
    rd_kafka_event_destroy(event);
    rd_kafka_ConfigResource_destroy(resource);
}

static void test_configs(const char *topic)
{
    config_expect(topic, "retention.ms", "604800000", true);
    rd_kafka_ConfigResource_t *resource =
        rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic);
    rd_kafka_ConfigResource_set_config(resource, "retention.ms", "86400000");
    rd_kafka_AlterConfigs(client, &resource, 1, NULL, queue);
    rd_kafka_event_t *event = answer("AlterConfigs");
    size_t count;
    const rd_kafka_ConfigResource_t **resources =
        rd_kafka_AlterConfigs_result_resources(rd_kafka_event_AlterConfigs_result(event), &count);
    CHECK(!rd_kafka_ConfigResource_error(resources[0]), "%s",
        rd_kafka_ConfigResource_error_string(resources[0]));
    rd_kafka_event_destroy(event);
    rd_kafka_ConfigResource_destroy(resource);
    usleep(200000); // Kafka answers before its own cache knows
    config_expect(topic, "retention.ms", "86400000", false);
}

static void test_delete_records(const char *topic)
{
    for (int i = 0; i < 10; i++)
        rig_post(client, topic, 0, NULL, "x");
    rig_flush(client);
    rd_kafka_topic_partition_list_t *offsets = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(offsets, topic, 0)->offset = 7;
    rd_kafka_DeleteRecords_t *call = rd_kafka_DeleteRecords_new(offsets);
    rd_kafka_DeleteRecords(client, &call, 1, NULL, queue);
    rd_kafka_event_t *event = answer("DeleteRecords");
    const rd_kafka_topic_partition_list_t *result =
        rd_kafka_DeleteRecords_result_offsets(rd_kafka_event_DeleteRecords_result(event));
    CHECK(!result->elems[0].err && result->elems[0].offset == 7, "low %lld",
        (long long)result->elems[0].offset);
    rd_kafka_event_destroy(event);
    rd_kafka_DeleteRecords_destroy(call);
    rd_kafka_topic_partition_list_destroy(offsets);
    int64_t low, high;
    CHECK(!rd_kafka_query_watermark_offsets(client, topic, 0, &low, &high, RIG_WAIT_MS),
        "watermarks");
    CHECK(low == 7 && high == 10, "watermarks %lld %lld", (long long)low, (long long)high);
}

static int64_t group_offset(const char *group, const char *topic)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, 0);
    rd_kafka_ListConsumerGroupOffsets_t *call = rd_kafka_ListConsumerGroupOffsets_new(group, list);
    rd_kafka_ListConsumerGroupOffsets(client, &call, 1, NULL, queue);
    rd_kafka_event_t *event = answer("ListConsumerGroupOffsets");
    size_t count;
    const rd_kafka_group_result_t **groups = rd_kafka_ListConsumerGroupOffsets_result_groups(
        rd_kafka_event_ListConsumerGroupOffsets_result(event), &count);
    CHECK(count == 1 && !rd_kafka_group_result_error(groups[0]), "ListConsumerGroupOffsets");
    int64_t offset = rd_kafka_group_result_partitions(groups[0])->elems[0].offset;
    rd_kafka_event_destroy(event);
    rd_kafka_ListConsumerGroupOffsets_destroy(call);
    rd_kafka_topic_partition_list_destroy(list);
    return offset;
}

static void group_set(const char *group, const char *topic, int64_t offset)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, 0)->offset = offset;
    rd_kafka_AlterConsumerGroupOffsets_t *call =
        rd_kafka_AlterConsumerGroupOffsets_new(group, list);
    rd_kafka_AlterConsumerGroupOffsets(client, &call, 1, NULL, queue);
    rd_kafka_event_destroy(answer("AlterConsumerGroupOffsets"));
    rd_kafka_AlterConsumerGroupOffsets_destroy(call);
    rd_kafka_topic_partition_list_destroy(list);
}

static void group_forget(const char *group, const char *topic)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, 0);
    rd_kafka_DeleteConsumerGroupOffsets_t *call =
        rd_kafka_DeleteConsumerGroupOffsets_new(group, list);
    rd_kafka_DeleteConsumerGroupOffsets(client, &call, 1, NULL, queue);
    rd_kafka_event_destroy(answer("DeleteConsumerGroupOffsets"));
    rd_kafka_DeleteConsumerGroupOffsets_destroy(call);
    rd_kafka_topic_partition_list_destroy(list);
}

static bool group_listed(const char *group)
{
    rd_kafka_ListConsumerGroups(client, NULL, queue);
    rd_kafka_event_t *event = answer("ListConsumerGroups");
    size_t count;
    const rd_kafka_ConsumerGroupListing_t **listing = rd_kafka_ListConsumerGroups_result_valid(
        rd_kafka_event_ListConsumerGroups_result(event), &count);
    bool found = false;
    for (size_t i = 0; i < count; i++)
        found |= !strcmp(rd_kafka_ConsumerGroupListing_group_id(listing[i]), group);
    rd_kafka_event_destroy(event);
    return found;
}

static void group_expect(
    const char *group, rd_kafka_consumer_group_state_t state, size_t member_count)
{
    rd_kafka_DescribeConsumerGroups(client, &group, 1, NULL, queue);
    rd_kafka_event_t *event = answer("DescribeConsumerGroups");
    size_t count;
    const rd_kafka_ConsumerGroupDescription_t **groups =
        rd_kafka_DescribeConsumerGroups_result_groups(
            rd_kafka_event_DescribeConsumerGroups_result(event), &count);
    CHECK(count == 1 && !rd_kafka_ConsumerGroupDescription_error(groups[0]),
        "DescribeConsumerGroups");
    CHECK(rd_kafka_ConsumerGroupDescription_state(groups[0]) == state, "state %s",
        rd_kafka_consumer_group_state_name(rd_kafka_ConsumerGroupDescription_state(groups[0])));
    CHECK(rd_kafka_ConsumerGroupDescription_member_count(groups[0]) == member_count, "members");
    if (member_count > 0) {
        const rd_kafka_MemberDescription_t *member =
            rd_kafka_ConsumerGroupDescription_member(groups[0], 0);
        const rd_kafka_MemberAssignment_t *assignment =
            rd_kafka_MemberDescription_assignment(member);
        CHECK(rd_kafka_MemberAssignment_partitions(assignment)->cnt == 4, "its assignment");
    }
    rd_kafka_event_destroy(event);
}

static void test_groups(const char *topic)
{
    const char *group = rig_name("group");
    const char *settings[] = {"auto.offset.reset", "earliest", "enable.auto.commit", "false", NULL};
    rd_kafka_t *consumer = rig_consumer(group, settings);
    rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(topics, topic, RD_KAFKA_PARTITION_UA);
    CHECK(!rd_kafka_subscribe(consumer, topics), "subscribe");
    rd_kafka_topic_partition_list_destroy(topics);
    for (int i = 0; i < 3; i++) {
        rd_kafka_message_t *message = rig_next(consumer, RIG_WAIT_MS);
        CHECK(message && message->offset == 7 + i, "records 7 to 9");
        rd_kafka_message_destroy(message);
    }
    CHECK(!rd_kafka_commit(consumer, NULL, 0), "commit");
    CHECK(group_listed(group), "the group is listed");
    group_expect(group, RD_KAFKA_CONSUMER_GROUP_STATE_STABLE, 1);
    rig_close(consumer);
    group_expect(group, RD_KAFKA_CONSUMER_GROUP_STATE_EMPTY, 0);

    CHECK(group_offset(group, topic) == 10, "committed");
    group_set(group, topic, 8);
    CHECK(group_offset(group, topic) == 8, "altered");
    group_forget(group, topic);
    CHECK(group_offset(group, topic) == RD_KAFKA_OFFSET_INVALID, "forgotten");

    rd_kafka_DeleteGroup_t *call = rd_kafka_DeleteGroup_new(group);
    rd_kafka_DeleteGroups(client, &call, 1, NULL, queue);
    rd_kafka_event_destroy(answer("DeleteGroups"));
    rd_kafka_DeleteGroup_destroy(call);
    CHECK(!group_listed(group), "the group is gone");
}

static void test_delete_topic(const char *topic)
{
    rd_kafka_DeleteTopic_t *call = rd_kafka_DeleteTopic_new(topic);
    rd_kafka_DeleteTopics(client, &call, 1, NULL, queue);
    rd_kafka_event_destroy(answer("DeleteTopics"));
    rd_kafka_DeleteTopics(client, &call, 1, NULL, queue);
    rd_kafka_event_t *event = answer("DeleteTopics");
    size_t count;
    const rd_kafka_topic_result_t **topics =
        rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event), &count);
    CHECK(rd_kafka_topic_result_error(topics[0]) == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, "%s",
        rd_kafka_topic_result_error_string(topics[0]));
    rd_kafka_event_destroy(event);
    rd_kafka_DeleteTopic_destroy(call);
}

int main(void)
{
    const char *topic = rig_name("admin");
    client = rig_producer(NULL);
    queue = rd_kafka_queue_new(client);
    rig_create_topic(client, topic, 2);
    test_partitions(topic);
    test_configs(topic);
    test_delete_records(topic);
    test_groups(topic);
    test_delete_topic(topic);
    rd_kafka_queue_destroy(queue);
    rig_close(client);
    return 0;
}
