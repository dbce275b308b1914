// SPDX-License-Identifier: BSD-2-Clause
#include "runner.h"
#include "support/group_calls.h"
#include "wire/list_groups.gen.h"

static const struct list_groups_response *list(
    struct harness *harness, int16_t version, const char *state, const char *type)
{
    struct arena *arena = harness_arena(harness);
    struct list_groups_request *request = harness_request(harness, &list_groups_api_codec);
    if (state != NULL) {
        request->states_filter = arena_new(arena, struct slice);
        request->states_filter[0] = slice_from_str(state);
        request->states_filter_count = 1;
    }
    if (type != NULL) {
        request->types_filter = arena_new(arena, struct slice);
        request->types_filter[0] = slice_from_str(type);
        request->types_filter_count = 1;
    }
    const struct list_groups_response *response =
        calls_do(harness, &list_groups_api_codec, version, request);
    ck_assert_int_eq(response->error_code, KAFKA_ERROR_NONE);
    return response;
}

START_TEST(all_and_by_state_and_type)
{
    enum { GROUPS = 70 };
    static char names[GROUPS][8];
    struct harness *harness = calls_new(3);
    calls_topic(harness, "orders", 3);
    ck_assert_int_eq(list(harness, 5, NULL, NULL)->groups_count, 0);
    for (int g = 0; g < GROUPS; g++) {
        snprintf(names[g], sizeof(names[g]), "g%d", g);
        calls_commit(harness, 5, names[g], NULL, "orders", 0, 1);
    }
    struct calls_member member = calls_member(harness, "live", 1);
    calls_stabilize(&member);
    for (int16_t version = 0; version <= 5; version++)
        ck_assert_int_eq(list(harness, version, NULL, NULL)->groups_count, GROUPS + 1);
    const struct list_groups_response *live = list(harness, 4, "stable", NULL);
    ck_assert_int_eq(live->groups_count, 1);
    ck_assert(slice_equal_str(live->groups[0].group_id, "live"));
    ck_assert(slice_equal_str(live->groups[0].group_state, "Stable"));
    ck_assert(slice_equal_str(live->groups[0].protocol_type, "consumer"));
    ck_assert_int_eq(list(harness, 4, "Empty", NULL)->groups_count, GROUPS);
    ck_assert_int_eq(list(harness, 4, "Nonsense", NULL)->groups_count, 0);
    ck_assert_int_eq(list(harness, 5, NULL, "Classic")->groups_count, GROUPS + 1);
    ck_assert(
        slice_equal_str(list(harness, 5, "Stable", "classic")->groups[0].group_type, "classic"));
    ck_assert_int_eq(list(harness, 5, NULL, "consumer")->groups_count, 0);
    harness_free(harness);
}
END_TEST

TEST_MAIN("api/list_groups", all_and_by_state_and_type)
