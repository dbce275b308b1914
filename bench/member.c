// SPDX-License-Identifier: BSD-2-Clause
// Classic: JoinGroup 4, SyncGroup 1, Heartbeat 1, LeaveGroup 1, with a leader that gives one
// partition after the other to one member after the other. Newer: ConsumerGroupHeartbeat 1, where
// an assignment is confirmed by sending it back.
#include "member.h"

#include "net.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MEMBER_SESSION_MS = 45000,
    MEMBER_REBALANCE_MS = 60000,
    MEMBER_E_REBALANCING = 27,
    MEMBER_E_ID_REQUIRED = 79,
};

void member_init(struct member *member, const char *topic, uint32_t partitions, bool consumer)
{
    *member = (struct member){.topic = topic,
        .topic_partitions = partitions,
        .consumer = consumer,
        .beat_ms = MEMBER_BEAT_MS};
}

void member_deinit(struct member *member)
{
    frame_buffer_deinit(&member->assignment);
}

static void member_check(const struct frame_reader *reader, int16_t error, const char *what)
{
    char detail[32];

    if (reader->ok && error == 0)
        return;
    (void)snprintf(detail, sizeof(detail), reader->ok ? "error %d" : "malformed", error);
    net_die(what, detail);
}

static void member_take_text(struct frame_reader *reader, bool flexible, char *text, size_t size)
{
    int64_t length = flexible ? (int64_t)frame_get_uvarint(reader) - 1 : frame_get_i16(reader);
    const uint8_t *pos = reader->pos;

    if (length < 0)
        return;
    frame_skip(reader, (size_t)length);
    if (!reader->ok || (size_t)length >= size)
        net_die("answer", "a member id that is too long");
    memcpy(text, pos, (size_t)length);
    text[length] = 0;
}

static void member_put_piece(struct frame_buffer *request, const struct frame_buffer *piece)
{
    frame_put_i32(request, (int32_t)piece->size);
    frame_put_bytes(request, piece->data, piece->size);
}

/* --- classic --- */

static void member_join(struct member *member, struct frame_buffer *request)
{
    struct frame_buffer subscription = {0};

    frame_put_i16(&subscription, 0); // version
    frame_put_i32(&subscription, 1);
    frame_put_string(&subscription, member->topic, false);
    frame_put_i32(&subscription, -1); // user data
    frame_begin(request, FRAME_API_JOIN_GROUP, 4, false, 1);
    frame_put_string(request, member->group, false);
    frame_put_i32(request, MEMBER_SESSION_MS);
    frame_put_i32(request, MEMBER_REBALANCE_MS);
    frame_put_string(request, member->id, false);
    frame_put_string(request, "consumer", false);
    frame_put_i32(request, 1);
    frame_put_string(request, "range", false);
    member_put_piece(request, &subscription);
    frame_end(request);
    frame_buffer_deinit(&subscription);
    member->phase = MEMBER_JOINING;
}

static void member_put_assignment(
    struct frame_buffer *request, const struct member *member, uint32_t number, uint32_t count)
{
    struct frame_buffer assignment = {0};
    uint32_t share =
        member->topic_partitions / count + (number < member->topic_partitions % count ? 1u : 0u);

    frame_put_i16(&assignment, 0); // version
    frame_put_i32(&assignment, share > 0 ? 1 : 0);
    if (share > 0) {
        frame_put_string(&assignment, member->topic, false);
        frame_put_i32(&assignment, (int32_t)share);
    }
    for (uint32_t i = 0; i < share; i++)
        frame_put_i32(&assignment, (int32_t)(number + i * count));
    frame_put_i32(&assignment, -1); // user data
    member_put_piece(request, &assignment);
    frame_buffer_deinit(&assignment);
}

static void member_sync(
    struct member *member, struct frame_reader *members, struct frame_buffer *request)
{
    char id[MEMBER_ID_SIZE_MAX];
    uint32_t count = members == NULL ? 0 : frame_get_count(members, false);

    frame_begin(request, FRAME_API_SYNC_GROUP, 1, false, 1);
    frame_put_string(request, member->group, false);
    frame_put_i32(request, member->epoch);
    frame_put_string(request, member->id, false);
    frame_put_i32(request, (int32_t)count);
    for (uint32_t i = 0; i < count; i++) {
        member_take_text(members, false, id, sizeof(id));
        frame_skip(members, (size_t)frame_get_i32(members)); // subscription
        frame_put_string(request, id, false);
        member_put_assignment(request, member, i, count);
    }
    frame_end(request);
    member->phase = MEMBER_SYNCING;
}

static bool member_joined(
    struct member *member, struct frame_reader *reader, struct frame_buffer *request)
{
    char leader[MEMBER_ID_SIZE_MAX] = "";
    int16_t error;

    frame_skip(reader, 4); // throttle time
    error = frame_get_i16(reader);
    member->epoch = frame_get_i32(reader);
    frame_skip_string(reader, false); // protocol
    member_take_text(reader, false, leader, sizeof(leader));
    member_take_text(reader, false, member->id, sizeof(member->id));
    if (error == MEMBER_E_ID_REQUIRED || error == MEMBER_E_REBALANCING) {
        member_join(member, request);
        return true;
    }
    member_check(reader, error, "JoinGroup");
    member_sync(member, strcmp(leader, member->id) == 0 ? reader : NULL, request);
    return true;
}

static bool member_synced(
    struct member *member, struct frame_reader *reader, struct frame_buffer *request)
{
    int16_t error;

    frame_skip(reader, 4); // throttle time
    error = frame_get_i16(reader);
    if (error == MEMBER_E_REBALANCING) {
        member_join(member, request);
        return true;
    }
    member_check(reader, error, "SyncGroup");
    frame_skip(reader, 6); // size, version
    member->owned = 0;
    for (int32_t topics = frame_get_i32(reader); topics > 0; topics--) {
        uint32_t count;

        frame_skip_string(reader, false);
        count = frame_get_count(reader, false);
        frame_skip(reader, count * 4u);
        member->owned += count;
    }
    member_check(reader, 0, "SyncGroup");
    member->phase = MEMBER_STABLE;
    return false;
}

static bool member_beaten(
    struct member *member, struct frame_reader *reader, struct frame_buffer *request)
{
    int16_t error;

    frame_skip(reader, 4); // throttle time
    error = frame_get_i16(reader);
    if (error == MEMBER_E_REBALANCING) {
        member_join(member, request);
        return true;
    }
    member_check(reader, error, "Heartbeat");
    return false;
}

/* --- the newer protocol --- */

static void member_consumer_speak(
    struct member *member, struct frame_buffer *request, int32_t epoch)
{
    bool joins = member->phase == MEMBER_NEW;

    frame_begin(request, FRAME_API_CONSUMER_GROUP_HEARTBEAT, 1, true, 1);
    frame_put_string(request, member->group, true);
    frame_put_string(request, member->id, true);
    frame_put_i32(request, epoch);
    frame_put_uvarint(request, 0); // instance
    frame_put_uvarint(request, 0); // rack
    frame_put_i32(request, joins ? MEMBER_REBALANCE_MS : -1);
    frame_put_uvarint(request, joins ? 2 : 0);
    if (joins)
        frame_put_string(request, member->topic, true);
    frame_put_uvarint(request, 0); // regular expression
    frame_put_uvarint(request, 0); // assignor
    if (joins)
        frame_put_uvarint(request, 1); // owns nothing
    else if (!member->told && member->assignment.size > 0)
        frame_put_bytes(request, member->assignment.data, member->assignment.size);
    else
        frame_put_uvarint(request, 0); // nothing new
    frame_put_uvarint(request, 0);     // tags
    frame_end(request);
    member->told = true;
    if (joins)
        member->phase = MEMBER_JOINING;
}

/* The assignment's bytes read the same in the next request. True: it is another one. */
static bool member_take_assignment(struct member *member, struct frame_reader *reader)
{
    const uint8_t *from = reader->pos;
    size_t size;

    member->owned = 0;
    for (uint32_t topics = frame_get_count(reader, true); topics > 0; topics--) {
        uint32_t count;

        frame_skip(reader, 16);
        count = frame_get_count(reader, true);
        frame_skip(reader, count * 4u);
        frame_skip_tags(reader, true);
        member->owned += count;
    }
    member_check(reader, 0, "ConsumerGroupHeartbeat");
    size = (size_t)(reader->pos - from);
    if (member->assignment.size == size && memcmp(member->assignment.data, from, size) == 0)
        return false;
    if (member->assignment.size == 0 && member->owned == 0)
        return false;
    member->assignment.size = 0;
    frame_put_bytes(&member->assignment, from, size);
    return true;
}

static bool member_consumer_hear(
    struct member *member, struct frame_reader *reader, struct frame_buffer *request)
{
    int16_t error;

    frame_skip_tags(reader, true); // of the header
    frame_skip(reader, 4);         // throttle time
    error = frame_get_i16(reader);
    frame_skip_string(reader, true); // message
    member_check(reader, error, "ConsumerGroupHeartbeat");
    frame_skip_string(reader, true); // member id
    member->epoch = frame_get_i32(reader);
    member->beat_ms = frame_get_i32(reader);
    member->phase = MEMBER_STABLE;
    if (frame_get_i8(reader) < 0 || !member_take_assignment(member, reader))
        return false;
    member->told = false;
    member_consumer_speak(member, request, member->epoch);
    return true;
}

/* --- both --- */

void member_speak(struct member *member, struct frame_buffer *request)
{
    if (member->consumer) {
        member_consumer_speak(member, request, member->epoch);
    } else if (member->phase == MEMBER_NEW) {
        member_join(member, request);
    } else {
        frame_begin(request, FRAME_API_HEARTBEAT, 1, false, 1);
        frame_put_string(request, member->group, false);
        frame_put_i32(request, member->epoch);
        frame_put_string(request, member->id, false);
        frame_end(request);
    }
}

void member_speak_leave(struct member *member, struct frame_buffer *request)
{
    member->phase = MEMBER_LEFT;
    if (member->consumer) {
        member_consumer_speak(member, request, -1);
        return;
    }
    frame_begin(request, FRAME_API_LEAVE_GROUP, 1, false, 1);
    frame_put_string(request, member->group, false);
    frame_put_string(request, member->id, false);
    frame_end(request);
}

bool member_hear(struct member *member, struct frame_reader *reader, struct frame_buffer *request)
{
    if (member->phase == MEMBER_LEFT)
        return false;
    if (member->consumer)
        return member_consumer_hear(member, reader, request);
    switch (member->phase) {
    case MEMBER_JOINING: return member_joined(member, reader, request);
    case MEMBER_SYNCING: return member_synced(member, reader, request);
    default: return member_beaten(member, reader, request);
    }
}
