// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/* trace: a readable line per request and response, for --trace. Secrets are redacted by the
 * printers. The connection's loop. */
#include "net/request.h"

void trace_request(const struct request *req);
void trace_response(const struct request *req);
