// SPDX-License-Identifier: BSD-2-Clause
/*
 * Happy path: open -> the engine says acquired -> the producers' state is built -> usable: what
 * arrived meanwhile runs, in order. Appends and reads go straight to the engine from then on.
 *
 * Failure modes: ownership lost (everything pending ends with NOT_OWNER, state is dropped, and
 * built again when it returns), the part cannot be opened or goes offline (STORAGE until it is
 * acquired again), the topic is deleted or the broker stops (partition_close).
 */
#include "broker/partition/partition_internal.h"
#include "broker/broker.h"

#include <assert.h>
#include <errno.h>

void partition_set_state(struct partition *partition, enum partition_state state)
{
    enum partition_state before = partition->state;
    switch (state) {
    case PARTITION_OPENING: assert(false); break;
    case PARTITION_BUILDING: assert(before != PARTITION_CLOSING); break;
    case PARTITION_USABLE: assert(before == PARTITION_BUILDING); break;
    case PARTITION_LOST:
    case PARTITION_FAILED:
    case PARTITION_CLOSING: assert(before != PARTITION_CLOSING); break;
    }
    partition->state = state;
}

enum partition_error partition_error_of(enum engine_status status)
{
    switch (status) {
    case ENGINE_OK: return PARTITION_OK;
    case ENGINE_PENDING: return PARTITION_PENDING;
    case ENGINE_NOT_OWNER: return PARTITION_NOT_OWNER;
    case ENGINE_BUSY: return PARTITION_BUSY;
    case ENGINE_STORAGE: return PARTITION_STORAGE;
    case ENGINE_OUT_OF_RANGE: return PARTITION_OFFSET_OUT_OF_RANGE;
    case ENGINE_CORRUPT: return PARTITION_CORRUPT;
    }
    return PARTITION_STORAGE;
}

/* --- readiness --- */

enum partition_error partition_when_ready(
    struct partition *partition, struct partition_ready *ready)
{
    loop_assert_owner(partition->loop);
    switch (partition->state) {
    case PARTITION_USABLE: break;
    case PARTITION_FAILED: return PARTITION_STORAGE;
    case PARTITION_LOST:
    case PARTITION_CLOSING: return PARTITION_NOT_OWNER;
    case PARTITION_OPENING:
    case PARTITION_BUILDING:
        if (partition->ready_count >= PARTITION_READY_MAX)
            return PARTITION_BUSY;
        partition->ready_count++;
        list_append(&partition->ready, &ready->link);
        return PARTITION_PENDING;
    }
    return PARTITION_OK;
}

static struct partition_ready *partition_take_ready(struct partition *partition)
{
    struct list_link *link = list_first(&partition->ready);
    if (link == NULL)
        return NULL;
    list_remove(link);
    partition->ready_count--;
    return list_entry(link, struct partition_ready, link);
}

void partition_fail_ready(struct partition *partition, enum partition_error error)
{
    struct partition_ready *ready;
    while ((ready = partition_take_ready(partition)) != NULL)
        ready->fn(ready, error);
}

void partition_on_built(struct partition *partition)
{
    struct part_state state;
    partition_get_state(partition, &state);
    partition_set_state(partition, PARTITION_USABLE);
    partition_producers_watch(partition);
    if (!partition->told) { /* a build after an append that failed is nobody else's affair */
        partition->told = true;
        partition->events->on_usable(partition->ctx, partition, state.leader_epoch);
    }
    /* One of them may end it: an append that fails starts the build again. */
    struct partition_ready *ready;
    while (
        partition->state == PARTITION_USABLE && (ready = partition_take_ready(partition)) != NULL)
        ready->fn(ready, PARTITION_OK);
}

/* --- waiters --- */

static int64_t partition_readable_end(
    const struct part_state *state, struct partition *partition, bool read_committed)
{
    if (!read_committed)
        return state->high_watermark;
    int64_t stable = txn_index_stable(&partition->producers.txns, state->high_watermark);
    return stable > state->log_start ? stable : state->log_start;
}

/* Fires those whose offset is passed, or all. A waiter that comes back while this runs waits for
 * the next time. */
static void partition_wake(struct partition *partition, bool all)
{
    struct list_link list;
    struct part_state state = {0};
    list_init(&list);
    list_splice(&list, &partition->waiters);
    if (!all)
        partition_get_state(partition, &state);
    struct list_link *link;
    while ((link = list_first(&list)) != NULL) {
        struct partition_waiter *waiter = list_entry(link, struct partition_waiter, link);
        list_remove(link);
        if (all ||
            partition_readable_end(&state, partition, waiter->read_committed) > waiter->offset)
            waiter->fn(waiter);
        else
            list_append(&partition->waiters, link);
    }
}

static void partition_free(struct partition *partition)
{
    ref_put(&partition->topic->ref);
    producers_clear(&partition->producers);
    free(partition);
}

static void partition_on_wake(struct loop_msg *msg)
{
    struct partition *partition = container_of(msg, struct partition, wake_msg);
    partition->wake_posted = false;
    if (partition->closed)
        partition_free(partition);
    else
        partition_wake(partition, partition->state != PARTITION_USABLE);
}

void partition_wait(struct partition *partition, struct partition_waiter *waiter)
{
    loop_assert_owner(partition->loop);
    list_append(&partition->waiters, &waiter->link);
    struct part_state state;
    partition_get_state(partition, &state);
    bool late = partition->state != PARTITION_USABLE ||
                partition_readable_end(&state, partition, waiter->read_committed) > waiter->offset;
    if (late && !partition->wake_posted) {
        partition->wake_posted = true;
        loop_post(partition->loop, &partition->wake_msg, partition_on_wake);
    }
}

void partition_unwait(struct partition_waiter *waiter)
{
    if (list_linked(&waiter->link))
        list_remove(&waiter->link);
}

/* --- reads --- */

static void partition_read_fill(struct partition_read *read)
{
    struct part_state state;
    partition_get_state(read->partition, &state);
    read->high_watermark = state.high_watermark;
    read->last_stable_offset = partition_readable_end(&state, read->partition, true);
    read->log_start = state.log_start;
}

static void partition_on_read(struct engine_read *engine, enum engine_status status)
{
    struct partition_read *read = container_of(engine, struct partition_read, engine);
    read->done(read, partition_error_of(status));
}

static enum partition_error partition_read_now(
    struct partition *partition, struct partition_read *read)
{
    struct part_state state;
    partition_get_state(partition, &state);
    partition_read_fill(read);
    if (read->leader_epoch >= 0 && read->leader_epoch < state.leader_epoch)
        return PARTITION_FENCED_LEADER_EPOCH;
    if (read->leader_epoch > state.leader_epoch)
        return PARTITION_UNKNOWN_LEADER_EPOCH;
    if (read->offset < state.log_start || read->offset > state.log_end)
        return PARTITION_OFFSET_OUT_OF_RANGE;
    int64_t bound = partition_readable_end(&state, partition, read->read_committed);
    if (read->offset >= bound)
        return PARTITION_OK;
    read->engine.offset = read->offset;
    read->engine.bound = bound;
    read->engine.size_max = read->size_max;
    read->engine.one_at_least = read->one_at_least;
    read->engine.done = partition_on_read;
    /* Now, while they are known: everything below the bound is decided. */
    if (read->read_committed)
        read->aborted_count =
            txn_index_find(&partition->producers.txns, read->offset, bound, &read->aborted);
    return partition_error_of(partition_ops(partition)->part_read(partition->part, &read->engine));
}

static void partition_read_on_ready(struct partition_ready *ready, enum partition_error error)
{
    struct partition_read *read = container_of(ready, struct partition_read, ready);
    if (error == PARTITION_OK)
        error = partition_read_now(read->partition, read);
    if (error != PARTITION_PENDING)
        read->done(read, error);
}

enum partition_error partition_read(struct partition *partition, struct partition_read *read)
{
    read->partition = partition;
    read->high_watermark = read->last_stable_offset = read->log_start = -1;
    read->engine.n_chunks = 0;
    read->engine.size = 0;
    read->aborted = NULL;
    read->aborted_count = 0;
    read->ready.fn = partition_read_on_ready;
    enum partition_error error = partition_when_ready(partition, &read->ready);
    return error == PARTITION_OK ? partition_read_now(partition, read) : error;
}

/* --- what the engine says --- */

static void partition_on_acquired(void *ctx, struct part *part, int32_t leader_epoch)
{
    struct partition *partition = ctx;
    (void)part, (void)leader_epoch;
    if (partition->state == PARTITION_CLOSING)
        return;
    partition_set_state(partition, PARTITION_BUILDING);
    partition_build(partition);
}

/* Ownership or the medium went: nothing pending stays. */
static void partition_stop(
    struct partition *partition, enum partition_state state, enum partition_error error)
{
    partition_set_state(partition, state);
    timer_stop(&partition->expiry);
    partition_fail_ready(partition, error);
    partition_fail_duplicates(partition, error);
    partition_fail_verifies(partition, error);
    producers_clear(&partition->producers);
    partition_wake(partition, true);
}

static void partition_on_part_lost(void *ctx, struct part *part)
{
    struct partition *partition = ctx;
    (void)part;
    if (partition->state == PARTITION_CLOSING)
        return;
    bool told = partition->told;
    partition->told = false;
    partition_stop(partition, PARTITION_LOST, PARTITION_NOT_OWNER);
    if (told)
        partition->events->on_lost(partition->ctx, partition);
}

static void partition_on_part_failed(void *ctx, struct part *part, int error)
{
    struct partition *partition = ctx;
    (void)part;
    if (partition->state == PARTITION_CLOSING)
        return;
    partition->told = false;
    partition_stop(partition, PARTITION_FAILED, PARTITION_STORAGE);
    partition->events->on_failed(partition->ctx, partition, error);
}

static void partition_on_committed(void *ctx, struct part *part, int64_t high_watermark)
{
    struct partition *partition = ctx;
    (void)part;
    if (partition->state != PARTITION_USABLE && partition->state != PARTITION_BUILDING)
        return;
    partition_wake_duplicates(partition, high_watermark);
    partition_wake(partition, false);
    if (partition->state == PARTITION_USABLE)
        partition_save(partition, false);
}

static void partition_on_log_start(void *ctx, struct part *part, int64_t log_start)
{
    struct partition *partition = ctx;
    (void)part; /* waiters stand at the end of the log */
    txn_index_trim(&partition->producers.txns, log_start);
}

/* The producers whose last batch has to stay, and the last stable offset. What else is known of
 * transactions the store finds in the log. */
static bool partition_on_clean(void *ctx, struct part *part, struct engine_clean *clean)
{
    struct partition *partition = ctx;
    (void)part;
    if (partition->state != PARTITION_USABLE)
        return false;
    producers_last(&partition->producers, &clean->producers);
    clean->bound = partition_last_stable_offset(partition);
    return true;
}

static const struct engine_sink partition_sink = {
    .on_acquired = partition_on_acquired,
    .on_lost = partition_on_part_lost,
    .on_committed = partition_on_committed,
    .on_log_start = partition_on_log_start,
    .on_failed = partition_on_part_failed,
    .on_clean = partition_on_clean,
};

/* --- life --- */

struct partition *partition_open(struct broker *broker, struct engine *engine, struct loop *loop,
    struct topic *topic, int32_t index, bool fresh, const struct partition_events *events,
    void *ctx)
{
    loop_assert_owner(loop);
    struct partition *partition = xnew(struct partition);
    partition->state = PARTITION_OPENING;
    partition->broker = broker;
    partition->engine = engine;
    partition->loop = loop;
    ref_get(&topic->ref);
    partition->topic = topic;
    partition->index = index;
    partition->fresh = fresh;
    partition->events = events;
    partition->ctx = ctx;
    list_init(&partition->ready);
    list_init(&partition->waiters);
    list_init(&partition->duplicates);
    list_init(&partition->verifies);
    producers_init(&partition->producers);
    struct part_id id = {topic->id, index};
    _cleanup_(freep) char *label = xasprintf("%s-%d", topic->name, index);
    partition->part = engine->ops->part_open(
        engine, loop, &id, label, fresh, &topic->config.part, &partition_sink, partition);
    return partition;
}

void partition_configure(struct partition *partition, struct topic *topic)
{
    struct topic *before = partition->topic;
    ref_get(&topic->ref);
    partition->topic = topic;
    ref_put(&before->ref);
    partition_ops(partition)->part_configure(partition->part, &topic->config.part);
}

static void partition_on_closed(struct engine_call *call, enum engine_status status)
{
    struct partition *partition = container_of(call, struct partition, close_call);
    assert(list_empty(&partition->ready) && list_empty(&partition->duplicates) &&
           list_empty(&partition->verifies));
    void (*done)(void *ctx, int result) = partition->close_done;
    void *ctx = partition->close_ctx;
    partition->closed = true;
    buffer_deinit(&partition->snapshot);
    if (!partition->wake_posted)
        partition_free(partition);
    done(ctx, status == ENGINE_OK ? 0 : -EIO);
}

void partition_close(
    struct partition *partition, bool remove, void (*done)(void *ctx, int result), void *ctx)
{
    loop_assert_owner(partition->loop);
    if (partition->state == PARTITION_USABLE && !remove)
        partition_save(partition, true);
    partition_stop(partition, PARTITION_CLOSING, PARTITION_NOT_OWNER);
    partition->close_done = done;
    partition->close_ctx = ctx;
    partition->close_call = (struct engine_call){.done = partition_on_closed};
    if (remove)
        partition_ops(partition)->part_delete(partition->part, &partition->close_call);
    else
        partition_ops(partition)->part_close(partition->part, &partition->close_call);
}

struct topic *partition_topic(struct partition *partition)
{
    return partition->topic;
}

int32_t partition_index(const struct partition *partition)
{
    return partition->index;
}

struct part *partition_part(struct partition *partition)
{
    return partition->part;
}

struct engine *partition_engine(struct partition *partition)
{
    return partition->engine;
}

void partition_get_state(struct partition *partition, struct part_state *ret_state)
{
    partition_ops(partition)->part_get_state(partition->part, ret_state);
}

int64_t partition_last_stable_offset(struct partition *partition)
{
    struct part_state state;
    partition_get_state(partition, &state);
    return partition_readable_end(&state, partition, true);
}

const struct producers *partition_producers(struct partition *partition)
{
    loop_assert_owner(partition->loop);
    return &partition->producers;
}
