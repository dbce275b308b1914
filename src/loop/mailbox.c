// SPDX-License-Identifier: BSD-2-Clause
/*
 * A stack that posters push onto with one compare-and-swap; the loop takes the whole stack at once,
 * turns it round and works through it before it takes the next. Nobody pops single elements, so
 * there is no ABA. The operations are sequentially consistent because loop.c pairs them with its
 * `sleeping` flag.
 */
#include "loop/mailbox.h"

bool mailbox_put(struct mailbox *box, struct loop_msg *msg)
{
    struct loop_msg *head = atomic_load_explicit(&box->arrived, memory_order_relaxed);
    do
        msg->next = head;
    while (!atomic_compare_exchange_weak(&box->arrived, &head, msg));
    return head == NULL;
}

static struct loop_msg *mailbox_reversed(struct loop_msg *newest)
{
    struct loop_msg *oldest = NULL;
    while (newest != NULL) {
        struct loop_msg *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    return oldest;
}

struct loop_msg *mailbox_take(struct mailbox *box)
{
    if (box->first == NULL) {
        if (atomic_load_explicit(&box->arrived, memory_order_relaxed) == NULL)
            return NULL;
        box->first = mailbox_reversed(atomic_exchange(&box->arrived, NULL));
    }
    struct loop_msg *msg = box->first;
    box->first = msg->next;
    return msg;
}

bool mailbox_empty(struct mailbox *box)
{
    return box->first == NULL && atomic_load(&box->arrived) == NULL;
}
