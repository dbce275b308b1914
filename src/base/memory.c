// SPDX-License-Identifier: BSD-2-Clause
#include "base/memory.h"

#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void *memory_checked(void *memory, size_t size)
{
    if (memory == NULL && size > 0) {
        fprintf(stderr, "level=fatal event=memory.exhausted size=%zu\n", size);
        abort();
    }
    return memory;
}

void *xcalloc(size_t count, size_t size)
{
    return memory_checked(calloc(count == 0 ? 1 : count, size == 0 ? 1 : size), 1);
}

void *xmalloc(size_t size)
{
    return memory_checked(malloc(size == 0 ? 1 : size), 1);
}

void *xrealloc(void *memory, size_t size)
{
    return memory_checked(realloc(memory, size == 0 ? 1 : size), 1);
}

char *xstrdup(const char *str)
{
    return memory_checked(strdup(str), 1);
}

char *xstrdup_slice(struct slice s)
{
    char *copy = xmalloc(s.size + 1);
    if (s.size > 0)
        memcpy(copy, s.data, s.size);
    copy[s.size] = '\0';
    return copy;
}

char *xasprintf(const char *format, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, format);
    int size = vasprintf(&text, format, args);
    va_end(args);
    return memory_checked(size < 0 ? NULL : text, 1);
}

void memory_trim(void)
{
#ifdef __GLIBC__
    (void)malloc_trim(0);
#endif
}
