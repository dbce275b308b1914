// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/* codec_messages: every message that has a codec, behind void pointers, for the codec test and the
 * fuzz target. Generated; constant data. */
#include "wire/api.h"

struct codec_message {
    const char *name;
    int16_t version_min, version_max;
    size_t struct_size;
    void (*init)(void *message);
    bool (*decode)(struct reader *reader, int16_t version, struct arena *arena, void *message);
    size_t (*size)(int16_t version, const void *message);
    void (*encode)(struct writer *writer, int16_t version, const void *message);
    void (*print)(struct buffer *buffer, int16_t version, const void *message);
};

extern const struct codec_message codec_messages[];
extern const size_t codec_messages_count;

extern const struct api *const codec_apis[];
extern const size_t codec_apis_count;
