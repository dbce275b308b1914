// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * print: messages as one line of readable text, for --trace and the command-line tools:
 * `GroupId="g" Topics=[{Name="t" Partitions=[0 1]} ... 7 more] Records=<1024 bytes>`. Names are
 * Kafka's. Long strings and arrays are cut, bytes are only measured, secrets are not shown.
 */
#include "base/buffer.h"
#include "base/uuid.h"
#include "wire/records.h"

#define PRINT_ELEMENTS_MAX 32  /* of an array */
#define PRINT_STRING_MAX   256 /* bytes of a string */

void print_bool(struct buffer *buffer, const char *name, bool value);
void print_int(struct buffer *buffer, const char *name, int64_t value);
void print_float64(struct buffer *buffer, const char *name, double value);
void print_uuid(struct buffer *buffer, const char *name, struct uuid value);
void print_string(struct buffer *buffer, const char *name, struct slice value);
void print_bytes(struct buffer *buffer, const char *name, struct slice value);
void print_records(struct buffer *buffer, const char *name, const struct records *value);
void print_secret(struct buffer *buffer, const char *name);

/* Arrays: begin, the elements that print_wants, end. A negative count prints null. */
void print_array_begin(struct buffer *buffer, const char *name, int32_t count);
static inline bool print_wants(int32_t i, int32_t count)
{
    return i < count && i < PRINT_ELEMENTS_MAX;
}
void print_array_end(struct buffer *buffer, int32_t count);
void print_int8_array(struct buffer *buffer, const char *name, const int8_t *values, int32_t count);
void print_int16_array(
    struct buffer *buffer, const char *name, const int16_t *values, int32_t count);
void print_int32_array(
    struct buffer *buffer, const char *name, const int32_t *values, int32_t count);
void print_int64_array(
    struct buffer *buffer, const char *name, const int64_t *values, int32_t count);
void print_uuid_array(
    struct buffer *buffer, const char *name, const struct uuid *values, int32_t count);
void print_string_array(
    struct buffer *buffer, const char *name, const struct slice *values, int32_t count);

/* A struct's braces; without a name when it is an array's element. */
void print_struct_begin(struct buffer *buffer, const char *name);
void print_struct_end(struct buffer *buffer);
