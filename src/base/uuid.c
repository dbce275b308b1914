// SPDX-License-Identifier: BSD-2-Clause
#include "base/uuid.h"

static const char uuid_alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

struct uuid_text uuid_to_text(struct uuid id)
{
    struct uuid_text text;
    uint32_t bits = 0;
    int n_bits = 0;
    size_t at = 0;
    for (size_t i = 0; i < UUID_SIZE; i++) {
        bits = bits << 8 | id.bytes[i];
        for (n_bits += 8; n_bits >= 6; n_bits -= 6)
            text.str[at++] = uuid_alphabet[bits >> (n_bits - 6) & 63];
    }
    text.str[at++] = uuid_alphabet[bits << (6 - n_bits) & 63];
    text.str[at] = '\0';
    return text;
}

bool uuid_from_text(struct slice text, struct uuid *ret_id)
{
    struct uuid id = UUID_ZERO;
    uint32_t bits = 0;
    int n_bits = 0;
    size_t at = 0;
    if (text.size != UUID_TEXT_SIZE)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        const char *found = text.data[i] == '\0' ? NULL : strchr(uuid_alphabet, text.data[i]);
        if (found == NULL)
            return false;
        bits = bits << 6 | (uint32_t)(found - uuid_alphabet);
        n_bits += 6;
        if (n_bits >= 8) {
            n_bits -= 8;
            id.bytes[at++] = (uint8_t)(bits >> n_bits);
        }
    }
    *ret_id = id;
    return true;
}

struct uuid uuid_from_random(const uint8_t random[UUID_SIZE])
{
    struct uuid id;
    memcpy(id.bytes, random, UUID_SIZE);
    id.bytes[6] = (uint8_t)((id.bytes[6] & 0x0f) | 0x40);
    id.bytes[8] = (uint8_t)((id.bytes[8] & 0x3f) | 0x80);
    id.bytes[0] &= 0x7f; /* text form starts with 62 ('-') only when the top six bits are 111110 */
    return id;
}
