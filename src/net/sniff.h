// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/* sniff: recognises who speaks something else on a plaintext port by the first four bytes. The
 * connection's loop. */
#include "net/conn.h"

/* True: it was another protocol; the peer has been told as well as it can be, the connection is
 * doomed. */
bool sniff_foreign(struct conn *conn, const uint8_t *first);
