// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * mailbox: many threads put messages in, one loop takes them out, in order for each poster.
 * Embedded in its loop; lock-free; owns no memory (messages are intrusive).
 */
#include "loop/loop.h"

#include <stdatomic.h>
#include <stdbool.h>

struct mailbox {
    _Atomic(struct loop_msg *) arrived; /* newest first */
    struct loop_msg *first;             /* taken out, oldest first; the loop's alone */
};

/* Any thread. True when the box was empty: somebody has to wake the loop. */
bool mailbox_put(struct mailbox *box, struct loop_msg *msg);
/* The loop's thread. */
struct loop_msg *mailbox_take(struct mailbox *box);
bool mailbox_empty(struct mailbox *box);
