// SPDX-License-Identifier: BSD-2-Clause
/*
 * The first batch of a transaction in a partition is appended only when the transaction's
 * coordinator knows of the partition: else no marker would ever end it here, and readers of
 * committed data would wait for good. So: ask the coordinator (who adds the partition under
 * transactions v2), hold up this producer's appends meanwhile so that they keep their order, and go
 * on with the answer.
 *
 * Failure modes: a marker came between question and answer (the guard tells): ask again, the
 * transaction may be another one now. The coordinator says no: all that waited are refused, for a
 * later one must not be appended without an earlier one. The partition is lost: they are refused,
 * and the answer finds nobody.
 */
#include "broker/broker.h"
#include "broker/partition/partition_internal.h"
#include "broker/txn/txns.h"

#include <assert.h>

struct partition_verify {
    struct list_link link; /* partition->verifies */
    struct loop *loop;
    struct partition *partition; /* NULL: nobody waits any more */
    struct list_link appends;    /* struct partition_append; the first one is asked about */
    uint64_t guard;
    struct txns_op op;
    struct txn_topic_partition target;
    struct loop_msg msg;
};

static enum partition_error partition_verify_error(enum txn_error error)
{
    switch (error) {
    case TXN_OK: return PARTITION_OK;
    case TXN_E_FENCED: return PARTITION_INVALID_PRODUCER_EPOCH;
    case TXN_E_UNKNOWN: return PARTITION_UNKNOWN_TXN_PRODUCER;
    case TXN_E_INVALID_REQUEST:
    case TXN_E_INVALID_TIMEOUT:
    case TXN_E_INVALID_STATE:
    case TXN_E_NOT_ADDED: return PARTITION_NOT_IN_TXN;
    case TXN_E_CONCURRENT:
    case TXN_E_NOT_COORDINATOR:
    case TXN_E_UNAVAILABLE:
    case TXN_E_LOADING: break;
    }
    return PARTITION_TXN_UNAVAILABLE;
}

static void partition_verify_end(
    struct partition *partition, struct list_link *appends, enum partition_error error)
{
    struct list_link *link;
    while ((link = list_first(appends)) != NULL) {
        struct partition_append *append = list_entry(link, struct partition_append, link);
        list_remove(link);
        enum partition_error result = error;
        if (result == PARTITION_OK)
            result = partition_when_ready(partition, &append->ready);
        if (result == PARTITION_OK)
            result = partition_append_now(partition, append);
        if (result != PARTITION_PENDING)
            append->done(append, result);
    }
}

static void partition_verify_on_answer(struct loop_msg *msg)
{
    struct partition_verify *verify = container_of(msg, struct partition_verify, msg);
    struct partition *partition = verify->partition;
    enum partition_error error = partition_verify_error(verify->op.error);
    if (partition != NULL) {
        struct partition_append *first =
            list_entry(list_first(&verify->appends), struct partition_append, link);
        struct list_link appends;
        list_init(&appends);
        list_splice(&appends, &verify->appends);
        list_remove(&verify->link);
        first->verified =
            error == PARTITION_OK && partition->state == PARTITION_USABLE &&
            verify->guard == producers_guard(&partition->producers, first->header.producer_id);
        partition_verify_end(partition, &appends, error);
    }
    free(verify);
}

static void partition_verify_on_done(struct txns_op *op)
{
    struct partition_verify *verify = container_of(op, struct partition_verify, op);
    loop_post(verify->loop, &verify->msg, partition_verify_on_answer);
}

static struct partition_verify *partition_verify_find(
    struct partition *partition, int64_t producer_id)
{
    struct partition_verify *verify;
    list_for_each_entry (verify, &partition->verifies, link) {
        struct partition_append *first =
            list_entry(list_first(&verify->appends), struct partition_append, link);
        if (first->header.producer_id == producer_id)
            return verify;
    }
    return NULL;
}

bool partition_verify_join(struct partition *partition, struct partition_append *append)
{
    struct partition_verify *verify = partition_verify_find(partition, append->header.producer_id);
    if (verify == NULL)
        return false;
    list_append(&verify->appends, &append->link);
    return true;
}

void partition_verify_start(struct partition *partition, struct partition_append *append)
{
    /* The answer may come after the append is gone, so nothing of it is borrowed. */
    struct slice id = append->transactional_id;
    size_t name_size = strlen(partition->topic->name);
    struct partition_verify *verify = xcalloc(1, sizeof(*verify) + id.size + name_size);
    uint8_t *bytes = (uint8_t *)(verify + 1);
    if (id.size > 0)
        memcpy(bytes, id.data, id.size);
    memcpy(bytes + id.size, partition->topic->name, name_size);
    verify->loop = partition->loop;
    verify->partition = partition;
    verify->guard = producers_guard(&partition->producers, append->header.producer_id);
    verify->target =
        (struct txn_topic_partition){slice_make(bytes + id.size, name_size), partition->index};
    list_init(&verify->appends);
    list_append(&verify->appends, &append->link);
    list_append(&partition->verifies, &verify->link);
    verify->op = (struct txns_op){.broker = partition->broker,
        .id = slice_make(bytes, id.size),
        .kind = append->txn_add ? TXNS_ADD : TXNS_VERIFY,
        .producer_id = append->header.producer_id,
        .epoch = append->header.producer_epoch,
        .partitions = &verify->target,
        .partitions_count = 1,
        .done = partition_verify_on_done};
    txns_submit(&verify->op);
}

void partition_fail_verifies(struct partition *partition, enum partition_error error)
{
    struct list_link *link;
    while ((link = list_first(&partition->verifies)) != NULL) {
        struct partition_verify *verify = list_entry(link, struct partition_verify, link);
        struct list_link appends;
        list_init(&appends);
        list_splice(&appends, &verify->appends);
        list_remove(link);
        verify->partition = NULL;
        partition_verify_end(partition, &appends, error);
    }
}
