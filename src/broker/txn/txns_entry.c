// SPDX-License-Identifier: BSD-2-Clause
/*
 * One transactional id at work. Requests stand in line; the first one is put to the machine
 * (txn.c), which answers it or asks for a write, and the line waits until the write has taken
 * effect. Ending a transaction is three things in a row: the decision is written (from here on it
 * will happen, whatever crashes), a marker goes into each partition, and the completion is written.
 * The client is answered when all markers are on the medium; the line goes on when the completion
 * is.
 *
 * Failure modes: a write fails -> the log was cut, nothing happened, the client tries again. Some
 * marker cannot be written (its partition is lost or its disk full) -> the decision stands, so the
 * end is answered as done; requests that come now are told CONCURRENT, and the markers are tried
 * again until they are written. The shard is lost -> the entry is dead, its requests are answered,
 * and whoever gets the partition next finds the decision in the log.
 */
#include "base/log.h"
#include "broker/config/settings.h"
#include "broker/txn/txns_shard.h"

#include <assert.h>
#include <inttypes.h>

#define TXNS_RETRY_MS 200

static void txns_entry_run(struct txns_entry *entry);

struct txns_entry *txns_entry_new(
    struct txns_shard *shard, struct slice id, const struct txn_facts *facts)
{
    struct txns_entry *entry = xnew(struct txns_entry);
    entry->shard = shard;
    entry->txn = txn_new(id, facts);
    entry->retry = TIMER_NULL;
    list_init(&entry->line);
    map_put(&shard->entries, entry->txn->id, entry);
    shard->txns->entries_count++;
    return entry;
}

static void txns_entry_free(struct txns_entry *entry)
{
    assert(entry->shard == NULL && entry->holds == 0 && entry->marks == NULL);
    assert(list_empty(&entry->line) && entry->current == NULL);
    txn_free(entry->txn);
    free(entry);
}

static void txns_op_end(struct txns_op *op, enum txn_error error)
{
    op->error = error;
    op->done(op);
}

/* Answers the request whose work is over, if there is one. */
static void txns_entry_answer(struct txns_entry *entry, enum txn_error error)
{
    struct txns_op *op = steal(&entry->current);
    if (op == NULL)
        return;
    txn_successor(entry->txn, &op->producer_id, &op->epoch);
    txns_op_end(op, error);
}

void txns_entry_kill(struct txns_entry *entry, enum txn_error error)
{
    struct txns_shard *shard = entry->shard;
    map_remove(&shard->entries, entry->txn->id);
    shard->txns->entries_count--;
    entry->shard = NULL;
    timer_stop(&entry->retry);
    entry->holds++;
    txns_entry_answer(entry, error);
    struct list_link *link;
    while ((link = list_first(&entry->line)) != NULL) {
        list_remove(link);
        entry->line_count--;
        txns_op_end(list_entry(link, struct txns_op, link), error);
    }
    txns_entry_put(entry);
}

void txns_entry_put(struct txns_entry *entry)
{
    assert(entry->holds > 0);
    if (--entry->holds == 0 && entry->shard == NULL)
        txns_entry_free(entry);
}

/* --- writes --- */

static enum txn_error txns_write_error(enum partition_error error)
{
    switch (error) {
    case PARTITION_NOT_OWNER:
    case PARTITION_STORAGE: return TXN_E_NOT_COORDINATOR;
    default: return TXN_E_UNAVAILABLE;
    }
}

static void txns_entry_on_retry(struct timer *timer)
{
    txns_entry_resume(container_of(timer, struct txns_entry, retry));
}

/* The decision cannot be carried out now: nobody waits for it any more. */
static void txns_entry_stall(struct txns_entry *entry)
{
    static struct log_limit limit;
    if (log_limit_pass(&limit, 1000))
        log_warn("transaction.stalled", "id=%s state=%s action=\"try again\"",
            log_quote(entry->txn->id).str, txn_state_name(entry->txn->now.state));
    if (entry->current != NULL)
        txns_entry_answer(entry, entry->current->kind == TXNS_END ? TXN_OK : TXN_E_CONCURRENT);
    timer_start(&entry->retry, entry->shard->txns->loop, TXNS_RETRY_MS, txns_entry_on_retry);
    entry->busy = false;
    txns_entry_run(entry);
}

static void txns_entry_on_write_failed(struct txns_entry *entry, enum partition_error error)
{
    txn_write_failed(entry->txn);
    if (txn_is_prepared(entry->txn)) {
        txns_entry_stall(entry);
        return;
    }
    txns_entry_answer(entry, txns_write_error(error));
    entry->busy = false;
    txns_entry_run(entry);
}

static void txns_entry_on_completed(struct txns_entry *entry)
{
    struct txns_op *op = steal(&entry->current);
    if (op != NULL) { /* it met a transaction on its way in */
        assert(op->kind == TXNS_INIT);
        op->resumed = true;
        list_prepend(&entry->line, &op->link);
        entry->line_count++;
    }
    entry->busy = false;
    txns_entry_run(entry);
}

static void txns_entry_on_effect(struct txns_entry *entry)
{
    switch (entry->txn->now.state) {
    case TXN_EMPTY:
    case TXN_ONGOING:
        txns_entry_answer(entry, TXN_OK);
        entry->busy = false;
        txns_entry_run(entry);
        break;
    case TXN_PREPARE_COMMIT:
    case TXN_PREPARE_ABORT: txns_marks_write(entry); break;
    case TXN_COMPLETE_COMMIT:
    case TXN_COMPLETE_ABORT: txns_entry_on_completed(entry); break;
    case TXN_DEAD:
        log_info("transaction.forgotten", "id=%s", log_quote(entry->txn->id).str);
        /* Who came meanwhile starts from nothing. */
        txns_entry_kill(entry, TXN_E_UNAVAILABLE);
        break;
    case TXN_STATES_COUNT: assert(false); break;
    }
}

static void txns_entry_on_written(void *ctx, enum partition_error error)
{
    struct txns_entry *entry = ctx;
    if (entry->shard != NULL) {
        if (error == PARTITION_OK) {
            txn_written(entry->txn);
            txns_entry_on_effect(entry);
        } else {
            log_warn("transaction.write.failed", "id=%s error=%d", log_quote(entry->txn->id).str,
                (int)error);
            txns_entry_on_write_failed(entry, error);
        }
    }
    txns_entry_put(entry);
}

static void txns_entry_write(struct txns_entry *entry)
{
    int64_t now_ms = txns_real_ms(entry->shard->txns);
    struct txn_write *write = txn_write_new();
    txn_write_state(write, entry->txn, now_ms);
    entry->busy = true;
    entry->holds++;
    enum partition_error error =
        txn_write_submit(write, entry->shard->base.partition, txns_entry_on_written, entry);
    if (error == PARTITION_PENDING)
        return;
    txns_entry_on_write_failed(entry, error);
    txns_entry_put(entry);
}

/* --- the end of a transaction --- */

void txns_entry_on_marked(struct txns_entry *entry, bool all)
{
    if (!all) {
        txns_entry_stall(entry);
        return;
    }
    if (entry->current != NULL && entry->current->kind == TXNS_END)
        txns_entry_answer(entry, TXN_OK);
    txn_complete(entry->txn, txns_real_ms(entry->shard->txns));
    txns_entry_write(entry);
}

void txns_entry_resume(struct txns_entry *entry)
{
    if (entry->busy || !txn_is_prepared(entry->txn))
        return;
    entry->busy = true;
    txns_marks_write(entry);
}

void txns_entry_sweep(struct txns_entry *entry, int64_t now_ms, bool look_for_expired)
{
    struct txn *txn = entry->txn;
    if (entry->busy || txn_is_prepared(txn))
        return;
    const struct txn_settings *settings = &broker_settings(entry->shard->txns->broker)->txn;
    if (txn_is_late(txn, now_ms)) {
        log_info("transaction.late",
            "id=%s producer=%" PRId64 " timeout_ms=%" PRId32 " action=abort",
            log_quote(txn->id).str, txn->now.producer_id, txn->now.timeout_ms);
        txn_fence(txn, now_ms);
        txns_entry_write(entry);
    } else if (look_for_expired && txn_is_expired(txn, now_ms, settings->id_expiration_ms)) {
        txn_expire(txn, now_ms);
        txns_entry_write(entry);
    }
}

/* --- requests --- */

static void txns_entry_on_producer_id(struct broker_call *call)
{
    struct txns_op *op = container_of(call, struct txns_op, next.call);
    struct txns_entry *entry = op->entry;
    if (entry->shard == NULL) {
        txns_op_end(op, TXN_E_NOT_COORDINATOR);
    } else {
        entry->busy = false;
        if (call->result < 0) {
            txns_op_end(op, TXN_E_UNAVAILABLE);
        } else {
            op->fresh_producer_id = op->next.producer_id;
            list_prepend(&entry->line, &op->link);
            entry->line_count++;
        }
        txns_entry_run(entry);
    }
    txns_entry_put(entry);
}

static enum txn_step txns_op_init(struct txns_op *op, struct txn *txn, int64_t now_ms)
{
    if (txn->now.producer_id < 0) { /* an id that nobody has used yet */
        if (op->fresh_producer_id < 0)
            return TXN_WANT_PRODUCER_ID;
        txn->now.producer_id = op->fresh_producer_id;
        op->fresh_producer_id = -1;
    }
    struct txn_init init = {.expected_producer_id = op->producer_id,
        .expected_epoch = op->epoch,
        .timeout_ms = op->timeout_ms,
        .fresh_producer_id = op->fresh_producer_id,
        .resumed = op->resumed};
    return txn_init(txn, &init, now_ms, &op->error);
}

static enum txn_step txns_op_step(struct txns_op *op, struct txn *txn, int64_t now_ms)
{
    switch (op->kind) {
    case TXNS_INIT: return txns_op_init(op, txn, now_ms);
    case TXNS_ADD:
        return txn_add(txn, op->producer_id, op->epoch, op->partitions, op->partitions_count,
            now_ms, &op->error);
    case TXNS_VERIFY:
        op->error = txn_verify(txn, op->producer_id, op->epoch, op->partitions);
        return TXN_ANSWER;
    case TXNS_END: {
        struct txn_end end = {
            op->producer_id, op->epoch, op->commit, op->v2, op->fresh_producer_id};
        return txn_end(txn, &end, now_ms, &op->error);
    }
    case TXNS_LOOK: break;
    }
    op->error = TXN_OK;
    op->txn = txn;
    return TXN_ANSWER;
}

static void txns_entry_serve(struct txns_entry *entry, struct txns_op *op)
{
    switch (txns_op_step(op, entry->txn, txns_real_ms(entry->shard->txns))) {
    case TXN_ANSWER:
        if (op->error == TXN_OK && (op->kind == TXNS_INIT || op->kind == TXNS_END))
            txn_successor(entry->txn, &op->producer_id, &op->epoch);
        op->done(op);
        break;
    case TXN_WRITE:
        entry->current = op;
        txns_entry_write(entry);
        break;
    case TXN_WANT_PRODUCER_ID:
        entry->busy = true;
        entry->holds++;
        op->entry = entry;
        op->next.call.done = txns_entry_on_producer_id;
        broker_producer_id_next(op->broker, &op->next);
        break;
    }
}

static void txns_entry_run(struct txns_entry *entry)
{
    entry->holds++;
    struct list_link *link;
    while (entry->shard != NULL && !entry->busy && (link = list_first(&entry->line)) != NULL) {
        list_remove(link);
        entry->line_count--;
        txns_entry_serve(entry, list_entry(link, struct txns_op, link));
    }
    txns_entry_put(entry);
}

void txns_entry_push(struct txns_entry *entry, struct txns_op *op)
{
    if (op->kind == TXNS_LOOK) {
        txns_entry_serve(entry, op);
    } else if (entry->line_count >= TXNS_LINE_COUNT_MAX) {
        txns_op_end(op, TXN_E_CONCURRENT);
    } else {
        list_append(&entry->line, &op->link);
        entry->line_count++;
        txns_entry_run(entry);
    }
}
