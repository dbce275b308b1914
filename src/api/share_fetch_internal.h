// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * share_fetch_internal: what share_fetch.c (the long poll) and share_fetch_answer.c (request and
 * session to items, items to response) share. On the group's home loop, but for what a home does
 * with its items during a round.
 */
#include "api/share_common.h"
#include "broker/share/share_sessions.h"
#include "wire/share_fetch.gen.h"

struct share_poll;

struct share_poll_leg { /* one per loop */
    struct share_poll *poll;
    struct loop_msg wake;
    bool woken; /* wake is on its way, or was, in this round */
    uint32_t round;
    size_t items_count; /* that fetch here */
};

struct share_poll_item { /* one per partition that is named or in the session */
    struct share_ack_item ack;
    struct share_poll_leg *leg;
    bool fetches; /* something is to be acquired of it */
    bool acks;    /* something of it is acknowledged */
    bool named;   /* in this request */
    struct share_fetch fetch;
    struct share_waiter waiter;
    int16_t error_code, ack_error_code;
};

enum share_poll_state {
    SHARE_POLL_ACKING,
    SHARE_POLL_READING,
    SHARE_POLL_ARMING,
    SHARE_POLL_WAITING,
    SHARE_POLL_DISARMING,
    SHARE_POLL_ANSWERING, /* but for a wake that is on its way */
    SHARE_POLL_REFUSED    /* no session: the answer comes late */
};

struct share_poll {
    struct request *req;
    struct broker *broker;
    struct loop *loop;
    const struct share_fetch_request *request;
    struct share_fetch_response *response;
    enum share_poll_state state;
    struct fanout *fanout;
    struct share_poll_leg *legs;                /* by loop index */
    unsigned legs_count, legs_begin, legs_done; /* of this pass: where it began, how many since */
    struct share_poll_item *items;
    size_t items_count;
    bool looking;   /* this pass only looks how much there is */
    bool failed;    /* some partition has an error */
    bool late;      /* answer with whatever there is */
    bool armed;     /* there may be waiters */
    bool woken;     /* since the last arming */
    bool waking;    /* the wake of the leg at this loop is on its way */
    bool cancelled; /* nobody is there to be answered */
    int32_t records_left;
    uint32_t size_left, size_min; /* bytes */
    uint64_t size_seen;           /* in a pass that looks */
    int64_t deadline_ms;          /* monotonic */
    struct timer timer;
    uint32_t round;
};

/* The items, from the request and the session (NULL: none, or the last request of one). */
void share_poll_prepare(struct share_poll *poll, const struct share_session *session);
/* Fills the response; the request is yet to be completed. */
void share_poll_fill(struct share_poll *poll);
