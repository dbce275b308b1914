// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * consumer_log: the records of KIP-848 groups in __consumer_offsets, in Kafka's format: what is
 * dirty of a group is added to a write, and records are put back into a group. On the home loop.
 */
#include "broker/group/consumer_group.h"
#include "broker/group/group_log.h"
#include "wire/reader.h"

/* All that is dirty, in the order that a replay wants; the group is clean afterwards. */
void consumer_log_write(struct group_write *write, struct consumer_group *group);
/* Tombstones for all of it. */
void consumer_log_write_gone(struct group_write *write, struct consumer_group *group);

/* The rest of a key whose version was read. False: malformed. */
bool consumer_log_parse_key(
    struct reader *reader, int16_t version, struct arena *arena, struct group_log_key *ret_key);
/* One record of a consumer group into it; a null value removes. False: malformed. */
bool consumer_log_apply(struct consumer_group *group, const struct group_log_key *key,
    struct slice value, struct arena *arena);
