// SPDX-License-Identifier: BSD-2-Clause
#include "runner.h"
#include "support/group_calls.h"
#include "wire/describe_groups.gen.h"

static const struct describe_groups_response *describe(
    struct harness *harness, int16_t version, struct slice *groups, int32_t count)
{
    struct describe_groups_request *request = harness_request(harness, &describe_groups_api_codec);
    request->groups = groups;
    request->groups_count = count;
    request->include_authorized_operations = version >= 3;
    return calls_do(harness, &describe_groups_api_codec, version, request);
}

START_TEST(unknown_groups_are_dead)
{
    struct harness *harness = calls_new(2);
    struct slice group = SLICE_LIT("g");
    for (int16_t version = 0; version <= 6; version++) {
        const struct describe_groups_response *response = describe(harness, version, &group, 1);
        ck_assert_int_eq(response->groups_count, 1);
        ck_assert(slice_equal_str(response->groups[0].group_id, "g"));
        ck_assert(slice_equal_str(response->groups[0].group_state, "Dead"));
        ck_assert_int_eq(response->groups[0].error_code,
            version >= 6 ? KAFKA_ERROR_GROUP_ID_NOT_FOUND : KAFKA_ERROR_NONE);
    }
    harness_free(harness);
}
END_TEST

START_TEST(groups_on_all_loops)
{
    enum { GROUPS = 9 };
    static char names[GROUPS][8];
    struct slice groups[GROUPS];
    struct harness *harness = calls_new(3);
    struct calls_member members[GROUPS];
    for (int g = 0; g < GROUPS; g++) {
        snprintf(names[g], sizeof(names[g]), "g%d", g);
        groups[g] = slice_from_str(names[g]);
        members[g] = calls_member(harness, names[g], 1);
        calls_stabilize(&members[g]);
    }
    for (int16_t version = 0; version <= 6; version++) {
        const struct describe_groups_response *response =
            describe(harness, version, groups, GROUPS);
        ck_assert_int_eq(response->groups_count, GROUPS);
        for (int g = 0; g < GROUPS; g++) {
            const struct describe_groups_response_group *group = &response->groups[g];
            ck_assert_int_eq(group->error_code, KAFKA_ERROR_NONE);
            ck_assert(slice_equal(group->group_id, groups[g]));
            ck_assert(slice_equal_str(group->group_state, "Stable"));
            ck_assert(slice_equal_str(group->protocol_type, "consumer"));
            ck_assert(slice_equal_str(group->protocol_data, "range"));
            ck_assert_int_eq(group->members_count, 1);
            ck_assert(slice_equal_str(group->members[0].member_id, members[g].id));
            ck_assert(slice_equal_str(group->members[0].client_id, "harness"));
            ck_assert(slice_equal_str(group->members[0].client_host, "/127.0.0.1"));
            ck_assert(slice_equal_str(group->members[0].member_assignment, members[g].assignment));
            ck_assert_uint_gt(group->members[0].member_metadata.size, 0);
            if (version >= 3)
                ck_assert_int_eq(group->authorized_operations, 3400);
        }
    }
    harness_free(harness);
}
END_TEST

START_TEST(states_on_the_way)
{
    struct harness *harness = calls_new(2);
    struct slice group = SLICE_LIT("g");
    struct calls_member member = calls_member(harness, "g", 1);
    calls_join(&member);
    const struct describe_groups_response *response = describe(harness, 5, &group, 1);
    ck_assert(slice_equal_str(response->groups[0].group_state, "CompletingRebalance"));
    ck_assert_uint_eq(response->groups[0].protocol_data.size, 0);
    ck_assert_int_eq(response->groups[0].members_count, 1);
    ck_assert_uint_eq(response->groups[0].members[0].member_metadata.size, 0);
    calls_leave(&member);
    response = describe(harness, 5, &group, 1);
    ck_assert(slice_equal_str(response->groups[0].group_state, "Empty"));
    ck_assert_int_eq(response->groups[0].members_count, 0);
    harness_free(harness);
}
END_TEST

TEST_MAIN("api/describe_groups", unknown_groups_are_dead, groups_on_all_loops, states_on_the_way)
