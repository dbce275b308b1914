// SPDX-License-Identifier: BSD-2-Clause
#include "base/log.h"
#include "runner.h"
#include "support/group_world.h"

#include <stdio.h>
#include <string.h>

static struct world world;
static struct client c[8];

static void start(struct group_config config)
{
    log_set_level(LOG_ERROR);
    world_init(&world, config);
    for (size_t i = 0; i < 8; i++)
        c[i] = client_make(&world);
}

/* --- states --- */

START_TEST(events_move_a_group_as_in_kafka)
{
    enum { NOT = -1 };
    static const int wanted[GROUP_STATES_COUNT][GROUP_EVENTS_COUNT] = {
        /* unsettled, gathered, deserted, assigned, dropped */
        [GROUP_EMPTY] = {GROUP_PREPARING_REBALANCE, NOT, NOT, NOT, GROUP_DEAD},
        [GROUP_PREPARING_REBALANCE] = {NOT, GROUP_COMPLETING_REBALANCE, GROUP_EMPTY, NOT,
            GROUP_DEAD},
        [GROUP_COMPLETING_REBALANCE] = {GROUP_PREPARING_REBALANCE, NOT, NOT, GROUP_STABLE,
            GROUP_DEAD},
        [GROUP_STABLE] = {GROUP_PREPARING_REBALANCE, NOT, NOT, NOT, GROUP_DEAD},
        [GROUP_DEAD] = {NOT, NOT, NOT, NOT, GROUP_DEAD},
    };
    for (int state = 0; state < GROUP_STATES_COUNT; state++) {
        for (int event = 0; event < GROUP_EVENTS_COUNT; event++) {
            enum group_state next = GROUP_STATES_COUNT;
            bool happens =
                group_event_next((enum group_state)state, (enum group_event)event, &next);
            ck_assert_int_eq(happens, wanted[state][event] != NOT);
            ck_assert_int_eq(next, happens ? wanted[state][event] : (int)GROUP_STATES_COUNT);
        }
    }
    ck_assert_str_eq(group_state_name(GROUP_COMPLETING_REBALANCE), "CompletingRebalance");
}
END_TEST

/* EMPTY -> PREPARING -> COMPLETING -> STABLE -> PREPARING -> EMPTY -> DEAD */
START_TEST(one_member_goes_all_the_way_round)
{
    start(world_strict());
    client_join_fully(&c[0]);
    ck_assert_int_eq(world.group->state, GROUP_PREPARING_REBALANCE);
    ck_assert_int_eq(c[0].joins_count, 1);
    ck_assert_int_eq(strncmp(c[0].id, "c-", 2), 0);
    fake_loop_advance(2999);
    ck_assert(c[0].joining);
    fake_loop_advance(1);
    ck_assert_int_eq(world.group->state, GROUP_COMPLETING_REBALANCE);
    ck_assert_int_eq(c[0].generation, 1);
    ck_assert(client_leads(&c[0]));
    ck_assert_uint_eq(c[0].members_count, 1);
    client_sync(&c[0]);
    ck_assert(c[0].syncing); /* until the log has it */
    fake_loop_turn();
    ck_assert_int_eq(world.group->state, GROUP_STABLE);
    ck_assert(strstr(c[0].assignment, ":1") != NULL);
    ck_assert_int_eq(client_heartbeat(&c[0]), GROUP_OK);
    ck_assert_int_eq(client_leave(&c[0]), GROUP_OK);
    ck_assert_int_eq(world.group->state, GROUP_EMPTY);
    ck_assert_int_eq(world.group->generation, 2);
    ck_assert_uint_eq(world.stored_count, 2);
    ck_assert_int_eq(client_heartbeat(&c[0]), GROUP_E_UNKNOWN_MEMBER);
    group_kill(world.group);
    ck_assert_int_eq(world.group->state, GROUP_DEAD);
    ck_assert_int_eq(client_heartbeat(&c[0]), GROUP_E_UNAVAILABLE);
    world_deinit(&world);
}
END_TEST

/* --- join --- */

START_TEST(initial_delay_is_extended_while_members_come)
{
    start(world_strict());
    c[0].version = c[1].version = c[2].version = 3;
    client_join(&c[0]);
    fake_loop_advance(2900);
    client_join(&c[1]);
    fake_loop_advance(2900);
    ck_assert(c[0].joining); /* extended once */
    client_join(&c[2]);
    fake_loop_advance(200 + 2999);
    ck_assert(c[0].joining);
    fake_loop_advance(1);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(c[i].join_error, GROUP_OK);
        ck_assert_int_eq(c[i].generation, 1);
        ck_assert_str_eq(c[i].leader, c[0].id);
    }
    ck_assert_uint_eq(c[0].members_count, 3);
    ck_assert_uint_eq(c[1].members_count, 0);
    world_deinit(&world);
}
END_TEST

START_TEST(initial_delay_ends_with_the_rebalance_timeout)
{
    start(world_strict());
    for (int i = 0; i < 8; i++) {
        c[i].version = 3;
        c[i].rebalance_ms = 7000;
    }
    client_join(&c[0]);
    for (int i = 1; i < 7; i++) { /* one more each second */
        fake_loop_advance(1000);
        client_join(&c[i]);
    }
    ck_assert(c[0].joining);
    fake_loop_advance(1000);
    ck_assert(!c[0].joining); /* 3 s, 3 s more, and what was left of 7 */
    ck_assert_uint_eq(c[0].members_count, 7);
    world_deinit(&world);
}
END_TEST

START_TEST(dev_first_generation_takes_one_window)
{
    start(world_dev());
    client_join_fully(&c[0]);
    fake_loop_advance(19);
    client_join_fully(&c[1]);
    fake_loop_advance(1 + 19); /* it extends the window once */
    ck_assert_int_eq(world.group->state, GROUP_PREPARING_REBALANCE);
    fake_loop_advance(1);
    ck_assert_int_eq(world.group->state, GROUP_COMPLETING_REBALANCE);
    ck_assert_int_eq(world.group->generation, 1);
    ck_assert_uint_eq(c[0].members_count, 2);
    world_deinit(&world);
}
END_TEST

START_TEST(new_members_need_their_id_first)
{
    start(world_dev());
    client_join(&c[0]);
    ck_assert_int_eq(c[0].join_error, GROUP_E_MEMBER_ID_REQUIRED);
    ck_assert_int_eq(world.group->state, GROUP_EMPTY);
    ck_assert_uint_eq(world.group->pending_count, 1);
    fake_loop_advance(c[0].session_ms);
    ck_assert_uint_eq(world.group->pending_count, 0);
    ck_assert(group_is_blank(world.group));
    client_join(&c[0]);
    ck_assert_int_eq(c[0].join_error, GROUP_E_UNKNOWN_MEMBER);
    world_deinit(&world);
}
END_TEST

START_TEST(join_is_refused_when_it_cannot_be)
{
    start(world_strict());
    c[0].session_ms = 5999;
    client_join(&c[0]);
    ck_assert_int_eq(c[0].join_error, GROUP_E_INVALID_SESSION_TIMEOUT);
    c[0].session_ms = 1800001;
    client_join(&c[0]);
    ck_assert_int_eq(c[0].join_error, GROUP_E_INVALID_SESSION_TIMEOUT);
    c[0].session_ms = 6000;
    c[0].protocols = "";
    client_join(&c[0]);
    ck_assert_int_eq(c[0].join_error, GROUP_E_INCONSISTENT_PROTOCOL);
    snprintf(c[1].id, sizeof(c[1].id), "nobody");
    client_join(&c[1]);
    ck_assert_int_eq(c[1].join_error, GROUP_E_UNKNOWN_MEMBER);
    world_stabilize(&world, &c[2], 1);
    c[3].protocols = "sticky";
    client_join(&c[3]);
    ck_assert_int_eq(c[3].join_error, GROUP_E_INCONSISTENT_PROTOCOL);
    world_deinit(&world);
}
END_TEST

START_TEST(vote_takes_the_majority_among_what_all_can_do)
{
    start(world_dev());
    c[0].protocols = "range,roundrobin,sticky";
    c[1].protocols = "sticky,roundrobin";
    c[2].protocols = "sticky,range,roundrobin";
    world_stabilize(&world, c, 3);
    /* range is not everybody's; two of three prefer sticky */
    ck_assert_str_eq(c[0].protocol, "sticky");
    ck_assert_str_eq(c[2].protocol, "sticky");
    world_deinit(&world);
}
END_TEST

START_TEST(group_is_full_at_its_limit)
{
    struct group_config config = world_dev();
    config.size_max = 2;
    start(config);
    world_stabilize(&world, c, 2);
    client_join_fully(&c[2]);
    ck_assert_int_eq(c[2].join_error, GROUP_E_FULL);
    client_join_fully(&c[0]); /* a member may always */
    ck_assert(c[0].joining || c[0].join_error == GROUP_OK);
    world_deinit(&world);
}
END_TEST

START_TEST(pending_members_are_bounded)
{
    start(world_dev());
    struct client storm = client_make(&world);
    for (int i = 0; i < GROUP_PENDING_COUNT_MAX; i++) {
        storm.id[0] = 0;
        client_join(&storm);
        ck_assert_int_eq(storm.join_error, GROUP_E_MEMBER_ID_REQUIRED);
    }
    storm.id[0] = 0;
    client_join(&storm);
    ck_assert_int_eq(storm.join_error, GROUP_E_FULL);
    world_deinit(&world);
}
END_TEST

START_TEST(join_storm_ends_in_one_generation)
{
    enum { STORM = 48 };
    static struct client storm[STORM];
    start(world_dev());
    for (int i = 0; i < STORM; i++)
        storm[i] = client_make(&world);
    world_stabilize(&world, storm, STORM);
    ck_assert_int_eq(world.group->generation, 1);
    for (int i = 0; i < STORM; i++) {
        char expected[WORLD_ID_MAX + 8];
        snprintf(expected, sizeof(expected), "%s:1", storm[i].id);
        ck_assert_str_eq(storm[i].assignment, expected);
    }
    world_deinit(&world);
}
END_TEST

START_TEST(stable_follower_rejoins_without_rebalance)
{
    start(world_dev());
    world_stabilize(&world, c, 2);
    client_join(&c[1]);
    ck_assert_int_eq(c[1].join_error, GROUP_OK);
    ck_assert_int_eq(c[1].generation, 1);
    ck_assert_int_eq(world.group->state, GROUP_STABLE);
    c[1].metadata = "other";
    client_join(&c[1]);
    ck_assert(c[1].joining);
    ck_assert_int_eq(world.group->state, GROUP_PREPARING_REBALANCE);
    ck_assert_int_eq(client_heartbeat(&c[0]), GROUP_E_REBALANCING);
    client_join(&c[0]);
    ck_assert_int_eq(c[0].generation, 2);
    ck_assert_int_eq(c[1].generation, 2);
    world_deinit(&world);
}
END_TEST

START_TEST(stable_leader_rejoins_with_rebalance)
{
    start(world_dev());
    world_stabilize(&world, c, 2);
    client_join(&c[0]);
    ck_assert_int_eq(world.group->state, GROUP_PREPARING_REBALANCE);
    client_join(&c[1]);
    ck_assert_int_eq(c[0].generation, 2);
    ck_assert(client_leads(&c[0]));
    world_deinit(&world);
}
END_TEST

START_TEST(completing_gives_the_same_answer_again)
{
    start(world_dev());
    client_join_fully(&c[0]);
    fake_loop_advance(100);
    ck_assert_int_eq(world.group->state, GROUP_COMPLETING_REBALANCE);
    client_join(&c[0]);
    ck_assert_int_eq(c[0].join_error, GROUP_OK);
    ck_assert_uint_eq(c[0].members_count, 1);
    ck_assert_int_eq(c[0].generation, 1);
    c[0].metadata = "other";
    client_join(&c[0]);
    ck_assert_int_eq(c[0].generation, 2);
    world_deinit(&world);
}
END_TEST

START_TEST(those_who_do_not_rejoin_are_dropped)
{
    start(world_dev());
    c[0].rebalance_ms = c[1].rebalance_ms = c[2].rebalance_ms = 8000;
    world_stabilize(&world, c, 2);
    client_join_fully(&c[2]);
    for (int i = 0; i < 4; i++) { /* both beat, only one rejoins */
        fake_loop_advance(1000);
        ck_assert_int_eq(client_heartbeat(&c[0]), GROUP_E_REBALANCING);
        ck_assert_int_eq(client_heartbeat(&c[1]), GROUP_E_REBALANCING);
    }
    client_join(&c[1]);
    fake_loop_advance(4000);
    ck_assert_int_eq(world.group->state, GROUP_COMPLETING_REBALANCE);
    ck_assert_uint_eq(world.group->members_count, 2);
    ck_assert_str_eq(c[1].leader, c[1].id); /* the old leader stayed away */
    ck_assert_int_eq(client_heartbeat(&c[0]), GROUP_E_UNKNOWN_MEMBER);
    world_deinit(&world);
}
END_TEST

/* --- sync --- */

START_TEST(followers_wait_for_the_leader)
{
    start(world_dev());
    client_join_fully(&c[0]);
    client_join_fully(&c[1]);
    fake_loop_advance(100);
    client_sync(&c[1]);
    fake_loop_advance(9000);
    ck_assert(c[1].syncing);
    client_sync(&c[0]);
    fake_loop_turn();
    ck_assert_int_eq(c[1].sync_error, GROUP_OK);
    ck_assert(strstr(c[1].assignment, c[1].id) != NULL);
    client_sync(&c[1]); /* again, while stable */
    ck_assert_int_eq(c[1].sync_error, GROUP_OK);
    world_deinit(&world);
}
END_TEST

START_TEST(sync_is_refused_when_it_cannot_be)
{
    start(world_dev());
    world_stabilize(&world, c, 2);
    c[1].generation = 7;
    client_sync(&c[1]);
    ck_assert_int_eq(c[1].sync_error, GROUP_E_ILLEGAL_GENERATION);
    c[1].generation = 1;
    client_join(&c[0]);
    client_sync(&c[1]);
    ck_assert_int_eq(c[1].sync_error, GROUP_E_REBALANCING);
    snprintf(c[2].id, sizeof(c[2].id), "nobody");
    client_sync(&c[2]);
    ck_assert_int_eq(c[2].sync_error, GROUP_E_UNKNOWN_MEMBER);
    world_deinit(&world);
}
END_TEST

START_TEST(those_who_do_not_sync_are_dropped)
{
    start(world_dev());
    for (int i = 0; i < 3; i++)
        c[i].rebalance_ms = 7000;
    for (int i = 0; i < 3; i++)
        client_join_fully(&c[i]);
    fake_loop_advance(100);
    client_sync(&c[0]);
    client_sync(&c[1]);
    fake_loop_turn();
    ck_assert_int_eq(world.group->state, GROUP_STABLE);
    fake_loop_advance(6000);
    client_heartbeat(&c[0]);
    client_heartbeat(&c[1]);
    client_heartbeat(&c[2]);
    ck_assert_uint_eq(world.group->members_count, 3);
    fake_loop_advance(1000);
    ck_assert_uint_eq(world.group->members_count, 2);
    ck_assert_int_eq(world.group->state, GROUP_PREPARING_REBALANCE);
    world_deinit(&world);
}
END_TEST

START_TEST(a_failed_write_makes_a_new_round)
{
    start(world_dev());
    world.store_auto = false;
    client_join_fully(&c[0]);
    client_join_fully(&c[1]);
    fake_loop_advance(100);
    client_sync(&c[1]);
    client_sync(&c[0]);
    ck_assert_uint_eq(world.stores_count, 1);
    world_commit(&world, GROUP_E_NOT_COORDINATOR);
    ck_assert_int_eq(c[0].sync_error, GROUP_E_NOT_COORDINATOR);
    ck_assert_int_eq(c[1].sync_error, GROUP_E_NOT_COORDINATOR);
    ck_assert_int_eq(world.group->state, GROUP_PREPARING_REBALANCE);
    world.store_error = GROUP_E_UNAVAILABLE;
    client_join(&c[0]);
    client_join(&c[1]);
    client_sync(&c[0]);
    ck_assert_int_eq(c[0].sync_error, GROUP_E_UNAVAILABLE);
    world_deinit(&world);
}
END_TEST

START_TEST(a_write_that_comes_late_changes_nothing)
{
    start(world_dev());
    world.store_auto = false;
    client_join_fully(&c[0]);
    fake_loop_advance(100);
    client_sync(&c[0]);
    client_join_fully(&c[1]); /* while the assignment is on its way */
    ck_assert_int_eq(c[0].sync_error, GROUP_E_REBALANCING);
    client_join(&c[0]);
    ck_assert_int_eq(world.group->generation, 2);
    world_commit(&world, GROUP_OK); /* generation 1's */
    ck_assert_int_eq(world.group->state, GROUP_COMPLETING_REBALANCE);
    client_sync(&c[0]);
    client_sync(&c[1]);
    ck_assert_uint_eq(world.stores_count, 1);
    world_commit(&world, GROUP_OK);
    ck_assert_int_eq(world.group->state, GROUP_STABLE);
    ck_assert(strstr(c[1].assignment, ":2") != NULL);
    world_deinit(&world);
}
END_TEST

START_TEST(the_group_may_go_before_its_write)
{
    start(world_dev());
    world.store_auto = false;
    client_join_fully(&c[0]);
    fake_loop_advance(100);
    client_sync(&c[0]);
    group_free(world.group, GROUP_E_NOT_COORDINATOR);
    ck_assert_int_eq(c[0].sync_error, GROUP_E_NOT_COORDINATOR);
    world.group = NULL;
    world_deinit(&world);
}
END_TEST

/* --- leave and expiry in each state --- */

START_TEST(leave_while_preparing)
{
    start(world_dev());
    world_stabilize(&world, c, 3);
    client_join(&c[0]);
    client_join(&c[1]);
    ck_assert_int_eq(client_leave(&c[2]), GROUP_OK); /* the last one everybody waits for */
    ck_assert_int_eq(c[0].generation, 2);
    ck_assert_uint_eq(world.group->members_count, 2);
    world_deinit(&world);
}
END_TEST

START_TEST(leave_while_waiting_to_join)
{
    start(world_dev());
    world_stabilize(&world, c, 2);
    client_join(&c[0]);
    ck_assert_int_eq(client_leave(&c[0]), GROUP_OK);
    ck_assert_int_eq(c[0].join_error, GROUP_E_UNKNOWN_MEMBER);
    client_join(&c[1]);
    ck_assert_int_eq(c[1].generation, 2);
    ck_assert(client_leads(&c[1]));
    world_deinit(&world);
}
END_TEST

START_TEST(leave_while_completing)
{
    start(world_dev());
    client_join_fully(&c[0]);
    client_join_fully(&c[1]);
    fake_loop_advance(100);
    client_sync(&c[1]);
    ck_assert_int_eq(client_leave(&c[0]), GROUP_OK);
    ck_assert_int_eq(c[1].sync_error, GROUP_E_REBALANCING);
    client_join(&c[1]);
    ck_assert_int_eq(c[1].generation, 2);
    world_deinit(&world);
}
END_TEST

START_TEST(leave_of_a_pending_member_lets_the_others_go_on)
{
    start(world_dev());
    world_stabilize(&world, c, 1);
    client_join(&c[1]); /* told its id */
    client_join(&c[0]);
    ck_assert(c[0].joining); /* waits for the pending one too */
    ck_assert_int_eq(client_leave(&c[1]), GROUP_OK);
    ck_assert(!c[0].joining);
    world_deinit(&world);
}
END_TEST

START_TEST(sessions_end_in_each_state)
{
    start(world_dev());
    world_stabilize(&world, c, 2);
    fake_loop_advance(9999);
    ck_assert_int_eq(client_heartbeat(&c[0]), GROUP_OK);
    fake_loop_advance(1);
    ck_assert_int_eq(world.group->state, GROUP_PREPARING_REBALANCE); /* c1 is gone */
    client_join(&c[0]);
    ck_assert_int_eq(world.group->state, GROUP_COMPLETING_REBALANCE);
    fake_loop_advance(10000); /* and c0 never syncs */
    ck_assert_int_eq(world.group->state, GROUP_EMPTY);
    ck_assert_int_eq(world.group->generation, 3);
    world_deinit(&world);
}
END_TEST

START_TEST(commits_keep_a_session_alive)
{
    start(world_dev());
    world_stabilize(&world, c, 1);
    for (int i = 0; i < 5; i++) {
        fake_loop_advance(8000);
        ck_assert_int_eq(client_may_commit(&c[0]), GROUP_OK);
    }
    fake_loop_advance(10000);
    ck_assert_int_eq(world.group->state, GROUP_EMPTY);
    world_deinit(&world);
}
END_TEST

START_TEST(waiting_members_are_alive)
{
    start(world_dev());
    world_stabilize(&world, c, 2);
    client_join(&c[0]);
    for (int i = 0; i < 5; i++) {
        fake_loop_advance(9000);
        client_heartbeat(&c[1]);
    }
    ck_assert(c[0].joining);
    client_join(&c[1]);
    ck_assert_int_eq(c[0].join_error, GROUP_OK);
    world_deinit(&world);
}
END_TEST

/* --- connections --- */

START_TEST(a_closed_connection_ends_a_dynamic_member_soon)
{
    start(world_dev());
    c[1].instance = "i";
    world_stabilize(&world, c, 2);
    group_member_disconnect(group_member(world.group, slice_from_str(c[0].id)));
    group_member_disconnect(group_member(world.group, slice_from_str(c[1].id)));
    fake_loop_advance(249);
    ck_assert_uint_eq(world.group->members_count, 2);
    fake_loop_advance(1);
    ck_assert_uint_eq(world.group->members_count, 1);
    ck_assert_ptr_nonnull(group_member(world.group, slice_from_str(c[1].id)));
    world_deinit(&world);
}
END_TEST

START_TEST(a_reconnect_within_the_time_changes_nothing)
{
    start(world_dev());
    world_stabilize(&world, c, 1);
    group_member_disconnect(group_member(world.group, slice_from_str(c[0].id)));
    fake_loop_advance(200);
    c[0].conn_id = 9;
    ck_assert_int_eq(client_heartbeat(&c[0]), GROUP_OK);
    fake_loop_advance(9000);
    ck_assert_int_eq(world.group->state, GROUP_STABLE);
    world_deinit(&world);
}
END_TEST

START_TEST(a_member_that_waits_on_a_closed_connection_goes_too)
{
    start(world_dev());
    world_stabilize(&world, c, 2);
    client_join(&c[0]);
    group_member_disconnect(group_member(world.group, slice_from_str(c[0].id)));
    fake_loop_advance(250);
    ck_assert_int_eq(c[0].join_error, GROUP_E_UNKNOWN_MEMBER);
    client_join(&c[1]);
    ck_assert(client_leads(&c[1]));
    world_deinit(&world);
}
END_TEST

START_TEST(strict_knows_no_connections)
{
    start(world_strict());
    world_stabilize(&world, c, 1);
    group_member_disconnect(group_member(world.group, slice_from_str(c[0].id)));
    fake_loop_advance(9999);
    ck_assert_int_eq(world.group->state, GROUP_STABLE);
    fake_loop_advance(1);
    ck_assert_int_eq(world.group->state, GROUP_EMPTY);
    world_deinit(&world);
}
END_TEST

/* --- static members --- */

START_TEST(a_static_member_takes_its_place_back)
{
    start(world_dev());
    c[0].instance = "a";
    c[1].instance = "b";
    world_stabilize(&world, c, 2);
    struct client again = client_make(&world);
    again.instance = "b";
    client_join(&again);
    ck_assert(again.joining); /* until the new id is on the log */
    fake_loop_turn();
    ck_assert_int_eq(again.join_error, GROUP_OK);
    ck_assert_int_eq(again.generation, 1);
    ck_assert_int_eq(world.group->state, GROUP_STABLE);
    ck_assert_int_eq(client_heartbeat(&c[1]), GROUP_E_FENCED_INSTANCE);
    ck_assert_int_eq(client_may_commit(&c[1]), GROUP_E_FENCED_INSTANCE);
    client_join(&c[1]);
    ck_assert_int_eq(c[1].join_error, GROUP_E_FENCED_INSTANCE);
    client_sync(&again);
    ck_assert(strstr(again.assignment, ":1") != NULL);
    world_deinit(&world);
}
END_TEST

START_TEST(a_static_leader_comes_back)
{
    start(world_dev());
    c[0].instance = "a";
    c[1].instance = "b";
    world_stabilize(&world, c, 2);
    struct client old = client_make(&world);
    old.instance = "a";
    old.version = 5;
    client_join(&old);
    fake_loop_turn();
    ck_assert_str_eq(old.leader, c[0].id); /* so that it does not assign */
    ck_assert_uint_eq(old.members_count, 0);
    struct client young = client_make(&world);
    young.instance = "a";
    young.version = 9;
    client_join(&young);
    fake_loop_turn();
    ck_assert(young.skip_assignment);
    ck_assert_str_eq(young.leader, young.id);
    ck_assert_uint_eq(young.members_count, 2);
    world_deinit(&world);
}
END_TEST

START_TEST(a_static_member_that_changes_the_vote_rebalances)
{
    start(world_dev());
    c[0].instance = "a";
    c[0].protocols = "range,sticky";
    world_stabilize(&world, c, 1);
    struct client again = client_make(&world);
    again.instance = "a";
    again.protocols = "sticky,range";
    client_join(&again);
    fake_loop_turn();
    ck_assert_int_eq(again.generation, 2);
    ck_assert_str_eq(again.protocol, "sticky");
    world_deinit(&world);
}
END_TEST

START_TEST(static_members_survive_a_rebalance_they_miss)
{
    start(world_dev());
    c[0].instance = "a";
    for (int i = 0; i < 3; i++) {
        c[i].rebalance_ms = 7000;
        c[i].session_ms = 30000;
    }
    world_stabilize(&world, c, 2);
    client_join_fully(&c[2]);
    client_join(&c[1]);
    fake_loop_advance(7000);
    ck_assert_int_eq(world.group->state, GROUP_COMPLETING_REBALANCE);
    ck_assert_uint_eq(world.group->members_count, 3);
    world_deinit(&world);
}
END_TEST

START_TEST(a_waiting_static_member_is_fenced_by_its_successor)
{
    start(world_dev());
    c[0].instance = "a";
    world_stabilize(&world, c, 2);
    client_join(&c[0]);
    ck_assert(c[0].joining);
    struct client again = client_make(&world);
    again.instance = "a";
    client_join(&again);
    ck_assert_int_eq(c[0].join_error, GROUP_E_FENCED_INSTANCE);
    client_join(&c[1]);
    ck_assert_int_eq(again.join_error, GROUP_OK);
    ck_assert_int_eq(again.generation, 2);
    world_deinit(&world);
}
END_TEST

START_TEST(an_admin_removes_a_static_member_by_its_instance)
{
    start(world_dev());
    c[0].instance = "a";
    world_stabilize(&world, c, 1);
    ck_assert_int_eq(group_leave(world.group, SLICE_LIT(""), SLICE_LIT("x"), SLICE_NULL),
        GROUP_E_UNKNOWN_MEMBER);
    ck_assert_int_eq(group_leave(world.group, SLICE_LIT(""), SLICE_LIT("a"), SLICE_NULL), GROUP_OK);
    ck_assert_int_eq(world.group->state, GROUP_EMPTY);
    ck_assert_int_eq(
        group_leave(world.group, SLICE_LIT(""), SLICE_NULL, SLICE_NULL), GROUP_E_UNKNOWN_MEMBER);
    world_deinit(&world);
}
END_TEST

/* --- commits --- */

START_TEST(who_may_commit)
{
    start(world_dev());
    struct group *group = world.group;
    ck_assert_int_eq(group_may_commit(group, SLICE_LIT(""), SLICE_NULL, -1), GROUP_OK);
    ck_assert_int_eq(
        group_may_commit(group, SLICE_LIT("x"), SLICE_NULL, 3), GROUP_E_UNKNOWN_MEMBER);
    client_join_fully(&c[0]);
    fake_loop_advance(100);
    ck_assert_int_eq(client_may_commit(&c[0]), GROUP_E_REBALANCING);
    client_sync(&c[0]);
    fake_loop_turn();
    ck_assert_int_eq(client_may_commit(&c[0]), GROUP_OK);
    ck_assert_int_eq(
        group_may_commit(group, SLICE_LIT(""), SLICE_NULL, -1), GROUP_E_UNKNOWN_MEMBER);
    ck_assert_int_eq(group_may_commit(group, slice_from_str(c[0].id), SLICE_NULL, 0),
        GROUP_E_ILLEGAL_GENERATION);
    ck_assert_int_eq(
        group_may_commit(group, SLICE_LIT("x"), SLICE_NULL, 1), GROUP_E_UNKNOWN_MEMBER);
    client_join_fully(&c[1]);
    ck_assert_int_eq(world.group->state, GROUP_PREPARING_REBALANCE);
    ck_assert_int_eq(client_may_commit(&c[0]), GROUP_OK); /* the last chance before the handover */
    world_deinit(&world);
}
END_TEST

/* --- replay --- */

START_TEST(a_restored_group_goes_on_without_rebalance)
{
    start(world_dev());
    struct group_restored restored = {.generation = 4,
        .protocol_type = SLICE_LIT("consumer"),
        .protocol = SLICE_LIT("range"),
        .leader = SLICE_LIT("m1"),
        .state_ms = 5};
    group_restore(world.group, &restored);
    for (int i = 0; i < 2; i++) {
        snprintf(c[i].id, sizeof(c[i].id), "m%d", i);
        c[i].generation = 4;
        struct group_join join = {.member_id = slice_from_str(c[i].id),
            .instance_id = SLICE_NULL,
            .client_id = SLICE_LIT("c"),
            .client_host = SLICE_LIT("h"),
            .session_timeout_ms = 10000,
            .rebalance_timeout_ms = 60000};
        ck_assert(group_restore_member(world.group, &join, SLICE_LIT("m"), SLICE_LIT("a")));
        ck_assert(!group_restore_member(world.group, &join, SLICE_LIT("m"), SLICE_LIT("a")));
    }
    group_restore_end(world.group);
    ck_assert_int_eq(world.group->state, GROUP_STABLE);
    fake_loop_advance(9999);
    ck_assert_int_eq(client_heartbeat(&c[0]), GROUP_OK);
    ck_assert_int_eq(client_heartbeat(&c[1]), GROUP_OK);
    client_join(&c[0]);
    ck_assert_int_eq(c[0].generation, 4);
    ck_assert_str_eq(c[0].leader, "m1");
    client_sync(&c[1]);
    ck_assert_str_eq(c[1].assignment, "a");
    fake_loop_advance(10000);
    ck_assert_int_eq(world.group->state, GROUP_EMPTY);
    world_deinit(&world);
}
END_TEST

TEST_MAIN("broker/group", events_move_a_group_as_in_kafka, one_member_goes_all_the_way_round,
    initial_delay_is_extended_while_members_come, initial_delay_ends_with_the_rebalance_timeout,
    dev_first_generation_takes_one_window, new_members_need_their_id_first,
    join_is_refused_when_it_cannot_be, vote_takes_the_majority_among_what_all_can_do,
    group_is_full_at_its_limit, pending_members_are_bounded, join_storm_ends_in_one_generation,
    stable_follower_rejoins_without_rebalance, stable_leader_rejoins_with_rebalance,
    completing_gives_the_same_answer_again, those_who_do_not_rejoin_are_dropped,
    followers_wait_for_the_leader, sync_is_refused_when_it_cannot_be,
    those_who_do_not_sync_are_dropped, a_failed_write_makes_a_new_round,
    a_write_that_comes_late_changes_nothing, the_group_may_go_before_its_write,
    leave_while_preparing, leave_while_waiting_to_join, leave_while_completing,
    leave_of_a_pending_member_lets_the_others_go_on, sessions_end_in_each_state,
    commits_keep_a_session_alive, waiting_members_are_alive,
    a_closed_connection_ends_a_dynamic_member_soon, a_reconnect_within_the_time_changes_nothing,
    a_member_that_waits_on_a_closed_connection_goes_too, strict_knows_no_connections,
    a_static_member_takes_its_place_back, a_static_leader_comes_back,
    a_static_member_that_changes_the_vote_rebalances, static_members_survive_a_rebalance_they_miss,
    a_waiting_static_member_is_fenced_by_its_successor,
    an_admin_removes_a_static_member_by_its_instance, who_may_commit,
    a_restored_group_goes_on_without_rebalance)
