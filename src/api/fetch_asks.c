// SPDX-License-Identifier: BSD-2-Clause
/*
 * What a Fetch asks for. A full one says it all; an incremental one changes what its session
 * remembers, and then all of the session is asked for:
 *
 *   epoch -1: full, no session    0: full, opens one    n: incremental, the session must be at n
 *
 * A full one ends the session that it names. A partition that is named twice is asked for once,
 * with what was said of it last. An incremental one that leaves its session without partitions ends
 * it and is answered like a full one.
 *
 * A session belongs to one loop. A client that comes back through a connection on another one is
 * told that its session is not known, and fetches in full once.
 */
#include "api/fetch_internal.h"
#include "wire/errors.gen.h"

#define VERSION_TOPICS_BY_ID 13

static struct fetch_session_name fetch_name(
    const struct fetch_request_topic *topic, int32_t partition)
{
    return (struct fetch_session_name){topic->topic, topic->topic_id, partition};
}

/* --- full --- */

static struct slice fetch_ask_key(struct arena *arena, const struct fetch_session_name *name)
{
    bool by_id = !uuid_is_zero(name->topic_id);
    size_t size = by_id ? sizeof(name->topic_id.bytes) : name->topic.size;
    uint8_t *key = arena_new_n(arena, uint8_t, sizeof(int32_t) + size);
    memcpy(key, &name->partition, sizeof(int32_t));
    if (size > 0)
        memcpy(key + sizeof(int32_t), by_id ? name->topic_id.bytes : name->topic.data, size);
    return slice_make(key, sizeof(int32_t) + size);
}

/* Where to write what is said of the partition. */
static struct fetch_ask *fetch_ask_at(
    struct fetch *fetch, struct map *seen, const struct fetch_session_name *name, bool unique)
{
    struct fetch_ask *ask = &fetch->asks[fetch->asks_count];
    if (!unique) {
        struct slice key = fetch_ask_key(&fetch->req->arena, name);
        struct fetch_ask *before = map_get(seen, key);
        if (before != NULL)
            return before;
        map_put(seen, key, ask);
    }
    fetch->asks_count++;
    ask->name = *name;
    return ask;
}

static void fetch_asks_full(struct fetch *fetch, const struct fetch_request *request)
{
    size_t count = 0;
    for (int32_t t = 0; t < request->topics_count; t++)
        count += (size_t)request->topics[t].partitions_count;
    fetch->asks = arena_new_n(&fetch->req->arena, struct fetch_ask, count);
    struct map seen = MAP_NULL;
    for (int32_t t = 0; t < request->topics_count; t++) {
        const struct fetch_request_topic *topic = &request->topics[t];
        for (int32_t p = 0; p < topic->partitions_count; p++) {
            const struct fetch_request_partition *asked = &topic->partitions[p];
            struct fetch_session_name name = fetch_name(topic, asked->partition);
            struct fetch_ask *ask = fetch_ask_at(fetch, &seen, &name, count == 1);
            ask->offset = asked->fetch_offset;
            ask->leader_epoch = asked->current_leader_epoch;
            ask->size_max = asked->partition_max_bytes;
        }
    }
    map_deinit(&seen);
}

/* --- incremental --- */

static void fetch_session_change(struct fetch_session *session, const struct fetch_request *request)
{
    for (int32_t t = 0; t < request->topics_count; t++) {
        const struct fetch_request_topic *topic = &request->topics[t];
        for (int32_t p = 0; p < topic->partitions_count; p++) {
            const struct fetch_request_partition *asked = &topic->partitions[p];
            struct fetch_session_name name = fetch_name(topic, asked->partition);
            struct fetch_session_part *part = fetch_session_put(session, &name);
            part->offset = asked->fetch_offset;
            part->leader_epoch = asked->current_leader_epoch;
            part->size_max = asked->partition_max_bytes;
        }
    }
    for (int32_t t = 0; t < request->forgotten_topics_data_count; t++) {
        const struct fetch_request_forgotten_topic *topic = &request->forgotten_topics_data[t];
        for (int32_t p = 0; p < topic->partitions_count; p++)
            fetch_session_forget(session,
                &(struct fetch_session_name){topic->topic, topic->topic_id, topic->partitions[p]});
    }
}

static void fetch_asks_of_session(struct fetch *fetch, struct fetch_session *session)
{
    fetch->asks = arena_new_n(&fetch->req->arena, struct fetch_ask, fetch_session_count(session));
    struct fetch_session_part *part;
    list_for_each_entry (part, &session->parts, link) {
        fetch->asks[fetch->asks_count++] = (struct fetch_ask){
            .name = part->name,
            .offset = part->offset,
            .leader_epoch = part->leader_epoch,
            .size_max = part->size_max,
            .part = part,
        };
    }
}

static int16_t fetch_asks_incremental(struct fetch *fetch, const struct fetch_request *request)
{
    struct fetch_session *session =
        fetch_sessions_get(broker_fetch_sessions(fetch->broker), request->session_id);
    if (session == NULL)
        return KAFKA_ERROR_FETCH_SESSION_ID_NOT_FOUND;
    if (session->epoch != request->session_epoch)
        return KAFKA_ERROR_INVALID_FETCH_SESSION_EPOCH;
    if (session->by_id != fetch->by_id)
        return KAFKA_ERROR_FETCH_SESSION_TOPIC_ID_ERROR;
    fetch_session_ref(session);
    fetch_session_change(session, request);
    if (fetch_session_count(session) == 0) {
        fetch_session_close(session);
        fetch_session_unref(session);
        return KAFKA_ERROR_NONE;
    }
    fetch->session_epoch = session->epoch = fetch_session_epoch_next(session->epoch);
    if (!fetch_session_touch(session, loop_now_ms(fetch->loop))) {
        fetch_session_unref(session);
        return KAFKA_ERROR_FETCH_SESSION_ID_NOT_FOUND;
    }
    fetch->session = session;
    fetch_asks_of_session(fetch, session);
    return KAFKA_ERROR_NONE;
}

int16_t fetch_asks_make(struct fetch *fetch, const struct fetch_request *request)
{
    fetch->by_id = fetch->req->version >= VERSION_TOPICS_BY_ID;
    bool full = request->session_epoch == FETCH_SESSION_EPOCH_INITIAL ||
                request->session_epoch == FETCH_SESSION_EPOCH_FINAL;
    if (!full)
        return fetch_asks_incremental(fetch, request);
    if (request->session_id != FETCH_SESSION_NONE)
        broker_fetch_session_close(fetch->broker, request->session_id);
    fetch->session_wanted = request->session_epoch == FETCH_SESSION_EPOCH_INITIAL;
    fetch_asks_full(fetch, request);
    return KAFKA_ERROR_NONE;
}
