// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * memory: small allocations that abort when memory is out, and clean-up helpers. Any thread.
 * What a peer sizes is bounded first and allocated with malloc directly, so that it may fail.
 */
#include "base/slice.h"

#include <stddef.h>
#include <stdlib.h>

#define _cleanup_(fn)  __attribute__((cleanup(fn)))
#define _must_check_   __attribute__((warn_unused_result))
#define _printf_(f, a) __attribute__((format(printf, f, a)))

/* Zeroed memory for `count` objects of a type; never NULL. */
#define xnew(type)          ((type *)xcalloc(1, sizeof(type)))
#define xnew_n(type, count) ((type *)xcalloc((count), sizeof(type)))

void *xcalloc(size_t count, size_t size);
void *xmalloc(size_t size);
void *xrealloc(void *memory, size_t size);
char *xstrdup(const char *str);
/* A NUL-terminated copy of a slice (null gives ""). Caller frees. */
char *xstrdup_slice(struct slice s);
char *xasprintf(const char *format, ...) _printf_(1, 2);

/* Freed memory goes back to the system as far as it can: after a burst. Takes milliseconds. */
void memory_trim(void);

/* Hand over ownership: returns the pointer and leaves NULL behind. */
#define steal(pointer)                                    \
    __extension__({                                       \
        __typeof__(*(pointer)) *steal_at_ = (pointer);    \
        __typeof__(*(pointer)) steal_value_ = *steal_at_; \
        *steal_at_ = NULL;                                \
        steal_value_;                                     \
    })

static inline void freep(void *pointer_to_pointer)
{
    free(*(void **)pointer_to_pointer);
}

#define container_of(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))
#define ARRAY_COUNT(array)                  (sizeof(array) / sizeof((array)[0]))
