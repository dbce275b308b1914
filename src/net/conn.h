// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * conn: one connection: reads frames, holds its requests in order, sends their replies. Born at the
 * door (first loop), lives on one loop, and ends at the door when its last request has returned.
 */
#include "net/frame.h"
#include "net/net_loop.h"
#include "net/request.h"

struct listener;

enum conn_state {
    CONN_ARRIVING, /* on its way from the door */
    CONN_OPEN,
    CONN_CLOSED, /* no socket any more; requests may be out */
};

struct conn {
    struct conn_info info;
    struct net *net;
    struct net_loop *nl;
    enum conn_state state;
    struct loop_io io;
    int fd;
    struct list_link link, starved_link;

    /* input: at most one of a begun frame and a stash */
    bool sniffed;          /* the first bytes look like our protocol */
    bool peer_gone;        /* the peer has ended its side: parked requests are cancelled */
    bool paused;           /* not reading, by our own limits */
    uint8_t size_bytes[4]; /* of the next frame's size field */
    size_t n_size_bytes;
    struct frame frame; /* data NULL and size 0: none begun */
    bool large;         /* the last frame that was begun is or was large */
    uint8_t *stash;     /* read but not dispatched when a limit was reached */
    size_t stash_pos, stash_size;

    /* requests and output */
    struct list_link requests; /* struct request.link, oldest first */
    unsigned n_requests;       /* in the list */
    unsigned n_in_flight;      /* of them not yet returned */
    size_t output_size;        /* unsent bytes of returned ones, and what they occupy */
    bool blocked;              /* the socket takes no more */

    const char *doomed; /* why it will be closed at the end of this turn; NULL: it will not */
    bool scheduled;     /* settle_msg is queued */
    struct loop_msg settle_msg;
    struct loop_msg move_msg; /* between door and loop */
    struct timer deadline;
    int64_t active_ms;      /* monotonic, of the last byte in or out */
    int64_t frame_begun_ms; /* monotonic */

    struct door_address *address; /* the door's */
    unsigned loop_index;
    _Atomic bool watched; /* somebody wants on_conn_close */
    bool watch_told;
};

/* On the first loop; the socket is taken over. */
struct conn *conn_new(
    struct net *net, struct net_loop *nl, const struct listener *listener, int take_fd);
/* Sends it to its loop. */
void conn_send_home(struct conn *conn);

/* Something changed: replies leave, reading goes on or stops, at the end of this turn. */
void conn_schedule(struct conn *conn);
/* Closes at the end of this turn, after the replies that are ready; the first reason stays. */
void conn_doom(struct conn *conn, const char *reason);
/* Closes now. Not from within a handler's call. */
void conn_close(struct conn *conn, const char *reason);

/* What its limits allow. A favoured connection may pass the loop's budget. */
bool conn_may_read(struct conn *conn);
/* It holds bytes of a frame that was not dispatched. */
static inline bool conn_has_input(const struct conn *conn)
{
    return conn->frame.size > 0 || conn->stash != NULL;
}
