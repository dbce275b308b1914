// SPDX-License-Identifier: BSD-2-Clause
// The broker as a process that is started, killed and started again over one directory. One thread.
#pragma once

#include "page.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define VICTIM_PATH_MAX 512

struct victim {
    const char *broker, *preload;
    char dir[VICTIM_PATH_MAX]; // holds data/, ready, log, page
    struct faults_page *page;
    pid_t pid; // 0: not running
    uint16_t port;
    double ready_ms; // the last start
};

int victim_init(struct victim *victim, const char *broker, const char *preload, const char *dir);
void victim_deinit(struct victim *victim);
// An empty directory, and no call counted.
void victim_fresh(struct victim *victim);
// Kills at this call from now on (0: never).
void victim_doom(struct victim *victim, uint64_t call, bool after);

enum { VICTIM_DIED = 1, VICTIM_FAILED = 2 };
// 0: accepts connections, VICTIM_DIED: SIGKILL came first, VICTIM_FAILED: ended by itself or hangs.
int victim_start(struct victim *victim);
// Waits for the end; the status of waitpid.
int victim_wait(struct victim *victim);
// Asks it to stop and waits. 0: status 0, VICTIM_DIED, VICTIM_FAILED.
int victim_stop(struct victim *victim);
void victim_kill(struct victim *victim);
// Whether its log has a line of level error since the directory was made fresh.
bool victim_complained(const struct victim *victim, char *ret_line, size_t size);
