// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * listener: the sockets of one configured listener. listener_open binds (on the starting thread);
 * after listener_watch it belongs to the first loop.
 */
#include "loop/loop.h"

#include <stdint.h>

#define LISTENER_SOCKETS_MAX 8 /* addresses that one host name may stand for */

struct net;
struct net_listener_config;

struct listener {
    struct net *net;
    char *name;
    int tag;
    struct listener_socket {
        struct listener *listener;
        struct loop_io io;
        int fd;
    } sockets[LISTENER_SOCKETS_MAX];
    unsigned n_sockets;
    uint16_t port;
    struct timer pause; /* no descriptors left: accept again later */
};

/* 0, or -errno with a line in the log. */
int listener_open(struct listener *listener, struct net *net,
    const struct net_listener_config *config) _must_check_;
void listener_watch(struct listener *listener);
/* Idempotent. */
void listener_close(struct listener *listener);
