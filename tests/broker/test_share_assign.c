// SPDX-License-Identifier: BSD-2-Clause
/* Who gets what in a share group: by hand where a rule is to be shown, by seed where all of them
 * are to hold: every partition has somebody, every subscriber something, as even as it goes, and
 * what need not move stays. */
#include "broker/group/share_group.h"
#include "runner.h"

#include <stdio.h>

enum { TOPICS = 3, MEMBERS = 12 };

static struct uuid topic_id(int topic)
{
    struct uuid id = UUID_ZERO;
    id.bytes[0] = (uint8_t)(topic + 1);
    return id;
}

struct room {
    struct consumer_topic topics[TOPICS];
    struct consumer_topics subscribed[MEMBERS];
    struct consumer_topic lists[MEMBERS][TOPICS];
    struct consumer_parts available, before[MEMBERS];
    struct assign_member members[MEMBERS];
    char ids[MEMBERS][8];
    size_t count;
};

static void room_init(struct room *room, const int *partitions)
{
    *room = (struct room){.available = CONSUMER_PARTS_NULL};
    for (int t = 0; t < TOPICS; t++) {
        room->topics[t] = (struct consumer_topic){topic_id(t), SLICE_LIT("t"), partitions[t]};
        for (int p = 0; p < partitions[t]; p++)
            consumer_parts_add(&room->available, topic_id(t), p);
    }
    consumer_parts_sort(&room->available);
}

static void room_member(struct room *room, unsigned topics)
{
    size_t i = room->count++;
    snprintf(room->ids[i], sizeof(room->ids[i]), "m%02zu", i);
    for (int t = 0; t < TOPICS; t++) {
        if ((topics & (1u << t)) != 0)
            room->lists[i][room->subscribed[i].count++] = room->topics[t];
    }
    room->subscribed[i].items = room->lists[i];
}

static void room_assign(struct room *room)
{
    for (size_t i = 0; i < room->count; i++)
        room->members[i] = (struct assign_member){.id = slice_from_str(room->ids[i]),
            .topics = &room->subscribed[i],
            .before = &room->before[i]};
    share_assign(&room->available, room->members, room->count);
    for (size_t i = 0; i < room->count; i++) /* ordered by id, as they came */
        consumer_parts_replace(&room->before[i], room->members[i].after);
}

static void room_deinit(struct room *room)
{
    for (size_t i = 0; i < MEMBERS; i++)
        consumer_parts_free(&room->before[i]);
    consumer_parts_free(&room->available);
}

static size_t count_of(const struct consumer_parts *parts, int topic)
{
    size_t count = 0;
    for (size_t i = 0; i < parts->count; i++)
        count += uuid_equal(parts->items[i].topic, topic_id(topic));
    return count;
}

static size_t members_of(const struct room *room, int topic, int partition)
{
    struct consumer_part part = {topic_id(topic), partition};
    size_t count = 0;
    for (size_t i = 0; i < room->count; i++)
        count += consumer_parts_contain(&room->before[i], &part);
    return count;
}

static void room_check_topic(const struct room *room, int topic)
{
    size_t subscribers = 0, most = 0, least = SIZE_MAX;
    size_t partitions = (size_t)room->topics[topic].partitions_count;
    for (size_t i = 0; i < room->count; i++) {
        bool subscribed = false;
        for (size_t t = 0; t < room->subscribed[i].count; t++)
            subscribed |= uuid_equal(room->subscribed[i].items[t].id, topic_id(topic));
        size_t count = count_of(&room->before[i], topic);
        if (!subscribed) {
            ck_assert_uint_eq(count, 0);
            continue;
        }
        subscribers++;
        most = count > most ? count : most;
        least = count < least ? count : least;
    }
    if (subscribers == 0 || partitions == 0)
        return;
    size_t share = (subscribers + partitions - 1) / partitions;
    for (size_t p = 0; p < partitions; p++) {
        size_t count = members_of(room, topic, (int)p);
        ck_assert_uint_ge(count, 1);
        ck_assert_uint_le(count, share);
    }
    ck_assert_uint_le(most - least, 1);
    if (subscribers >= partitions)
        ck_assert_uint_ge(least, 1);
}

static void room_check(const struct room *room)
{
    for (int t = 0; t < TOPICS; t++)
        room_check_topic(room, t);
}

START_TEST(few_members_split)
{
    struct room room;
    room_init(&room, (int[]){6, 0, 0});
    room_member(&room, 1);
    room_assign(&room);
    ck_assert_uint_eq(room.before[0].count, 6);
    room_member(&room, 1);
    room_member(&room, 1);
    room_assign(&room);
    for (int i = 0; i < 3; i++)
        ck_assert_uint_eq(room.before[i].count, 2);
    room_check(&room);
    room_deinit(&room);
}
END_TEST

START_TEST(many_members_share)
{
    struct room room;
    room_init(&room, (int[]){3, 0, 0});
    for (int i = 0; i < 12; i++)
        room_member(&room, 1);
    room_assign(&room);
    for (int p = 0; p < 3; p++)
        ck_assert_uint_eq(members_of(&room, 0, p), 4);
    room_check(&room);
    room_deinit(&room);
}
END_TEST

/* One more member takes no more from the others than it needs. */
START_TEST(what_need_not_move_stays)
{
    struct room room;
    room_init(&room, (int[]){6, 0, 0});
    room_member(&room, 1);
    room_member(&room, 1);
    room_assign(&room);
    struct consumer_parts first = consumer_parts_copy(&room.before[0]);
    struct consumer_parts second = consumer_parts_copy(&room.before[1]);
    room_member(&room, 1);
    room_assign(&room);
    ck_assert(consumer_parts_subset(&room.before[0], &first));
    ck_assert(consumer_parts_subset(&room.before[1], &second));
    room_assign(&room); /* and nothing at all, when nothing changed */
    ck_assert(consumer_parts_subset(&room.before[0], &first));
    ck_assert_uint_eq(room.before[0].count, 2);
    consumer_parts_free(&first);
    consumer_parts_free(&second);
    room_deinit(&room);
}
END_TEST

START_TEST(rules_hold_by_seed)
{
    uint64_t random = 42;
    for (int round = 0; round < 2000; round++) {
        struct room room;
        int partitions[TOPICS];
        for (int t = 0; t < TOPICS; t++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            partitions[t] = (int)(random >> 33) % 9;
        }
        room_init(&room, partitions);
        while (room.count < MEMBERS) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            room_member(&room, 1 + (unsigned)(random >> 33) % 7);
            if ((random >> 50) % 3 != 0)
                continue;
            room_assign(&room);
            room_check(&room);
        }
        room_assign(&room);
        room_check(&room);
        room_deinit(&room);
    }
}
END_TEST

TEST_MAIN("broker/share_assign", few_members_split, many_members_share, what_need_not_move_stays,
    rules_hold_by_seed)
