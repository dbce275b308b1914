// SPDX-License-Identifier: BSD-2-Clause
/*
 * Everything is `name=value`, set apart by one space except after an opening bracket. Bytes of
 * strings that are not printable ASCII are escaped, so that a line stays a line.
 */
#include "wire/print.h"

#include <inttypes.h>

static void print_name(struct buffer *buffer, const char *name)
{
    uint8_t last = buffer->size == 0 ? '{' : buffer->data[buffer->size - 1];
    if (last != '{' && last != '[' && last != ' ')
        buffer_append_str(buffer, " ");
    if (name != NULL)
        buffer_printf(buffer, "%s=", name);
}

void print_bool(struct buffer *buffer, const char *name, bool value)
{
    print_name(buffer, name);
    buffer_append_str(buffer, value ? "true" : "false");
}

void print_int(struct buffer *buffer, const char *name, int64_t value)
{
    print_name(buffer, name);
    buffer_printf(buffer, "%" PRId64, value);
}

void print_float64(struct buffer *buffer, const char *name, double value)
{
    print_name(buffer, name);
    buffer_printf(buffer, "%g", value);
}

void print_uuid(struct buffer *buffer, const char *name, struct uuid value)
{
    print_name(buffer, name);
    buffer_append_str(buffer, uuid_to_text(value).str);
}

static void print_char(struct buffer *buffer, uint8_t c)
{
    if (c == '"' || c == '\\')
        buffer_printf(buffer, "\\%c", c);
    else if (c >= ' ' && c < 0x7f)
        buffer_append(buffer, &c, 1);
    else
        buffer_printf(buffer, "\\x%02x", c);
}

void print_string(struct buffer *buffer, const char *name, struct slice value)
{
    print_name(buffer, name);
    if (slice_is_null(value)) {
        buffer_append_str(buffer, "null");
        return;
    }
    size_t size = value.size < PRINT_STRING_MAX ? value.size : PRINT_STRING_MAX;
    buffer_append_str(buffer, "\"");
    for (size_t i = 0; i < size; i++)
        print_char(buffer, value.data[i]);
    buffer_append_str(buffer, size < value.size ? "\"..." : "\"");
}

static void print_measure(struct buffer *buffer, const char *name, bool null, size_t size)
{
    print_name(buffer, name);
    if (null)
        buffer_append_str(buffer, "null");
    else
        buffer_printf(buffer, "<%zu bytes>", size);
}

void print_bytes(struct buffer *buffer, const char *name, struct slice value)
{
    print_measure(buffer, name, slice_is_null(value), value.size);
}

void print_records(struct buffer *buffer, const char *name, const struct records *value)
{
    print_measure(buffer, name, records_is_null(value), records_size(value));
}

void print_secret(struct buffer *buffer, const char *name)
{
    print_name(buffer, name);
    buffer_append_str(buffer, "<secret>");
}

void print_array_begin(struct buffer *buffer, const char *name, int32_t count)
{
    print_name(buffer, name);
    buffer_append_str(buffer, count < 0 ? "null" : "[");
}

void print_array_end(struct buffer *buffer, int32_t count)
{
    if (count > PRINT_ELEMENTS_MAX)
        buffer_printf(buffer, " ... %" PRId32 " more", count - PRINT_ELEMENTS_MAX);
    if (count >= 0)
        buffer_append_str(buffer, "]");
}

void print_int8_array(struct buffer *buffer, const char *name, const int8_t *values, int32_t count)
{
    print_array_begin(buffer, name, count);
    for (int32_t i = 0; print_wants(i, count); i++)
        print_int(buffer, NULL, values[i]);
    print_array_end(buffer, count);
}

void print_int16_array(
    struct buffer *buffer, const char *name, const int16_t *values, int32_t count)
{
    print_array_begin(buffer, name, count);
    for (int32_t i = 0; print_wants(i, count); i++)
        print_int(buffer, NULL, values[i]);
    print_array_end(buffer, count);
}

void print_int32_array(
    struct buffer *buffer, const char *name, const int32_t *values, int32_t count)
{
    print_array_begin(buffer, name, count);
    for (int32_t i = 0; print_wants(i, count); i++)
        print_int(buffer, NULL, values[i]);
    print_array_end(buffer, count);
}

void print_int64_array(
    struct buffer *buffer, const char *name, const int64_t *values, int32_t count)
{
    print_array_begin(buffer, name, count);
    for (int32_t i = 0; print_wants(i, count); i++)
        print_int(buffer, NULL, values[i]);
    print_array_end(buffer, count);
}

void print_uuid_array(
    struct buffer *buffer, const char *name, const struct uuid *values, int32_t count)
{
    print_array_begin(buffer, name, count);
    for (int32_t i = 0; print_wants(i, count); i++)
        print_uuid(buffer, NULL, values[i]);
    print_array_end(buffer, count);
}

void print_string_array(
    struct buffer *buffer, const char *name, const struct slice *values, int32_t count)
{
    print_array_begin(buffer, name, count);
    for (int32_t i = 0; print_wants(i, count); i++)
        print_string(buffer, NULL, values[i]);
    print_array_end(buffer, count);
}

void print_struct_begin(struct buffer *buffer, const char *name)
{
    print_name(buffer, name);
    buffer_append_str(buffer, "{");
}

void print_struct_end(struct buffer *buffer)
{
    buffer_append_str(buffer, "}");
}
