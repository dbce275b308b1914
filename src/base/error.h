// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * error: the discipline of results. int: 0 ok; < 0 is -errno, forwarded untouched and never
 * matched; > 0 is a condition of that function, listed at its declaration, handled by the caller
 * and never forwarded. error_trace prints where a failure came through, only when there is one.
 */
#include "base/memory.h"

/* Marks a failure's way up: `return error_trace(r);` logs file, line and errno at debug level and
 * returns r unchanged. */
#define error_trace(r) error_trace_at((r), __FILE__, __LINE__, __func__)
int error_trace_at(int r, const char *file, int line, const char *function);

/* -errno of the call that just failed; asserts that errno is set. */
int error_errno(void);
