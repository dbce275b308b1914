// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * header: what stands between a frame's size and its message. Both directions, for the broker and
 * for clients (tests, command-line tools). Plain data; slices point into the bytes read.
 */
#include "wire/reader.h"
#include "wire/writer.h"

#define HEADER_API_VERSIONS_KEY 18

struct request_header {
    int16_t api_key;
    int16_t api_version;
    int32_t correlation_id;
    struct slice client_id; /* may be null */
};

/*
 * The version of the API that a header names decides how the header goes on, so a reader takes it
 * in two steps: header_decode_start reads key, version and correlation id (versions 0, 1 and 2
 * begin alike); header_decode_rest the client id and, when `flexible`, the tagged fields.
 * header_decode is both for a known API. False when the bytes are no header (reader->fault).
 */
bool header_decode_start(struct reader *reader, struct request_header *header);
bool header_decode_rest(struct reader *reader, bool flexible, struct request_header *header);
bool header_decode(struct reader *reader, bool flexible, struct request_header *header);

/* `flexible`: response header version 1. Pass false for ApiVersions, whatever its version: see
 * header_response_flexible. */
void header_encode_response(struct writer *writer, bool flexible, int32_t correlation_id);

/* Whether the answer to this API has response header version 1. A client that asks for ApiVersions
 * does not know yet what the broker speaks, so that answer always begins with version 0. */
static inline bool header_response_flexible(
    int16_t api_key, int16_t version, int16_t flexible_since)
{
    return version >= flexible_since && api_key != HEADER_API_VERSIONS_KEY;
}

/* Clients' half. */
void header_encode_request(
    struct writer *writer, bool flexible, const struct request_header *header);
bool header_decode_response(struct reader *reader, bool flexible, int32_t *ret_correlation_id);
