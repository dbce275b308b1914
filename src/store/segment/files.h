// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * files: open descriptors of segments, shared by all loops, and the bounded set of those that stay
 * open. A `file` is an open descriptor with a reference count: a chunk on its way to a socket holds
 * one, the last reference closes it. A slot lives in its segment; the least recently used slots
 * give their descriptor up when more than the maximum are open. Any thread.
 */
#include "base/env.h"
#include "base/list.h"
#include "base/ref.h"

struct file {
    struct ref ref;
    struct env *env;
    int fd;
};

/* Takes the descriptor. */
struct file *file_new(struct env *env, int take_fd);
static inline struct file *file_ref(struct file *file)
{
    ref_get(&file->ref);
    return file;
}
/* NULL is fine. Closes with the last reference. */
void file_unref(struct file *file);
static inline void file_unrefp(struct file **file)
{
    file_unref(*file);
}

struct files;
struct files_slot {
    struct list_link link; /* linked while open */
    struct file *file;     /* guarded by the mutex of `files` */
};

struct files *files_new(struct env *env, unsigned open_max);
void files_free(struct files *files);
/* A reference to the slot's file, or NULL when it is not open. Does not block on the disk. */
struct file *files_get(struct files *files, struct files_slot *slot);
/* As files_get, opens `path` when necessary (may block). */
int files_open(struct files *files, struct files_slot *slot, const char *path, unsigned flags,
    struct file **ret_file);
/* The slot gives its descriptor up; whoever holds a reference keeps it. */
void files_close(struct files *files, struct files_slot *slot);
unsigned files_open_count(struct files *files);
