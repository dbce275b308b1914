// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * buffer: a growable run of bytes that owns its memory. One thread at a time. Append-only; sizes
 * that a peer decides are bounded by the caller before they get here. Growth doubles; memory
 * exhaustion aborts.
 */
#include "base/memory.h"
#include "base/slice.h"

struct buffer {
    uint8_t *data;
    size_t size;     /* bytes in use */
    size_t capacity; /* bytes allocated */
};

#define BUFFER_NULL ((struct buffer){NULL, 0, 0})

void buffer_deinit(struct buffer *buffer);
/* Makes room for `size` more bytes and returns where they go; the caller adds to buffer->size what
 * it wrote. */
uint8_t *buffer_reserve(struct buffer *buffer, size_t size);
void buffer_append(struct buffer *buffer, const void *data, size_t size);
void buffer_append_slice(struct buffer *buffer, struct slice s);
void buffer_append_str(struct buffer *buffer, const char *str);
void buffer_printf(struct buffer *buffer, const char *format, ...) _printf_(2, 3);

static inline struct slice buffer_slice(const struct buffer *buffer)
{
    return slice_make(buffer->data, buffer->size);
}
