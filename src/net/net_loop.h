// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * net_loop: what net keeps per loop: connections, the shared read buffer, the memory budget, spare
 * requests and frame blocks. Owned by net, touched by its loop alone (the counters may be read by
 * anyone).
 */
#include "net/frame.h"
#include "net/net.h"

#include <stdatomic.h>

#define NET_READ_SIZE            ((size_t)64 * 1024) /* bytes taken by one read of small frames */
#define NET_SPARE_REQUESTS_MAX   64
#define NET_SPARE_REQUESTS_QUIET 4 /* spare requests that a quiet loop keeps */

struct net_request;
struct conn;

struct net_loop {
    struct net *net;
    struct loop *loop;
    uint8_t
        *read_buffer; /* NET_READ_SIZE bytes, valid within one read event; NULL: not needed yet */

    struct list_link conns;   /* struct conn.link: all that live here */
    struct list_link starved; /* struct conn.starved_link: not reading for want of memory */
    struct conn *favoured;    /* reads on over the budget, see conn_may_read */
    size_t memory_used;       /* bytes of frames and output charged to the budget */
    bool draining;            /* net_stop: no new requests */

    struct frame_cache frames;
    struct list_link spare_requests; /* struct request.link, hottest first */
    unsigned n_spare_requests;

    /* Looks once a second, while there is something to give back, whether the burst is over. */
    struct timer trim;
    uint64_t trim_requests, trim_bytes; /* the counters when it looked last */

    struct loop_msg stop_msg, kill_msg; /* net_stop's */

    /* written by the loop, read by net_get_stats */
    _Atomic uint64_t connections, connections_total, requests_total, bytes_in, bytes_out;
};

void net_loop_init(struct net_loop *nl, struct net *net, struct loop *loop);
/* No connection is left. */
void net_loop_deinit(struct net_loop *nl);

void net_loop_charge(struct net_loop *nl, size_t size);
/* Lets starved connections go on when this brings the loop under its budget. */
void net_loop_discharge(struct net_loop *nl, size_t size);
bool net_loop_over_budget(const struct net_loop *nl);
/* Memory was kept for reuse: when the loop has become quiet it goes back to the system. */
void net_loop_trim_later(struct net_loop *nl);
/* `conn` no longer needs the favour: the next starved one with a begun frame may have it. */
void net_loop_end_favour(struct net_loop *nl, struct conn *conn);

static inline void count_add(_Atomic uint64_t *counter, uint64_t n)
{
    /* one writer: no need for a locked addition */
    atomic_store_explicit(
        counter, atomic_load_explicit(counter, memory_order_relaxed) + n, memory_order_relaxed);
}
