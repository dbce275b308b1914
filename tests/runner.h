// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * runner: what every test program shares. A runner lists its tests once:
 *
 *   START_TEST(map_finds_what_was_put) { ... } END_TEST
 *   TEST_MAIN("base/map", map_finds_what_was_put, map_forgets_what_was_removed)
 *
 * TAP goes to stdout; main returns 0 so that meson counts failures instead of calling the run an
 * error.
 */
#include <check.h>
#include <stdlib.h>

static inline int runner_main(const char *name, void (*setup)(void), void (*teardown)(void),
    const TTest *const *tests, size_t n_tests)
{
    Suite *suite = suite_create(name);
    TCase *tcase = tcase_create(name);
    tcase_set_timeout(tcase, 60);
    if (setup != NULL)
        tcase_add_checked_fixture(tcase, setup, teardown);
    for (size_t i = 0; i < n_tests; i++)
        tcase_add_test(tcase, tests[i]);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_set_tap(runner, "-");
    srunner_run_all(runner, CK_SILENT);
    srunner_free(runner);
    return EXIT_SUCCESS;
}

#define TEST_MAIN(name, ...)                                                             \
    int main(void)                                                                       \
    {                                                                                    \
        const TTest *const tests[] = {__VA_ARGS__};                                      \
        return runner_main((name), NULL, NULL, tests, sizeof(tests) / sizeof(tests[0])); \
    }
/* The same with functions that run before and after each test. */
#define TEST_MAIN_FIXTURE(name, setup, teardown, ...)                                             \
    int main(void)                                                                                \
    {                                                                                             \
        const TTest *const tests[] = {__VA_ARGS__};                                               \
        return runner_main((name), (setup), (teardown), tests, sizeof(tests) / sizeof(tests[0])); \
    }
