// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/* odradek_log_internal: what the files of libodradek-log share. */
#include "store/engine.h"
#include "store/odradek_log.h"

#include <pthread.h>

struct odradek_log {
    struct env *env;
    struct env *memory; /* NULL unless in memory */
    struct loop *loop;
    struct offload *offload;
    struct engine *engine;
    struct part *part;
    pthread_t thread;
    bool running;
    pthread_mutex_t mutex; /* guards what follows, and `done` of calls */
    pthread_cond_t changed;
    int64_t log_start, log_end;
    int state; /* 1: opening, 0: there, < 0: it failed */
};

/* A call from outside, on the caller's stack. */
struct log_call {
    struct loop_msg msg;
    struct odradek_log *log;
    bool done;
    enum engine_status status;
    struct engine_append append;
    struct engine_read read;
    struct engine_call call;
};

/* Posts the call to the loop and sleeps until it is answered. Any thread but the loop's. */
void log_call(struct odradek_log *log, struct log_call *call, void (*fn)(struct loop_msg *));
/* On the loop. */
void log_answer(struct log_call *call, enum engine_status status);
/* What the library returns for it. */
int log_result(enum engine_status status);
