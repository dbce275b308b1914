// SPDX-License-Identifier: BSD-2-Clause
#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define LOG_LINE_SIZE_MAX 2048

_Atomic int log_threshold = LOG_INFO;

static const char *const log_level_names[] = {"trace", "debug", "info", "warn", "error"};

void log_set_level(enum log_level level)
{
    log_threshold = (int)level;
}

bool log_level_from_name(const char *name, enum log_level *ret_level)
{
    for (size_t i = 0; i < ARRAY_COUNT(log_level_names); i++) {
        if (strcmp(name, log_level_names[i]) == 0) {
            *ret_level = (enum log_level)i;
            return true;
        }
    }
    return false;
}

static size_t log_head(char *line, size_t size, enum log_level level, const char *event)
{
    struct timespec now;
    struct tm utc;
    char date[32];
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &utc);
    int n = snprintf(line, size, "ts=%s.%03ldZ level=%s event=%s ", date, now.tv_nsec / 1000000,
        log_level_names[level], event);
    return n < 0 ? 0 : (size_t)n;
}

void log_event(enum log_level level, const char *event, const char *format, ...)
{
    char line[LOG_LINE_SIZE_MAX];
    size_t size = log_head(line, sizeof(line), level, event);
    va_list args;
    va_start(args, format);
    int n = vsnprintf(line + size, sizeof(line) - size, format, args);
    va_end(args);
    size += n < 0 ? 0 : (size_t)n;
    if (size > sizeof(line) - 1)
        size = sizeof(line) - 1;
    for (size_t i = 0; i < size; i++) {
        if (line[i] == '\n')
            line[i] = ' ';
    }
    line[size++] = '\n';
    ssize_t written = write(STDERR_FILENO, line, size); /* nobody to tell when this fails */
    (void)written;
}

struct log_text log_quote(struct slice s)
{
    struct log_text text;
    size_t at = 0;
    text.str[at++] = '"';
    for (size_t i = 0; i < s.size; i++) {
        if (at > sizeof(text.str) - 9) { /* an escape (4), "...", the quote, the NUL */
            memcpy(text.str + at, "...", 3);
            at += 3;
            break;
        }
        uint8_t c = s.data[i];
        if (c == '"' || c == '\\')
            at += (size_t)snprintf(text.str + at, 3, "\\%c", c);
        else if (c < 0x20 || c >= 0x7f)
            at += (size_t)snprintf(text.str + at, 5, "\\x%02x", c);
        else
            text.str[at++] = (char)c;
    }
    text.str[at++] = '"';
    text.str[at] = '\0';
    return text;
}

struct log_text log_errno(int errno_value)
{
    struct log_text text;
    const char *message = strerror_r(errno_value, text.str, sizeof(text.str));
    if (message != text.str)
        snprintf(text.str, sizeof(text.str), "%s", message);
    return text;
}

bool log_limit_pass(struct log_limit *limit, int64_t interval_ms)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t now_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
    int64_t next_ms = limit->next_ms;
    return now_ms >= next_ms &&
           atomic_compare_exchange_strong(&limit->next_ms, &next_ms, now_ms + interval_ms);
}
