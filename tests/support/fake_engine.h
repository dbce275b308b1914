// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * fake_engine: an engine in memory that does what the test says and when. Appends stay pending
 * until fake_part_commit (or answer on the next turn with auto_commit); ownership comes and goes by
 * call. One loop.
 */
#include "base/buffer.h"
#include "store/engine.h"

#define FAKE_BATCHES_MAX 4096

struct fake_engine {
    struct engine engine;
    struct fake_part *part; /* the newest one opened */
    bool auto_acquire;      /* parts are acquired on the turn after they were opened */
    bool auto_commit;
    enum engine_status refuse; /* appends; ENGINE_OK: accept */
    bool late_reads;           /* reads are answered by fake_part_answer_read */
    bool freed;
};

struct fake_part {
    struct fake_engine *engine;
    struct loop *loop;
    const struct engine_sink *sink;
    void *ctx;
    struct part_state state;
    struct buffer log;
    struct {
        struct batch_header header;
        size_t pos;
    } batches[FAKE_BATCHES_MAX];
    size_t batches_count;
    struct list_link appends; /* engine_append.link */
    struct list_link calls;   /* engine_call.link, answered on the next turn */
    struct engine_replay *replay;
    struct engine_read *read; /* the late one */
    struct buffer *snapshot_to;
    struct buffer snapshot;
    int64_t snapshot_upto;
    struct loop_msg turn;
    bool turn_posted, acquire_soon;
    int replays_count;
    int64_t replayed_from;
};

void fake_engine_init(struct fake_engine *engine);
void fake_part_acquire(struct fake_part *part);
void fake_part_lose(struct fake_part *part);
/* Appends up to that end offset are done and readable. */
void fake_part_commit(struct fake_part *part, int64_t high_watermark);
/* The late read ends with what was readable when it began. */
void fake_part_answer_read(struct fake_part *part);
/* All pending appends fail and their batches are cut off, as after a failed sync. */
void fake_part_break(struct fake_part *part, enum engine_status status);
