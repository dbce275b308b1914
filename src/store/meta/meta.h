// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * meta: the small, durable, ordered key-value store for topics, configuration overrides, ids (later
 * ACLs, credentials, quotas). Locally one journal file with snapshots; later etcd. Lives on one
 * loop (loop 0); everything here is called and answered there. Keys are text with '/' between parts
 * ("topic/orders", "config/broker/1"); values are bytes.
 */
#include "base/env.h"
#include "base/list.h"
#include "base/slice.h"
#include "loop/loop.h"

struct meta;
struct offload;

#define META_OPS_MAX 64

enum meta_status {
    META_OK = 0,
    META_CONFLICT, /* a comparison failed; nothing was done */
    META_STORAGE,  /* the journal could not be written; nothing was done */
};

enum meta_op_type { META_PUT, META_DELETE };
struct meta_op {
    enum meta_op_type type;
    struct slice key, value; /* borrowed until done */
};
/* version 0 means: the key must not exist. */
struct meta_compare {
    struct slice key;
    uint64_t version;
};

struct meta_txn {
    struct meta_compare compares[META_OPS_MAX];
    unsigned n_compares;
    struct meta_op ops[META_OPS_MAX];
    unsigned n_ops;
    void (*done)(struct meta_txn *txn,
        enum meta_status status); /* from the loop, after the journal is on the medium */
    struct list_link link;        /* internal */
};

/* Reads snapshot and journal (blocking: before the loops run). `dir` exists. An unreadable journal
 * is -errno with a log line that says where and what to do. */
int meta_open(struct env *env, const char *dir, struct offload *offload, struct loop *loop,
    struct meta **ret_meta);
void meta_free(struct meta *meta);

/* Null slice when missing. Borrowed until the next change. *ret_version may be NULL. */
struct slice meta_get(struct meta *meta, struct slice key, uint64_t *ret_version);
/* In key order, every key that starts with prefix. */
void meta_range(struct meta *meta, struct slice prefix,
    void (*fn)(void *ctx, struct slice key, struct slice value), void *ctx);
/* Transactions apply in order of commit and become visible when durable, just before done. */
void meta_commit(struct meta *meta, struct meta_txn *txn);
/* As a transaction, at once and blocking: only before the loop runs. Any number of ops. 0 or
 * -errno.
 */
int meta_commit_now(struct meta *meta, const struct meta_op *ops, size_t n_ops);
/* fn after each change of a key under prefix (value null: deleted). At most a few watches. */
void meta_watch(struct meta *meta, const char *prefix,
    void (*fn)(void *ctx, struct slice key, struct slice value), void *ctx);
