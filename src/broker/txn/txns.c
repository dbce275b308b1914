// SPDX-License-Identifier: BSD-2-Clause
/*
 * The life of shards, and the way of a request to its transactional id: make __transaction_state
 * when a producer first needs it, hop to the home loop of the id's partition, wait there until that
 * partition's ids are loaded, stand in line at the id (txns_entry.c).
 *
 * Failure modes: too many wait -> LOADING; the partition does not come within the commit timeout ->
 * NOT_COORDINATOR, and the client looks for its coordinator anew; the broker stops -> UNAVAILABLE.
 */
#include "base/log.h"
#include "broker/config/settings.h"
#include "broker/txn/txns_shard.h"

#include <assert.h>
#include <inttypes.h>

int64_t txns_real_ms(const struct txns *txns)
{
    return env_real_ms(broker_env(txns->broker));
}

/* --- life --- */

struct txns *txns_new(struct broker *broker, struct loop *loop)
{
    struct txns *txns = xnew(struct txns);
    txns->broker = broker;
    txns->loop = loop;
    txns->sweep = TIMER_NULL;
    list_init(&txns->shards);
    return txns;
}

static void txns_shard_empty(struct txns_shard *shard, enum txn_error error)
{
    while (shard->entries.count > 0) {
        struct txns_entry *entry = NULL;
        map_for_each (&shard->entries, found)
            entry = found->value;
        txns_entry_kill(entry, error);
    }
    map_deinit(&shard->entries);
}

void txns_stop(struct txns *txns)
{
    txns->stopped = true;
    timer_stop(&txns->sweep);
    struct txns_shard *shard;
    list_for_each_entry (shard, &txns->shards, link) {
        txns_shard_empty(shard, TXN_E_UNAVAILABLE);
        txns_shard_release(shard, TXN_E_UNAVAILABLE);
    }
}

void txns_free(struct txns *txns)
{
    if (txns == NULL)
        return;
    struct txns_shard *shard, *following;
    list_for_each_entry_safe (shard, following, &txns->shards, link) {
        if (shard->load != NULL)
            txns_load_cancel(shard->load);
        txns_shard_empty(shard, TXN_E_UNAVAILABLE);
        assert(shard->waiting_count == 0);
        timer_stop(&shard->timer);
        list_remove(&shard->link);
        free(shard);
    }
    timer_stop(&txns->sweep);
    free(txns);
}

struct txns_shard *txns_shard_at(struct txns *txns, int32_t index)
{
    struct txns_shard *shard;
    list_for_each_entry (shard, &txns->shards, link) {
        if (shard->index == index)
            return shard;
    }
    shard = xnew(struct txns_shard);
    shard->txns = txns;
    shard->index = index;
    shard->state = TXNS_ABSENT;
    shard->entries = MAP_NULL;
    shard->timer = TIMER_NULL;
    list_init(&shard->waiting);
    list_append(&txns->shards, &shard->link);
    return shard;
}

/* --- partitions come and go --- */

void txns_load(struct txns *txns, int32_t index, struct partition *partition,
    void (*done)(void *ctx), void *ctx)
{
    loop_assert_owner(txns->loop);
    struct txns_shard *shard = txns_shard_at(txns, index);
    assert(shard->state == TXNS_ABSENT && shard->entries.count == 0);
    shard->state = TXNS_LOADING;
    shard->partition = partition;
    txns_load_start(shard, done, ctx);
    if (!timer_running(&txns->sweep))
        txns_sweep_start(txns);
}

void txns_drop(struct txns *txns, int32_t index)
{
    loop_assert_owner(txns->loop);
    struct txns_shard *shard = txns_shard_at(txns, index);
    if (shard->state == TXNS_ABSENT)
        return;
    if (shard->load != NULL)
        txns_load_cancel(shard->load);
    shard->state = TXNS_ABSENT;
    shard->partition = NULL;
    if (shard->entries.count > 0)
        log_info(
            "transactions.dropped", "partition=%" PRId32 " ids=%zu", index, shard->entries.count);
    txns_shard_empty(shard, TXN_E_NOT_COORDINATOR);
}

/* --- late and expired ones --- */

static void txns_on_sweep(struct timer *timer)
{
    struct txns *txns = container_of(timer, struct txns, sweep);
    const struct txn_settings *settings = &broker_settings(txns->broker)->txn;
    int64_t now_ms = loop_now_ms(txns->loop), real_ms = txns_real_ms(txns);
    bool look_for_expired = now_ms - txns->expired_ms >= settings->id_expiration_check_ms;
    if (look_for_expired)
        txns->expired_ms = now_ms;
    struct txns_shard *shard;
    list_for_each_entry (shard, &txns->shards, link) {
        if (shard->state != TXNS_READY)
            continue;
        /* A write that begins changes no table. */
        map_for_each (&shard->entries, found)
            txns_entry_sweep(found->value, real_ms, look_for_expired);
    }
    txns_sweep_start(txns);
}

void txns_sweep_start(struct txns *txns)
{
    timer_start(
        &txns->sweep, txns->loop, broker_settings(txns->broker)->txn.abort_check_ms, txns_on_sweep);
}

/* --- the way of a request --- */

static void txns_op_fail(struct txns_op *op, enum txn_error error)
{
    op->error = error;
    op->done(op);
}

static void txns_visit_next(struct txns_op *op);

/* With a shard that is ready. */
static void txns_op_run(struct txns_op *op, struct txns_shard *shard)
{
    struct txns_entry *entry = map_get(&shard->entries, op->id);
    if (entry == NULL && op->kind != TXNS_INIT) {
        txns_op_fail(op, TXN_E_UNKNOWN);
        return;
    }
    if (entry == NULL && shard->txns->entries_count >= TXNS_COUNT_MAX) {
        txns_op_fail(op, TXN_E_UNAVAILABLE);
        return;
    }
    if (entry == NULL) {
        struct txn_facts facts = {.state = TXN_EMPTY,
            .producer_id = -1,
            .previous_producer_id = -1,
            .next_producer_id = -1,
            .epoch = TXN_EPOCH_NONE,
            .last_epoch = TXN_EPOCH_NONE,
            .timeout_ms = op->timeout_ms,
            .start_ms = -1,
            .update_ms = txns_real_ms(shard->txns)};
        entry = txns_entry_new(shard, op->id, &facts);
    }
    txns_entry_push(entry, op);
}

void txns_shard_release(struct txns_shard *shard, enum txn_error error)
{
    timer_stop(&shard->timer);
    struct list_link waiting;
    list_init(&waiting);
    list_splice(&waiting, &shard->waiting);
    shard->waiting_count = 0;
    while (!list_empty(&waiting)) {
        struct txns_op *op = list_entry(list_first(&waiting), struct txns_op, link);
        list_remove(&op->link);
        if (error != TXN_OK)
            txns_op_fail(op, error);
        else if (op->visiting)
            txns_visit_next(op);
        else
            txns_op_run(op, shard);
    }
}

static void txns_shard_on_timer(struct timer *timer)
{
    struct txns_shard *shard = container_of(timer, struct txns_shard, timer);
    log_warn("transactions.waited", "partition=%" PRId32 " requests=%zu state=%s", shard->index,
        shard->waiting_count, shard->state == TXNS_LOADING ? "loading" : "absent");
    txns_shard_release(shard, shard->state == TXNS_LOADING ? TXN_E_LOADING : TXN_E_NOT_COORDINATOR);
}

/* False: there is no room to wait. */
static bool txns_wait(struct txns_shard *shard, struct txns_op *op)
{
    if (shard->waiting_count >= TXNS_WAITING_COUNT_MAX)
        return false;
    list_append(&shard->waiting, &op->link);
    shard->waiting_count++;
    if (!timer_running(&shard->timer))
        timer_start(&shard->timer, shard->txns->loop,
            broker_settings(shard->txns->broker)->group.offsets_commit_timeout_ms,
            txns_shard_on_timer);
    return true;
}

static void txns_arrive(struct txns_op *op)
{
    struct txns *txns = broker_txns(op->broker);
    loop_assert_owner(txns->loop);
    if (txns->stopped) {
        txns_op_fail(op, TXN_E_UNAVAILABLE);
        return;
    }
    struct txns_shard *shard = txns_shard_at(txns, op->index);
    if (shard->state == TXNS_READY)
        txns_op_run(op, shard);
    else if (!txns_wait(shard, op))
        txns_op_fail(op, TXN_E_LOADING);
}

static void txns_on_arrival(struct loop_msg *msg)
{
    txns_arrive(container_of(msg, struct txns_op, msg));
}

static void txns_go(struct txns_op *op)
{
    op->index = broker_txn_partition(op->broker, op->id);
    struct loop *home =
        broker_topic_home(op->broker, broker_image(op->broker)->transactions, op->index);
    if (home == loop_current())
        txns_arrive(op);
    else
        loop_post(home, &op->msg, txns_on_arrival);
}

static void txns_on_ensured(struct broker_call *call)
{
    struct txns_op *op = container_of(call, struct txns_op, call);
    if (call->result < 0 || broker_image(op->broker)->transactions == NULL)
        txns_op_fail(op, TXN_E_UNAVAILABLE);
    else
        txns_go(op);
}

void txns_submit(struct txns_op *op)
{
    op->fresh_producer_id = -1;
    op->resumed = op->visiting = false;
    op->txn = NULL;
    int32_t timeout_ms_max = broker_settings(op->broker)->producer.transaction_timeout_ms_max;
    if (op->id.size == 0) {
        txns_op_fail(op, TXN_E_INVALID_REQUEST);
    } else if (op->kind == TXNS_INIT && (op->timeout_ms <= 0 || op->timeout_ms > timeout_ms_max)) {
        txns_op_fail(op, TXN_E_INVALID_TIMEOUT);
    } else if (broker_image(op->broker)->transactions != NULL) {
        txns_go(op);
    } else if (op->kind == TXNS_INIT) {
        op->call.done = txns_on_ensured;
        broker_transactions_ensure(op->broker, &op->call);
    } else {
        txns_op_fail(op, TXN_E_UNKNOWN);
    }
}

/* --- a whole loop --- */

static void txns_visit_next(struct txns_op *op)
{
    struct txns *txns = broker_txns(op->broker);
    struct txns_shard *shard;
    list_for_each_entry (shard, &txns->shards, link) {
        if (shard->state == TXNS_LOADING && !txns->stopped && txns_wait(shard, op))
            return;
    }
    txns_op_fail(op, txns->stopped ? TXN_E_UNAVAILABLE : TXN_OK);
}

static void txns_on_visit(struct loop_msg *msg)
{
    txns_visit_next(container_of(msg, struct txns_op, msg));
}

void txns_visit(struct txns_op *op, unsigned loop_index)
{
    op->visiting = true;
    loop_post(broker_loop(op->broker, loop_index), &op->msg, txns_on_visit);
}

void txns_each(struct broker *broker, void (*fn)(void *ctx, const struct txn *txn), void *ctx)
{
    struct txns *txns = broker_txns(broker);
    loop_assert_owner(txns->loop);
    struct txns_shard *shard;
    list_for_each_entry (shard, &txns->shards, link) {
        if (shard->state != TXNS_READY)
            continue;
        map_for_each (&shard->entries, found) {
            struct txns_entry *entry = found->value;
            if (entry->txn->now.epoch != TXN_EPOCH_NONE)
                fn(ctx, entry->txn);
        }
    }
}
