// SPDX-License-Identifier: BSD-2-Clause
/*
 * Request header 0 has no client id (only ControlledShutdown ever used it), 1 has one, 2 adds
 * tagged fields. The client id keeps its classic form (int16 length) even in version 2.
 */
#include "wire/header.h"

bool header_decode_start(struct reader *reader, struct request_header *header)
{
    *header = (struct request_header){.client_id = SLICE_NULL};
    header->api_key = reader_int16(reader);
    header->api_version = reader_int16(reader);
    header->correlation_id = reader_int32(reader);
    return reader_ok(reader);
}

bool header_decode_rest(struct reader *reader, bool flexible, struct request_header *header)
{
    header->client_id = reader_string(reader, false, true);
    if (flexible)
        reader_skip_tags(reader);
    return reader_ok(reader);
}

bool header_decode(struct reader *reader, bool flexible, struct request_header *header)
{
    return header_decode_start(reader, header) && header_decode_rest(reader, flexible, header);
}

void header_encode_response(struct writer *writer, bool flexible, int32_t correlation_id)
{
    writer_int32(writer, correlation_id);
    if (flexible)
        writer_uvarint(writer, 0); /* no tagged fields */
}

void header_encode_request(
    struct writer *writer, bool flexible, const struct request_header *header)
{
    writer_int16(writer, header->api_key);
    writer_int16(writer, header->api_version);
    writer_int32(writer, header->correlation_id);
    writer_string(writer, false, header->client_id);
    if (flexible)
        writer_uvarint(writer, 0); /* no tagged fields */
}

bool header_decode_response(struct reader *reader, bool flexible, int32_t *ret_correlation_id)
{
    int32_t correlation_id = reader_int32(reader);
    if (flexible)
        reader_skip_tags(reader);
    if (!reader_ok(reader))
        return false;
    *ret_correlation_id = correlation_id;
    return true;
}
