// SPDX-License-Identifier: BSD-2-Clause
/*
 * All lines are "conn.refused" at level warn with the peer and the listener. A peer that comes back
 * and errs again and again gets a line per LINE_INTERVAL_MS for all its kind.
 */
#include "net/violation.h"
#include "base/log.h"
#include "net/net_internal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#define LINE_INTERVAL_MS 10

static _printf_(3, 4) void violation_log(
    struct conn *conn, const char *reason, const char *format, ...)
{
    static struct log_limit limit;
    char detail[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(detail, sizeof(detail), format, args);
    va_end(args);
    conn_doom(conn, reason);
    if (log_limit_pass(&limit, LINE_INTERVAL_MS))
        log_warn("conn.refused", "conn=%" PRIu64 " peer=%s listener=%s reason=\"%s\" %s",
            conn->info.id, conn->info.peer_host, conn->info.listener, reason, detail);
}

void violation_frame_size(struct conn *conn, int32_t size)
{
    const char *reason =
        size <= 0 ? "frame size not positive" : "frame larger than socket.request.max.bytes";
    violation_log(
        conn, reason, "size=%" PRId32 " allowed=%zu", size, conn->net->config.request_size_max);
}

void violation_no_memory(struct conn *conn, size_t size)
{
    violation_log(conn, "no memory for the frame", "size=%zu", size);
}

void violation_header(struct conn *conn, const char *fault, size_t pos)
{
    violation_log(conn, "bad request header", "fault=\"%s\" byte=%zu", fault, pos);
}

void violation_message(struct conn *conn, const struct request *req, const char *fault, size_t pos)
{
    violation_log(conn, "bad request",
        "api=%s version=%d correlation=%" PRId32 " client=%s fault=\"%s\" byte=%zu size=%zu",
        req->api->name, req->version, req->correlation_id, log_quote(req->client_id).str, fault,
        pos, req->frame_size);
}

void violation_unsupported(struct conn *conn, int16_t key, int16_t version)
{
    violation_log(conn, "api or version not supported", "key=%d version=%d", key, version);
}

void violation_protocol(struct conn *conn, const char *protocol, const char *advice)
{
    violation_log(conn, "not the Kafka protocol", "protocol=%s advice=\"%s\"", protocol, advice);
}
