// SPDX-License-Identifier: BSD-2-Clause
/*
 * The budget: frames and unsent output are charged to the loop. While it is exceeded connections
 * stop reading and wait in `starved`; whatever releases memory wakes them all. Half-read frames
 * release nothing until they are whole, so one connection that has begun a frame is favoured and
 * reads on: the loop holds at most its budget plus one frame, and cannot lock itself up.
 */
#include "net/net_loop.h"
#include "net/conn.h"
#include "net/net_internal.h"
#include "net/net_request.h"

#include <assert.h>

void net_loop_init(struct net_loop *nl, struct net *net, struct loop *loop)
{
    nl->net = net;
    nl->loop = loop;
    nl->read_buffer = xmalloc(NET_READ_SIZE);
    list_init(&nl->conns);
    list_init(&nl->starved);
    list_init(&nl->spare_requests);
}

void net_loop_deinit(struct net_loop *nl)
{
    assert(list_empty(&nl->conns) && list_empty(&nl->starved) && nl->memory_used == 0);
    struct list_link *first;
    while ((first = list_first(&nl->spare_requests)) != NULL) {
        list_remove(first);
        net_request_destroy(net_request_of(list_entry(first, struct request, link)));
    }
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
