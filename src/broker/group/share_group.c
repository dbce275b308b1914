// SPDX-License-Identifier: BSD-2-Clause
#include "broker/group/share_group.h"

#include "broker/group/group_member.h"

#include <assert.h>

struct share_group *share_group_new(void)
{
    struct share_group *share = xnew(struct share_group);
    share->initializing = share->initialized = share->doomed = CONSUMER_PARTS_NULL;
    list_init(&share->waiting);
    return share;
}

static void share_topics_free(struct share_topics *topics)
{
    for (size_t i = 0; i < topics->count; i++)
        slice_drop(&topics->items[i].name);
    free(steal(&topics->items));
    topics->count = topics->capacity = 0;
}

void share_group_free(struct share_group *share)
{
    if (share == NULL)
        return;
    assert(share->work == NULL && share->change == NULL && share->deletion == NULL);
    assert(list_empty(&share->waiting));
    consumer_parts_free(&share->initializing);
    consumer_parts_free(&share->initialized);
    consumer_parts_free(&share->doomed);
    share_topics_free(&share->deleting);
    share_topics_free(&share->names);
    free(share);
}

/* --- topics --- */

static struct share_topic *share_topics_find(const struct share_topics *topics, struct uuid id)
{
    for (size_t i = 0; i < topics->count; i++) {
        if (uuid_equal(topics->items[i].id, id))
            return &topics->items[i];
    }
    return NULL;
}

bool share_topics_contain(const struct share_topics *topics, struct uuid id)
{
    return share_topics_find(topics, id) != NULL;
}

void share_topics_add(struct share_topics *topics, struct uuid id, struct slice name)
{
    if (share_topics_contain(topics, id))
        return;
    if (topics->count == topics->capacity) {
        topics->capacity = topics->capacity == 0 ? 4 : topics->capacity * 2;
        topics->items = xrealloc(topics->items, topics->capacity * sizeof(*topics->items));
    }
    topics->items[topics->count++] = (struct share_topic){id, slice_copy(name)};
}

static void share_topics_remove(struct share_topics *topics, struct uuid id)
{
    struct share_topic *topic = share_topics_find(topics, id);
    if (topic == NULL)
        return;
    slice_drop(&topic->name);
    *topic = topics->items[--topics->count];
}

const struct share_topic *share_group_topic(const struct share_group *share, struct uuid id)
{
    return share_topics_find(&share->names, id);
}

/* --- partitions --- */

void share_group_add(struct share_group *share, struct uuid topic, struct slice name,
    int32_t partition, bool initialized)
{
    share_topics_add(&share->names, topic, name);
    struct consumer_parts *parts = initialized ? &share->initialized : &share->initializing;
    consumer_parts_add(parts, topic, partition);
    consumer_parts_sort(parts);
}

/* Partitions that neither set has, of one topic; false: it cannot be said now. */
static bool share_group_find_topic(
    struct share_group *share, const struct consumer_topic *topic, struct consumer_parts *found)
{
    size_t before = found->count;
    if (share_topics_contain(&share->deleting, topic->id))
        return false;
    for (int32_t i = 0; i < topic->partitions_count; i++) {
        struct consumer_part part = {topic->id, i};
        if (!consumer_parts_contain(&share->initialized, &part) &&
            !consumer_parts_contain(&share->initializing, &part))
            consumer_parts_add(found, part.topic, part.partition);
    }
    if (found->count > before)
        share_topics_add(&share->names, topic->id, topic->name);
    return true;
}

bool share_group_find_new(struct consumer_group *group)
{
    struct share_group *share = group->share;
    struct consumer_parts found = CONSUMER_PARTS_NULL;
    bool all = true;
    if (share->found_hash != 0 && share->found_hash == group->topics_hash)
        return false;
    map_for_each (&group->subscriptions, entry) {
        const struct consumer_subscription *subscription = entry->value;
        for (size_t i = 0; i < subscription->topics.count; i++)
            all &= share_group_find_topic(share, &subscription->topics.items[i], &found);
    }
    for (size_t i = 0; i < found.count; i++)
        consumer_parts_add(&share->initializing, found.items[i].topic, found.items[i].partition);
    consumer_parts_sort(&share->initializing);
    bool any = found.count > 0;
    consumer_parts_free(&found);
    share->found_hash = all ? group->topics_hash : 0;
    if (any)
        group->dirty |= CONSUMER_DIRTY_STATES;
    return any;
}

void share_group_initialized(struct share_group *share, const struct consumer_part *part)
{
    struct consumer_parts one = CONSUMER_PARTS_NULL;
    if (!consumer_parts_contain(&share->initializing, part))
        return; /* its topic was taken out meanwhile */
    consumer_parts_add(&one, part->topic, part->partition);
    consumer_parts_replace(
        &share->initializing, consumer_parts_without(&share->initializing, &one));
    consumer_parts_add(&share->initialized, part->topic, part->partition);
    consumer_parts_sort(&share->initialized);
    consumer_parts_free(&one);
}

/* Moves those of one topic. */
static bool share_group_move(
    struct consumer_parts *from, struct consumer_parts *to, struct uuid topic)
{
    struct consumer_parts kept = CONSUMER_PARTS_NULL;
    for (size_t i = 0; i < from->count; i++) {
        bool moves = uuid_equal(from->items[i].topic, topic);
        consumer_parts_add(moves ? to : &kept, from->items[i].topic, from->items[i].partition);
    }
    consumer_parts_sort(to);
    return consumer_parts_replace(from, kept);
}

bool share_group_doom_topic(struct consumer_group *group, struct uuid topic)
{
    struct share_group *share = group->share;
    const struct share_topic *known = share_group_topic(share, topic);
    if (known == NULL)
        return false;
    bool moved = share_group_move(&share->initializing, &share->doomed, topic);
    moved |= share_group_move(&share->initialized, &share->doomed, topic);
    if (!moved)
        return false;
    share_topics_add(&share->deleting, topic, known->name);
    share->found_hash = 0;
    group->dirty |= CONSUMER_DIRTY_STATES;
    return true;
}

void share_group_doom_all(struct consumer_group *group)
{
    for (size_t i = 0; i < group->share->names.count; i++)
        share_group_doom_topic(group, group->share->names.items[i].id);
}

void share_group_doom_part(struct share_group *share, struct uuid topic, int32_t partition)
{
    consumer_parts_add(&share->doomed, topic, partition);
    consumer_parts_sort(&share->doomed);
}

void share_group_forget_deleted(struct consumer_group *group)
{
    struct share_group *share = group->share;
    for (size_t i = share->deleting.count; i-- > 0;) {
        struct uuid topic = share->deleting.items[i].id;
        bool left = false;
        for (size_t p = 0; p < share->doomed.count && !left; p++)
            left = uuid_equal(share->doomed.items[p].topic, topic);
        if (left)
            continue;
        share_topics_remove(&share->deleting, topic);
        share_topics_remove(&share->names, topic);
        group->dirty |= CONSUMER_DIRTY_STATES;
    }
}

void share_group_deleted(struct consumer_group *group, const struct consumer_part *part)
{
    struct consumer_parts one = CONSUMER_PARTS_NULL;
    consumer_parts_add(&one, part->topic, part->partition);
    consumer_parts_replace(
        &group->share->doomed, consumer_parts_without(&group->share->doomed, &one));
    consumer_parts_free(&one);
}

void share_group_restore_member(struct consumer_member *member)
{
    consumer_parts_sort(&member->owned);
    consumer_parts_sort(&member->target);
    consumer_parts_free(&member->revoking);
    member->progress = CONSUMER_AT_TARGET;
}
