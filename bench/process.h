// SPDX-License-Identifier: BSD-2-Clause
// Memory of another process as the kernel shows it. Any thread.
#pragma once

#include <stdint.h>
#include <sys/types.h>

// A "Name:   123 kB" line of /proc/PID/`file`, in KiB; 0 when it is not there.
uint64_t process_kib(pid_t pid, const char *file, const char *name);
