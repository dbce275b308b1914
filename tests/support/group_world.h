// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * group_world: one group machine with a fake clock, a log that answers when told, and clients that
 * remember what they were answered. For the tests of the machine.
 */
#include "broker/group/group.h"
#include "support/fake_loop.h"

#define WORLD_STORES_MAX 256
#define WORLD_ID_MAX     64

struct world {
    struct loop *loop;
    struct group_config config;
    struct group *group;
    struct group_store *stores[WORLD_STORES_MAX]; /* waiting for their answer */
    size_t stores_count;
    size_t stored_count;          /* ever asked for */
    enum group_error store_error; /* refuse at once */
    bool store_auto;              /* answer each write on the next turn */
    uint64_t random;
    struct loop_msg msg;
    bool msg_posted;
};

/* What a client knows; waits for at most one join and one sync. */
struct client {
    struct world *world;
    char id[WORLD_ID_MAX]; /* "" before the first answer */
    const char *instance;  /* NULL: dynamic */
    const char *protocols; /* "range,roundrobin" */
    const char *metadata;
    int32_t session_ms, rebalance_ms;
    int16_t version; /* of JoinGroup: 4+ needs its id first, 9+ may skip the assignment */
    uint64_t conn_id;
    /* answers */
    bool joining, syncing;
    enum group_error join_error, sync_error;
    int32_t generation;
    char leader[WORLD_ID_MAX], protocol[WORLD_ID_MAX];
    bool skip_assignment;
    char members[64][WORLD_ID_MAX]; /* the leader's list */
    size_t members_count;
    char assignment[256];
    int joins_count, syncs_count; /* answers so far */
    struct group_join join;
    struct group_sync sync;
};

void world_init(struct world *world, struct group_config config);
void world_deinit(struct world *world);
/* Strict Kafka: 3 s initial delay, no window, no disconnect expiry. */
struct group_config world_strict(void);
/* The dev profile. */
struct group_config world_dev(void);
/* Answers all writes that wait. */
void world_commit(struct world *world, enum group_error error);

struct client client_make(struct world *world);
void client_join(struct client *client); /* one request */
/* Joins and, when told its id first, comes back with it at once. */
void client_join_fully(struct client *client);
/* The leader assigns "<member id>:<generation>" to each member it was told of. */
void client_sync(struct client *client);
bool client_leads(const struct client *client);
enum group_error client_heartbeat(struct client *client);
enum group_error client_leave(struct client *client);
enum group_error client_may_commit(struct client *client);
/* All join (first in order leads), the phases pass, all sync, the log commits: Stable. */
void world_stabilize(struct world *world, struct client *clients, size_t count);
