// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * net_request: a request with net's own half: where it stands between dispatch, home loop and
 * reply. Owned by its connection's FIFO; recycled through the loop's spare list.
 *
 *   new -> (home loop) handle -> complete -> (conn's loop) return: encoded, waits for its turn
 *       -> sent by output -> free
 */
#include "net/conn.h"
#include "net/request.h"

#include <stdbool.h>

/* Where sending stands in a reply: buffer bytes and splices alternate. */
struct output_cursor {
    size_t buffer_pos, splice_index, splice_pos;
};

struct net_request {
    struct request req;
    size_t frame_capacity; /* bytes of the block that holds the frame; 0: it lies in the arena */
    size_t charged;        /* bytes on the loop's budget */

    /* the home loop's */
    bool handling;  /* the handler has not returned yet */
    bool completed; /* request_complete was called */

    /* the connection's loop's */
    bool returned;    /* the handler is through and the reply (if any) encoded */
    bool cancelled;   /* told that the peer is gone */
    bool cancel_away; /* cancel_msg is on its way to the home loop and back */
    struct loop_msg cancel_msg;
    struct output_cursor sent;
};

static inline struct net_request *net_request_of(struct request *req)
{
    return container_of(req, struct net_request, req);
}

/* Appended to the connection's FIFO. `take_frame`: whole; a small one is copied into the arena. */
struct net_request *net_request_new(struct conn *conn, struct frame *take_frame);
struct net_request *net_request_new_copy(struct conn *conn, struct slice frame);
/* Leaves the FIFO; the memory goes to the spare list. */
void net_request_free(struct net_request *nr);
/* Frees a spare one's memory. */
void net_request_destroy(struct net_request *nr);

/* Runs the handler on its home loop. */
void net_request_run(struct net_request *nr);
/* The peer is gone: tells the handler, once. */
void net_request_cancel(struct net_request *nr);
/* Encodes and hands the reply to the connection. */
void net_request_return(struct net_request *nr);

/* dispatch.c: header, look-up, decoding; then the handler. */
void net_request_dispatch(struct net_request *nr);
