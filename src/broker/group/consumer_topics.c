// SPDX-License-Identifier: BSD-2-Clause
/*
 * What members subscribe to. Most say the same, so each set of names and expression is kept once
 * per group, with the topics it stands for now. Those are looked up anew when the broker's topics
 * have changed; a hash over all of them, which is in the log too, tells whether that matters, so
 * that neither a restart nor somebody else's topic makes anybody rebalance.
 */
#include "broker/group/consumer_internal.h"

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/regex.h"
#include "base/siphash.h"

#include <assert.h>

/* --- shared subscriptions --- */

static int consumer_name_order(const void *a, const void *b)
{
    return slice_compare(*(const struct slice *)a, *(const struct slice *)b);
}

/* Sorted names without duplicates; each with its length before it, then the expression. */
static struct buffer consumer_subscription_key(
    const struct slice *names, int32_t count, struct slice pattern)
{
    struct buffer key = BUFFER_NULL;
    uint8_t size[4];
    for (int32_t i = 0; i < count; i++) {
        bytes_put_u32(size, (uint32_t)names[i].size);
        buffer_append(&key, size, sizeof(size));
        buffer_append_slice(&key, names[i]);
    }
    bytes_put_u32(size, UINT32_MAX);
    buffer_append(&key, size, sizeof(size));
    buffer_append_slice(&key, pattern);
    return key;
}

static struct consumer_subscription *consumer_subscription_new(struct slice key,
    const struct slice *names, int32_t count, struct slice pattern, struct regex *take_regex)
{
    struct consumer_subscription *subscription = xnew(struct consumer_subscription);
    subscription->key = slice_copy(key);
    subscription->names = xnew_n(struct slice, (size_t)count + 1);
    subscription->names_count = count;
    for (int32_t i = 0; i < count; i++)
        subscription->names[i] = slice_copy(names[i]);
    subscription->pattern = pattern.size == 0 ? SLICE_NULL : slice_copy(pattern);
    subscription->regex = take_regex;
    return subscription;
}

static void consumer_topics_clear(struct consumer_topics *topics)
{
    for (size_t i = 0; i < topics->count; i++)
        slice_drop(&topics->items[i].name);
    free(steal(&topics->items));
    topics->count = 0;
}

struct consumer_subscription *consumer_subscription_get(struct consumer_group *group,
    const struct slice *names, int32_t names_count, struct slice pattern)
{
    struct slice *sorted = xnew_n(struct slice, (size_t)names_count + 1);
    int32_t count = 0;
    if (names_count > 0)
        memcpy(sorted, names, (size_t)names_count * sizeof(*names));
    qsort(sorted, (size_t)names_count, sizeof(*sorted), consumer_name_order);
    for (int32_t i = 0; i < names_count; i++) {
        if (count == 0 || !slice_equal(sorted[i], sorted[count - 1]))
            sorted[count++] = sorted[i];
    }
    struct buffer key = consumer_subscription_key(sorted, count, pattern);
    struct consumer_subscription *subscription = map_get(&group->subscriptions, buffer_slice(&key));
    struct regex *regex = NULL;
    if (subscription == NULL && (pattern.size == 0 || regex_new(pattern, &regex) == 0)) {
        subscription = consumer_subscription_new(buffer_slice(&key), sorted, count, pattern, regex);
        map_put(&group->subscriptions, subscription->key, subscription);
    }
    if (subscription != NULL)
        subscription->members_count++;
    buffer_deinit(&key);
    free(sorted);
    return subscription;
}

void consumer_subscription_put(
    struct consumer_group *group, struct consumer_subscription *subscription)
{
    assert(subscription->members_count > 0);
    if (--subscription->members_count > 0)
        return;
    map_remove(&group->subscriptions, subscription->key);
    consumer_topics_clear(&subscription->topics);
    for (int32_t i = 0; i < subscription->names_count; i++)
        slice_drop(&subscription->names[i]);
    free(subscription->names);
    slice_drop(&subscription->pattern);
    slice_drop(&subscription->key);
    regex_free(subscription->regex);
    free(subscription);
}

/* --- the topics they stand for --- */

struct consumer_resolving {
    struct consumer_subscription *subscription;
    size_t capacity;
};

static void consumer_resolving_add(
    struct consumer_resolving *resolving, const struct consumer_topic *topic)
{
    struct consumer_topics *topics = &resolving->subscription->topics;
    if (topics->count == resolving->capacity) {
        resolving->capacity = resolving->capacity == 0 ? 8 : resolving->capacity * 2;
        topics->items = xrealloc(topics->items, resolving->capacity * sizeof(*topics->items));
    }
    topics->items[topics->count] = *topic;
    topics->items[topics->count++].name = slice_copy(topic->name);
}

static void consumer_resolving_match(void *arg, const struct consumer_topic *topic)
{
    struct consumer_resolving *resolving = arg;
    if (regex_matches(resolving->subscription->regex, topic->name))
        consumer_resolving_add(resolving, topic);
}

static int consumer_topic_order(const void *a, const void *b)
{
    const struct consumer_topic *left = a, *right = b;
    return memcmp(left->id.bytes, right->id.bytes, UUID_SIZE);
}

static void consumer_subscription_resolve(
    struct consumer_group *group, struct consumer_subscription *subscription)
{
    struct consumer_topics *topics = &subscription->topics;
    struct consumer_resolving resolving = {subscription, 0};
    consumer_topics_clear(topics);
    for (int32_t i = 0; i < subscription->names_count; i++) {
        struct consumer_topic topic;
        if (group->hooks->topic(group->ctx, subscription->names[i], &topic))
            consumer_resolving_add(&resolving, &topic);
    }
    if (subscription->regex != NULL)
        group->hooks->topics_each(group->ctx, consumer_resolving_match, &resolving);
    if (topics->count > 1)
        qsort(topics->items, topics->count, sizeof(*topics->items), consumer_topic_order);
    size_t kept = 0;
    for (size_t i = 0; i < topics->count; i++) {
        if (kept > 0 && uuid_equal(topics->items[kept - 1].id, topics->items[i].id))
            slice_drop(&topics->items[i].name);
        else
            topics->items[kept++] = topics->items[i];
    }
    topics->count = kept;
    subscription->resolved = true;
}

/* The same in every process: it is compared with what the log says. Each subscription adds its
 * own, whatever their order. */
static uint64_t consumer_group_hash(const struct consumer_group *group)
{
    static const struct siphash_key key = {{0x6f6472616465, 0x6b3834380a}};
    uint64_t hash = 0;
    map_for_each (&group->subscriptions, found) {
        const struct consumer_subscription *subscription = found->value;
        struct buffer bytes = BUFFER_NULL;
        for (size_t i = 0; i < subscription->topics.count; i++) {
            const struct consumer_topic *topic = &subscription->topics.items[i];
            uint8_t count[4];
            bytes_put_u32(count, (uint32_t)topic->partitions_count);
            buffer_append(&bytes, topic->id.bytes, UUID_SIZE);
            buffer_append(&bytes, count, sizeof(count));
        }
        if (bytes.size > 0)
            hash += siphash_128(&key, buffer_slice(&bytes)).words[0];
        buffer_deinit(&bytes);
    }
    return hash;
}

bool consumer_group_resolve(struct consumer_group *group, bool subscriptions_changed)
{
    uint64_t revision = group->hooks->topics_revision(group->ctx);
    bool moved = revision != group->topics_revision;
    if (!moved && !subscriptions_changed)
        return false;
    group->topics_revision = revision;
    map_for_each (&group->subscriptions, found) {
        struct consumer_subscription *subscription = found->value;
        if (moved || !subscription->resolved)
            consumer_subscription_resolve(group, subscription);
    }
    uint64_t hash = consumer_group_hash(group);
    if (hash == group->topics_hash)
        return false;
    group->topics_hash = hash;
    group->dirty |= CONSUMER_DIRTY_EPOCH;
    return true;
}

bool consumer_group_is_subscribed(const struct consumer_group *group, struct slice topic)
{
    map_for_each (&group->subscriptions, found) {
        const struct consumer_subscription *subscription = found->value;
        for (int32_t i = 0; i < subscription->names_count; i++) {
            if (slice_equal(subscription->names[i], topic))
                return true;
        }
        if (subscription->regex != NULL && regex_matches(subscription->regex, topic))
            return true;
    }
    return false;
}
