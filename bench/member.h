// SPDX-License-Identifier: BSD-2-Clause
// A member of a group as requests on the wire, in either protocol: what it says, and what it makes
// of the answers. It owns no socket; members.c moves the bytes. One thread.
#pragma once

#include "kafka_frame.h"

#include <stdbool.h>
#include <stdint.h>

#define MEMBER_ID_SIZE_MAX 128u
#define MEMBER_BEAT_MS     3000 // classic, as clients do by default

enum member_phase {
    MEMBER_NEW,
    MEMBER_JOINING,
    MEMBER_SYNCING, // classic
    MEMBER_STABLE,
    MEMBER_LEFT,
};

struct member {
    const char *topic; // borrowed
    uint32_t topic_partitions;
    char group[32], id[MEMBER_ID_SIZE_MAX];
    bool consumer; // speaks the newer protocol
    enum member_phase phase;
    int32_t epoch;   // or generation
    int32_t beat_ms; // how often it shows that it lives
    uint32_t owned;  // partitions
    // consumer: what it was assigned, as it came, and whether it has said that it owns that
    struct frame_buffer assignment;
    bool told;
};

void member_init(struct member *member, const char *topic, uint32_t partitions, bool consumer);
void member_deinit(struct member *member);

// Its join when it is new, its heartbeat otherwise.
void member_speak(struct member *member, struct frame_buffer *request);
// Its farewell; no answer of interest.
void member_speak_leave(struct member *member, struct frame_buffer *request);
// Takes an answer (after the correlation id). True: `request` is what it has to say at once. An
// error that a client could not go on with ends the program.
bool member_hear(struct member *member, struct frame_reader *reader, struct frame_buffer *request);
