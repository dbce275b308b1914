// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * api: the descriptor of one API, generated from proto/<name>.api. net dispatches by a table of
 * these and knows no API by name; decode, handle and encode work on the API's own structs behind
 * void pointers (generated thunks keep the types). Constant data.
 */
#include "wire/reader.h"
#include "wire/writer.h"

struct request;

enum handle_result {
    HANDLE_DONE,     /* the response is filled: encode and send it */
    HANDLE_PARKED,   /* somebody will call request_complete (maybe did already) */
    HANDLE_NO_REPLY, /* finished, nothing is sent (Produce with acks=0) */
    HANDLE_CLOSE,    /* close the connection without an answer */
};

/* Version ranges are inclusive; flexible_since is the first flexible version, INT16_MAX when there
 * is none. */
struct api {
    const char *name; /* as Kafka spells it: "ConsumerGroupHeartbeat" */
    int16_t key;
    int16_t version_min, version_max;
    int16_t advertised_min; /* what ApiVersions says; differs from version_min for Produce alone */
    int16_t flexible_since;
    size_t request_size, response_size; /* sizeof the structs */

    /* Fills *request from the reader; false when the bytes are no such message (reader->fault says
     * why). Trailing bytes are a fault unless the reader allows them. */
    bool (*decode_request)(
        struct reader *reader, int16_t version, struct arena *arena, void *request);
    void (*encode_response)(struct writer *writer, int16_t version, const void *response);
    /* Clients' half: for tests and the command-line tools. */
    void (*encode_request)(struct writer *writer, int16_t version, const void *request);
    bool (*decode_response)(
        struct reader *reader, int16_t version, struct arena *arena, void *response);
    /* Schema defaults into zeroed memory. */
    void (*init_request)(void *request);
    void (*init_response)(void *response);
    /* One line of readable text, secrets redacted. */
    void (*print_request)(struct buffer *buffer, int16_t version, const void *request);
    void (*print_response)(struct buffer *buffer, int16_t version, const void *response);

    /* The group id whose home loop runs the handler; NULL: the connection's loop. */
    struct slice (*home)(const void *request);
    enum handle_result (*handle)(
        struct request *req, const void *request, void *response); /* NULL: codec only */
};
