// SPDX-License-Identifier: BSD-2-Clause
/*
 * Wires the parts: per-loop state, listeners, the door. Binding happens in net_start so that its
 * failure is the caller's; the listeners then move to the first loop by message.
 *
 * net_stop asks the door to drain, waits, asks it to kill, and waits again: for parked requests,
 * whose handlers must complete them when they are cancelled. If one never does, net says so and is
 * not freed; a process that is about to end loses nothing by that.
 */
#include "net/net.h"
#include "base/error.h"
#include "base/log.h"
#include "net/net_internal.h"

#include <assert.h>

#define NET_KILL_MS_MAX 5000 /* time for cancelled requests to complete */

static struct net *net_new(const struct net_config *config, size_t n_listeners)
{
    assert(config->n_loops > 0 && config->requests_in_flight_max > 0);
    assert(config->request_size_max > 0 && config->request_size_max <= INT32_MAX);
    struct net *net = xnew(struct net);
    net->config = *config;
    net->loops = xnew_n(struct loop *, config->n_loops);
    memcpy(net->loops, config->loops, config->n_loops * sizeof(*net->loops));
    net->config.loops = net->loops;
    net->net_loops = xnew_n(struct net_loop, config->n_loops);
    for (unsigned i = 0; i < config->n_loops; i++)
        net_loop_init(&net->net_loops[i], net, net->loops[i]);
    net->door.listeners = xnew_n(struct listener, n_listeners);
    net->door.per_loop = xnew_n(unsigned, config->n_loops);
    pthread_condattr_t clock;
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&net->emptied, &clock);
    pthread_condattr_destroy(&clock);
    pthread_mutex_init(&net->lock, NULL);
    return net;
}

static void net_destroy(struct net *net)
{
    for (size_t i = 0; i < net->door.n_listeners; i++) {
        listener_close(&net->door.listeners[i]);
        free(net->door.listeners[i].name);
    }
    door_deinit(&net->door);
    for (unsigned i = 0; i < net->config.n_loops; i++)
        net_loop_deinit(&net->net_loops[i]);
    pthread_cond_destroy(&net->emptied);
    pthread_mutex_destroy(&net->lock);
    free(net->net_loops);
    free(net->loops);
    free(net);
}

static void net_on_start(struct loop_msg *msg)
{
    struct net *net = container_of(msg, struct net, start_msg);
    for (size_t i = 0; i < net->door.n_listeners; i++)
        listener_watch(&net->door.listeners[i]);
}

int net_start(const struct net_config *config, const struct net_listener_config *listeners,
    size_t n_listeners, uint16_t *ret_ports, struct net **ret_net)
{
    struct net *net = net_new(config, n_listeners);
    for (size_t i = 0; i < n_listeners; i++) {
        net->door.n_listeners++;
        int r = listener_open(&net->door.listeners[i], net, &listeners[i]);
        if (r < 0) {
            net_destroy(net);
            return error_trace(r);
        }
    }
    for (size_t i = 0; i < n_listeners; i++)
        ret_ports[i] = net->door.listeners[i].port;
    *ret_net = net;
    loop_post(net->loops[0], &net->start_msg, net_on_start);
    return 0;
}

/* --- sockets from elsewhere --- */

struct net_adoption {
    struct loop_msg msg;
    struct net *net;
    int fd;
};

static void net_on_adopt(struct loop_msg *msg)
{
    struct net_adoption *adoption = container_of(msg, struct net_adoption, msg);
    struct door *door = &adoption->net->door;
    door_admit(adoption->net, door->n_listeners > 0 ? &door->listeners[0] : NULL, adoption->fd);
    free(adoption);
}

void net_adopt(struct net *net, int take_fd)
{
    struct net_adoption *adoption = xnew(struct net_adoption);
    adoption->net = net;
    adoption->fd = take_fd;
    loop_post(net->loops[0], &adoption->msg, net_on_adopt);
}

/* --- the end --- */

/* True when everybody has left within the time. */
static bool net_wait_empty(struct net *net, int64_t wait_ms)
{
    int64_t until_ms = env_monotonic_ms(env_posix()) + wait_ms;
    struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};
    pthread_mutex_lock(&net->lock);
    int r = 0;
    while (!net->empty && r == 0)
        r = pthread_cond_timedwait(&net->emptied, &net->lock, &until);
    bool empty = net->empty;
    pthread_mutex_unlock(&net->lock);
    return empty;
}

void net_stop(struct net *net, int64_t grace_ms)
{
    assert(loop_current() == NULL);
    loop_post(net->loops[0], &net->stop_msg, door_on_stop);
    if (net_wait_empty(net, grace_ms))
        return;
    loop_post(net->loops[0], &net->kill_msg, door_on_kill);
    if (!net_wait_empty(net, NET_KILL_MS_MAX))
        log_error("net.stuck", "requests that were cancelled %d ms ago have not completed",
            NET_KILL_MS_MAX);
}

void net_free(struct net *net)
{
    if (net == NULL)
        return;
    pthread_mutex_lock(&net->lock);
    bool empty = net->empty;
    pthread_mutex_unlock(&net->lock);
    if (empty)
        net_destroy(net);
}

void net_get_stats(struct net *net, struct net_stats *ret_stats)
{
    struct net_stats stats = {0};
    for (unsigned i = 0; i < net->config.n_loops; i++) {
        struct net_loop *nl = &net->net_loops[i];
        stats.connections += atomic_load_explicit(&nl->connections, memory_order_relaxed);
        stats.connections_total +=
            atomic_load_explicit(&nl->connections_total, memory_order_relaxed);
        stats.requests_total += atomic_load_explicit(&nl->requests_total, memory_order_relaxed);
        stats.bytes_in_total += atomic_load_explicit(&nl->bytes_in, memory_order_relaxed);
        stats.bytes_out_total += atomic_load_explicit(&nl->bytes_out, memory_order_relaxed);
    }
    *ret_stats = stats;
}
