// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * snapshot: the files in which a partition keeps what is above told it about the log up to an
 * offset. They belong to the partition's directory; all of this runs on the pool.
 */
#include "base/buffer.h"
#include "base/env.h"

#define SNAPSHOT_FILES_MAX 64 /* looked at in one listing */

struct snapshot_names {
    int64_t uptos[SNAPSHOT_FILES_MAX]; /* newest first */
    unsigned count;
};

/* One name of the directory's listing; whatever is no snapshot is passed over. */
void snapshot_names_note(struct snapshot_names *names, const char *name);
/* Removes those that describe more than the log holds: one that outlived a cut would be believed
 * once the log has grown past it again. Returns whether there were any. */
bool snapshot_drop_above(
    struct env *env, const char *dir, const struct snapshot_names *names, int64_t log_end);
/* The newest valid one at or below log_end is appended to *ret_blob; returns its offset or -1.
 * Damaged ones are removed. */
int64_t snapshot_find(struct env *env, const char *dir, const struct snapshot_names *names,
    int64_t log_end, struct buffer *ret_blob);
