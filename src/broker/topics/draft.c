// SPDX-License-Identifier: BSD-2-Clause
/*
 * draft: checks each operation as Kafka does and collects what it changes. Messages are sentences
 * that name the topic, the value and what is allowed.
 */
#include "broker/topics/draft.h"

#include <assert.h>
#include <inttypes.h>

#include "broker/group/group_overrides.h"
#include "broker/config/overrides.h"

void draft_init(struct draft *draft, struct env *env, int32_t node_id, const struct image *base)
{
    *draft = (struct draft){
        .env = env,
        .node_id = node_id,
        .base = base,
        .settings = settings_get(base->settings),
        .partitions_count = base->partitions_count,
        .groups = base->group_configs,
    };
    if (draft->groups != NULL)
        ref_get(&draft->groups->ref);
}

void draft_deinit(struct draft *draft)
{
    for (unsigned i = 0; i < draft->changes_count; i++) {
        struct draft_change *change = &draft->changes[i];
        free(change->name);
        free(change->key);
        topic_put(change->topic);
        buffer_deinit(&change->value);
    }
    group_configs_unref(draft->groups);
    settings_put(draft->settings);
}

static struct draft_change *draft_change_of(const struct draft *draft, struct slice name)
{
    for (unsigned i = 0; i < draft->changes_count; i++) {
        const struct draft_change *change = &draft->changes[i];
        if (change->name != NULL && slice_equal_str(name, change->name))
            return (struct draft_change *)change;
    }
    return NULL;
}

static struct topic *draft_topic(const struct draft *draft, struct slice name)
{
    const struct draft_change *change = draft_change_of(draft, name);
    return change != NULL ? change->topic : image_topic(draft->base, name);
}

static struct topic *draft_topic_by_id(const struct draft *draft, struct uuid id)
{
    for (unsigned i = 0; i < draft->changes_count; i++) {
        struct topic *topic = draft->changes[i].topic;
        if (topic != NULL && uuid_equal(topic->id, id))
            return topic;
    }
    struct topic *topic = image_topic_by_id(draft->base, id);
    return topic == NULL ? NULL : draft_topic(draft, slice_from_str(topic->name));
}

/* Takes the reference. NULL: the topic is deleted. */
static void draft_put_topic(
    struct draft *draft, struct slice name, struct topic *take_topic, bool created)
{
    struct draft_change *change = draft_change_of(draft, name);
    if (change == NULL) {
        assert(draft->changes_count < DRAFT_CHANGES_MAX);
        change = &draft->changes[draft->changes_count++];
        *change = (struct draft_change){
            .name = xstrdup_slice(name), .key = xasprintf("topic/%.*s", SLICE_FMT(name))};
    } else
        topic_put(change->topic);
    change->topic = take_topic;
    change->created |= created;
    change->value.size = 0;
    if (take_topic != NULL)
        topic_encode(take_topic, &change->value);
}

static void op_fail(struct topics_op *op, enum topics_error error, struct slice message)
{
    op->error = error;
    op->message = message;
}

/* --- create --- */

static const struct topic *draft_collision(const struct draft *draft, struct slice name)
{
    if (memchr(name.data, '.', name.size) == NULL && memchr(name.data, '_', name.size) == NULL)
        return NULL;
    for (unsigned i = 0; i < draft->changes_count; i++) {
        struct topic *topic = draft->changes[i].topic;
        if (topic != NULL && topic_names_collide(name, slice_from_str(topic->name)))
            return topic;
    }
    for (size_t i = 0; i < draft->base->topics_count; i++) {
        struct topic *topic = draft->base->topics[i];
        if (topic_names_collide(name, slice_from_str(topic->name)) &&
            draft_topic(draft, slice_from_str(topic->name)) != NULL)
            return topic;
    }
    return NULL;
}

static bool create_name_valid(const struct draft *draft, struct topics_op *op)
{
    if (!topic_name_valid(op->name)) {
        op_fail(op, TOPICS_NAME_INVALID,
            arena_printf(op->arena,
                "\"%.*s\" is no topic name: it must have 1 to 249 letters, digits, '.', '_' or "
                "'-', and may not be \".\" or \"..\".",
                SLICE_FMT(op->name)));
        return false;
    }
    if (draft_topic(draft, op->name) != NULL) {
        op_fail(op, TOPICS_EXISTS,
            arena_printf(op->arena, "Topic '%.*s' already exists.", SLICE_FMT(op->name)));
        return false;
    }
    const struct topic *other = draft_collision(draft, op->name);
    if (other != NULL) {
        op_fail(op, TOPICS_NAME_INVALID,
            arena_printf(op->arena,
                "Topic '%.*s' collides with existing topic '%s': '.' and '_' count as the same in "
                "names of metrics.",
                SLICE_FMT(op->name), other->name));
        return false;
    }
    return true;
}

static bool partitions_allowed(
    const struct draft *draft, struct topics_op *op, int32_t count, int32_t added)
{
    const struct broker_settings *settings = draft->settings;
    if (count < 1) {
        op_fail(op, TOPICS_PARTITIONS_INVALID,
            arena_printf(op->arena,
                "Number of partitions must be at least 1, or -1 for the broker's default; %" PRId32
                " was asked for.",
                count));
        return false;
    }
    if (count > settings->partitions_per_topic_max) {
        op_fail(op, TOPICS_PARTITIONS_INVALID,
            arena_printf(op->arena,
                "%" PRId32 " partitions are more than one topic may have (%" PRId32
                ", odradek.topic.partitions.max).",
                count, settings->partitions_per_topic_max));
        return false;
    }
    if (added > settings->partitions_max - draft->partitions_count) {
        op_fail(op, TOPICS_LIMIT,
            arena_printf(op->arena,
                "This broker holds %" PRId64 " partitions and may hold %" PRId32
                " (odradek.partitions.max); %" PRId32 " more do not fit.",
                draft->partitions_count, settings->partitions_max, added));
        return false;
    }
    return true;
}

static bool replication_allowed(const struct draft *draft, struct topics_op *op)
{
    int32_t nodes = draft->settings->nodes_count;
    bool lenient = draft->settings->replication_lenient;
    if (op->replication == -1 ||
        (op->replication >= 1 && op->replication <= (lenient ? INT16_MAX : nodes)))
        return true;
    if (op->replication < 1)
        op_fail(op, TOPICS_REPLICATION_INVALID,
            SLICE_LIT("Replication factor must be larger than 0, or -1 for the broker's default."));
    else
        op_fail(op, TOPICS_REPLICATION_INVALID,
            arena_printf(op->arena,
                "Replication factor %" PRId32 " is larger than the number of brokers, %" PRId32
                ". (odradek.replication.lenient=true accepts it; odradek.virtual.brokers shows "
                "more brokers.)",
                op->replication, nodes));
    return false;
}

static bool replicas_allowed(const struct draft *draft, struct topics_op *op, int32_t partition,
    const struct topics_nodes *nodes)
{
    const struct broker_settings *settings = draft->settings;
    if (replicas_valid(settings, nodes->ids, (size_t)(nodes->count < 0 ? 0 : nodes->count)))
        return true;
    if (settings->nodes_count == 1)
        op_fail(op, TOPICS_ASSIGNMENT_INVALID,
            arena_printf(op->arena,
                "The replicas of partition %" PRId32 " must be exactly [%" PRId32
                "]: there is one broker.",
                partition, settings->node_id));
    else
        op_fail(op, TOPICS_ASSIGNMENT_INVALID,
            arena_printf(op->arena,
                "The replicas of partition %" PRId32 " must be some of the brokers %" PRId32
                " to %" PRId32 ", none of them twice.",
                partition, settings->node_id, settings->node_id + settings->nodes_count - 1));
    return false;
}

/* The coordinators' topics are made as they need them when nothing else is asked for. */
static void create_internal_defaults(struct topics_op *op, const char *policy, int32_t partitions,
    int32_t replication, int32_t segment_size)
{
    if (op->partitions == -1)
        op->partitions = partitions;
    if (op->replication == -1)
        op->replication = replication;
    if (op->configs_count > 0)
        return;
    struct topics_config *configs = arena_new_n(op->arena, struct topics_config, 4);
    configs[0] = (struct topics_config){
        SLICE_LIT("cleanup.policy"), slice_from_str(policy), TOPICS_CONFIG_SET};
    configs[1] = (struct topics_config){
        SLICE_LIT("compression.type"), SLICE_LIT("producer"), TOPICS_CONFIG_SET};
    configs[2] = (struct topics_config){SLICE_LIT("segment.bytes"),
        arena_printf(op->arena, "%" PRId32, segment_size), TOPICS_CONFIG_SET};
    configs[3] =
        (struct topics_config){SLICE_LIT("retention.ms"), SLICE_LIT("-1"), TOPICS_CONFIG_SET};
    op->configs = configs;
    op->configs_count = strcmp(policy, "delete") == 0 ? 4 : 3;
}

/* `first`: the partition that the first assignment is about. */
static bool assignments_allowed(
    const struct draft *draft, struct topics_op *op, int32_t first, int32_t count)
{
    if (op->assignments != NULL && op->assignments_count != count) {
        op_fail(op, TOPICS_ASSIGNMENT_INVALID,
            arena_printf(op->arena,
                "%" PRId32 " partitions are made, but %" PRId32 " assignments were given.", count,
                op->assignments_count));
        return false;
    }
    for (int32_t i = 0; op->assignments != NULL && i < count; i++) {
        const struct topics_nodes *nodes = &op->assignments[i];
        if (!replicas_allowed(draft, op, first + i, nodes))
            return false;
    }
    return true;
}

/* Puts the topic that is being made where the operation wants it. */
static void place(
    const struct draft *draft, const struct topics_op *op, struct topic *topic, int32_t first)
{
    const struct broker_settings *settings = draft->settings;
    if (first == 0 && op->replication >= 1)
        topic_take_replicas(
            topic, replicas_spread(settings, topic->id, topic->partitions_count, op->replication));
    for (int32_t i = first;
         topic->replicas != NULL && op->assignments != NULL && i < topic->partitions_count; i++) {
        const struct topics_nodes *nodes = &op->assignments[i - first];
        topic->replicas[i].leader = nodes->ids[0];
        replicas_assign(&topic->replicas[i], nodes->ids, (size_t)nodes->count);
    }
}

static void apply_create_as(struct draft *draft, struct topics_op *op, int32_t partitions)
{
    struct override_change *changes = NULL;
    size_t changes_count = 0;
    uint8_t random[UUID_SIZE];
    if (!overrides_resolve(op, NULL, draft->settings, &changes, &changes_count))
        return;
    draft->env->ops->random(draft->env, random, sizeof(random));
    struct topic *plain =
        topic_new(op->name, uuid_from_random(random), partitions, NULL, 0, draft->settings);
    place(draft, op, plain, 0);
    op->topic = topic_derive(plain, partitions, changes, changes_count, true, draft->settings);
    topic_put(plain);
    if (op->validate_only)
        return;
    draft->partitions_count += partitions;
    draft_put_topic(draft, op->name, topic_get(op->topic), true);
}

static void apply_create(struct draft *draft, struct topics_op *op)
{
    const struct broker_settings *settings = draft->settings;
    if (slice_equal_str(op->name, TOPIC_NAME_OFFSETS))
        create_internal_defaults(op, "compact", settings->group.offsets_partitions,
            settings->group.offsets_replication, settings->group.offsets_segment_size);
    else if (slice_equal_str(op->name, TOPIC_NAME_TRANSACTIONS))
        create_internal_defaults(op, "compact", settings->txn.state_partitions,
            settings->txn.state_replication, settings->txn.state_segment_size);
    else if (slice_equal_str(op->name, TOPIC_NAME_SHARE_STATE)) /* its coordinator prunes it */
        create_internal_defaults(op, "delete", settings->share.state_partitions,
            settings->share.state_replication, settings->share.state_segment_size);
    int32_t partitions = op->partitions == -1 ? settings->partitions_default : op->partitions;
    struct topic *existing = draft_topic(draft, op->name);
    if (op->type == TOPICS_ENSURE && existing != NULL) {
        op->topic = topic_get(existing);
        return;
    }
    if (create_name_valid(draft, op) && partitions_allowed(draft, op, partitions, partitions) &&
        replication_allowed(draft, op) && assignments_allowed(draft, op, 0, partitions))
        apply_create_as(draft, op, partitions);
}

/* --- delete, grow, configure --- */

static struct topic *op_topic(const struct draft *draft, struct topics_op *op)
{
    struct topic *topic =
        slice_is_null(op->name) ? draft_topic_by_id(draft, op->id) : draft_topic(draft, op->name);
    if (topic == NULL)
        op_fail(op, TOPICS_UNKNOWN, SLICE_LIT("This server does not host this topic."));
    return topic;
}

static void apply_delete(struct draft *draft, struct topics_op *op)
{
    struct topic *topic = op_topic(draft, op);
    if (topic == NULL)
        return;
    op->topic = topic_get(topic);
    if (image_topic_by_id(draft->base, topic->id) != NULL)
        draft->gone[draft->gone_count++] = topic->id;
    draft->partitions_count -= topic->partitions_count;
    draft_put_topic(draft, slice_from_str(op->topic->name), NULL, false);
}

static void apply_grow(struct draft *draft, struct topics_op *op)
{
    struct topic *topic = op_topic(draft, op);
    if (topic == NULL)
        return;
    int32_t before = topic->partitions_count;
    if (topic->internal) {
        op_fail(op, TOPICS_REQUEST_INVALID,
            arena_printf(op->arena,
                "The number of partitions of %s is fixed: what it holds is found by that number.",
                topic->name));
        return;
    }
    if (op->partitions <= before) {
        op_fail(op, TOPICS_PARTITIONS_INVALID,
            arena_printf(op->arena,
                "Topic '%s' has %" PRId32 " partition%s; %" PRId32
                " would not be an increase, and partitions cannot be taken away.",
                topic->name, before, before == 1 ? "" : "s", op->partitions));
        return;
    }
    if (!partitions_allowed(draft, op, op->partitions, op->partitions - before) ||
        !assignments_allowed(draft, op, before, op->partitions - before))
        return;
    op->topic = topic_derive(topic, op->partitions, NULL, 0, false, draft->settings);
    place(draft, op, op->topic, before);
    if (op->validate_only)
        return;
    draft->partitions_count += op->partitions - before;
    draft_put_topic(draft, slice_from_str(op->topic->name), topic_get(op->topic), false);
}

/* Another leader, or other replicas. There is one copy of the data, so both are done at once. */
static void apply_move(struct draft *draft, struct topics_op *op)
{
    struct topic *topic = op_topic(draft, op);
    if (topic == NULL)
        return;
    if (op->partition < 0 || op->partition >= topic->partitions_count) {
        op_fail(op, TOPICS_UNKNOWN, SLICE_LIT("This server does not host this topic-partition."));
        return;
    }
    if (op->nodes.count > 0 && !replicas_allowed(draft, op, op->partition, &op->nodes))
        return;
    struct replicas now = topic_replicas(draft->settings, topic, op->partition), then = now;
    if (op->nodes.count > 0)
        replicas_assign(&then, op->nodes.ids, (size_t)op->nodes.count);
    else if (now.leader == now.nodes[0])
        op_fail(
            op, TOPICS_MOVE_NEEDLESS, SLICE_LIT("Leader election not needed for topic partition."));
    else
        then.leader = now.nodes[0];
    if (op->error != TOPICS_OK)
        return;
    op->topic = topic_derive(topic, topic->partitions_count, NULL, 0, false, draft->settings);
    if (op->topic->replicas != NULL)
        op->topic->replicas[op->partition] = then;
    if (!op->validate_only)
        draft_put_topic(draft, slice_from_str(op->topic->name), topic_get(op->topic), false);
}

static void apply_configure(struct draft *draft, struct topics_op *op)
{
    struct override_change *changes = NULL;
    size_t changes_count = 0;
    struct topic *topic = op_topic(draft, op);
    if (topic == NULL || !overrides_resolve(op, topic, draft->settings, &changes, &changes_count))
        return;
    op->topic = topic_derive(
        topic, topic->partitions_count, changes, changes_count, op->replace, draft->settings);
    if (!op->validate_only)
        draft_put_topic(draft, slice_from_str(op->topic->name), topic_get(op->topic), false);
}

/* The change of a key of meta that is no topic's. */
static struct draft_change *draft_config_change(
    struct draft *draft, const char *prefix, struct slice name)
{
    char *key = xasprintf("%s%.*s", prefix, SLICE_FMT(name));
    struct draft_change *change = NULL;
    for (unsigned i = 0; i < draft->changes_count; i++) {
        if (draft->changes[i].name == NULL && strcmp(draft->changes[i].key, key) == 0)
            change = &draft->changes[i];
    }
    if (change == NULL) {
        assert(draft->changes_count < DRAFT_CHANGES_MAX);
        change = &draft->changes[draft->changes_count++];
        *change = (struct draft_change){.key = steal(&key)};
    }
    free(key);
    change->value.size = 0;
    return change;
}

static void apply_configure_broker(struct draft *draft, struct topics_op *op)
{
    struct config *config = NULL;
    struct broker_settings *settings = NULL;
    struct buffer problem = BUFFER_NULL;
    enum config_source source =
        op->name.size == 0 ? CONFIG_FROM_DYNAMIC_DEFAULT : CONFIG_FROM_DYNAMIC_BROKER;
    if (!overrides_resolve_broker(op, draft->settings->config, source, &config))
        return;
    if (settings_new(config, &problem, &settings) < 0) {
        op_fail(op, TOPICS_CONFIG_INVALID, arena_copy_slice(op->arena, buffer_slice(&problem)));
    } else if (!op->validate_only) {
        struct draft_change *change = draft_config_change(draft, "config/broker/", op->name);
        dynamic_config_encode(config, source, &change->value);
        settings_put(draft->settings);
        draft->settings = settings_get(settings);
    }
    settings_put(settings);
    config_free(config);
    buffer_deinit(&problem);
}

static bool group_name_allowed(const struct draft *draft, struct topics_op *op)
{
    if (op->name.size > GROUP_CONFIG_NAME_SIZE_MAX ||
        (op->name.size > 0 && memchr(op->name.data, '\0', op->name.size) != NULL)) {
        op_fail(op, TOPICS_REQUEST_INVALID,
            arena_printf(op->arena,
                "The name of a group that is configured must have at most %d bytes, none of them 0.",
                GROUP_CONFIG_NAME_SIZE_MAX));
        return false;
    }
    if (draft->groups == NULL || draft->groups->by_name.count < GROUP_CONFIGS_MAX ||
        group_configs_find(draft->groups, op->name) != NULL)
        return true;
    op_fail(op, TOPICS_LIMIT,
        arena_printf(op->arena, "This broker keeps the configuration of at most %d groups.",
            GROUP_CONFIGS_MAX));
    return false;
}

static void apply_configure_group(struct draft *draft, struct topics_op *op)
{
    struct group_values values;
    if (!group_name_allowed(draft, op) ||
        !overrides_resolve_group(
            op, group_configs_find(draft->groups, op->name), draft->settings, &values) ||
        op->validate_only)
        return;
    struct group_overrides *config = group_overrides_new(op->name, &values);
    struct draft_change *change = draft_config_change(draft, GROUP_CONFIG_PREFIX, op->name);
    if (!group_overrides_is_empty(config))
        group_overrides_encode(config, &change->value);
    if (draft->groups == draft->base->group_configs) {
        draft->groups = group_configs_copy(draft->groups);
        group_configs_unref(draft->base->group_configs); /* the draft's */
    }
    group_configs_put(draft->groups, config);
}

bool draft_must_wait(const struct draft *draft, const struct topics_op *op)
{
    if (op->type != TOPICS_CREATE && op->type != TOPICS_ENSURE)
        return false;
    const struct draft_change *change = draft_change_of(draft, op->name);
    return change != NULL && change->topic == NULL && image_topic(draft->base, op->name) != NULL;
}

void draft_apply(struct draft *draft, struct topics_op *op)
{
    assert(draft->changes_count < DRAFT_CHANGES_MAX);
    op->error = TOPICS_OK;
    op->message = SLICE_NULL;
    op->topic = NULL;
    switch (op->type) {
    case TOPICS_CREATE:
    case TOPICS_ENSURE: apply_create(draft, op); return;
    case TOPICS_DELETE: apply_delete(draft, op); return;
    case TOPICS_GROW: apply_grow(draft, op); return;
    case TOPICS_MOVE: apply_move(draft, op); return;
    case TOPICS_CONFIGURE: apply_configure(draft, op); return;
    case TOPICS_CONFIGURE_BROKER: apply_configure_broker(draft, op); return;
    case TOPICS_CONFIGURE_GROUP: apply_configure_group(draft, op); return;
    case TOPICS_OP_TYPES_COUNT: break;
    }
    assert(false);
}

/* Other defaults give every topic another effective configuration. */
static struct topic *topic_with_settings(const struct draft *draft, struct topic *topic)
{
    if (draft->settings == draft->base->settings)
        return topic_get(topic);
    return topic_derive(topic, topic->partitions_count, NULL, 0, false, draft->settings);
}

struct image *draft_build(const struct draft *draft)
{
    const struct image *base = draft->base;
    struct topic **topics = xnew_n(struct topic *, base->topics_count + draft->changes_count + 1);
    struct map changed = MAP_NULL;
    size_t count = 0;
    for (unsigned i = 0; i < draft->changes_count; i++) {
        const struct draft_change *change = &draft->changes[i];
        if (change->name != NULL)
            map_put(&changed, slice_from_str(change->name), (void *)change);
        if (change->topic != NULL)
            topics[count++] = topic_with_settings(draft, change->topic);
    }
    for (size_t i = 0; i < base->topics_count; i++) {
        if (map_get(&changed, slice_from_str(base->topics[i]->name)) == NULL)
            topics[count++] = topic_with_settings(draft, base->topics[i]);
    }
    map_deinit(&changed);
    struct image *image = image_new(base->revision + 1, draft->settings, topics, count);
    if (draft->groups != NULL)
        ref_get(&draft->groups->ref);
    image_take_group_configs(image, draft->groups);
    return image;
}
