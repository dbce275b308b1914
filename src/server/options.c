// SPDX-License-Identifier: BSD-2-Clause
#include "server/options.h"

static const char options_help[] =
    "odradek: a Kafka-compatible broker in one small program\n"
    "\n"
    "  odradek [server.properties] [options]\n"
    "\n"
    "  --override KEY=VALUE    sets one key; stronger than file and environment; repeatable\n"
    "  --data-dir DIR          where the data lives (log.dirs); default ./odradek-data\n"
    "  --ephemeral             keep everything in memory, nothing on disk\n"
    "  --ready-file FILE       written once clients can connect: one line per listener\n"
    "  --log-level LEVEL       trace, debug, info, warn or error (log.level)\n"
    "  --trace                 a log line for each request and response (odradek.trace)\n"
    "  --print-config          show every effective key and where it came from, and exit\n"
    "  --print-config-reference  print the reference of all keys (docs/configuration.md)\n"
    "  --help, --version\n"
    "\n"
    "Without arguments it listens on port 9092 and stores its data in ./odradek-data.\n"
    "Keys are Kafka's; KAFKA_* and KAFKA_CFG_* variables set them too (KAFKA_NUM_PARTITIONS=3).\n";

void options_print_help(struct buffer *buffer)
{
    buffer_append_str(buffer, options_help);
}

static void refuse(
    struct options *options, struct buffer *problem, const char *text, const char *argument)
{
    options->action = OPTIONS_REFUSED;
    buffer_printf(problem, text, argument);
}

static void set(struct config *config, const char *key, struct slice value, const char *option)
{
    config_set(config, slice_from_str(key), value, CONFIG_FROM_OVERRIDE, option);
}

static void set_override(
    struct options *options, struct config *config, struct buffer *problem, const char *pair)
{
    const char *equals = strchr(pair, '=');
    if (equals == NULL || equals == pair) {
        refuse(options, problem, "--override %s: it must look like key=value.\n", pair);
        return;
    }
    config_set(config, slice_make(pair, (size_t)(equals - pair)), slice_from_str(equals + 1),
        CONFIG_FROM_OVERRIDE, "--override");
}

/* The value of "--name value" or "--name=value"; NULL when `argument` is not --name at all. A
 * missing value is refused and gives "". */
static const char *option_value(struct options *options, struct buffer *problem, const char *name,
    int argc, char **argv, int *i)
{
    const char *argument = argv[*i];
    size_t size = strlen(name);
    if (strncmp(argument, name, size) != 0)
        return NULL;
    if (argument[size] == '=')
        return argument + size + 1;
    if (argument[size] != '\0')
        return NULL;
    if (*i + 1 < argc)
        return argv[++*i];
    refuse(options, problem, "%s needs a value; see --help.\n", name);
    return "";
}

static bool option_parse_valued(struct options *options, struct config *config,
    struct buffer *problem, int argc, char **argv, int *i)
{
    const char *value;
    if ((value = option_value(options, problem, "--override", argc, argv, i)) != NULL) {
        if (options->action != OPTIONS_REFUSED)
            set_override(options, config, problem, value);
    } else if ((value = option_value(options, problem, "--data-dir", argc, argv, i)) != NULL)
        set(config, "log.dirs", slice_from_str(value), "--data-dir");
    else if ((value = option_value(options, problem, "--ready-file", argc, argv, i)) != NULL)
        options->ready_file = value;
    else if ((value = option_value(options, problem, "--log-level", argc, argv, i)) != NULL)
        set(config, "log.level", slice_from_str(value), "--log-level");
    else
        return false;
    return true;
}

static bool option_parse_flag(struct options *options, struct config *config, const char *argument)
{
    static const struct {
        const char *name;
        enum options_action action;
    } actions[] = {{"--help", OPTIONS_HELP}, {"-h", OPTIONS_HELP}, {"--version", OPTIONS_VERSION},
        {"--print-config", OPTIONS_PRINT_CONFIG},
        {"--print-config-reference", OPTIONS_PRINT_REFERENCE}};
    for (size_t i = 0; i < ARRAY_COUNT(actions); i++) {
        if (strcmp(argument, actions[i].name) != 0)
            continue;
        options->action = actions[i].action;
        return true;
    }
    if (strcmp(argument, "--ephemeral") == 0)
        set(config, "log.dirs", SLICE_LIT("memory:"), "--ephemeral");
    else if (strcmp(argument, "--trace") == 0)
        set(config, "odradek.trace", SLICE_LIT("true"), "--trace");
    else
        return false;
    return true;
}

struct options options_parse(
    int argc, char **argv, struct config *config, struct buffer *ret_problem)
{
    struct options options = {.action = OPTIONS_RUN};
    for (int i = 1; i < argc && options.action != OPTIONS_REFUSED; i++) {
        const char *argument = argv[i];
        if (option_parse_flag(&options, config, argument) ||
            option_parse_valued(&options, config, ret_problem, argc, argv, &i))
            continue;
        if (argument[0] == '-')
            refuse(&options, ret_problem, "%s is no option of odradek; see --help.\n", argument);
        else if (options.properties != NULL)
            refuse(&options, ret_problem,
                "%s: there is a properties file already; only one can be named.\n", argument);
        else
            options.properties = argument;
    }
    return options;
}
