// SPDX-License-Identifier: BSD-2-Clause
// Sockets of the bench: connections that receive length-prefixed frames, and listeners for the
// floors. One thread per connection. Errors are -errno; `net_must` ends the program with a message.
#pragma once

#include "kafka_frame.h"

#include <stdbool.h>
#include <stdint.h>

#define NET_FRAME_SIZE_MAX (256u << 20u)

// A connection with its receive buffer; data[start..end) is received and not yet consumed.
struct net_conn {
    int fd;
    uint8_t *data;
    size_t start;
    size_t end;
    size_t capacity;
};

// Returns `result` when it is not negative; otherwise prints `what` with the error and exits(1).
int net_must(int result, const char *what);
_Noreturn void net_die(const char *what, const char *detail);

// Connects to the numeric IPv4 address `host`; non-blocking afterwards, with TCP_NODELAY.
int net_connect(const char *host, uint16_t port);

// Listens on 127.0.0.1 (port 0: any) and returns the descriptor; the port actually taken goes out.
int net_listen(uint16_t port, uint16_t *ret_port);

// Prepares a fresh connection; capacity grows with what arrives.
void net_conn_init(struct net_conn *conn, int fd);
void net_conn_deinit(struct net_conn *conn);

// Receives what is there, once. Returns bytes, 0 for nothing yet, -errno; end of stream is -EPIPE.
int net_conn_fill(struct net_conn *conn);

// Takes the next complete frame (without its size field) out of the buffer. False when there is
// none; the slice is valid until the next fill.
bool net_conn_frame(struct net_conn *conn, const uint8_t **ret_data, size_t *ret_size);

// Blocking helpers for set-up: sends all of it; waits for one frame. They end the program on
// errors.
void net_send_all(int fd, const void *data, size_t size);
void net_await_frame(struct net_conn *conn, const uint8_t **ret_data, size_t *ret_size);
