// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * meta_journal: the file `meta/journal`: entries of puts and deletes, each with a checksum,
 * appended and synced one at a time. It is replaced by a shorter one (everything there is, as puts)
 * when it has grown. Blocks: the pool, or before the loops run. One caller at a time.
 */
#include "base/buffer.h"
#include "base/env.h"
#include "store/meta/meta.h"

struct meta_journal {
    struct env *env;
    char *dir, *path;
    bool absent;   /* nothing was ever stored; the first write makes the file */
    int fd;        /* -1: none that may be written to */
    uint64_t size; /* bytes of good entries, and the header */
};

/* One change on its way in or out of the journal. */
struct meta_change {
    enum meta_op_type type;
    uint64_t version;
    struct slice key, value;
};

/* An entry is built in a buffer: begin, add..., end. */
void meta_entry_begin(struct buffer *buffer, uint64_t seq);
void meta_entry_add(struct buffer *buffer, size_t begun_at, const struct meta_change *change);
void meta_entry_end(struct buffer *buffer, size_t begun_at);

typedef void (*meta_journal_fn)(void *ctx, uint64_t seq, const struct meta_change *change);
/* Reads the journal (a missing one is empty, and made by the first write) and hands every change to
 * fn, in order. A torn tail is cut and logged. -EBADMSG: damage elsewhere; a log line says where
 * and what to do. */
int meta_journal_open(
    struct meta_journal *journal, struct env *env, const char *dir, meta_journal_fn fn, void *ctx);
void meta_journal_close(struct meta_journal *journal);
/* On the medium when it returns 0. After a failure the file is not written to again:
 * meta_journal_replace must come first. */
int meta_journal_append(struct meta_journal *journal, struct slice entry);
/* A new file with these entries takes the place of the journal. */
int meta_journal_replace(struct meta_journal *journal, struct slice entries);
