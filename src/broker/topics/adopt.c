// SPDX-License-Identifier: BSD-2-Clause
/*
 * adopt: topics that lie in the data directory and that meta does not know: the directory was
 * written by Apache Kafka, or the journal was lost. They become topics before the first image is
 * built, under the ids that their partition.metadata files hold.
 *
 * What a topic was configured to do is in Kafka's metadata log when that lies there, too (kraft.c).
 * Where it is not, the topic keeps everything for ever (retention.ms and retention.bytes -1) until
 * somebody says otherwise: a guess must not delete. One that was compacted goes on being.
 *
 * Not adopted, with one warning that says why: directories that do not say whose they are or that
 * say different things, names that are none or that collide, and what goes beyond the limits. They
 * stay where they are. Topics that were deleted while the broker died are not adopted either.
 */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "broker/broker_internal.h"
#include "broker/topics/kraft.h"
#include "wire/reader.h"

#define ADOPT_NAME_METADATA "__cluster_metadata"

struct adopted {
    char *name;
    struct uuid id;
    int32_t partitions_count; /* the highest number and one */
    int32_t dirs_count;
    bool compacted;
    const char *fault;
    char *key; /* in meta */
    struct buffer value;
};

struct adopting {
    struct broker *broker;
    struct kraft kraft;
    struct map topics; /* name -> struct adopted */
    int64_t partitions_count;
    struct meta_op *ops;
    size_t n_ops;
    char producer_ids[24];
};

static bool adopt_wanted(void *ctx, struct slice topic)
{
    struct adopting *adopting = ctx;
    if (slice_equal_str(topic, ADOPT_NAME_METADATA))
        return false;
    _cleanup_(freep) char *key = xasprintf("topic/%.*s", SLICE_FMT(topic));
    return slice_is_null(meta_get(adopting->broker->meta, slice_from_str(key), NULL));
}

static bool adopt_is_gone(struct broker *broker, struct uuid id)
{
    char key[TOPICS_GONE_KEY_SIZE];
    topics_gone_key(id, key);
    return !slice_is_null(meta_get(broker->meta, slice_from_str(key), NULL));
}

static void adopt_on_dir(void *ctx, const struct engine_local_dir *dir)
{
    struct adopting *adopting = ctx;
    if (dir->owned && adopt_is_gone(adopting->broker, dir->topic_id))
        return;
    struct adopted *topic = map_get(&adopting->topics, dir->topic);
    if (topic == NULL) {
        topic = xnew(struct adopted);
        topic->name = xstrdup_slice(dir->topic);
        topic->id = dir->topic_id;
        map_put(&adopting->topics, slice_from_str(topic->name), topic);
    }
    if (!dir->owned)
        topic->fault = "a directory of it does not say which topic it belongs to";
    else if (!uuid_equal(dir->topic_id, topic->id) || uuid_is_zero(dir->topic_id))
        topic->fault = "its directories name different topic ids";
    topic->compacted |= dir->compacted;
    topic->dirs_count++;
    if (dir->partition >= topic->partitions_count)
        topic->partitions_count = dir->partition == INT32_MAX ? INT32_MAX : dir->partition + 1;
}

/* --- whether --- */

struct adopt_collision {
    const struct adopted *topic;
    const char *fault;
};

static const char *collision_judge(
    const struct adopted *topic, struct slice other, struct uuid other_id)
{
    if (uuid_equal(topic->id, other_id))
        return "another topic has its id";
    return topic_names_collide(slice_from_str(topic->name), other)
               ? "its name differs from that of another topic only in '.' and '_'"
               : NULL;
}

static void collision_on_topic(void *ctx, struct slice key, struct slice value)
{
    struct adopt_collision *collision = ctx;
    size_t prefix = strlen("topic/");
    struct reader reader = reader_make(value);
    reader_int8(&reader);
    struct uuid id = reader_uuid(&reader);
    const char *fault =
        collision_judge(collision->topic, slice_make(key.data + prefix, key.size - prefix), id);
    collision->fault = collision->fault == NULL ? fault : collision->fault;
}

/* With what is known, or with what was adopted before it. */
static const char *adopt_collides(struct adopting *adopting, const struct adopted *topic)
{
    struct adopt_collision collision = {.topic = topic};
    meta_range(adopting->broker->meta, SLICE_LIT("topic/"), collision_on_topic, &collision);
    map_for_each (&adopting->topics, entry) {
        const struct adopted *other = entry->value;
        if (other != topic && other->key != NULL && collision.fault == NULL)
            collision.fault = collision_judge(topic, slice_from_str(other->name), other->id);
    }
    return collision.fault;
}

static const char *adopt_judge(struct adopting *adopting, const struct adopted *topic)
{
    const struct broker_settings *settings = adopting->broker->settings;
    if (topic->fault != NULL)
        return topic->fault;
    if (!topic_name_valid(slice_from_str(topic->name)))
        return "this is no topic name";
    if (topic->partitions_count > settings->partitions_per_topic_max ||
        topic->partitions_count > settings->partitions_max - adopting->partitions_count)
        return "it has more partitions than odradek.topic.partitions.max or odradek.partitions.max "
               "allow";
    return adopt_collides(adopting, topic);
}

/* --- how --- */

/* Sets what Kafka's metadata says; a value that is not allowed here is left out. Returns how many
 * were left out. */
static unsigned adopt_configure_as(const struct kraft_topic *known, struct arena *arena,
    struct override_change *changes, size_t *ret_count)
{
    unsigned left_out = 0;
    struct kraft_config *config;
    *ret_count = 0;
    list_for_each_entry (config, &known->configs, link) {
        const struct config_key *key =
            config_key_find(slice_from_str(config->name), CONFIG_SCOPE_TOPIC);
        struct slice value = slice_from_str(config->value), reason;
        if (key == NULL || !config_value_valid(key, value, arena, &reason))
            left_out++;
        else
            changes[(*ret_count)++] = (struct override_change){key, value};
    }
    return left_out;
}

static struct override_change change_make(const char *name, const char *value)
{
    const struct config_key *key = config_key_find(slice_from_str(name), CONFIG_SCOPE_TOPIC);
    assert(key != NULL);
    return (struct override_change){key, slice_from_str(value)};
}

static void adopt_configure_unknown(
    const struct adopted *topic, bool internal, struct override_change *changes, size_t *ret_count)
{
    if (topic->compacted || internal)
        changes[(*ret_count)++] = change_make("cleanup.policy", "compact");
    changes[(*ret_count)++] = change_make("retention.ms", "-1");
    changes[(*ret_count)++] = change_make("retention.bytes", "-1");
}

static size_t kraft_count(const struct kraft_topic *known)
{
    size_t count = 0;
    struct kraft_config *config;
    list_for_each_entry (config, &known->configs, link)
        count++;
    return count;
}

static void adopt_topic(struct adopting *adopting, struct adopted *adopted)
{
    struct broker *broker = adopting->broker;
    const struct kraft_topic *known = kraft_topic(&adopting->kraft, slice_from_str(adopted->name));
    struct topic *topic = topic_new(slice_from_str(adopted->name), adopted->id,
        adopted->partitions_count, NULL, 0, broker->settings);
    struct arena arena;
    arena_init(&arena, SIZE_MAX);
    size_t count = 0, known_count = known == NULL ? 0 : kraft_count(known);
    struct override_change *changes = arena_new_n(&arena, struct override_change, known_count + 3);
    unsigned left_out = 0;
    if (known != NULL)
        left_out = adopt_configure_as(known, &arena, changes, &count);
    else
        adopt_configure_unknown(adopted, topic->internal, changes, &count);
    struct topic *configured =
        topic_derive(topic, adopted->partitions_count, changes, count, true, broker->settings);
    topic_encode(configured, &adopted->value);
    adopted->key = xasprintf("topic/%s", adopted->name);
    adopting->ops[adopting->n_ops++] =
        (struct meta_op){META_PUT, slice_from_str(adopted->key), buffer_slice(&adopted->value)};
    adopting->partitions_count += adopted->partitions_count;
    log_info("topic.adopted",
        "topic=%s partitions=%" PRId32 " missing=%" PRId32 " id=%s configs=%zu left_out=%u "
        "text=\"%s\"",
        adopted->name, adopted->partitions_count, adopted->partitions_count - adopted->dirs_count,
        uuid_to_text(adopted->id).str, count, left_out,
        known != NULL ? "found in the data directory, configured as Kafka's metadata log says"
                      : "found in the data directory; its configuration is not known, so it keeps "
                        "everything until retention.ms or retention.bytes is set");
    topic_put(configured);
    topic_put(topic);
    arena_deinit(&arena);
}

/* Ids that Kafka handed out must not be handed out again. */
static void adopt_producer_ids(struct adopting *adopting)
{
    struct slice stored = meta_get(adopting->broker->meta, PRODUCER_IDS_KEY, NULL);
    char text[24] = "0";
    if (stored.size > 0 && stored.size < sizeof(text))
        memcpy(text, stored.data, stored.size);
    if (adopting->kraft.producer_ids <= strtoll(text, NULL, 10))
        return;
    snprintf(adopting->producer_ids, sizeof(adopting->producer_ids), "%" PRId64,
        adopting->kraft.producer_ids);
    adopting->ops[adopting->n_ops++] =
        (struct meta_op){META_PUT, PRODUCER_IDS_KEY, slice_from_str(adopting->producer_ids)};
}

static void adopt_count_known(void *ctx, struct slice key, struct slice value)
{
    struct adopting *adopting = ctx;
    size_t prefix = strlen("topic/");
    struct topic *topic = topic_decode(
        slice_make(key.data + prefix, key.size - prefix), value, adopting->broker->settings);
    if (topic != NULL)
        adopting->partitions_count += topic->partitions_count;
    topic_put(topic);
}

static int adopt_all(struct adopting *adopting)
{
    struct broker *broker = adopting->broker;
    int r = kraft_read(&adopting->kraft, broker->env, broker->data_dir);
    if (r < 0)
        log_warn("topic.metadata_unreadable",
            "error=\"%s\" text=\"Kafka's metadata log cannot be read; topics are adopted without "
            "their configuration\"",
            log_errno(-r).str);
    meta_range(broker->meta, SLICE_LIT("topic/"), adopt_count_known, adopting);
    adopting->ops = xnew_n(struct meta_op, adopting->topics.count + 1);
    map_for_each (&adopting->topics, entry) {
        struct adopted *topic = entry->value;
        const char *fault = adopt_judge(adopting, topic);
        if (fault == NULL)
            adopt_topic(adopting, topic);
        else
            log_warn("topic.not_adopted", "topic=%s directories=%" PRId32 " reason=\"%s\"",
                log_quote(slice_from_str(topic->name)).str, topic->dirs_count, fault);
    }
    adopt_producer_ids(adopting);
    return meta_commit_now(broker->meta, adopting->ops, adopting->n_ops);
}

int topics_adopt(struct broker *broker)
{
    struct adopting adopting = {.broker = broker, .topics = MAP_NULL, .kraft.topics = MAP_NULL};
    int r = engine_local_dirs(broker->local, adopt_wanted, adopt_on_dir, &adopting);
    if (r == 0 && adopting.topics.count > 0)
        r = adopt_all(&adopting);
    map_for_each (&adopting.topics, entry) {
        struct adopted *topic = entry->value;
        buffer_deinit(&topic->value);
        free(topic->key);
        free(topic->name);
        free(topic);
    }
    map_deinit(&adopting.topics);
    kraft_deinit(&adopting.kraft);
    free(adopting.ops);
    return r;
}
