// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * share_sessions: which partitions the members of share groups fetch from (KIP-932). A session
 * belongs to a member of a group at one broker, and lives on the group's home loop. It ends when
 * the member says so, begins a new one, or loses the connection that it was begun on; what the
 * member had acquired is then released. One loop's alone.
 */
#include "base/list.h"
#include "base/map.h"
#include "store/engine.h"

struct broker;
struct loop;
struct share_sessions;

#define SHARE_SESSION_EPOCH_INITIAL 0
#define SHARE_SESSION_EPOCH_FINAL   (-1)
/* What all sessions of a loop may hold. */
#define SHARE_SESSIONS_SIZE_MAX ((size_t)32 << 20) /* bytes */

struct share_session_part {
    struct list_link link;
    struct part_id id; /* also the key */
};

struct share_session {
    struct share_sessions *sessions;
    struct list_link conn_link; /* of the connection */
    struct slice key;           /* node, group and member */
    struct slice group, member;
    int32_t epoch;          /* that the next request must name */
    struct list_link parts; /* struct share_session_part, in order of arrival */
    struct map by_id;       /* struct part_id -> struct share_session_part */
};

/* `count_max`: sessions of this loop. */
struct share_sessions *share_sessions_new(
    struct broker *broker, struct loop *loop, size_t count_max);
void share_sessions_free(struct share_sessions *sessions);
void share_sessions_on_conn_close(struct share_sessions *sessions, uint64_t conn_id);

/* NULL: there is none. */
struct share_session *share_sessions_get(
    struct share_sessions *sessions, int32_t node, struct slice group, struct slice member);
/* In place of the one that there may be, whose records stay acquired. NULL: there are too many. */
struct share_session *share_sessions_open(struct share_sessions *sessions, int32_t node,
    struct slice group, struct slice member, uint64_t conn_id);
/* The member's records are released. */
void share_session_close(struct share_session *session);
/* The epoch that follows: 1 after the last. */
int32_t share_session_epoch_next(int32_t epoch);

/* False: that would be too much memory. */
bool share_session_put(struct share_session *session, const struct part_id *id);
void share_session_forget(struct share_session *session, const struct part_id *id);
static inline size_t share_session_count(const struct share_session *session)
{
    return session->by_id.count;
}

struct share_sessions *broker_share_sessions(struct broker *broker);
