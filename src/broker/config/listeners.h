// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * listeners: the keys listeners, advertised.listeners, listener.security.protocol.map and
 * controller.listener.names, put together. Pure; any thread.
 */
#include "broker/config/settings.h"

struct sockaddr_storage;

/* -EINVAL: *ret_problem has a sentence per refused value. */
int listeners_parse(const struct config *config, bool dev, int32_t nodes_count,
    struct buffer *ret_problem, struct listener_settings **ret_listeners, size_t *ret_count);
void listeners_free(struct listener_settings *listeners, size_t count);

/*
 * The host that a client is to be told: the advertised one, else the address it came in on. A peer
 * that is not on this machine's loopback and yet came to a private address through a port mapping
 * cannot be told apart by address alone; see broker_advertise.
 */
bool address_is_loopback(const struct sockaddr_storage *address);
