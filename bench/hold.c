// SPDX-License-Identifier: BSD-2-Clause
// What an idle connection costs: opens them all, lets each ask one ApiVersions, so that it has been
// in use, and compares the server's resident memory before and after. Failure modes: fewer
// descriptors than connections ends the program with the connect's error.
#include "mode.h"

#include "clock.h"
#include "net.h"
#include "process.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#define HOLD_SETTLE_NS 1000000000u

static void hold_raise_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static void hold_ask(struct net_conn *conn, const struct frame_buffer *request)
{
    const uint8_t *data;
    size_t size;

    net_send_all(conn->fd, request->data, request->size);
    net_await_frame(conn, &data, &size);
}

void hold_mode(const struct options *options)
{
    struct net_conn *conns = calloc(options->connections, sizeof(*conns));
    struct frame_buffer request = {0};
    uint64_t before_kib, after_kib;
    pid_t pid = (pid_t)options->pid;

    assert(conns != NULL);
    hold_raise_limit();
    frame_begin(&request, FRAME_API_API_VERSIONS, 0, false, 1);
    frame_end(&request);
    net_conn_init(
        &conns[0], net_must(net_connect(options->host, (uint16_t)options->port), "connect"));
    hold_ask(&conns[0], &request);
    before_kib = process_kib(pid, "status", "VmRSS:");
    for (uint32_t i = 1; i < options->connections; i++) {
        net_conn_init(
            &conns[i], net_must(net_connect(options->host, (uint16_t)options->port), "connect"));
        hold_ask(&conns[i], &request);
    }
    clock_sleep_until_ns(clock_now_ns() + HOLD_SETTLE_NS);
    after_kib = process_kib(pid, "status", "VmRSS:");
    printf("{\"mode\":\"hold\",\"connections\":%u,\"rss_before_kib\":%llu,\"rss_after_kib\":%llu,"
           "\"kib_per_connection\":%.3f}\n",
        options->connections, (unsigned long long)before_kib, (unsigned long long)after_kib,
        ((double)after_kib - (double)before_kib) / (double)options->connections);
    for (uint32_t i = 0; i < options->connections; i++)
        net_conn_deinit(&conns[i]);
    free(conns);
    frame_buffer_deinit(&request);
}
