// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * group_commit: what OffsetCommit and TxnOffsetCommit share: the offsets of one request, those that
 * can be refused without asking the group, and the way there. Items lie in request order, so an
 * answer is the request with codes.
 *
 *   group_commit_init, group_commit_add for each partition, group_commit_start
 */
#include "api/group_common.h"

struct group_commit {
    struct groups_op op;
    struct groups_commit commit; /* the caller fills in who commits */
    struct request *req;
    void (*answer)(struct group_commit *my); /* once: items have their errors; completes */
};

/* `items_count`: partitions in the request. */
void group_commit_init(struct group_commit *my, struct request *req, struct slice group,
    int32_t items_count, void (*answer)(struct group_commit *my));
/* `known`: the topic, NULL when there is none, which is answered with `unknown`. */
void group_commit_add(struct group_commit *my, const struct topic *known, enum group_error unknown,
    const struct group_offset *offset);
/* When nothing is left to commit, the group is not asked. */
enum handle_result group_commit_start(struct group_commit *my);
