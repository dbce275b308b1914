// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * share_group_log: the records of share groups (KIP-932) in __consumer_offsets, in Kafka's format.
 * Called by consumer_log.c alone, for groups that are share groups.
 */
#include "broker/group/consumer_group.h"
#include "broker/group/group_log.h"
#include "wire/reader.h"

/* The version of a key is its type. */
enum {
    SHARE_GROUP_LOG_MEMBER = 10,
    SHARE_GROUP_LOG_GROUP = 11,
    SHARE_GROUP_LOG_TARGET_EPOCH = 12,
    SHARE_GROUP_LOG_TARGET = 13,
    SHARE_GROUP_LOG_CURRENT = 14,
    SHARE_GROUP_LOG_STATES = 15,
};

/* All that is dirty, in the order that a replay wants. */
void share_group_log_write(struct group_write *write, struct consumer_group *group);
/* Tombstones for all of it. */
void share_group_log_write_gone(struct group_write *write, struct consumer_group *group);
/* One record whose version was read, and which is no tombstone. False: malformed. */
bool share_group_log_apply(struct consumer_group *group, const struct group_log_key *key,
    struct reader *reader, struct arena *arena);
