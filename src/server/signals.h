// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/* signals: the first SIGTERM or SIGINT asks for a clean stop, a second one ends the process at
 * once. Main thread; taken before other threads start, which then never see them. */

/* A descriptor that becomes readable with the first signal; -errno. */
int signals_take(void);
/* Logs the pending signal; from here on another one ends the process. */
void signals_release(int signal_fd);
