// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * share_coords: the share coordinators of one loop. What share groups remember of partitions lives
 * on the loop of its partition of __share_group_state; it is built by replay when that partition
 * becomes usable and dropped when it is lost. Created, freed and told about partitions by broker,
 * all on the loop itself. Questions come by share_state_submit.
 */
#include "broker/share/share_state.h"

struct partition;
struct share_coords;

/* Questions that wait for one share partition. */
#define SHARE_LINE_COUNT_MAX 1000
/* Share partitions on one loop; beyond it new ones are refused (UNAVAILABLE). */
#define SHARE_STATES_COUNT_MAX 250000
/* Stored batches of one share partition, and of one question; more are refused (INVALID). */
#define SHARE_STATE_BATCHES_MAX 131072

struct share_coords *share_coords_new(struct broker *broker, struct loop *loop);
void share_coords_free(struct share_coords *coords);
/* Answers whatever waits (UNAVAILABLE), stops timers: the broker is going down. */
void share_coords_stop(struct share_coords *coords);

/* A partition of __share_group_state became usable: replay it. `done` is called exactly once, from
 * the loop, when it can be asked (or the partition was lost meanwhile). */
void share_coords_load(struct share_coords *coords, int32_t index, struct partition *partition,
    void (*done)(void *ctx), void *ctx);
/* It was lost or is closing: forget it; who waits gets NOT_COORDINATOR. */
void share_coords_drop(struct share_coords *coords, int32_t index);

/* Whatever is remembered of its partitions goes. */
void share_coords_on_topic_deleted(struct share_coords *coords, struct uuid topic_id);
