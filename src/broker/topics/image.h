// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * image: building topics and images. Both are immutable once built and ref-counted, so any loop may
 * read the ones it holds. Built on loop 0 (and before the loops run).
 */
#include "broker/broker.h"
#include "broker/topics/replicas.h"
#include "broker/config/settings.h"

/* One change of configuration as people ask for it. A null value removes the override. */
struct override_change {
    const struct config_key *key;
    struct slice value;
};

/* One reference. `overrides` may be NULL. Its partitions are spread over the brokers, with the
 * default number of replicas. */
struct topic *topic_new(struct slice name, struct uuid id, int32_t partitions_count,
    const struct topic_override *overrides, size_t overrides_count,
    const struct broker_settings *settings);
/* The same topic with other settings, another count of partitions, or changed overrides. `replace`:
 * overrides not among the changes are dropped. */
struct topic *topic_derive(const struct topic *topic, int32_t partitions_count,
    const struct override_change *changes, size_t changes_count, bool replace,
    const struct broker_settings *settings);
/* For whoever builds it, before others see it: the replicas of its partitions (an array for all of
 * them, or NULL). */
void topic_take_replicas(struct topic *topic, struct replicas *take_replicas);
static inline struct topic *topic_get(struct topic *topic)
{
    ref_get(&topic->ref);
    return topic;
}
static inline void topic_put(struct topic *topic)
{
    if (topic != NULL)
        ref_put(&topic->ref);
}

/* As stored in meta under "topic/<name>". */
void topic_encode(const struct topic *topic, struct buffer *buffer);
/* NULL when the bytes are no topic. */
struct topic *topic_decode(
    struct slice name, struct slice bytes, const struct broker_settings *settings);

/* Letters, digits, '.', '_' and '-', 1 to 249 of them, not "." or "..". */
bool topic_name_valid(struct slice name);
/* One of the coordinators' topics: only they write there. */
bool topic_name_internal(struct slice name);
/* Whether two names differ only in '.' against '_' (their metrics would be one). */
bool topic_names_collide(struct slice a, struct slice b);

/* Takes the references in `topics` (any order; the array is taken too). One reference. */
struct image *image_new(uint64_t revision, struct broker_settings *settings,
    struct topic **take_topics, size_t topics_count);
/* For whoever builds it, before others see it: what is set for single groups (a reference). */
void image_take_group_configs(struct image *image, struct group_configs *take_configs);
static inline struct image *image_get(struct image *image)
{
    ref_get(&image->ref);
    return image;
}
static inline void image_put(struct image *image)
{
    if (image != NULL)
        ref_put(&image->ref);
}
/* The loop of a partition among `loops_count`, whether the topic is published yet or not. */
unsigned topic_home_index(const struct topic *topic, int32_t partition, unsigned loops_count);
