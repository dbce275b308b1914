// SPDX-License-Identifier: BSD-2-Clause
#include "sim/sim_report.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

static struct sim_job first_job;
struct sim_job *sim_job = &first_job;

void (*sim_on_violation)(void);
static char where[1024];
static unsigned watch_seconds;

void sim_where(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(where, sizeof(where), format, args);
    va_end(args);
}

const char *sim_where_is(void)
{
    return where;
}

static void report_write(const char *text)
{
    ssize_t n = write(STDERR_FILENO, text, strlen(text));
    (void)n; /* there is nobody to tell */
}

_Noreturn void sim_violation(const char *format, ...)
{
    char text[1024], line[2200];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    snprintf(line, sizeof(line), "VIOLATION %s: %s\n", where, text);
    if (sim_on_violation != NULL)
        sim_on_violation();
    report_write(line);
    sim_job->violations++;
    _exit(3);
}

static void report_on_signal(int signal_number)
{
    report_write(signal_number == SIGVTALRM ? "HANG " : "CRASHED ");
    report_write(where);
    report_write("\n");
    sim_job->violations++;
    if (signal_number == SIGVTALRM)
        _exit(3);
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

void sim_watch(unsigned seconds)
{
    static const int signals[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGVTALRM};
    for (size_t i = 0; i < ARRAY_COUNT(signals); i++)
        signal(signals[i], report_on_signal);
    watch_seconds = seconds;
    sim_alive();
}

/* In time of the processor: a machine that is busy, or stops us, is no hang. */
void sim_alive(void)
{
    struct itimerval timer = {.it_value = {.tv_sec = watch_seconds}};
    setitimer(ITIMER_VIRTUAL, &timer, NULL);
}
