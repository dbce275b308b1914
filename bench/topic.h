// SPDX-License-Identifier: BSD-2-Clause
// Topic administration over a blocking connection, for the set-up of a run. Errors end the program.
#pragma once

#include "net.h"
#include "options.h"

// Creates the topic when the options say so (an existing one is fine), then waits until every
// partition has a leader.
void topic_prepare(const struct options *options);

// The first (tail false) or next (tail true) offset of each partition, into
// ret_offsets[partitions].
void topic_offsets(const struct options *options, bool tail, int64_t *ret_offsets);
