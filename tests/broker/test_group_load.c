// SPDX-License-Identifier: BSD-2-Clause
/*
 * Many members, in one group and in many: all are to be settled within ten seconds, and what they
 * took is to be given back when they leave. LOAD_MEMBERS in the environment sets how many (10000 is
 * what the broker is to bear; less under a sanitizer, which is slow).
 */
#include "support/consumer_calls.h"

#include <malloc.h>
#include <time.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED
enum { MEMBERS = 600 };
#else
enum { MEMBERS = 10000 };
#endif
enum { SETTLED_MS = 10000, WAIT_MS = 60000, PARTITIONS = 64 };

static int members_count(void)
{
    const char *text = getenv("LOAD_MEMBERS");
    return text == NULL ? MEMBERS : atoi(text);
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static size_t memory_used(void)
{
    return mallinfo2().uordblks;
}

static void load_check(int count, int64_t took_ms, size_t before, size_t most, size_t after)
{
    ck_assert_int_lt(took_ms, SETTLED_MS);
#ifndef SANITIZED
    ck_assert_uint_lt(most - before, (size_t)count * 4096);
    ck_assert(after < before || after - before < (most - before) / 4 + (1 << 20));
#else
    (void)count, (void)before, (void)most, (void)after;
#endif
}

struct load_member {
    char group[24], id[64];
    bool leads;
    struct harness_call *call;
    struct consumer_call consumer;
};

/* --- classic --- */

static void load_join(struct harness *harness, struct load_member *member, int index)
{
    struct join_group_request *request = harness_request(harness, &join_group_api_codec);
    struct arena *arena = harness_arena(harness);
    request->group_id = slice_from_str(member->group);
    request->member_id = slice_from_str(member->id);
    request->protocol_type = SLICE_LIT("consumer");
    request->session_timeout_ms = 60000;
    request->rebalance_timeout_ms = 60000;
    request->protocols = arena_new(arena, struct join_group_request_protocol);
    request->protocols_count = 1;
    request->protocols->name = SLICE_LIT("range");
    request->protocols->metadata = SLICE_LIT("\0\0\0\0\0\1\0\1t\0\0\0\0");
    member->call =
        harness_send(harness, &join_group_api_codec, 4, request, (uint64_t)(index % 64 + 1));
}

/* All ask for their ids at once, and come back with them. */
static void load_announced(struct harness *harness, struct load_member *members, int count)
{
    for (int i = 0; i < count; i++) {
        const struct join_group_response *response = harness_wait(members[i].call, WAIT_MS);
        ck_assert_ptr_nonnull(response);
        ck_assert_int_eq(response->error_code, KAFKA_ERROR_MEMBER_ID_REQUIRED);
        snprintf(members[i].id, sizeof(members[i].id), "%.*s", SLICE_FMT(response->member_id));
    }
    for (int i = 0; i < count; i++)
        load_join(harness, &members[i], i);
}

static void load_joined(struct harness *harness, struct load_member *members, int count)
{
    for (int i = 0; i < count; i++) {
        const struct join_group_response *response = harness_wait(members[i].call, WAIT_MS);
        ck_assert_ptr_nonnull(response);
        ck_assert_int_eq(response->error_code, KAFKA_ERROR_NONE);
        members[i].leads = slice_equal(response->leader, response->member_id);
    }
    (void)harness;
}

static void load_sync(struct harness *harness, struct load_member *members, int count)
{
    for (int i = 0; i < count; i++) {
        struct sync_group_request *request = harness_request(harness, &sync_group_api_codec);
        request->group_id = slice_from_str(members[i].group);
        request->member_id = slice_from_str(members[i].id);
        request->generation_id = 1;
        members[i].call =
            harness_send(harness, &sync_group_api_codec, 3, request, (uint64_t)(i % 64 + 1));
    }
    for (int i = 0; i < count; i++) {
        const struct sync_group_response *response = harness_wait(members[i].call, WAIT_MS);
        ck_assert_ptr_nonnull(response);
        ck_assert_int_eq(response->error_code, KAFKA_ERROR_NONE);
    }
}

static void load_leave(struct harness *harness, struct load_member *members, int count)
{
    for (int i = 0; i < count; i++) {
        struct leave_group_request *request = harness_request(harness, &leave_group_api_codec);
        request->group_id = slice_from_str(members[i].group);
        request->member_id = slice_from_str(members[i].id);
        const struct leave_group_response *response =
            harness_call(harness, &leave_group_api_codec, 1, request);
        ck_assert_int_eq(response->error_code, KAFKA_ERROR_NONE);
    }
}

static struct harness *load_harness(void)
{
    /* The window is open until all have come: it is the broker's pace that is measured. */
    return harness_new(2, "offsets.topic.num.partitions=8", "odradek.group.join.window.ms=1000",
        "odradek.group.disconnect.expiry.ms=-1", NULL);
}

/* `size` members in each group. */
static void load_classic(int size, const char *what)
{
    int count = members_count();
    struct harness *harness = load_harness();
    calls_topic(harness, "t", PARTITIONS);
    struct load_member *members = xnew_n(struct load_member, (size_t)count);
    load_join(harness, &(struct load_member){.group = "first"}, 0);
    harness_forget(harness);
    size_t before = memory_used();
    int64_t start_ms = now_ms();
    for (int i = 0; i < count; i++) {
        snprintf(members[i].group, sizeof(members[i].group), "g-%d", i / size);
        load_join(harness, &members[i], i);
    }
    load_announced(harness, members, count);
    load_joined(harness, members, count);
    load_sync(harness, members, count);
    int64_t took_ms = now_ms() - start_ms;
    harness_forget(harness);
    size_t most = memory_used();
    load_leave(harness, members, count);
    harness_forget(harness);
    size_t after = memory_used();
    fprintf(stderr, "# %s: %d members, %d a group: settled in %ld ms; %zu, then %zu bytes more\n",
        what, count, size, (long)took_ms, most - before, after - before);
    load_check(count, took_ms, before, most, after);
    free(members);
    harness_free(harness);
}

START_TEST(one_large_classic_group)
{
    load_classic(1 << 30, "classic");
}
END_TEST

START_TEST(many_small_classic_groups)
{
    load_classic(10, "classic");
}
END_TEST

/* --- the newer protocol --- */

static void load_consumer_join(struct harness *harness, struct load_member *member, int index)
{
    struct consumer_group_heartbeat_request *request =
        consumer_request(harness, member->group, &member->consumer);
    request->rebalance_timeout_ms = 60000;
    request->subscribed_topic_names = arena_new(harness_arena(harness), struct slice);
    request->subscribed_topic_names[0] = SLICE_LIT("t");
    request->subscribed_topic_names_count = 1;
    request->topic_partitions_count = 0;
    member->call = harness_send(
        harness, &consumer_group_heartbeat_api_codec, 1, request, (uint64_t)(index % 64 + 1));
}

static void load_consumer_joined(struct load_member *member)
{
    const struct consumer_group_heartbeat_response *response = harness_wait(member->call, WAIT_MS);
    ck_assert_ptr_nonnull(response);
    ck_assert_int_eq(response->error_code, KAFKA_ERROR_NONE);
    consumer_take(&member->consumer, response);
}

/* What they own is partitions that the answer named: consumer_beat's. */
static void load_consumer_beat(struct harness *harness, struct load_member *member, int index)
{
    struct consumer_group_heartbeat_request *request =
        consumer_beat_request(harness, member->group, &member->consumer, member->consumer.assigned);
    member->call = harness_send(
        harness, &consumer_group_heartbeat_api_codec, 1, request, (uint64_t)(index % 64 + 1));
}

/* A heartbeat of each, all on their way at once. */
static int load_consumer_round(struct harness *harness, struct load_member *members, int count)
{
    int owned = 0;
    for (int i = 0; i < count; i++)
        load_consumer_beat(harness, &members[i], i);
    for (int i = 0; i < count; i++) {
        load_consumer_joined(&members[i]);
        owned += members[i].consumer.assigned;
    }
    return owned;
}

static void load_consumer_leave(struct harness *harness, struct load_member *members, int count)
{
    for (int i = 0; i < count; i++) {
        members[i].consumer.epoch = -1;
        members[i].consumer.assigned = -1;
        load_consumer_beat(harness, &members[i], i);
    }
    for (int i = 0; i < count; i++)
        load_consumer_joined(&members[i]);
}

static void load_consumer(int size)
{
    int count = members_count();
    struct harness *harness = load_harness();
    calls_topic(harness, "t", PARTITIONS);
    struct load_member *members = xnew_n(struct load_member, (size_t)count);
    harness_forget(harness);
    size_t before = memory_used();
    int64_t start_ms = now_ms();
    for (int i = 0; i < count; i++) {
        snprintf(members[i].group, sizeof(members[i].group), "g-%d", i / size);
        snprintf(members[i].id, sizeof(members[i].id), "m-%d", i);
        members[i].consumer.id = members[i].id;
        load_consumer_join(harness, &members[i], i);
    }
    for (int i = 0; i < count; i++)
        load_consumer_joined(&members[i]);
    int64_t joined_ms = now_ms() - start_ms;
    int groups = count / size, rounds = 1;
    while (load_consumer_round(harness, members, count) < groups * PARTITIONS && rounds < 9)
        rounds++;
    int64_t took_ms = now_ms() - start_ms;
    harness_forget(harness);
    size_t most = memory_used();
    load_consumer_leave(harness, members, count);
    harness_forget(harness);
    size_t after = memory_used();
    fprintf(stderr,
        "# consumer: %d members, %d a group: joined in %ld ms, settled in %ld ms; %zu, then %zu "
        "bytes more\n",
        count, size, (long)joined_ms, (long)took_ms, most - before, after - before);
    ck_assert_int_lt(rounds, 9);
    load_check(count, took_ms, before, most, after);
    free(members);
    harness_free(harness);
}

START_TEST(one_large_consumer_group)
{
    load_consumer(members_count());
}
END_TEST

START_TEST(many_small_consumer_groups)
{
    load_consumer(10);
}
END_TEST

TEST_MAIN("broker/group_load", one_large_classic_group, many_small_classic_groups,
    one_large_consumer_group, many_small_consumer_groups)
