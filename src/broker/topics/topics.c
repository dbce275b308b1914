// SPDX-License-Identifier: BSD-2-Clause
/*
 * topics: the line of operations and the batches that carry them out, on loop 0.
 *
 *   queue -> draft (checks) -> meta commit -> OPEN -> SWAP -> CLOSE -> answers
 *
 * One batch at a time; what arrives meanwhile waits and shares the next one. An operation that
 * changes nothing (refused, or only validated) is answered with its batch all the same, so answers
 * keep the order of the questions.
 *
 * Failure modes: when meta cannot be written nothing has changed and every change of the batch is
 * refused. A partition that cannot be opened is offline; its topic exists.
 */
#include "broker/topics/topics.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>

#include "base/log.h"
#include "broker/broker_internal.h"
#include "broker/topics/draft.h"

struct topics_batch {
    struct broker *broker;
    struct list_link ops;
    struct draft draft;
    struct image *before, *after;
    struct meta_txn txn;
    struct phase phase;
    char gone_keys[DRAFT_CHANGES_MAX][TOPICS_GONE_KEY_SIZE];
};

static void topics_kick(struct broker *broker);

void topics_gone_key(struct uuid id, char key[TOPICS_GONE_KEY_SIZE])
{
    snprintf(key, TOPICS_GONE_KEY_SIZE, TOPICS_GONE_PREFIX "%s", uuid_to_text(id).str);
}

void topics_init(struct broker *broker, struct image *image)
{
    list_init(&broker->topics.queue);
    broker->topics.image = image_get(image);
}

void topics_deinit(struct broker *broker)
{
    assert(broker->topics.batch == NULL);
    image_put(broker->topics.image);
    broker->topics.image = NULL;
}

static struct topics_op *op_of(struct list_link *link)
{
    return container_of(link, struct topics_op, call.link);
}

static void op_answer(struct topics_op *op)
{
    op->call.result = op->error == TOPICS_STORAGE || op->error == TOPICS_STOPPING ? -EIO : 0;
    broker_call_done(&op->call);
}

static void op_refuse(struct topics_op *op, enum topics_error error, struct slice message)
{
    topic_put(op->topic);
    op->topic = NULL;
    op->error = error;
    op->message = message;
}

static void batch_finish(struct topics_batch *batch)
{
    struct broker *broker = batch->broker;
    broker->topics.batch = NULL;
    while (!list_empty(&batch->ops)) {
        struct list_link *link = list_first(&batch->ops);
        list_remove(link);
        op_answer(op_of(link));
    }
    draft_deinit(&batch->draft);
    image_put(batch->before);
    image_put(batch->after);
    free(batch);
    topics_kick(broker);
}

/* Adds an operation on the mark of each topic that goes. While a mark is there, what is left of the
 * topic on the disk is removed at the next start. */
static void batch_mark_gone(struct topics_batch *batch, enum meta_op_type type)
{
    struct meta_txn *txn = &batch->txn;
    for (unsigned i = 0; i < batch->draft.gone_count; i++) {
        topics_gone_key(batch->draft.gone[i], batch->gone_keys[i]);
        txn->ops[txn->n_ops++] = (struct meta_op){type, slice_from_str(batch->gone_keys[i]),
            type == META_PUT ? SLICE_LIT("1") : SLICE_NULL};
    }
}

static void batch_on_unmarked(struct meta_txn *txn, enum meta_status status)
{
    (void)status; /* a mark that stays is looked at again at the next start */
    batch_finish(container_of(txn, struct topics_batch, txn));
}

static void batch_end(struct topics_batch *batch)
{
    /* What could not be removed keeps the marks, or the next start would adopt it. */
    if (batch->draft.gone_count == 0 || batch->phase.left) {
        batch_finish(batch);
        return;
    }
    batch->txn = (struct meta_txn){.done = batch_on_unmarked};
    batch_mark_gone(batch, META_DELETE);
    meta_commit(batch->broker->meta, &batch->txn);
}

static void batch_on_phase(struct phase *phase)
{
    struct topics_batch *batch = container_of(phase, struct topics_batch, phase);
    if (phase->kind == PHASE_CLOSE) {
        batch_end(batch);
        return;
    }
    phase->kind = phase->kind == PHASE_OPEN ? PHASE_SWAP : PHASE_CLOSE;
    phase_start(phase);
}

static void batch_log(const struct topics_batch *batch)
{
    for (unsigned i = 0; i < batch->draft.changes_count; i++) {
        const struct draft_change *change = &batch->draft.changes[i];
        const struct topic *topic = change->topic;
        if (change->name == NULL)
            log_info("config.changed", "what=%s", log_quote(slice_from_str(change->key)).str);
        else if (topic == NULL)
            log_info("topic.deleted", "topic=%s", change->name);
        else
            log_info(change->created ? "topic.created" : "topic.changed",
                "topic=%s partitions=%d id=%s", topic->name, (int)topic->partitions_count,
                uuid_to_text(topic->id).str);
    }
}

static void batch_on_commit(struct meta_txn *txn, enum meta_status status)
{
    struct topics_batch *batch = container_of(txn, struct topics_batch, txn);
    struct broker *broker = batch->broker;
    if (status != META_OK) {
        struct topics_op *op;
        list_for_each_entry (op, &batch->ops, call.link) {
            if (op->error == TOPICS_OK && !op->validate_only)
                op_refuse(op, TOPICS_STORAGE,
                    SLICE_LIT("The change could not be stored; the broker's log says why."));
        }
        batch_finish(batch);
        return;
    }
    batch_log(batch);
    batch->before = broker->topics.image;
    batch->after = draft_build(&batch->draft);
    broker->topics.image = image_get(batch->after);
    batch->phase = (struct phase){
        .broker = broker,
        .kind = PHASE_OPEN,
        .before = batch->before,
        .after = batch->after,
        .fresh = true,
        .done = batch_on_phase,
    };
    phase_start(&batch->phase);
}

static void batch_commit(struct topics_batch *batch)
{
    struct meta_txn *txn = &batch->txn;
    for (unsigned i = 0; i < batch->draft.changes_count; i++) {
        const struct draft_change *change = &batch->draft.changes[i];
        txn->ops[txn->n_ops++] = (struct meta_op){
            .type = change->value.size > 0 ? META_PUT : META_DELETE,
            .key = slice_from_str(change->key),
            .value = buffer_slice(&change->value),
        };
    }
    batch_mark_gone(batch, META_PUT);
    txn->done = batch_on_commit;
    meta_commit(batch->broker->meta, txn);
}

/* A line that is stopping refuses what waits, then tells whoever stopped it. */
static void topics_refuse_all(struct broker *broker)
{
    while (!list_empty(&broker->topics.queue)) {
        struct list_link *link = list_first(&broker->topics.queue);
        list_remove(link);
        op_refuse(op_of(link), TOPICS_STOPPING, SLICE_LIT("The broker is shutting down."));
        op_answer(op_of(link));
    }
    if (broker->topics.idle != NULL) {
        void (*idle)(struct broker *) = broker->topics.idle;
        broker->topics.idle = NULL;
        idle(broker);
    }
}

static void topics_kick(struct broker *broker)
{
    struct topics_line *line = &broker->topics;
    if (line->batch != NULL)
        return;
    if (line->stopping) {
        topics_refuse_all(broker);
        return;
    }
    if (list_empty(&line->queue))
        return;
    struct topics_batch *batch = line->batch = xnew(struct topics_batch);
    batch->broker = broker;
    list_init(&batch->ops);
    draft_init(&batch->draft, broker->env, broker->node_id, line->image);
    while (!list_empty(&line->queue) && !draft_full(&batch->draft)) {
        struct list_link *link = list_first(&line->queue);
        if (draft_must_wait(&batch->draft, op_of(link)))
            break;
        list_remove(link);
        list_append(&batch->ops, link);
        draft_apply(&batch->draft, op_of(link));
    }
    if (batch->draft.changes_count == 0)
        batch_finish(batch);
    else
        batch_commit(batch);
}

static void topics_on_submit(struct loop_msg *msg)
{
    struct topics_op *op = container_of(msg, struct topics_op, call.msg);
    list_append(&op->call.broker->topics.queue, &op->call.link);
    topics_kick(op->call.broker);
}

void topics_submit(struct broker *broker, struct topics_op *op)
{
    op->topic = NULL;
    broker_call_begin(broker, &op->call, topics_on_submit);
}

void topics_op_deinit(struct topics_op *op)
{
    topic_put(op->topic);
    op->topic = NULL;
}

void topics_stop(struct broker *broker, void (*idle)(struct broker *broker))
{
    broker->topics.stopping = true;
    broker->topics.idle = idle;
    topics_kick(broker);
}
