// SPDX-License-Identifier: BSD-2-Clause
/*
 * Bytes as real programs put them on the wire (or into a log), written down by hand from the
 * protocol: what the schema says must be what clients mean.
 */
#include "wire/api_versions.gen.h"
#include "wire/control_record_key.gen.h"
#include "wire/end_txn_marker.gen.h"
#include "wire/errors.gen.h"
#include "wire/fetch.gen.h"
#include "wire/find_coordinator.gen.h"
#include "wire/group_metadata_value.gen.h"
#include "wire/header.h"
#include "wire/join_group.gen.h"
#include "wire/list_offsets.gen.h"
#include "wire/metadata.gen.h"
#include "wire/offset_commit_key.gen.h"
#include "wire/offset_commit_value.gen.h"
#include "wire/offset_fetch.gen.h"
#include "wire/produce.gen.h"
#include "runner.h"

static struct arena arena = {.limit = SIZE_MAX}; /* freed with the process */

/* A string literal's bytes without its NUL. */
#define READER(lit) reader_make(SLICE_LIT(lit))

static void assert_written(struct writer *writer, struct slice expected)
{
    ck_assert_uint_eq(writer->buffer.size, expected.size);
    ck_assert_mem_eq(writer->buffer.data, expected.data, expected.size);
    writer_deinit(writer);
}

START_TEST(golden_librdkafka_api_versions_3)
{
    struct reader reader = READER("\0\x12\0\3\0\0\0\1\0\7rdkafka\0"
                                  "\x0blibrdkafka\6"
                                  "2.0.2\0");
    struct request_header header;
    struct api_versions_request request;
    ck_assert(header_decode(&reader, true, &header));
    ck_assert_int_eq(header.api_key, api_versions_api_codec.key);
    ck_assert(api_versions_request_decode(&reader, header.api_version, &arena, &request));
    ck_assert(slice_equal_str(request.client_software_name, "librdkafka"));
    ck_assert(slice_equal_str(request.client_software_version, "2.0.2"));
}
END_TEST

START_TEST(golden_api_versions_answers_the_unsupported_in_version_0)
{
    struct api_versions_response response;
    struct api_versions_response_api_key key = {.api_key = 18, .min_version = 0, .max_version = 4};
    struct writer writer = WRITER_NULL;
    api_versions_response_init(&response);
    response.error_code = KAFKA_ERROR_UNSUPPORTED_VERSION;
    response.api_keys = &key;
    response.api_keys_count = 1;
    api_versions_response_encode(&writer, 0, &response);
    assert_written(&writer, SLICE_LIT("\0\x23\0\0\0\1\0\x12\0\0\0\4"));
}
END_TEST

START_TEST(golden_api_versions_3_with_features)
{
    struct api_versions_response response;
    struct api_versions_response_api_key key = {.api_key = 3, .max_version = 12};
    struct api_versions_response_finalized_feature feature = {
        .name = SLICE_LIT("group.version"), .max_version_level = 1, .min_version_level = 1};
    struct writer writer = WRITER_NULL;
    api_versions_response_init(&response);
    response.api_keys = &key;
    response.api_keys_count = 1;
    response.finalized_features_epoch = 0;
    response.finalized_features = &feature;
    response.finalized_features_count = 1;
    api_versions_response_encode(&writer, 3, &response);
    assert_written(&writer, SLICE_LIT("\0\0\2\0\3\0\0\0\x0c\0\0\0\0\0\2"
                                      "\1\x08\0\0\0\0\0\0\0\0"
                                      "\2\x14\2\x0egroup.version\0\1\0\1\0"));
}
END_TEST

START_TEST(golden_kafkajs_metadata_6)
{
    struct metadata_request request;
    struct reader reader = READER("\xff\xff\xff\xff\1");
    ck_assert(metadata_request_decode(&reader, 6, &arena, &request));
    ck_assert_int_eq(request.topics_count, -1);
    ck_assert(request.allow_auto_topic_creation);
    reader = READER("\0\0\0\2\0\6trades\0\6quotes\0");
    ck_assert(metadata_request_decode(&reader, 6, &arena, &request));
    ck_assert_int_eq(request.topics_count, 2);
    ck_assert(slice_equal_str(request.topics[1].name, "quotes"));
    ck_assert(!request.allow_auto_topic_creation);
}
END_TEST

START_TEST(golden_metadata_versions_before_4_imply_auto_creation)
{
    struct metadata_request request;
    struct reader reader = READER("\0\0\0\0");
    ck_assert(metadata_request_decode(&reader, 0, &arena, &request));
    ck_assert_int_eq(request.topics_count, 0);
    ck_assert(request.allow_auto_topic_creation);
}
END_TEST

START_TEST(golden_metadata_12_answer)
{
    struct metadata_response response;
    struct metadata_response_broker broker = {
        .node_id = 1, .host = SLICE_LIT("localhost"), .port = 9092};
    struct metadata_response_partition partition;
    struct metadata_response_topic topic;
    int32_t nodes[] = {1};
    metadata_response_init(&response);
    metadata_response_topic_init(&topic);
    metadata_response_partition_init(&partition);
    partition.leader_id = 1;
    partition.leader_epoch = 0;
    partition.replica_nodes = partition.isr_nodes = nodes;
    partition.replica_nodes_count = partition.isr_nodes_count = 1;
    topic.name = SLICE_LIT("t");
    topic.topic_id.bytes[15] = 7;
    topic.partitions = &partition;
    topic.partitions_count = 1;
    response.brokers = &broker;
    response.brokers_count = 1;
    response.cluster_id = SLICE_LIT("c");
    response.controller_id = 1;
    response.topics = &topic;
    response.topics_count = 1;
    struct writer writer = WRITER_NULL;
    metadata_response_encode(&writer, 12, &response);
    assert_written(
        &writer, SLICE_LIT("\0\0\0\0\2\0\0\0\1\x0alocalhost\0\0\x23\x84\0\0\2c\0\0\0\1"
                           "\2\0\0\2t\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\7\0"
                           "\2\0\0\0\0\0\0\0\0\0\1\0\0\0\0\2\0\0\0\1\2\0\0\0\1\1\0\x80\0\0\0\0\0"));
}
END_TEST

START_TEST(golden_kafkajs_produce_7)
{
    struct produce_request request;
    struct reader reader = READER("\xff\xff\xff\xff\0\0\x75\x30\0\0\0\1\0\1t\0\0\0\1\0\0\0\2"
                                  "\0\0\0\4abcd");
    ck_assert(produce_request_decode(&reader, 7, &arena, &request));
    ck_assert(slice_is_null(request.transactional_id));
    ck_assert_int_eq(request.acks, -1);
    ck_assert_int_eq(request.timeout_ms, 30000);
    ck_assert_int_eq(request.topic_data[0].partition_data[0].index, 2);
    ck_assert(slice_equal_str(request.topic_data[0].partition_data[0].records.bytes, "abcd"));
}
END_TEST

START_TEST(golden_produce_7_answer)
{
    struct produce_response response;
    struct produce_response_topic topic;
    struct produce_response_partition partition;
    produce_response_init(&response);
    produce_response_topic_init(&topic);
    produce_response_partition_init(&partition);
    partition.index = 2;
    partition.base_offset = 258;
    partition.log_start_offset = 0;
    topic.name = SLICE_LIT("t");
    topic.partition_responses = &partition;
    topic.partition_responses_count = 1;
    response.responses = &topic;
    response.responses_count = 1;
    struct writer writer = WRITER_NULL;
    produce_response_encode(&writer, 7, &response);
    assert_written(&writer, SLICE_LIT("\0\0\0\1\0\1t\0\0\0\1\0\0\0\2\0\0\0\0\0\0\0\0\1\2"
                                      "\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0\0\0\0\0\0\0\0\0"));
}
END_TEST

START_TEST(golden_kafkajs_fetch_11)
{
    struct fetch_request request;
    struct reader reader = READER("\xff\xff\xff\xff\0\0\x13\x88\0\0\0\1\0\xa0\0\0\1\0\0\0\0"
                                  "\xff\xff\xff\xff\0\0\0\1\0\1t\0\0\0\1\0\0\0\0\xff\xff\xff\xff"
                                  "\0\0\0\0\0\0\0\x2a\xff\xff\xff\xff\xff\xff\xff\xff\0\x10\0\0"
                                  "\0\0\0\0\0\0");
    ck_assert(fetch_request_decode(&reader, 11, &arena, &request));
    ck_assert_int_eq(request.max_wait_ms, 5000);
    ck_assert_int_eq(request.max_bytes, 10485760);
    ck_assert_int_eq(request.isolation_level, 1);
    ck_assert_int_eq(request.session_epoch, -1);
    ck_assert_int_eq(request.topics[0].partitions[0].fetch_offset, 42);
    ck_assert_int_eq(request.topics[0].partitions[0].partition_max_bytes, 1048576);
    ck_assert_int_eq(request.topics[0].partitions[0].high_watermark, INT64_MAX);
    ck_assert_uint_eq(request.rack_id.size, 0);
}
END_TEST

START_TEST(golden_fetch_11_answer_has_empty_records_and_null_aborted)
{
    struct fetch_response response;
    struct fetch_response_topic topic;
    struct fetch_response_partition partition;
    fetch_response_init(&response);
    fetch_response_topic_init(&topic);
    fetch_response_partition_init(&partition);
    partition.high_watermark = partition.last_stable_offset = 5;
    partition.log_start_offset = 0;
    partition.aborted_transactions_count = -1;
    partition.records = RECORDS_EMPTY;
    topic.topic = SLICE_LIT("t");
    topic.partitions = &partition;
    topic.partitions_count = 1;
    response.responses = &topic;
    response.responses_count = 1;
    struct writer writer = WRITER_NULL;
    fetch_response_encode(&writer, 11, &response);
    assert_written(&writer, SLICE_LIT("\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\1t\0\0\0\1\0\0\0\0\0\0"
                                      "\0\0\0\0\0\0\0\5\0\0\0\0\0\0\0\5\0\0\0\0\0\0\0\0"
                                      "\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0"));
}
END_TEST

START_TEST(golden_fetch_16_by_topic_id)
{
    struct fetch_request request;
    struct reader reader =
        READER("\0\0\1\xf4\0\0\0\1\3\x20\0\0\1\0\0\0\0\xff\xff\xff\xff"
               "\2\1\2\3\4\5\6\7\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10"
               "\2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\7\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
               "\0\x10\0\0\0\0\1\1\0");
    ck_assert(fetch_request_decode(&reader, 16, &arena, &request));
    ck_assert_int_eq(request.replica_state.replica_id, -1);
    ck_assert_int_eq(request.topics[0].topic_id.bytes[0], 1);
    ck_assert_int_eq(request.topics[0].partitions[0].fetch_offset, 7);
    ck_assert_int_eq(request.forgotten_topics_data_count, 0);
}
END_TEST

START_TEST(golden_kafkajs_join_group_5)
{
    struct join_group_request request;
    struct reader reader = READER("\0\1g\0\0\x75\x30\0\0\xea\x60\0\0\xff\xff\0\x08"
                                  "consumer\0\0\0\1\0\x12RoundRobinAssigner\0\0\0\3abc");
    ck_assert(join_group_request_decode(&reader, 5, &arena, &request));
    ck_assert_int_eq(request.session_timeout_ms, 30000);
    ck_assert_int_eq(request.rebalance_timeout_ms, 60000);
    ck_assert_uint_eq(request.member_id.size, 0);
    ck_assert(slice_is_null(request.group_instance_id));
    ck_assert(slice_equal_str(request.protocols[0].name, "RoundRobinAssigner"));
    ck_assert(slice_equal_str(request.protocols[0].metadata, "abc"));
}
END_TEST

START_TEST(golden_offset_fetch_2_null_asks_for_all_topics)
{
    struct offset_fetch_request request;
    struct reader reader = READER("\0\1g\xff\xff\xff\xff");
    ck_assert(offset_fetch_request_decode(&reader, 2, &arena, &request));
    ck_assert_int_eq(request.topics_count, -1);
    reader = READER("\0\1g\xff\xff\xff\xff");
    ck_assert(!offset_fetch_request_decode(&reader, 1, &arena, &request));
}
END_TEST

START_TEST(golden_list_offsets_0_answers_an_array)
{
    struct list_offsets_response response;
    struct list_offsets_response_topic topic;
    struct list_offsets_response_partition partition;
    int64_t offsets[] = {9};
    list_offsets_response_init(&response);
    list_offsets_response_topic_init(&topic);
    list_offsets_response_partition_init(&partition);
    partition.old_style_offsets = offsets;
    partition.old_style_offsets_count = 1;
    topic.name = SLICE_LIT("t");
    topic.partitions = &partition;
    topic.partitions_count = 1;
    response.topics = &topic;
    response.topics_count = 1;
    struct writer writer = WRITER_NULL;
    list_offsets_response_encode(&writer, 0, &response);
    assert_written(
        &writer, SLICE_LIT("\0\0\0\1\0\1t\0\0\0\1\0\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\x09"));
}
END_TEST

START_TEST(golden_find_coordinator_1)
{
    struct find_coordinator_request request;
    struct reader reader = READER("\0\1g\0");
    ck_assert(find_coordinator_request_decode(&reader, 1, &arena, &request));
    ck_assert(slice_equal_str(request.key, "g"));
    ck_assert_int_eq(request.key_type, 0);
}
END_TEST

START_TEST(golden_consumer_offsets_records)
{
    struct offset_commit_key key = {SLICE_LIT("g"), SLICE_LIT("t"), 3};
    struct offset_commit_value value;
    struct writer writer = WRITER_NULL;
    writer_int16(&writer, 1);
    offset_commit_key_encode(&writer, 1, &key);
    assert_written(&writer, SLICE_LIT("\0\1\0\1g\0\1t\0\0\0\3"));
    offset_commit_value_init(&value);
    value.offset = 42;
    value.leader_epoch = 0;
    value.commit_timestamp = 1;
    writer_int16(&writer, 3);
    offset_commit_value_encode(&writer, 3, &value);
    assert_written(&writer, SLICE_LIT("\0\3\0\0\0\0\0\0\0\x2a\0\0\0\0\0\0\0\0\0\0\0\0\0\1"));

    struct group_metadata_value group;
    struct reader reader = READER("\0\x08"
                                  "consumer\0\0\0\2\xff\xff\xff\xff\0\0\0\0\0\0\0\5\0\0\0\0");
    ck_assert(group_metadata_value_decode(&reader, 3, &arena, &group));
    ck_assert_int_eq(group.generation, 2);
    ck_assert(slice_is_null(group.leader));
    ck_assert_int_eq(group.current_state_timestamp, 5);
}
END_TEST

START_TEST(golden_transaction_marker)
{
    struct control_record_key key = {.type = 1};
    struct end_txn_marker marker = {.coordinator_epoch = 7};
    struct writer writer = WRITER_NULL;
    writer_int16(&writer, 0);
    control_record_key_encode(&writer, 0, &key);
    writer_int16(&writer, 0);
    end_txn_marker_encode(&writer, 0, &marker);
    assert_written(&writer, SLICE_LIT("\0\0\0\1\0\0\0\0\0\7"));
}
END_TEST

START_TEST(golden_errors)
{
    ck_assert_int_eq(KAFKA_ERROR_UNKNOWN_SERVER_ERROR, -1);
    ck_assert_int_eq(KAFKA_ERROR_MEMBER_ID_REQUIRED, 79);
    ck_assert_str_eq(kafka_error_name(3), "UNKNOWN_TOPIC_OR_PARTITION");
    ck_assert_str_eq(kafka_error_name(0), "NONE");
    ck_assert_str_eq(kafka_error_name(12345), "UNKNOWN_ERROR_CODE");
    ck_assert(kafka_error_is_retriable(KAFKA_ERROR_NOT_COORDINATOR));
    ck_assert(!kafka_error_is_retriable(KAFKA_ERROR_INVALID_REQUEST));
}
END_TEST

TEST_MAIN("wire/golden", golden_librdkafka_api_versions_3,
    golden_api_versions_answers_the_unsupported_in_version_0, golden_api_versions_3_with_features,
    golden_kafkajs_metadata_6, golden_metadata_versions_before_4_imply_auto_creation,
    golden_metadata_12_answer, golden_kafkajs_produce_7, golden_produce_7_answer,
    golden_kafkajs_fetch_11, golden_fetch_11_answer_has_empty_records_and_null_aborted,
    golden_fetch_16_by_topic_id, golden_kafkajs_join_group_5,
    golden_offset_fetch_2_null_asks_for_all_topics, golden_list_offsets_0_answers_an_array,
    golden_find_coordinator_1, golden_consumer_offsets_records, golden_transaction_marker,
    golden_errors)
