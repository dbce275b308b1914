// SPDX-License-Identifier: BSD-2-Clause
/*
 * Uniform: everybody keeps what they had, up to their share; what is then nobody's goes to those
 * that have least. Where all subscribe to the same topics a share is a number known beforehand;
 * where they do not, partitions wander from the member that has most to the one that has least of
 * those that may have it, as long as that evens them out (each move lowers the sum of squares, so
 * it ends).
 */
#include "broker/group/consumer_assign.h"

#include "base/map.h"

#include <assert.h>

static const char *const consumer_assignor_names[CONSUMER_ASSIGNORS_COUNT] = {
    [CONSUMER_UNIFORM] = "uniform",
    [CONSUMER_RANGE] = "range",
};

const char *consumer_assignor_name(enum consumer_assignor assignor)
{
    assert(assignor < CONSUMER_ASSIGNORS_COUNT);
    return consumer_assignor_names[assignor];
}

bool consumer_assignor_find(struct slice name, enum consumer_assignor *ret_assignor)
{
    for (unsigned i = 0; i < CONSUMER_ASSIGNORS_COUNT; i++) {
        if (slice_equal_str(name, consumer_assignor_names[i])) {
            *ret_assignor = (enum consumer_assignor)i;
            return true;
        }
    }
    return false;
}

static const struct consumer_topic *assign_topic(
    const struct consumer_topics *topics, const struct uuid *id)
{
    size_t low = 0, high = topics->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = memcmp(topics->items[middle].id.bytes, id->bytes, UUID_SIZE);
        if (order == 0)
            return &topics->items[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static bool assign_wants(const struct assign_member *member, const struct consumer_part *part)
{
    const struct consumer_topic *topic = assign_topic(member->topics, &part->topic);
    return topic != NULL && part->partition < topic->partitions_count;
}

static bool assign_same_topics(const struct consumer_topics *a, const struct consumer_topics *b)
{
    if (a == b)
        return true;
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        if (!uuid_equal(a->items[i].id, b->items[i].id))
            return false;
    }
    return true;
}

static bool assign_is_homogeneous(const struct assign_member *members, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        if (!assign_same_topics(members[0].topics, members[i].topics))
            return false;
    }
    return true;
}

/* --- uniform, all alike --- */

struct assign_taken {
    struct map owned; /* parts that somebody keeps: the keys are theirs */
};

/* Everybody keeps up to `quota` of what they had and what is not another's. */
static void assign_keep(struct assign_taken *taken, struct assign_member *member, size_t quota)
{
    member->after = CONSUMER_PARTS_NULL;
    for (size_t i = 0; i < member->before->count && member->after.count < quota; i++) {
        const struct consumer_part *part = &member->before->items[i];
        if (!assign_wants(member, part) || map_get(&taken->owned, consumer_part_key(part)) != NULL)
            continue;
        consumer_parts_add(&member->after, part->topic, part->partition);
        map_put(&taken->owned, consumer_part_key(part), member);
    }
}

static size_t assign_total(const struct consumer_topics *topics)
{
    size_t total = 0;
    for (size_t i = 0; i < topics->count; i++)
        total += (size_t)topics->items[i].partitions_count;
    return total;
}

static size_t assign_held(const struct assign_member *member)
{
    size_t held = 0;
    for (size_t i = 0; i < member->before->count; i++)
        held += assign_wants(member, &member->before->items[i]);
    return held;
}

/* Shares: those who have more than the least keep one more first, while there is more to keep. */
static void assign_quotas(struct assign_member *members, size_t count, size_t total)
{
    size_t least = total / count, extra = total % count;
    for (size_t i = 0; i < count; i++) {
        members[i].quota = least;
        if (extra > 0 && assign_held(&members[i]) > least) {
            members[i].quota++;
            extra--;
        }
    }
    for (size_t i = 0; i < count && extra > 0; i++) {
        if (members[i].quota == least) {
            members[i].quota++;
            extra--;
        }
    }
}

static void assign_uniform_alike(struct assign_member *members, size_t count)
{
    const struct consumer_topics *topics = members[0].topics;
    struct assign_taken taken = {MAP_NULL};
    assign_quotas(members, count, assign_total(topics));
    for (size_t i = 0; i < count; i++)
        assign_keep(&taken, &members[i], members[i].quota);
    size_t at = 0;
    for (size_t t = 0; t < topics->count; t++) {
        for (int32_t p = 0; p < topics->items[t].partitions_count; p++) {
            struct consumer_part part = {topics->items[t].id, p};
            if (map_get(&taken.owned, consumer_part_key(&part)) != NULL)
                continue;
            while (members[at].after.count >= members[at].quota)
                at = (at + 1) % count; /* quotas add up to the total: somebody has room */
            consumer_parts_add(&members[at].after, part.topic, part.partition);
            at = (at + 1) % count;
        }
    }
    map_deinit(&taken.owned);
}

/* --- uniform, each with topics of their own --- */

/* A topic and who subscribes to it. */
struct assign_topic {
    const struct consumer_topic *topic;
    struct assign_member **members;
    size_t count, capacity;
    struct assign_member **owners; /* by partition */
};

struct assign_topics {
    struct assign_topic *items;
    size_t count, capacity;
    struct map by_id;
};

static int assign_topic_order(const void *a, const void *b)
{
    const struct assign_topic *left = a, *right = b;
    if (left->count != right->count)
        return left->count < right->count ? -1 : 1;
    return memcmp(left->topic->id.bytes, right->topic->id.bytes, UUID_SIZE);
}

static void assign_topic_add(struct assign_topic *topic, struct assign_member *member)
{
    if (topic->count == topic->capacity) {
        topic->capacity = topic->capacity == 0 ? 4 : topic->capacity * 2;
        topic->members = xrealloc(topic->members, topic->capacity * sizeof(struct assign_member *));
    }
    topic->members[topic->count++] = member;
}

/* Topics with their subscribers; those that fewest may have first. */
static void assign_topics_init(
    struct assign_topics *topics, struct assign_member *members, size_t count)
{
    *topics = (struct assign_topics){.by_id = MAP_NULL};
    size_t capacity = 0;
    for (size_t m = 0; m < count; m++)
        capacity += members[m].topics->count;
    topics->items = xnew_n(struct assign_topic, capacity + 1);
    for (size_t m = 0; m < count; m++) {
        for (size_t t = 0; t < members[m].topics->count; t++) {
            const struct consumer_topic *topic = &members[m].topics->items[t];
            struct slice key = slice_make(&topic->id, UUID_SIZE);
            struct assign_topic *known = map_get(&topics->by_id, key);
            if (known == NULL) {
                known = &topics->items[topics->count++];
                known->topic = topic;
                known->owners = xnew_n(struct assign_member *, (size_t)topic->partitions_count + 1);
                map_put(&topics->by_id, key, known);
            }
            assign_topic_add(known, &members[m]);
        }
    }
    map_deinit(&topics->by_id);
    qsort(topics->items, topics->count, sizeof(*topics->items), assign_topic_order);
    for (size_t t = 0; t < topics->count; t++) {
        struct assign_topic *topic = &topics->items[t];
        map_put(&topics->by_id, slice_make(&topic->topic->id, UUID_SIZE), topic);
    }
}

static void assign_topics_deinit(struct assign_topics *topics)
{
    for (size_t t = 0; t < topics->count; t++) {
        free(topics->items[t].members);
        free(topics->items[t].owners);
    }
    free(topics->items);
    map_deinit(&topics->by_id);
}

/* quota is the count of what a member has so far. */
static void assign_keep_all(struct assign_topics *topics, struct assign_member *member)
{
    for (size_t i = 0; i < member->before->count; i++) {
        const struct consumer_part *part = &member->before->items[i];
        if (!assign_wants(member, part))
            continue;
        struct assign_topic *topic = map_get(&topics->by_id, slice_make(&part->topic, UUID_SIZE));
        if (topic->owners[part->partition] != NULL)
            continue;
        topic->owners[part->partition] = member;
        member->quota++;
    }
}

static void assign_fill(struct assign_topic *topic)
{
    for (int32_t p = 0; p < topic->topic->partitions_count; p++) {
        if (topic->owners[p] != NULL)
            continue;
        struct assign_member *least = topic->members[0];
        for (size_t m = 1; m < topic->count; m++) {
            if (topic->members[m]->quota < least->quota)
                least = topic->members[m];
        }
        topic->owners[p] = least;
        least->quota++;
    }
}

/* Moves partitions of one topic to those who have least. True: something moved. */
static bool assign_balance(struct assign_topic *topic)
{
    bool moved = false;
    for (int32_t p = 0; p < topic->topic->partitions_count; p++) {
        struct assign_member *least = topic->members[0];
        for (size_t m = 1; m < topic->count; m++) {
            if (topic->members[m]->quota < least->quota)
                least = topic->members[m];
        }
        if (topic->owners[p]->quota <= least->quota + 1)
            continue;
        topic->owners[p]->quota--;
        topic->owners[p] = least;
        least->quota++;
        moved = true;
    }
    return moved;
}

static void assign_uniform_apart(struct assign_member *members, size_t count)
{
    struct assign_topics topics;
    assign_topics_init(&topics, members, count);
    for (size_t m = 0; m < count; m++) {
        members[m].quota = 0;
        members[m].after = CONSUMER_PARTS_NULL;
    }
    for (size_t m = 0; m < count; m++)
        assign_keep_all(&topics, &members[m]);
    for (size_t t = 0; t < topics.count; t++)
        assign_fill(&topics.items[t]);
    for (bool moved = true; moved;) {
        moved = false;
        for (size_t t = 0; t < topics.count; t++)
            moved |= assign_balance(&topics.items[t]);
    }
    for (size_t t = 0; t < topics.count; t++) {
        const struct assign_topic *topic = &topics.items[t];
        for (int32_t p = 0; p < topic->topic->partitions_count; p++)
            consumer_parts_add(&topic->owners[p]->after, topic->topic->id, p);
    }
    assign_topics_deinit(&topics);
}

/* --- range --- */

static int assign_member_order(const void *a, const void *b)
{
    const struct assign_member *left = a, *right = b;
    bool left_static = !slice_is_null(left->instance_id);
    bool right_static = !slice_is_null(right->instance_id);
    if (left_static && right_static)
        return slice_compare(left->instance_id, right->instance_id);
    if (left_static != right_static)
        return left_static ? -1 : 1;
    return slice_compare(left->id, right->id);
}

static void assign_range(struct assign_member *members, size_t count)
{
    qsort(members, count, sizeof(*members), assign_member_order);
    for (size_t m = 0; m < count; m++)
        members[m].after = CONSUMER_PARTS_NULL;
    struct assign_topics topics;
    assign_topics_init(&topics, members, count);
    for (size_t t = 0; t < topics.count; t++) {
        const struct assign_topic *topic = &topics.items[t];
        int32_t least = topic->topic->partitions_count / (int32_t)topic->count;
        int32_t extra = topic->topic->partitions_count % (int32_t)topic->count;
        int32_t next = 0;
        for (size_t m = 0; m < topic->count; m++) {
            int32_t end = next + least + ((int32_t)m < extra ? 1 : 0);
            for (; next < end; next++)
                consumer_parts_add(&topic->members[m]->after, topic->topic->id, next);
        }
        assert(next == topic->topic->partitions_count);
    }
    assign_topics_deinit(&topics);
}

void consumer_assign(
    enum consumer_assignor assignor, struct assign_member *members, size_t members_count)
{
    if (members_count == 0)
        return;
    if (assignor == CONSUMER_RANGE)
        assign_range(members, members_count);
    else if (assign_is_homogeneous(members, members_count))
        assign_uniform_alike(members, members_count);
    else
        assign_uniform_apart(members, members_count);
    for (size_t m = 0; m < members_count; m++)
        consumer_parts_sort(&members[m].after);
}
