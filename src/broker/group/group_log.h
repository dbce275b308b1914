// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * group_log: Kafka's records of __consumer_offsets: built into one batch and appended, and parsed
 * again. On the home loop of the partition. A write is one batch: what is added to it becomes
 * durable together or not at all.
 */
#include "base/arena.h"
#include "broker/group/group.h"
#include "broker/group/group_offsets.h"
#include "broker/partition/partition.h"
#include "store/batch/batch_builder.h"
#include "wire/group_metadata_value.gen.h"
#include "wire/writer.h"

struct group_write {
    struct batch_builder builder;
    struct partition_append append;
    struct writer key, value; /* scratch */
    int64_t now_ms;           /* real; every record's timestamp */
    /* From the loop, once, when group_write_submit said GROUP_OK; log_offset is the batch's. The
     * write is freed when it returns. */
    void (*done)(struct group_write *write, enum group_error error);
    void *ctx;
    int64_t log_offset;
    struct loop_msg msg;
    enum group_error result;
};

/* One record: the key goes into write->key, the value into write->value, between these. */
void group_write_begin(struct group_write *write);
void group_write_end(struct group_write *write, bool tombstone);
/* As begin, with the key of most records: a type, a group, and what of it (null: the group itself).
 * The value begins with `version`. */
void group_write_begin_key(struct group_write *write, int16_t type, struct slice group,
    struct slice what, int16_t version);
/* A whole record: that key without a value. */
void group_write_tombstone(
    struct group_write *write, int16_t type, struct slice group, struct slice what);

struct group_write *group_write_new(int64_t now_ms);
void group_write_free(struct group_write *write); /* one that was not submitted */
void group_write_group(struct group_write *write, const struct group *group);
void group_write_group_tombstone(struct group_write *write, struct slice group);
void group_write_offset(
    struct group_write *write, struct slice group, const struct group_offset *offset);
void group_write_offset_tombstone(
    struct group_write *write, struct slice group, struct slice topic, int32_t partition);
/* What is written belongs to a transaction; `add`: and adds this partition to it. The id lives
 * until done. */
void group_write_in_txn(struct group_write *write, struct slice transactional_id,
    int64_t producer_id, int16_t epoch, bool add);
static inline bool group_write_empty(const struct group_write *write)
{
    return write->builder.records_count == 0;
}
/* Durable and urgent. Takes the write: GROUP_OK: done follows; else it is gone already. */
enum group_error group_write_submit(struct group_write *take_write, struct partition *partition,
    void (*done)(struct group_write *write, enum group_error error), void *ctx);

/* --- reading --- */

enum group_log_type {
    GROUP_LOG_OFFSET,
    GROUP_LOG_GROUP,
    /* KIP-848 */
    GROUP_LOG_CONSUMER_GROUP,
    GROUP_LOG_CONSUMER_TOPICS, /* of older brokers; nothing to keep */
    GROUP_LOG_CONSUMER_MEMBER,
    GROUP_LOG_CONSUMER_TARGET_EPOCH,
    GROUP_LOG_CONSUMER_TARGET,
    GROUP_LOG_CONSUMER_CURRENT,
    GROUP_LOG_CONSUMER_PATTERN,
    /* KIP-932 */
    GROUP_LOG_SHARE_GROUP,
    GROUP_LOG_SHARE_MEMBER,
    GROUP_LOG_SHARE_TARGET_EPOCH,
    GROUP_LOG_SHARE_TARGET,
    GROUP_LOG_SHARE_CURRENT,
    GROUP_LOG_SHARE_STATES,
    GROUP_LOG_OTHER,
};
struct group_log_key {
    enum group_log_type type;
    struct slice group, topic; /* into the bytes parsed */
    int32_t partition;
    struct slice member; /* or the expression */
};
/* False: malformed. A key of a kind we do not know is GROUP_LOG_OTHER. */
bool group_log_parse_key(struct slice bytes, struct arena *arena, struct group_log_key *ret_key);
/* Fills offset, epoch, metadata and times. */
bool group_log_parse_offset(
    struct slice bytes, struct arena *arena, struct group_offset *ret_offset);
bool group_log_parse_group(struct slice bytes, struct arena *arena, int16_t *ret_version,
    struct group_metadata_value *ret_value);
