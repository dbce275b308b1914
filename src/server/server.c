// SPDX-License-Identifier: BSD-2-Clause
/*
 * server: start and stop in order.
 *
 *   env -> offload -> loops -> broker_new (blocking) -> threads -> broker_start -> net_start
 *
 * Listeners are bound last, when every partition is open and every group loaded, so that a TCP
 * connect means ready. Stopping goes backwards. A start that fails halfway stops what had begun.
 */
#include "server/server.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "api/api_table.h"
#include "api/api_versions.h"
#include "base/error.h"
#include "base/log.h"
#include "broker/broker.h"
#include "loop/offload.h"
#include "net/net.h"
#include "server/ready_file.h"
#include "server/signals.h"

#define OFFLOAD_THREADS     4
#define STOP_GRACE_MS       2000
#define OUTPUT_SIZE_MAX     ((size_t)8 << 20)
#define MEMORY_PER_LOOP_MIN ((size_t)16 << 20)
#define FRAME_MS_MAX        120000

struct server {
    struct env *env;
    bool ephemeral;
    struct offload *offload;
    struct loop **loops;
    pthread_t *threads;
    unsigned loops_count, threads_count;
    struct broker *broker;
    bool broker_started;
    struct net *net;
    int event_fd; /* the loops tell the main thread that something is done */
    const char *ready_file;
};

static void *server_thread(void *arg)
{
    loop_run(arg);
    return NULL;
}

static int server_run_threads(struct server *server)
{
    server->threads = xnew_n(pthread_t, server->loops_count);
    for (unsigned i = 0; i < server->loops_count; i++) {
        int error = pthread_create(&server->threads[i], NULL, server_thread, server->loops[i]);
        if (error != 0) {
            log_error("loop.unstartable", "error=%s", log_errno(error).str);
            return -error;
        }
        char name[16];
        snprintf(name, sizeof(name), "loop-%u", i);
        pthread_setname_np(server->threads[i], name);
        server->threads_count++;
    }
    return 0;
}

static void server_on_done(void *ctx)
{
    struct server *server = ctx;
    uint64_t one = 1;
    ssize_t size = write(server->event_fd, &one, sizeof(one));
    assert(size == sizeof(one));
}

/* Waits for server_on_done. > 0: a signal came first (signal_fd >= 0); what was waited for is done
 * all the same, and another signal ends the process. */
static int server_wait(struct server *server, int signal_fd)
{
    struct pollfd fds[2] = {{server->event_fd, POLLIN, 0}, {signal_fd, POLLIN, 0}};
    for (;;) {
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            return error_errno();
        if ((fds[1].revents & POLLIN) != 0) {
            signals_release(signal_fd);
            fds[1].fd = -1;
            fds[1].revents = 0;
        }
        uint64_t count;
        if ((fds[0].revents & POLLIN) != 0 &&
            read(server->event_fd, &count, sizeof(count)) == sizeof(count))
            return signal_fd >= 0 && fds[1].fd < 0;
    }
}

/* --- net --- */

static struct loop *server_home_loop(void *context, struct slice group)
{
    return broker_group_home(context, group);
}

static void server_on_conn_close(void *context, const struct conn_info *conn)
{
    broker_on_conn_close(context, conn->id);
}

static size_t memory_per_loop(const struct broker_settings *settings)
{
    size_t share = (size_t)(settings->net.memory_max / settings->loops_count);
    size_t least = (size_t)settings->net.request_size_max < MEMORY_PER_LOOP_MIN
                       ? MEMORY_PER_LOOP_MIN
                       : settings->net.request_size_max;
    return share < least ? least : share;
}

static void server_say_ready(
    struct server *server, const struct broker_settings *settings, const uint16_t *ports)
{
    struct buffer addresses = BUFFER_NULL, lines = BUFFER_NULL;
    size_t nodes_count = (size_t)settings->nodes_count;
    for (size_t i = 0; i < settings->listeners_count * nodes_count; i++) {
        const struct listener_settings *listener = &settings->listeners[i / nodes_count];
        const char *host = listener->host[0] == '\0' || strcmp(listener->host, "0.0.0.0") == 0 ||
                                   strcmp(listener->host, "::") == 0
                               ? "127.0.0.1"
                               : listener->host;
        bool v6 = strchr(host, ':') != NULL;
        buffer_printf(&lines, "%s://%s%s%s:%u\n", listener->name, v6 ? "[" : "", host,
            v6 ? "]" : "", (unsigned)ports[i]);
        buffer_printf(&addresses, "%s%s://%s:%u", i == 0 ? "" : ",", listener->name,
            listener->host[0] == '\0' ? "*" : listener->host, (unsigned)ports[i]);
    }
    log_info("broker.ready",
        "version=" ODRADEK_VERSION " listeners=%.*s node=%d cluster=%s data=%s profile=%s loops=%u",
        SLICE_FMT(buffer_slice(&addresses)), (int)broker_id(server->broker),
        broker_cluster_id(server->broker),
        settings->ephemeral ? "memory" : log_quote(slice_from_str(settings->data_dir)).str,
        settings->dev ? "dev" : "strict", server->loops_count);
    if (server->ready_file != NULL) {
        int r = ready_file_write(server->ready_file, buffer_slice(&lines));
        if (r < 0)
            log_error("ready_file.unwritable", "file=%s error=%s",
                log_quote(slice_from_str(server->ready_file)).str, log_errno(-r).str);
    }
    buffer_deinit(&addresses);
    buffer_deinit(&lines);
}

static int server_listen(struct server *server, const struct broker_settings *settings)
{
    size_t nodes_count = (size_t)settings->nodes_count;
    size_t count = settings->listeners_count * nodes_count;
    struct net_listener_config *listeners = xnew_n(struct net_listener_config, count);
    uint16_t *ports = broker_ports(server->broker);
    for (size_t i = 0; i < count; i++) {
        const struct listener_settings *listener = &settings->listeners[i / nodes_count];
        size_t node = i % nodes_count;
        listeners[i] = (struct net_listener_config){.name = listener->name,
            .host = listener->host,
            .port = (uint16_t)(listener->port == 0 ? 0 : listener->port + node),
            .tag = (int)node};
    }
    struct net_config config = {
        .env = server->env,
        .loops = server->loops,
        .n_loops = server->loops_count,
        .apis = api_table,
        .n_apis = api_table_count,
        .context = server->broker,
        .request_size_max = settings->net.request_size_max,
        .memory_max = memory_per_loop(settings),
        .requests_in_flight_max = settings->net.requests_in_flight_max,
        .output_size_max = OUTPUT_SIZE_MAX,
        .idle_ms_max = settings->net.idle_ms_max,
        .frame_ms_max = FRAME_MS_MAX,
        .connections_max = settings->net.connections_max,
        .connections_per_ip_max = settings->net.connections_per_ip_max,
        .send_buffer_size = settings->net.send_buffer_size,
        .receive_buffer_size = settings->net.receive_buffer_size,
        .trace = settings->trace,
        .home_loop = server_home_loop,
        .unsupported = api_versions_unsupported,
        .on_conn_close = server_on_conn_close,
    };
    int r = net_start(&config, listeners, count, ports, &server->net);
    if (r == -EADDRINUSE)
        log_error("listener.taken",
            "text=\"the port is in use: stop the program that has it, or choose another one, for "
            "instance --override listeners=PLAINTEXT://:19092\"");
    if (r >= 0)
        server_say_ready(server, settings, ports);
    free(listeners);
    return r;
}

/* --- start and stop --- */

static int server_start_parts(
    struct server *server, const struct server_params *params, int signal_fd)
{
    struct broker_settings *settings = params->settings;
    server->offload = offload_new(OFFLOAD_THREADS);
    server->loops = xnew_n(struct loop *, settings->loops_count);
    for (unsigned i = 0; i < settings->loops_count; i++)
        server->loops[i] = loop_new(server->env, i);
    server->loops_count = settings->loops_count;
    struct broker_params broker = {
        .env = server->env,
        .offload = server->offload,
        .loops = server->loops,
        .loops_count = server->loops_count,
        .config = params->config,
        .settings = settings,
        .cluster_id = params->cluster_id,
        .data_dir = settings->ephemeral ? "/odradek" : settings->data_dir,
    };
    int r = broker_new(&broker, &server->broker);
    if (r < 0)
        return r;
    r = server_run_threads(server);
    if (r < 0)
        return r;
    server->broker_started = true;
    broker_start(server->broker, server_on_done, server);
    r = server_wait(server, signal_fd);
    if (r != 0)
        return r;
    return server_listen(server, settings);
}

int server_start(const struct server_params *params, int signal_fd, struct server **ret_server)
{
    struct server *server = xnew(struct server);
    server->ephemeral = params->settings->ephemeral;
    server->env = server->ephemeral ? env_memory_new(env_posix()) : env_posix();
    server->ready_file = params->ready_file;
    server->event_fd = eventfd(0, EFD_CLOEXEC);
    int r = server->event_fd < 0 ? error_errno() : server_start_parts(server, params, signal_fd);
    if (r != 0) {
        server_stop(server);
        return r;
    }
    *ret_server = server;
    return 0;
}

static void server_stop_loops(struct server *server)
{
    for (unsigned i = 0; i < server->threads_count; i++)
        loop_stop(server->loops[i]);
    for (unsigned i = 0; i < server->threads_count; i++)
        pthread_join(server->threads[i], NULL);
    free(server->threads);
}

void server_stop(struct server *server)
{
    if (server->net != NULL) {
        broker_drain(server->broker);
        net_stop(server->net, STOP_GRACE_MS);
    }
    if (server->broker_started) {
        broker_stop(server->broker, server_on_done, server);
        int r = server_wait(server, -1);
        assert(r == 0);
    }
    server_stop_loops(server);
    if (server->net != NULL)
        net_free(server->net);
    if (server->offload != NULL)
        offload_free(server->offload);
    broker_free(server->broker);
    for (unsigned i = 0; i < server->loops_count; i++)
        loop_free(server->loops[i]);
    free(server->loops);
    if (server->ephemeral)
        env_memory_free(server->env);
    if (server->ready_file != NULL)
        unlink(server->ready_file);
    if (server->event_fd >= 0)
        close(server->event_fd);
    free(server);
}
