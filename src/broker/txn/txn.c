// SPDX-License-Identifier: BSD-2-Clause
/*
 *            add              end                markers written
 *   EMPTY ---------> ONGOING -----> PREPARE_x --------------------> COMPLETE_x
 *     ^                 ^  late, or a new producer: PREPARE_ABORT       |
 *     |  init           +---------------- add --------------------------+
 *     +-------------------------------------------------------- init ---+
 *
 * Each change is prepared in `next`, with partitions marked as being added, and takes effect when
 * it is on the log: what a client was told is what a replay finds. The transition table below is
 * the only place that says what may follow what.
 *
 * Epochs tell producers apart. An init gives the next one; fencing takes one that nobody is given;
 * transactions v2 take one per transaction, with the marker already carrying the new one, so that
 * nothing of the old transaction is accepted behind it. When epochs run out the id goes on with a
 * fresh producer id.
 */
#include "broker/txn/txn.h"

#include "base/bytes.h"
#include "base/canary.h"

#include <assert.h>

#define TXN_TOPIC_SIZE_MAX 255 /* names are at most 249 */
#define TXN_BIT(state)     (1u << (state))

/* By state: what may come before it. */
static const unsigned txn_predecessors[TXN_STATES_COUNT] = {
    [TXN_EMPTY] = TXN_BIT(TXN_EMPTY) | TXN_BIT(TXN_COMPLETE_COMMIT) | TXN_BIT(TXN_COMPLETE_ABORT),
    [TXN_ONGOING] = TXN_BIT(TXN_ONGOING) | TXN_BIT(TXN_EMPTY) | TXN_BIT(TXN_COMPLETE_COMMIT) |
                    TXN_BIT(TXN_COMPLETE_ABORT),
    [TXN_PREPARE_COMMIT] = TXN_BIT(TXN_ONGOING),
    /* Under transactions v2 an abort may come before anything was written. */
    [TXN_PREPARE_ABORT] = TXN_BIT(TXN_ONGOING) | TXN_BIT(TXN_EMPTY) | TXN_BIT(TXN_COMPLETE_COMMIT) |
                          TXN_BIT(TXN_COMPLETE_ABORT),
    [TXN_COMPLETE_COMMIT] = TXN_BIT(TXN_PREPARE_COMMIT),
    [TXN_COMPLETE_ABORT] = TXN_BIT(TXN_PREPARE_ABORT),
    [TXN_DEAD] = TXN_BIT(TXN_EMPTY) | TXN_BIT(TXN_COMPLETE_COMMIT) | TXN_BIT(TXN_COMPLETE_ABORT),
};

bool txn_transition_legal(enum txn_state from, enum txn_state to)
{
    return (txn_predecessors[to] & TXN_BIT(from)) != 0;
}

const char *txn_state_name(enum txn_state state)
{
    switch (state) {
    case TXN_EMPTY: return "Empty";
    case TXN_ONGOING: return "Ongoing";
    case TXN_PREPARE_COMMIT: return "PrepareCommit";
    case TXN_PREPARE_ABORT: return "PrepareAbort";
    case TXN_COMPLETE_COMMIT: return "CompleteCommit";
    case TXN_COMPLETE_ABORT: return "CompleteAbort";
    case TXN_DEAD: return "Dead";
    case TXN_STATES_COUNT: break;
    }
    return "Unknown";
}

/* --- partitions --- */

struct txn_key {
    uint8_t bytes[4 + TXN_TOPIC_SIZE_MAX];
    size_t size;
};

/* A name too long to be a topic's gets the empty key. */
static struct txn_key txn_key(const struct txn_topic_partition *partition)
{
    struct txn_key key = {.size = 0};
    if (partition->topic.size == 0 || partition->topic.size > TXN_TOPIC_SIZE_MAX)
        return key;
    bytes_put_u32(key.bytes, (uint32_t)partition->index);
    memcpy(key.bytes + 4, partition->topic.data, partition->topic.size);
    key.size = 4 + partition->topic.size;
    return key;
}

static const struct txn_partition *txn_find(
    const struct txn *txn, const struct txn_topic_partition *partition)
{
    struct txn_key key = txn_key(partition);
    return map_get(&txn->partitions, slice_make(key.bytes, key.size));
}

bool txn_has(const struct txn *txn, const struct txn_topic_partition *partition)
{
    const struct txn_partition *found = txn_find(txn, partition);
    return found != NULL && !found->adding;
}

static void txn_put(struct txn *txn, const struct txn_topic_partition *partition, bool adding)
{
    struct txn_key key = txn_key(partition);
    if (key.size == 0 || map_get(&txn->partitions, slice_make(key.bytes, key.size)) != NULL)
        return;
    struct txn_partition *entry = xmalloc(sizeof(*entry) + key.size);
    uint8_t *bytes = (uint8_t *)(entry + 1);
    memcpy(bytes, key.bytes, key.size);
    *entry = (struct txn_partition){.topic = slice_make(bytes + 4, key.size - 4),
        .index = partition->index,
        .adding = adding,
        .key = slice_make(bytes, key.size)};
    map_put(&txn->partitions, entry->key, entry);
}

static void txn_clear(struct txn *txn)
{
    map_for_each (&txn->partitions, entry)
        free(entry->value);
    map_deinit(&txn->partitions);
    txn->partitions = MAP_NULL;
}

void txn_restore_partition(struct txn *txn, const struct txn_topic_partition *partition)
{
    txn_put(txn, partition, false);
}

/* --- life --- */

struct txn *txn_new(struct slice id, const struct txn_facts *facts)
{
    struct txn *txn = xcalloc(1, sizeof(*txn) + id.size);
    uint8_t *bytes = (uint8_t *)(txn + 1);
    if (id.size > 0)
        memcpy(bytes, id.data, id.size);
    txn->id = slice_make(bytes, id.size);
    txn->now = *facts;
    txn->partitions = MAP_NULL;
    return txn;
}

void txn_free(struct txn *txn)
{
    if (txn == NULL)
        return;
    txn_clear(txn);
    free(txn);
}

/* --- changes --- */

static enum txn_step txn_answer(enum txn_error error, enum txn_error *ret_error)
{
    *ret_error = error;
    return TXN_ANSWER;
}

/* Begins a change with everything as it is but the state. */
static struct txn_facts *txn_move(struct txn *txn, enum txn_state state, int64_t now_ms)
{
    assert(!txn->moving && txn_transition_legal(txn->now.state, state));
    txn->moving = true;
    txn->next = txn->now;
    txn->next.state = state;
    txn->next.update_ms = now_ms;
    return &txn->next;
}

void txn_written(struct txn *txn)
{
    assert(txn->moving);
    txn->moving = false;
    txn->now = txn->next;
    if (txn->now.state != TXN_ONGOING && !txn_is_prepared(txn)) {
        txn_clear(txn);
        return;
    }
    map_for_each (&txn->partitions, entry) {
        struct txn_partition *partition = entry->value;
        partition->adding = false;
    }
}

void txn_write_failed(struct txn *txn)
{
    assert(txn->moving);
    txn->moving = false;
    for (bool found = true; found;) {
        struct txn_partition *partition = NULL;
        map_for_each (&txn->partitions, entry) {
            struct txn_partition *candidate = entry->value;
            if (candidate->adding)
                partition = candidate;
        }
        found = partition != NULL;
        if (found)
            free(map_remove(&txn->partitions, partition->key));
    }
}

bool txn_is_prepared(const struct txn *txn)
{
    return txn->now.state == TXN_PREPARE_COMMIT || txn->now.state == TXN_PREPARE_ABORT;
}

/* --- init --- */

/* May somebody who claims this producer id and epoch go on with the transactional id? */
static bool txn_init_may(const struct txn *txn, const struct txn_init *init)
{
    const struct txn_facts *now = &txn->now;
    if (init->expected_producer_id < 0 || now->epoch == TXN_EPOCH_NONE)
        return true;
    /* The answer that gave it the new id may have been lost. */
    if (init->expected_producer_id == now->previous_producer_id &&
        init->expected_epoch >= TXN_EPOCH_LAST)
        return true;
    return init->expected_producer_id == now->producer_id;
}

static enum txn_step txn_init_next(
    struct txn *txn, const struct txn_init *init, int64_t now_ms, enum txn_error *ret_error)
{
    const struct txn_facts *now = &txn->now;
    bool expects = init->expected_producer_id >= 0 && !init->resumed;
    bool exhausted =
        now->epoch >= TXN_EPOCH_LAST && (!expects || init->expected_epoch == now->epoch);
    if (exhausted && init->fresh_producer_id < 0)
        return TXN_WANT_PRODUCER_ID;
    if (!exhausted && expects && now->epoch != TXN_EPOCH_NONE &&
        init->expected_epoch != now->epoch) {
        /* A repeated request: the answer to the first one again. The new id starts at 0. */
        bool again = init->expected_epoch == now->last_epoch && now->state == TXN_EMPTY;
        return txn_answer(again ? TXN_OK : TXN_E_FENCED, ret_error);
    }
    struct txn_facts *next = txn_move(txn, TXN_EMPTY, now_ms);
    next->last_epoch = expects ? now->epoch : TXN_EPOCH_NONE;
    next->next_producer_id = -1;
    next->timeout_ms = init->timeout_ms;
    next->start_ms = -1;
    next->v2 = false;
    if (exhausted) {
        next->previous_producer_id = now->producer_id;
        next->producer_id = init->fresh_producer_id;
        next->epoch = 0;
    } else {
        next->epoch = (int16_t)(now->epoch + 1);
    }
    return TXN_WRITE;
}

enum txn_step txn_init(
    struct txn *txn, const struct txn_init *init, int64_t now_ms, enum txn_error *ret_error)
{
    if (!init->resumed && !txn_init_may(txn, init))
        return txn_answer(TXN_E_FENCED, ret_error);
    switch (txn->now.state) {
    case TXN_EMPTY:
    case TXN_COMPLETE_COMMIT:
    case TXN_COMPLETE_ABORT: return txn_init_next(txn, init, now_ms, ret_error);
    case TXN_ONGOING:
        /* Only the producer whose transaction it is, or one that starts anew, may end it. */
        if (init->expected_producer_id >= 0 && !init->resumed &&
            init->expected_epoch != txn->now.epoch)
            return txn_answer(TXN_E_FENCED, ret_error);
        return txn_fence(txn, now_ms);
    case TXN_PREPARE_COMMIT:
    case TXN_PREPARE_ABORT: return txn_answer(TXN_E_CONCURRENT, ret_error);
    case TXN_DEAD:
    case TXN_STATES_COUNT: break;
    }
    return txn_answer(TXN_E_UNAVAILABLE, ret_error);
}

/* --- partitions of a transaction --- */

static enum txn_error txn_check_producer(const struct txn *txn, int64_t producer_id, int16_t epoch)
{
    if (txn->now.producer_id != producer_id)
        return TXN_E_UNKNOWN;
    return txn->now.epoch == epoch ? TXN_OK : TXN_E_FENCED;
}

enum txn_step txn_add(struct txn *txn, int64_t producer_id, int16_t epoch,
    const struct txn_topic_partition *partitions, size_t partitions_count, int64_t now_ms,
    enum txn_error *ret_error)
{
    enum txn_error error = txn_check_producer(txn, producer_id, epoch);
    if (error == TXN_OK && txn_is_prepared(txn))
        error = TXN_E_CONCURRENT;
    if (error == TXN_OK && txn->partitions.count + partitions_count > TXN_PARTITIONS_COUNT_MAX)
        error = TXN_E_INVALID_REQUEST;
    if (error != TXN_OK)
        return txn_answer(error, ret_error);
    bool known = txn->now.state == TXN_ONGOING;
    for (size_t i = 0; i < partitions_count && known; i++)
        known = txn_has(txn, &partitions[i]);
    if (known)
        return txn_answer(TXN_OK, ret_error);
    struct txn_facts *next = txn_move(txn, TXN_ONGOING, now_ms);
    if (txn->now.state != TXN_ONGOING)
        next->start_ms = now_ms;
    next->v2 = false;
    for (size_t i = 0; i < partitions_count; i++)
        txn_put(txn, &partitions[i], true);
    return TXN_WRITE;
}

enum txn_error txn_verify(const struct txn *txn, int64_t producer_id, int16_t epoch,
    const struct txn_topic_partition *partition)
{
    enum txn_error error = txn_check_producer(txn, producer_id, epoch);
    if (error != TXN_OK)
        return error;
    if (txn_is_prepared(txn))
        return TXN_E_CONCURRENT;
    return txn->now.state == TXN_ONGOING && txn_has(txn, partition) ? TXN_OK : TXN_E_NOT_ADDED;
}

/* --- the end --- */

/* The end that this one repeats has been carried out, and has taken the epoch up with it. */
static bool txn_end_repeats(const struct txn *txn, const struct txn_end *end)
{
    const struct txn_facts *now = &txn->now;
    if (!end->v2 || !now->v2 ||
        (now->state != TXN_COMPLETE_COMMIT && now->state != TXN_COMPLETE_ABORT))
        return false;
    if (end->producer_id == now->producer_id)
        return end->epoch == now->epoch - 1;
    return end->producer_id == now->previous_producer_id && end->epoch >= TXN_EPOCH_LAST &&
           now->epoch == 0;
}

static enum txn_step txn_end_next(struct txn *txn, const struct txn_end *end, int64_t now_ms)
{
    bool exhausted = end->v2 && txn->now.epoch >= TXN_EPOCH_LAST;
    if (exhausted && end->fresh_producer_id < 0)
        return TXN_WANT_PRODUCER_ID;
    struct txn_facts *next =
        txn_move(txn, end->commit ? TXN_PREPARE_COMMIT : TXN_PREPARE_ABORT, now_ms);
    if (txn->now.state != TXN_ONGOING)
        next->start_ms = now_ms;
    next->v2 = end->v2;
    if (end->v2) {
        next->last_epoch = txn->now.epoch;
        next->epoch = (int16_t)(txn->now.epoch + 1);
        next->next_producer_id = exhausted ? end->fresh_producer_id : -1;
    }
    return TXN_WRITE;
}

enum txn_step txn_end(
    struct txn *txn, const struct txn_end *end, int64_t now_ms, enum txn_error *ret_error)
{
    bool repeats = txn_end_repeats(txn, end);
    if (!repeats && !canary(FENCED_END_ACCEPTED)) {
        enum txn_error error = txn_check_producer(txn, end->producer_id, end->epoch);
        if (error != TXN_OK)
            return txn_answer(error, ret_error);
    }
    switch (txn->now.state) {
    case TXN_ONGOING: return txn_end_next(txn, end, now_ms);
    case TXN_EMPTY:
        if (end->v2 && !end->commit)
            return txn_end_next(txn, end, now_ms);
        break;
    case TXN_COMPLETE_COMMIT:
    case TXN_COMPLETE_ABORT:
        if (end->v2 && !repeats) {
            if (!end->commit)
                return txn_end_next(txn, end, now_ms);
            break;
        }
        if ((txn->now.state == TXN_COMPLETE_COMMIT) == end->commit)
            return txn_answer(TXN_OK, ret_error);
        break;
    case TXN_PREPARE_COMMIT:
    case TXN_PREPARE_ABORT:
        if ((txn->now.state == TXN_PREPARE_COMMIT) == end->commit)
            return txn_answer(TXN_E_CONCURRENT, ret_error);
        break;
    case TXN_DEAD:
    case TXN_STATES_COUNT: break;
    }
    return txn_answer(TXN_E_INVALID_STATE, ret_error);
}

/* --- the coordinator's own --- */

bool txn_is_late(const struct txn *txn, int64_t now_ms)
{
    return txn->now.state == TXN_ONGOING && now_ms - txn->now.start_ms > txn->now.timeout_ms;
}

enum txn_step txn_fence(struct txn *txn, int64_t now_ms)
{
    assert(txn->now.state == TXN_ONGOING && txn->now.epoch < INT16_MAX);
    struct txn_facts *next = txn_move(txn, TXN_PREPARE_ABORT, now_ms);
    next->epoch = (int16_t)(txn->now.epoch + 1);
    next->last_epoch = TXN_EPOCH_NONE;
    next->v2 = false;
    return TXN_WRITE;
}

void txn_successor(const struct txn *txn, int64_t *ret_producer_id, int16_t *ret_epoch)
{
    bool renewed = txn_is_prepared(txn) && txn->now.next_producer_id >= 0;
    *ret_producer_id = renewed ? txn->now.next_producer_id : txn->now.producer_id;
    *ret_epoch = renewed ? (int16_t)0 : txn->now.epoch;
}

enum txn_step txn_complete(struct txn *txn, int64_t now_ms)
{
    assert(txn_is_prepared(txn));
    struct txn_facts *next = txn_move(txn,
        txn->now.state == TXN_PREPARE_COMMIT ? TXN_COMPLETE_COMMIT : TXN_COMPLETE_ABORT, now_ms);
    if (txn->now.next_producer_id >= 0)
        next->previous_producer_id = txn->now.producer_id;
    txn_successor(txn, &next->producer_id, &next->epoch);
    next->next_producer_id = -1;
    return TXN_WRITE;
}

bool txn_is_expired(const struct txn *txn, int64_t now_ms, int64_t age_ms_max)
{
    return !txn->moving && txn_transition_legal(txn->now.state, TXN_DEAD) &&
           now_ms - txn->now.update_ms >= age_ms_max;
}

enum txn_step txn_expire(struct txn *txn, int64_t now_ms)
{
    txn_move(txn, TXN_DEAD, now_ms);
    return TXN_WRITE;
}
