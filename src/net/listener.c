// SPDX-License-Identifier: BSD-2-Clause
/*
 * One socket per address that the host stands for: "" is "::" (which takes IPv4 as well) or, where
 * there is no IPv6, 0.0.0.0; "localhost" is both loopbacks, since clients resolve it either way.
 * All sockets of a listener share one port, the one the first got. The first must succeed, the
 * others may fail (a machine without IPv6).
 *
 * When descriptors run out, accepting pauses: a level-triggered listener would spin otherwise.
 */
#include "net/listener.h"
#include "base/error.h"
#include "base/log.h"
#include "net/address.h"
#include "net/net_internal.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>

#define LISTENER_BACKLOG          1024
#define LISTENER_ACCEPTS_PER_TURN 64
#define LISTENER_PAUSE_MS         100

/* --- addresses --- */

struct listener_addresses {
    struct sockaddr_storage address[LISTENER_SOCKETS_MAX];
    unsigned count;
};

static socklen_t listener_address_size(const struct sockaddr_storage *address)
{
    return address->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                          : sizeof(struct sockaddr_in);
}

static void listener_set_port(struct sockaddr_storage *address, uint16_t port)
{
    if (address->ss_family == AF_INET6)
        ((struct sockaddr_in6 *)address)->sin6_port = htons(port);
    else
        ((struct sockaddr_in *)address)->sin_port = htons(port);
}

/* False when `host` is no number. */
static bool listener_add_numeric(struct listener_addresses *found, const char *host)
{
    struct sockaddr_storage *address = &found->address[found->count];
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)address;
    struct sockaddr_in *v4 = (struct sockaddr_in *)address;
    *address = (struct sockaddr_storage){0};
    if (inet_pton(AF_INET, host, &v4->sin_addr) == 1)
        address->ss_family = AF_INET;
    else if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1)
        address->ss_family = AF_INET6;
    else
        return false;
    found->count++;
    return true;
}

static int listener_resolve_name(struct listener_addresses *found, const char *host)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *list;
    int r = getaddrinfo(host, NULL, &hints, &list);
    if (r != 0) {
        log_error("listener.unresolved", "host=%s error=\"%s\"",
            log_quote(slice_from_str(host)).str, gai_strerror(r));
        return -EADDRNOTAVAIL;
    }
    for (struct addrinfo *one = list; one != NULL && found->count < LISTENER_SOCKETS_MAX;
         one = one->ai_next) {
        if (one->ai_family == AF_INET || one->ai_family == AF_INET6)
            memcpy(&found->address[found->count++], one->ai_addr, one->ai_addrlen);
    }
    freeaddrinfo(list);
    return found->count > 0 ? 0 : -EADDRNOTAVAIL;
}

static int listener_resolve(struct listener_addresses *found, const char *host)
{
    found->count = 0;
    if (host == NULL || host[0] == '\0')
        listener_add_numeric(found, "::");
    else if (strcmp(host, "localhost") == 0)
        return listener_add_numeric(found, "127.0.0.1") && listener_add_numeric(found, "::1")
                   ? 0
                   : -EINVAL;
    else if (!listener_add_numeric(found, host))
        return listener_resolve_name(found, host);
    return 0;
}

/* --- binding --- */

static int listener_bind(struct listener *listener, struct sockaddr_storage *address, uint16_t port)
{
    struct env *env = listener->net->config.env;
    listener_set_port(address, port);
    int fd = env->ops->sock_listen(
        env, (struct sockaddr *)address, listener_address_size(address), LISTENER_BACKLOG, false);
    if (fd < 0)
        return fd;
    struct sockaddr_storage bound;
    socklen_t size;
    int r = env->ops->sock_address(env, fd, false, &bound, &size);
    if (r < 0) {
        env->ops->sock_close(env, fd);
        return r;
    }
    listener->port = address_port(&bound);
    listener->sockets[listener->n_sockets++] =
        (struct listener_socket){.listener = listener, .fd = fd, .io = {.fd = -1}};
    return 0;
}

static int listener_bind_all(
    struct listener *listener, struct listener_addresses *found, uint16_t port, bool any)
{
    int r = listener_bind(listener, &found->address[0], port);
    if (r < 0 && any && (r == -EAFNOSUPPORT || r == -EADDRNOTAVAIL)) {
        found->count = 0;
        listener_add_numeric(found, "0.0.0.0");
        r = listener_bind(listener, &found->address[0], port);
    }
    if (r < 0)
        return r;
    for (unsigned i = 1; i < found->count; i++) {
        int other = listener_bind(listener, &found->address[i], listener->port);
        if (other < 0)
            log_debug("listener.partial", "listener=%s error=\"%s\"", listener->name,
                log_errno(-other).str);
    }
    return 0;
}

int listener_open(
    struct listener *listener, struct net *net, const struct net_listener_config *config)
{
    struct listener_addresses found;
    *listener = (struct listener){.net = net, .name = xstrdup(config->name), .tag = config->tag};
    int r = listener_resolve(&found, config->host);
    if (r == 0) {
        bool any = config->host == NULL || config->host[0] == '\0';
        r = listener_bind_all(listener, &found, config->port, any);
    }
    if (r < 0)
        log_error("listener.failed", "listener=%s host=%s port=%u error=\"%s\"", config->name,
            log_quote(slice_from_str(config->host)).str, config->port, log_errno(-r).str);
    return error_trace(r);
}

/* --- accepting --- */

static void listener_set_watch(struct listener *listener, unsigned events)
{
    for (unsigned i = 0; i < listener->n_sockets; i++)
        loop_io_watch(&listener->sockets[i].io, events);
}

static void listener_on_pause_over(struct timer *timer)
{
    listener_set_watch(container_of(timer, struct listener, pause), LOOP_IO_READ);
}

static void listener_pause(struct listener *listener, int r)
{
    static struct log_limit limit;
    if (log_limit_pass(&limit, 1000))
        log_warn("listener.paused", "listener=%s error=\"%s\"", listener->name, log_errno(-r).str);
    listener_set_watch(listener, 0);
    timer_start(
        &listener->pause, listener->net->loops[0], LISTENER_PAUSE_MS, listener_on_pause_over);
}

static void listener_on_io(struct loop_io *io, unsigned events)
{
    struct listener_socket *socket = container_of(io, struct listener_socket, io);
    struct listener *listener = socket->listener;
    struct env *env = listener->net->config.env;
    (void)events;
    for (int i = 0; i < LISTENER_ACCEPTS_PER_TURN; i++) {
        struct sockaddr_storage peer;
        socklen_t size;
        int fd = env->ops->sock_accept(env, socket->fd, &peer, &size);
        if (fd >= 0) {
            door_admit(listener->net, listener, fd);
            continue;
        }
        if (fd == -EMFILE || fd == -ENFILE || fd == -ENOBUFS || fd == -ENOMEM)
            listener_pause(listener, fd);
        if (fd != -ECONNABORTED)
            return; /* nobody is left, or the network's trouble with one peer */
    }
}

void listener_watch(struct listener *listener)
{
    for (unsigned i = 0; i < listener->n_sockets; i++) {
        struct listener_socket *socket = &listener->sockets[i];
        int r = loop_io_start(&socket->io, listener->net->loops[0], socket->fd, listener_on_io);
        assert(r == 0);
        loop_io_watch(&socket->io, LOOP_IO_READ);
    }
}

void listener_close(struct listener *listener)
{
    struct env *env = listener->net->config.env;
    timer_stop(&listener->pause);
    for (unsigned i = 0; i < listener->n_sockets; i++) {
        loop_io_stop(&listener->sockets[i].io);
        env->ops->sock_close(env, listener->sockets[i].fd);
    }
    listener->n_sockets = 0;
}
