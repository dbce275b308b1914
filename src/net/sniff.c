// SPDX-License-Identifier: BSD-2-Clause
/*
 * Read as a frame size the first letters of an HTTP request are above a gigabyte and a TLS hello is
 * 369 million, so no real first request is mistaken (ApiVersions or a handshake always comes
 * first).
 */
#include "net/sniff.h"
#include "base/buffer.h"
#include "net/net_internal.h"
#include "net/violation.h"

#include <string.h>

static bool sniff_is_http(const uint8_t *first)
{
    static const char methods[][5] = {"GET ", "POST", "HEAD", "PUT ", "OPTI", "DELE", "PRI "};
    for (size_t i = 0; i < ARRAY_COUNT(methods); i++) {
        if (memcmp(first, methods[i], 4) == 0)
            return true;
    }
    return false;
}

/* A handshake record of TLS 1.x (or its ancestor SSL 3). */
static bool sniff_is_tls(const uint8_t *first)
{
    return first[0] == 0x16 && first[1] == 0x03 && first[2] <= 0x04;
}

static void sniff_answer_http(struct conn *conn)
{
    const struct net_config *config = &conn->net->config;
    struct buffer body = BUFFER_NULL, text = BUFFER_NULL;
    buffer_printf(&body, "This port (listener %s) speaks the Kafka protocol, not HTTP.\n",
        conn->info.listener);
    if (config->http_address != NULL)
        buffer_printf(&body, "HTTP is served at %s\n", config->http_address);
    buffer_printf(&text,
        "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n"
        "Connection: close\r\n\r\n",
        body.size);
    buffer_append_slice(&text, buffer_slice(&body));
    struct iovec iov = {text.data, text.size};
    /* A fresh socket has room for this; a peer that is gone already misses nothing. */
    (void)config->env->ops->sock_send(config->env, conn->fd, &iov, 1, false);
    buffer_deinit(&body);
    buffer_deinit(&text);
}

bool sniff_foreign(struct conn *conn, const uint8_t *first)
{
    if (sniff_is_http(first)) {
        sniff_answer_http(conn);
        violation_protocol(
            conn, "HTTP", "this is a Kafka listener; point HTTP clients at odradek.http.listener");
        return true;
    }
    if (sniff_is_tls(first)) {
        violation_protocol(conn, "TLS",
            "this listener is plaintext; set security.protocol=PLAINTEXT (ssl: false) in the client");
        return true;
    }
    return false;
}
