// SPDX-License-Identifier: BSD-2-Clause
/* Any bytes as an expression and a text, with a zero byte between them: it is refused, or it
 * answers, the same each time, and an expression in a group is the expression. */
#include "base/buffer.h"
#include "base/regex.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_grouped(struct slice pattern, struct slice text, bool expected)
{
    struct buffer grouped = BUFFER_NULL;
    struct regex *regex;
    buffer_append_str(&grouped, "(?:");
    buffer_append_slice(&grouped, pattern);
    buffer_append_str(&grouped, "\n|a)");
    if (regex_new(buffer_slice(&grouped), &regex) == 0) {
        (void)regex_matches(regex, text);
        regex_free(regex);
    }
    grouped.size = 0;
    buffer_append_str(&grouped, "(");
    buffer_append_slice(&grouped, pattern);
    buffer_append_str(&grouped, ")");
    if (regex_new(buffer_slice(&grouped), &regex) == 0) {
        assert(regex_matches(regex, text) == expected);
        regex_free(regex);
    }
    buffer_deinit(&grouped);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size == 0 ? NULL : memchr(data, 0, size);
    size_t pattern_size = end == NULL ? size : (size_t)(end - data);
    struct slice pattern = slice_make(size == 0 ? (const uint8_t *)"" : data, pattern_size);
    struct slice text =
        end == NULL ? SLICE_LIT("orders-1") : slice_make(end + 1, size - pattern_size - 1);
    struct regex *regex;
    if (regex_new(pattern, &regex) != 0)
        return 0;
    bool matches = regex_matches(regex, text);
    assert(matches == regex_matches(regex, text));
    regex_free(regex);
    if (memchr(pattern.data, ')', pattern.size) == NULL &&
        memchr(pattern.data, 'Q', pattern.size) == NULL)
        fuzz_grouped(pattern, text, matches);
    return 0;
}
