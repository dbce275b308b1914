// SPDX-License-Identifier: BSD-2-Clause
#include "net/address.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

void address_key(const struct sockaddr_storage *address, uint8_t key[static ADDRESS_KEY_SIZE])
{
    memset(key, 0, ADDRESS_KEY_SIZE);
    if (address->ss_family == AF_INET6) {
        memcpy(key, &((const struct sockaddr_in6 *)address)->sin6_addr, ADDRESS_KEY_SIZE);
    } else if (address->ss_family == AF_INET) {
        key[10] = key[11] = 0xff;
        memcpy(key + 12, &((const struct sockaddr_in *)address)->sin_addr, 4);
    }
}

void address_print(const struct sockaddr_storage *address, char *text, size_t size)
{
    struct in6_addr ip;
    address_key(address, ip.s6_addr);
    bool known = address->ss_family == AF_INET || address->ss_family == AF_INET6;
    if (known && IN6_IS_ADDR_V4MAPPED(&ip))
        inet_ntop(AF_INET, &ip.s6_addr[12], text, (socklen_t)size);
    else if (known)
        inet_ntop(AF_INET6, &ip, text, (socklen_t)size);
    else
        snprintf(text, size, "local");
}

uint16_t address_port(const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)address)->sin6_port);
    if (address->ss_family == AF_INET)
        return ntohs(((const struct sockaddr_in *)address)->sin_port);
    return 0;
}
