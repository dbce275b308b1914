// SPDX-License-Identifier: BSD-2-Clause
/*
 * advertise: what a client is told to connect to. advertised.listeners decides when it is set. Else
 * it is the address that the client came in on, which it can evidently reach. One case needs a
 * guess: inside a container, a connection that comes from the network's gateway was made to a
 * mapped port of the host, most likely by a program on the host, for which the container's own
 * address may be out of reach; it is told "localhost".
 */
#include <arpa/inet.h>
#include <assert.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <unistd.h>

#include "broker/broker_internal.h"
#include "broker/config/listeners.h"

/* The IPv4 default gateway from the kernel's route table; false when there is none. */
static bool gateway_read(struct in_addr *ret_gateway)
{
    FILE *routes = fopen("/proc/net/route", "re");
    char line[256];
    bool found = false;
    if (routes == NULL)
        return false;
    while (!found && fgets(line, sizeof(line), routes) != NULL) {
        uint32_t destination, gateway;
        if (sscanf(line, "%*s %" SCNx32 " %" SCNx32, &destination, &gateway) == 2 &&
            destination == 0 && gateway != 0) {
            ret_gateway->s_addr = gateway; /* in network order already */
            found = true;
        }
    }
    fclose(routes);
    return found;
}

void advertise_init(struct broker *broker)
{
    struct in_addr gateway;
    broker->ports =
        xnew_n(uint16_t, broker->settings->listeners_count * (size_t)broker->settings->nodes_count);
    bool container = access("/.dockerenv", F_OK) == 0 || access("/run/.containerenv", F_OK) == 0;
    if (!container || !gateway_read(&gateway))
        return;
    broker->gateway = xnew(struct sockaddr_storage);
    *(struct sockaddr_in *)broker->gateway =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = gateway};
}

/* The IPv4 address, also of an IPv6 socket that carries IPv4. */
static bool address_ipv4(const struct sockaddr_storage *address, struct in_addr *ret_ipv4)
{
    if (address->ss_family == AF_INET) {
        *ret_ipv4 = ((const struct sockaddr_in *)address)->sin_addr;
        return true;
    }
    const struct in6_addr *in6 = &((const struct sockaddr_in6 *)address)->sin6_addr;
    if (address->ss_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(in6))
        return false;
    memcpy(&ret_ipv4->s_addr, in6->s6_addr + 12, sizeof(ret_ipv4->s_addr));
    return true;
}

static bool address_is_gateway(const struct broker *broker, const struct sockaddr_storage *peer)
{
    struct in_addr ipv4, gateway;
    return broker->gateway != NULL && address_ipv4(peer, &ipv4) &&
           address_ipv4(broker->gateway, &gateway) && ipv4.s_addr == gateway.s_addr;
}

static uint16_t address_port(const struct sockaddr_storage *address)
{
    static_assert(
        offsetof(struct sockaddr_in, sin_port) == offsetof(struct sockaddr_in6, sin6_port),
        "the port is at one place");
    return ntohs(((const struct sockaddr_in *)address)->sin_port);
}

static void address_host(const struct sockaddr_storage *address, char *ret_host)
{
    struct in_addr ipv4;
    const char *text;
    if (address_is_loopback(address)) {
        snprintf(ret_host, ADVERTISED_HOST_SIZE, "localhost");
        return;
    }
    if (address_ipv4(address, &ipv4))
        text = inet_ntop(AF_INET, &ipv4, ret_host, ADVERTISED_HOST_SIZE);
    else
        text = inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)address)->sin6_addr, ret_host,
            ADVERTISED_HOST_SIZE);
    if (text == NULL)
        snprintf(ret_host, ADVERTISED_HOST_SIZE, "localhost");
}

static const struct listener_settings *listener_of(
    const struct broker_settings *settings, const char *name)
{
    for (size_t i = 0; i < settings->listeners_count; i++) {
        if (strcmp(settings->listeners[i].name, name) == 0)
            return &settings->listeners[i];
    }
    return NULL;
}

/* The port of another virtual broker: the one that it is bound to, or as far from the advertised
 * one as its listener is from the first. */
static uint16_t advertised_port(const struct broker *broker,
    const struct listener_settings *listener, int32_t node, const struct sockaddr_storage *local)
{
    const struct broker_settings *settings = broker->settings;
    if (listener == NULL)
        return address_port(local);
    int32_t index = node - broker->node_id;
    assert(index >= 0 && index < settings->nodes_count);
    if (listener->advertised_port != 0)
        return (uint16_t)(listener->advertised_port + index);
    const uint16_t *bound =
        &broker->ports[(listener - settings->listeners) * settings->nodes_count];
    return settings->nodes_count == 1 || bound[index] == 0 ? address_port(local) : bound[index];
}

void broker_advertise(struct broker *broker, const char *listener, int32_t node,
    const struct sockaddr_storage *local, const struct sockaddr_storage *peer, char *ret_host,
    uint16_t *ret_port)
{
    const struct listener_settings *settings = listener_of(broker->settings, listener);
    *ret_port = advertised_port(broker, settings, node, local);
    if (settings != NULL && settings->advertised_host != NULL)
        snprintf(ret_host, ADVERTISED_HOST_SIZE, "%s", settings->advertised_host);
    else if (address_is_gateway(broker, peer))
        snprintf(ret_host, ADVERTISED_HOST_SIZE, "localhost");
    else
        address_host(local, ret_host);
}
