// SPDX-License-Identifier: BSD-2-Clause
/*
 * From a whole frame to its handler: header, look-up in the table of APIs, decoding under the
 * arena's limit, then the home loop. Knows no API by name: what to answer for a key or version that
 * is not in the table is the hook's affair.
 *
 * Failures: bytes that are no request doom the connection with one line that names the API, the
 * version, the fault and its byte. The request is then returned with `close` set, so that replies
 * to earlier ones still leave.
 */
#include "base/log.h"
#include "net/net_internal.h"
#include "net/net_request.h"
#include "net/trace.h"
#include "net/violation.h"
#include "wire/header.h"

#include <assert.h>

/*
 * A decoder may take twice the bytes that were received and this much. What it takes beyond this
 * much is charged to the loop's budget like the frame itself.
 */
#define DISPATCH_ARENA_BASE ((size_t)64 * 1024)

static size_t dispatch_arena_room(size_t frame_size)
{
    return 2 * frame_size + DISPATCH_ARENA_BASE;
}

static void dispatch_charge(struct net_request *nr, size_t decoded)
{
    if (decoded <= DISPATCH_ARENA_BASE)
        return;
    nr->charged += decoded;
    net_loop_charge(nr->req.owner->nl, decoded);
}

static void dispatch_refuse(struct net_request *nr)
{
    assert(nr->req.owner->doomed != NULL);
    nr->req.close = true;
    net_request_return(nr);
}

static const struct api *dispatch_find(
    const struct net_config *config, const struct request_header *header)
{
    if (header->api_key < 0 || (size_t)header->api_key >= config->n_apis)
        return NULL;
    const struct api *api = config->apis[header->api_key];
    if (api == NULL || api->handle == NULL)
        return NULL;
    assert(api->key == header->api_key);
    bool in_range =
        header->api_version >= api->version_min && header->api_version <= api->version_max;
    return in_range ? api : NULL;
}

/* Answers what the hook says, after a version 0 response header. */
static void dispatch_unsupported(struct net_request *nr, const struct request_header *header)
{
    struct conn *conn = nr->req.owner;
    const struct net_config *config = &conn->net->config;
    struct writer *output = &nr->req.output;
    writer_int32(output, 0);
    header_encode_response(output, false, header->correlation_id);
    if (config->unsupported != NULL &&
        config->unsupported(config->context, header->api_key, header->api_version, output)) {
        net_request_return(nr);
        return;
    }
    violation_unsupported(conn, header->api_key, header->api_version);
    dispatch_refuse(nr);
}

/* The message and what the handler will fill. */
static bool dispatch_decode(struct net_request *nr, struct reader *reader)
{
    struct request *req = &nr->req;
    const struct api *api = req->api;
    req->message = arena_new_n(&req->arena, uint8_t, api->request_size);
    size_t before = req->arena.used;
    req->arena.limit = before + dispatch_arena_room(req->frame_size);
    bool good = api->decode_request(reader, req->version, &req->arena, req->message);
    req->arena.limit = SIZE_MAX;
    dispatch_charge(nr, req->arena.used - before);
    if (!good)
        return false;
    req->response = arena_new_n(&req->arena, uint8_t, api->response_size);
    api->init_response(req->response);
    return true;
}

static struct loop *dispatch_home(const struct net_request *nr)
{
    const struct request *req = &nr->req;
    const struct net_config *config = &req->owner->net->config;
    if (req->api->home == NULL || config->home_loop == NULL)
        return req->loop;
    return config->home_loop(config->context, req->api->home(req->message));
}

void net_request_dispatch(struct net_request *nr)
{
    struct request *req = &nr->req;
    struct conn *conn = req->owner;
    struct reader reader = reader_make(slice_make(req->frame, req->frame_size));
    struct request_header header;
    if (!header_decode_start(&reader, &header)) {
        violation_header(conn, reader.fault, (size_t)(reader.fault_at - req->frame));
        dispatch_refuse(nr);
        return;
    }
    req->version = header.api_version;
    req->correlation_id = header.correlation_id;
    req->api = dispatch_find(&conn->net->config, &header);
    if (req->api == NULL) {
        dispatch_unsupported(nr, &header);
        return;
    }
    /* librdkafka 2.0 ends ListGroups with a byte too many; Kafka looks at none that follow. */
    reader.rest_allowed = true;
    bool flexible = req->version >= req->api->flexible_since;
    if (header_decode_rest(&reader, flexible, &header))
        req->client_id = header.client_id;
    if (!reader_ok(&reader) || !dispatch_decode(nr, &reader)) {
        violation_message(conn, req, reader.fault, (size_t)(reader.fault_at - req->frame));
        dispatch_refuse(nr);
        return;
    }
    if (conn->net->config.trace)
        trace_request(req);
    req->home = dispatch_home(nr);
    net_request_run(nr);
    if (conn->peer_gone)
        net_request_cancel(nr);
}
