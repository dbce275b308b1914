// SPDX-License-Identifier: BSD-2-Clause
/*
 * An append: wait until usable -> producer check -> (first batch of a transaction here: ask the
 * coordinator) -> engine append (offset at once) -> remembered -> done when the engine says so.
 * What was remembered for an append that then fails is wrong, so the state is built again.
 *
 * A duplicate is answered like its original: with its offset, and not before it is committed (for
 * acks=all: on the medium). The original may still be under way, or may have asked for less.
 */
#include "broker/partition/partition_internal.h"
#include "broker/txn/txn_log.h"

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

static enum partition_error partition_append_next(struct partition *partition,
    struct partition_append *append, const struct producers_marker *marker)
{
    append->engine = (struct engine_append){
        .data = append->data,
        .size = append->size,
        .flags = (append->durable ? ENGINE_APPEND_DURABLE : 0U) |
                 (append->urgent ? ENGINE_APPEND_URGENT : 0U),
        .origin = append->origin,
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
            &partition->producers, &append->header, marker, env_real_ms(loop_env(partition->loop)));
        partition_producers_watch(partition);
    }
    partition->changed_since_snapshot = true;
    partition->size_since_snapshot += append->size;
    return PARTITION_PENDING;
}

static enum partition_error partition_append_marker(
    struct partition *partition, struct partition_append *append)
{
    struct txn_marker_facts facts;
    bool readable =
        txn_log_parse_marker(&append->header, slice_make(append->data, append->size), &facts);
    assert(readable); /* markers come from coordinators alone, and those are ours */
    struct producers_marker marker = {facts.commit, facts.coordinator_epoch};
    switch (producers_check_marker(&partition->producers, &append->header, &marker)) {
    case PRODUCERS_NEXT: return partition_append_next(partition, append, &marker);
    case PRODUCERS_OLD_COORDINATOR: return PARTITION_OLD_COORDINATOR;
    default: return PARTITION_INVALID_PRODUCER_EPOCH;
    }
}

enum partition_error partition_append_now(
    struct partition *partition, struct partition_append *append)
{
    struct part_state state;
    partition_get_state(partition, &state);
    append->log_start = state.log_start;
    if (append->header.producer_id < 0)
        return partition_append_next(partition, append, NULL);
    if ((append->header.attributes & BATCH_CONTROL) != 0)
        return partition_append_marker(partition, append);
    if (partition_verify_join(partition, append))
        return PARTITION_PENDING;
    struct producer_batch original;
    switch (producers_check(&partition->producers, &append->header, &original)) {
    case PRODUCERS_NEXT: return partition_append_next(partition, append, NULL);
    case PRODUCERS_UNVERIFIED:
        /* Under transactions v2 each transaction counts from 0. */
        if (append->txn_add && append->header.base_sequence > 0 &&
            !producers_known(&partition->producers, append->header.producer_id))
            return PARTITION_OUT_OF_ORDER_SEQUENCE;
        if (append->verified)
            return partition_append_next(partition, append, NULL);
        partition_verify_start(partition, append);
        return PARTITION_PENDING;
    case PRODUCERS_DUPLICATE:
        return partition_append_duplicate(partition, append, &original, &state);
    case PRODUCERS_OUT_OF_ORDER: return PARTITION_OUT_OF_ORDER_SEQUENCE;
    case PRODUCERS_OLD_EPOCH: return PARTITION_INVALID_PRODUCER_EPOCH;
    case PRODUCERS_IN_TRANSACTION: return PARTITION_INVALID_TXN_STATE;
    case PRODUCERS_FULL: return PARTITION_BUSY;
    case PRODUCERS_OLD_COORDINATOR: break;
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
    append->duplicate = append->verified = false;
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
