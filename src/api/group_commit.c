// SPDX-License-Identifier: BSD-2-Clause
#include "api/group_commit.h"

static void group_commit_on_done(struct groups_commit *commit)
{
    struct group_commit *my = container_of(commit, struct group_commit, commit);
    my->answer(my);
}

static void group_commit_on_entered(struct groups_op *op)
{
    struct group_commit *my = container_of(op, struct group_commit, op);
    if (op->shard != NULL) {
        groups_commit(op->shard, op->group, &my->commit);
        return;
    }
    for (int32_t i = 0; i < my->commit.items_count; i++) {
        if (my->commit.items[i].error == GROUP_OK)
            my->commit.items[i].error = op->error;
    }
    my->answer(my);
}

void group_commit_init(struct group_commit *my, struct request *req, struct slice group,
    int32_t items_count, void (*answer)(struct group_commit *my))
{
    my->req = req;
    my->answer = answer;
    group_op_init(&my->op, req, group, true, group_commit_on_entered);
    my->commit = (struct groups_commit){
        .items = arena_new_n(&req->arena, struct groups_commit_item, (size_t)items_count),
        .done = group_commit_on_done,
    };
}

void group_commit_add(struct group_commit *my, const struct topic *known, enum group_error unknown,
    const struct group_offset *offset)
{
    struct groups_commit_item *item = &my->commit.items[my->commit.items_count++];
    item->offset = *offset;
    if (known == NULL)
        item->error = unknown;
    else if (offset->partition < 0 || offset->partition >= known->partitions_count)
        item->error = GROUP_E_UNKNOWN_PARTITION;
}

enum handle_result group_commit_start(struct group_commit *my)
{
    int32_t refused = 0;
    for (int32_t i = 0; i < my->commit.items_count; i++)
        refused += my->commit.items[i].error != GROUP_OK;
    if (refused < my->commit.items_count)
        return group_op_start(&my->op);
    my->answer(my);
    return HANDLE_PARKED;
}
