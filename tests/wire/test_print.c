// SPDX-License-Identifier: BSD-2-Clause
#include "wire/print.h"
#include "wire/heartbeat.gen.h"
#include "wire/metadata.gen.h"
#include "wire/sasl_authenticate.gen.h"
#include "runner.h"

static void assert_text(struct buffer *buffer, const char *expected)
{
    buffer_append(buffer, "", 1);
    ck_assert_str_eq((const char *)buffer->data, expected);
    buffer_deinit(buffer);
}

START_TEST(print_shows_what_the_version_has)
{
    struct heartbeat_request request;
    struct buffer text = BUFFER_NULL;
    heartbeat_request_init(&request);
    request.group_id = SLICE_LIT("risk");
    request.generation_id = 4;
    heartbeat_request_print(&text, 0, &request);
    assert_text(&text, "GroupId=\"risk\" GenerationId=4 MemberId=\"\"");
    heartbeat_request_print(&text, 3, &request);
    assert_text(&text, "GroupId=\"risk\" GenerationId=4 MemberId=\"\" GroupInstanceId=null");
}
END_TEST

START_TEST(print_nests_structs_and_arrays)
{
    struct metadata_response_partition partition;
    struct metadata_response_topic topic;
    struct metadata_response response;
    int32_t nodes[] = {1, 2};
    struct buffer text = BUFFER_NULL;
    metadata_response_init(&response);
    metadata_response_topic_init(&topic);
    metadata_response_partition_init(&partition);
    partition.replica_nodes = nodes;
    partition.replica_nodes_count = 2;
    partition.isr_nodes_count = -1;
    topic.name = SLICE_LIT("t");
    topic.partitions = &partition;
    topic.partitions_count = 1;
    response.topics = &topic;
    response.topics_count = 1;
    metadata_response_print(&text, 0, &response);
    assert_text(&text, "Brokers=[] Topics=[{ErrorCode=0 Name=\"t\" Partitions=[{ErrorCode=0 "
                       "PartitionIndex=0 LeaderId=0 ReplicaNodes=[1 2] IsrNodes=null}]}]");
}
END_TEST

START_TEST(print_keeps_secrets)
{
    struct sasl_authenticate_request request = {.auth_bytes = SLICE_LIT("\0user\0password")};
    struct buffer text = BUFFER_NULL;
    sasl_authenticate_request_print(&text, 1, &request);
    assert_text(&text, "AuthBytes=<secret>");
}
END_TEST

START_TEST(print_escapes_and_cuts)
{
    static uint8_t many[PRINT_STRING_MAX + 1];
    static int32_t values[PRINT_ELEMENTS_MAX + 3];
    struct buffer text = BUFFER_NULL;
    print_string(&text, "S", SLICE_LIT("a\"\\\n\xff"));
    assert_text(&text, "S=\"a\\\"\\\\\\x0a\\xff\"");
    memset(many, 'x', sizeof(many));
    print_string(&text, "S", slice_make(many, sizeof(many)));
    ck_assert_uint_eq(text.size, 3 + PRINT_STRING_MAX + 4);
    buffer_deinit(&text);
    print_int32_array(&text, "A", values, PRINT_ELEMENTS_MAX + 3);
    const char *tail = " 0 ... 3 more]";
    ck_assert_mem_eq(text.data + text.size - strlen(tail), tail, strlen(tail));
    buffer_deinit(&text);
}
END_TEST

START_TEST(print_measures_bytes)
{
    struct buffer text = BUFFER_NULL;
    print_bytes(&text, "B", SLICE_LIT("abc"));
    print_records(&text, "R", &RECORDS_NULL);
    print_bool(&text, "T", true);
    print_float64(&text, "F", 0.5);
    print_uuid(&text, "U", UUID_ZERO);
    assert_text(&text, "B=<3 bytes> R=null T=true F=0.5 U=AAAAAAAAAAAAAAAAAAAAAA");
}
END_TEST

TEST_MAIN("wire/print", print_shows_what_the_version_has, print_nests_structs_and_arrays,
    print_keeps_secrets, print_escapes_and_cuts, print_measures_bytes)
