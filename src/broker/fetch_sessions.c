// SPDX-License-Identifier: BSD-2-Clause
/*
 * A session is a list of partitions, in the order in which they are answered, and a map to find
 * them by name. Happy path: a full fetch opens it, each incremental fetch finds it by id, changes
 * it, and touches it. Ids are random (they are no secret, but a client that restarts must not meet
 * another's by accident) and leave the loop's index when divided by the number of loops.
 *
 * Full: the session that was not used for longest makes room when that is two minutes ago; else the
 * smallest of those older than two minutes, when it is smaller than the new one. When there is none
 * the client goes without, and asks again with its next full fetch. A search looks at each session
 * of the loop once, and only when all slots are taken.
 *
 * Memory is counted as it is taken: what a client may hold by naming partitions is bounded by the
 * cache, whatever the number of slots.
 */
#include "broker/fetch_sessions.h"

#include "base/env.h"

#include <assert.h>
#include <string.h>

struct fetch_sessions {
    struct fetch_sessions_params params;
    struct map by_id;      /* struct fetch_session.key -> struct fetch_session */
    struct list_link used; /* struct fetch_session.link, least recently used first */
    size_t size;           /* bytes of all sessions */
};

struct fetch_sessions *fetch_sessions_new(const struct fetch_sessions_params *params)
{
    assert(params->loop_index < params->loops_count);
    struct fetch_sessions *sessions = xnew(struct fetch_sessions);
    sessions->params = *params;
    list_init(&sessions->used);
    return sessions;
}

void fetch_sessions_free(struct fetch_sessions *sessions)
{
    if (sessions == NULL)
        return;
    while (!list_empty(&sessions->used))
        fetch_session_close(list_entry(sessions->used.next, struct fetch_session, link));
    assert(sessions->by_id.count == 0 && sessions->size == 0);
    map_deinit(&sessions->by_id);
    free(sessions);
}

size_t fetch_sessions_count(const struct fetch_sessions *sessions)
{
    return sessions->by_id.count;
}

size_t fetch_sessions_size(const struct fetch_sessions *sessions)
{
    return sessions->size;
}

/* --- sessions --- */

static void fetch_session_key(int32_t id, uint8_t key[4])
{
    memcpy(key, &id, 4);
}

struct fetch_session *fetch_sessions_get(struct fetch_sessions *sessions, int32_t id)
{
    uint8_t key[4];
    fetch_session_key(id, key);
    return map_get(&sessions->by_id, slice_make(key, sizeof(key)));
}

static int32_t fetch_sessions_new_id(struct fetch_sessions *sessions)
{
    for (;;) {
        uint32_t word;
        sessions->params.env->ops->random(sessions->params.env, &word, sizeof(word));
        uint32_t count = sessions->params.loops_count;
        uint32_t id = (word & INT32_MAX) / count * count + sessions->params.loop_index;
        if (id != FETCH_SESSION_NONE && id <= INT32_MAX &&
            fetch_sessions_get(sessions, (int32_t)id) == NULL)
            return (int32_t)id;
    }
}

static struct fetch_session *fetch_sessions_smallest(struct fetch_sessions *sessions)
{
    struct fetch_session *smallest = NULL, *session;
    list_for_each_entry (session, &sessions->used, link) {
        if (session->evictable &&
            (smallest == NULL || fetch_session_count(session) < fetch_session_count(smallest)))
            smallest = session;
    }
    return smallest;
}

/* True: there is a slot. */
static bool fetch_sessions_evict(struct fetch_sessions *sessions, size_t count, int64_t now_ms)
{
    if (fetch_sessions_count(sessions) < sessions->params.slots_max)
        return true;
    if (list_empty(&sessions->used))
        return false; /* no slots at all */
    struct fetch_session *session = list_entry(sessions->used.next, struct fetch_session, link);
    if (now_ms - session->used_ms <= FETCH_SESSION_EVICTION_MS) {
        session = fetch_sessions_smallest(sessions);
        if (session == NULL || fetch_session_count(session) >= count)
            return false;
    }
    fetch_session_close(session);
    return true;
}

struct fetch_session *fetch_sessions_open(
    struct fetch_sessions *sessions, size_t count, bool by_id, int64_t now_ms)
{
    size_t least = sizeof(struct fetch_session) + count * sizeof(struct fetch_session_part);
    if (count == 0 || sessions->size > sessions->params.size_max ||
        least > sessions->params.size_max - sessions->size)
        return NULL;
    if (!fetch_sessions_evict(sessions, count, now_ms))
        return NULL;
    struct fetch_session *session = xnew(struct fetch_session);
    session->id = fetch_sessions_new_id(sessions);
    session->epoch = fetch_session_epoch_next(FETCH_SESSION_EPOCH_INITIAL);
    session->by_id = by_id;
    session->opened_ms = session->used_ms = now_ms;
    session->refs = 1;
    session->sessions = sessions;
    session->size = sizeof(*session);
    sessions->size += session->size;
    list_init(&session->parts);
    list_append(&sessions->used, &session->link);
    fetch_session_key(session->id, session->key);
    map_put(&sessions->by_id, slice_make(session->key, sizeof(session->key)), session);
    return session;
}

void fetch_session_close(struct fetch_session *session)
{
    struct fetch_sessions *sessions = session->sessions;
    if (sessions == NULL)
        return;
    map_remove(&sessions->by_id, slice_make(session->key, sizeof(session->key)));
    list_remove(&session->link);
    assert(sessions->size >= session->size);
    sessions->size -= session->size;
    session->sessions = NULL;
    fetch_session_unref(session);
}

bool fetch_session_touch(struct fetch_session *session, int64_t now_ms)
{
    session->used_ms = now_ms;
    session->evictable = now_ms - session->opened_ms > FETCH_SESSION_EVICTION_MS;
    struct fetch_sessions *sessions = session->sessions;
    if (sessions == NULL)
        return false;
    list_remove(&session->link);
    list_append(&sessions->used, &session->link);
    if (sessions->size <= sessions->params.size_max)
        return true;
    fetch_session_close(session);
    return false;
}

void fetch_session_ref(struct fetch_session *session)
{
    assert(session->refs > 0);
    session->refs++;
}

void fetch_session_unref(struct fetch_session *session)
{
    assert(session->refs > 0);
    if (--session->refs > 0)
        return;
    struct fetch_session_part *part, *next;
    list_for_each_entry_safe (part, next, &session->parts, link) {
        free(part);
    }
    map_deinit(&session->by_name);
    free(session);
}

int32_t fetch_session_epoch_next(int32_t epoch)
{
    assert(epoch >= 0);
    return epoch == INT32_MAX ? 1 : epoch + 1;
}

/* --- partitions --- */

#define PART_KEY_SIZE_MAX (sizeof(int32_t) + UINT16_MAX)

static struct slice fetch_session_name_key(const struct fetch_session_name *name, uint8_t *buffer)
{
    bool by_id = !uuid_is_zero(name->topic_id);
    const uint8_t *topic = by_id ? name->topic_id.bytes : name->topic.data;
    size_t size = by_id ? sizeof(name->topic_id.bytes) : name->topic.size;
    assert(size <= UINT16_MAX);
    memcpy(buffer, &name->partition, sizeof(int32_t));
    if (size > 0)
        memcpy(buffer + sizeof(int32_t), topic, size);
    return slice_make(buffer, sizeof(int32_t) + size);
}

static size_t fetch_session_part_size(const struct fetch_session_part *part)
{
    /* the map is at most half empty after it grew */
    return sizeof(*part) + part->key.size + 2 * sizeof(struct map_entry);
}

static void fetch_session_resize(struct fetch_session *session, ssize_t change)
{
    session->size += (size_t)change;
    if (session->sessions != NULL)
        session->sessions->size += (size_t)change;
}

struct fetch_session_part *fetch_session_put(
    struct fetch_session *session, const struct fetch_session_name *name)
{
    uint8_t buffer[PART_KEY_SIZE_MAX];
    struct slice key = fetch_session_name_key(name, buffer);
    struct fetch_session_part *part = map_get(&session->by_name, key);
    if (part != NULL)
        return part;
    part = xcalloc(1, sizeof(*part) + key.size);
    uint8_t *copy = (uint8_t *)(part + 1);
    memcpy(copy, key.data, key.size);
    part->key = slice_make(copy, key.size);
    part->name = *name;
    /* A name by id is all in the uuid; what follows the number in the key is then no text. */
    part->name.topic = uuid_is_zero(name->topic_id)
                           ? slice_make(copy + sizeof(int32_t), key.size - sizeof(int32_t))
                           : slice_make(copy, 0);
    part->high_watermark = part->last_stable_offset = part->log_start = -1;
    list_append(&session->parts, &part->link);
    map_put(&session->by_name, part->key, part);
    fetch_session_resize(session, (ssize_t)fetch_session_part_size(part));
    return part;
}

void fetch_session_forget(struct fetch_session *session, const struct fetch_session_name *name)
{
    uint8_t buffer[PART_KEY_SIZE_MAX];
    struct fetch_session_part *part =
        map_remove(&session->by_name, fetch_session_name_key(name, buffer));
    if (part == NULL)
        return;
    list_remove(&part->link);
    fetch_session_resize(session, -(ssize_t)fetch_session_part_size(part));
    free(part);
}

void fetch_session_rotate(struct fetch_session *session, struct fetch_session_part *part)
{
    list_remove(&part->link);
    list_append(&session->parts, &part->link);
}
