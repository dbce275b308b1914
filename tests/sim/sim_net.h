// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * sim_net: stream sockets in memory, between clients of a simulation and the broker's net. The
 * broker's end is a descriptor of an env; the client's end is here. Bytes take a while, arrive in
 * pieces, and either end may be cut at any time. One thread.
 */
#include "sim/sim_sched.h"

/* The disk's env with these sockets. */
struct env_ops sim_net_ops(void);
void sim_net_start(struct sim_disk *disk, struct sim_random *random, int64_t delay_ms_max);
/* A pair; the answer is the broker's descriptor, which names the client's end, too. */
int sim_net_connect(void);
void sim_net_send(int fd, const void *data, size_t size);
/* Takes a whole frame (without its size) out of what has arrived. False: not yet. */
bool sim_net_receive(int fd, struct buffer *ret_frame);
bool sim_net_ended(int fd); /* the broker has closed its end */
bool sim_net_whole(int fd); /* neither end is closed or cut */
/* The client is gone; what was under way is lost or not. */
void sim_net_cut(int fd);
/* The broker is gone. */
void sim_net_reset(void);
int64_t sim_net_next_ns(void); /* when bytes arrive; INT64_MAX: none are under way */
