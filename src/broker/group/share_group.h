// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * share_group: what a share group (KIP-932) has beside its members: the partitions whose delivery
 * states exist, are being made, or are being removed. Members get partitions only when their state
 * is there. A partition is new -> initializing (in the log before it is asked for) -> initialized;
 * a whole topic goes to deleting, and when its states are gone, out. Pure data, on the group's home
 * loop; groups_share.c moves it along.
 */
#include "broker/group/consumer_group.h"

struct groups_deletion;
struct groups_share_change;
struct groups_share_work;

/* Topics are known by name in the log, even when they are gone. */
struct share_topic {
    struct uuid id;
    struct slice name; /* owned */
};

struct share_topics {
    struct share_topic *items; /* in no order */
    size_t count, capacity;
};

struct share_group {
    struct consumer_parts initializing, initialized;
    struct consumer_parts doomed; /* of deleting topics: states that may still be there */
    struct share_topics deleting;
    struct share_topics names; /* of all topics above */
    uint64_t found_hash;       /* the group's topics, all of which are in the sets; 0: not known */
    /* groups_share.c */
    struct groups_share_work *work;     /* on its way to the share coordinators; NULL: none */
    struct groups_share_change *change; /* the admin's request that the work is for; NULL: none */
    struct groups_deletion *deletion; /* the group goes when its states are gone; NULL: it stays */
    struct list_link waiting;         /* struct groups_consumer_call: joins */
    int64_t retry_ms;                 /* what failed is not tried before this; loop time */
    bool delete_failed;               /* the last work: what is to be made goes before it */
};

struct share_group *share_group_new(void);
void share_group_free(struct share_group *share); /* NULL is fine; nobody waits */

/* What the members subscribe to, and the share group does not have yet, becomes initializing. True:
 * there was such. */
bool share_group_find_new(struct consumer_group *group);
void share_group_add(struct share_group *share, struct uuid topic, struct slice name,
    int32_t partition, bool initialized);
/* Its state is there now. */
void share_group_initialized(struct share_group *share, const struct consumer_part *part);
/* All its partitions are doomed; members hear of it with the next target. True: there were some. */
bool share_group_doom_topic(struct consumer_group *group, struct uuid topic);
void share_group_doom_all(struct consumer_group *group);
/* Replay: partitions of a topic that was being deleted. */
void share_group_doom_part(struct share_group *share, struct uuid topic, int32_t partition);
/* A doomed partition's state is gone; the topic, with its last one. */
void share_group_deleted(struct consumer_group *group, const struct consumer_part *part);
/* Topics that are being deleted and have no doomed partitions are forgotten. */
void share_group_forget_deleted(struct consumer_group *group);
/* NULL: unknown here. */
const struct share_topic *share_group_topic(const struct share_group *share, struct uuid id);
bool share_topics_contain(const struct share_topics *topics, struct uuid id);
void share_topics_add(struct share_topics *topics, struct uuid id, struct slice name);

/* Replay: the member has what the log says and nothing of topics that are gone. */
void share_group_restore_member(struct consumer_member *member);

/*
 * Who is to fetch from what, of the partitions in `available`: as many members as it takes share
 * each partition of a topic; all partitions are covered; whoever subscribes to a topic has at least
 * one partition of it when it has any; and nothing moves without need.
 */
void share_assign(
    const struct consumer_parts *available, struct assign_member *members, size_t members_count);
