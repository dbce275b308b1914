// SPDX-License-Identifier: BSD-2-Clause
/*
 * listeners: "NAME://host:port,..." for where to listen and what to advertise. A listener that
 * belongs to Kafka's controllers is accepted and left out; one whose protocol is not served yet is
 * refused with what to do about it.
 */
#include "broker/config/listeners.h"

#include <arpa/inet.h>
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#define LISTENERS_MAX 64

struct endpoint {
    struct slice name, host;
    uint16_t port;
};

static struct slice slice_trim(struct slice s)
{
    while (s.size > 0 && isspace(s.data[0]))
        s = slice_make(s.data + 1, s.size - 1);
    while (s.size > 0 && isspace(s.data[s.size - 1]))
        s.size--;
    return s;
}

/* The part before the next comma; empty parts (a trailing comma) are skipped. */
static bool list_take(struct slice *rest, struct slice *ret_item)
{
    while (rest->size > 0) {
        const uint8_t *comma = memchr(rest->data, ',', rest->size);
        size_t size = comma == NULL ? rest->size : (size_t)(comma - rest->data);
        struct slice item = slice_trim(slice_make(rest->data, size));
        *rest =
            slice_make(rest->data + size + (comma != NULL), rest->size - size - (comma != NULL));
        if (item.size > 0) {
            *ret_item = item;
            return true;
        }
    }
    return false;
}

static bool port_parse(struct slice text, uint16_t *ret_port)
{
    unsigned port = 0;
    if (text.size == 0 || text.size > 5)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        if (!isdigit(text.data[i]))
            return false;
        port = port * 10 + (unsigned)(text.data[i] - '0');
    }
    *ret_port = (uint16_t)port;
    return port <= UINT16_MAX;
}

/* NAME://host:port, NAME://[::1]:port, NAME://:port */
static bool endpoint_parse(struct slice text, struct endpoint *ret_endpoint)
{
    const uint8_t *end = text.data + text.size;
    const uint8_t *mark = memmem(text.data, text.size, "://", 3);
    if (mark == NULL || mark == text.data)
        return false;
    const uint8_t *colon = memrchr(mark + 3, ':', (size_t)(end - mark - 3));
    if (colon == NULL)
        return false;
    struct slice host = slice_make(mark + 3, (size_t)(colon - mark - 3));
    if (host.size >= 2 && host.data[0] == '[' && host.data[host.size - 1] == ']')
        host = slice_make(host.data + 1, host.size - 2);
    ret_endpoint->name = slice_make(text.data, (size_t)(mark - text.data));
    ret_endpoint->host = host;
    return port_parse(slice_make(colon + 1, (size_t)(end - colon - 1)), &ret_endpoint->port);
}

static struct config_value value_of(const struct config *config, const char *name)
{
    const struct config_key *key = config_key_find(slice_from_str(name), CONFIG_SCOPE_BROKER);
    assert(key != NULL);
    struct config_value value = config_get(config, key);
    if (value.value == NULL)
        value.value = "";
    return value;
}

static bool list_contains(const char *list, struct slice name)
{
    struct slice rest = slice_from_str(list), item;
    while (list_take(&rest, &item)) {
        if (item.size == name.size &&
            strncasecmp((const char *)item.data, (const char *)name.data, name.size) == 0)
            return true;
    }
    return false;
}

/* The protocol that the map gives a listener name, else the name itself. */
static struct slice protocol_of(const char *map, struct slice name)
{
    struct slice rest = slice_from_str(map), item;
    while (list_take(&rest, &item)) {
        const uint8_t *colon = memchr(item.data, ':', item.size);
        if (colon == NULL)
            continue;
        struct slice left = slice_trim(slice_make(item.data, (size_t)(colon - item.data)));
        if (left.size == name.size &&
            strncasecmp((const char *)left.data, (const char *)name.data, name.size) == 0)
            return slice_trim(slice_make(colon + 1, item.size - (size_t)(colon - item.data) - 1));
    }
    return name;
}

static bool endpoint_served(const struct config *config, const struct config_value *source,
    const struct endpoint *endpoint, struct buffer *ret_problem)
{
    struct config_value map = value_of(config, "listener.security.protocol.map");
    struct slice protocol = protocol_of(map.value, endpoint->name);
    static const char *const later[] = {"SSL", "SASL_PLAINTEXT", "SASL_SSL"};
    if (slice_equal_str(protocol, "PLAINTEXT"))
        return true;
    for (size_t i = 0; i < ARRAY_COUNT(later); i++) {
        if (!slice_equal_str(protocol, later[i]))
            continue;
        buffer_printf(ret_problem,
            "%s: listener %.*s speaks %s, which comes with a later version; only PLAINTEXT is "
            "served. Remove it from listeners or map it to PLAINTEXT.\n",
            source->where[0] == '\0' ? "default" : source->where, SLICE_FMT(endpoint->name),
            later[i]);
        return false;
    }
    buffer_printf(ret_problem,
        "%s: listener %.*s has no protocol: add %.*s:PLAINTEXT to listener.security.protocol.map.\n",
        source->where[0] == '\0' ? "default" : source->where, SLICE_FMT(endpoint->name),
        SLICE_FMT(endpoint->name));
    return false;
}

static int problem_endpoint(
    const struct config_value *source, struct slice item, struct buffer *ret_problem)
{
    buffer_printf(ret_problem,
        "%s: \"%.*s\" in %s is no listener: it must look like PLAINTEXT://localhost:9092 "
        "(NAME://host:port).\n",
        source->where[0] == '\0' ? "default" : source->where, SLICE_FMT(item), source->key->name);
    return -EINVAL;
}

static struct listener_settings *listener_find(
    struct listener_settings *listeners, size_t count, struct slice name)
{
    for (size_t i = 0; i < count; i++) {
        if (slice_equal_str(name, listeners[i].name))
            return &listeners[i];
    }
    return NULL;
}

static int listeners_parse_bound(const struct config *config, struct buffer *ret_problem,
    struct listener_settings *listeners, size_t *count)
{
    struct config_value source = value_of(config, "listeners");
    struct config_value controllers = value_of(config, "controller.listener.names");
    struct slice rest = slice_from_str(source.value), item;
    while (list_take(&rest, &item)) {
        struct endpoint endpoint;
        if (!endpoint_parse(item, &endpoint))
            return problem_endpoint(&source, item, ret_problem);
        if (list_contains(controllers.value, endpoint.name))
            continue;
        if (!endpoint_served(config, &source, &endpoint, ret_problem))
            return -EINVAL;
        if (listener_find(listeners, *count, endpoint.name) != NULL || *count == LISTENERS_MAX) {
            buffer_printf(ret_problem,
                "%s: listeners names %.*s twice, or more than %d listeners.\n", source.where,
                SLICE_FMT(endpoint.name), LISTENERS_MAX);
            return -EINVAL;
        }
        listeners[(*count)++] = (struct listener_settings){
            .name = xstrdup_slice(endpoint.name),
            .host = xstrdup_slice(endpoint.host),
            .port = endpoint.port,
        };
    }
    if (*count > 0)
        return 0;
    buffer_printf(ret_problem,
        "%s: listeners (\"%s\") leaves no listener for clients: add one, such as "
        "PLAINTEXT://:9092.\n",
        source.where[0] == '\0' ? "default" : source.where, source.value);
    return -EINVAL;
}

static int listeners_parse_advertised(const struct config *config, struct buffer *ret_problem,
    struct listener_settings *listeners, size_t count)
{
    struct config_value source = value_of(config, "advertised.listeners");
    struct config_value controllers = value_of(config, "controller.listener.names");
    struct slice rest = slice_from_str(source.value), item;
    while (list_take(&rest, &item)) {
        struct endpoint endpoint;
        if (!endpoint_parse(item, &endpoint))
            return problem_endpoint(&source, item, ret_problem);
        if (list_contains(controllers.value, endpoint.name))
            continue;
        struct listener_settings *listener = listener_find(listeners, count, endpoint.name);
        if (listener == NULL) {
            buffer_printf(ret_problem,
                "%s: advertised.listeners names %.*s, which is none of listeners (\"%s\").\n",
                source.where, SLICE_FMT(endpoint.name), value_of(config, "listeners").value);
            return -EINVAL;
        }
        if (slice_equal_str(endpoint.host, "0.0.0.0") || slice_equal_str(endpoint.host, "::")) {
            buffer_printf(ret_problem,
                "%s: advertised.listeners cannot say \"%.*s\": no client can connect to that "
                "address. Name a host that clients reach.\n",
                source.where, SLICE_FMT(endpoint.host));
            return -EINVAL;
        }
        free(listener->advertised_host);
        listener->advertised_host = endpoint.host.size > 0 ? xstrdup_slice(endpoint.host) : NULL;
        listener->advertised_port = endpoint.port;
    }
    return 0;
}

/* Strict: what Kafka does without advertised.listeners. */
static void listener_advertise_host(struct listener_settings *listener)
{
    char name[256] = "localhost";
    bool any = listener->host[0] == '\0' || strcmp(listener->host, "0.0.0.0") == 0 ||
               strcmp(listener->host, "::") == 0;
    if (listener->advertised_host != NULL)
        return;
    if (any && gethostname(name, sizeof(name)) < 0)
        memcpy(name, "localhost", sizeof("localhost"));
    name[sizeof(name) - 1] = '\0';
    listener->advertised_host = xstrdup(any ? name : listener->host);
}

/* Each virtual broker takes one more port. */
static int listener_check_ports(
    const struct listener_settings *listener, int32_t nodes_count, struct buffer *ret_problem)
{
    uint16_t highest =
        listener->port > listener->advertised_port ? listener->port : listener->advertised_port;
    if (highest + nodes_count - 1 <= UINT16_MAX)
        return 0;
    buffer_printf(ret_problem,
        "odradek.virtual.brokers: %d brokers need the ports from %u on, one each, and the last "
        "port is 65535; choose a lower port for %s.\n",
        (int)nodes_count, (unsigned)highest, listener->name);
    return -EINVAL;
}

/* Two listeners would take the same port for different brokers. */
static int listeners_check_distance(const struct listener_settings *listeners, size_t count,
    int32_t nodes_count, struct buffer *ret_problem)
{
    for (size_t i = 0; nodes_count > 1 && i < count; i++) {
        for (size_t k = 0; k < i; k++) {
            const struct listener_settings *a = &listeners[k], *b = &listeners[i];
            if (a->port == 0 || b->port == 0 || abs(a->port - b->port) >= nodes_count ||
                strcmp(a->host, b->host) != 0)
                continue;
            buffer_printf(ret_problem,
                "odradek.virtual.brokers: each listener takes %d ports in a row, so the ports of "
                "%s (%u) and %s (%u) must be at least %d apart.\n",
                (int)nodes_count, a->name, (unsigned)a->port, b->name, (unsigned)b->port,
                (int)nodes_count);
            return -EINVAL;
        }
    }
    return 0;
}

int listeners_parse(const struct config *config, bool dev, int32_t nodes_count,
    struct buffer *ret_problem, struct listener_settings **ret_listeners, size_t *ret_count)
{
    struct listener_settings *listeners = xnew_n(struct listener_settings, LISTENERS_MAX);
    size_t count = 0;
    int r = listeners_parse_bound(config, ret_problem, listeners, &count);
    if (r == 0)
        r = listeners_parse_advertised(config, ret_problem, listeners, count);
    if (r < 0) {
        listeners_free(listeners, count);
        return r;
    }
    r = listeners_check_distance(listeners, count, nodes_count, ret_problem);
    for (size_t i = 0; i < count && r == 0; i++)
        r = listener_check_ports(&listeners[i], nodes_count, ret_problem);
    if (r < 0) {
        listeners_free(listeners, count);
        return r;
    }
    for (size_t i = 0; i < count && !dev; i++)
        listener_advertise_host(&listeners[i]);
    *ret_listeners = listeners;
    *ret_count = count;
    return 0;
}

void listeners_free(struct listener_settings *listeners, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(listeners[i].name);
        free(listeners[i].host);
        free(listeners[i].advertised_host);
    }
    free(listeners);
}

bool address_is_loopback(const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)address;
        return (ntohl(in->sin_addr.s_addr) >> 24) == 127;
    }
    if (address->ss_family == AF_INET6) {
        const struct in6_addr *in6 = &((const struct sockaddr_in6 *)address)->sin6_addr;
        return IN6_IS_ADDR_LOOPBACK(in6) || (IN6_IS_ADDR_V4MAPPED(in6) && in6->s6_addr[12] == 127);
    }
    return false;
}
