// SPDX-License-Identifier: BSD-2-Clause
/*
 * The budget: frames and unsent output are charged to the loop. While it is exceeded connections
 * stop reading and wait in `starved`; whatever releases memory wakes them all. Half-read frames
 * release nothing until they are whole, so one connection that has begun a frame is favoured and
 * reads on: the loop holds at most its budget plus one frame, and cannot lock itself up.
 *
 * What is kept for reuse, frame blocks and spare requests, goes back to the system when the burst
 * that needed it is over: a timer looks once a second, and runs only while there is something to
 * give back.
 */
#include "net/net_loop.h"
#include "net/conn.h"
#include "net/net_internal.h"
#include "net/net_request.h"

#include <assert.h>

#define NET_TRIM_MS       1000
#define NET_TRIM_REQUESTS 64 /* fewer within NET_TRIM_MS: quiet, if they are small, too */
#define NET_TRIM_BYTES    ((uint64_t)1024 * 1024)

static void net_loop_free_spares(struct net_loop *nl, unsigned keep)
{
    while (nl->n_spare_requests > keep) {
        struct list_link *last = nl->spare_requests.prev; /* the coldest */
        list_remove(last);
        nl->n_spare_requests--;
        net_request_destroy(net_request_of(list_entry(last, struct request, link)));
    }
}

static uint64_t net_loop_bytes_in(const struct net_loop *nl)
{
    return atomic_load_explicit(&nl->bytes_in, memory_order_relaxed);
}

static uint64_t net_loop_requests(const struct net_loop *nl)
{
    return atomic_load_explicit(&nl->requests_total, memory_order_relaxed);
}

static void net_loop_on_trim(struct timer *timer)
{
    struct net_loop *nl = container_of(timer, struct net_loop, trim);
    bool busy = net_loop_requests(nl) - nl->trim_requests >= NET_TRIM_REQUESTS ||
                net_loop_bytes_in(nl) - nl->trim_bytes >= NET_TRIM_BYTES;
    if (busy) {
        net_loop_trim_later(nl);
        return;
    }
    frame_cache_deinit(&nl->frames);
    net_loop_free_spares(nl, NET_SPARE_REQUESTS_QUIET);
    free(steal(&nl->read_buffer));
    memory_trim();
}

void net_loop_trim_later(struct net_loop *nl)
{
    bool worth = nl->frames.count > 0 || nl->n_spare_requests > NET_SPARE_REQUESTS_QUIET;
    if (!worth || nl->draining || timer_running(&nl->trim))
        return;
    nl->trim_requests = net_loop_requests(nl);
    nl->trim_bytes = net_loop_bytes_in(nl);
    timer_start(&nl->trim, nl->loop, NET_TRIM_MS, net_loop_on_trim);
}

void net_loop_init(struct net_loop *nl, struct net *net, struct loop *loop)
{
    nl->net = net;
    nl->loop = loop;
    list_init(&nl->conns);
    list_init(&nl->starved);
    list_init(&nl->spare_requests);
}

void net_loop_deinit(struct net_loop *nl)
{
    assert(list_empty(&nl->conns) && list_empty(&nl->starved) && nl->memory_used == 0);
    assert(!timer_running(&nl->trim));
    net_loop_free_spares(nl, 0);
    frame_cache_deinit(&nl->frames);
    free(nl->read_buffer);
}

bool net_loop_over_budget(const struct net_loop *nl)
{
    return nl->memory_used >= nl->net->config.memory_max;
}

void net_loop_charge(struct net_loop *nl, size_t size)
{
    assert(size <= SIZE_MAX - nl->memory_used);
    nl->memory_used += size;
}

void net_loop_discharge(struct net_loop *nl, size_t size)
{
    assert(size <= nl->memory_used);
    nl->memory_used -= size;
    if (net_loop_over_budget(nl))
        return;
    struct list_link *first;
    while ((first = list_first(&nl->starved)) != NULL) {
        list_remove(first);
        conn_schedule(list_entry(first, struct conn, starved_link));
    }
}

void net_loop_end_favour(struct net_loop *nl, struct conn *conn)
{
    if (nl->favoured != conn)
        return;
    nl->favoured = NULL;
    struct conn *next;
    list_for_each_entry (next, &nl->starved, starved_link) {
        if (conn_has_input(next)) {
            list_remove(&next->starved_link);
            conn_schedule(next);
            return;
        }
    }
}
