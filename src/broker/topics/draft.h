// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * draft: the changes of one batch before they are stored: what the image would be. Operations are
 * checked against it one after the other, so later ones of a batch see earlier ones. Loop 0.
 */
#include "broker/topics/image.h"
#include "broker/topics/topics.h"
#include "store/meta/meta.h"

/* A batch is one transaction in meta: a key per change, and one per topic that goes. */
#define DRAFT_CHANGES_MAX (META_OPS_MAX / 2)

struct draft_change {
    char *name;          /* of the topic; NULL: keys of brokers or of a group */
    struct topic *topic; /* a reference; NULL: deleted */
    bool created;        /* by this batch */
    char *key;           /* in meta */
    struct buffer value; /* to be stored; empty: the key goes */
};

struct draft {
    struct env *env;
    int32_t node_id;
    const struct image *base;
    struct broker_settings *settings; /* a reference: the base's, or newer */
    struct group_configs *groups;     /* a reference: the base's (NULL: none), or newer */
    struct draft_change changes[DRAFT_CHANGES_MAX];
    unsigned changes_count;
    struct uuid gone[DRAFT_CHANGES_MAX]; /* topics of the base that are deleted */
    unsigned gone_count;
    int64_t partitions_count; /* of all topics, changes included */
};

void draft_init(struct draft *draft, struct env *env, int32_t node_id, const struct image *base);
void draft_deinit(struct draft *draft);
static inline bool draft_full(const struct draft *draft)
{
    return draft->changes_count == DRAFT_CHANGES_MAX || draft->gone_count == DRAFT_CHANGES_MAX;
}
/* Whether the operation must wait for the next batch: it makes a topic whose namesake this one
 * deletes, and both would live in directories of the same name for a moment. */
bool draft_must_wait(const struct draft *draft, const struct topics_op *op);
/* Checks the operation and, unless it only validates, takes it up. op->error, message and topic are
 * set. */
void draft_apply(struct draft *draft, struct topics_op *op);
/* The image with all changes; one reference. */
struct image *draft_build(const struct draft *draft);

/* The dynamic values of broker keys, as stored in meta under "config/broker/<id>". */
void dynamic_config_encode(
    const struct config *config, enum config_source source, struct buffer *buffer);
bool dynamic_config_decode(struct config *config, enum config_source source, struct slice bytes);
