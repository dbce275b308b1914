// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * groups: the group coordinators of one loop. A group lives on the loop of its partition of
 * __consumer_offsets; its state is built by replay when that partition becomes usable and dropped
 * when it is lost. Created, freed and told about partitions by broker, all on the loop itself.
 */
#include "base/slice.h"
#include "base/uuid.h"
#include "loop/loop.h"

struct broker;
struct groups;
struct partition;

struct groups *groups_new(struct broker *broker, struct loop *loop);
/* The loop has stopped taking requests: parked requests were completed by groups_stop. */
void groups_free(struct groups *groups);
/* Answers every parked request (COORDINATOR_NOT_AVAILABLE), stops timers: the broker is going down.
 */
void groups_stop(struct groups *groups);

/* A partition of __consumer_offsets became usable: replay it. `done` is called exactly once, from
 * the loop, when its groups can be served (or the partition was lost meanwhile). */
void groups_load(struct groups *groups, int32_t index, struct partition *partition,
    void (*done)(void *ctx), void *ctx);
/* It was lost or is closing: forget its groups; their parked requests end with NOT_COORDINATOR. */
void groups_drop(struct groups *groups, int32_t index);

/* A topic was deleted: its committed offsets go (tombstones are written). */
void groups_on_topic_deleted(struct groups *groups, struct uuid id, struct slice name);
/* A connection that asked for it (request_watch_close) ended; called on every loop. */
void groups_on_conn_close(struct groups *groups, uint64_t conn_id);
