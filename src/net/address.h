// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/* address: socket addresses as text and as keys. Plain functions, any thread. */
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define ADDRESS_KEY_SIZE 16

/* Numeric host; IPv4 in IPv6 is shown as IPv4, what has no address as "local". */
void address_print(const struct sockaddr_storage *address, char *text, size_t size);
/* The IPv6 form of the host, all zero for what has none. */
void address_key(const struct sockaddr_storage *address, uint8_t key[static ADDRESS_KEY_SIZE]);
uint16_t address_port(const struct sockaddr_storage *address);
