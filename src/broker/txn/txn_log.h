// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * txn_log: Kafka's records of __transaction_state, and the control batches that end a transaction
 * in a partition: written and read. On the home loop of the partition that is written to.
 */
#include "base/arena.h"
#include "broker/partition/partition.h"
#include "broker/txn/txn.h"
#include "store/batch/batch_builder.h"
#include "wire/writer.h"

/* One batch on its way; made and freed by txn_log. */
struct txn_write {
    struct batch_builder builder;
    struct partition_append append;
    /* From the loop, once, when submit said PARTITION_PENDING. */
    void (*done)(void *ctx, enum partition_error error);
    void *ctx;
};

struct txn_write *txn_write_new(void);
/* txn->next and its partitions; of a DEAD one a tombstone. */
void txn_write_state(struct txn_write *write, const struct txn *txn, int64_t now_ms);
struct txn_marker_facts {
    int64_t producer_id;
    int16_t epoch;
    bool commit;
    int32_t coordinator_epoch;
};
void txn_write_marker(
    struct txn_write *write, const struct txn_marker_facts *marker, int64_t now_ms);
/* Durable and urgent. Takes the write: PARTITION_PENDING: done follows; else it is gone already and
 * nothing was appended. */
enum partition_error txn_write_submit(struct txn_write *take_write, struct partition *partition,
    void (*done)(void *ctx, enum partition_error error), void *ctx);

/* --- reading --- */

/* The transactional id; false when the key is of another kind or malformed. */
bool txn_log_parse_key(struct slice bytes, struct arena *arena, struct slice *ret_id);
struct txn_log_value {
    struct txn_facts facts;
    struct txn_topic_partition *partitions; /* arena */
    size_t partitions_count;
};
bool txn_log_parse_value(struct slice bytes, struct arena *arena, struct txn_log_value *ret_value);
/* The marker in a control batch that is there as a whole; false: it is none. */
bool txn_log_parse_marker(
    const struct batch_header *header, struct slice batch, struct txn_marker_facts *ret_marker);
