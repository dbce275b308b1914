// SPDX-License-Identifier: BSD-2-Clause
/*
 * The delay engine: another engine, made late and unreliable within the laws of the seam, to prove
 * that nothing above depends on local files or on synchronous completion. Seeded, so that a run can
 * be repeated as far as the timing of the loops allows.
 *
 * Model. What the caller asks for becomes an op. Most ops go to the inner part at once and, when it
 * has answered, into the part's queue with a random due time; events of the inner part (the high
 * watermark moved, acquired) are queued too. Entries of one part are delivered in the order they
 * came, those of different parts in any. The high watermark that is shown is that of the newest
 * entry delivered, so it lags behind the inner one, and no append is done before it is readable.
 * Reads sometimes start late.
 *
 * Loss. An append may, by chance, take the ownership away: on_lost, everything pending ends with
 * NOT_OWNER, and a random while later (when the inner part has finished what it was given)
 * on_acquired comes again. What was refused in between may well be in the log then: exactly the
 * doubt that a client has after a real failover. The leader epoch stays what the inner engine says,
 * because the inner engine stamps it into batches and has to remember it.
 *
 * Ops own copies of the bytes and results, because a caller may reuse its memory as soon as it is
 * told NOT_OWNER, while the inner engine is still at work. That is why this is no engine for speed.
 */
#include "base/buffer.h"
#include "store/engine.h"

#include <assert.h>

#define DELAY_READ_LATE_PERCENT 30

struct delay_engine {
    struct engine engine;
    struct engine *inner;
    uint64_t *randoms; /* one state per loop */
    int64_t delay_ms_max;
    unsigned loss_per_10000;
};

enum delay_state { DELAY_OPENING, DELAY_OWNED, DELAY_LOST, DELAY_FAILED, DELAY_CLOSING };

struct delay_part {
    struct delay_engine *engine;
    struct loop *loop;
    struct part *inner;
    const struct engine_sink *sink;
    void *ctx;
    enum delay_state state;
    bool inner_owned;
    int64_t high_watermark;  /* as shown */
    struct list_link inside; /* ops that the inner part has */
    unsigned appends_inside;
    struct list_link queue;      /* ops to be delivered, in this order */
    int64_t due_ms;              /* of the newest op in the queue: later ones are not earlier */
    struct timer delivery, loss; /* loss: also the return of ownership */
    struct engine_call close_call, *close_outer;
    bool close_delete;
    struct loop_msg close_msg;
};

enum delay_op_type {
    DELAY_EVENT_ACQUIRED,
    DELAY_EVENT_COMMITTED,
    DELAY_EVENT_LOG_START,
    DELAY_APPEND,
    DELAY_READ_LATE, /* still to be given to the inner part */
    DELAY_READ,
    DELAY_CALL,
    DELAY_REPLAY,
};

struct delay_op {
    struct list_link link; /* in inside or queue */
    enum delay_op_type type;
    struct delay_part *part;
    int64_t due_ms;
    enum engine_status status;
    int64_t high_watermark; /* the inner one when the op was queued */
    int64_t value;          /* of an event: epoch or log start */
    void *outer;            /* the caller's struct; NULL: it was told NOT_OWNER */
    struct buffer blob;     /* snapshot */
    struct buffer *outer_blob;
    union {
        struct engine_append append;
        struct engine_read read;
        struct engine_call call;
        struct engine_replay replay;
    } inner;
    uint8_t data[]; /* an append's bytes */
};

static struct delay_part *delay_part_of(struct part *part)
{
    return (struct delay_part *)(void *)part;
}

static struct part *delay_part_handle(struct delay_part *part)
{
    return (struct part *)(void *)part;
}

static const struct engine_ops *delay_inner(const struct delay_part *part)
{
    return part->engine->inner->ops;
}

/* 0 .. below - 1; xorshift64*. */
static uint64_t delay_random(struct delay_part *part, uint64_t below)
{
    uint64_t *state = &part->engine->randoms[loop_index(part->loop)];
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return ((*state * 0x2545f4914f6cdd1dULL) >> 33) % below;
}

static int64_t delay_random_ms(struct delay_part *part)
{
    return (int64_t)delay_random(part, (uint64_t)part->engine->delay_ms_max + 1);
}

/* --- ops --- */

static struct delay_op *delay_op_new(
    struct delay_part *part, enum delay_op_type type, void *outer, size_t data_size)
{
    struct delay_op *op = xcalloc(1, sizeof(*op) + data_size);
    op->type = type;
    op->part = part;
    op->outer = outer;
    return op;
}

static void delay_op_free(struct delay_op *op)
{
    if (op->type == DELAY_READ) {
        for (unsigned i = 0; i < op->inner.read.n_chunks; i++)
            chunk_release(&op->inner.read.chunks[i]);
    }
    buffer_deinit(&op->blob);
    free(op);
}

static void delay_on_delivery(struct timer *timer);

static void delay_arm(struct delay_part *part)
{
    struct list_link *link = list_first(&part->queue);
    if (link == NULL) {
        timer_stop(&part->delivery);
        return;
    }
    int64_t left = list_entry(link, struct delay_op, link)->due_ms - loop_now_ms(part->loop);
    timer_start(&part->delivery, part->loop, left < 0 ? 0 : left, delay_on_delivery);
}

static void delay_queue(struct delay_op *op, enum engine_status status)
{
    struct delay_part *part = op->part;
    struct part_state state;
    delay_inner(part)->part_get_state(part->inner, &state);
    op->status = status;
    op->high_watermark = state.high_watermark;
    op->due_ms = loop_now_ms(part->loop) + delay_random_ms(part);
    if (op->due_ms < part->due_ms)
        op->due_ms = part->due_ms;
    part->due_ms = op->due_ms;
    list_append(&part->queue, &op->link);
    if (!timer_running(&part->delivery))
        delay_arm(part);
}

static void delay_enter(struct delay_op *op)
{
    list_append(&op->part->inside, &op->link);
    op->part->appends_inside += op->type == DELAY_APPEND;
}

/* The inner part has answered. */
static void delay_leave(struct delay_op *op, enum engine_status status)
{
    list_remove(&op->link);
    op->part->appends_inside -= op->type == DELAY_APPEND;
    if (op->outer == NULL)
        delay_op_free(op);
    else
        delay_queue(op, status);
}

static void delay_append_on_done(struct engine_append *append, enum engine_status status)
{
    delay_leave(container_of(append, struct delay_op, inner.append), status);
}

static void delay_read_on_done(struct engine_read *read, enum engine_status status)
{
    delay_leave(container_of(read, struct delay_op, inner.read), status);
}

static void delay_call_on_done(struct engine_call *call, enum engine_status status)
{
    delay_leave(container_of(call, struct delay_op, inner.call), status);
}

static void delay_replay_on_done(struct engine_replay *replay, enum engine_status status)
{
    delay_leave(container_of(replay, struct delay_op, inner.replay), status);
}

static int delay_replay_on_visit(
    struct engine_replay *replay, const struct batch_header *header, struct slice batch)
{
    struct delay_op *op = container_of(replay, struct delay_op, inner.replay);
    struct engine_replay *outer = op->outer;
    return outer == NULL ? 1 : outer->visit(outer, header, batch);
}

/* --- delivery --- */

static void delay_show(struct delay_part *part, int64_t high_watermark)
{
    if (part->state != DELAY_OWNED || high_watermark <= part->high_watermark)
        return;
    part->high_watermark = high_watermark;
    part->sink->on_committed(part->ctx, delay_part_handle(part), high_watermark);
}

static void delay_acquire(struct delay_part *part)
{
    struct part_state state;
    delay_inner(part)->part_get_state(part->inner, &state);
    part->state = DELAY_OWNED;
    part->high_watermark = state.high_watermark;
    part->sink->on_acquired(part->ctx, delay_part_handle(part), state.leader_epoch);
}

static void delay_read_copy(struct engine_read *outer, struct engine_read *inner)
{
    memcpy(outer->chunks, inner->chunks, sizeof(outer->chunks));
    outer->n_chunks = inner->n_chunks;
    outer->size = inner->size;
    inner->n_chunks = 0;
}

static enum engine_status delay_read_start(struct delay_op *op)
{
    struct delay_part *part = op->part;
    struct engine_read *outer = op->outer;
    op->type = DELAY_READ;
    op->inner.read = (struct engine_read){
        .offset = outer->offset,
        .bound = outer->bound,
        .size_max = outer->size_max,
        .one_at_least = outer->one_at_least,
        .done = delay_read_on_done,
    };
    if (op->inner.read.bound > part->high_watermark)
        op->inner.read.bound = part->high_watermark;
    enum engine_status status = delay_inner(part)->part_read(part->inner, &op->inner.read);
    if (status == ENGINE_PENDING)
        delay_enter(op);
    return status;
}

static void delay_tell(struct delay_op *op, enum engine_status status)
{
    struct engine_append *append = op->outer;
    struct engine_read *read = op->outer;
    struct engine_call *call = op->outer;
    struct engine_replay *replay = op->outer;
    op->outer = NULL;
    switch (op->type) {
    case DELAY_EVENT_ACQUIRED:
    case DELAY_EVENT_COMMITTED:
    case DELAY_EVENT_LOG_START: break;
    case DELAY_APPEND: append->done(append, status); break;
    case DELAY_READ_LATE: read->done(read, status); break;
    case DELAY_READ:
        if (status == ENGINE_OK)
            delay_read_copy(read, &op->inner.read);
        read->done(read, status);
        break;
    case DELAY_CALL:
        call->offset = op->inner.call.offset;
        call->timestamp = op->inner.call.timestamp;
        call->epoch = op->inner.call.epoch;
        if (op->outer_blob != NULL && status == ENGINE_OK)
            buffer_append_slice(op->outer_blob, buffer_slice(&op->blob));
        call->done(call, status);
        break;
    case DELAY_REPLAY: replay->done(replay, status); break;
    }
}

static void delay_deliver(struct delay_op *op)
{
    struct delay_part *part = op->part;
    delay_show(part, op->high_watermark);
    if (op->type == DELAY_EVENT_ACQUIRED) {
        if (part->state == DELAY_OPENING || part->state == DELAY_LOST ||
            part->state == DELAY_FAILED)
            delay_acquire(part);
    } else if (op->type == DELAY_EVENT_LOG_START && part->state == DELAY_OWNED) {
        part->sink->on_log_start(part->ctx, delay_part_handle(part), op->value);
    } else if (op->type == DELAY_READ_LATE) {
        enum engine_status status = delay_read_start(op);
        if (status == ENGINE_PENDING)
            return;
        op->status = status;
    }
    delay_tell(op, op->status);
    delay_op_free(op);
}

static void delay_on_delivery(struct timer *timer)
{
    struct delay_part *part = container_of(timer, struct delay_part, delivery);
    struct list_link *link;
    while ((link = list_first(&part->queue)) != NULL) {
        struct delay_op *op = list_entry(link, struct delay_op, link);
        if (op->due_ms > loop_now_ms(part->loop))
            break;
        list_remove(link);
        delay_deliver(op);
    }
    delay_arm(part);
}

/* --- loss and return --- */

/* Everything pending ends. What callers ask for in answer to that comes too late for this round. */
static void delay_fail_all(struct delay_part *part)
{
    struct list_link queue, *link;
    list_init(&queue);
    list_splice(&queue, &part->queue);
    while ((link = list_first(&queue)) != NULL) {
        struct delay_op *op = list_entry(link, struct delay_op, link);
        list_remove(link);
        delay_tell(op, ENGINE_NOT_OWNER);
        delay_op_free(op);
    }
    /* The inner part keeps its copy; only the caller hears of the end now. Nothing enters while the
     * part is not owned. */
    assert(part->state != DELAY_OWNED);
    struct delay_op *op;
    list_for_each_entry (op, &part->inside, link) {
        if (op->outer != NULL)
            delay_tell(op, ENGINE_NOT_OWNER);
    }
}

static void delay_on_return(struct timer *timer);

static void delay_on_loss(struct timer *timer)
{
    struct delay_part *part = container_of(timer, struct delay_part, loss);
    if (part->state != DELAY_OWNED)
        return;
    part->state = DELAY_LOST;
    part->sink->on_lost(part->ctx, delay_part_handle(part));
    delay_fail_all(part);
    delay_arm(part);
    timer_start(&part->loss, part->loop, 1 + delay_random_ms(part), delay_on_return);
}

static void delay_on_return(struct timer *timer)
{
    struct delay_part *part = container_of(timer, struct delay_part, loss);
    if (part->state != DELAY_LOST || !part->inner_owned)
        return;
    if (part->appends_inside > 0) /* the log must stand still when state is built from it */
        timer_start(&part->loss, part->loop, 1, delay_on_return);
    else
        delay_acquire(part);
}

static void delay_maybe_lose(struct delay_part *part)
{
    if (delay_random(part, 10000) < part->engine->loss_per_10000 && !timer_running(&part->loss))
        timer_start(&part->loss, part->loop, delay_random_ms(part), delay_on_loss);
}

/* --- the inner part's events --- */

static void delay_event(struct delay_part *part, enum delay_op_type type, int64_t value)
{
    struct delay_op *op = delay_op_new(part, type, NULL, 0);
    op->value = value;
    delay_queue(op, ENGINE_OK);
}

static void delay_on_inner_acquired(void *ctx, struct part *inner, int32_t leader_epoch)
{
    struct delay_part *part = ctx;
    (void)inner;
    part->inner_owned = true;
    if (part->state != DELAY_CLOSING)
        delay_event(part, DELAY_EVENT_ACQUIRED, leader_epoch);
}

static void delay_on_inner_lost(void *ctx, struct part *inner)
{
    struct delay_part *part = ctx;
    (void)inner;
    part->inner_owned = false;
    timer_stop(&part->loss);
    if (part->state == DELAY_CLOSING)
        return;
    bool told = part->state == DELAY_LOST;
    part->state = DELAY_LOST;
    if (!told)
        part->sink->on_lost(part->ctx, delay_part_handle(part));
    delay_fail_all(part);
}

static void delay_on_inner_committed(void *ctx, struct part *inner, int64_t high_watermark)
{
    struct delay_part *part = ctx;
    (void)inner;
    if (part->state == DELAY_OWNED)
        delay_event(part, DELAY_EVENT_COMMITTED, high_watermark);
}

static void delay_on_inner_log_start(void *ctx, struct part *inner, int64_t log_start)
{
    struct delay_part *part = ctx;
    (void)inner;
    if (part->state == DELAY_OWNED)
        delay_event(part, DELAY_EVENT_LOG_START, log_start);
}

static void delay_on_inner_failed(void *ctx, struct part *inner, int error)
{
    struct delay_part *part = ctx;
    (void)inner;
    timer_stop(&part->loss);
    if (part->state == DELAY_CLOSING)
        return;
    part->state = DELAY_FAILED;
    part->sink->on_failed(part->ctx, delay_part_handle(part), error);
    delay_fail_all(part);
}

static bool delay_on_inner_clean(void *ctx, struct part *inner, struct engine_clean *clean)
{
    struct delay_part *part = ctx;
    (void)inner;
    if (part->state != DELAY_OWNED)
        return false;
    return part->sink->on_clean == NULL ||
           part->sink->on_clean(part->ctx, delay_part_handle(part), clean);
}

static const struct engine_sink delay_sink = {
    .on_acquired = delay_on_inner_acquired,
    .on_lost = delay_on_inner_lost,
    .on_committed = delay_on_inner_committed,
    .on_log_start = delay_on_inner_log_start,
    .on_failed = delay_on_inner_failed,
    .on_clean = delay_on_inner_clean,
};

/* --- the table --- */

static struct part *delay_part_open(struct engine *engine, struct loop *loop,
    const struct part_id *id, const char *label, bool fresh, const struct part_config *config,
    const struct engine_sink *sink, void *ctx)
{
    struct delay_engine *delay = container_of(engine, struct delay_engine, engine);
    struct delay_part *part = xnew(struct delay_part);
    part->engine = delay;
    part->loop = loop;
    part->sink = sink;
    part->ctx = ctx;
    list_init(&part->inside);
    list_init(&part->queue);
    part->inner = delay->inner->ops->part_open(
        delay->inner, loop, id, label, fresh, config, &delay_sink, part);
    return delay_part_handle(part);
}

static void delay_on_inner_closed(struct engine_call *call, enum engine_status status)
{
    struct delay_part *part = container_of(call, struct delay_part, close_call);
    struct engine_call *outer = part->close_outer;
    assert(list_empty(&part->inside));
    delay_fail_all(part);
    assert(list_empty(&part->queue));
    timer_stop(&part->delivery);
    free(part);
    if (outer != NULL)
        outer->done(outer, status);
}

static void delay_on_close(struct loop_msg *msg)
{
    struct delay_part *part = container_of(msg, struct delay_part, close_msg);
    delay_fail_all(part);
    part->close_call = (struct engine_call){.done = delay_on_inner_closed};
    if (part->close_delete)
        delay_inner(part)->part_delete(part->inner, &part->close_call);
    else
        delay_inner(part)->part_close(part->inner, &part->close_call);
}

static void delay_close(struct delay_part *part, struct engine_call *call, bool delete)
{
    assert(part->state != DELAY_CLOSING);
    part->state = DELAY_CLOSING;
    timer_stop(&part->loss);
    part->close_outer = call;
    part->close_delete = delete;
    loop_post(part->loop, &part->close_msg, delay_on_close);
}

static void delay_part_close(struct part *part, struct engine_call *call)
{
    delay_close(delay_part_of(part), call, false);
}

static void delay_part_delete(struct part *part, struct engine_call *call)
{
    delay_close(delay_part_of(part), call, true);
}

static void delay_part_configure(struct part *handle, const struct part_config *config)
{
    struct delay_part *part = delay_part_of(handle);
    delay_inner(part)->part_configure(part->inner, config);
}

static void delay_part_get_state(struct part *handle, struct part_state *ret_state)
{
    struct delay_part *part = delay_part_of(handle);
    delay_inner(part)->part_get_state(part->inner, ret_state);
    ret_state->owned = part->state == DELAY_OWNED;
    if (ret_state->owned && ret_state->high_watermark > part->high_watermark)
        ret_state->high_watermark = part->high_watermark;
}

static enum engine_status delay_part_append(struct part *handle, struct engine_append *append)
{
    struct delay_part *part = delay_part_of(handle);
    if (part->state != DELAY_OWNED)
        return ENGINE_NOT_OWNER;
    struct delay_op *op = delay_op_new(part, DELAY_APPEND, append, append->size);
    memcpy(op->data, append->data, append->size);
    op->inner.append = (struct engine_append){
        .data = op->data,
        .size = append->size,
        .flags = append->flags,
        .origin = append->origin,
        .done = delay_append_on_done,
    };
    enum engine_status status = delay_inner(part)->part_append(part->inner, &op->inner.append);
    if (status != ENGINE_PENDING) {
        delay_op_free(op);
        return status;
    }
    delay_enter(op);
    append->base_offset = op->inner.append.base_offset;
    append->end_offset = op->inner.append.end_offset;
    delay_maybe_lose(part);
    return ENGINE_PENDING;
}

static enum engine_status delay_part_read(struct part *handle, struct engine_read *read)
{
    struct delay_part *part = delay_part_of(handle);
    if (part->state != DELAY_OWNED)
        return ENGINE_NOT_OWNER;
    bool late = delay_random(part, 100) < DELAY_READ_LATE_PERCENT;
    struct delay_op *op = delay_op_new(part, late ? DELAY_READ_LATE : DELAY_READ, read, 0);
    if (late) {
        delay_queue(op, ENGINE_OK);
        return ENGINE_PENDING;
    }
    enum engine_status status = delay_read_start(op);
    if (status == ENGINE_PENDING)
        return ENGINE_PENDING;
    if (status == ENGINE_OK)
        delay_read_copy(read, &op->inner.read);
    delay_op_free(op);
    return status;
}

typedef void (*delay_call_fn)(struct part *part, struct engine_call *call);

/* Lost: the answer is made here and is as late as any. */
static struct delay_op *delay_call_new(struct delay_part *part, struct engine_call *call)
{
    struct delay_op *op = delay_op_new(part, DELAY_CALL, call, 0);
    op->inner.call = *call;
    op->inner.call.done = delay_call_on_done;
    if (part->state == DELAY_OWNED) {
        delay_enter(op);
        return op;
    }
    delay_queue(op, ENGINE_NOT_OWNER);
    return NULL;
}

static void delay_call(struct part *handle, struct engine_call *call, delay_call_fn fn)
{
    struct delay_part *part = delay_part_of(handle);
    struct delay_op *op = delay_call_new(part, call);
    if (op != NULL)
        fn(part->inner, &op->inner.call);
}

static void delay_part_offset_for_time(struct part *part, struct engine_call *call)
{
    delay_call(part, call, delay_inner(delay_part_of(part))->part_offset_for_time);
}

static void delay_part_max_timestamp(struct part *part, struct engine_call *call)
{
    delay_call(part, call, delay_inner(delay_part_of(part))->part_max_timestamp);
}

static void delay_part_epoch_end(struct part *part, struct engine_call *call)
{
    delay_call(part, call, delay_inner(delay_part_of(part))->part_epoch_end);
}

static void delay_part_raise_epoch(struct part *part, struct engine_call *call)
{
    delay_call(part, call, delay_inner(delay_part_of(part))->part_raise_epoch);
}

static void delay_part_set_log_start(struct part *part, struct engine_call *call)
{
    delay_call(part, call, delay_inner(delay_part_of(part))->part_set_log_start);
}

static void delay_part_flush(struct part *part, struct engine_call *call)
{
    delay_call(part, call, delay_inner(delay_part_of(part))->part_flush);
}

static void delay_part_replay(struct part *handle, struct engine_replay *replay)
{
    struct delay_part *part = delay_part_of(handle);
    struct delay_op *op = delay_op_new(part, DELAY_REPLAY, replay, 0);
    if (part->state != DELAY_OWNED) {
        delay_queue(op, ENGINE_NOT_OWNER);
        return;
    }
    op->inner.replay = (struct engine_replay){
        .from = replay->from,
        .headers_only = replay->headers_only,
        .visit = delay_replay_on_visit,
        .done = delay_replay_on_done,
    };
    delay_enter(op);
    delay_inner(part)->part_replay(part->inner, &op->inner.replay);
}

static void delay_part_aborted_put(
    struct part *handle, const struct engine_aborted *aborted, size_t count)
{
    struct delay_part *part = delay_part_of(handle);
    if (part->inner != NULL && delay_inner(part)->part_aborted_put != NULL)
        delay_inner(part)->part_aborted_put(part->inner, aborted, count);
}

static void delay_part_snapshot_put(struct part *handle, int64_t upto, struct slice blob)
{
    struct delay_part *part = delay_part_of(handle);
    delay_inner(part)->part_snapshot_put(part->inner, upto, blob);
}

static void delay_part_snapshot_get(
    struct part *handle, struct buffer *ret_blob, struct engine_call *call)
{
    struct delay_part *part = delay_part_of(handle);
    struct delay_op *op = delay_call_new(part, call);
    if (op == NULL)
        return;
    op->outer_blob = ret_blob;
    delay_inner(part)->part_snapshot_get(part->inner, &op->blob, &op->inner.call);
}

static void delay_free(struct engine *engine)
{
    struct delay_engine *delay = container_of(engine, struct delay_engine, engine);
    delay->inner->ops->free(delay->inner);
    free(delay->randoms);
    free(delay);
}

static const struct engine_ops delay_ops = {
    .free = delay_free,
    .part_open = delay_part_open,
    .part_close = delay_part_close,
    .part_delete = delay_part_delete,
    .part_configure = delay_part_configure,
    .part_get_state = delay_part_get_state,
    .part_append = delay_part_append,
    .part_read = delay_part_read,
    .part_offset_for_time = delay_part_offset_for_time,
    .part_max_timestamp = delay_part_max_timestamp,
    .part_epoch_end = delay_part_epoch_end,
    .part_raise_epoch = delay_part_raise_epoch,
    .part_set_log_start = delay_part_set_log_start,
    .part_flush = delay_part_flush,
    .part_replay = delay_part_replay,
    .part_snapshot_put = delay_part_snapshot_put,
    .part_aborted_put = delay_part_aborted_put,
    .part_snapshot_get = delay_part_snapshot_get,
};

struct engine *engine_delay_new(const struct engine_delay_config *config, struct engine *take_inner)
{
    assert(config->delay_ms_max >= 0);
    struct delay_engine *delay = xnew(struct delay_engine);
    delay->engine.ops = &delay_ops;
    delay->inner = take_inner;
    delay->delay_ms_max = config->delay_ms_max;
    delay->loss_per_10000 = config->loss_per_10000;
    delay->randoms = xnew_n(uint64_t, config->n_loops);
    for (unsigned i = 0; i < config->n_loops; i++)
        delay->randoms[i] = (config->seed + i + 1) * 0x9e3779b97f4a7c15ULL | 1;
    return &delay->engine;
}
