// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/* uuid: 128 bits, as topic and cluster ids; text form is Kafka's (22 characters of URL-safe base64,
 * no padding). Plain data. */
#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define UUID_SIZE      16
#define UUID_TEXT_SIZE 22

struct uuid {
    uint8_t bytes[UUID_SIZE];
};

#define UUID_ZERO ((struct uuid){{0}})

static inline bool uuid_equal(struct uuid a, struct uuid b)
{
    return memcmp(a.bytes, b.bytes, UUID_SIZE) == 0;
}

static inline bool uuid_is_zero(struct uuid id)
{
    return uuid_equal(id, UUID_ZERO);
}

struct uuid_text {
    char str[UUID_TEXT_SIZE + 1];
};

struct uuid_text uuid_to_text(struct uuid id);
/* False when the text is not a uuid in Kafka's form; *ret_id untouched then. */
bool uuid_from_text(struct slice text, struct uuid *ret_id);
/* A random (version 4) uuid from 16 random bytes, never one of Kafka's reserved ones, never
 * starting with '-' in text form. */
struct uuid uuid_from_random(const uint8_t random[UUID_SIZE]);
