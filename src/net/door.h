// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * door: where connections come in and go out: the listeners, the limits on connections, and the
 * choice of a loop. Embedded in net; the first loop's alone after the start.
 */
#include "base/map.h"
#include "net/address.h"
#include "net/listener.h"

struct net;

struct door_address {
    uint8_t key[ADDRESS_KEY_SIZE];
    unsigned count; /* connections from there */
};

struct door {
    struct listener *listeners;
    size_t n_listeners;
    struct map addresses; /* key -> struct door_address */
    unsigned count;       /* connections that have not left */
    unsigned *per_loop;   /* of them on each loop */
    unsigned next_loop;   /* where the search for the emptiest begins */
    unsigned pending;     /* messages of a stop that have not come back */
    bool stopping;
};

void door_deinit(struct door *door);
/* A connected socket; refuses by closing it. `listener` NULL: there is none. */
void door_admit(struct net *net, const struct listener *listener, int take_fd);
/* A connection's last message. */
void door_on_leave(struct loop_msg *msg);
/* First loop: stops the listeners and lets each loop drain; then kills what is left. */
void door_on_stop(struct loop_msg *msg);
void door_on_kill(struct loop_msg *msg);
