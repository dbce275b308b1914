// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * net: listeners, connections, frames, ordered replies. It is handed a table of api descriptors and
 * never names one; what it needs to know about unknown keys and versions comes through the config's
 * hooks. Accepts on the first loop and hands each connection to the loop that has the fewest; there
 * it lives for good.
 *
 * Start and stop run on the thread that owns the loops' life (server's main); hooks run on the
 * connection's loop.
 */
#include "loop/loop.h"
#include "net/request.h"

struct net;

struct net_listener_config {
    const char *name; /* "PLAINTEXT" */
    const char *host; /* "" binds every address; names are resolved at start */
    uint16_t port;    /* 0: the kernel chooses one */
    int tag;          /* goes into conn_info.tag */
};

struct net_config {
    struct env *env;
    struct loop **loops;
    unsigned n_loops;
    const struct api *const *apis; /* indexed by key; NULL where nothing is served */
    size_t n_apis;
    void *context; /* goes into conn_info.context */

    size_t request_size_max; /* socket.request.max.bytes */
    size_t memory_max;       /* bytes of frames and output a loop may hold before it stops reading;
                                queued.max.request.bytes */
    unsigned requests_in_flight_max; /* per connection */
    size_t output_size_max; /* per connection: buffered output beyond which it stops reading */
    int64_t idle_ms_max;    /* connections.max.idle.ms; < 0: never */
    int64_t frame_ms_max;   /* a begun frame must be complete after this long; < 0: never */
    unsigned connections_max, connections_per_ip_max;
    int send_buffer_size, receive_buffer_size; /* bytes; -1: the system's */
    bool trace;                                /* a line per request and response */
    const char
        *http_address; /* told to who speaks HTTP here: "http://127.0.0.1:9644"; may be NULL */

    /* Which loop a group lives on (api->home). */
    struct loop *(*home_loop)(void *context, struct slice group);
    /*
     * A frame whose key or version is not in the table, header parsed: fills `ret_reply` with the
     * body to answer (after a version 0 response header) and answers true, or false: close the
     * connection.
     */
    bool (*unsupported)(void *context, int16_t key, int16_t version, struct writer *ret_reply);
    /* A connection that asked for it (request_watch_close) has ended; may be NULL. */
    void (*on_conn_close)(void *context, const struct conn_info *conn);
};

/* Binds and accepts on all listeners; each element of ret_ports gets the bound port. -errno names
 * the failing one in the log. */
int net_start(const struct net_config *config, const struct net_listener_config *listeners,
    size_t n_listeners, uint16_t *ret_ports, struct net **ret_net) _must_check_;
/* Stops accepting at once, lets requests in flight finish and replies leave for up to `grace_ms`,
 * then closes all and waits for the parked ones to complete. Blocks; loops must be running. */
void net_stop(struct net *net, int64_t grace_ms);
/* After net_stop. */
void net_free(struct net *net);
/* Takes a connected stream socket as if it had been accepted on the first listener; any thread.
 * For tests and for sockets that somebody else accepted. */
void net_adopt(struct net *net, int take_fd);

struct net_stats {
    uint64_t connections, connections_total, requests_total, bytes_in_total, bytes_out_total;
};
void net_get_stats(struct net *net, struct net_stats *ret_stats); /* any thread */
