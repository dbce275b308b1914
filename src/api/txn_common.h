// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/* txn_common: what the handlers of transaction APIs share. */
#include "broker/txn/txns.h"
#include "net/request.h"
#include "wire/errors.gen.h"

/* `fenced_since`: the first version of the API that knows PRODUCER_FENCED; before it the same is
 * called INVALID_PRODUCER_EPOCH. */
int16_t txn_error_code(enum txn_error error, const struct request *req, int16_t fenced_since);

/* txns_submit, unless another broker coordinates the id: then done comes at once, with that error.
 */
void txn_op_submit(const struct request *req, struct txns_op *op);
