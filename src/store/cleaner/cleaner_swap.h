// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * cleaner_swap: puts a compacted segment in the place of those that it was made of, so that a stop
 * at any point leaves either the old ones or the new one. On the pool, or while a part is
 * recovered.
 */
#include "store/segment/files.h"

/* "dir/<base>.log.cleaned": where a pass writes; worth nothing after a stop. Caller frees. */
char *cleaner_swap_cleaned_path(const char *dir, int64_t base);

/* The `.cleaned` file (which is on the medium) takes the place of all segments from `base` to below
 * `end`, for good. -errno: it does not, unless the name could not be taken back (*ret_stuck). */
int cleaner_swap_commit(
    struct env *env, const char *dir, int64_t base, int64_t end, bool *ret_stuck);
/* After the commit: removes the old files (`bases` of them) and gives the new one its name. -errno:
 * files are missing until cleaner_swap_recover has run. */
int cleaner_swap_finish(struct env *env, const char *dir, int64_t base, int64_t end,
    const int64_t *bases, unsigned n_bases);

/* A name that a started swap left, also Kafka's. */
bool cleaner_swap_is_swap(const char *name);
/* Completes every swap that was committed. */
int cleaner_swap_recover(struct env *env, const char *dir, const char *label);
