// SPDX-License-Identifier: BSD-2-Clause
#include "admin.h"
#include "runner.h"
#include "wire/describe_topic_partitions.gen.h"

static struct harness *harness;

static void setup(void)
{
    harness = harness_new(2, NULL);
    admin_create(harness, "a", 3);
    admin_create(harness, "b", 2);
    admin_create(harness, "c", 1);
}

static void teardown(void)
{
    harness_free(harness);
}

static const struct describe_topic_partitions_response *ask(size_t count, const char *const *names,
    int32_t limit, const struct describe_topic_partitions_response_cursor *from)
{
    struct describe_topic_partitions_request *request =
        harness_request(harness, &describe_topic_partitions_api_codec);
    struct arena *arena = harness_arena(harness);
    request->topics = arena_new_n(arena, struct describe_topic_partitions_request_topic, count + 1);
    request->topics_count = (int32_t)count;
    for (size_t i = 0; i < count; i++)
        request->topics[i].name = slice_from_str(names[i]);
    request->response_partition_limit = limit;
    if (from != NULL) {
        request->cursor = arena_new(arena, struct describe_topic_partitions_request_cursor);
        request->cursor->topic_name = from->topic_name;
        request->cursor->partition_index = from->partition_index;
    }
    return harness_call(harness, &describe_topic_partitions_api_codec, 0, request);
}

START_TEST(describe_partitions_of_all_topics)
{
    const struct describe_topic_partitions_response *response = ask(0, NULL, 2000, NULL);
    ck_assert_int_eq(response->topics_count, 3);
    ck_assert_ptr_null(response->next_cursor);
    ck_assert_slice(response->topics[0].name, "a");
    ck_assert_int_eq(response->topics[0].partitions_count, 3);
    ck_assert_int_eq(response->topics[0].partitions[2].partition_index, 2);
    ck_assert_int_eq(response->topics[0].partitions[2].leader_id, 1);
    ck_assert(!uuid_is_zero(response->topics[0].topic_id));
}
END_TEST

START_TEST(describe_partitions_by_name)
{
    const char *const names[] = {"c", "nothing", "a", "c", "x/y"};
    const struct describe_topic_partitions_response *response = ask(5, names, 2000, NULL);
    ck_assert_int_eq(response->topics_count, 4);
    ck_assert_slice(response->topics[0].name, "a");
    ck_assert_slice(response->topics[1].name, "c");
    ck_assert_int_eq(response->topics[2].error_code, KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION);
    ck_assert_int_eq(response->topics[3].error_code, KAFKA_ERROR_INVALID_TOPIC_EXCEPTION);
}
END_TEST

START_TEST(describe_partitions_in_pages)
{
    for (int32_t limit = 1; limit <= 7; limit++) {
        const struct describe_topic_partitions_response_cursor *cursor = NULL;
        int32_t seen = 0, pages = 0;
        do {
            const struct describe_topic_partitions_response *response = ask(0, NULL, limit, cursor);
            int32_t here = 0;
            for (int32_t i = 0; i < response->topics_count; i++)
                here += response->topics[i].partitions_count;
            ck_assert_int_le(here, limit);
            seen += here;
            cursor = response->next_cursor;
            ck_assert_int_le(++pages, 7);
        } while (cursor != NULL);
        ck_assert_int_eq(seen, 6);
    }
}
END_TEST

START_TEST(describe_partitions_cursor_that_makes_no_sense)
{
    struct describe_topic_partitions_response_cursor cursor = {SLICE_LIT("a"), -1};
    const struct describe_topic_partitions_response *response = ask(0, NULL, 10, &cursor);
    ck_assert_int_eq(response->topics[0].error_code, KAFKA_ERROR_INVALID_REQUEST);
    cursor.partition_index = 99; /* beyond the topic's end: on with the next */
    response = ask(0, NULL, 10, &cursor);
    ck_assert_int_eq(response->topics[0].partitions_count, 0);
    ck_assert_int_eq(response->topics[1].partitions_count, 2);
}
END_TEST

TEST_MAIN_FIXTURE("api/describe_topic_partitions", setup, teardown,
    describe_partitions_of_all_topics, describe_partitions_by_name, describe_partitions_in_pages,
    describe_partitions_cursor_that_makes_no_sense)
