// SPDX-License-Identifier: BSD-2-Clause
/*
 * The machine of the newer group protocol: members by hand where a rule is to be shown, and by seed
 * where all of them are to hold at once: no partition ever has two owners among those who may work
 * with it, a member is fenced only when it broke a rule, and once the trouble stops every partition
 * has exactly one owner and everybody is at the target.
 */
#include "base/log.h"
#include "broker/group/consumer_group.h"
#include "runner.h"
#include "support/fake_loop.h"

#include <stdio.h>

enum { TOPICS = 3, MEMBERS = 8, SESSION_MS = 45000, BEAT_MS = 5000 };

static struct world {
    struct loop *loop;
    struct consumer_group *group;
    struct consumer_limits limits;
    struct consumer_topic topics[TOPICS];
    uint64_t revision, random;
    size_t changed_count;
} world;

static void on_limits(
    void *ctx, const struct consumer_group *group, struct consumer_limits *ret_limits)
{
    (void)ctx, (void)group;
    *ret_limits = world.limits;
}
static uint64_t on_revision(void *ctx)
{
    (void)ctx;
    return world.revision;
}
static bool on_topic(void *ctx, struct slice name, struct consumer_topic *ret_topic)
{
    (void)ctx;
    for (int i = 0; i < TOPICS; i++) {
        if (world.topics[i].partitions_count > 0 && slice_equal(world.topics[i].name, name)) {
            *ret_topic = world.topics[i];
            return true;
        }
    }
    return false;
}
static bool on_topic_by_id(void *ctx, struct uuid id, struct consumer_topic *ret_topic)
{
    (void)ctx;
    for (int i = 0; i < TOPICS; i++) {
        if (uuid_equal(world.topics[i].id, id)) {
            *ret_topic = world.topics[i];
            return true;
        }
    }
    return false;
}
static void on_topics_each(
    void *ctx, void (*fn)(void *arg, const struct consumer_topic *topic), void *arg)
{
    (void)ctx;
    for (int i = 0; i < TOPICS; i++) {
        if (world.topics[i].partitions_count > 0)
            fn(arg, &world.topics[i]);
    }
}
static void on_changed(void *ctx, struct consumer_group *group)
{
    (void)ctx;
    world.changed_count++;
    consumer_group_mark_clean(group);
}
static void on_attach(void *ctx, struct consumer_member *member, uint64_t conn_id)
{
    (void)ctx;
    member->conn_id = conn_id;
}
static uint32_t world_random(uint32_t below)
{
    world.random = world.random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(world.random >> 33) % below;
}
static void on_random(void *ctx, void *data, size_t size)
{
    (void)ctx;
    for (size_t i = 0; i < size; i++)
        ((uint8_t *)data)[i] = (uint8_t)world_random(256);
}

static const struct consumer_hooks hooks = {.limits = on_limits,
    .topics_revision = on_revision,
    .topic = on_topic,
    .topic_by_id = on_topic_by_id,
    .topics_each = on_topics_each,
    .changed = on_changed,
    .attach = on_attach,
    .random = on_random};

static void world_start(uint64_t seed)
{
    static const char *const names[TOPICS] = {"orders", "orders-eu", "bills"};
    log_set_level(LOG_ERROR);
    world = (struct world){.loop = fake_loop_start(), .random = seed, .revision = 1};
    world.limits = (struct consumer_limits){.session_ms = SESSION_MS,
        .heartbeat_ms = BEAT_MS,
        .size_max = 100,
        .assignor = CONSUMER_UNIFORM,
        .assignors = 3,
        .upgrade = true,
        .downgrade = true,
        .disconnect_expiry_ms = 250};
    for (int i = 0; i < TOPICS; i++) {
        memset(world.topics[i].id.bytes, i + 1, UUID_SIZE);
        world.topics[i].name = slice_from_str(names[i]);
        world.topics[i].partitions_count = 6;
    }
    world.group = consumer_group_new(SLICE_LIT("g"), world.loop, &hooks, &world);
}

static void world_end(void)
{
    consumer_group_free(world.group);
    ck_assert_uint_eq(fake_loop_timers_count(), 0);
}

/* --- one member as a client sees itself --- */

struct actor {
    char id[16];
    const char *instance, *assignor;
    struct slice names[TOPICS];
    int32_t names_count;
    const char *pattern;
    int32_t epoch;
    struct consumer_parts owned, assigned;
    enum group_error error;
    bool full; /* says everything next time */
};

static struct actor actor_make(const char *id)
{
    struct actor actor = {.names = {SLICE_LIT("orders")}, .names_count = 1, .full = true};
    snprintf(actor.id, sizeof(actor.id), "%s", id);
    return actor;
}

static void actor_beat_saying(struct actor *actor, bool with_owned)
{
    struct consumer_heartbeat heartbeat = {.member_id = slice_from_str(actor->id),
        .instance_id = slice_from_str(actor->instance),
        .client_id = SLICE_LIT("c"),
        .client_host = SLICE_LIT("/h"),
        .epoch = actor->epoch,
        .rebalance_timeout_ms = actor->full ? 30000 : -1,
        .names = actor->names,
        .names_count = actor->full ? actor->names_count : -1,
        .pattern = slice_from_str(actor->full ? actor->pattern : NULL),
        .assignor = slice_from_str(actor->full ? actor->assignor : NULL),
        .owned = with_owned || actor->full ? &actor->owned : NULL};
    actor->error = consumer_group_heartbeat(world.group, &heartbeat);
    if (actor->error != GROUP_OK)
        return;
    actor->full = false;
    actor->epoch = heartbeat.ret_epoch;
    ck_assert_int_eq(heartbeat.heartbeat_ms, BEAT_MS);
    if (heartbeat.assignment != NULL)
        consumer_parts_replace(&actor->assigned, consumer_parts_copy(heartbeat.assignment));
    consumer_group_mark_clean(world.group);
}

static void actor_beat(struct actor *actor)
{
    actor_beat_saying(actor, true);
}

/* Does what it was told: lets go, and takes. */
static void actor_follow(struct actor *actor)
{
    consumer_parts_replace(&actor->owned, consumer_parts_copy(&actor->assigned));
}

static enum group_error actor_leave(struct actor *actor, int32_t epoch)
{
    struct consumer_heartbeat heartbeat = {.member_id = slice_from_str(actor->id),
        .instance_id = slice_from_str(actor->instance),
        .epoch = epoch};
    return consumer_group_leave(world.group, &heartbeat);
}

static void actor_reset(struct actor *actor)
{
    actor->epoch = 0;
    actor->full = true;
    consumer_parts_free(&actor->owned);
    consumer_parts_free(&actor->assigned);
}

/* All beat and follow until nothing moves. */
static void actors_settle(struct actor *actors, size_t count)
{
    for (int round = 0; round < 20; round++) {
        for (size_t i = 0; i < count; i++) {
            actor_beat(&actors[i]);
            ck_assert_int_eq(actors[i].error, GROUP_OK);
            actor_follow(&actors[i]);
        }
    }
    ck_assert_int_eq(consumer_group_state(world.group), CONSUMER_STABLE);
}

START_TEST(partitions_move_only_when_they_were_let_go)
{
    world_start(1);
    struct actor actors[2] = {actor_make("a"), actor_make("b")};
    ck_assert_int_eq(consumer_group_state(world.group), CONSUMER_EMPTY);
    actor_beat(&actors[0]);
    ck_assert_int_eq(actors[0].epoch, 1);
    ck_assert_uint_eq(actors[0].assigned.count, 6);
    actor_follow(&actors[0]);
    actor_beat(&actors[1]); /* gets nothing yet: all is the other's */
    ck_assert_int_eq(actors[1].epoch, 2);
    ck_assert_uint_eq(actors[1].assigned.count, 0);
    ck_assert_int_eq(consumer_group_state(world.group), CONSUMER_RECONCILING);
    actor_beat(&actors[0]); /* is to let three go, at its old epoch */
    ck_assert_int_eq(actors[0].epoch, 1);
    ck_assert_uint_eq(actors[0].assigned.count, 3);
    actor_beat(&actors[1]);
    ck_assert_uint_eq(actors[1].assigned.count, 0);
    actor_beat_saying(&actors[0], false); /* a sign of life lets nothing go */
    ck_assert_int_eq(actors[0].epoch, 1);
    actor_follow(&actors[0]);
    actor_beat(&actors[0]);
    ck_assert_int_eq(actors[0].epoch, 2);
    actor_beat(&actors[1]);
    ck_assert_uint_eq(actors[1].assigned.count, 3);
    actor_follow(&actors[1]);
    actors_settle(actors, 2);
    ck_assert_int_eq(world.group->epoch, 2);
    for (int i = 0; i < 2; i++)
        actor_reset(&actors[i]);
    world_end();
}
END_TEST

START_TEST(epochs_fence)
{
    world_start(1);
    struct actor a = actor_make("a");
    actor_beat(&a);
    a.epoch = 5;
    actor_beat(&a);
    ck_assert_int_eq(a.error, GROUP_E_FENCED_EPOCH);
    a.epoch = 1;
    struct actor stranger = actor_make("x");
    stranger.epoch = 3;
    actor_beat(&stranger);
    ck_assert_int_eq(stranger.error, GROUP_E_UNKNOWN_MEMBER);
    ck_assert_int_eq(
        consumer_group_may_commit(world.group, SLICE_LIT("a"), 0, false), GROUP_E_STALE_EPOCH);
    ck_assert_int_eq(consumer_group_may_commit(world.group, SLICE_LIT("a"), 1, false), GROUP_OK);
    ck_assert_int_eq(
        consumer_group_may_commit(world.group, SLICE_LIT("x"), 1, false), GROUP_E_UNKNOWN_MEMBER);
    ck_assert_int_eq(consumer_group_may_fetch(world.group, SLICE_LIT(""), -1), GROUP_OK);
    ck_assert_int_eq(consumer_group_may_fetch(world.group, SLICE_LIT("a"), 2), GROUP_E_STALE_EPOCH);
    a.epoch = 0; /* joins anew, whatever it was */
    a.full = true;
    actor_beat(&a);
    ck_assert_int_eq(a.error, GROUP_OK);
    ck_assert_int_eq(a.epoch, 1);
    a.assignor = "nobody";
    a.full = true;
    actor_beat(&a);
    ck_assert_int_eq(a.error, GROUP_E_UNSUPPORTED_ASSIGNOR);
    a.assignor = NULL;
    a.pattern = "(";
    actor_beat(&a);
    ck_assert_int_eq(a.error, GROUP_E_INVALID_REGEX);
    world.limits.size_max = 1;
    struct actor late = actor_make("late");
    actor_beat(&late);
    ck_assert_int_eq(late.error, GROUP_E_FULL);
    actor_reset(&a);
    world_end();
}
END_TEST

START_TEST(who_does_not_let_go_is_dropped)
{
    world_start(1);
    struct actor actors[2] = {actor_make("a"), actor_make("b")};
    actor_beat(&actors[0]);
    actor_follow(&actors[0]);
    actor_beat(&actors[1]);
    actor_beat(&actors[0]);
    for (int i = 0; i < 7; i++) { /* alive, but keeps what it has */
        fake_loop_advance(BEAT_MS);
        actor_beat(&actors[0]);
        actor_beat(&actors[1]);
    }
    ck_assert_int_eq(actors[0].error, GROUP_E_UNKNOWN_MEMBER);
    actors_settle(&actors[1], 1);
    ck_assert_uint_eq(actors[1].owned.count, 6);
    fake_loop_advance(SESSION_MS + 1);
    ck_assert_int_eq(consumer_group_state(world.group), CONSUMER_EMPTY);
    ck_assert_uint_eq(world.changed_count, 2);
    for (int i = 0; i < 2; i++)
        actor_reset(&actors[i]);
    world_end();
}
END_TEST

START_TEST(instances_come_back_to_their_place)
{
    world_start(1);
    struct actor actors[2] = {actor_make("a"), actor_make("b")};
    actors[0].instance = "i0";
    actors[1].instance = "i1";
    actor_beat(&actors[0]);
    actor_follow(&actors[0]);
    actors_settle(actors, 2);
    int32_t epoch = world.group->epoch;
    struct actor other = actor_make("c");
    other.instance = "i0";
    actor_beat(&other);
    ck_assert_int_eq(other.error, GROUP_E_UNRELEASED_INSTANCE);
    ck_assert_int_eq(actor_leave(&actors[0], CONSUMER_EPOCH_LEAVE_STATIC), GROUP_OK);
    actor_beat(&other);
    ck_assert_int_eq(other.error, GROUP_OK);
    ck_assert_int_eq(other.epoch, epoch);
    ck_assert(consumer_parts_equal(&other.assigned, &actors[0].owned));
    actor_beat(&actors[0]);
    ck_assert_int_eq(actors[0].error, GROUP_E_FENCED_INSTANCE);
    ck_assert_int_eq(actor_leave(&actors[0], CONSUMER_EPOCH_LEAVE), GROUP_E_FENCED_INSTANCE);
    ck_assert_int_eq(world.group->epoch, epoch);
    ck_assert_int_eq(actor_leave(&other, CONSUMER_EPOCH_LEAVE), GROUP_OK);
    ck_assert_int_eq(world.group->epoch, epoch + 1);
    actor_reset(&other);
    for (int i = 0; i < 2; i++)
        actor_reset(&actors[i]);
    world_end();
}
END_TEST

START_TEST(topics_come_grow_and_go)
{
    world_start(1);
    world.topics[1].partitions_count = 0;
    struct actor a = actor_make("a");
    a.names_count = 0;
    a.pattern = "orders.*";
    actor_beat(&a);
    ck_assert_uint_eq(a.assigned.count, 6);
    world.topics[2].partitions_count = 9; /* nobody's business */
    world.revision++;
    actor_beat(&a);
    ck_assert_int_eq(world.group->epoch, 1);
    world.topics[1].partitions_count = 2;
    world.revision++;
    actor_follow(&a);
    actors_settle(&a, 1);
    ck_assert_uint_eq(a.owned.count, 8);
    world.topics[0].partitions_count = 7;
    world.revision++;
    actors_settle(&a, 1);
    ck_assert_uint_eq(a.owned.count, 9);
    world.topics[0].partitions_count = 0;
    world.revision++;
    actors_settle(&a, 1);
    ck_assert_uint_eq(a.owned.count, 2);
    ck_assert_int_eq(world.group->epoch, 4);
    actor_reset(&a);
    world_end();
}
END_TEST

/* --- assignors --- */

START_TEST(assignors_deal_fairly)
{
    static struct consumer_topic items[2] = {{.partitions_count = 7}, {.partitions_count = 3}};
    memset(items[1].id.bytes, 1, UUID_SIZE);
    struct consumer_topics both = {items, 2}, one = {items, 1};
    struct consumer_parts none = CONSUMER_PARTS_NULL;
    struct assign_member members[4] = {{.id = SLICE_LIT("c"), .topics = &both, .before = &none},
        {.id = SLICE_LIT("b"), .topics = &both, .before = &none},
        {.id = SLICE_LIT("a"), .topics = &both, .before = &none},
        {.id = SLICE_LIT("z"), .instance_id = SLICE_LIT("i"), .topics = &one, .before = &none}};
    consumer_assign(CONSUMER_UNIFORM, members, 3);
    size_t total = 0;
    for (int i = 0; i < 3; i++) {
        ck_assert_uint_ge(members[i].after.count, 3);
        ck_assert_uint_le(members[i].after.count, 4);
        total += members[i].after.count;
    }
    ck_assert_uint_eq(total, 10);
    struct consumer_parts before[3];
    for (int i = 0; i < 3; i++) { /* another comes: nobody gets what it had not, but that one */
        before[i] = members[i].after;
        members[i].before = &before[i];
    }
    consumer_assign(CONSUMER_UNIFORM, members, 4);
    total = 0;
    for (int i = 0; i < 4; i++) {
        ck_assert_uint_ge(members[i].after.count, 2);
        ck_assert_uint_le(members[i].after.count, 3);
        ck_assert(i == 3 || consumer_parts_subset(&members[i].after, &before[i]));
        total += members[i].after.count;
        consumer_parts_free(&members[i].after);
    }
    ck_assert_uint_eq(total, 10);
    consumer_assign(CONSUMER_RANGE, members, 4);
    ck_assert(slice_equal_str(members[0].instance_id, "i"));
    ck_assert_uint_eq(members[0].after.count, 2); /* 7 over 4: 2 2 2 1 */
    ck_assert_uint_eq(members[1].after.count, 3); /* "a": and one of the other topic */
    ck_assert_uint_eq(members[3].after.count, 2);
    for (int i = 0; i < 4; i++)
        consumer_parts_free(&members[i].after);
    for (int i = 0; i < 3; i++)
        consumer_parts_free(&before[i]);
}
END_TEST

/* --- by seed --- */

struct sim_actor {
    struct actor actor;
    bool up;
    bool lossy; /* missed an answer: may be told to begin anew */
    int64_t next_ms, heard_ms;
};

static void sim_check_owners(const struct sim_actor *actors)
{
    for (int i = 0; i < MEMBERS; i++) {
        for (int j = i + 1; j < MEMBERS; j++) {
            if (actors[i].up && actors[j].up)
                ck_assert_msg(!consumer_parts_meet(&actors[i].actor.owned, &actors[j].actor.owned),
                    "%s and %s work with the same partition", actors[i].actor.id,
                    actors[j].actor.id);
        }
    }
}

static void sim_choose(struct sim_actor *sim)
{
    struct actor *actor = &sim->actor;
    actor->names_count = 0;
    for (int i = 0; i < TOPICS; i++) {
        if (world_random(2) == 0)
            actor->names[actor->names_count++] = world.topics[i].name;
    }
    if (actor->names_count == 0)
        actor->names[actor->names_count++] = world.topics[0].name;
    actor->pattern = world_random(4) == 0 ? "orders.*" : "";
    actor->assignor = world_random(3) == 0 ? "range" : "uniform";
    actor->full = true;
}

static void sim_up(struct sim_actor *sim, int generation)
{
    snprintf(sim->actor.id, sizeof(sim->actor.id), "%c-%d", sim->actor.id[0], generation);
    actor_reset(&sim->actor);
    sim_choose(sim);
    sim->up = true;
    sim->lossy = false;
}

static void sim_beat(struct sim_actor *sim, bool calm, int64_t now_ms)
{
    struct actor *actor = &sim->actor;
    if (!calm && world_random(12) == 0 && actor->epoch > 0)
        sim_choose(sim);
    int32_t epoch = actor->epoch;
    actor_beat_saying(actor, world_random(4) != 0 || calm);
    if (actor->error != GROUP_OK) {
        ck_assert_msg(sim->lossy || epoch == 0 || actor->error == GROUP_E_UNRELEASED_INSTANCE,
            "%s kept the rules and got %d", actor->id, (int)actor->error);
        actor_reset(actor);
        sim->lossy = false;
    } else {
        sim->heard_ms = now_ms;
        bool lost = !calm && world_random(10) == 0 && epoch > 0;
        sim->lossy = sim->lossy || lost;
        if (lost)
            actor->epoch = epoch;
        else if (calm || world_random(3) != 0)
            actor_follow(actor);
        else
            sim->lossy = true; /* slow to follow: may be dropped for it */
    }
}

static void sim_trouble(struct sim_actor *sim, int tick)
{
    switch (world_random(60)) {
    case 0: /* crashes, and comes back as somebody new */
        sim->up = false;
        actor_reset(&sim->actor);
        break;
    case 1:
        if (sim->actor.epoch > 0)
            actor_leave(&sim->actor,
                sim->actor.instance != NULL ? CONSUMER_EPOCH_LEAVE_STATIC : CONSUMER_EPOCH_LEAVE);
        sim->up = false;
        actor_reset(&sim->actor);
        break;
    case 2:
        world.topics[world_random(TOPICS)].partitions_count = (int32_t)world_random(9);
        world.revision += (uint64_t)tick + 1;
        break;
    default: break;
    }
}

static void sim_check_end(const struct sim_actor *actors)
{
    ck_assert_int_eq(consumer_group_state(world.group), CONSUMER_STABLE);
    for (int t = 0; t < TOPICS; t++) {
        for (int32_t p = 0; p < world.topics[t].partitions_count; p++) {
            struct consumer_part part = {world.topics[t].id, p};
            int owners = 0, wanted = 0;
            for (int i = 0; i < MEMBERS; i++) {
                const struct actor *actor = &actors[i].actor;
                owners += consumer_parts_contain(&actor->owned, &part);
                wanted += actor->pattern[0] != 0 && t < 2;
                for (int32_t n = 0; n < actor->names_count; n++)
                    wanted += slice_equal(actor->names[n], world.topics[t].name);
            }
            ck_assert_int_eq(owners, wanted > 0 ? 1 : 0);
        }
    }
}

static void sim_run(uint64_t seed)
{
    world_start(seed);
    struct sim_actor actors[MEMBERS] = {0};
    for (int i = 0; i < MEMBERS; i++) {
        static const char *const instances[] = {"i0", "i1"};
        actors[i].actor.id[0] = (char)('a' + i);
        actors[i].actor.instance = i < 2 ? instances[i] : NULL;
        actors[i].actor.pattern = "";
    }
    for (int tick = 0; tick < 900; tick++) {
        bool calm = tick > 600;
        fake_loop_advance(500);
        for (int i = 0; i < MEMBERS; i++) {
            struct sim_actor *sim = &actors[i];
            int64_t now_ms = tick * 500;
            if (!sim->up && (calm || world_random(20) == 0))
                sim_up(sim, tick);
            if (!sim->up || now_ms < sim->next_ms)
                continue;
            sim->next_ms = now_ms + (calm ? 1000 : 500 + world_random(9) * 500);
            sim_beat(sim, calm, now_ms);
            if (!calm)
                sim_trouble(sim, tick);
            sim_check_owners(actors);
        }
    }
    sim_check_end(actors);
    for (int i = 0; i < MEMBERS; i++)
        actor_reset(&actors[i].actor);
    world_end();
}

START_TEST(nobody_shares_a_partition)
{
    for (uint64_t seed = 0; seed < 8; seed++)
        sim_run(seed);
}
END_TEST

TEST_MAIN("broker/consumer_group", partitions_move_only_when_they_were_let_go, epochs_fence,
    who_does_not_let_go_is_dropped, instances_come_back_to_their_place, topics_come_grow_and_go,
    assignors_deal_fairly, nobody_shares_a_partition)
