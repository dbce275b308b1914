// SPDX-License-Identifier: BSD-2-Clause
// Clocks of the bench: monotonic time in nanoseconds and the CPU time of this or another process.
// Any thread. CPU times come from the kernel's own accounting of all threads of the process.
#pragma once

#include <stdint.h>
#include <sys/types.h>

// Monotonic nanoseconds.
uint64_t clock_now_ns(void);

// Sleeps until the monotonic `deadline_ns`; returns at once when it has passed.
void clock_sleep_until_ns(uint64_t deadline_ns);

// CPU nanoseconds (user and system) that process `pid` has used; 0 when pid is 0 or gone.
uint64_t clock_cpu_ns(pid_t pid);

// CPU nanoseconds of the calling process.
uint64_t clock_self_cpu_ns(void);
