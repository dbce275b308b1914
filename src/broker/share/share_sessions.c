// SPDX-License-Identifier: BSD-2-Clause
/*
 * A table of sessions and one of connections. A session that ends sends a message to the home of
 * each of its partitions, which releases the member's records; when it was the last of its group,
 * another message follows to all loops, which forget what they know of the group: the next that
 * comes finds what was stored.
 */
#include "broker/share/share_sessions.h"

#include "base/memory.h"
#include "broker/broker.h"
#include "broker/share/share_partition.h"

#include <assert.h>
#include <stdlib.h>

struct share_sessions {
    struct broker *broker;
    struct loop *loop;
    size_t count_max;
    size_t size;        /* bytes */
    struct map by_key;  /* share_session.key -> struct share_session */
    struct map by_conn; /* share_conn.id -> struct share_conn */
};

struct share_conn {
    uint64_t id;               /* also the key */
    struct list_link sessions; /* by conn_link */
};

struct share_sessions *share_sessions_new(
    struct broker *broker, struct loop *loop, size_t count_max)
{
    struct share_sessions *sessions = xnew(struct share_sessions);
    sessions->broker = broker;
    sessions->loop = loop;
    sessions->count_max = count_max;
    return sessions;
}

static struct slice share_conn_key(const struct share_conn *conn)
{
    return slice_make((const uint8_t *)&conn->id, sizeof(conn->id));
}

static struct slice share_part_key(const struct share_session_part *part)
{
    return slice_make((const uint8_t *)&part->id, sizeof(part->id));
}

static size_t share_session_size(const struct share_session *session)
{
    return sizeof(*session) + session->key.size;
}

/* A part, and its place in the table. */
#define SHARE_PART_SIZE (sizeof(struct share_session_part) + 2 * sizeof(struct map_entry))

/* --- sessions --- */

static struct buffer share_session_key(int32_t node, struct slice group, struct slice member)
{
    struct buffer key = BUFFER_NULL;
    uint32_t size = (uint32_t)group.size;
    buffer_append(&key, &node, sizeof(node));
    buffer_append(&key, &size, sizeof(size));
    buffer_append_slice(&key, group);
    buffer_append_slice(&key, member);
    return key;
}

struct share_session *share_sessions_get(
    struct share_sessions *sessions, int32_t node, struct slice group, struct slice member)
{
    loop_assert_owner(sessions->loop);
    struct buffer key = share_session_key(node, group, member);
    struct share_session *session = map_get(&sessions->by_key, buffer_slice(&key));
    buffer_deinit(&key);
    return session;
}

static void share_part_remove(struct share_session *session, struct share_session_part *part)
{
    map_remove(&session->by_id, share_part_key(part));
    list_remove(&part->link);
    session->sessions->size -= SHARE_PART_SIZE;
    free(part);
}

/* Out of the tables, and nothing else. */
static void share_session_free(struct share_session *session)
{
    struct share_sessions *sessions = session->sessions;
    while (!list_empty(&session->parts))
        share_part_remove(
            session, list_entry(list_first(&session->parts), struct share_session_part, link));
    map_deinit(&session->by_id);
    map_remove(&sessions->by_key, session->key);
    list_remove(&session->conn_link);
    sessions->size -= share_session_size(session);
    free(session);
}

static struct share_conn *share_conn_at(struct share_sessions *sessions, uint64_t conn_id)
{
    struct share_conn probe = {.id = conn_id};
    struct share_conn *conn = map_get(&sessions->by_conn, share_conn_key(&probe));
    if (conn != NULL)
        return conn;
    conn = xnew(struct share_conn);
    conn->id = conn_id;
    list_init(&conn->sessions);
    map_put(&sessions->by_conn, share_conn_key(conn), conn);
    return conn;
}

struct share_session *share_sessions_open(struct share_sessions *sessions, int32_t node,
    struct slice group, struct slice member, uint64_t conn_id)
{
    struct share_session *before = share_sessions_get(sessions, node, group, member);
    if (before != NULL)
        share_session_free(before);
    if (sessions->by_key.count >= sessions->count_max || sessions->size > SHARE_SESSIONS_SIZE_MAX)
        return NULL;
    struct buffer key = share_session_key(node, group, member);
    struct share_session *session = xcalloc(1, sizeof(*session) + key.size);
    uint8_t *bytes = (uint8_t *)(session + 1);
    memcpy(bytes, key.data, key.size);
    session->sessions = sessions;
    session->key = slice_make(bytes, key.size);
    session->group = slice_make(bytes + key.size - member.size - group.size, group.size);
    session->member = slice_make(bytes + key.size - member.size, member.size);
    session->epoch = share_session_epoch_next(SHARE_SESSION_EPOCH_INITIAL);
    list_init(&session->parts);
    map_put(&sessions->by_key, session->key, session);
    list_append(&share_conn_at(sessions, conn_id)->sessions, &session->conn_link);
    sessions->size += share_session_size(session);
    buffer_deinit(&key);
    return session;
}

int32_t share_session_epoch_next(int32_t epoch)
{
    return epoch == INT32_MAX ? 1 : epoch + 1;
}

bool share_session_put(struct share_session *session, const struct part_id *id)
{
    struct share_session_part probe = {.id = *id};
    if (map_get(&session->by_id, share_part_key(&probe)) != NULL)
        return true;
    if (session->sessions->size > SHARE_SESSIONS_SIZE_MAX)
        return false;
    struct share_session_part *part = xnew(struct share_session_part);
    part->id = *id;
    map_put(&session->by_id, share_part_key(part), part);
    list_append(&session->parts, &part->link);
    session->sessions->size += SHARE_PART_SIZE;
    return true;
}

void share_session_forget(struct share_session *session, const struct part_id *id)
{
    struct share_session_part probe = {.id = *id};
    struct share_session_part *part = map_get(&session->by_id, share_part_key(&probe));
    if (part != NULL)
        share_part_remove(session, part);
}

/* --- the end of one --- */

struct share_farewell {
    struct loop_msg msg;
    struct broker *broker;
    struct part_id id;
    size_t group_size;
    struct buffer names; /* group, member */
};

static struct share_farewell *share_farewell_new(
    struct broker *broker, struct slice group, struct slice member)
{
    struct share_farewell *farewell = xnew(struct share_farewell);
    farewell->broker = broker;
    farewell->group_size = group.size;
    buffer_append_slice(&farewell->names, group);
    buffer_append_slice(&farewell->names, member);
    return farewell;
}

static struct slice share_farewell_group(const struct share_farewell *farewell)
{
    return slice_make(farewell->names.data, farewell->group_size);
}

static void share_on_release(struct loop_msg *msg)
{
    struct share_farewell *farewell = container_of(msg, struct share_farewell, msg);
    struct share_partition *partition = share_parts_get(
        broker_share_parts(farewell->broker), share_farewell_group(farewell), &farewell->id, false);
    if (partition != NULL)
        share_partition_release(partition, slice_make(farewell->names.data + farewell->group_size,
                                               farewell->names.size - farewell->group_size));
    buffer_deinit(&farewell->names);
    free(farewell);
}

static void share_on_forget(struct loop_msg *msg)
{
    struct share_farewell *farewell = container_of(msg, struct share_farewell, msg);
    share_parts_forget_group(broker_share_parts(farewell->broker), share_farewell_group(farewell));
    buffer_deinit(&farewell->names);
    free(farewell);
}

static bool share_group_has_session(const struct share_sessions *sessions, struct slice group)
{
    map_for_each (&sessions->by_key, entry) {
        if (slice_equal(((const struct share_session *)entry->value)->group, group))
            return true;
    }
    return false;
}

void share_session_close(struct share_session *session)
{
    struct share_sessions *sessions = session->sessions;
    struct broker *broker = sessions->broker;
    struct share_session_part *part;
    list_for_each_entry (part, &session->parts, link) {
        struct share_farewell *release =
            share_farewell_new(broker, session->group, session->member);
        release->id = part->id;
        loop_post(broker_partition_home(broker, &part->id), &release->msg, share_on_release);
    }
    struct share_farewell *last = share_farewell_new(broker, session->group, SLICE_NULL);
    struct slice group = share_farewell_group(last);
    share_session_free(session);
    bool forget = !share_group_has_session(sessions, group);
    for (unsigned i = 0; forget && i < broker_loops_count(broker); i++) {
        struct share_farewell *each = share_farewell_new(broker, group, SLICE_NULL);
        loop_post(broker_loop(broker, i), &each->msg, share_on_forget);
    }
    buffer_deinit(&last->names);
    free(last);
}

void share_sessions_on_conn_close(struct share_sessions *sessions, uint64_t conn_id)
{
    struct share_conn probe = {.id = conn_id};
    struct share_conn *conn = map_remove(&sessions->by_conn, share_conn_key(&probe));
    if (conn == NULL)
        return;
    while (!list_empty(&conn->sessions))
        share_session_close(
            list_entry(list_first(&conn->sessions), struct share_session, conn_link));
    free(conn);
}

void share_sessions_free(struct share_sessions *sessions)
{
    if (sessions == NULL)
        return;
    map_for_each (&sessions->by_conn, entry) {
        struct share_conn *conn = entry->value;
        while (!list_empty(&conn->sessions))
            share_session_free(
                list_entry(list_first(&conn->sessions), struct share_session, conn_link));
        free(conn);
    }
    assert(sessions->by_key.count == 0 && sessions->size == 0);
    map_deinit(&sessions->by_conn);
    map_deinit(&sessions->by_key);
    free(sessions);
}
