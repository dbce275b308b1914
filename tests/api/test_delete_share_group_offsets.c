// SPDX-License-Identifier: BSD-2-Clause
#include "support/share_calls.h"
#include "wire/delete_topics.gen.h"

#include <time.h>

START_TEST(a_group_forgets_a_topic)
{
    struct harness *harness = calls_new(2);
    calls_topic(harness, "t", 2);
    calls_topic(harness, "u", 2);
    struct share_call first = {"a"};
    share_join(harness, "g", &first, "t");
    ck_assert_int_eq(share_forget(harness, "g", "t"), KAFKA_ERROR_NON_EMPTY_GROUP);
    share_leave(harness, "g", &first);
    ck_assert_int_eq(share_forget(harness, "g", "u"), KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION);
    ck_assert_int_eq(share_forget(harness, "g", "none"), KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION);
    ck_assert_int_eq(share_forget(harness, "h", "t"), KAFKA_ERROR_GROUP_ID_NOT_FOUND);
    ck_assert_int_eq(share_alter(harness, "g", "t", 0, 0), KAFKA_ERROR_NONE);
    ck_assert_int_eq(share_forget(harness, "g", "t"), KAFKA_ERROR_NONE);
    ck_assert_int_eq(share_offsets(harness, "g")->topics_count, 0);
    harness_restart(harness, NULL);
    ck_assert_int_eq(share_offsets(harness, "g")->topics_count, 0);
    share_join(harness, "g", &first, "t"); /* from the start again */
    ck_assert_int_eq(first.assigned, 2);
    ck_assert_int_eq(share_offsets(harness, "g")->topics->partitions[0].start_offset, -1);
    harness_restart(harness, "odradek.share.version=0", NULL);
    ck_assert_int_eq(share_forget(harness, "g", "t"), KAFKA_ERROR_UNSUPPORTED_VERSION);
    harness_free(harness);
}
END_TEST

static void delete_topic(struct harness *harness, const char *name)
{
    struct delete_topics_request *request = harness_request(harness, &delete_topics_api_codec);
    request->topic_names = arena_new(harness_arena(harness), struct slice);
    request->topic_names[0] = slice_from_str(name);
    request->topic_names_count = 1;
    request->timeout_ms = CALLS_WAIT_MS;
    const struct delete_topics_response *response =
        harness_call(harness, &delete_topics_api_codec, 5, request);
    ck_assert_int_eq(response->responses[0].error_code, KAFKA_ERROR_NONE);
}

START_TEST(a_deleted_topic_is_forgotten)
{
    struct harness *harness = calls_new(2);
    calls_topic(harness, "t", 2);
    struct share_call first = {"a"};
    share_join(harness, "g", &first, "t");
    ck_assert_int_eq(first.assigned, 2);
    delete_topic(harness, "t");
    share_beat(harness, "g", &first);
    ck_assert_int_eq(first.assigned, 0);
    ck_assert_int_eq(share_offsets(harness, "g")->topics_count, 0);
    calls_topic(harness, "t", 3);
    for (int i = 0; i < 100 && first.assigned < 3; i++) {
        share_beat(harness, "g", &first);
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    ck_assert_int_eq(first.assigned, 3);
    harness_free(harness);
}
END_TEST

TEST_MAIN("api/delete_share_group_offsets", a_group_forgets_a_topic, a_deleted_topic_is_forgotten)
