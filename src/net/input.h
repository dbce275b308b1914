// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/* input: from socket bytes to dispatched frames, for one connection. Its loop's thread. */
#include "net/conn.h"

/* Reads what is there, up to a bound per call, and dispatches every frame that is complete. */
void input_read(struct conn *conn);
/* Dispatches what was read earlier, as far as the limits allow. */
void input_resume(struct conn *conn);
void input_deinit(struct conn *conn);
