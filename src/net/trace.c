// SPDX-License-Identifier: BSD-2-Clause
/* Written whatever the log level is: who sets --trace wants to see it. Long bodies are cut by log.
 */
#include "net/trace.h"
#include "base/log.h"

#include <inttypes.h>

typedef void (*trace_print_fn)(struct buffer *buffer, int16_t version, const void *message);

static void trace_line(
    const char *event, const struct request *req, trace_print_fn print, const void *message)
{
    struct buffer text = BUFFER_NULL;
    if (print != NULL)
        print(&text, req->version, message);
    log_event(LOG_TRACE, event,
        "conn=%" PRIu64 " client=%s api=%s version=%d correlation=%" PRId32 " body=%.*s",
        req->conn->id, log_quote(req->client_id).str, req->api->name, req->version,
        req->correlation_id, SLICE_FMT(buffer_slice(&text)));
    buffer_deinit(&text);
}

void trace_request(const struct request *req)
{
    trace_line("request", req, req->api->print_request, req->message);
}

void trace_response(const struct request *req)
{
    trace_line("response", req, req->api->print_response, req->response);
}
