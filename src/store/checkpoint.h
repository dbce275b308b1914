// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * checkpoint: what a data directory remembers of all its partitions: the recovery point (everything
 * below is on the medium), the log start, and how far compaction got. It is in a file of our own
 * with a checksum, `odradek-checkpoint`, and once more in Kafka's files, which have none:
 * `recovery-point-offset-checkpoint`, `log-start-offset-checkpoint` and
 * `cleaner-offset-checkpoint`. The table is shared by all loops and the pool; entries live as
 * long as the table. Any thread.
 */
#include "base/env.h"
#include "base/slice.h"

#include <stdbool.h>

struct checkpoint;

struct checkpoint_mark {
    int64_t recovery_point;
    int64_t log_start;
    int64_t cleaned_end; /* compacted up to here; 0: never */
    int64_t gaps_end;    /* from here on no offset is missing; INT64_MAX: not known */
    bool weak;           /* only Kafka's files say so: nothing is deleted because of it */
};

/* Reads the files; missing or damaged ones count as empty (damage is logged). Blocks. */
struct checkpoint *checkpoint_new(struct env *env, const char *dir);
void checkpoint_free(struct checkpoint *checkpoint);

/* Zeros, weak and with gaps, when nothing is known. `label` is "topic-partition". */
struct checkpoint_mark checkpoint_get(struct checkpoint *checkpoint, const char *label);
void checkpoint_set(
    struct checkpoint *checkpoint, const char *label, const struct checkpoint_mark *mark);
/* From memory; the files follow with the next write. */
void checkpoint_remove(struct checkpoint *checkpoint, const char *label);
/* The files do not know what was removed under this label any more. Writes only when they do; to be
 * called before the label's directory is made anew. Blocks. */
int checkpoint_forget(struct checkpoint *checkpoint, const char *label);
/* Drops every label for which keep says no. */
void checkpoint_filter(
    struct checkpoint *checkpoint, bool (*keep)(void *ctx, const char *label), void *ctx);
/* Changed since it was last written. */
bool checkpoint_dirty(struct checkpoint *checkpoint);
/* Writes the files when something changed, durably and atomically. Blocks. */
int checkpoint_write(struct checkpoint *checkpoint);
