// SPDX-License-Identifier: BSD-2-Clause
/* Share groups in their shard, above share coordinators that hold back, refuse, and count. */
#include "base/log.h"
#include "broker/group/groups_shard.h"
#include "broker/group/share_group.h"
#include "runner.h"
#include "support/groups_world.h"

#include <stdio.h>

static void start(void)
{
    log_set_level(LOG_ERROR);
    groups_world_start();
    struct group_settings *settings = &groups_world_settings()->group;
    settings->share_enabled = true;
    settings->share_size_max = 200;
    settings->share_session_ms = (struct group_key_range){45000, 1, 60000};
    settings->share_heartbeat_ms = (struct group_key_range){5000, 1, 15000};
    groups_world_make_offsets();
    groups_world_load();
}

static struct groups_shard *shard_of(const char *group)
{
    struct groups_op op = {.broker = groups_world_broker(), .group = slice_from_str(group)};
    ck_assert_int_eq(groups_enter(&op), GROUPS_HERE);
    return op.shard;
}

static struct groups_entry *entry_of(const char *group)
{
    return groups_find(shard_of(group), slice_from_str(group));
}

static const struct share_group *share_of(const char *group)
{
    return entry_of(group)->consumer->share;
}

struct beat {
    struct groups_consumer_call call;
    bool answered, over;
    enum group_error error;
    int32_t epoch;
    size_t assigned; /* stays when the answer does not say */
};

static void beat_on_answer(struct groups_consumer_call *call)
{
    struct beat *beat = container_of(call, struct beat, call);
    beat->answered = true;
    beat->epoch = call->heartbeat.ret_epoch;
    if (call->heartbeat.assignment != NULL)
        beat->assigned = call->heartbeat.assignment->count;
}

static void beat_on_done(struct groups_consumer_call *call, enum group_error error)
{
    struct beat *beat = container_of(call, struct beat, call);
    beat->over = true;
    beat->error = error;
}

static void beat(struct beat *beat, const char *group, const char *member, int32_t epoch)
{
    static const struct slice names[] = {SLICE_LIT("orders")};
    beat->answered = beat->over = false;
    beat->call.answer = beat_on_answer;
    beat->call.done = beat_on_done;
    beat->call.heartbeat = (struct consumer_heartbeat){.share = true,
        .member_id = slice_from_str(member),
        .client_id = SLICE_LIT("c"),
        .client_host = SLICE_LIT("/127.0.0.1"),
        .epoch = epoch,
        .rebalance_timeout_ms = -1,
        .names = names,
        .names_count = epoch == 0 ? 1 : -1};
    groups_consumer_heartbeat(shard_of(group), slice_from_str(group), &beat->call);
}

static void beat_well(struct beat *call, const char *group, const char *member, int32_t epoch)
{
    beat(call, group, member, epoch);
    fake_loop_advance(0);
    ck_assert(call->over);
    ck_assert_int_eq(call->error, GROUP_OK);
}

START_TEST(a_join_waits_for_the_states)
{
    start();
    struct beat first = {.answered = false}, second = {.answered = false};
    groups_world_hold_states(true);
    beat(&first, "g", "a", 0);
    beat(&second, "g", "b", 0);
    fake_loop_advance(0);
    ck_assert(!first.answered && !second.answered);
    ck_assert_uint_eq(share_of("g")->initializing.count, 3);
    groups_world_hold_states(false);
    fake_loop_advance(0);
    ck_assert(first.over && second.over);
    ck_assert_uint_eq(first.assigned + second.assigned, 3);
    ck_assert_int_eq(first.epoch, second.epoch);
    ck_assert_uint_eq(groups_world_states_made(), 3);
    ck_assert_uint_eq(share_of("g")->initialized.count, 3);
    beat_well(&first, "g", "a", first.epoch);
    ck_assert_uint_eq(groups_world_states_made(), 3);
    groups_world_end();
}
END_TEST

START_TEST(what_failed_is_tried_again)
{
    start();
    struct beat first = {.answered = false};
    groups_world_fail_states(true);
    beat_well(&first, "g", "a", 0);
    ck_assert_uint_eq(first.assigned, 0);
    beat_well(&first, "g", "a", first.epoch);
    ck_assert_uint_eq(first.assigned, 0);
    groups_world_fail_states(false);
    fake_loop_advance(1000);
    beat_well(&first, "g", "a", first.epoch);
    fake_loop_advance(0);
    beat_well(&first, "g", "a", first.epoch);
    ck_assert_uint_eq(first.assigned, 3);
    groups_world_end();
}
END_TEST

START_TEST(a_restart_goes_on)
{
    start();
    struct beat first = {.answered = false};
    groups_world_hold_states(true);
    beat(&first, "g", "a", 0);
    fake_loop_advance(0);
    ck_assert(!first.over);
    groups_world_lose();
    ck_assert(first.over);
    ck_assert_int_eq(first.error, GROUP_E_NOT_COORDINATOR);
    groups_world_hold_states(false); /* answers to whom nobody waits for */
    fake_loop_advance(0);
    groups_world_load();
    fake_loop_advance(0);
    ck_assert_uint_eq(share_of("g")->initialized.count, 3);
    ck_assert_uint_eq(groups_world_states_made(), 6);
    const struct consumer_member *member =
        consumer_group_member(entry_of("g")->consumer, SLICE_LIT("a"));
    ck_assert_ptr_nonnull(member);
    beat_well(&first, "g", "a", member->epoch);
    ck_assert_uint_eq(first.assigned, 3);
    int32_t epoch = first.epoch;
    groups_world_restart();
    beat_well(&first, "g", "a", epoch);
    ck_assert_int_eq(first.epoch, epoch);
    ck_assert_uint_eq(groups_world_states_made(), 6);
    groups_world_end();
}
END_TEST

struct removal {
    struct groups_deletion deletion;
    bool over;
    enum group_error error;
};

static void removal_on_done(struct groups_deletion *deletion, enum group_error error)
{
    struct removal *removal = container_of(deletion, struct removal, deletion);
    removal->over = true;
    removal->error = error;
}

static void removal_start(struct removal *removal, const char *group)
{
    *removal = (struct removal){.deletion = {.done = removal_on_done}};
    groups_delete(shard_of(group), slice_from_str(group), &removal->deletion);
}

START_TEST(a_deletion_takes_the_states_along)
{
    start();
    struct beat first = {.answered = false};
    struct removal removal;
    beat_well(&first, "g", "a", 0);
    removal_start(&removal, "g");
    ck_assert_int_eq(removal.error, GROUP_E_NON_EMPTY);
    beat_well(&first, "g", "a", -1);
    groups_world_fail_states(true);
    removal_start(&removal, "g");
    fake_loop_advance(0);
    ck_assert(removal.over);
    ck_assert_int_eq(removal.error, GROUP_E_UNAVAILABLE);
    ck_assert_ptr_nonnull(entry_of("g"));
    groups_world_fail_states(false);
    groups_world_hold_states(true);
    removal_start(&removal, "g");
    fake_loop_advance(0);
    beat(&first, "g", "a", 0); /* comes too early */
    ck_assert(first.over);
    ck_assert_int_eq(first.error, GROUP_E_UNAVAILABLE);
    groups_world_hold_states(false);
    fake_loop_advance(0);
    ck_assert(removal.over);
    ck_assert_int_eq(removal.error, GROUP_OK);
    ck_assert_uint_eq(groups_world_states_removed(), 3);
    ck_assert_ptr_null(entry_of("g"));
    groups_world_restart();
    ck_assert_ptr_null(entry_of("g"));
    groups_world_end();
}
END_TEST

START_TEST(a_deletion_goes_on_after_a_restart)
{
    start();
    struct beat first = {.answered = false};
    struct removal removal;
    beat_well(&first, "g", "a", 0);
    beat_well(&first, "g", "a", -1);
    groups_world_hold_states(true);
    removal_start(&removal, "g");
    fake_loop_advance(0);
    groups_world_lose();
    ck_assert(removal.over);
    groups_world_hold_states(false);
    fake_loop_advance(0);
    groups_world_load();
    fake_loop_advance(0);
    ck_assert_uint_eq(groups_world_states_removed(), 6);
    ck_assert_uint_eq(share_of("g")->deleting.count, 0);
    ck_assert_uint_eq(share_of("g")->initialized.count, 0);
    removal_start(&removal, "g");
    fake_loop_advance(0);
    ck_assert_int_eq(removal.error, GROUP_OK);
    groups_world_end();
}
END_TEST

struct changing {
    struct groups_share_change change;
    struct groups_share_item item;
    bool over;
    enum group_error error;
};

static void changing_on_done(struct groups_share_change *change, enum group_error error)
{
    struct changing *changing = container_of(change, struct changing, change);
    changing->over = true;
    changing->error = error == GROUP_OK ? changing->item.error : error;
}

static void changing_start(struct changing *changing, const char *group, bool alter)
{
    struct topic *topic = image_topic(NULL, SLICE_LIT("orders"));
    *changing = (struct changing){.item = {.topic = topic->id, .name = SLICE_LIT("orders")},
        .change = {.items_count = 1, .done = changing_on_done}};
    changing->change.items = &changing->item;
    (alter ? groups_share_alter : groups_share_delete_topics)(
        shard_of(group), slice_from_str(group), &changing->change);
    fake_loop_advance(0);
}

START_TEST(a_change_says_what_failed)
{
    start();
    struct beat first = {.answered = false};
    struct changing changing;
    beat_well(&first, "g", "a", 0);
    changing_start(&changing, "g", false);
    ck_assert_int_eq(changing.error, GROUP_E_NON_EMPTY);
    beat_well(&first, "g", "a", -1);
    groups_world_fail_states(true);
    changing_start(&changing, "g", true);
    ck_assert(changing.over);
    ck_assert_int_eq(changing.error, GROUP_E_UNAVAILABLE);
    changing_start(&changing, "g", false);
    ck_assert(changing.over);
    ck_assert_int_eq(changing.error, GROUP_E_UNAVAILABLE);
    changing_start(&changing, "g", true); /* while it is being forgotten */
    ck_assert_int_eq(changing.error, GROUP_E_UNAVAILABLE);
    groups_world_fail_states(false);
    changing_start(&changing, "g", false);
    ck_assert_int_eq(changing.error, GROUP_OK);
    ck_assert_uint_eq(share_of("g")->names.count, 0);
    changing_start(&changing, "g", true);
    ck_assert_int_eq(changing.error, GROUP_OK);
    ck_assert_uint_eq(share_of("g")->initialized.count, 1);
    groups_world_end();
}
END_TEST

START_TEST(a_silent_member_goes)
{
    start();
    struct beat first = {.answered = false}, second = {.answered = false};
    beat_well(&first, "g", "a", 0);
    beat_well(&second, "g", "b", 0);
    fake_loop_advance(30000);
    beat_well(&first, "g", "a", first.epoch);
    fake_loop_advance(30000);
    ck_assert_uint_eq(entry_of("g")->consumer->members_count, 1);
    beat_well(&first, "g", "a", first.epoch);
    ck_assert_uint_eq(first.assigned, 3);
    groups_world_end();
}
END_TEST

/* --- by seed --- */

enum { MEMBERS = 6, STEPS = 120, SEEDS = 60 };

struct actor {
    struct beat beat;
    char id[8];
    bool in;
};

static uint64_t seed_state;

static unsigned random_below(unsigned below)
{
    seed_state = seed_state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(seed_state >> 33) % below;
}

/* A heartbeat as a client sends it: none while one is on its way; who is refused joins anew. */
static void actor_beat(struct actor *actor)
{
    if (actor->in && !actor->beat.over)
        return;
    if (actor->beat.error == GROUP_E_UNKNOWN_MEMBER || actor->beat.error == GROUP_E_FENCED_EPOCH ||
        actor->beat.error == GROUP_E_NOT_FOUND)
        actor->in = false;
    int32_t epoch = actor->in && actor->beat.answered ? actor->beat.epoch : 0;
    if (epoch == 0)
        actor->beat.assigned = 0;
    actor->in = true;
    beat(&actor->beat, "g", actor->id, epoch);
}

static void actor_leave(struct actor *actor)
{
    if (!actor->in || !actor->beat.over)
        return;
    beat(&actor->beat, "g", actor->id, -1);
    fake_loop_advance(0);
    actor->in = false;
    actor->beat = (struct beat){.over = true};
}

static void random_step(struct actor *actors)
{
    struct actor *actor = &actors[random_below(MEMBERS)];
    switch (random_below(12)) {
    case 0: actor_leave(actor); break;
    case 1: groups_world_fail_states(random_below(2) == 0); break;
    case 2: groups_world_hold_states(random_below(2) == 0); break;
    case 3: fake_loop_advance(random_below(20000)); break;
    case 4:
        groups_world_lose();
        fake_loop_advance(0);
        groups_world_load();
        break;
    case 5: fake_loop_advance(0); break;
    default: actor_beat(actor); break;
    }
}

static void check_quiet(struct actor *actors)
{
    const struct consumer_group *group = entry_of("g")->consumer;
    size_t holders[3] = {0};
    ck_assert_uint_eq(group->share->initialized.count, 3);
    ck_assert_uint_eq(group->share->initializing.count, 0);
    ck_assert_uint_eq(group->members_count, MEMBERS);
    for (int i = 0; i < MEMBERS; i++) {
        const struct consumer_member *member =
            consumer_group_member(group, slice_from_str(actors[i].id));
        ck_assert_ptr_nonnull(member);
        ck_assert_int_eq(member->epoch, group->target_epoch);
        ck_assert_int_eq(actors[i].beat.epoch, member->epoch);
        ck_assert(consumer_parts_equal(&member->owned, &member->target));
        ck_assert_uint_eq(actors[i].beat.assigned, member->owned.count);
        ck_assert_uint_eq(member->owned.count, 1);
        holders[member->owned.items[0].partition]++;
    }
    for (int p = 0; p < 3; p++)
        ck_assert_uint_eq(holders[p], MEMBERS / 3);
}

START_TEST(whatever_happens_it_settles)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct actor actors[MEMBERS];
        start();
        seed_state = seed;
        for (int i = 0; i < MEMBERS; i++) {
            actors[i] = (struct actor){.beat = {.over = true}};
            snprintf(actors[i].id, sizeof(actors[i].id), "m%d", i);
        }
        for (int step = 0; step < STEPS; step++)
            random_step(actors);
        groups_world_fail_states(false);
        groups_world_hold_states(false);
        fake_loop_advance(60000); /* whoever is silent is gone, and knows */
        for (int round = 0; round < 4; round++) {
            for (int i = 0; i < MEMBERS; i++) {
                actor_beat(&actors[i]);
                fake_loop_advance(0);
            }
            fake_loop_advance(1000);
        }
        check_quiet(actors);
        groups_world_restart();
        for (int i = 0; i < MEMBERS; i++)
            actor_beat(&actors[i]);
        fake_loop_advance(0);
        check_quiet(actors);
        groups_world_end();
    }
}
END_TEST

TEST_MAIN("broker/groups_share", a_join_waits_for_the_states, what_failed_is_tried_again,
    a_restart_goes_on, a_deletion_takes_the_states_along, a_deletion_goes_on_after_a_restart,
    a_change_says_what_failed, a_silent_member_goes, whatever_happens_it_settles)
