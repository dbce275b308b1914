// SPDX-License-Identifier: BSD-2-Clause
/*
 * Topic by topic. With s subscribers and p partitions each partition is shared by ceil(s / p)
 * members; that makes ceil(s / p) * p places, which are dealt out as evenly as they go. Members
 * first keep what they had, as far as neither they nor the partition have too much; then whoever
 * has nothing of the topic gets a partition that has the fewest; then the places that are left.
 *
 * When all places are taken every partition is full; when one stays free, only members that have
 * the partition already could take it: either way each partition has somebody.
 */
#include "broker/group/share_group.h"

#include <assert.h>

struct share_seat {
    struct assign_member *member;
    size_t quota;
    size_t count; /* of this topic */
    size_t first; /* in member->after */
};

struct share_deal {
    const struct consumer_part *parts; /* of one topic */
    size_t parts_count;
    size_t *loads; /* members per partition */
    size_t share;  /* the most of these */
    struct share_seat *seats;
    size_t seats_count;
    size_t turn; /* whose it is */
};

static bool share_seat_has(const struct share_seat *seat, const struct consumer_part *part)
{
    for (size_t i = 0; i < seat->count; i++) {
        if (seat->member->after.items[seat->first + i].partition == part->partition)
            return true;
    }
    return false;
}

static void share_seat_give(struct share_deal *deal, struct share_seat *seat, size_t index)
{
    const struct consumer_part *part = &deal->parts[index];
    consumer_parts_add(&seat->member->after, part->topic, part->partition);
    seat->count++;
    deal->loads[index]++;
}

static void share_deal_keep(struct share_deal *deal)
{
    for (size_t s = 0; s < deal->seats_count; s++) {
        struct share_seat *seat = &deal->seats[s];
        for (size_t i = 0; i < deal->parts_count && seat->count < seat->quota; i++) {
            if (deal->loads[i] < deal->share &&
                consumer_parts_contain(seat->member->before, &deal->parts[i]))
                share_seat_give(deal, seat, i);
        }
    }
}

/* The next one that may take this partition, beginning with whose turn it is; NULL: nobody. */
static struct share_seat *share_deal_next(
    struct share_deal *deal, const struct consumer_part *part, bool first)
{
    for (size_t i = 0; i < deal->seats_count; i++) {
        size_t at = (deal->turn + i) % deal->seats_count;
        struct share_seat *seat = &deal->seats[at];
        if (seat->count >= (first ? 1 : seat->quota) || share_seat_has(seat, part))
            continue;
        deal->turn = (at + 1) % deal->seats_count;
        return seat;
    }
    return NULL;
}

/* Partitions with the fewest members come first. */
static void share_deal_fill(struct share_deal *deal, bool first)
{
    size_t wanted = 0;
    for (size_t s = 0; s < deal->seats_count; s++) {
        const struct share_seat *seat = &deal->seats[s];
        size_t quota = first ? 1 : seat->quota;
        wanted += seat->count < quota ? quota - seat->count : 0;
    }
    deal->turn = 0;
    for (size_t level = 0; level < deal->share; level++) {
        for (size_t i = 0; i < deal->parts_count && wanted > 0; i++) {
            struct share_seat *seat =
                deal->loads[i] == level ? share_deal_next(deal, &deal->parts[i], first) : NULL;
            if (seat == NULL)
                continue;
            share_seat_give(deal, seat, i);
            wanted--;
        }
    }
}

static void share_deal_topic(struct share_deal *deal)
{
    deal->share = (deal->seats_count + deal->parts_count - 1) / deal->parts_count;
    deal->loads = xnew_n(size_t, deal->parts_count);
    size_t places = deal->share * deal->parts_count, dealt = 0;
    for (size_t s = 0; s < deal->seats_count; s++) {
        size_t upto = ((s + 1) * places + deal->seats_count - 1) / deal->seats_count;
        deal->seats[s].quota = upto - dealt;
        dealt = upto;
    }
    assert(dealt == places);
    share_deal_keep(deal);
    share_deal_fill(deal, true);
    share_deal_fill(deal, false);
    free(deal->loads);
}

/* --- all topics --- */

static int share_member_order(const void *a, const void *b)
{
    const struct assign_member *left = a, *right = b;
    return slice_compare(left->id, right->id);
}

static bool share_subscribes(const struct assign_member *member, struct uuid topic)
{
    const struct consumer_topics *topics = member->topics;
    size_t low = 0, high = topics->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = memcmp(topics->items[middle].id.bytes, topic.bytes, UUID_SIZE);
        if (order == 0)
            return true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

void share_assign(
    const struct consumer_parts *available, struct assign_member *members, size_t members_count)
{
    if (members_count > 1)
        qsort(members, members_count, sizeof(*members), share_member_order);
    struct share_seat *seats = xnew_n(struct share_seat, members_count + 1);
    for (size_t i = 0; i < members_count; i++)
        members[i].after = CONSUMER_PARTS_NULL;
    for (size_t at = 0, end; at < available->count; at = end) {
        struct uuid topic = available->items[at].topic;
        for (end = at + 1;
             end < available->count && uuid_equal(available->items[end].topic, topic);)
            end++;
        struct share_deal deal = {
            .parts = &available->items[at], .parts_count = end - at, .seats = seats};
        for (size_t i = 0; i < members_count; i++) {
            if (share_subscribes(&members[i], topic))
                seats[deal.seats_count++] =
                    (struct share_seat){.member = &members[i], .first = members[i].after.count};
        }
        if (deal.seats_count > 0)
            share_deal_topic(&deal);
    }
    for (size_t i = 0; i < members_count; i++)
        consumer_parts_sort(&members[i].after);
    free(seats);
}
