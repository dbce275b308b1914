// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/* broker_internal: struct broker and its share on each loop, for the files of this module that
 * implement it (broker.c, parts.c, phase.c, topics.c, producer_ids.c). */
#include "broker/broker.h"
#include "broker/topics/image.h"
#include "broker/topics/phase.h"
#include "broker/topics/topics.h"
#include "loop/offload.h"
#include "store/meta/meta.h"

/* Touched by its loop alone. */
struct broker_loop {
    struct broker *broker;
    struct loop *loop;
    unsigned index;
    struct image *image;
    struct groups *groups;
    struct txns *txns;
    struct share_coords *share_coords;
    struct share_parts *share_parts;
    struct share_sessions *share_sessions;
    struct fetch_sessions *fetch_sessions;
    struct map parts; /* part_slot.key -> struct part_slot */
};

/* Loop 0's: changes wait in line and are carried out in batches, one batch at a time. */
struct topics_batch;
struct topics_line {
    struct list_link queue;     /* struct topics_op */
    struct topics_batch *batch; /* NULL: none under way */
    struct image *image;        /* the newest published or about to be */
    bool stopping;
    void (*idle)(struct broker *broker); /* called once the batch under way has ended */
};

struct producer_ids {
    int64_t next, end;        /* reserved and not handed out */
    struct list_link waiting; /* struct broker_producer_id, by call.link */
    bool reserving;
    struct meta_txn txn;
    char value[24];
};

#define TOPICS_GONE_PREFIX   "gone/"
#define TOPICS_GONE_KEY_SIZE (sizeof(TOPICS_GONE_PREFIX) + UUID_TEXT_SIZE)
/* The mark of a topic that is deleted and whose data may not be gone yet. */
void topics_gone_key(struct uuid id, char key[TOPICS_GONE_KEY_SIZE]);

struct broker {
    struct env *env;
    struct offload *offload;
    struct loop **loops;
    unsigned loops_count;
    struct broker_settings *settings; /* as started */
    int32_t node_id;
    char cluster_id[64];
    char *data_dir;
    struct engine *engine, *local; /* local: under the engine, for the sweep */
    struct meta *meta;
    struct broker_loop *by_loop;
    struct sockaddr_storage *gateway; /* of a container, NULL elsewhere */
    uint16_t *ports;                  /* see broker_ports */

    struct topics_line topics;
    struct producer_ids producer_ids;

    _Atomic bool draining;  /* connections end because the broker does */
    struct phase phase;     /* start and stop */
    unsigned start_pending; /* opening and sweeping */
    struct offload_work sweep;
    struct uuid gone[META_OPS_MAX]; /* deleted while the broker died: what the sweep removes */
    unsigned gone_count;
    char gone_keys[META_OPS_MAX][TOPICS_GONE_KEY_SIZE];
    struct meta_txn gone_txn;
    struct loop_msg start_msg, stop_msg;
    void (*done)(void *ctx);
    void *done_ctx;
};

/* This loop's share; asserts that it is one of ours. */
struct broker_loop *broker_here(struct broker *broker);
/* Sends an answer to where the question came from. */
void broker_call_done(struct broker_call *call);
void broker_call_begin(
    struct broker *broker, struct broker_call *call, void (*fn)(struct loop_msg *));

/* topics.c */
void topics_init(struct broker *broker, struct image *image);
/* No further batch; `idle` when none is under way (maybe at once). */
void topics_stop(struct broker *broker, void (*idle)(struct broker *broker));
void topics_deinit(struct broker *broker);
/* adopt.c: topics that lie in the data directory and are not known. Before the loops run; blocks.
 * 0 or -errno. */
int topics_adopt(struct broker *broker);
/* producer_ids.c */
#define PRODUCER_IDS_KEY SLICE_LIT("producer_ids") /* in meta: the first that is not reserved */
void producer_ids_init(struct broker *broker);

/* identity.c: reads or creates meta.properties; fills node and cluster id. */
int identity_load(struct broker *broker, const char *wanted_cluster_id);
/* advertise.c */
void advertise_init(struct broker *broker);
