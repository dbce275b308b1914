// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/* cleaner: compaction of the parts of a home. Home loop only; cleaner.c tells how. */
#include "store/part/part.h"

/* Starts a pass over the dirtiest log that is due, and starts the home's timer for the next look.
 */
void home_clean(struct home *home);
/* The part ends: a pass that runs is not worth finishing. */
void part_clean_cancel(struct part *part);
