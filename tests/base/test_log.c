// SPDX-License-Identifier: BSD-2-Clause
#include "base/log.h"
#include "runner.h"

START_TEST(log_quotes_and_escapes)
{
    ck_assert_str_eq(log_quote(SLICE_LIT("a b")).str, "\"a b\"");
    ck_assert_str_eq(log_quote(SLICE_LIT("\"\\\n\x80")).str, "\"\\\"\\\\\\x0a\\x80\"");
    ck_assert_str_eq(log_quote(SLICE_NULL).str, "\"\"");
}
END_TEST

/* Every length, plain, half and all escaped: cut to fit, closed, never past the end. */
START_TEST(log_quote_cuts_to_fit)
{
    char bytes[600];
    for (int shift = 0; shift < 4; shift++) {
        memset(bytes, 'x', sizeof(bytes));
        for (size_t i = (size_t)shift; i < sizeof(bytes); i += shift == 3 ? 1 : 2)
            bytes[i] = shift == 2 ? '"' : '\x01';
        for (size_t size = 0; size <= sizeof(bytes); size++) {
            struct log_text text = log_quote(slice_make(bytes, size));
            size_t length = strnlen(text.str, sizeof(text.str));
            ck_assert_uint_lt(length, sizeof(text.str));
            ck_assert_uint_ge(length, 2);
            ck_assert_int_eq(text.str[length - 1], '"');
        }
    }
}
END_TEST

TEST_MAIN("base/log", log_quotes_and_escapes, log_quote_cuts_to_fit)
