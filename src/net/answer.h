// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/* answer: for handlers whose answer is always the same bytes. */
#include "net/request.h"

/* For a handler on the connection's loop: answers with a body that was encoded earlier, in the
 * request's version. It is copied. The handler does not fill the response and returns HANDLE_DONE.
 */
void request_answer(struct request *req, struct slice body);
