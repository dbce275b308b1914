// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * phase: one step that every loop takes, with a barrier: a message goes to each loop, the loop does
 * its share (part of it may complete later), and when all are done the phase is done on loop 0. A
 * change of topics is three phases: OPEN the new partitions, SWAP the image, CLOSE what was
 * deleted; so no loop ever sees a topic whose partitions are not usable.
 */
#include "broker/broker.h"

enum phase_kind {
    PHASE_OPEN,  /* open partitions that `after` has and `before` has not */
    PHASE_SWAP,  /* `after` becomes the loop's image; changed topics are configured */
    PHASE_CLOSE, /* remove partitions that `before` has and `after` has not */
    PHASE_STOP,  /* groups end, all partitions close, the image goes */
};

struct phase;
struct broker_loop;

struct phase_leg {
    struct loop_msg msg;
    struct phase *phase;
    struct broker_loop *at;
    unsigned pending; /* things that must complete before this loop's share is done */
};

struct phase {
    struct broker *broker;
    enum phase_kind kind;
    struct image *before, *after; /* borrowed; before may be NULL */
    bool fresh;                   /* OPEN: the partitions were just created */
    _Atomic bool left;            /* CLOSE: something of a deleted topic could not be removed */
    void (*done)(struct phase *phase); /* on loop 0 */
    /* phase's own */
    struct phase_leg *legs;
    unsigned legs_pending;
};

/* Loop 0 (or before the loops run). The phase is the caller's memory until done. */
void phase_start(struct phase *phase);
/* The leg's loop. */
void phase_leg_hold(struct phase_leg *leg);
void phase_leg_release(struct phase_leg *leg);

/* A loop's share: parts.c. */
void parts_run(struct broker_loop *at, struct phase_leg *leg);
