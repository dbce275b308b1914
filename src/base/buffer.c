// SPDX-License-Identifier: BSD-2-Clause
#include "base/buffer.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

void buffer_deinit(struct buffer *buffer)
{
    free(buffer->data);
    *buffer = BUFFER_NULL;
}

uint8_t *buffer_reserve(struct buffer *buffer, size_t size)
{
    assert(buffer->size <= buffer->capacity);
    if (size > buffer->capacity - buffer->size) {
        size_t capacity = buffer->capacity < 64 ? 64 : buffer->capacity;
        assert(size <= SIZE_MAX / 2 - buffer->size);
        while (capacity < buffer->size + size)
            capacity *= 2;
        buffer->data = xrealloc(buffer->data, capacity);
        buffer->capacity = capacity;
    }
    return buffer->data == NULL ? NULL : buffer->data + buffer->size;
}

void buffer_append(struct buffer *buffer, const void *data, size_t size)
{
    uint8_t *at = buffer_reserve(buffer, size);
    if (size > 0)
        memcpy(at, data, size);
    buffer->size += size;
}

void buffer_append_slice(struct buffer *buffer, struct slice s)
{
    buffer_append(buffer, s.data, s.size);
}

void buffer_append_str(struct buffer *buffer, const char *str)
{
    buffer_append(buffer, str, strlen(str));
}

void buffer_printf(struct buffer *buffer, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int size = vsnprintf(NULL, 0, format, args);
    va_end(args);
    assert(size >= 0);
    uint8_t *at = buffer_reserve(buffer, (size_t)size + 1);
    va_start(args, format);
    vsnprintf((char *)at, (size_t)size + 1, format, args);
    va_end(args);
    buffer->size += (size_t)size;
}
