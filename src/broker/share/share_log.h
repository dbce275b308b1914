// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * share_log: Kafka's records of __share_group_state: built into one batch and appended, and parsed
 * again. On the home loop of the partition. A snapshot is all that is remembered of one share
 * partition, an update what changed; both are tied together by the snapshot's epoch.
 */
#include "base/arena.h"
#include "broker/partition/partition.h"
#include "broker/share/share_state.h"
#include "store/batch/batch_builder.h"
#include "wire/writer.h"

struct share_key {
    struct slice group;
    struct uuid topic_id;
    int32_t partition;
};

/* What is remembered of one share partition. */
struct share_facts {
    int32_t snapshot_epoch, state_epoch, leader_epoch; /* -1: none */
    int64_t start_offset;                              /* SHARE_START_UNKNOWN */
    int32_t complete_count;                            /* SHARE_COUNT_UNKNOWN */
    int64_t created_ms, written_ms;                    /* real */
    struct share_state_batch *batches;
    size_t batches_count;
};

/* One batch on its way; made and freed by share_log. */
struct share_write {
    struct batch_builder builder;
    struct partition_append append;
    int64_t now_ms; /* real; every record's timestamp */
    /* From the loop, once, when submit said PARTITION_PENDING; base_offset is the batch's. */
    void (*done)(void *ctx, enum partition_error error, int64_t base_offset);
    void *ctx;
};

struct share_write *share_write_new(int64_t now_ms);
void share_write_free(struct share_write *write); /* one that was not submitted */
/* The records so far: the next one has this place in the batch. */
static inline int32_t share_write_count(const struct share_write *write)
{
    return write->builder.records_count;
}
void share_write_snapshot(
    struct share_write *write, const struct share_key *key, const struct share_facts *facts);
/* facts: what is new alone. */
void share_write_update(
    struct share_write *write, const struct share_key *key, const struct share_facts *facts);
void share_write_tombstone(struct share_write *write, const struct share_key *key);
/* Durable and urgent. Takes the write: PARTITION_PENDING: done follows; else it is gone already. */
enum partition_error share_write_submit(struct share_write *take_write, struct partition *partition,
    void (*done)(void *ctx, enum partition_error error, int64_t base_offset), void *ctx);

/* --- reading --- */

enum share_log_type { SHARE_LOG_SNAPSHOT, SHARE_LOG_UPDATE };
/* False: of another kind, or malformed. The group is in the arena or the bytes. */
bool share_log_parse_key(struct slice bytes, struct arena *arena, enum share_log_type *ret_type,
    struct share_key *ret_key);
/* The batches are in the arena. An update says nothing of state epoch and times. */
bool share_log_parse_value(struct slice bytes, enum share_log_type type, struct arena *arena,
    struct share_facts *ret_facts);
