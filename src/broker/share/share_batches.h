// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/* share_batches: lists of stored delivery states, by offset and without overlap; pure functions. */
#include "broker/share/share_state.h"

/*
 * What is true when `more` (in any order, maybe overlapping) comes after `so_far`: where both say
 * something, the higher delivery count holds, then the more final state. Adjacent ones that are
 * alike become one; nothing below `start` stays (-1: all does). NULL when there are none; the
 * caller frees the array.
 */
struct share_state_batch *share_batches_combine(const struct share_state_batch *so_far,
    size_t so_far_count, const struct share_state_batch *more, size_t more_count, int64_t start,
    size_t *ret_count);
