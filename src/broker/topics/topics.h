// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * topics: every change of topics and of configuration. An operation is sent from any loop, carried
 * out on loop 0 through meta, published to all loops, and answered on the loop that asked, when the
 * topic is usable (or gone) everywhere. Operations take effect in order of arrival; those that
 * arrive while others are carried out share one batch.
 */
#include "base/arena.h"
#include "broker/broker.h"

enum topics_op_type {
    TOPICS_CREATE,
    TOPICS_ENSURE, /* as create; fine when it exists already */
    TOPICS_DELETE,
    TOPICS_GROW,             /* add partitions */
    TOPICS_MOVE,             /* another leader, or other replicas, for one partition */
    TOPICS_CONFIGURE,        /* a topic's overrides */
    TOPICS_CONFIGURE_BROKER, /* dynamic broker keys; name is the broker id, or empty: all brokers */
    TOPICS_CONFIGURE_GROUP,  /* what is set for one group */
    TOPICS_OP_TYPES_COUNT,
};

enum topics_error {
    TOPICS_OK,
    TOPICS_EXISTS,
    TOPICS_UNKNOWN,
    TOPICS_NAME_INVALID, /* also: collides with another name */
    TOPICS_PARTITIONS_INVALID,
    TOPICS_REPLICATION_INVALID,
    TOPICS_ASSIGNMENT_INVALID,
    TOPICS_MOVE_NEEDLESS, /* the leader is the preferred one; nothing is being reassigned */
    TOPICS_DELETION_DISABLED,
    TOPICS_CONFIG_INVALID,
    TOPICS_REQUEST_INVALID,
    TOPICS_LIMIT, /* a limit of this broker */
    TOPICS_STORAGE,
    TOPICS_STOPPING,
};

enum topics_config_op {
    TOPICS_CONFIG_SET,
    TOPICS_CONFIG_DELETE,
    TOPICS_CONFIG_APPEND,
    TOPICS_CONFIG_SUBTRACT
};

struct topics_config {
    struct slice name, value;
    enum topics_config_op op;
};

/* Ids of brokers: the replicas of one partition, the preferred leader first. */
struct topics_nodes {
    const int32_t *ids;
    int32_t count;
};

struct topics_op {
    struct broker_call call; /* done is set by the caller */
    enum topics_op_type type;
    struct arena *arena; /* for the message; nobody else may use it until done */
    struct slice name;   /* of the topic (group, broker); null: by id */
    struct uuid id;
    int32_t partitions;                     /* -1: the broker's default; GROW: the new total */
    int32_t replication;                    /* -1: the broker's default */
    const struct topics_nodes *assignments; /* CREATE: for each partition; GROW: for each new one.
                                               NULL: as the broker likes */
    int32_t assignments_count;
    int32_t partition;         /* MOVE */
    struct topics_nodes nodes; /* MOVE: the new replicas; count 0: the preferred leader leads */
    const struct topics_config *configs;
    size_t configs_count;
    bool replace; /* CONFIGURE: overrides that are not named are dropped */
    bool validate_only;
    /* out */
    enum topics_error error;
    struct slice message; /* for people; null when all is well */
    struct topic *topic;  /* as it is after the operation (or would be); a reference for the caller:
                             topics_op_deinit. NULL on errors and for keys of brokers and groups */
};

void topics_submit(struct broker *broker, struct topics_op *op);
void topics_op_deinit(struct topics_op *op);
