// SPDX-License-Identifier: BSD-2-Clause
/*
 * The list of a loop's shards, who waits in them, and how a request gets there.
 *
 * Failure modes: too many wait, or the replay lasts longer than offsets.commit.timeout.ms ->
 * LOADING; the partition does not come within that time -> NOT_COORDINATOR, and the client looks
 * for its coordinator anew; the broker stops -> UNAVAILABLE.
 */
#include "broker/coordinator/shard.h"

#include "base/log.h"
#include "broker/config/settings.h"

#include <assert.h>
#include <inttypes.h>

void shards_init(
    struct shards *shards, const struct shards_kind *kind, struct broker *broker, struct loop *loop)
{
    *shards = (struct shards){.kind = kind, .broker = broker, .loop = loop};
    list_init(&shards->list);
}

struct shard *shard_at(struct shards *shards, int32_t index)
{
    struct shard *shard;
    list_for_each_entry (shard, &shards->list, link) {
        if (shard->index == index)
            return shard;
    }
    shard = shards->kind->make(shards);
    shard->shards = shards;
    shard->index = index;
    shard->state = SHARD_ABSENT;
    shard->timer = TIMER_NULL;
    list_init(&shard->waiting);
    list_append(&shards->list, &shard->link);
    return shard;
}

void shard_deinit(struct shard *shard)
{
    assert(shard->waiting_count == 0);
    timer_stop(&shard->timer);
    list_remove(&shard->link);
}

/* --- who waits --- */

static bool shard_visit_next(struct shard_op *op);

/* True: it is to be run. */
static bool shard_op_end(struct shard_op *op, struct shard *shard, enum shard_error error)
{
    if (op->visiting && error == SHARD_OK)
        return shard_visit_next(op);
    op->shard = error == SHARD_OK ? shard : NULL;
    op->error = error;
    return true;
}

void shard_release(struct shard *shard, enum shard_error error)
{
    timer_stop(&shard->timer);
    struct list_link waiting;
    list_init(&waiting);
    list_splice(&waiting, &shard->waiting);
    shard->waiting_count = 0;
    while (!list_empty(&waiting)) {
        struct shard_op *op = list_entry(list_first(&waiting), struct shard_op, link);
        list_remove(&op->link);
        if (shard_op_end(op, shard, error))
            op->run(op);
    }
}

static void shard_on_timer(struct timer *timer)
{
    struct shard *shard = container_of(timer, struct shard, timer);
    bool loading = shard->state == SHARD_LOADING;
    log_warn(shard->shards->kind->waited, "partition=%" PRId32 " requests=%zu state=%s",
        shard->index, shard->waiting_count, loading ? "loading" : "absent");
    shard_release(shard, loading ? SHARD_E_LOADING : SHARD_E_NOT_COORDINATOR);
}

/* False: there is no room to wait. */
static bool shard_wait(struct shard *shard, struct shard_op *op)
{
    if (shard->waiting_count >= SHARD_WAITING_COUNT_MAX)
        return false;
    list_append(&shard->waiting, &op->link);
    shard->waiting_count++;
    if (!timer_running(&shard->timer))
        timer_start(&shard->timer, shard->shards->loop,
            broker_settings(shard->shards->broker)->group.offsets_commit_timeout_ms,
            shard_on_timer);
    return true;
}

/* --- the way --- */

/* On the home loop. */
static bool shard_arrive(struct shard_op *op)
{
    struct shards *shards = op->kind->here(op->broker);
    loop_assert_owner(shards->loop);
    if (shards->stopped)
        return shard_op_end(op, NULL, SHARD_E_UNAVAILABLE);
    struct shard *shard = shard_at(shards, op->index);
    if (shard->state == SHARD_READY)
        return shard_op_end(op, shard, SHARD_OK);
    return shard_wait(shard, op) ? false : shard_op_end(op, NULL, SHARD_E_LOADING);
}

static void shard_on_arrival(struct loop_msg *msg)
{
    struct shard_op *op = container_of(msg, struct shard_op, msg);
    if (shard_arrive(op))
        op->run(op);
}

static void shard_on_ensured(struct broker_call *call)
{
    struct shard_op *op = container_of(call, struct shard_op, call);
    bool there = call->result >= 0 && op->kind->topic(op->broker) != NULL;
    if (there ? shard_enter(op) : shard_op_end(op, NULL, SHARD_E_UNAVAILABLE))
        op->run(op);
}

bool shard_enter(struct shard_op *op)
{
    op->visiting = false;
    const struct topic *topic = op->kind->topic(op->broker);
    if (topic == NULL && !op->create)
        return shard_op_end(op, NULL, SHARD_E_NO_TOPIC);
    if (topic == NULL) {
        op->call.done = shard_on_ensured;
        op->kind->ensure(op->broker, &op->call);
        return false;
    }
    op->index = op->kind->index(op->broker, op->key);
    struct loop *home = broker_topic_home(op->broker, topic, op->index);
    if (home == loop_current())
        return shard_arrive(op);
    loop_post(home, &op->msg, shard_on_arrival);
    return false;
}

/* --- a whole loop --- */

/* True: all there is to wait for is over. */
static bool shard_visit_next(struct shard_op *op)
{
    struct shards *shards = op->kind->here(op->broker);
    struct shard *shard;
    list_for_each_entry (shard, &shards->list, link) {
        if (shard->state == SHARD_LOADING && !shards->stopped && shard_wait(shard, op))
            return false;
    }
    op->shard = NULL;
    op->error = shards->stopped ? SHARD_E_UNAVAILABLE : SHARD_OK;
    return true;
}

static void shard_on_visit(struct loop_msg *msg)
{
    struct shard_op *op = container_of(msg, struct shard_op, msg);
    if (shard_visit_next(op))
        op->run(op);
}

void shard_visit(struct shard_op *op, unsigned loop_index)
{
    op->shard = NULL;
    op->visiting = true;
    loop_post(broker_loop(op->broker, loop_index), &op->msg, shard_on_visit);
}
