// SPDX-License-Identifier: BSD-2-Clause
/*
 * Simulated clients against the group machine, by seed: they join, sync, beat, commit, leave, stall
 * and crash while the log is slow and sometimes refuses. Checked throughout: a generation has one
 * assignment, every member gets its own share of exactly that one, generations only grow, nobody
 * who keeps his times is ever told that he is unknown; and once the trouble stops, all who live are
 * members of one stable generation.
 */
#include "base/log.h"
#include "runner.h"
#include "support/group_world.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum {
    ACTORS = 7,
    TICK_MS = 20,
    TICKS_TROUBLE = 6000,
    TICKS_CALM = 8000,
    BEAT_MS = 3000,
};

enum actor_state { ACTOR_DOWN, ACTOR_JOINING, ACTOR_SYNCING, ACTOR_MEMBER };

struct actor {
    enum actor_state state;
    struct client *client;
    bool prompt; /* has kept all its times since it came up */
    bool is_static;
    char instance[8];
    int64_t next_ms; /* acts again */
    int joins_seen, syncs_seen;
};

static struct sim {
    struct world world;
    struct actor actors[ACTORS];
    struct client *graves[4096]; /* their requests may still be answered */
    size_t graves_count;
    uint64_t random;
    int64_t now_ms;
    int32_t generation; /* highest seen */
    bool calm;
} sim;

static uint32_t sim_random(uint32_t below)
{
    sim.random = sim.random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(sim.random >> 33) % below;
}

static bool sim_chance(uint32_t per_10000)
{
    return !sim.calm && sim_random(10000) < per_10000;
}

static void actor_bury(struct actor *actor)
{
    ck_assert_uint_lt(sim.graves_count, 4096);
    sim.graves[sim.graves_count++] = actor->client;
    actor->client = NULL;
}

static void actor_up(struct actor *actor)
{
    struct client *client = xnew(struct client);
    *client = client_make(&sim.world);
    client->rebalance_ms = 9000;
    client->session_ms = 10000;
    client->version = (int16_t)(sim_random(2) == 0 ? 3 : 9);
    client->protocols = sim_random(2) == 0 ? "range,sticky" : "sticky,range,roundrobin";
    client->instance = actor->is_static ? actor->instance : NULL;
    actor->client = client;
    actor->prompt = true;
    actor->state = ACTOR_JOINING;
    actor->joins_seen = 0;
    actor->syncs_seen = 0;
    client_join(client);
}

static void actor_rejoin(struct actor *actor)
{
    actor->state = ACTOR_JOINING;
    actor->joins_seen = actor->client->joins_count;
    client_join(actor->client);
}

/* Whatever the answer, a client knows what to do: Kafka's rules. */
static void actor_on_error(struct actor *actor, enum group_error error)
{
    struct client *client = actor->client;
    if (error == GROUP_E_UNKNOWN_MEMBER || error == GROUP_E_FENCED_INSTANCE) {
        ck_assert_msg(!actor->prompt || error == GROUP_E_FENCED_INSTANCE,
            "a member that kept its times is unknown: %s state %d at %ld", client->id,
            (int)actor->state, (long)sim.now_ms);
        client->id[0] = 0;
        actor->prompt = true;
    }
    actor_rejoin(actor);
}

static void actor_on_joined(struct actor *actor)
{
    struct client *client = actor->client;
    if (client->join_error != GROUP_OK) {
        if (client->join_error == GROUP_E_MEMBER_ID_REQUIRED)
            actor_rejoin(actor);
        else
            actor_on_error(actor, client->join_error);
        return;
    }
    ck_assert_int_le(client->generation, sim.world.group->generation);
    if (client->generation > sim.generation)
        sim.generation = client->generation;
    actor->state = ACTOR_SYNCING;
    actor->syncs_seen = client->syncs_count;
    client_sync(client);
}

static void actor_on_synced(struct actor *actor)
{
    struct client *client = actor->client;
    if (client->sync_error != GROUP_OK) {
        actor_on_error(actor, client->sync_error);
        return;
    }
    /* "<my id>:<generation>", or nothing when the leader did not know me yet; a static member that
     * came back has the share of its former id. */
    char expected[WORLD_ID_MAX + 16];
    snprintf(expected, sizeof(expected), "%s:%d", client->id, client->generation);
    if (!actor->is_static)
        ck_assert_str_eq(client->assignment, expected);
    actor->state = ACTOR_MEMBER;
    actor->next_ms = sim.now_ms + BEAT_MS;
}

static void actor_crash(struct actor *actor)
{
    struct group_member *member = group_member(sim.world.group, slice_from_str(actor->client->id));
    if (member != NULL && sim_random(2) == 0)
        group_member_disconnect(member);
    actor_bury(actor);
    actor->state = ACTOR_DOWN;
    actor->next_ms = sim.now_ms + 100 + sim_random(15000);
}

static void actor_beat(struct actor *actor)
{
    struct client *client = actor->client;
    if (sim_chance(200)) {
        enum group_error error = client_leave(client);
        ck_assert(error == GROUP_OK || !actor->prompt || actor->is_static);
        actor_bury(actor);
        actor->state = ACTOR_DOWN;
        actor->next_ms = sim.now_ms + sim_random(5000);
        return;
    }
    if (sim_chance(300)) {
        client->metadata = sim_random(2) == 0 ? "m1" : "m2";
        actor_rejoin(actor);
        return;
    }
    enum group_error error = sim_random(4) == 0 ? client_may_commit(client) : GROUP_OK;
    if (error == GROUP_OK)
        error = client_heartbeat(client);
    if (error == GROUP_OK)
        actor->next_ms = sim.now_ms + BEAT_MS;
    else
        actor_on_error(actor, error);
}

static void actor_act(struct actor *actor)
{
    struct client *client = actor->client;
    if (actor->state != ACTOR_DOWN && sim_chance(4)) {
        actor_crash(actor);
        return;
    }
    if (sim.now_ms < actor->next_ms)
        return;
    if (actor->state != ACTOR_DOWN && sim_chance(3)) { /* a long pause, as of a collector */
        actor->next_ms = sim.now_ms + 5000 + sim_random(15000);
        actor->prompt = false;
        return;
    }
    switch (actor->state) {
    case ACTOR_DOWN: actor_up(actor); break;
    case ACTOR_JOINING:
        if (client->joins_count != actor->joins_seen)
            actor_on_joined(actor);
        break;
    case ACTOR_SYNCING:
        if (client->syncs_count != actor->syncs_seen)
            actor_on_synced(actor);
        break;
    case ACTOR_MEMBER: actor_beat(actor); break;
    }
}

/* What must hold at any moment (plain asserts: check notes each of its own). */
static void sim_check(void)
{
    const struct group *group = sim.world.group;
    size_t members = 0, joining = 0, unsynced = 0;
    const struct group_member *member;
    list_for_each_entry (member, &group->members, link) {
        members++;
        joining += member->join != NULL;
        unsynced += member->sync_pending;
        assert(member->sync == NULL || group->state == GROUP_COMPLETING_REBALANCE);
        assert(group_member(group, member->id) == member);
    }
    assert(members == group->members_count);
    assert(joining == group->joining_count);
    assert(unsynced == group->sync_pending_count);
    assert(members == 0 || group->leader != NULL);
    assert(group->state != GROUP_PREPARING_REBALANCE || timer_running(&group->timer));
    assert(group->generation >= sim.generation);
}

static void sim_log(void)
{
    if (sim.world.stores_count > 0 && (sim.calm || sim_random(3) == 0))
        world_commit(&sim.world, sim_chance(150) ? GROUP_E_NOT_COORDINATOR : GROUP_OK);
}

static void sim_run(int ticks)
{
    for (int tick = 0; tick < ticks; tick++) {
        fake_loop_advance(TICK_MS);
        sim.now_ms += TICK_MS;
        sim_log();
        for (int i = 0; i < ACTORS; i++)
            actor_act(&sim.actors[i]);
        sim_check();
    }
}

static void sim_check_calm(void)
{
    const struct group *group = sim.world.group;
    ck_assert_int_eq(group->state, GROUP_STABLE);
    ck_assert_uint_eq(group->members_count, ACTORS);
    for (int i = 0; i < ACTORS; i++) {
        const struct client *client = sim.actors[i].client;
        ck_assert_int_eq(sim.actors[i].state, ACTOR_MEMBER);
        ck_assert_int_eq(client->generation, group->generation);
        ck_assert_ptr_nonnull(group_member(group, slice_from_str(client->id)));
    }
}

static void sim_one(uint64_t seed, bool dev, int statics)
{
    memset(&sim, 0, sizeof(sim));
    sim.random = seed * 2 + 1;
    log_set_level(getenv("MODEL_LOG") != NULL ? LOG_INFO : LOG_ERROR);
    world_init(&sim.world, dev ? world_dev() : world_strict());
    sim.world.store_auto = false;
    for (int i = 0; i < ACTORS; i++) {
        sim.actors[i].is_static = i < statics;
        snprintf(sim.actors[i].instance, sizeof(sim.actors[i].instance), "s%d", i);
        sim.actors[i].next_ms = sim_random(2000);
    }
    sim_run(TICKS_TROUBLE);
    sim.calm = true;
    sim_run(TICKS_CALM);
    sim_check_calm();
    world_deinit(&sim.world);
    for (size_t i = 0; i < sim.graves_count; i++)
        free(sim.graves[i]);
    for (int i = 0; i < ACTORS; i++)
        free(sim.actors[i].client);
}

START_TEST(dynamic_members_in_dev)
{
    for (uint64_t seed = 0; seed < 60; seed++)
        sim_one(seed, true, 0);
}
END_TEST

START_TEST(dynamic_members_in_strict)
{
    for (uint64_t seed = 0; seed < 60; seed++)
        sim_one(seed + 1000, false, 0);
}
END_TEST

START_TEST(static_and_dynamic_members)
{
    for (uint64_t seed = 0; seed < 60; seed++)
        sim_one(seed + 2000, seed % 2 == 0, 3);
}
END_TEST

TEST_MAIN("broker/group_model", dynamic_members_in_dev, dynamic_members_in_strict,
    static_and_dynamic_members)
