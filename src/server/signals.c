// SPDX-License-Identifier: BSD-2-Clause
#include "server/signals.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/error.h"
#include "base/log.h"

static sigset_t signals_set(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    return set;
}

int signals_take(void)
{
    sigset_t set = signals_set();
    signal(SIGPIPE, SIG_IGN);
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
        log_info("broker.stopping", "signal=%s", info.ssi_signo == SIGTERM ? "SIGTERM" : "SIGINT");
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}
