// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/* list: an intrusive doubly linked ring. The head is a list_link too. No ownership; one thread at a
 * time. */
#include "base/memory.h"

#include <stdbool.h>

struct list_link {
    struct list_link *prev, *next;
};

#define LIST_INIT(head)  \
    {                    \
        &(head), &(head) \
    }

static inline void list_init(struct list_link *head)
{
    head->prev = head->next = head;
}

static inline bool list_empty(const struct list_link *head)
{
    return head->next == head;
}

/* A zeroed or removed link is not linked. */
static inline bool list_linked(const struct list_link *link)
{
    return link->next != NULL;
}

static inline void list_insert_before(struct list_link *at, struct list_link *link)
{
    link->prev = at->prev;
    link->next = at;
    at->prev->next = link;
    at->prev = link;
}

static inline void list_append(struct list_link *head, struct list_link *link)
{
    list_insert_before(head, link);
}

static inline void list_prepend(struct list_link *head, struct list_link *link)
{
    list_insert_before(head->next, link);
}

static inline void list_remove(struct list_link *link)
{
    link->prev->next = link->next;
    link->next->prev = link->prev;
    link->prev = link->next = NULL;
}

static inline struct list_link *list_first(struct list_link *head)
{
    return list_empty(head) ? NULL : head->next;
}

/* Moves all of `from` to the end of `to`; `from` is empty afterwards. */
static inline void list_splice(struct list_link *to, struct list_link *from)
{
    if (list_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    list_init(from);
}

#define list_entry(link, type, member) container_of(link, type, member)

#define list_for_each_entry(item, head, member)                                               \
    for (item = list_entry((head)->next, __typeof__(*item), member); &item->member != (head); \
         item = list_entry(item->member.next, __typeof__(*item), member))

/* The body may remove `item`. */
#define list_for_each_entry_safe(item, following, head, member)               \
    for (item = list_entry((head)->next, __typeof__(*item), member),          \
        following = list_entry(item->member.next, __typeof__(*item), member); \
         &item->member != (head);                                             \
         item = following, following = list_entry(item->member.next, __typeof__(*item), member))
