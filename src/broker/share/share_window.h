// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * share_window: the records of one partition that a share group has under way, from the first that
 * is not done with (start) to the first that nobody ever got (end). No clock, no disk: the caller
 * says what time it is, reads the log and keeps what must be kept (share_partition.h). One thread.
 *
 * Records are kept as runs that are in the same state, so a window costs what its variety costs.
 * Every offset from start to end is in exactly one run; offsets without a record (compacted away,
 * of aborted transactions) are archived when they are met.
 */
#include "base/buffer.h"
#include "base/map.h"
#include "broker/share/share_state.h"

/* Offsets between start and end: nothing is acquired beyond. So there are at most as many runs. */
#define SHARE_WINDOW_COUNT_MAX 65536

struct share_owner; /* a member that has acquired something */

struct share_run {
    int64_t first, last;       /* inclusive */
    struct share_owner *owner; /* ACQUIRED */
    int64_t deadline_ms;       /* ACQUIRED: when the lock ends; monotonic */
    int64_t batch_first;       /* what was acquired together at first: its first offset, */
    uint32_t batch_count;      /* and how many */
    uint32_t write;            /* ACQUIRED, and acknowledged: the write that decides; 0: none */
    int16_t count;             /* deliveries */
    uint8_t state;             /* enum share_record_state */
    uint8_t target;            /* with write: what it becomes */
};

struct share_runs {
    struct share_run *runs;
    size_t count, capacity;
};

struct share_window {
    int64_t start, end;
    struct share_runs runs; /* by offset, without gaps */
    struct map owners;      /* member id -> struct share_owner */
    uint32_t write;         /* the last one handed out */
};

/* What the group's configuration says, at the moment. */
struct share_limits {
    int64_t now_ms;      /* monotonic */
    int32_t lock_ms;     /* how long a record stays acquired */
    int16_t count_max;   /* deliveries, after which it is archived */
    int32_t records_max; /* under way at a time */
    bool renew;          /* locks may be renewed */
};

void share_window_init(struct share_window *window, int64_t start);
void share_window_deinit(struct share_window *window);
/*
 * Empty: what was stored, by offset. Offsets that nothing is stored of are available. Nothing is
 * believed of records at or above log_end: they were lost, and those offsets are given again.
 * False: this is no state.
 */
bool share_window_load(struct share_window *window, const struct share_state_batch *batches,
    size_t count, int64_t log_end);

/* The first offset that can be acquired; end: only what nobody got yet. */
int64_t share_window_next(const struct share_window *window);
/* Whether there is room: something is available again, or fewer than records_max are under way. */
bool share_window_has_room(const struct share_window *window, const struct share_limits *limits);

/* One batch of the log, as read. */
struct share_span {
    int64_t first, last; /* inclusive */
    bool dead;           /* of an aborted transaction: nobody gets it */
};
struct share_acquired {
    int64_t first, last;
    int16_t count; /* which delivery it is */
};
struct share_acquire {
    /* in */
    struct slice member;
    int64_t from;                   /* what was read from: share_window_next() */
    const struct share_span *spans; /* by offset; what is between them is not there */
    size_t spans_count;
    int32_t records_max;
    bool exact;         /* never more than that; else up to the end of a batch */
    int32_t batch_size; /* records that are acquired as one, about */
    /* out: struct share_acquired, by offset; appended */
    struct buffer *ret_acquired;
    int32_t count; /* records */
};
/* Acquires what is available; repeatedly failed records come in ever smaller portions, and at their
 * last delivery alone, so that one bad record does not take others with it. */
void share_window_acquire(
    struct share_window *window, const struct share_limits *limits, struct share_acquire *acquire);

enum share_ack_type {
    SHARE_ACK_GAP = 0, /* there was no record at that offset */
    SHARE_ACK_ACCEPT = 1,
    SHARE_ACK_RELEASE = 2,
    SHARE_ACK_REJECT = 3,
    SHARE_ACK_RENEW = 4,
};
struct share_ack {
    int64_t first, last; /* inclusive; first <= last */
    const int8_t *types; /* one for all, or one for each offset */
    size_t types_count;
};
enum share_ack_error {
    SHARE_ACK_OK,
    SHARE_ACK_E_STATE, /* not acquired by this member: INVALID_RECORD_STATE */
    SHARE_ACK_E_PAST,  /* beyond what was acquired: INVALID_REQUEST */
};
/*
 * All or nothing. Locks are renewed at once; all else waits for a write that the caller begins:
 * `*ret_write` is its id (0: none is needed), and the states to write are appended to `changes` as
 * struct share_state_batch. share_window_settle ends it.
 */
enum share_ack_error share_window_acknowledge(struct share_window *window,
    const struct share_limits *limits, struct slice member, const struct share_ack *acks,
    size_t count, struct buffer *changes, uint32_t *ret_write);
/* The same for everything that a member has: it is released. */
void share_window_release(struct share_window *window, const struct share_limits *limits,
    struct slice member, struct buffer *changes, uint32_t *ret_write);
/* `kept`: what was acknowledged is so. Else all is as before; what is locked no longer is released.
 */
void share_window_settle(
    struct share_window *window, const struct share_limits *limits, uint32_t write, bool kept);

/* Releases what is locked no longer; the states are appended to `changes`. */
void share_window_expire(
    struct share_window *window, const struct share_limits *limits, struct buffer *changes);
/* When the next lock ends; INT64_MAX: none does. */
int64_t share_window_deadline(const struct share_window *window);

/* The log starts later now: nothing below can be delivered. */
void share_window_move_start(struct share_window *window, int64_t log_start);

/* Records from start on that are done with, or will be when all writes are. */
int32_t share_window_complete_count(const struct share_window *window);
