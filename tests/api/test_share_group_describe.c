// SPDX-License-Identifier: BSD-2-Clause
#include "support/consumer_calls.h"
#include "support/share_calls.h"
#include "wire/consumer_group_describe.gen.h"
#include "wire/delete_groups.gen.h"
#include "wire/list_groups.gen.h"
#include "wire/share_group_describe.gen.h"

static const struct share_group_describe_response_group *describe(
    struct harness *harness, const char *group)
{
    struct share_group_describe_request *request =
        harness_request(harness, &share_group_describe_api_codec);
    request->group_ids = arena_new(harness_arena(harness), struct slice);
    request->group_ids[0] = slice_from_str(group);
    request->group_ids_count = 1;
    request->include_authorized_operations = true;
    const struct share_group_describe_response *response =
        calls_do(harness, &share_group_describe_api_codec, 1, request);
    ck_assert_int_eq(response->groups_count, 1);
    return &response->groups[0];
}

static int16_t delete_group(struct harness *harness, const char *group)
{
    struct delete_groups_request *request = harness_request(harness, &delete_groups_api_codec);
    request->groups_names = arena_new(harness_arena(harness), struct slice);
    request->groups_names[0] = slice_from_str(group);
    request->groups_names_count = 1;
    const struct delete_groups_response *response =
        calls_do(harness, &delete_groups_api_codec, 2, request);
    return response->results[0].error_code;
}

static const struct list_groups_response_group *listed(
    struct harness *harness, const char *type, const char *state)
{
    struct list_groups_request *request = harness_request(harness, &list_groups_api_codec);
    request->types_filter = arena_new(harness_arena(harness), struct slice);
    request->types_filter[0] = slice_from_str(type);
    request->types_filter_count = type != NULL;
    request->states_filter = arena_new(harness_arena(harness), struct slice);
    request->states_filter[0] = slice_from_str(state);
    request->states_filter_count = state != NULL;
    const struct list_groups_response *response =
        calls_do(harness, &list_groups_api_codec, 5, request);
    return response->groups_count == 0 ? NULL : &response->groups[0];
}

START_TEST(a_group_is_told_whole)
{
    struct harness *harness = calls_new(2);
    calls_topic(harness, "t", 3);
    ck_assert_int_eq(describe(harness, "g")->error_code, KAFKA_ERROR_GROUP_ID_NOT_FOUND);
    struct share_call first = {"a"}, second = {"b"};
    share_join(harness, "g", &first, "t");
    share_join(harness, "g", &second, "t");
    share_beat(harness, "g", &first);
    const struct share_group_describe_response_group *group = describe(harness, "g");
    ck_assert_int_eq(group->error_code, KAFKA_ERROR_NONE);
    ck_assert(slice_equal_str(group->group_state, "Stable"));
    ck_assert_int_eq(group->group_epoch, first.epoch);
    ck_assert_int_eq(group->assignment_epoch, first.epoch);
    ck_assert(slice_equal_str(group->assignor_name, "simple"));
    ck_assert_int_ne(group->authorized_operations, INT32_MIN);
    ck_assert_int_eq(group->members_count, 2);
    int32_t assigned = 0;
    for (int32_t i = 0; i < 2; i++) {
        const struct share_group_describe_response_member *member = &group->members[i];
        ck_assert_int_eq(member->subscribed_topic_names_count, 1);
        ck_assert(slice_equal_str(member->subscribed_topic_names[0], "t"));
        ck_assert_int_eq(member->assignment.topic_partitions_count, 1);
        ck_assert(slice_equal_str(member->assignment.topic_partitions->topic_name, "t"));
        assigned += member->assignment.topic_partitions->partitions_count;
    }
    ck_assert_int_eq(assigned, 3);
    harness_free(harness);
}
END_TEST

START_TEST(a_group_is_listed_and_deleted)
{
    struct harness *harness = calls_new(2);
    calls_topic(harness, "t", 3);
    struct share_call first = {"a"};
    share_join(harness, "g", &first, "t");
    ck_assert_ptr_null(listed(harness, "consumer", NULL));
    ck_assert_ptr_null(listed(harness, "share", "Empty"));
    const struct list_groups_response_group *group = listed(harness, "SHARE", "stable");
    ck_assert(slice_equal_str(group->group_id, "g"));
    ck_assert(slice_equal_str(group->group_type, "share"));
    ck_assert(slice_equal_str(group->protocol_type, "share"));
    ck_assert(slice_equal_str(group->group_state, "Stable"));
    ck_assert_int_eq(delete_group(harness, "g"), KAFKA_ERROR_NON_EMPTY_GROUP);
    share_leave(harness, "g", &first);
    ck_assert(slice_equal_str(describe(harness, "g")->group_state, "Empty"));
    ck_assert_ptr_nonnull(listed(harness, "share", "Empty"));
    harness_restart(harness, NULL);
    ck_assert(slice_equal_str(describe(harness, "g")->group_state, "Empty"));
    ck_assert_int_eq(share_offsets(harness, "g")->topics_count, 1);
    ck_assert_int_eq(delete_group(harness, "g"), KAFKA_ERROR_NONE);
    ck_assert_int_eq(delete_group(harness, "g"), KAFKA_ERROR_GROUP_ID_NOT_FOUND);
    ck_assert_int_eq(describe(harness, "g")->error_code, KAFKA_ERROR_GROUP_ID_NOT_FOUND);
    harness_restart(harness, NULL);
    ck_assert_ptr_null(listed(harness, NULL, NULL));
    share_join(harness, "g", &first, "t"); /* and it may begin again */
    ck_assert_int_eq(first.error, KAFKA_ERROR_NONE);
    ck_assert_int_eq(first.assigned, 3);
    harness_free(harness);
}
END_TEST

START_TEST(other_kinds_are_not_found)
{
    struct harness *harness = calls_new(1);
    calls_topic(harness, "t", 1);
    struct share_call share = {"a"};
    struct consumer_call consumer = {"a"};
    share_join(harness, "shared", &share, "t");
    consumer_join(harness, "consumed", &consumer, "t");
    ck_assert_int_eq(describe(harness, "consumed")->error_code, KAFKA_ERROR_GROUP_ID_NOT_FOUND);
    struct consumer_group_describe_request *request =
        harness_request(harness, &consumer_group_describe_api_codec);
    request->group_ids = arena_new(harness_arena(harness), struct slice);
    request->group_ids[0] = SLICE_LIT("shared");
    request->group_ids_count = 1;
    const struct consumer_group_describe_response *response =
        calls_do(harness, &consumer_group_describe_api_codec, 1, request);
    ck_assert_int_eq(response->groups->error_code, KAFKA_ERROR_GROUP_ID_NOT_FOUND);
    harness_restart(harness, "odradek.share.version=0", NULL);
    ck_assert_int_eq(describe(harness, "shared")->error_code, KAFKA_ERROR_UNSUPPORTED_VERSION);
    harness_free(harness);
}
END_TEST

TEST_MAIN("api/share_group_describe", a_group_is_told_whole, a_group_is_listed_and_deleted,
    other_kinds_are_not_found)
