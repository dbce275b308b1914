// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/* ready_file: tells whoever started the broker that it can be reached, and where. Main thread;
 * blocks on the disk. */
#include "base/buffer.h"

/* Writes `text` (one line per listener) to the path so that a reader sees all of it or no file.
 * -errno. */
int ready_file_write(const char *path, struct slice text) _must_check_;
