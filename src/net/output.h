// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/* output: sends a connection's replies in the order of its requests. Its loop's thread. */
#include "net/conn.h"

enum output_result {
    OUTPUT_IDLE = 0,    /* nothing that is ready is left */
    OUTPUT_BLOCKED = 1, /* the socket takes no more: wait until it is writable */
    OUTPUT_MORE = 2,    /* others' turn; call again */
};

/* Sends what is ready and frees what is sent; < 0: -errno, the connection is broken. */
int output_flush(struct conn *conn) _must_check_;
