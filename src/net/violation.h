// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * violation: what a peer did that it may not do: one log line that says what, where and who, and
 * the connection is doomed. One function per kind. The connection's loop.
 */
#include "net/conn.h"

void violation_frame_size(struct conn *conn, int32_t size);
void violation_no_memory(struct conn *conn, size_t size);
/* `pos`: the byte of the frame at which reading stopped. */
void violation_header(struct conn *conn, const char *fault, size_t pos);
void violation_message(struct conn *conn, const struct request *req, const char *fault, size_t pos);
void violation_unsupported(struct conn *conn, int16_t key, int16_t version);
/* `protocol`: what the peer speaks; `advice`: what to do about it. */
void violation_protocol(struct conn *conn, const char *protocol, const char *advice);
