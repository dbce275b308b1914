// SPDX-License-Identifier: BSD-2-Clause
#include "runner.h"
#include "server/options.h"
#include "server/ready_file.h"

#include <stdio.h>
#include <unistd.h>

static struct config *config;
static struct buffer problem;

static void setup(void)
{
    config = config_new();
    problem = BUFFER_NULL;
}

static void teardown(void)
{
    config_free(config);
    buffer_deinit(&problem);
}

static struct options parse(const char *const *arguments)
{
    char *argv[16] = {(char *)"odradek"};
    int argc = 1;
    for (; arguments[argc - 1] != NULL; argc++)
        argv[argc] = (char *)arguments[argc - 1];
    return options_parse(argc, argv, config, &problem);
}
#define PARSE(...) parse((const char *const[]){__VA_ARGS__, NULL})

static const char *get(const char *name)
{
    return config_get(config, config_key_find(slice_from_str(name), CONFIG_SCOPE_BROKER)).value;
}

static void refused(struct options options, const char *expected)
{
    ck_assert_int_eq(options.action, OPTIONS_REFUSED);
    buffer_append(&problem, "", 1);
    ck_assert_msg(strstr((char *)problem.data, expected) != NULL, "%s", problem.data);
}

START_TEST(options_run)
{
    struct options options = PARSE("my.properties", "--override", "num.partitions=3",
        "--override=node.id=2", "--ready-file", "ready", "--ephemeral");
    ck_assert_int_eq(options.action, OPTIONS_RUN);
    ck_assert_str_eq(options.properties, "my.properties");
    ck_assert_str_eq(options.ready_file, "ready");
    ck_assert_str_eq(get("num.partitions"), "3");
    ck_assert_str_eq(get("node.id"), "2");
    ck_assert_str_eq(get("log.dirs"), "memory:");
}
END_TEST

START_TEST(options_short_cuts)
{
    struct options options = PARSE("--data-dir=x", "--log-level", "debug", "--trace");
    ck_assert_int_eq(options.action, OPTIONS_RUN);
    ck_assert_ptr_null(options.properties);
    ck_assert_str_eq(get("log.dirs"), "x");
    ck_assert_str_eq(get("log.level"), "debug");
    ck_assert_str_eq(get("odradek.trace"), "true");
}
END_TEST

START_TEST(options_actions)
{
    ck_assert_int_eq(PARSE("--help").action, OPTIONS_HELP);
    ck_assert_int_eq(PARSE("--version").action, OPTIONS_VERSION);
    ck_assert_int_eq(PARSE("--print-config").action, OPTIONS_PRINT_CONFIG);
}
END_TEST

START_TEST(options_unknown)
{
    refused(PARSE("--port", "9092"), "--port is no option of odradek; see --help.");
}
END_TEST

START_TEST(options_missing_value)
{
    refused(PARSE("--ready-file"), "--ready-file needs a value");
}
END_TEST

START_TEST(options_override_without_value)
{
    refused(PARSE("--override", "num.partitions"), "it must look like key=value");
}
END_TEST

START_TEST(options_two_files)
{
    refused(PARSE("a.properties", "b.properties"), "b.properties: there is a properties file");
}
END_TEST

START_TEST(ready_file_appears_whole)
{
    char path[] = "/tmp/odradek-ready-XXXXXX", text[64] = "";
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    close(fd);
    ck_assert_int_eq(ready_file_write(path, SLICE_LIT("PLAINTEXT://127.0.0.1:1234\n")), 0);
    FILE *file = fopen(path, "r");
    ck_assert_ptr_nonnull(fgets(text, sizeof(text), file));
    fclose(file);
    ck_assert_str_eq(text, "PLAINTEXT://127.0.0.1:1234\n");
    unlink(path);
    ck_assert_int_lt(ready_file_write("/nowhere/at/all", SLICE_LIT("x")), 0);
}
END_TEST

TEST_MAIN_FIXTURE("server/options", setup, teardown, options_run, options_short_cuts,
    options_actions, options_unknown, options_missing_value, options_override_without_value,
    options_two_files, ready_file_appears_whole)
