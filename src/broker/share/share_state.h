// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * share_state: what a share group remembers of one partition ("share partition": group, topic,
 * partition): where delivery starts and which records after that are in which state. Kept in
 * __share_group_state by the share coordinators (share_coords.h); this header is the question to
 * them. Requests come from any loop by share_state_submit and are answered on the loop that asked.
 */
#include "base/slice.h"
#include "base/uuid.h"
#include "broker/broker.h"
#include "broker/coordinator/shard.h"

enum share_state_kind {
    /* Starts afresh at start_offset (SHARE_START_UNKNOWN: where share.auto.offset.reset says, once
     * somebody reads), whatever there was: also how offsets are altered, with a higher state
     * epoch. Makes __share_group_state when it is not there. */
    SHARE_STATE_INITIALIZE,
    SHARE_STATE_READ,    /* all of it, for the leader of the partition */
    SHARE_STATE_WRITE,   /* batches over what is there */
    SHARE_STATE_SUMMARY, /* start and count alone; of one that is unknown: SHARE_START_UNKNOWN, no
                            error */
    SHARE_STATE_DELETE,  /* one that is unknown is no error */
    SHARE_STATE_REWRITE, /* the coordinator's own: all of it once more */
};

enum share_state_error {
    SHARE_STATE_OK,
    SHARE_STATE_E_INVALID,       /* read or written before it was initialized */
    SHARE_STATE_E_FENCED_LEADER, /* a newer leader has read or written: FENCED_LEADER_EPOCH */
    SHARE_STATE_E_FENCED_STATE,  /* it was initialized anew since: FENCED_STATE_EPOCH */
    SHARE_STATE_E_UNKNOWN_TOPIC, /* no such topic or partition: UNKNOWN_TOPIC_OR_PARTITION */
    SHARE_STATE_E_NOT_COORDINATOR,
    SHARE_STATE_E_UNAVAILABLE, /* COORDINATOR_NOT_AVAILABLE */
    SHARE_STATE_E_LOADING,     /* COORDINATOR_LOAD_IN_PROGRESS */
};

#define SHARE_START_UNKNOWN (-1)
#define SHARE_COUNT_UNKNOWN (-1)

/* Delivery states as they are stored. */
enum share_record_state {
    SHARE_RECORD_AVAILABLE = 0,
    SHARE_RECORD_ACQUIRED = 1, /* never stored */
    SHARE_RECORD_ACKNOWLEDGED = 2,
    SHARE_RECORD_ARCHIVED = 4,
};

struct share_state_batch {
    int64_t first_offset, last_offset; /* inclusive */
    int8_t delivery_state;
    int16_t delivery_count;
};

struct share_state_op {
    /* in; the caller's memory until done (also what the slices point to) */
    struct broker *broker;
    enum share_state_kind kind;
    struct slice group;
    struct uuid topic_id;
    int32_t partition;
    int32_t state_epoch;    /* INITIALIZE, WRITE; -1: not compared. out: READ, SUMMARY */
    int32_t leader_epoch;   /* READ, WRITE; -1: not compared. out: SUMMARY */
    int64_t start_offset;   /* INITIALIZE, WRITE (-1: as it was); out: READ, SUMMARY */
    int32_t complete_count; /* WRITE: records after the start that are done with; out: READ,
                               SUMMARY; SHARE_COUNT_UNKNOWN */
    /* WRITE: in; READ: out, op's own until share_state_op_deinit */
    const struct share_state_batch *batches;
    size_t batches_count;
    /* Once, never from within, on the loop that submitted. What was answered is on the medium (as
     * far as the broker's acks=all goes). */
    void (*done)(struct share_state_op *op);
    void *context; /* the caller's own */
    /* out */
    enum share_state_error error;
    /* own */
    struct shard_op way;
    char *key;
    struct loop *loop;
    struct share_state_batch *owned;
    struct loop_msg msg;
    struct list_link link;
    bool forced; /* the coordinator's own doing: whatever became of the topic */
};

/* Any loop. */
void share_state_submit(struct share_state_op *op);
/* After done: frees what a READ answered. Harmless for the others. */
void share_state_op_deinit(struct share_state_op *op);

/* The key by which a coordinator is found (broker_share_partition), as Kafka has it:
 * "group:topicId:partition". The caller frees it. */
char *share_state_key(struct slice group, struct uuid topic_id, int32_t partition);
