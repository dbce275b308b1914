// SPDX-License-Identifier: BSD-2-Clause
/*
 * The life of shards, and the way of a request to its transactional id (coordinator/shard.h says
 * how in general): only a producer that initialises makes __transaction_state; at the id a request
 * stands in line (txns_entry.c).
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

/* --- shards --- */

static struct shards *txns_here(struct broker *broker)
{
    return &broker_txns(broker)->shards;
}

static const struct topic *txns_topic(struct broker *broker)
{
    return broker_image(broker)->transactions;
}

static struct shard *txns_shard_make(struct shards *shards)
{
    struct txns_shard *shard = xnew(struct txns_shard);
    shard->txns = container_of(shards, struct txns, shards);
    shard->entries = MAP_NULL;
    return &shard->base;
}

static const struct shards_kind txns_shards = {
    .waited = "transactions.waited",
    .here = txns_here,
    .topic = txns_topic,
    .ensure = broker_transactions_ensure,
    .index = broker_txn_partition,
    .make = txns_shard_make,
};

static struct txns_shard *txns_shard_at(struct txns *txns, int32_t index)
{
    return container_of(shard_at(&txns->shards, index), struct txns_shard, base);
}

/* --- life --- */

struct txns *txns_new(struct broker *broker, struct loop *loop)
{
    struct txns *txns = xnew(struct txns);
    txns->broker = broker;
    txns->loop = loop;
    txns->sweep = TIMER_NULL;
    shards_init(&txns->shards, &txns_shards, broker, loop);
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
    txns->shards.stopped = true;
    timer_stop(&txns->sweep);
    struct txns_shard *shard;
    list_for_each_entry (shard, &txns->shards.list, base.link) {
        txns_shard_empty(shard, TXN_E_UNAVAILABLE);
        shard_release(&shard->base, SHARD_E_UNAVAILABLE);
    }
}

void txns_free(struct txns *txns)
{
    if (txns == NULL)
        return;
    struct txns_shard *shard, *following;
    list_for_each_entry_safe (shard, following, &txns->shards.list, base.link) {
        if (shard->load != NULL)
            txns_load_cancel(shard->load);
        txns_shard_empty(shard, TXN_E_UNAVAILABLE);
        shard_deinit(&shard->base);
        free(shard);
    }
    timer_stop(&txns->sweep);
    free(txns);
}

/* --- partitions come and go --- */

void txns_load(struct txns *txns, int32_t index, struct partition *partition,
    void (*done)(void *ctx), void *ctx)
{
    loop_assert_owner(txns->loop);
    struct txns_shard *shard = txns_shard_at(txns, index);
    assert(shard->base.state == SHARD_ABSENT && shard->entries.count == 0);
    shard->base.state = SHARD_LOADING;
    shard->base.partition = partition;
    txns_load_start(shard, done, ctx);
    if (!timer_running(&txns->sweep))
        txns_sweep_start(txns);
}

void txns_drop(struct txns *txns, int32_t index)
{
    loop_assert_owner(txns->loop);
    struct txns_shard *shard = txns_shard_at(txns, index);
    if (shard->base.state == SHARD_ABSENT)
        return;
    if (shard->load != NULL)
        txns_load_cancel(shard->load);
    shard->base.state = SHARD_ABSENT;
    shard->base.partition = NULL;
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
    list_for_each_entry (shard, &txns->shards.list, base.link) {
        if (shard->base.state != SHARD_READY)
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

static void txns_op_end(struct txns_op *op, enum txn_error error)
{
    op->error = error;
    op->done(op);
}

/* With a shard that is ready. */
static void txns_op_run(struct txns_op *op, struct txns_shard *shard)
{
    struct txns_entry *entry = map_get(&shard->entries, op->id);
    if (entry == NULL && op->kind != TXNS_INIT) {
        txns_op_end(op, TXN_E_UNKNOWN);
        return;
    }
    if (entry == NULL && shard->txns->entries_count >= TXNS_COUNT_MAX) {
        txns_op_end(op, TXN_E_UNAVAILABLE);
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

static enum txn_error txns_way_error(enum shard_error error)
{
    switch (error) {
    case SHARD_OK: return TXN_OK;
    case SHARD_E_NO_TOPIC: return TXN_E_UNKNOWN;
    case SHARD_E_LOADING: return TXN_E_LOADING;
    case SHARD_E_NOT_COORDINATOR: return TXN_E_NOT_COORDINATOR;
    case SHARD_E_UNAVAILABLE: break;
    }
    return TXN_E_UNAVAILABLE;
}

static void txns_on_arrival(struct shard_op *way)
{
    struct txns_op *op = container_of(way, struct txns_op, way);
    if (way->shard == NULL)
        txns_op_end(op, txns_way_error(way->error));
    else
        txns_op_run(op, container_of(way->shard, struct txns_shard, base));
}

void txns_submit(struct txns_op *op)
{
    op->fresh_producer_id = -1;
    op->resumed = false;
    op->txn = NULL;
    int32_t timeout_ms_max = broker_settings(op->broker)->producer.transaction_timeout_ms_max;
    if (op->id.size == 0) {
        txns_op_end(op, TXN_E_INVALID_REQUEST);
    } else if (op->kind == TXNS_INIT && (op->timeout_ms <= 0 || op->timeout_ms > timeout_ms_max)) {
        txns_op_end(op, TXN_E_INVALID_TIMEOUT);
    } else {
        op->way = (struct shard_op){.broker = op->broker,
            .kind = &txns_shards,
            .key = op->id,
            .create = op->kind == TXNS_INIT,
            .run = txns_on_arrival};
        if (shard_enter(&op->way))
            txns_on_arrival(&op->way);
    }
}

/* --- a whole loop --- */

static void txns_on_visited(struct shard_op *way)
{
    txns_op_end(container_of(way, struct txns_op, way), txns_way_error(way->error));
}

void txns_visit(struct txns_op *op, unsigned loop_index)
{
    op->way = (struct shard_op){.broker = op->broker, .kind = &txns_shards, .run = txns_on_visited};
    shard_visit(&op->way, loop_index);
}

void txns_each(struct broker *broker, void (*fn)(void *ctx, const struct txn *txn), void *ctx)
{
    struct txns *txns = broker_txns(broker);
    loop_assert_owner(txns->loop);
    struct txns_shard *shard;
    list_for_each_entry (shard, &txns->shards.list, base.link) {
        if (shard->base.state != SHARD_READY)
            continue;
        map_for_each (&shard->entries, found) {
            struct txns_entry *entry = found->value;
            if (entry->txn->now.epoch != TXN_EPOCH_NONE)
                fn(ctx, entry->txn);
        }
    }
}
