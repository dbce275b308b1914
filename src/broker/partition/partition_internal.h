// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * partition_internal: what the files of partition share. partition.c has its life, readiness, reads
 * and waiters; partition_append.c appends and duplicates; partition_verify.c transactional appends
 * that the coordinator is asked about; partition_build.c the producers' state from snapshot and
 * replay. All on the home loop.
 */
#include "base/buffer.h"
#include "broker/partition/partition.h"
#include "broker/partition/producers.h"

/*
 *             on_acquired            built
 *   OPENING ---------------> BUILDING -----> USABLE
 *                             ^   ^   append |  |
 *                 on_acquired |   +--failed--+  | on_lost
 *                             +----- LOST <-----+
 *   any -- on_failed --> FAILED;   any -- partition_close --> CLOSING
 */
enum partition_state {
    PARTITION_OPENING,
    PARTITION_BUILDING,
    PARTITION_USABLE,
    PARTITION_LOST,
    PARTITION_FAILED,
    PARTITION_CLOSING,
};

struct partition {
    enum partition_state state;
    struct broker *broker;
    struct engine *engine;
    struct loop *loop;
    struct part *part;
    struct topic *topic;
    int32_t index;
    bool fresh; /* nothing of it existed when it was opened */
    const struct partition_events *events;
    void *ctx;

    struct list_link ready; /* struct partition_ready, in order of arrival */
    unsigned ready_count;
    struct list_link waiters;    /* struct partition_waiter */
    struct list_link duplicates; /* struct partition_append that wait for the high watermark */
    struct list_link verifies;   /* struct partition_verify: questions on their way */
    struct loop_msg wake_msg;
    bool wake_posted;

    struct producers producers;
    struct timer expiry;          /* runs while producers are remembered */
    uint64_t size_since_snapshot; /* bytes appended */
    bool changed_since_snapshot;

    bool told; /* on_usable, and neither on_lost nor on_failed since */
    bool build_running, build_again;
    unsigned build_tries; /* replays in a row that the medium failed */
    struct buffer snapshot;
    struct engine_call call; /* snapshot look-up */
    struct engine_replay replay;

    struct engine_call close_call;
    void (*close_done)(void *ctx, int result);
    void *close_ctx;
    bool closed; /* the engine has let go; only wake_msg keeps the memory */
};

static inline const struct engine_ops *partition_ops(const struct partition *partition)
{
    return partition->engine->ops;
}

void partition_set_state(struct partition *partition, enum partition_state state);
enum partition_error partition_error_of(enum engine_status status);
/* Built: queued appends and reads run, in order. */
void partition_on_built(struct partition *partition);
/* Ends what waits with `error`. */
void partition_fail_ready(struct partition *partition, enum partition_error error);
void partition_fail_duplicates(struct partition *partition, enum partition_error error);
/* Completes duplicates whose original is below the high watermark. */
void partition_wake_duplicates(struct partition *partition, int64_t high_watermark);

/* Tries again what was held up. */
enum partition_error partition_append_now(
    struct partition *partition, struct partition_append *append);
/* An append of a producer about whom the coordinator is being asked waits behind those before it.
 * True: it waits. */
bool partition_verify_join(struct partition *partition, struct partition_append *append);
/* Asks the coordinator; the append goes on with its answer. */
void partition_verify_start(struct partition *partition, struct partition_append *append);
void partition_fail_verifies(struct partition *partition, enum partition_error error);

/* State BUILDING: (re)builds the producers' state and calls partition_on_built. */
void partition_build(struct partition *partition);
/* Hands the engine a snapshot when enough happened since the last one, or `now` when anything did.
 */
void partition_save(struct partition *partition, bool now);
void partition_producers_watch(struct partition *partition);
