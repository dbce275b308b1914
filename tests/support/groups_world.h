// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * groups_world: the coordinators of one loop above a broker that is not there: a fake clock, an
 * image with two topics, settings by hand, and partitions of __consumer_offsets that keep their
 * batches in memory, commit when told and replay what was committed. For tests of groups*.c.
 */
#include "broker/group/groups.h"
#include "broker/config/settings.h"
#include "support/fake_loop.h"

#define WORLD_PARTITIONS 2

struct groups_world; /* struct broker is one */

void groups_world_start(void);
void groups_world_end(void); /* frees all and checks that no timer runs */
struct broker *groups_world_broker(void);
struct broker_settings *groups_world_settings(void);
struct groups *groups_world_groups(void);

/* Appends answer on the next turn, unless held; then when released. */
void groups_world_hold(bool hold);
void groups_world_fail_appends(bool fail); /* they end with PARTITION_STORAGE */
void groups_world_pass_real(int64_t ms);   /* only the real clock moves */
size_t groups_world_batches_count(void);
/* Records in the log of all partitions whose value is null. */
size_t groups_world_tombstones_count(void);

/* The share coordinators: they answer on the next turn, unless held; refuse when told; and count
 * what they were asked to make and to remove. */
void groups_world_hold_states(bool hold);
void groups_world_fail_states(bool fail);
size_t groups_world_states_made(void);
size_t groups_world_states_removed(void);

/* Puts a batch of somebody else's into the log of the group's partition. Attributes as in
 * store/batch/batch.h; a control batch holds one marker, else an offset of "orders" 1. */
void groups_world_write(const char *group, int16_t attributes, int64_t producer_id, int64_t offset);

/* The offsets topic: starts existing, unloaded. */
void groups_world_make_offsets(void);
void groups_world_load(void); /* all partitions, done when it returns */
void groups_world_load_begin(void);
void groups_world_lose(void);
/* The broker dies and comes back: new coordinators over the same log. */
void groups_world_restart(void);
