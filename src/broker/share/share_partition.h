// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * share_partition: one partition of a topic as one share group gets it: the window of records that
 * are under way (share_window.h), on the home loop of the partition, whose log it reads and whose
 * locks it times. What is acknowledged is written by the share coordinator before it is answered.
 * Made when somebody first fetches, forgotten when the partition goes, the group has no session any
 * more, or its state was changed by somebody else; then it is loaded anew.
 */
#include "broker/partition/partition.h"
#include "broker/share/share_window.h"

struct share_parts;
struct share_partition;

/* Share partitions of one loop. */
#define SHARE_PARTS_COUNT_MAX 100000
/* Fetches that wait for one share partition to be loaded. */
#define SHARE_LOADING_COUNT_MAX 1000
/* Batches that one fetch looks at. */
#define SHARE_SPANS_COUNT_MAX 1024

enum share_error {
    SHARE_OK,
    SHARE_E_STATE,       /* INVALID_RECORD_STATE */
    SHARE_E_INVALID,     /* INVALID_REQUEST */
    SHARE_E_UNKNOWN,     /* UNKNOWN_TOPIC_OR_PARTITION */
    SHARE_E_NOT_LEADER,  /* lost, or fenced: NOT_LEADER_OR_FOLLOWER */
    SHARE_E_UNAVAILABLE, /* the coordinator: COORDINATOR_NOT_AVAILABLE */
    SHARE_E_STORED,      /* what is stored makes no sense, or was never initialized:
                            UNKNOWN_SERVER_ERROR */
    SHARE_E_READ,        /* the log: see partition_error */
};

/* Reads and acquires. The caller's memory until done. */
struct share_fetch {
    /* in */
    struct slice member;
    uint32_t size_max; /* bytes; one batch comes even if it is larger */
    int32_t records_max;
    bool exact; /* never more records than that */
    int32_t batch_size;
    bool look; /* only how much there is: size, and nothing is acquired */
    /* Once, maybe from within. */
    void (*done)(struct share_fetch *fetch);
    /* out */
    enum share_error error;
    enum partition_error partition_error;
    struct chunk chunks[ENGINE_READ_CHUNKS_MAX]; /* the caller owns the references */
    unsigned chunks_count;
    uint64_t size;
    struct buffer acquired; /* struct share_acquired, by offset; the caller frees it */
    int32_t count;          /* records */
    int64_t seen;           /* the end of what could be read */
    /* own */
    struct share_partition *partition;
    struct partition_read read;
    struct list_link link;
    bool again;
};

struct share_acknowledge {
    /* in */
    struct slice member;
    const struct share_ack *acks; /* by offset */
    size_t acks_count;
    /* Once, maybe from within. */
    void (*done)(struct share_acknowledge *acknowledge);
    /* out */
    enum share_error error;
};

/* A fetch that waits for something to acquire: `fn` is called once, maybe from within, when there
 * may be. */
struct share_waiter {
    struct list_link link;
    struct partition_waiter log;
    int64_t seen; /* what could be read up to here is not enough; -1: anything is */
    void (*fn)(struct share_waiter *waiter);
};

struct share_parts *share_parts_new(struct broker *broker, struct loop *loop);
void share_parts_free(struct share_parts *parts);
/* The partition was lost or is closing. */
void share_parts_drop(struct share_parts *parts, const struct part_id *id);
/* The broker stops: all of them. */
void share_parts_stop(struct share_parts *parts);

/* NULL: it is not there (and not `create`, or there are too many, or no such partition). Valid for
 * this turn of the loop. */
struct share_partition *share_parts_get(
    struct share_parts *parts, struct slice group, const struct part_id *id, bool create);
/* The group has no session any more. */
void share_parts_forget_group(struct share_parts *parts, struct slice group);
size_t share_parts_count(const struct share_parts *parts);

void share_partition_fetch(struct share_partition *partition, struct share_fetch *fetch);
void share_partition_acknowledge(
    struct share_partition *partition, struct share_acknowledge *acknowledge);
/* Whatever the member has is for others. */
void share_partition_release(struct share_partition *partition, struct slice member);
void share_partition_wait(struct share_partition *partition, struct share_waiter *waiter);
/* Harmless when it was called already, also after the partition went away. */
void share_partition_unwait(struct share_waiter *waiter);
