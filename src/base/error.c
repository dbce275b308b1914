// SPDX-License-Identifier: BSD-2-Clause
#include "base/error.h"
#include "base/log.h"

#include <assert.h>
#include <errno.h>

int error_trace_at(int r, const char *file, int line, const char *function)
{
    if (r < 0)
        log_debug("error.trace", "at=%s:%d function=%s error=\"%s\"", file, line, function,
            log_errno(-r).str);
    return r;
}

int error_errno(void)
{
    assert(errno > 0);
    return -errno;
}
