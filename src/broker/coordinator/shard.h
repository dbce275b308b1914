// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * shard: one partition of an internal topic as its coordinator sees it, and the way of a request to
 * it. What every kind of coordinator (groups, transactions, ..) has in common is here; what it
 * keeps in a shard is its own.
 *
 *    ABSENT (not ours, or not yet) -> LOADING (replay) -> READY -> ABSENT (the partition was lost)
 *
 * A shard lives on the home loop of its partition. Requests come from any loop: the topic is made
 * when this is the first need of it, the request hops to the home loop and waits there while the
 * shard is not ready. In the common case all of that is true already and nothing is posted.
 */
#include "base/list.h"
#include "base/slice.h"
#include "broker/broker.h"
#include "loop/loop.h"

struct partition;
struct shard;
struct shards;
struct topic;

enum shard_state { SHARD_ABSENT, SHARD_LOADING, SHARD_READY };

enum shard_error {
    SHARD_OK,
    SHARD_E_NO_TOPIC,        /* and it was not to be made */
    SHARD_E_LOADING,         /* too many wait, or it takes too long */
    SHARD_E_NOT_COORDINATOR, /* the partition did not come: the client looks for its coordinator */
    SHARD_E_UNAVAILABLE,     /* the topic cannot be made, or the broker stops */
};

/* Requests that wait for one shard. */
#define SHARD_WAITING_COUNT_MAX 10000

/* What tells one kind of coordinator from another. */
struct shards_kind {
    const char *waited; /* the event of requests that waited in vain */
    struct shards *(*here)(struct broker *broker);
    const struct topic *(*topic)(struct broker *broker); /* NULL: not made yet */
    void (*ensure)(struct broker *broker, struct broker_call *call);
    int32_t (*index)(struct broker *broker, struct slice key); /* once there is a topic */
    struct shard *(*make)(struct shards *shards); /* what this kind has around its `struct shard` */
};

/* Those of one loop. */
struct shards {
    const struct shards_kind *kind;
    struct broker *broker;
    struct loop *loop;
    struct list_link list; /* struct shard */
    bool stopped;          /* set by the owner: whoever comes is told UNAVAILABLE */
};

struct shard {
    struct list_link link;
    struct shards *shards;
    int32_t index; /* of the partition */
    enum shard_state state;
    struct partition *partition; /* LOADING, READY */
    struct list_link waiting;    /* struct shard_op */
    size_t waiting_count;
    struct timer timer; /* how long they may wait */
};

void shards_init(struct shards *shards, const struct shards_kind *kind, struct broker *broker,
    struct loop *loop);
struct shard *shard_at(struct shards *shards, int32_t index); /* made when missing */
/* Runs everybody who waits: with the shard when it is ready, else with the error. */
void shard_release(struct shard *shard, enum shard_error error);
/* Takes it out of the list; nobody waits. The memory is the owner's. */
void shard_deinit(struct shard *shard);

/* A request on its way. */
struct shard_op {
    /* in; the caller's memory until shard_enter says true or run */
    struct broker *broker;
    const struct shards_kind *kind;
    struct slice key;
    bool create; /* make the topic when it does not exist; else NO_TOPIC */
    void (*run)(struct shard_op *op);
    /* out */
    struct shard *shard; /* READY; NULL: see error; do not keep it beyond this turn of the loop */
    enum shard_error error;
    /* own */
    bool visiting;
    int32_t index;
    struct broker_call call;
    struct loop_msg msg;
    struct list_link link;
};

/* Any loop. True: there already (or failed), run will not come. False: run comes, on the home loop.
 */
bool shard_enter(struct shard_op *op);
/* Goes to a loop and waits there until all its shards are loaded; run always comes later, without a
 * shard. op->key is not used. */
void shard_visit(struct shard_op *op, unsigned loop_index);
