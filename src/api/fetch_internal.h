// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * fetch_internal: what fetch.c (the long poll), fetch_asks.c (request and session to what is
 * asked), and fetch_answer.c (asks to items, items to response) share. Connection's loop, but for
 * what a home does with its items during a round.
 */
#include "api/fanout.h"
#include "broker/broker.h"
#include "broker/fetch_sessions.h"
#include "broker/partition/partition.h"
#include "net/request.h"
#include "wire/fetch.gen.h"

enum fetch_state { FETCH_READING, FETCH_ARMING, FETCH_WAITING, FETCH_DISARMING, FETCH_ANSWERING };

struct fetch_leg { /* one per loop */
    struct fetch *fetch;
    struct loop_msg wake;
    bool woken; /* wake is on its way, or was */
    uint32_t round;
    uint64_t size_used; /* bytes, this round */
};

struct fetch_ask { /* one per partition asked for, in the order of the answer */
    struct fetch_session_name name;
    int64_t offset;
    int32_t leader_epoch, size_max;
    struct fetch_session_part *part; /* incremental: whose turn it is */
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
    struct fetch_session *session; /* incremental: referred to while under way; else NULL */
    int32_t session_epoch;         /* that it has while no later fetch came */
    bool session_wanted;           /* full, and the client would like one */
    bool by_id;
    struct fetch_ask *asks;
    struct fetch_response_partition *partitions; /* one per ask */
    size_t asks_count;
    enum fetch_state state;
    bool read_committed;
    bool failed;                 /* some partition got an error before anything was read */
    bool late;                   /* answer with whatever there is */
    bool woken;                  /* since the last arming */
    bool waking;                 /* the own loop's wake lies in its mailbox */
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

/* From the request, and its session when it names one, to asks. KAFKA_ERROR_NONE or what the whole
 * request is answered with. */
int16_t fetch_asks_make(struct fetch *fetch, const struct fetch_request *request);
/* Makes the items, and the partitions' answers but for what reading finds out. */
void fetch_prepare(struct fetch *fetch);
/* Joins what the homes read within the limits; true when it is to be answered now. */
bool fetch_trim(struct fetch *fetch);
/* Lets go of what was read. */
void fetch_release(struct fetch *fetch);
/* Fills the response; the request is yet to be completed. */
void fetch_fill(struct fetch *fetch);
