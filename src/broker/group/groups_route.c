// SPDX-License-Identifier: BSD-2-Clause
/*
 * How a request gets to its group (coordinator/shard.h says how in general), and what the loop's
 * shards of __consumer_offsets are made of.
 */
#include "broker/group/groups_shard.h"
#include "broker/topics/image.h"

static struct shards *groups_here(struct broker *broker)
{
    return &broker_groups(broker)->shards;
}

static const struct topic *groups_topic(struct broker *broker)
{
    return broker_image(broker)->offsets;
}

static struct shard *groups_shard_make(struct shards *shards)
{
    struct groups_shard *shard = xnew(struct groups_shard);
    shard->groups = container_of(shards, struct groups, shards);
    shard->entries = MAP_NULL;
    list_init(&shard->pending);
    list_init(&shard->txn_ends);
    return &shard->base;
}

const struct shards_kind groups_shards = {
    .waited = "groups.waited",
    .here = groups_here,
    .topic = groups_topic,
    .ensure = broker_offsets_ensure,
    .index = broker_group_partition,
    .make = groups_shard_make,
};

struct groups_shard *groups_shard_at(struct groups *groups, int32_t index)
{
    return container_of(shard_at(&groups->shards, index), struct groups_shard, base);
}

static enum group_error groups_way_error(enum shard_error error)
{
    switch (error) {
    case SHARD_OK: return GROUP_OK;
    case SHARD_E_NO_TOPIC: return GROUP_E_NOT_FOUND;
    case SHARD_E_LOADING: return GROUP_E_LOADING;
    case SHARD_E_NOT_COORDINATOR: return GROUP_E_NOT_COORDINATOR;
    case SHARD_E_UNAVAILABLE: break;
    }
    return GROUP_E_UNAVAILABLE;
}

static void groups_arrive(struct groups_op *op)
{
    op->error = groups_way_error(op->way.error);
    op->shard = NULL;
    if (op->way.shard == NULL)
        return;
    op->shard = container_of(op->way.shard, struct groups_shard, base);
    groups_refresh_config(op->shard->groups);
}

static void groups_on_arrival(struct shard_op *way)
{
    struct groups_op *op = container_of(way, struct groups_op, way);
    groups_arrive(op);
    op->run(op);
}

enum groups_entered groups_enter(struct groups_op *op)
{
    if (slice_is_null(op->group))
        op->group = SLICE_LIT("");
    op->way = (struct shard_op){.broker = op->broker,
        .kind = &groups_shards,
        .key = op->group,
        .create = op->create,
        .run = groups_on_arrival};
    if (!shard_enter(&op->way))
        return GROUPS_LATER;
    groups_arrive(op);
    return GROUPS_HERE;
}

void groups_visit(struct groups_op *op, unsigned loop_index)
{
    op->way =
        (struct shard_op){.broker = op->broker, .kind = &groups_shards, .run = groups_on_arrival};
    shard_visit(&op->way, loop_index);
}
