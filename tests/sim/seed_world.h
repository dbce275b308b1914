// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * seed_world: a whole broker, its clients, and the model of what they were told: produced records
 * (seed_produce.c), a consumer group (seed_group.c) and one of the newer protocol
 * (seed_consumer.c). See seeds.c.
 */
#include "sim/sim_client.h"
#include "sim/sim_report.h"

#define SEED_TOPIC       "orders"
#define SEED_PARTITIONS  3
#define SEED_PRODUCERS   5
#define SEED_MEMBERS     4
#define SEED_CONSUMERS   3
#define SEED_SESSION_MS  6000 /* of the newer protocol */
#define SEED_RECORDS     20000
#define SEED_GENERATIONS 256

enum seed_status { SEED_INFO, SEED_OK, SEED_FAIL };

struct seed_record {
    uint8_t producer, partition;
    int8_t acks;
    enum seed_status status;
    int64_t offset;  /* when OK and known; -1 */
    unsigned power;  /* failures of the power when it was sent */
    unsigned n_read; /* in the final scan */
};

struct seed_world;

struct seed_producer {
    struct sim_client client;
    struct seed_world *world;
    char name[16];
    unsigned index;
    int32_t partition;
    int16_t acks;
    bool idempotent;
    int64_t producer_id; /* -1: none yet */
    int16_t epoch;
    int32_t sequence;  /* of the next new batch */
    uint64_t first_id; /* of the batch under way; 0: none */
    unsigned n_records;
    unsigned power; /* failures of the power when it was sent */
    uint64_t n_ok;
};

enum seed_member_state { MEMBER_OUT, MEMBER_JOINING, MEMBER_SYNCING, MEMBER_STABLE };

struct seed_member {
    struct sim_client client;
    struct seed_world *world;
    char name[16];
    unsigned index;
    enum seed_member_state state;
    char id[128]; /* "": none */
    int32_t generation;
    bool leader;
    unsigned n_members;
    char members[SEED_MEMBERS * 4][128]; /* the leader's list */
    unsigned owned;                      /* bits of partitions */
    bool positioned;
    int64_t positions[SEED_PARTITIONS];
    int32_t asked;            /* partition of a fetch or a commit */
    int64_t asked_offset;     /* of a commit */
    int32_t known_generation; /* of the group when the request was sent */
    unsigned life;            /* of the broker when the request was sent */
    int64_t committed_before; /* of an offset fetch: what was acknowledged when it was sent */
};

struct seed_consumer {
    struct sim_client client;
    struct seed_world *world;
    char name[16], id[32];
    unsigned index, n_ids;
    int32_t epoch;    /* 0: it has to join */
    unsigned owned;   /* bits of partitions that it works with */
    unsigned power;   /* failures of the power when it heard of the broker */
    int64_t sent_ns;  /* the heartbeat under way */
    int64_t lease_ns; /* the broker cannot take it for dead before */
    struct uuid topic_id;
};

struct seed_group {
    int32_t joined, synced; /* the greatest generation that a member was told of */
    unsigned life;          /* of the broker, for `joined` */
    struct {
        int32_t generation;
        int owner[SEED_PARTITIONS]; /* index of a member; -1 */
    } generations[SEED_GENERATIONS];
    int64_t committed[SEED_PARTITIONS]; /* greatest acknowledged */
    int64_t tried[SEED_PARTITIONS];
};

struct seed_world {
    struct sim_disk disk;
    struct env_ops ops;
    struct sim_random random;
    struct sim_image durable; /* the medium when this life began */
    bool healing;             /* no faults any more; what was promised must come */
    unsigned lives, power;    /* of the broker; failures of the power */
    bool topic_made;
    struct seed_record *records; /* by id - 1 */
    uint64_t n_records;
    struct seed_producer producers[SEED_PRODUCERS];
    struct seed_member members[SEED_MEMBERS];
    struct seed_group group;
    struct seed_consumer consumers[SEED_CONSUMERS];
    struct sim_client admin, scanner;
    int32_t scan_partition;
    int64_t scan_offset;
    uint64_t scan_last[SEED_PRODUCERS];
    bool scanned;
};

struct seed_world *seed_world_of_client(struct sim_client *client);

void seed_producers_init(struct seed_world *world);
void seed_members_init(struct seed_world *world);
void seed_consumers_init(struct seed_world *world);
void seed_scanner_init(struct seed_world *world);
/* Checks what came of a fetch; the offset behind it. `final`: counts what is there. */
int64_t seed_check_records(
    struct seed_world *world, int32_t partition, int64_t offset, struct slice bytes, bool final);
/* After the scan: nothing is lost. */
void seed_check_produced(struct seed_world *world);
/* In the end: one generation, everybody in it, every partition owned once. */
void seed_check_group(struct seed_world *world);
/* In the end: one epoch, every partition owned once. */
void seed_check_consumers(struct seed_world *world);
/* A Fetch of one partition into the client's arena. */
const void *seed_fetch_request(
    struct sim_client *client, int32_t partition, int64_t offset, int32_t wait_ms);
