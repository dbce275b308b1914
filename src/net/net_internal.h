// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/* net_internal: struct net, for the files of src/net alone. */
#include "net/door.h"
#include "net/net.h"
#include "net/net_loop.h"

#include <pthread.h>

struct net {
    struct net_config config; /* constant after the start */
    struct loop **loops;      /* a copy of config.loops */
    struct net_loop *net_loops;
    struct door door; /* the first loop's */

    struct loop_msg start_msg, stop_msg, kill_msg;
    pthread_mutex_t lock;
    pthread_cond_t emptied;
    bool empty; /* locked: nobody is left after a stop */
};
