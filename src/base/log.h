// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * log: one line of logfmt per event on stderr, whole lines only (one write each). Any thread.
 * Events are dotted nouns ("conn.closed"), details are key=value pairs; text that may hold spaces
 * or comes from a peer goes through log_quote (or "%s" in double quotes when it is ours).
 *
 *   log_warn("conn.closed", "conn=%" PRIu64 " reason=%s", conn->id, reason);
 *   -> ts=2026-11-24T06:57:07.123Z level=warn event=conn.closed conn=17 reason=idle
 */
#include "base/memory.h"
#include "base/slice.h"

#include <stdbool.h>

enum log_level { LOG_TRACE, LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

extern _Atomic int log_threshold; /* enum log_level; set at start, LOG_INFO by default */

void log_set_level(enum log_level level);
/* False when the name is none of trace, debug, info, warn, error. */
bool log_level_from_name(const char *name, enum log_level *ret_level);

void log_event(enum log_level level, const char *event, const char *format, ...) _printf_(3, 4);

#define log_at(level, ...)                   \
    do {                                     \
        if ((int)(level) >= log_threshold)   \
            log_event((level), __VA_ARGS__); \
    } while (0)
#define log_trace(...) log_at(LOG_TRACE, __VA_ARGS__)
#define log_debug(...) log_at(LOG_DEBUG, __VA_ARGS__)
#define log_info(...)  log_at(LOG_INFO, __VA_ARGS__)
#define log_warn(...)  log_at(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_at(LOG_ERROR, __VA_ARGS__)

struct log_text {
    char str[256];
};

/* Quoted and escaped for logfmt, cut to fit; for whatever a peer or a disk says. */
struct log_text log_quote(struct slice s);
/* strerror, thread-safe; takes the positive errno. */
struct log_text log_errno(int errno_value);

/* At most one line per interval and call site: `static struct log_limit limit; if
 * (log_limit_pass(&limit, 1000)) log_warn(...)`. */
struct log_limit {
    _Atomic int64_t next_ms;
};
bool log_limit_pass(struct log_limit *limit, int64_t interval_ms);
