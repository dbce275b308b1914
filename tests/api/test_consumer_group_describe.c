// SPDX-License-Identifier: BSD-2-Clause
#include "support/consumer_calls.h"
#include "wire/consumer_group_describe.gen.h"
#include "wire/delete_groups.gen.h"
#include "wire/describe_groups.gen.h"
#include "wire/list_groups.gen.h"

static const struct consumer_group_describe_response_group *describe(
    struct harness *harness, const char *group)
{
    struct consumer_group_describe_request *request =
        harness_request(harness, &consumer_group_describe_api_codec);
    request->group_ids = arena_new(harness_arena(harness), struct slice);
    request->group_ids[0] = slice_from_str(group);
    request->group_ids_count = 1;
    request->include_authorized_operations = true;
    const struct consumer_group_describe_response *response =
        calls_do(harness, &consumer_group_describe_api_codec, 1, request);
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

static struct slice listed_type(struct harness *harness, const char *filter)
{
    struct list_groups_request *request = harness_request(harness, &list_groups_api_codec);
    request->types_filter = arena_new(harness_arena(harness), struct slice);
    request->types_filter[0] = slice_from_str(filter);
    request->types_filter_count = filter != NULL;
    const struct list_groups_response *response =
        calls_do(harness, &list_groups_api_codec, 5, request);
    return response->groups_count == 0 ? SLICE_LIT("none") : response->groups[0].group_type;
}

START_TEST(a_group_is_told_whole)
{
    struct harness *harness = calls_new(2);
    calls_topic(harness, "t", 3);
    ck_assert_int_eq(describe(harness, "g")->error_code, KAFKA_ERROR_GROUP_ID_NOT_FOUND);
    struct consumer_call first = {"a", .instance = "i", .assignor = "range"}, second = {"b"};
    consumer_join(harness, "g", &first, "t");
    consumer_join(harness, "g", &second, "t");
    const struct consumer_group_describe_response_group *group = describe(harness, "g");
    ck_assert_int_eq(group->error_code, KAFKA_ERROR_NONE);
    ck_assert(slice_equal_str(group->group_state, "Reconciling"));
    ck_assert_int_eq(group->group_epoch, 2);
    ck_assert_int_eq(group->assignment_epoch, 2);
    ck_assert(slice_equal_str(group->assignor_name, "range"));
    ck_assert_int_eq(group->members_count, 2);
    const struct consumer_group_describe_response_member *member = &group->members[0];
    ck_assert(slice_equal_str(member->member_id, "a"));
    ck_assert(slice_equal_str(member->instance_id, "i"));
    ck_assert(slice_equal_str(member->client_id, "harness"));
    ck_assert_int_eq(member->member_epoch, 1);
    ck_assert_int_eq(member->member_type, 1);
    ck_assert_int_eq(member->assignment.topic_partitions[0].partitions_count, 3);
    ck_assert(slice_equal_str(member->assignment.topic_partitions[0].topic_name, "t"));
    ck_assert_int_eq(member->target_assignment.topic_partitions[0].partitions_count, 2);
    ck_assert(slice_equal_str(listed_type(harness, NULL), "consumer"));
    ck_assert(slice_equal_str(listed_type(harness, "Consumer"), "consumer"));
    ck_assert(slice_equal_str(listed_type(harness, "classic"), "none"));
    ck_assert_int_eq(delete_group(harness, "g"), KAFKA_ERROR_NON_EMPTY_GROUP);
    first.epoch = second.epoch = -1;
    consumer_beat(harness, "g", &first, -1);
    consumer_beat(harness, "g", &second, -1);
    ck_assert(slice_equal_str(describe(harness, "g")->group_state, "Empty"));
    ck_assert_int_eq(delete_group(harness, "g"), KAFKA_ERROR_NONE);
    harness_restart(harness, NULL);
    ck_assert_int_eq(describe(harness, "g")->error_code, KAFKA_ERROR_GROUP_ID_NOT_FOUND);
    harness_free(harness);
}
END_TEST

START_TEST(groups_change_their_kind)
{
    struct harness *harness = calls_new(2);
    calls_topic(harness, "t", 4);
    struct consumer_call first = {"a"};
    consumer_join(harness, "g", &first, "t");
    struct calls_member member = calls_member(harness, "g", 2);
    calls_join(&member);
    ck_assert_int_eq(member.error, KAFKA_ERROR_NONE);
    ck_assert_str_eq(member.leader, "");
    const struct consumer_group_describe_response_group *group = describe(harness, "g");
    ck_assert_int_eq(group->members_count, 2);
    ck_assert_int_eq(group->members[0].member_type, 1);
    ck_assert_int_eq(group->members[1].member_type, 0);
    first.epoch = -1;
    consumer_beat(harness, "g", &first, -1); /* nobody speaks the newer protocol any more */
    ck_assert_int_eq(describe(harness, "g")->error_code, KAFKA_ERROR_GROUP_ID_NOT_FOUND);
    ck_assert(slice_equal_str(listed_type(harness, NULL), "classic"));
    ck_assert_int_eq(calls_heartbeat(&member), KAFKA_ERROR_REBALANCE_IN_PROGRESS);
    harness_restart(harness, NULL);
    ck_assert(slice_equal_str(listed_type(harness, NULL), "classic"));
    consumer_join(harness, "g", &first, "t"); /* and it goes up again, with who is in it */
    ck_assert_int_eq(first.error, KAFKA_ERROR_NONE);
    ck_assert_int_eq(describe(harness, "g")->members_count, 2);
    harness_free(harness);
}
END_TEST

START_TEST(a_refused_joiner_changes_nothing)
{
    struct harness *harness = calls_new(1);
    calls_topic(harness, "t", 4);
    struct calls_member member = calls_member(harness, "g", 2);
    calls_stabilize(&member);
    struct consumer_call call = {"a", .pattern = "("};
    consumer_join(harness, "g", &call, NULL);
    ck_assert_int_eq(call.error, KAFKA_ERROR_INVALID_REGULAR_EXPRESSION);
    call = (struct consumer_call){"a", .assignor = "nobody"};
    consumer_join(harness, "g", &call, "t");
    ck_assert_int_eq(call.error, KAFKA_ERROR_UNSUPPORTED_ASSIGNOR);
    ck_assert_int_eq(calls_heartbeat(&member), KAFKA_ERROR_NONE);
    ck_assert(slice_equal_str(listed_type(harness, NULL), "classic"));
    harness_free(harness);
}
END_TEST

TEST_MAIN("api/consumer_group_describe", a_refused_joiner_changes_nothing, a_group_is_told_whole,
    groups_change_their_kind)
