// SPDX-License-Identifier: BSD-2-Clause
/*
 * An append: wait until usable -> producer check -> engine append (offset at once) -> remembered ->
 * done when the engine says so. What was remembered for an append that then fails is wrong, so the
 * state is built again.
 *
 * A duplicate is answered like its original: with its offset, and not before it is committed (for
 * acks=all: on the medium). The original may still be under way, or may have asked for less.
 */
#include "broker/partition_internal.h"

#include <assert.h>

static void partition_on_appended(struct engine_append *engine, enum engine_status status)
{
    struct partition_append *append = container_of(engine, struct partition_append, engine);
    struct partition *partition = append->partition;
    if (status != ENGINE_OK && status != ENGINE_NOT_OWNER &&
        (partition->state == PARTITION_USABLE || partition->state == PARTITION_BUILDING)) {
        partition_fail_duplicates(partition, partition_error_of(status));
        if (partition->state == PARTITION_USABLE)
            partition_set_state(partition, PARTITION_BUILDING);
        partition_build(partition);
    }
    append->done(append, partition_error_of(status));
}

static void partition_on_flushed(struct engine_call *call, enum engine_status status)
{
    struct partition_append *append = container_of(call, struct partition_append, call);
    append->done(append, partition_error_of(status));
}

static enum partition_error partition_append_duplicate(struct partition *partition,
    struct partition_append *append, const struct producer_batch *original,
    const struct part_state *state)
{
    append->duplicate = true;
    append->base_offset = original->base_offset;
    append->end_offset = original->base_offset + original->offset_delta + 1;
    append->duplicate_timestamp = original->timestamp;
    if (append->end_offset <= state->high_watermark &&
        (!append->durable || append->end_offset <= state->durable_end))
        return PARTITION_OK;
    if (append->durable) {
        append->call = (struct engine_call){.done = partition_on_flushed};
        partition_ops(partition)->part_flush(partition->part, &append->call);
    } else {
        list_append(&partition->duplicates, &append->link);
    }
    return PARTITION_PENDING;
}

static enum partition_error partition_append_next(
    struct partition *partition, struct partition_append *append)
{
    append->engine = (struct engine_append){
        .data = append->data,
        .size = append->size,
        .flags = (append->durable ? ENGINE_APPEND_DURABLE : 0U) |
                 (append->urgent ? ENGINE_APPEND_URGENT : 0U),
        .done = partition_on_appended,
    };
    enum engine_status status =
        partition_ops(partition)->part_append(partition->part, &append->engine);
    assert(status != ENGINE_OK); /* an append is two-phase */
    if (status != ENGINE_PENDING)
        return partition_error_of(status);
    append->base_offset = append->engine.base_offset;
    append->end_offset = append->engine.end_offset;
    append->header.base_offset = append->base_offset;
    if (append->header.producer_id >= 0) {
        producers_record(
            &partition->producers, &append->header, env_real_ms(loop_env(partition->loop)));
        partition_producers_watch(partition);
    }
    partition->changed_since_snapshot = true;
    partition->size_since_snapshot += append->size;
    return PARTITION_PENDING;
}

static enum partition_error partition_append_now(
    struct partition *partition, struct partition_append *append)
{
    struct part_state state;
    partition_get_state(partition, &state);
    append->log_start = state.log_start;
    /* What coordinators write for a producer (markers, transactional offsets) has no sequence. */
    if (append->header.producer_id < 0 || append->header.base_sequence < 0)
        return partition_append_next(partition, append);
    struct producer_batch original;
    switch (producers_check(&partition->producers, &append->header, &original)) {
    case PRODUCERS_NEXT: return partition_append_next(partition, append);
    case PRODUCERS_DUPLICATE:
        return partition_append_duplicate(partition, append, &original, &state);
    case PRODUCERS_OUT_OF_ORDER: return PARTITION_OUT_OF_ORDER_SEQUENCE;
    case PRODUCERS_OLD_EPOCH: return PARTITION_INVALID_PRODUCER_EPOCH;
    }
    return PARTITION_STORAGE;
}

static void partition_append_on_ready(struct partition_ready *ready, enum partition_error error)
{
    struct partition_append *append = container_of(ready, struct partition_append, ready);
    if (error == PARTITION_OK)
        error = partition_append_now(append->partition, append);
    if (error != PARTITION_PENDING)
        append->done(append, error);
}

enum partition_error partition_append(struct partition *partition, struct partition_append *append)
{
    assert(append->size >= BATCH_HEADER_SIZE && append->done != NULL);
    append->partition = partition;
    append->duplicate = false;
    append->base_offset = append->end_offset = append->log_start = -1;
    append->duplicate_timestamp = -1;
    append->ready.fn = partition_append_on_ready;
    enum partition_error error = partition_when_ready(partition, &append->ready);
    return error == PARTITION_OK ? partition_append_now(partition, append) : error;
}

void partition_wake_duplicates(struct partition *partition, int64_t high_watermark)
{
    struct partition_append *append, *next;
    list_for_each_entry_safe (append, next, &partition->duplicates, link) {
        if (append->end_offset > high_watermark)
            continue;
        list_remove(&append->link);
        append->done(append, PARTITION_OK);
    }
}

void partition_fail_duplicates(struct partition *partition, enum partition_error error)
{
    struct list_link *link;
    while ((link = list_first(&partition->duplicates)) != NULL) {
        struct partition_append *append = list_entry(link, struct partition_append, link);
        list_remove(&append->link);
        append->done(append, error);
    }
}
