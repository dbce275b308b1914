// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/* admin: short ways to say what tests of the topic APIs ask for often. */
#include "support/broker_harness.h"
#include "wire/create_topics.gen.h"
#include "wire/errors.gen.h"
#include "wire/metadata.gen.h"

#include <check.h>

#define ck_assert_slice(slice, expected)                                          \
    ck_assert_msg(slice_equal_str((slice), (expected)), "\"%.*s\" is not \"%s\"", \
        SLICE_FMT(slice), (expected))
#define ck_assert_text(slice, expected)                                                     \
    ck_assert_msg(memmem((slice).data, (slice).size, (expected), strlen(expected)) != NULL, \
        "\"%.*s\" does not say \"%s\"", SLICE_FMT(slice), (expected))

static inline struct create_topics_request *admin_create_request(
    struct harness *harness, const char *name, int32_t partitions)
{
    struct create_topics_request *request = harness_request(harness, &create_topics_api_codec);
    request->topics = arena_new(harness_arena(harness), struct create_topics_request_topic);
    request->topics_count = 1;
    create_topics_request_topic_init(request->topics);
    request->topics->name = slice_from_str(name);
    request->topics->num_partitions = partitions;
    request->topics->replication_factor = 1;
    return request;
}

static inline const struct create_topics_response_topic *admin_create_call(
    struct harness *harness, const struct create_topics_request *request)
{
    const struct create_topics_response *response =
        harness_call(harness, &create_topics_api_codec, 7, request);
    ck_assert_int_eq(response->topics_count, request->topics_count);
    return response->topics;
}

static inline struct uuid admin_create(
    struct harness *harness, const char *name, int32_t partitions)
{
    const struct create_topics_response_topic *topic =
        admin_create_call(harness, admin_create_request(harness, name, partitions));
    ck_assert_msg(
        topic->error_code == KAFKA_ERROR_NONE, "%s: %.*s", name, SLICE_FMT(topic->error_message));
    return topic->topic_id;
}

/* One topic's metadata without creating it. */
static inline const struct metadata_response_topic *admin_topic(
    struct harness *harness, const char *name)
{
    struct metadata_request *request = harness_request(harness, &metadata_api_codec);
    request->topics = arena_new(harness_arena(harness), struct metadata_request_topic);
    request->topics_count = 1;
    request->topics->name = slice_from_str(name);
    request->allow_auto_topic_creation = false;
    const struct metadata_response *response =
        harness_call(harness, &metadata_api_codec, 12, request);
    ck_assert_int_eq(response->topics_count, 1);
    return response->topics;
}
