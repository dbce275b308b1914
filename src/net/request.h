// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * request: one request on its way through the broker. It owns its frame and its arena; slices in
 * the decoded message point into the frame and die with the request. Born on the connection's loop;
 * when its API has a home (a group) the handler runs on the home loop and the request returns once
 * to be encoded.
 *
 * A parked request (HANDLE_PARKED) is finished by exactly one request_complete, from any loop. If
 * the connection dies meanwhile, `on_cancel` (when set) is called on the loop that ran the handler
 * (`home`), at most once and never after request_complete was called there, so that waiters can be
 * dropped early; it may call request_complete itself. The handler must complete in any case, and
 * nothing is sent.
 *
 * References to chunks in the response are taken over when it is encoded, which happens for every
 * request that is neither `no_reply` nor `close`, even when the connection is gone.
 */
#include "base/arena.h"
#include "loop/loop.h"
#include "wire/api.h"

#include <netinet/in.h>

struct conn;

/* What a handler may know about the connection; constant while the connection lives. */
struct conn_info {
    uint64_t id;          /* unique per process, never reused */
    const char *listener; /* name: "PLAINTEXT" */
    int tag;              /* of the listener, the server's own */
    struct sockaddr_storage local, peer;
    char peer_host[64]; /* numeric, as DescribeGroups shows it: "127.0.0.1" */
    void *context;      /* the server's: struct broker * */
};

struct request {
    struct loop *loop; /* the connection's loop */
    struct loop *home; /* the loop that runs the handler */
    const struct api *api;
    int16_t version;
    int32_t correlation_id;
    struct slice client_id; /* null when the client sent null */
    const struct conn_info *conn;
    struct arena arena;  /* for the decoded request and for the response */
    void *message;       /* decoded request, owned by the arena */
    void *response;      /* owned by the arena, defaults filled in */
    int64_t received_ms; /* monotonic */
    size_t frame_size;   /* bytes received */
    uint8_t *frame;      /* after the size field; handlers may patch record batches in it */

    void (*on_cancel)(struct request *req); /* may be NULL */
    void *handler_state;                    /* the handler's own; in the arena */
    bool no_reply;                          /* set before request_complete: nothing is sent */
    bool close; /* set before request_complete: the connection is closed instead of answered */

    /* net's own */
    struct conn *owner;
    struct loop_msg msg;
    struct list_link link;
    struct writer output;
    /* For requests that were not born on a connection (tests, internal callers): request_complete
     * calls this and nothing else, on the caller's thread. NULL for all others. */
    void (*on_complete)(struct request *req);
};

/* Any loop; ends HANDLE_PARKED. The request must not be touched afterwards. */
void request_complete(struct request *req);
/* Conn or home loop, while the request is being handled: asks net to call net_config.on_conn_close
 * for this connection when it ends. */
void request_watch_close(struct request *req);
