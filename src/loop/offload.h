// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * offload: a small pool of threads for whatever blocks (fsync, open, unlink, scans). The work
 * request is touched by nobody else between submit and done; done comes back as a message on the
 * loop that submitted it. Works with the same `order` key (non-NULL) run one after the other in
 * order of submission.
 */
#include "loop/loop.h"

struct offload;

struct offload_work {
    struct loop_msg msg;                     /* internal: queue link, then the way back */
    void (*run)(struct offload_work *work);  /* on a pool thread */
    void (*done)(struct offload_work *work); /* on `loop` */
    struct loop *loop;
    const void *order;     /* internal */
    struct list_link link; /* internal */
};

struct offload *offload_new(unsigned n_threads);
/* Runs what is queued, then ends the threads; every done has been posted when it returns. */
void offload_free(struct offload *offload);
void offload_submit(struct offload *offload, struct offload_work *work, struct loop *loop,
    const void *order, void (*run)(struct offload_work *work),
    void (*done)(struct offload_work *work));
