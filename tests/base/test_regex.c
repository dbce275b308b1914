// SPDX-License-Identifier: BSD-2-Clause
#include "base/regex.h"
#include "base/buffer.h"
#include "runner.h"

#include <errno.h>
#include <time.h>

static bool matches(const char *pattern, const char *text)
{
    struct regex *regex;
    ck_assert_msg(regex_new(slice_from_str(pattern), &regex) == 0, "refused: %s", pattern);
    bool result = regex_matches(regex, slice_from_str(text));
    regex_free(regex);
    return result;
}

static int refusal(const char *pattern)
{
    struct regex *regex = NULL;
    int result = regex_new(slice_from_str(pattern), &regex);
    if (result == 0)
        regex_free(regex);
    return result;
}

START_TEST(regex_takes_the_whole_text)
{
    static const struct {
        const char *pattern, *yes, *no;
    } cases[] = {
        {"orders", "orders", "orders2"},
        {"orders.*", "orders-eu", "my-orders"},
        {"^orders$", "orders", "order"},
        {"foo|bar", "bar", "foobar"},
        {"(foo|bar)+", "foobarfoo", ""},
        {"a{2,3}", "aaa", "aaaa"},
        {"a{2}", "aa", "a"},
        {"a{2,}b", "aaaaab", "ab"},
        {"a{x}", "a{x}", "a"},
        {"[a-c]+\\d", "abc7", "abcd7"},
        {"[^a-c]+", "xyz", "xaz"},
        {"[]a]+", "]a]", "b"},
        {"[a-]+", "a-a", "b"},
        {"\\w+\\.\\w+", "a.b", "a-b"},
        {"topic\\.[0-9]+", "topic.12", "topicx12"},
        {"(?i)ORDERS", "oRdErS", "order"},
        {"(?i:O)rders", "orders", "oRDERS"},
        {"(?P<name>a|b)c", "bc", "c"},
        {"(?<name>a)", "a", "b"},
        {"[[:alpha:]_]+", "a_b", "a1"},
        {"[[:^digit:]]+", "ab", "a1"},
        {"\\pL+\\p{Nd}", "ab1", "abc"},
        {"\\P{Lu}+", "abc", "aBc"},
        {"\\x41\\x{42}", "AB", "ab"},
        {"\\Qa.b|c\\E+", "a.b|cc", "axb"},
        {"a?b*?c+?", "bbc", "ab"},
        {"\\bfoo\\b.*", "foo-1", "foo1"},
        {".*\\Bo", "foo", "f-o"},
        {"\\Afoo\\z", "foo", "foox"},
        {"a||b", "", "ab"},
        {"(a|b)*abb", "abababb", "ababab"},
        {"", "", "a"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        ck_assert_msg(matches(cases[i].pattern, cases[i].yes), "%s is to match %s",
            cases[i].pattern, cases[i].yes);
        ck_assert_msg(!matches(cases[i].pattern, cases[i].no), "%s is not to match %s",
            cases[i].pattern, cases[i].no);
    }
}
END_TEST

START_TEST(regex_refuses_what_is_none)
{
    static const char *const cases[] = {"(", ")", "a)", "[", "[a", "*", "a**", "+a", "a{2,1}",
        "a{1001}", "\\", "\\1", "(?=a)", "(?!a)", "(?<=a)", "(?P<>a)", "[b-a]", "[[:nope:]]",
        "\\p{nope}", "\\y", "(?x)", "(?i", "\\xg1", "x{2}{3}"};
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
        ck_assert_msg(refusal(cases[i]) == -EINVAL, "%s", cases[i]);
}
END_TEST

START_TEST(regex_size_is_bounded)
{
    ck_assert_int_eq(refusal("((a{1000}){1000}){1000}"), -E2BIG);
    ck_assert_int_eq(refusal("(((){1000}){1000}){1000}"), -E2BIG);
    struct buffer pattern = BUFFER_NULL;
    for (int i = 0; i < REGEX_DEPTH_MAX + 1; i++)
        buffer_append_str(&pattern, "(");
    struct regex *regex;
    ck_assert_int_eq(regex_new(buffer_slice(&pattern), &regex), -E2BIG);
    pattern.size = 0;
    for (int i = 0; i < REGEX_SIZE_MAX; i++)
        buffer_append_str(&pattern, i % 2 == 0 ? "a" : "|");
    ck_assert_int_eq(regex_new(buffer_slice(&pattern), &regex), 0);
    ck_assert(regex_matches(regex, SLICE_LIT("a")));
    regex_free(regex);
    buffer_append_str(&pattern, "a");
    ck_assert_int_eq(regex_new(buffer_slice(&pattern), &regex), -E2BIG);
    buffer_deinit(&pattern);
}
END_TEST

/* What takes a backtracking matcher longer than the world is old. */
START_TEST(regex_time_is_linear)
{
    char text[201];
    memset(text, 'a', 200);
    text[200] = 0;
    clock_t start = clock();
    ck_assert(!matches("(a*)*(a|aa)+(a*)*b", text));
    ck_assert(!matches("(?:a?){200}a{200}b", text));
    ck_assert_int_lt((clock() - start) / (CLOCKS_PER_SEC / 1000), 2000);
}
END_TEST

TEST_MAIN("base/regex", regex_takes_the_whole_text, regex_refuses_what_is_none,
    regex_size_is_bounded, regex_time_is_linear)
