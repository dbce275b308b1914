// SPDX-License-Identifier: BSD-2-Clause
/*
 * Connections are accepted on the first loop and handed over, rather than by one SO_REUSEPORT
 * socket per loop: the kernel's hash spreads the few connections of a typical application
 * unevenly (two of two on one loop half of the time), handing over costs the same, a port that is
 * in use by another process is noticed, and the limits need no lock, since everybody comes and goes
 * through here. The loop with the fewest connections gets the next one.
 *
 * A stop is told from here too, so that on each loop it comes after the connections sent there.
 */
#include "net/door.h"
#include "base/log.h"
#include "net/conn.h"
#include "net/net_internal.h"

#include <assert.h>

#define REFUSAL_LINE_INTERVAL_MS 1000

void door_deinit(struct door *door)
{
    assert(door->count == 0 && door->addresses.count == 0);
    map_deinit(&door->addresses);
    free(door->per_loop);
    free(door->listeners);
}

static struct slice door_key(const struct door_address *address)
{
    return slice_make(address->key, ADDRESS_KEY_SIZE);
}

static struct door_address *door_enter_address(struct door *door, const uint8_t *key)
{
    struct door_address *address = map_get(&door->addresses, slice_make(key, ADDRESS_KEY_SIZE));
    if (address == NULL) {
        address = xnew(struct door_address);
        memcpy(address->key, key, ADDRESS_KEY_SIZE);
        map_put(&door->addresses, door_key(address), address);
    }
    address->count++;
    return address;
}

static void door_leave_address(struct door *door, struct door_address *address)
{
    assert(address->count > 0);
    if (--address->count > 0)
        return;
    map_remove(&door->addresses, door_key(address));
    free(address);
}

/* The limit that is reached, or NULL. */
static const char *door_full(struct net *net, const uint8_t *key)
{
    const struct net_config *config = &net->config;
    if (net->door.count >= config->connections_max)
        return "max.connections";
    const struct door_address *address =
        map_get(&net->door.addresses, slice_make(key, ADDRESS_KEY_SIZE));
    if (address != NULL && address->count >= config->connections_per_ip_max)
        return "max.connections.per.ip";
    return config->connections_per_ip_max == 0 ? "max.connections.per.ip" : NULL;
}

static unsigned door_choose_loop(struct net *net)
{
    struct door *door = &net->door;
    unsigned n = net->config.n_loops, best = door->next_loop;
    for (unsigned i = 1; i < n; i++) {
        unsigned candidate = (door->next_loop + i) % n;
        if (door->per_loop[candidate] < door->per_loop[best])
            best = candidate;
    }
    door->next_loop = (best + 1) % n;
    return best;
}

static void door_refuse(struct net *net, const struct listener *listener,
    const struct sockaddr_storage *peer, const char *limit)
{
    static struct log_limit line;
    char host[64];
    address_print(peer, host, sizeof(host));
    if (log_limit_pass(&line, REFUSAL_LINE_INTERVAL_MS))
        log_warn("conn.limit", "peer=%s listener=%s limit=%s connections=%u", host,
            listener == NULL ? "none" : listener->name, limit, net->door.count);
}

void door_admit(struct net *net, const struct listener *listener, int take_fd)
{
    struct env *env = net->config.env;
    struct sockaddr_storage peer = {0};
    socklen_t size;
    uint8_t key[ADDRESS_KEY_SIZE];
    (void)env->ops->sock_address(env, take_fd, true, &peer, &size); /* gone already: all zero */
    address_key(&peer, key);
    const char *limit = net->door.stopping ? "stopping" : door_full(net, key);
    if (limit != NULL) {
        door_refuse(net, listener, &peer, limit);
        env->ops->sock_close(env, take_fd);
        return;
    }
    unsigned index = door_choose_loop(net);
    struct conn *conn = conn_new(net, &net->net_loops[index], listener, take_fd);
    conn->address = door_enter_address(&net->door, key);
    conn->loop_index = index;
    net->door.per_loop[index]++;
    net->door.count++;
    conn_send_home(conn);
}

static void door_report_empty(struct net *net)
{
    if (!net->door.stopping || net->door.count > 0 || net->door.pending > 0)
        return;
    pthread_mutex_lock(&net->lock);
    net->empty = true;
    pthread_cond_signal(&net->emptied);
    pthread_mutex_unlock(&net->lock);
}

void door_on_leave(struct loop_msg *msg)
{
    struct conn *conn = container_of(msg, struct conn, move_msg);
    struct net *net = conn->net;
    struct door *door = &net->door;
    loop_assert_owner(net->loops[0]);
    assert(door->count > 0 && door->per_loop[conn->loop_index] > 0);
    door->count--;
    door->per_loop[conn->loop_index]--;
    door_leave_address(door, conn->address);
    free(conn);
    door_report_empty(net);
}

/* --- stopping --- */

static void door_on_stop_done(struct loop_msg *msg)
{
    struct net_loop *nl = container_of(msg, struct net_loop, stop_msg);
    nl->net->door.pending--;
    door_report_empty(nl->net);
}

static void door_on_drain(struct loop_msg *msg)
{
    struct net_loop *nl = container_of(msg, struct net_loop, stop_msg);
    struct conn *conn;
    nl->draining = true;
    timer_stop(&nl->trim);
    list_for_each_entry (conn, &nl->conns, link)
        conn_schedule(conn);
    loop_post(nl->net->loops[0], msg, door_on_stop_done);
}

void door_on_stop(struct loop_msg *msg)
{
    struct net *net = container_of(msg, struct net, stop_msg);
    struct door *door = &net->door;
    for (size_t i = 0; i < door->n_listeners; i++)
        listener_close(&door->listeners[i]);
    door->stopping = true;
    for (unsigned i = 0; i < net->config.n_loops; i++) {
        door->pending++;
        loop_post(net->loops[i], &net->net_loops[i].stop_msg, door_on_drain);
    }
}

static void door_on_kill_done(struct loop_msg *msg)
{
    struct net_loop *nl = container_of(msg, struct net_loop, kill_msg);
    nl->net->door.pending--;
    door_report_empty(nl->net);
}

static void door_on_kill_loop(struct loop_msg *msg)
{
    struct net_loop *nl = container_of(msg, struct net_loop, kill_msg);
    struct conn *conn;
    list_for_each_entry (conn, &nl->conns, link) {
        if (conn->state == CONN_OPEN)
            conn_close(conn, "the broker stops");
    }
    loop_post(nl->net->loops[0], msg, door_on_kill_done);
}

void door_on_kill(struct loop_msg *msg)
{
    struct net *net = container_of(msg, struct net, kill_msg);
    for (unsigned i = 0; i < net->config.n_loops; i++) {
        net->door.pending++;
        loop_post(net->loops[i], &net->net_loops[i].kill_msg, door_on_kill_loop);
    }
}
