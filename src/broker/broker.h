// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * broker: the domain state that all handlers share, and how to get from any loop to the right one.
 * One struct broker per process; per-loop state is reached only on that loop. Topics are an
 * immutable, ref-counted image, built on loop 0 and swapped into each loop by message.
 */
#include "base/map.h"
#include "base/ref.h"
#include "base/uuid.h"
#include "broker/config/config.h"
#include "loop/loop.h"
#include "store/engine.h"

#define TOPIC_NAME_OFFSETS      "__consumer_offsets"
#define TOPIC_NAME_TRANSACTIONS "__transaction_state"
#define TOPIC_NAME_SHARE_STATE  "__share_group_state"

struct broker;
struct partition;
struct groups;
struct txns;
struct share_coords;
struct share_parts;
struct meta;
struct replicas;
struct sockaddr_storage;
struct offload;
struct group_configs;

/* What the home loops of a topic's partitions tell everybody: leader epochs. Shared by all versions
 * of a topic. */
struct topic_shared {
    struct ref ref;
    int32_t count;
    _Atomic int32_t leader_epochs[];
};

struct topic {
    struct ref ref;
    struct uuid id;
    char *name;
    int32_t partitions_count;
    bool internal;              /* __consumer_offsets and its like */
    struct topic_config config; /* effective */
    struct topic_shared *shared;
    struct replicas *replicas; /* per partition; NULL: there is one broker, which leads all */
    struct map overrides;      /* key name -> struct topic_override *, as set by people */
};

struct topic_override {
    const struct config_key *key;
    char *value;
};

struct image {
    struct ref ref;
    uint64_t revision;
    struct broker_settings *settings;
    struct topic *offsets;      /* __consumer_offsets, NULL while nobody needed it */
    struct topic *transactions; /* __transaction_state, likewise */
    struct topic *share_state;  /* __share_group_state, likewise */
    struct topic **topics;      /* sorted by name */
    size_t topics_count;
    int64_t partitions_count;            /* of all topics */
    struct map by_name, by_id;           /* key: name bytes; 16 id bytes */
    struct group_configs *group_configs; /* broker/group/group_overrides.h; NULL: none */
};

/* This loop's current image; borrowed until control returns to the loop (take a ref to keep it). */
struct image *broker_image(struct broker *broker);
struct topic *image_topic(const struct image *image, struct slice name);
struct topic *image_topic_by_id(const struct image *image, struct uuid id);
/* The newest leader epoch that the partition was usable with. Any loop. */
int32_t topic_leader_epoch(const struct topic *topic, int32_t partition);

/* The loop that owns a partition. Any loop. */
struct loop *broker_partition_home(struct broker *broker, const struct part_id *id);
/* On the home loop: the partition, NULL when unknown here. */
struct partition *broker_partition(struct broker *broker, const struct part_id *id);
/* The same for a topic of this loop's image, without a look-up of the topic. */
struct loop *broker_topic_home(struct broker *broker, const struct topic *topic, int32_t partition);
/* Kafka's choice of the offsets partition of a group: abs(java hash of the id) mod partitions. */
int32_t broker_group_partition(struct broker *broker, struct slice group);
struct loop *broker_group_home(struct broker *broker, struct slice group);
/* On the group's home loop: the coordinator state of this loop. */
struct groups *broker_groups(struct broker *broker);

/* The same for transactional ids, once image->transactions is there. */
int32_t broker_txn_partition(struct broker *broker, struct slice transactional_id);
struct txns *broker_txns(struct broker *broker);

/* The same for the keys of share coordinators, once image->share_state is there. */
int32_t broker_share_partition(struct broker *broker, struct slice key);
struct share_coords *broker_share_coords(struct broker *broker);
/* What share groups have under way in the partitions of this loop. */
struct share_parts *broker_share_parts(struct broker *broker);

/* A wish that is fulfilled elsewhere and answered on the loop that asked. Embedded; the caller's
 * memory until done. */
struct broker_call {
    struct loop_msg msg;
    struct loop *loop; /* filled by the callee: where done runs */
    void (*done)(struct broker_call *call);
    void *context; /* the caller's own */
    int result;    /* 0, or -errno when it failed (logged) */
    /* the callee's own */
    struct broker *broker;
    struct list_link link;
};
/* __consumer_offsets exists, its partitions are usable and their groups loaded when done comes
 * (never from within). Any loop; cheap when image->offsets is there already, but then needless. */
void broker_offsets_ensure(struct broker *broker, struct broker_call *call);
/* The same for __transaction_state. */
void broker_transactions_ensure(struct broker *broker, struct broker_call *call);
/* And for __share_group_state. */
void broker_share_state_ensure(struct broker *broker, struct broker_call *call);

/* A producer id that no producer ever had, also over restarts (blocks are reserved in meta). Any
 * loop; done as above. */
struct broker_producer_id {
    struct broker_call call;
    int64_t producer_id; /* out */
};
void broker_producer_id_next(struct broker *broker, struct broker_producer_id *next);

struct broker_settings; /* parsed broker keys, broker/config/settings.h; immutable */
/* This loop's; borrowed until control returns to the loop. */
const struct broker_settings *broker_settings(struct broker *broker);
struct env *broker_env(struct broker *broker);
int32_t broker_id(struct broker *broker); /* node.id: the first of those that clients see */
/* Of the virtual brokers (one, unless odradek.virtual.brokers says otherwise): how many, and the id
 * of the index-th. Any thread. */
int32_t broker_nodes_count(struct broker *broker);
int32_t broker_node_id(struct broker *broker, int32_t index);
bool broker_node_known(struct broker *broker, int32_t node);
/* Which of them leads a partition. */
int32_t broker_leader(struct broker *broker, const struct topic *topic, int32_t partition);
const char *broker_cluster_id(struct broker *broker);
struct offload *broker_offload(struct broker *broker);
const char *broker_data_dir(struct broker *broker); /* as a path for people; "memory:" */
unsigned broker_loops_count(struct broker *broker);
struct loop *broker_loop(struct broker *broker, unsigned index);

/* --- life: called by server's main thread --- */

struct broker_params {
    struct env *env;
    struct offload *offload;
    struct loop **loops; /* not running yet */
    unsigned loops_count;
    const struct config *config;      /* checked; copied */
    struct broker_settings *settings; /* parsed from it; a reference is taken */
    const char *cluster_id;           /* wanted: CLUSTER_ID; NULL: none in particular */
    const char *data_dir;             /* created when missing */
};

/* Before the loops run: opens and locks the data directory and reads the metadata. Blocks. -errno
 * after a log line that says what to do. */
int broker_new(const struct broker_params *params, struct broker **ret_broker) _must_check_;
/* The loops run: opens all partitions and loads the groups. `done` comes on loop 0. */
void broker_start(struct broker *broker, void (*done)(void *ctx), void *ctx);
/* Any thread, before connections are closed for a stop: members of groups whose connections end
 * from here on are not taken for dead, so that they find their group as it was after a restart. */
void broker_drain(struct broker *broker);
/* No connection is left: groups end, partitions close. `done` comes on loop 0. */
void broker_stop(struct broker *broker, void (*done)(void *ctx), void *ctx);
/* The loops have stopped and are not freed yet. */
void broker_free(struct broker *broker);

/* For net's hook of that name: tells the group coordinators of all loops. */
void broker_on_conn_close(struct broker *broker, uint64_t conn_id);

/* Where the ports of the listeners go once they are bound and before anybody is accepted: one for
 * each listener and virtual broker, index listener * nodes + broker. */
uint16_t *broker_ports(struct broker *broker);
/* What a client that came in on `local` of this listener is told to connect to for the broker with
 * id `node`. `host` has room for ADVERTISED_HOST_SIZE bytes. */
#define ADVERTISED_HOST_SIZE 256
void broker_advertise(struct broker *broker, const char *listener, int32_t node,
    const struct sockaddr_storage *local, const struct sockaddr_storage *peer, char *ret_host,
    uint16_t *ret_port);
