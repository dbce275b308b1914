// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * api_table: the APIs that this broker serves, indexed by key; NULL where it serves none. Constant
 * data, generated from the list in src/api/meson.build: what is in it is advertised, and nothing
 * else.
 */
#include "wire/api.h"

#include <stddef.h>

extern const struct api *const api_table[];
extern const size_t api_table_count;
