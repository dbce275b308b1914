// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * regex: regular expressions in RE2's syntax, matched in time linear in the text, whatever the
 * expression: no backtracking, so that who names an expression cannot stop a loop with it. What
 * cannot be matched so (references back, look-around) is refused, as RE2 does.
 *
 * Works on bytes: a character beyond ASCII in an expression is the bytes it consists of, and inside
 * a class it matches nothing. Topic names are ASCII. Why not RE2 itself: it is C++ and would be
 * the only such code in the broker, and captures, search and Unicode are not needed.
 *
 * A regex is immutable but for scratch space of its matcher: one thread at a time.
 */
#include "base/slice.h"

#include <stdbool.h>

#define REGEX_SIZE_MAX         4096  /* bytes of an expression */
#define REGEX_INSTRUCTIONS_MAX 20000 /* of the program it becomes */
#define REGEX_REPEAT_MAX       1000
#define REGEX_DEPTH_MAX        200

struct regex;

/* 0; -EINVAL: no expression; -E2BIG: beyond one of the limits. */
int regex_new(struct slice pattern, struct regex **ret_regex);
void regex_free(struct regex *regex);
/* The whole text, from end to end. */
bool regex_matches(struct regex *regex, struct slice text);
