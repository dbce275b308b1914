// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * fetch_sessions: what fetching clients asked for and were told (KIP-227), so that they name only
 * what changed and hear only what changed. One cache per loop: a session lives on the loop of the
 * connection that opened it, and its id names that loop. That loop's alone, but for
 * broker_fetch_session_close.
 */
#include "base/list.h"
#include "base/map.h"
#include "base/uuid.h"

#include <stdbool.h>
#include <stdint.h>

struct broker;
struct env;
struct fetch_sessions;

#define FETCH_SESSION_NONE          0    /* id of no session */
#define FETCH_SESSION_EPOCH_INITIAL 0    /* a full fetch that would like a session */
#define FETCH_SESSION_EPOCH_FINAL   (-1) /* a full fetch without one */

/* A session that was not used for this long, or is this old and smaller than a new one, makes room
 * for it. Kafka's figure. */
#define FETCH_SESSION_EVICTION_MS ((int64_t)120000)
/* What all sessions of a process may hold. A session that would pass it is not opened. */
#define FETCH_SESSIONS_SIZE_MAX ((size_t)128 << 20) /* bytes */

/* Which partition: by id when that is not zero, else by name. */
struct fetch_session_name {
    struct slice topic;
    struct uuid topic_id;
    int32_t partition;
};

struct fetch_session_part {
    struct list_link link;
    struct fetch_session_name name; /* the topic's bytes lie behind */
    /* asked */
    int64_t offset;
    int32_t leader_epoch;
    int32_t size_max;
    /* told; -1: nothing that counts */
    int64_t high_watermark, last_stable_offset, log_start;
    struct slice key; /* of the map; likewise */
};

struct fetch_session {
    int32_t id;
    int32_t epoch;              /* that the next request must name */
    bool by_id;                 /* names topics by id */
    struct list_link parts;     /* struct fetch_session_part.link, in the order of the answers */
    struct map by_name;         /* key -> struct fetch_session_part */
    size_t size;                /* bytes */
    int64_t opened_ms, used_ms; /* monotonic */
    bool evictable;             /* was old enough when it was last used */
    unsigned refs;              /* the cache's, and one per fetch under way */
    struct fetch_sessions *sessions; /* NULL: no longer in the cache */
    struct list_link link;           /* least recently used first */
    uint8_t key[4];                  /* the id, for the map */
};

struct fetch_sessions_params {
    struct env *env;
    unsigned loop_index, loops_count;
    size_t slots_max, size_max; /* of this loop */
};

struct fetch_sessions *fetch_sessions_new(const struct fetch_sessions_params *params);
void fetch_sessions_free(struct fetch_sessions *sessions);
size_t fetch_sessions_count(const struct fetch_sessions *sessions);
size_t fetch_sessions_size(const struct fetch_sessions *sessions); /* bytes */

/* NULL: none of that id here. */
struct fetch_session *fetch_sessions_get(struct fetch_sessions *sessions, int32_t id);
/*
 * A session for `count` partitions, which the caller puts into it; NULL when there is no room. The
 * caller has no reference: the cache has.
 */
struct fetch_session *fetch_sessions_open(
    struct fetch_sessions *sessions, size_t count, bool by_id, int64_t now_ms);
/* Leaves the cache; its memory stays while fetches refer to it. */
void fetch_session_close(struct fetch_session *session);
/* It was used, with whatever changed in it. True: it may stay; false: it grew past the cache's
 * memory and was closed. */
bool fetch_session_touch(struct fetch_session *session, int64_t now_ms);
void fetch_session_ref(struct fetch_session *session);
void fetch_session_unref(struct fetch_session *session);
/* The epoch that follows: 1 after the last. */
int32_t fetch_session_epoch_next(int32_t epoch);

/* The partition of that name, added at the end when it is not there. Copies the name. */
struct fetch_session_part *fetch_session_put(
    struct fetch_session *session, const struct fetch_session_name *name);
void fetch_session_forget(struct fetch_session *session, const struct fetch_session_name *name);
/* Behind all others: it had its turn. */
void fetch_session_rotate(struct fetch_session *session, struct fetch_session_part *part);
static inline size_t fetch_session_count(const struct fetch_session *session)
{
    return session->by_name.count;
}

/* On a loop of the broker. */
struct fetch_sessions *broker_fetch_sessions(struct broker *broker);
/* Closes a session wherever it lives, soon; nothing when there is none. */
void broker_fetch_session_close(struct broker *broker, int32_t id);
