// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * small_file: files that are read and written whole: checkpoints, identity files, snapshots. They
 * are replaced atomically: a temporary file beside it is written and renamed, so a reader finds the
 * old content or the new one. Blocks; any thread, but one writer per path at a time.
 */
#include "base/buffer.h"
#include "base/env.h"

enum { SMALL_FILE_E_TOO_LARGE = 1 };
/* Appends the whole file to *ret_bytes. 0, SMALL_FILE_E_TOO_LARGE (more than size_max bytes) or
 * -errno. */
int small_file_read(struct env *env, const char *path, size_t size_max, struct buffer *ret_bytes);
/* On the medium when it returns 0: file, rename and directory are synced. */
int small_file_write(struct env *env, const char *path, struct slice bytes);
/* Atomic for readers, but not yet on the medium. */
int small_file_write_unsynced(struct env *env, const char *path, struct slice bytes);
