// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * fanout: spreads the items of one request over the home loops of their partitions and joins them
 * again. One message goes to each other home loop that has items and one comes back when all of its
 * items are done; the join counts on the loop that started the fan-out, so nothing is shared.
 *
 *   struct fanout *fanout = fanout_new(&req->arena, broker, run, done, state);
 *   fanout_add(fanout, &my->item, home)          for each partition, in request order
 *   fanout_start(fanout)                         and return HANDLE_PARKED
 *   run(item)                                    on the home loop; ends in fanout_item_done, now or
 *                                                later, on that loop
 *   done(fanout)                                 on the starting loop, perhaps before fanout_start
 *                                                returns; usually ends in request_complete
 *
 * Items of one home run in the order they were added; messages between two loops keep their order,
 * so one connection's requests reach a partition in the order they came. The memory is the arena's
 * (and the caller's, for items) and must live until done.
 */
#include "base/arena.h"
#include "loop/loop.h"

struct broker;
struct fanout;
struct fanout_leg;

struct fanout_item {
    struct fanout *fanout;
    /* fanout's own */
    struct fanout_leg *leg;
    struct fanout_item *next;
};

/* Starting loop. The current loop is where done will run. */
struct fanout *fanout_new(struct arena *arena, struct broker *broker,
    void (*run)(struct fanout_item *item), void (*done)(struct fanout *fanout), void *context);
/* Starting loop, before start. */
void fanout_add(struct fanout *fanout, struct fanout_item *item, struct loop *home);
/* Starting loop, once; done follows also when there are no items. */
void fanout_start(struct fanout *fanout);
/* Home loop of the item, exactly once after its run began; the item may be gone when it returns. */
void fanout_item_done(struct fanout_item *item);
void *fanout_context(const struct fanout *fanout);
/* Starting loop, after done: empty again, for another round with the same or other items (a long
 * poll that reads again), without new memory. */
void fanout_again(struct fanout *fanout, void (*run)(struct fanout_item *item),
    void (*done)(struct fanout *fanout));
