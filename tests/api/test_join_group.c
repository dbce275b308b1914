// SPDX-License-Identifier: BSD-2-Clause
#include "runner.h"
#include "support/group_calls.h"

#include <time.h>

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

START_TEST(every_version_joins)
{
    struct harness *harness = calls_new(2);
    for (int16_t version = 0; version <= 9; version++) {
        char group[16];
        snprintf(group, sizeof(group), "v%d", version);
        struct calls_member member = calls_member(harness, group, 1);
        member.version = version;
        calls_stabilize(&member);
        const struct join_group_response *joined = member.joined;
        ck_assert_int_eq(joined->generation_id, 1);
        ck_assert_str_eq(member.leader, member.id);
        ck_assert_int_eq(strncmp(member.id, "harness-", 8), 0);
        ck_assert_int_eq(joined->members_count, 1);
        ck_assert(slice_equal(joined->members[0].member_id, joined->member_id));
        ck_assert_uint_gt(joined->members[0].metadata.size, 0);
        ck_assert(slice_equal_str(joined->protocol_name, "range"));
        ck_assert(slice_equal_str(joined->protocol_type, "consumer"));
        ck_assert(!joined->skip_assignment);
    }
    harness_free(harness);
}
END_TEST

/* From the first request an idle broker ever gets about groups; the bound is generous for slow
 * builds, what counts is that nobody waits for seconds. */
START_TEST(the_first_join_is_quick)
{
    struct harness *harness = calls_new(2);
    int64_t start_ms = now_ms();
    struct calls_member member = calls_member(harness, "g", 1);
    calls_stabilize(&member);
    ck_assert_int_lt(now_ms() - start_ms, 2000);
    harness_free(harness);
}
END_TEST

static int16_t join_error(struct harness *harness, int16_t version, const char *group,
    const char *id, int32_t session_ms, const char *type)
{
    struct calls_member member = calls_member(harness, group, 1);
    snprintf(member.id, sizeof(member.id), "%s", id);
    struct join_group_request *request = calls_join_request(&member);
    request->session_timeout_ms = session_ms;
    request->protocol_type = slice_from_str(type);
    const struct join_group_response *response =
        calls_do(harness, &join_group_api_codec, version, request);
    ck_assert_int_eq(response->generation_id, -1);
    return response->error_code;
}

START_TEST(refusals)
{
    struct harness *harness = calls_new(2);
    for (int16_t version = 0; version <= 9; version++) {
        ck_assert_int_eq(
            join_error(harness, version, "", "", 10000, "consumer"), KAFKA_ERROR_INVALID_GROUP_ID);
        ck_assert_int_eq(join_error(harness, version, "g", "", 5999, "consumer"),
            KAFKA_ERROR_INVALID_SESSION_TIMEOUT);
        ck_assert_int_eq(join_error(harness, version, "g", "x", 10000, "consumer"),
            KAFKA_ERROR_UNKNOWN_MEMBER_ID);
        ck_assert_int_eq(join_error(harness, version, "g", "", 10000, ""),
            KAFKA_ERROR_INCONSISTENT_GROUP_PROTOCOL);
    }
    harness_free(harness);
}
END_TEST

START_TEST(a_second_member_makes_a_second_generation)
{
    struct harness *harness = calls_new(3);
    struct calls_member first = calls_member(harness, "g", 1);
    struct calls_member second = calls_member(harness, "g", 2);
    second.version = 3; /* is not told its id first */
    calls_stabilize(&first);
    struct harness_call *join = calls_join_send(&second);
    while (calls_heartbeat(&first) == KAFKA_ERROR_NONE)
        ;
    ck_assert_int_eq(calls_heartbeat(&first), KAFKA_ERROR_REBALANCE_IN_PROGRESS);
    ck_assert(!harness_call_done(join));
    calls_join(&first);
    calls_join_wait(&second, join);
    ck_assert_int_eq(first.generation, 2);
    ck_assert_int_eq(second.generation, 2);
    ck_assert_str_eq(second.leader, first.id);
    ck_assert_int_eq(first.joined->members_count, 2);
    struct harness_call *sync = calls_sync_send(&second);
    calls_sync(&first);
    calls_sync_wait(&second, sync);
    ck_assert_ptr_nonnull(strstr(first.assignment, first.id));
    ck_assert_ptr_nonnull(strstr(second.assignment, second.id));
    harness_free(harness);
}
END_TEST

START_TEST(a_closed_connection_makes_room)
{
    struct harness *harness = calls_new(2);
    struct calls_member first = calls_member(harness, "g", 1);
    struct calls_member second = calls_member(harness, "g", 2);
    calls_stabilize(&first);
    int64_t start_ms = now_ms();
    harness_close_conn(harness, 1);
    calls_stabilize(&second); /* waits for the ghost, but not for its session */
    ck_assert_int_lt(now_ms() - start_ms, 5000);
    ck_assert_int_ge(second.generation, 2);
    harness_free(harness);
}
END_TEST

START_TEST(a_restart_makes_nobody_rebalance)
{
    struct harness *harness = calls_new(2);
    struct calls_member member = calls_member(harness, "g", 1);
    member.instance = "i";
    calls_stabilize(&member);
    harness_restart(harness, NULL);
    ck_assert_int_eq(calls_heartbeat(&member), KAFKA_ERROR_NONE);
    struct calls_member again = calls_member(harness, "g", 2);
    again.instance = "i";
    again.version = 9;
    calls_join(&again);
    ck_assert_int_eq(again.error, KAFKA_ERROR_NONE);
    ck_assert_int_eq(again.generation, 1);
    ck_assert(again.joined->skip_assignment);
    ck_assert_int_eq(calls_heartbeat(&member), KAFKA_ERROR_FENCED_INSTANCE_ID);
    ck_assert_int_eq(calls_heartbeat(&again), KAFKA_ERROR_NONE);
    harness_free(harness);
}
END_TEST

/* --- many members at once --- */

enum pump_state { PUMP_JOINING, PUMP_SYNCING, PUMP_MEMBER };
struct pump {
    struct calls_member member;
    enum pump_state state;
    struct harness_call *call;
};

static void pump_join(struct pump *pump)
{
    pump->state = PUMP_JOINING;
    pump->call = calls_join_send(&pump->member);
}

/* Whoever keeps to the protocol is never told that he is unknown. */
static void pump_on_answer(struct pump *pump)
{
    struct calls_member *member = &pump->member;
    if (pump->state == PUMP_JOINING)
        calls_join_take(member, pump->call);
    else
        calls_sync_wait(member, pump->call);
    ck_assert_int_ne(member->error, KAFKA_ERROR_UNKNOWN_MEMBER_ID);
    if (member->error != KAFKA_ERROR_NONE) {
        pump_join(pump);
    } else if (pump->state == PUMP_JOINING) {
        pump->state = PUMP_SYNCING;
        pump->call = calls_sync_send(member);
    } else {
        ck_assert_ptr_nonnull(strstr(member->assignment, member->id));
        pump->state = PUMP_MEMBER;
    }
}

/* One step; true when the member is one of the current generation. */
static bool pump_step(struct pump *pump)
{
    if (pump->state != PUMP_MEMBER) {
        if (harness_call_done(pump->call))
            pump_on_answer(pump);
        return false;
    }
    int16_t error = calls_heartbeat(&pump->member);
    ck_assert_int_ne(error, KAFKA_ERROR_UNKNOWN_MEMBER_ID);
    if (error != KAFKA_ERROR_NONE)
        pump_join(pump);
    return error == KAFKA_ERROR_NONE;
}

enum { GROUPS = 6, MEMBERS = 4, ROUNDS = 4 };
static struct pump pumps[GROUPS][MEMBERS];

static void pump_settle(void)
{
    for (bool settled = false; !settled;) {
        settled = true;
        for (int g = 0; g < GROUPS; g++) {
            for (int m = 0; m < MEMBERS; m++)
                settled = pump_step(&pumps[g][m]) && settled;
            for (int m = 1; m < MEMBERS; m++)
                settled = settled && pumps[g][m].member.generation == pumps[g][0].member.generation;
        }
    }
}

/* Groups on all loops, members on all loops, one rebalance after the other. */
START_TEST(chained_rebalances_on_many_loops)
{
    static char names[GROUPS][8];
    struct harness *harness = calls_new(4);
    for (int g = 0; g < GROUPS; g++) {
        snprintf(names[g], sizeof(names[g]), "g%d", g);
        for (int m = 0; m < MEMBERS; m++) {
            pumps[g][m].member = calls_member(harness, names[g], (uint64_t)(g * MEMBERS + m + 1));
            pumps[g][m].member.version = m % 2 == 0 ? 3 : 9;
            pump_join(&pumps[g][m]);
        }
    }
    for (int round = 0; round < ROUNDS; round++) {
        pump_settle();
        for (int g = 0; g < GROUPS; g++) {
            ck_assert_int_gt(pumps[g][0].member.generation, round);
            struct pump *changing = &pumps[g][(g + round) % MEMBERS];
            bool orders = strcmp(changing->member.topic, "orders") == 0;
            changing->member.topic = orders ? "trades" : "orders";
            pump_join(changing);
        }
    }
    pump_settle();
    harness_free(harness);
}
END_TEST

TEST_MAIN("api/join_group", every_version_joins, the_first_join_is_quick, refusals,
    a_second_member_makes_a_second_generation, a_closed_connection_makes_room,
    a_restart_makes_nobody_rebalance, chained_rebalances_on_many_loops)
