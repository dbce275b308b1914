// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * fetch_internal: what fetch.c (the long poll) and fetch_answer.c (request to items, items to
 * response) share. Connection's loop, but for what a home does with its items during a round.
 */
#include "api/fanout.h"
#include "broker/broker.h"
#include "broker/partition.h"
#include "net/request.h"
#include "wire/fetch.gen.h"

enum fetch_state { FETCH_READING, FETCH_ARMING, FETCH_WAITING, FETCH_DISARMING };

struct fetch_leg { /* one per loop */
    struct fetch *fetch;
    struct loop_msg wake;
    bool woken; /* wake is on its way, or was */
    uint32_t round;
    uint64_t size_used; /* bytes, this round */
};

struct fetch_item { /* one per partition that exists */
    struct fanout_item item;
    struct loop *home;
    struct fetch_leg *leg;
    struct part_id id;
    uint32_t size_max; /* bytes, the partition's limit */
    struct partition_read read;
    struct partition_waiter waiter;
    int16_t error_code;
    struct fetch_response_partition *response;
};

struct fetch {
    struct request *req;
    struct broker *broker;
    struct loop *loop;
    struct fetch_response *response;
    enum fetch_state state;
    bool read_committed;
    bool failed;                 /* some partition got an error before anything was read */
    bool late;                   /* answer with whatever there is */
    bool woken;                  /* since the last arming */
    bool cancelled;              /* nobody is there to be answered */
    uint32_t size_max, size_min; /* bytes */
    int64_t deadline_ms;         /* monotonic */
    struct timer timer;
    uint32_t round;
    struct fanout *fanout;
    struct fetch_leg *legs; /* by loop index */
    struct fetch_item *items;
    size_t items_count;
};

/* Fills the response but for what reading finds out; makes the items. */
void fetch_prepare(struct fetch *fetch, const struct fetch_request *request);
/* Joins what the homes read within the limits; true when it is to be answered now. */
bool fetch_trim(struct fetch *fetch);
/* Lets go of what was read. */
void fetch_release(struct fetch *fetch);
/* Ends the request. */
void fetch_answer(struct fetch *fetch);
