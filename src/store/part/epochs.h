// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * epochs: where each leader epoch of a part began, as `leader-epoch-checkpoint` says it. The last
 * one lasts until part_raise_epoch begins another; a directory that was carried over brings its
 * own. Plain data of the part's home loop; reading and writing block.
 */
#include "base/env.h"

struct epoch_start {
    int32_t epoch;
    int64_t offset; /* of its first record */
};

/* The oldest ones are forgotten beyond it. */
#define EPOCHS_COUNT_MAX 1024

struct epochs {
    struct epoch_start *starts; /* ascending in both; NULL: epoch 0 from the start */
    unsigned count;
};

void epochs_deinit(struct epochs *epochs);
/* Replaces what is in *epochs. 0, EPOCHS_E_BAD (missing or damaged; *epochs is empty) or -errno. */
enum { EPOCHS_E_BAD = 1 };
int epochs_read(struct epochs *epochs, struct env *env, const char *dir);
/* On the medium when it returns 0. */
int epochs_store(const struct epochs *epochs, struct env *env, const char *dir);
void epochs_copy(struct epochs *epochs, const struct epochs *from);
/* The log ends at `log_end`: what began later begins there. True: something changed. */
bool epochs_cut(struct epochs *epochs, int64_t log_end);
/* Atomic, not yet on the medium. */
int epochs_write(const struct epochs *epochs, struct env *env, const char *dir);
/* A later epoch that begins at offset; an equal or earlier one changes nothing. */
void epochs_add(struct epochs *epochs, int32_t epoch, int64_t offset);
/* The one that lasts. */
int32_t epochs_last(const struct epochs *epochs);
/* The largest known epoch <= `epoch`, and where it ends (log_end for the last one). False: there is
 * none. */
bool epochs_end(const struct epochs *epochs, int32_t epoch, int64_t log_end, int32_t *ret_epoch,
    int64_t *ret_offset);
