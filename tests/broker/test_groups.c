// SPDX-License-Identifier: BSD-2-Clause
#include "base/log.h"
#include "broker/group/groups_shard.h"
#include "runner.h"
#include "support/groups_world.h"

#include <stdio.h>
#include <string.h>

static void start(void)
{
    log_set_level(LOG_ERROR);
    groups_world_start();
    groups_world_make_offsets();
    groups_world_load();
}

/* --- one of everything --- */

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

struct member {
    const char *group;
    char id[64];
    int32_t generation;
    enum group_error error;
    bool waiting;
    char assignment[64];
    uint64_t conn_id;
    struct group_join join;
    struct group_sync sync;
};

static void member_on_joined(struct group_join *join, const struct group_join_answer *answer)
{
    struct member *member = container_of(join, struct member, join);
    member->waiting = false;
    member->error = answer->error;
    member->generation = answer->generation;
    snprintf(member->id, sizeof(member->id), "%.*s", SLICE_FMT(answer->member_id));
}

/* "orders" and nothing else, version 0 of the consumer protocol */
static const char subscription[] = "\0\0\0\0\0\1\0\6orders\xff\xff\xff\xff";

static void member_join(struct member *member, const char *group)
{
    char id[64];
    memcpy(id, member->id, sizeof(id));
    struct group_protocol protocol = {
        SLICE_LIT("range"), slice_make(subscription, sizeof(subscription) - 1)};
    member->group = group;
    member->waiting = true;
    member->join = (struct group_join){.member_id = slice_from_str(id),
        .client_id = SLICE_LIT("c"),
        .client_host = SLICE_LIT("/127.0.0.1"),
        .protocol_type = SLICE_LIT("consumer"),
        .protocols = &protocol,
        .protocols_count = 1,
        .session_timeout_ms = 10000,
        .rebalance_timeout_ms = 60000,
        .conn_id = member->conn_id,
        .done = member_on_joined};
    groups_join(shard_of(group), slice_from_str(group), &member->join);
}

static void member_on_synced(struct group_sync *sync, const struct group_sync_answer *answer)
{
    struct member *member = container_of(sync, struct member, sync);
    member->waiting = false;
    member->error = answer->error;
    snprintf(member->assignment, sizeof(member->assignment), "%.*s", SLICE_FMT(answer->assignment));
}

static void member_sync(struct member *member)
{
    struct group_assignment assignment = {slice_from_str(member->id), SLICE_LIT("yours")};
    member->waiting = true;
    member->sync = (struct group_sync){.member_id = slice_from_str(member->id),
        .generation = member->generation,
        .assignments = &assignment,
        .assignments_count = 1,
        .conn_id = member->conn_id,
        .done = member_on_synced};
    groups_sync(shard_of(member->group), slice_from_str(member->group), &member->sync);
}

static void member_stabilize(struct member *member, const char *group)
{
    member_join(member, group);
    fake_loop_advance(20);
    ck_assert_int_eq(member->error, GROUP_OK);
    member_sync(member);
    fake_loop_turn();
    ck_assert_int_eq(member->error, GROUP_OK);
    ck_assert_str_eq(member->assignment, "yours");
}

struct commit {
    struct groups_commit commit;
    struct groups_commit_item item;
    bool done;
};

static void commit_on_done(struct groups_commit *commit)
{
    container_of(commit, struct commit, commit)->done = true;
}

static void commit_begin(struct commit *my, const char *group, const char *member,
    int32_t generation, const char *topic, int64_t offset)
{
    *my = (struct commit){.item = {.offset = {.topic = slice_from_str(topic),
                                       .partition = 1,
                                       .offset = offset,
                                       .leader_epoch = 5,
                                       .metadata = SLICE_LIT("note")}}};
    my->commit = (struct groups_commit){.member_id = slice_from_str(member),
        .generation = generation,
        .retention_ms = -1,
        .items = &my->item,
        .items_count = 1,
        .done = commit_on_done};
    groups_commit(shard_of(group), slice_from_str(group), &my->commit);
}

static enum group_error commit_one(const char *group, const char *topic, int64_t offset)
{
    struct commit my;
    commit_begin(&my, group, "", -1, topic, offset);
    fake_loop_turn();
    ck_assert(my.done);
    return my.item.error;
}

static int64_t committed(const char *group, const char *topic)
{
    struct groups_entry *entry = entry_of(group);
    const struct group_offset *offset =
        entry == NULL ? NULL : group_offsets_get(&entry->offsets, slice_from_str(topic), 1);
    return offset == NULL ? -100 : offset->offset;
}

struct deletion {
    struct groups_deletion deletion;
    struct groups_commit_item item;
    bool done;
    enum group_error error;
};

static void deletion_on_done(struct groups_deletion *deletion, enum group_error error)
{
    struct deletion *my = container_of(deletion, struct deletion, deletion);
    my->done = true;
    my->error = error;
}

static enum group_error delete_group(const char *group)
{
    struct deletion my = {.deletion = {.done = deletion_on_done}};
    groups_delete(shard_of(group), slice_from_str(group), &my.deletion);
    fake_loop_turn();
    ck_assert(my.done);
    return my.error;
}

static enum group_error delete_offset(
    const char *group, const char *topic, enum group_error *ret_item)
{
    struct deletion my = {.item = {.offset = {.topic = slice_from_str(topic), .partition = 1}}};
    my.deletion =
        (struct groups_deletion){.done = deletion_on_done, .items = &my.item, .items_count = 1};
    groups_delete_offsets(shard_of(group), slice_from_str(group), &my.deletion);
    fake_loop_turn();
    ck_assert(my.done);
    *ret_item = my.item.error;
    return my.error;
}

/* --- offsets --- */

START_TEST(a_commit_is_seen_once_it_is_on_the_log)
{
    start();
    groups_world_hold(true);
    struct commit first, second;
    commit_begin(&first, "g", "", -1, "orders", 10);
    commit_begin(&second, "g", "", -1, "orders", 20);
    fake_loop_turn();
    ck_assert(!first.done);
    ck_assert_int_eq(committed("g", "orders"), -100);
    groups_world_hold(false);
    ck_assert(first.done && second.done);
    ck_assert_int_eq(committed("g", "orders"), 20);
    ck_assert_int_eq(commit_one("g", "orders", -2), GROUP_OK);
    ck_assert_int_eq(committed("g", "orders"), -2); /* verbatim */
    groups_world_end();
}
END_TEST

START_TEST(a_failed_commit_changes_nothing)
{
    start();
    ck_assert_int_eq(commit_one("g", "orders", 1), GROUP_OK);
    groups_world_fail_appends(true);
    ck_assert_int_eq(commit_one("g", "orders", 2), GROUP_E_NOT_COORDINATOR);
    groups_world_fail_appends(false);
    ck_assert_int_eq(committed("g", "orders"), 1);
    groups_world_end();
}
END_TEST

START_TEST(who_is_refused)
{
    start();
    struct commit my;
    commit_begin(&my, "nobody", "m", 3, "orders", 1);
    ck_assert(my.done && my.commit.absent);
    ck_assert_int_eq(my.item.error, GROUP_E_ILLEGAL_GENERATION);
    struct member member = {0};
    member_stabilize(&member, "g");
    ck_assert_int_eq(commit_one("g", "orders", 1), GROUP_E_UNKNOWN_MEMBER);
    commit_begin(&my, "g", member.id, member.generation, "orders", 1);
    fake_loop_turn();
    ck_assert_int_eq(my.item.error, GROUP_OK);
    groups_world_end();
}
END_TEST

START_TEST(long_metadata_is_refused_alone)
{
    static char text[4097], accents[4096 * 2];
    start();
    memset(text, 'x', sizeof(text));
    for (size_t i = 0; i < 4096; i++)
        memcpy(accents + i * 2, "\xc3\xa9", 2); /* two bytes, one unit as Kafka counts */
    struct groups_commit_item items[3] = {0};
    for (int i = 0; i < 3; i++)
        items[i].offset = (struct group_offset){
            .topic = SLICE_LIT("orders"), .partition = i, .offset = i, .metadata = SLICE_LIT("")};
    items[0].offset.metadata = slice_make(accents, sizeof(accents));
    items[1].offset.metadata = slice_make(text, sizeof(text));
    struct commit my = {.commit = {.generation = -1,
                            .retention_ms = -1,
                            .items = items,
                            .items_count = 3,
                            .done = commit_on_done}};
    groups_commit(shard_of("g"), SLICE_LIT("g"), &my.commit);
    fake_loop_turn();
    ck_assert(my.done);
    ck_assert_int_eq(items[0].error, GROUP_OK);
    ck_assert_int_eq(items[1].error, GROUP_E_METADATA_TOO_LARGE);
    ck_assert_int_eq(items[2].error, GROUP_OK);
    groups_world_end();
}
END_TEST

/* --- restart --- */

START_TEST(a_restart_changes_nothing)
{
    start();
    struct member member = {0};
    member_stabilize(&member, "g");
    struct commit my;
    commit_begin(&my, "g", member.id, 1, "orders", 42);
    fake_loop_turn();
    commit_one("simple", "trades", 7);
    groups_world_restart();
    ck_assert_int_eq(committed("g", "orders"), 42);
    ck_assert_int_eq(committed("simple", "trades"), 7);
    const struct groups_entry *entry = entry_of("g");
    ck_assert_int_eq(entry->group->state, GROUP_STABLE);
    ck_assert_int_eq(entry->group->generation, 1);
    const struct group_offset *offset = group_offsets_get(&entry->offsets, SLICE_LIT("orders"), 1);
    ck_assert(slice_equal_str(offset->metadata, "note"));
    ck_assert_int_eq(offset->leader_epoch, 5);
    fake_loop_advance(9999); /* a fresh session */
    ck_assert_int_eq(
        group_heartbeat(entry->group, slice_from_str(member.id), SLICE_NULL, 1, 0), GROUP_OK);
    member_sync(&member);
    ck_assert_str_eq(member.assignment, "yours");
    ck_assert_ptr_null(entry_of("other"));
    groups_world_end();
}
END_TEST

START_TEST(what_was_deleted_stays_deleted)
{
    start();
    commit_one("g", "orders", 1);
    commit_one("h", "orders", 1);
    struct member member = {0};
    member_stabilize(&member, "i");
    group_leave(entry_of("i")->group, slice_from_str(member.id), SLICE_NULL, SLICE_NULL);
    fake_loop_turn();
    ck_assert_int_eq(entry_of("i")->group->generation, 2);
    ck_assert_int_eq(delete_group("g"), GROUP_OK);
    ck_assert_int_eq(delete_group("i"), GROUP_OK);
    ck_assert_int_eq(delete_group("g"), GROUP_E_NOT_FOUND);
    groups_world_restart();
    ck_assert_ptr_null(entry_of("g"));
    ck_assert_ptr_null(entry_of("i"));
    ck_assert_ptr_nonnull(entry_of("h"));
    groups_world_end();
}
END_TEST

START_TEST(an_empty_group_comes_back_empty)
{
    start();
    struct member member = {0};
    member_stabilize(&member, "g");
    struct commit my;
    commit_begin(&my, "g", member.id, 1, "orders", 3);
    fake_loop_turn();
    group_leave(entry_of("g")->group, slice_from_str(member.id), SLICE_NULL, SLICE_NULL);
    fake_loop_turn();
    groups_world_restart();
    ck_assert_int_eq(entry_of("g")->group->state, GROUP_EMPTY);
    ck_assert_int_eq(entry_of("g")->group->generation, 2);
    ck_assert_int_eq(committed("g", "orders"), 3);
    member.id[0] = 0;
    member_join(&member, "g");
    fake_loop_advance(100);
    ck_assert_int_eq(member.generation, 3);
    groups_world_end();
}
END_TEST

START_TEST(compressed_batches_are_read)
{
    start();
    for (int16_t codec = BATCH_NONE; codec <= BATCH_ZSTD; codec++) {
        groups_world_write("g", codec, -1, 100 + codec);
        groups_world_restart();
        ck_assert_int_eq(committed("g", "orders"), 100 + codec);
    }
    groups_world_end();
}
END_TEST

START_TEST(transactions_count_from_their_marker_on)
{
    start();
    groups_world_write("g", BATCH_TRANSACTIONAL, 7, 10);
    groups_world_write("g", BATCH_TRANSACTIONAL, 8, 20);
    groups_world_write("g", 0, -1, 5);
    groups_world_restart();
    ck_assert_int_eq(committed("g", "orders"), 5);
    groups_world_write("g", BATCH_TRANSACTIONAL | BATCH_CONTROL, 7, 0); /* aborts */
    groups_world_restart();
    ck_assert_int_eq(committed("g", "orders"), 5);
    groups_world_write("h", BATCH_TRANSACTIONAL, 7, 30);
    groups_world_write("h", BATCH_TRANSACTIONAL | BATCH_CONTROL, 7, 1);
    groups_world_restart();
    ck_assert_int_eq(committed("h", "orders"), 30);
    groups_world_end();
}
END_TEST

/* --- loading and losing --- */

static int runs;
static enum group_error run_error;
static void on_run(struct groups_op *op)
{
    runs++;
    run_error = op->error;
    ck_assert((op->shard != NULL) == (op->error == GROUP_OK));
}

START_TEST(requests_wait_for_the_replay)
{
    start();
    commit_one("g", "orders", 5);
    groups_world_lose();
    runs = 0;
    struct groups_op ops[3];
    for (int i = 0; i < 3; i++) {
        ops[i] = (struct groups_op){
            .broker = groups_world_broker(), .group = SLICE_LIT("g"), .run = on_run};
        ck_assert_int_eq(groups_enter(&ops[i]), GROUPS_LATER);
    }
    fake_loop_advance(4000);
    groups_world_load_begin();
    ck_assert_int_eq(runs, 0);
    fake_loop_turn();
    ck_assert_int_eq(runs, 3);
    ck_assert_int_eq(run_error, GROUP_OK);
    ck_assert_int_eq(committed("g", "orders"), 5);
    groups_world_end();
}
END_TEST

START_TEST(waiting_has_an_end)
{
    start();
    groups_world_lose();
    runs = 0;
    struct groups_op op = {.broker = groups_world_broker(), .group = SLICE_LIT("g"), .run = on_run};
    ck_assert_int_eq(groups_enter(&op), GROUPS_LATER);
    fake_loop_advance(5000);
    ck_assert_int_eq(runs, 1);
    ck_assert_int_eq(run_error, GROUP_E_NOT_COORDINATOR);
    groups_world_end();
}
END_TEST

START_TEST(waiting_is_bounded)
{
    start();
    groups_world_lose();
    runs = 0;
    struct groups_op *ops = xnew_n(struct groups_op, SHARD_WAITING_COUNT_MAX + 1);
    for (int i = 0; i <= SHARD_WAITING_COUNT_MAX; i++) {
        ops[i] = (struct groups_op){
            .broker = groups_world_broker(), .group = SLICE_LIT("g"), .run = on_run};
        enum groups_entered entered = groups_enter(&ops[i]);
        if (entered != (i < SHARD_WAITING_COUNT_MAX ? GROUPS_LATER : GROUPS_HERE))
            ck_abort_msg("request %d", i);
    }
    ck_assert_int_eq(ops[SHARD_WAITING_COUNT_MAX].error, GROUP_E_LOADING);
    groups_world_load();
    ck_assert_int_eq(runs, SHARD_WAITING_COUNT_MAX);
    free(ops);
    groups_world_end();
}
END_TEST

START_TEST(parked_requests_end_with_the_partition)
{
    start();
    struct member member = {0};
    member_join(&member, "g");
    groups_world_hold(true);
    struct commit my;
    commit_begin(&my, "h", "", -1, "orders", 1);
    fake_loop_turn();
    groups_world_lose();
    ck_assert(!member.waiting);
    ck_assert_int_eq(member.error, GROUP_E_NOT_COORDINATOR);
    ck_assert(my.done);
    ck_assert_int_eq(my.item.error, GROUP_E_NOT_COORDINATOR);
    groups_world_end();
}
END_TEST

START_TEST(lost_while_loading)
{
    start();
    commit_one("g", "orders", 5);
    groups_world_lose();
    groups_world_load_begin();
    groups_world_lose();
    fake_loop_turn();
    groups_world_load();
    ck_assert_int_eq(committed("g", "orders"), 5);
    groups_world_end();
}
END_TEST

START_TEST(the_topic_is_made_on_first_need)
{
    log_set_level(LOG_ERROR);
    groups_world_start();
    runs = 0;
    struct groups_op op = {.broker = groups_world_broker(), .group = SLICE_LIT("g"), .run = on_run};
    ck_assert_int_eq(groups_enter(&op), GROUPS_HERE); /* a question makes nothing */
    ck_assert_int_eq(op.error, GROUP_E_NOT_FOUND);
    op.create = true;
    ck_assert_int_eq(groups_enter(&op), GROUPS_LATER);
    fake_loop_turn();
    ck_assert_int_eq(runs, 1);
    ck_assert_int_eq(run_error, GROUP_OK);
    groups_world_end();
}
END_TEST

START_TEST(stop_answers_everybody)
{
    start();
    struct member member = {0};
    member_join(&member, "g");
    groups_stop(groups_world_groups());
    ck_assert_int_eq(member.error, GROUP_E_UNAVAILABLE);
    struct groups_op op = {.broker = groups_world_broker(), .group = SLICE_LIT("g")};
    ck_assert_int_eq(groups_enter(&op), GROUPS_HERE);
    ck_assert_int_eq(op.error, GROUP_E_UNAVAILABLE);
    groups_world_end();
}
END_TEST

/* --- connections --- */

START_TEST(a_closed_connection_ends_its_members)
{
    start();
    struct member first = {.conn_id = 11}, second = {.conn_id = 12};
    member_stabilize(&first, "g");
    member_stabilize(&second, "h");
    groups_on_conn_close(groups_world_groups(), 11);
    groups_on_conn_close(groups_world_groups(), 99);
    fake_loop_advance(250);
    ck_assert_int_eq(entry_of("g")->group->state, GROUP_EMPTY);
    ck_assert_int_eq(entry_of("h")->group->state, GROUP_STABLE);
    groups_world_end();
}
END_TEST

START_TEST(a_member_moves_to_its_new_connection)
{
    start();
    struct member member = {.conn_id = 11};
    member_stabilize(&member, "g");
    group_heartbeat(entry_of("g")->group, slice_from_str(member.id), SLICE_NULL, 1, 12);
    groups_on_conn_close(groups_world_groups(), 11);
    fake_loop_advance(1000);
    ck_assert_int_eq(entry_of("g")->group->state, GROUP_STABLE);
    groups_on_conn_close(groups_world_groups(), 12);
    fake_loop_advance(1000);
    ck_assert_int_eq(entry_of("g")->group->state, GROUP_EMPTY);
    groups_world_end();
}
END_TEST

/* --- deletions and expiry --- */

START_TEST(live_groups_are_not_deleted)
{
    start();
    struct member member = {0};
    member_stabilize(&member, "g");
    ck_assert_int_eq(delete_group("g"), GROUP_E_NON_EMPTY);
    ck_assert_int_eq(delete_group("h"), GROUP_E_NOT_FOUND);
    groups_world_end();
}
END_TEST

START_TEST(offsets_of_subscribed_topics_stay)
{
    start();
    struct member member = {0};
    member_stabilize(&member, "g");
    struct commit read, unread;
    commit_begin(&read, "g", member.id, 1, "orders", 1);
    commit_begin(&unread, "g", member.id, 1, "trades", 1);
    fake_loop_turn();
    enum group_error item;
    ck_assert_int_eq(delete_offset("g", "orders", &item), GROUP_OK);
    ck_assert_int_eq(item, GROUP_E_SUBSCRIBED);
    ck_assert_int_eq(delete_offset("g", "trades", &item), GROUP_OK);
    ck_assert_int_eq(item, GROUP_OK);
    ck_assert_int_eq(committed("g", "orders"), 1);
    ck_assert_int_eq(committed("g", "trades"), -100);
    ck_assert_int_eq(delete_offset("nobody", "trades", &item), GROUP_E_NOT_FOUND);
    groups_world_restart();
    ck_assert_int_eq(committed("g", "trades"), -100);
    groups_world_end();
}
END_TEST

/* Kafka keeps it too: whoever deleted the offsets may want to delete the group next. */
START_TEST(a_group_outlives_its_last_offset)
{
    start();
    commit_one("g", "orders", 1);
    enum group_error item;
    ck_assert_int_eq(delete_offset("g", "orders", &item), GROUP_OK);
    ck_assert_ptr_nonnull(entry_of("g"));
    for (int i = 0; i < 61; i++) /* until the next pass */
        fake_loop_advance(10000);
    ck_assert_ptr_null(entry_of("g"));
    groups_world_end();
}
END_TEST

START_TEST(offsets_expire)
{
    const int64_t week_ms = 7 * 24 * 3600 * 1000LL;
    start();
    commit_one("simple", "orders", 1);
    struct member member = {0};
    member_stabilize(&member, "g");
    struct commit read, unread;
    commit_begin(&read, "g", member.id, 1, "orders", 1);
    commit_begin(&unread, "g", member.id, 1, "trades", 1); /* nobody reads it */
    fake_loop_turn();
    groups_world_pass_real(week_ms - 1000000);
    for (int i = 0; i < 61; i++) { /* one pass, a little too early */
        fake_loop_advance(9900);
        group_heartbeat(entry_of("g")->group, slice_from_str(member.id), SLICE_NULL, 1, 0);
    }
    ck_assert_int_eq(committed("simple", "orders"), 1);
    for (int i = 0; i < 61; i++) {
        fake_loop_advance(9900);
        group_heartbeat(entry_of("g")->group, slice_from_str(member.id), SLICE_NULL, 1, 0);
    }
    ck_assert_ptr_null(entry_of("simple"));
    ck_assert_int_eq(committed("g", "orders"), 1);
    ck_assert_int_eq(committed("g", "trades"), -100);
    /* once the group is empty, its clock starts */
    group_leave(entry_of("g")->group, slice_from_str(member.id), SLICE_NULL, SLICE_NULL);
    fake_loop_turn();
    fake_loop_advance(700000);
    ck_assert_int_eq(committed("g", "orders"), 1);
    groups_world_pass_real(week_ms);
    fake_loop_advance(600000);
    ck_assert_ptr_null(entry_of("g"));
    groups_world_restart();
    ck_assert_ptr_null(entry_of("g"));
    ck_assert_ptr_null(entry_of("simple"));
    groups_world_end();
}
END_TEST

START_TEST(a_retention_of_its_own)
{
    start();
    struct commit my;
    my = (struct commit){.item = {.offset = {.topic = SLICE_LIT("orders"), .partition = 1}}};
    my.commit = (struct groups_commit){.generation = -1,
        .retention_ms = 1000,
        .items = &my.item,
        .items_count = 1,
        .done = commit_on_done};
    groups_commit(shard_of("g"), SLICE_LIT("g"), &my.commit);
    fake_loop_turn();
    groups_world_restart(); /* value version 1 keeps the expiry */
    ck_assert_int_eq(committed("g", "orders"), 0);
    fake_loop_advance(600000);
    ck_assert_ptr_null(entry_of("g"));
    groups_world_end();
}
END_TEST

START_TEST(a_deleted_topic_takes_its_offsets_along)
{
    start();
    commit_one("g", "orders", 1);
    commit_one("g", "trades", 1);
    commit_one("h", "orders", 1);
    groups_on_topic_deleted(groups_world_groups(), UUID_ZERO, SLICE_LIT("orders"));
    fake_loop_turn();
    ck_assert_int_eq(committed("g", "orders"), -100);
    ck_assert_int_eq(committed("g", "trades"), 1);
    ck_assert_ptr_null(entry_of("h"));
    ck_assert_uint_eq(groups_world_tombstones_count(), 2);
    groups_world_restart();
    ck_assert_int_eq(committed("g", "orders"), -100);
    groups_world_end();
}
END_TEST

START_TEST(nothing_stays_of_a_group_that_nobody_joined)
{
    start();
    struct member member = {0};
    snprintf(member.id, sizeof(member.id), "nobody");
    member_join(&member, "g");
    ck_assert_int_eq(member.error, GROUP_E_UNKNOWN_MEMBER);
    ck_assert_ptr_null(entry_of("g"));
    ck_assert_uint_eq(groups_world_batches_count(), 0);
    groups_world_end();
}
END_TEST

START_TEST(whose_session_is_over_does_not_keep_a_group)
{
    start();
    struct member member = {.conn_id = 1};
    member_stabilize(&member, "g");
    fake_loop_pass(9999);
    ck_assert_int_eq(delete_group("g"), GROUP_E_NON_EMPTY);
    fake_loop_pass(1); /* the timer is due, and the request comes first */
    ck_assert_int_eq(delete_group("g"), GROUP_OK);
    fake_loop_advance(1);
    ck_assert_ptr_null(entry_of("g"));
    groups_world_end();
}
END_TEST

TEST_MAIN("broker/groups", compressed_batches_are_read, transactions_count_from_their_marker_on,
    a_commit_is_seen_once_it_is_on_the_log, a_failed_commit_changes_nothing, who_is_refused,
    long_metadata_is_refused_alone, a_restart_changes_nothing, what_was_deleted_stays_deleted,
    an_empty_group_comes_back_empty, requests_wait_for_the_replay, waiting_has_an_end,
    waiting_is_bounded, parked_requests_end_with_the_partition, lost_while_loading,
    the_topic_is_made_on_first_need, stop_answers_everybody, a_closed_connection_ends_its_members,
    a_member_moves_to_its_new_connection, live_groups_are_not_deleted,
    offsets_of_subscribed_topics_stay, a_group_outlives_its_last_offset, offsets_expire,
    a_retention_of_its_own, a_deleted_topic_takes_its_offsets_along,
    nothing_stays_of_a_group_that_nobody_joined, whose_session_is_over_does_not_keep_a_group)
