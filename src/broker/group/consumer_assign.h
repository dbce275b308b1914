// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * consumer_assign: who is to own what in a KIP-848 group. Pure functions of what the members
 * subscribe to and of what they were to own before.
 *
 *   uniform   as even as the subscriptions allow, and with as few moves as possible
 *   range     per topic a run of partitions each, in the order of instance ids, then member ids:
 *             topics with the same count of partitions are dealt out alike
 */
#include "broker/group/consumer_parts.h"

struct consumer_topic {
    struct uuid id;
    struct slice name;
    int32_t partitions_count;
};

/* A topology as one subscription sees it, in the order of topic ids. */
struct consumer_topics {
    struct consumer_topic *items;
    size_t count;
};

struct assign_member {
    /* in; borrowed */
    struct slice id, instance_id; /* null: dynamic */
    const struct consumer_topics *topics;
    const struct consumer_parts *before;
    void *context; /* the caller's */
    /* out; the caller's to free */
    struct consumer_parts after;
    /* own */
    size_t quota;
};

enum consumer_assignor { CONSUMER_UNIFORM, CONSUMER_RANGE, CONSUMER_ASSIGNORS_COUNT };
const char *consumer_assignor_name(enum consumer_assignor assignor);
/* False: there is none of that name. */
bool consumer_assignor_find(struct slice name, enum consumer_assignor *ret_assignor);

/* Members may be put into another order. */
void consumer_assign(
    enum consumer_assignor assignor, struct assign_member *members, size_t members_count);
