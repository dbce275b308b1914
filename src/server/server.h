// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * server: everything that runs, wired together: environment, loops and their threads, offload pool,
 * broker, net. Main thread only.
 */
#include "broker/config/settings.h"

struct server;

struct server_params {
    const struct config *config; /* checked */
    struct broker_settings *settings;
    const char *cluster_id; /* NULL: none in particular */
    const char *ready_file; /* NULL: none */
};

/* Opens the data, starts the loops, binds the listeners, says so. Blocks until clients can connect.
 * > 0: a signal came meanwhile (signals_take's descriptor became readable); all is stopped again.
 * -errno after a log line. */
int server_start(const struct server_params *params, int signal_fd, struct server **ret_server);
/* Lets requests in flight finish, closes the data cleanly, frees everything. */
void server_stop(struct server *server);
