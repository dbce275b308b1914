// SPDX-License-Identifier: BSD-2-Clause
/* A whole broker: what its parts do together, on files, in memory and on an engine that is late. */
#include "runner.h"
#include "support/broker_harness.h"
#include "broker/broker_internal.h"
#include "broker/partition/partition.h"
#include "broker/topics/topics.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct ensured {
    struct harness *harness;
    struct broker_call call;
    struct broker_producer_id id;
    struct meta_txn txn;
    struct slice group;
    int32_t group_partition;
    _Atomic int done;
};

static void wait_for(struct ensured *ensured, int count)
{
    for (int i = 0; i < 10000 && ensured->done < count; i++)
        usleep(1000);
    ck_assert_int_eq(ensured->done, count);
}

static void on_ensured(struct broker_call *call)
{
    container_of(call, struct ensured, call)->done++;
}

static void on_id(struct broker_call *call)
{
    container_of(call, struct ensured, id.call)->done++;
}

static void ensure_offsets(void *ctx)
{
    struct ensured *ensured = ctx;
    ensured->call.done = on_ensured;
    broker_offsets_ensure(harness_broker(ensured->harness), &ensured->call);
}

static void next_id(void *ctx)
{
    struct ensured *ensured = ctx;
    ensured->id.call.done = on_id;
    broker_producer_id_next(harness_broker(ensured->harness), &ensured->id);
}

static void check_offsets(void *ctx)
{
    struct ensured *ensured = ctx;
    struct broker *broker = harness_broker(ensured->harness);
    struct image *image = broker_image(broker);
    ck_assert_ptr_nonnull(image->offsets);
    ck_assert_int_eq(image->offsets->partitions_count, 50);
    ck_assert(image->offsets->config.compact);
    for (int32_t i = 0; i < image->offsets->partitions_count; i++) {
        struct part_id id = {image->offsets->id, i};
        if (broker_partition_home(broker, &id) != loop_current())
            continue;
        struct partition *partition = broker_partition(broker, &id);
        ck_assert_ptr_nonnull(partition);
        ck_assert_int_eq(partition_index(partition), i);
    }
}

static void broker_makes_offsets(const char *engine, const char *dirs)
{
    struct harness *harness = harness_new(3, engine, dirs, NULL);
    struct ensured ensured = {.harness = harness};
    harness_on_loop(harness, 1, ensure_offsets, &ensured);
    wait_for(&ensured, 1);
    ck_assert_int_eq(ensured.call.result, 0);
    for (unsigned i = 0; i < 3; i++)
        harness_on_loop(harness, i, check_offsets, &ensured);
    harness_free(harness);
}

START_TEST(broker_makes_offsets_on_files)
{
    broker_makes_offsets("odradek.engine=local", "log.dir=.");
}
END_TEST

START_TEST(broker_makes_offsets_in_memory)
{
    broker_makes_offsets("odradek.engine=local", "log.dirs=memory:");
}
END_TEST

START_TEST(broker_makes_offsets_on_a_late_engine)
{
    broker_makes_offsets("odradek.engine=delay", "odradek.engine.delay.loss=1000");
}
END_TEST

START_TEST(producer_ids_are_never_given_twice)
{
    struct harness *harness = harness_new(2, NULL);
    int64_t last = -1;
    for (int start = 0; start < 3; start++) {
        for (int i = 0; i < 3; i++) {
            struct ensured ensured = {.harness = harness};
            harness_on_loop(harness, (unsigned)i % 2, next_id, &ensured);
            wait_for(&ensured, 1);
            ck_assert_int_eq(ensured.id.call.result, 0);
            ck_assert_int_gt(ensured.id.producer_id, last);
            last = ensured.id.producer_id;
        }
        harness_restart(harness, NULL);
    }
    harness_free(harness);
}
END_TEST

static void group_partition_of(void *ctx)
{
    struct ensured *ensured = ctx;
    ensured->group_partition =
        broker_group_partition(harness_broker(ensured->harness), ensured->group);
}

/* Java's hash of strings, also beyond ASCII and beyond 16 bits. */
START_TEST(group_partitions_are_those_of_java)
{
    static const struct {
        const char *group;
        int32_t partition; /* of 50 */
    } cases[] = {{"", 0}, {"a", 47}, {"risk", 1}, {"consumer-group-1", 20}, {"interop-group", 21},
        {"\xc3\xa9", 33}, {"\xf0\x9f\x98\x80", 49}};
    struct harness *harness = harness_new(1, "offsets.topic.num.partitions=50", NULL);
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct ensured ensured = {.harness = harness, .group = slice_from_str(cases[i].group)};
        harness_on_loop(harness, 0, group_partition_of, &ensured);
        ck_assert_msg(ensured.group_partition == cases[i].partition, "%s: %d", cases[i].group,
            ensured.group_partition);
    }
    harness_free(harness);
}
END_TEST

static void on_marked(struct meta_txn *txn, enum meta_status status)
{
    ck_assert_int_eq(status, META_OK);
    container_of(txn, struct ensured, txn)->done++;
}

/* As if the broker had died right after it stored that the topic is deleted. */
static void mark_gone(void *ctx)
{
    struct ensured *ensured = ctx;
    ensured->txn = (struct meta_txn){.n_ops = 1, .done = on_marked};
    ensured->txn.ops[0] =
        (struct meta_op){META_PUT, SLICE_LIT("gone/AAAAAAAAAAAAAAAAAAAAAQ"), SLICE_LIT("1")};
    meta_commit(harness_broker(ensured->harness)->meta, &ensured->txn);
}

static void check_unmarked(void *ctx)
{
    struct ensured *ensured = ctx;
    struct meta *meta = harness_broker(ensured->harness)->meta;
    ck_assert(slice_is_null(meta_get(meta, SLICE_LIT("gone/AAAAAAAAAAAAAAAAAAAAAQ"), NULL)));
}

static void make_stray(const char *dir, const char *name, char last)
{
    char command[700];
    snprintf(command, sizeof(command),
        "mkdir -p %s/%s && printf 'version: 0\\ntopic_id: AAAAAAAAAAAAAAAAAAAAA%c\\n' > "
        "%s/%s/partition.metadata && touch %s/%s/00000000000000000000.log",
        dir, name, last, dir, name, dir, name);
    ck_assert_int_eq(system(command), 0);
}

static bool has_dir(const char *dir, const char *name)
{
    char path[200];
    struct stat found;
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    return stat(path, &found) == 0;
}

/* What is left of a topic that was deleted is removed at start; what is nobody's is left alone: its
 * metadata may only be elsewhere. */
START_TEST(broker_sweeps_what_is_left_of_deleted_topics)
{
    struct harness *harness = harness_new(1, NULL);
    struct ensured ensured = {.harness = harness};
    harness_on_loop(harness, 0, mark_gone, &ensured);
    wait_for(&ensured, 1);
    make_stray(harness_dir(harness), "deleted-0", 'Q');
    make_stray(harness_dir(harness), "unknown-0", 'g');
    harness_restart(harness, NULL);
    ck_assert(!has_dir(harness_dir(harness), "deleted-0"));
    ck_assert(has_dir(harness_dir(harness), "unknown-0"));
    harness_on_loop(harness, 0, check_unmarked, &ensured);
    harness_free(harness);
}
END_TEST

struct unremoved {
    struct harness *harness;
    struct topics_op op;
    struct arena arena;
    struct uuid id;
    bool marked;
    _Atomic int done;
};

static void on_topics_op(struct broker_call *call)
{
    container_of(call, struct unremoved, op.call)->done++;
}

static void submit_op(void *ctx)
{
    struct unremoved *unremoved = ctx;
    topics_submit(harness_broker(unremoved->harness), &unremoved->op);
}

static void run_op(struct unremoved *unremoved, enum topics_op_type type)
{
    unremoved->op = (struct topics_op){
        .call.done = on_topics_op,
        .type = type,
        .arena = &unremoved->arena,
        .name = SLICE_LIT("kept"),
        .partitions = 1,
        .replication = 1,
    };
    unremoved->done = 0;
    harness_on_loop(unremoved->harness, 0, submit_op, unremoved);
    for (int i = 0; i < 10000 && unremoved->done == 0; i++)
        usleep(1000);
    ck_assert_int_eq(unremoved->done, 1);
    ck_assert_int_eq(unremoved->op.error, TOPICS_OK);
    if (unremoved->op.topic != NULL)
        unremoved->id = unremoved->op.topic->id;
    topics_op_deinit(&unremoved->op);
}

static void check_mark(void *ctx)
{
    struct unremoved *unremoved = ctx;
    struct broker *broker = harness_broker(unremoved->harness);
    char key[TOPICS_GONE_KEY_SIZE];
    topics_gone_key(unremoved->id, key);
    unremoved->marked = !slice_is_null(meta_get(broker->meta, slice_from_str(key), NULL));
}

/* A directory that could not be removed must not come back as a topic. */
START_TEST(broker_keeps_the_mark_of_what_could_not_be_removed)
{
    struct harness *harness = harness_new(2, NULL);
    struct unremoved unremoved = {.harness = harness};
    char command[900];
    arena_init(&unremoved.arena, SIZE_MAX);
    run_op(&unremoved, TOPICS_CREATE);
    /* Whose it is cannot be read: a directory is in the file's place. */
    const char *dir = harness_dir(harness);
    snprintf(command, sizeof(command), "mkdir -p %s/kept-0/partition.metadata", dir);
    ck_assert_int_eq(system(command), 0);
    run_op(&unremoved, TOPICS_DELETE);
    ck_assert(has_dir(dir, "kept-0"));
    harness_on_loop(harness, 0, check_mark, &unremoved);
    ck_assert(unremoved.marked);
    snprintf(command, sizeof(command),
        "rmdir %s/kept-0/partition.metadata && printf 'version: 0\ntopic_id: %s\n' > "
        "%s/kept-0/partition.metadata && touch %s/kept-0/00000000000000000000.log",
        dir, uuid_to_text(unremoved.id).str, dir, dir);
    ck_assert_int_eq(system(command), 0);
    harness_restart(harness, NULL);
    ck_assert(!has_dir(dir, "kept-0"));
    harness_on_loop(harness, 0, check_mark, &unremoved);
    ck_assert(!unremoved.marked);
    arena_deinit(&unremoved.arena);
    harness_free(harness);
}
END_TEST

TEST_MAIN("broker/broker", broker_makes_offsets_on_files, broker_makes_offsets_in_memory,
    broker_makes_offsets_on_a_late_engine, producer_ids_are_never_given_twice,
    group_partitions_are_those_of_java, broker_sweeps_what_is_left_of_deleted_topics,
    broker_keeps_the_mark_of_what_could_not_be_removed)
