// SPDX-License-Identifier: BSD-2-Clause
/*
 * A leg per home loop, found by the loop's index. A leg's message travels to its home, runs the
 * items, and travels back after the last of them; `left` of a leg is touched on the home loop only,
 * `legs_left` of the fan-out on the starting loop only. The leg that is at home where it starts
 * runs on the spot and after the others have left: its items find their bytes in the cache, and
 * need no turn of the loop there and back.
 */
#include "api/fanout.h"
#include "broker/broker.h"

#include <assert.h>

struct fanout_leg {
    struct loop_msg msg;
    struct fanout *fanout;
    struct loop *home;
    struct fanout_item *first, *last;
    uint32_t left; /* items not done; one more while the leg itself runs */
};

struct fanout {
    struct loop *loop; /* where it was started */
    void (*run)(struct fanout_item *item);
    void (*done)(struct fanout *fanout);
    void *context;
    struct loop_msg msg; /* for the empty case */
    unsigned legs_count, legs_left;
    struct fanout_leg *legs; /* by loop index */
};

struct fanout *fanout_new(struct arena *arena, struct broker *broker,
    void (*run)(struct fanout_item *item), void (*done)(struct fanout *fanout), void *context)
{
    struct fanout *fanout = arena_new(arena, struct fanout);
    fanout->loop = loop_current();
    fanout->run = run;
    fanout->done = done;
    fanout->context = context;
    fanout->legs_count = broker_loops_count(broker);
    fanout->legs = arena_new_n(arena, struct fanout_leg, fanout->legs_count);
    return fanout;
}

void *fanout_context(const struct fanout *fanout)
{
    return fanout->context;
}

void fanout_again(struct fanout *fanout, void (*run)(struct fanout_item *item),
    void (*done)(struct fanout *fanout))
{
    assert(fanout->loop == loop_current() && fanout->legs_left == 0);
    fanout->run = run;
    fanout->done = done;
    for (unsigned i = 0; i < fanout->legs_count; i++)
        fanout->legs[i] = (struct fanout_leg){0};
}

void fanout_add(struct fanout *fanout, struct fanout_item *item, struct loop *home)
{
    unsigned index = loop_index(home);
    assert(index < fanout->legs_count);
    struct fanout_leg *leg = &fanout->legs[index];
    *item = (struct fanout_item){.fanout = fanout, .leg = leg};
    if (leg->first == NULL) {
        leg->fanout = fanout;
        leg->home = home;
        leg->first = item;
    } else {
        leg->last->next = item;
    }
    leg->last = item;
    leg->left++;
}

static void fanout_join(struct fanout *fanout)
{
    assert(fanout->legs_left > 0);
    if (--fanout->legs_left == 0)
        fanout->done(fanout);
}

static void fanout_on_joined(struct loop_msg *msg)
{
    fanout_join(container_of(msg, struct fanout_leg, msg)->fanout);
}

static void fanout_leg_release(struct fanout_leg *leg)
{
    assert(leg->left > 0);
    if (--leg->left > 0)
        return;
    if (leg->home == leg->fanout->loop)
        fanout_join(leg->fanout);
    else
        loop_post(leg->fanout->loop, &leg->msg, fanout_on_joined);
}

static void fanout_leg_run(struct fanout_leg *leg)
{
    loop_assert_owner(leg->home);
    leg->left++; /* the leg must not end, and its memory go, while it walks its items */
    for (struct fanout_item *item = leg->first; item != NULL;) {
        struct fanout_item *next = item->next;
        leg->fanout->run(item);
        item = next;
    }
    fanout_leg_release(leg);
}

static void fanout_on_leg(struct loop_msg *msg)
{
    fanout_leg_run(container_of(msg, struct fanout_leg, msg));
}

void fanout_item_done(struct fanout_item *item)
{
    loop_assert_owner(item->leg->home);
    fanout_leg_release(item->leg);
}

static void fanout_on_empty(struct loop_msg *msg)
{
    struct fanout *fanout = container_of(msg, struct fanout, msg);
    fanout->done(fanout);
}

void fanout_start(struct fanout *fanout)
{
    assert(fanout->legs_left == 0);
    for (unsigned i = 0; i < fanout->legs_count; i++)
        fanout->legs_left += fanout->legs[i].first != NULL;
    if (fanout->legs_left == 0) {
        loop_post(fanout->loop, &fanout->msg, fanout_on_empty);
        return;
    }
    struct fanout_leg *here = NULL;
    for (unsigned i = 0; i < fanout->legs_count; i++) {
        struct fanout_leg *leg = &fanout->legs[i];
        if (leg->first != NULL && leg->home == fanout->loop)
            here = leg;
        else if (leg->first != NULL)
            loop_post(leg->home, &leg->msg, fanout_on_leg);
    }
    if (here != NULL)
        fanout_leg_run(here);
}
