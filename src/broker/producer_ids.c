// SPDX-License-Identifier: BSD-2-Clause
/*
 * producer_ids: numbers for idempotent producers, each handed out once in the life of the data
 * directory. Blocks of them are reserved in meta ahead of use, so most are given at once; a crash
 * loses the rest of a block and nothing else. Loop 0.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "broker/broker_internal.h"

#define PRODUCER_IDS_BLOCK 1000

static void ids_serve(struct broker *broker);

void producer_ids_init(struct broker *broker)
{
    struct producer_ids *ids = &broker->producer_ids;
    struct slice stored = meta_get(broker->meta, PRODUCER_IDS_KEY, NULL);
    char text[24] = "0";
    if (stored.size > 0 && stored.size < sizeof(text)) {
        memcpy(text, stored.data, stored.size);
        text[stored.size] = '\0';
    }
    list_init(&ids->waiting);
    ids->next = ids->end = strtoll(text, NULL, 10);
}

static void ids_on_reserved(struct meta_txn *txn, enum meta_status status)
{
    struct broker *broker = container_of(txn, struct broker, producer_ids.txn);
    struct producer_ids *ids = &broker->producer_ids;
    ids->reserving = false;
    if (status == META_OK) {
        ids->end += PRODUCER_IDS_BLOCK;
        ids_serve(broker);
        return;
    }
    while (!list_empty(&ids->waiting)) {
        struct broker_call *call =
            container_of(list_first(&ids->waiting), struct broker_call, link);
        list_remove(&call->link);
        call->result = -EIO;
        broker_call_done(call);
    }
}

static void ids_reserve(struct broker *broker)
{
    struct producer_ids *ids = &broker->producer_ids;
    if (ids->reserving)
        return;
    ids->reserving = true;
    int size = snprintf(ids->value, sizeof(ids->value), "%" PRId64, ids->end + PRODUCER_IDS_BLOCK);
    ids->txn = (struct meta_txn){.n_ops = 1, .done = ids_on_reserved};
    ids->txn.ops[0] =
        (struct meta_op){META_PUT, PRODUCER_IDS_KEY, slice_make(ids->value, (size_t)size)};
    meta_commit(broker->meta, &ids->txn);
}

static void ids_serve(struct broker *broker)
{
    struct producer_ids *ids = &broker->producer_ids;
    while (!list_empty(&ids->waiting) && ids->next < ids->end) {
        struct broker_call *call =
            container_of(list_first(&ids->waiting), struct broker_call, link);
        list_remove(&call->link);
        container_of(call, struct broker_producer_id, call)->producer_id = ids->next++;
        call->result = 0;
        broker_call_done(call);
    }
    if (!list_empty(&ids->waiting))
        ids_reserve(broker);
}

static void ids_on_wish(struct loop_msg *msg)
{
    struct broker_call *call = container_of(msg, struct broker_call, msg);
    list_append(&call->broker->producer_ids.waiting, &call->link);
    ids_serve(call->broker);
}

void broker_producer_id_next(struct broker *broker, struct broker_producer_id *next)
{
    broker_call_begin(broker, &next->call, ids_on_wish);
}
