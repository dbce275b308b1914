// SPDX-License-Identifier: BSD-2-Clause
/* A whole broker: what its parts do together, on files, in memory and on an engine that is late. */
#include "runner.h"
#include "support/broker_harness.h"
#include "broker/image.h"
#include "broker/partition.h"
#include "broker/topics.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct ensured {
    struct harness *harness;
    struct broker_call call;
    struct broker_producer_id id;
    struct topics_op op;
    struct arena arena;
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

static void on_op(struct broker_call *call)
{
    container_of(call, struct ensured, op.call)->done++;
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

static void submit(void *ctx)
{
    struct ensured *ensured = ctx;
    ensured->op.call.done = on_op;
    ensured->op.arena = &ensured->arena;
    topics_submit(harness_broker(ensured->harness), &ensured->op);
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
    } cases[] = {{"", 0}, {"a", 47}, {"risk", 1}, {"consumer-group-1", 20}, {"\xc3\xa9", 33},
        {"\xf0\x9f\x98\x80", 49}};
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

/* The directory of a topic that metadata does not know is removed at start; what is no topic's is
 * left alone. */
START_TEST(broker_sweeps_what_is_nobodys)
{
    struct harness *harness = harness_new(1, NULL);
    struct ensured ensured = {.harness = harness,
        .arena = ARENA_NULL,
        .op = {.type = TOPICS_CREATE, .name = SLICE_LIT("t"), .partitions = 1, .replication = -1}};
    char stray[200], other[200], command[700];
    struct stat stat_buffer;
    harness_on_loop(harness, 0, submit, &ensured);
    wait_for(&ensured, 1);
    ck_assert_int_eq(ensured.op.error, TOPICS_OK);
    topics_op_deinit(&ensured.op);
    arena_deinit(&ensured.arena);
    snprintf(stray, sizeof(stray), "%s/stray-0", harness_dir(harness));
    snprintf(other, sizeof(other), "%s/notes-1", harness_dir(harness));
    snprintf(command, sizeof(command),
        "mkdir -p %s %s && printf 'version: 0\\ntopic_id: AAAAAAAAAAAAAAAAAAAAAQ\\n' > "
        "%s/partition.metadata && touch %s/00000000000000000000.log",
        stray, other, stray, stray);
    ck_assert_int_eq(system(command), 0);
    harness_restart(harness, NULL);
    ck_assert_int_ne(stat(stray, &stat_buffer), 0);
    ck_assert_int_eq(stat(other, &stat_buffer), 0);
    harness_free(harness);
}
END_TEST

TEST_MAIN("broker/broker", broker_makes_offsets_on_files, broker_makes_offsets_in_memory,
    broker_makes_offsets_on_a_late_engine, producer_ids_are_never_given_twice,
    group_partitions_are_those_of_java, broker_sweeps_what_is_nobodys)
