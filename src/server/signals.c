// SPDX-License-Identifier: BSD-2-Clause
#include "server/signals.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/error.h"
#include "base/log.h"

/* A hang-up stops the broker like the others, unless it was started to outlive its terminal. */
static sigset_t signals_set(void)
{
    sigset_t set;
    struct sigaction hangup;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    if (sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler != SIG_IGN)
        sigaddset(&set, SIGHUP);
    return set;
}

static const char *signals_name(uint32_t number)
{
    return number == SIGTERM ? "SIGTERM" : number == SIGHUP ? "SIGHUP" : "SIGINT";
}

int signals_take(void)
{
    sigset_t set = signals_set();
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a write beyond the limit fails, which is enough */
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return error_errno();
    int fd = signalfd(-1, &set, SFD_CLOEXEC);
    return fd < 0 ? error_errno() : fd;
}

void signals_release(int signal_fd)
{
    struct signalfd_siginfo info;
    sigset_t set = signals_set();
    if (read(signal_fd, &info, sizeof(info)) == sizeof(info))
        log_info("broker.stopping", "signal=%s", signals_name(info.ssi_signo));
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}
