// SPDX-License-Identifier: BSD-2-Clause
// One table: name, place, kind. A flag's name sets it; everything else takes the next argument.
#include "options.h"

#include "net.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum option_kind {
    OPTION_TEXT,
    OPTION_NUMBER,
    OPTION_FLAG,
};

static const struct option_entry {
    const char *name;
    enum option_kind kind;
    size_t place;
} option_entries[] = {
    {"host", OPTION_TEXT, offsetof(struct options, host)},
    {"topic", OPTION_TEXT, offsetof(struct options, topic)},
    {"api", OPTION_TEXT, offsetof(struct options, api)},
    {"port", OPTION_NUMBER, offsetof(struct options, port)},
    {"pid", OPTION_NUMBER, offsetof(struct options, pid)},
    {"partitions", OPTION_NUMBER, offsetof(struct options, partitions)},
    {"connections", OPTION_NUMBER, offsetof(struct options, connections)},
    {"threads", OPTION_NUMBER, offsetof(struct options, threads)},
    {"depth", OPTION_NUMBER, offsetof(struct options, depth)},
    {"version", OPTION_NUMBER, offsetof(struct options, version)},
    {"record-size", OPTION_NUMBER, offsetof(struct options, record_size)},
    {"batch-size", OPTION_NUMBER, offsetof(struct options, batch_size)},
    {"batches", OPTION_NUMBER, offsetof(struct options, batches)},
    {"seconds", OPTION_NUMBER, offsetof(struct options, seconds)},
    {"warmup-ms", OPTION_NUMBER, offsetof(struct options, warmup_ms)},
    {"mebibytes", OPTION_NUMBER, offsetof(struct options, mebibytes_max)},
    {"rate", OPTION_NUMBER, offsetof(struct options, rate)},
    {"count", OPTION_NUMBER, offsetof(struct options, count)},
    {"fetch-size", OPTION_NUMBER, offsetof(struct options, fetch_size)},
    {"create", OPTION_FLAG, offsetof(struct options, create)},
    {"tail", OPTION_FLAG, offsetof(struct options, tail)},
    {"rewind", OPTION_FLAG, offsetof(struct options, rewind)},
    {"lean", OPTION_FLAG, offsetof(struct options, lean)},
    {"floor", OPTION_FLAG, offsetof(struct options, floor)},
};

static const struct option_entry *option_find(const char *argument)
{
    for (size_t i = 0; i < sizeof(option_entries) / sizeof(option_entries[0]); i++)
        if (strcmp(argument, option_entries[i].name) == 0)
            return &option_entries[i];
    net_die("unknown option", argument);
}

static uint32_t option_number(const char *name, const char *text)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);

    if (*text < '0' || *text > '9' || *end != '\0' || value > UINT32_MAX)
        net_die("not a number for", name);
    return (uint32_t)value;
}

static uint32_t option_acks(const char *text)
{
    if (strcmp(text, "all") == 0 || strcmp(text, "-1") == 0)
        return 2;
    if (strcmp(text, "0") == 0 || strcmp(text, "1") == 0)
        return (uint32_t)(*text - '0');
    net_die("acks must be 0, 1 or all, not", text);
}

static const struct options option_defaults = {
    .host = "127.0.0.1",
    .topic = "bench",
    .api = "api-versions",
    .partitions = 1,
    .connections = 1,
    .threads = 1,
    .depth = 1,
    .acks = 1,
    .version = 7,
    .record_size = 1024,
    .batch_size = 65536,
    .batches = 1,
    .seconds = 5,
    .warmup_ms = 500,
    .rate = 10000,
    .count = 200,
    .fetch_size = 1048576,
};

static void options_check(const struct options *options)
{
    if (options->batches == 0 || options->batches > options->partitions)
        net_die("batches", "must lie between 1 and the number of partitions");
    if (options->version < 3 || options->version > 9)
        net_die("version", "must lie between 3 and 9");
    if (options->connections == 0 || options->threads == 0 || options->depth == 0)
        net_die("connections, threads, depth", "must be at least 1");
    if (options->port > 65535 || options->rate == 0 || options->seconds == 0)
        net_die("port, rate, seconds", "out of range");
}

int options_parse(struct options *options, int argc, char **argv)
{
    int i;

    *options = option_defaults;
    for (i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        const struct option_entry *entry;
        char *place;

        if (strncmp(argv[i], "--", 2) != 0)
            net_die("not an option", argv[i]);
        if (strcmp(argv[i], "--acks") == 0 && i + 1 < argc) {
            options->acks = option_acks(argv[++i]);
            continue;
        }
        entry = option_find(argv[i] + 2);
        place = (char *)options + entry->place;
        if (entry->kind == OPTION_FLAG) {
            memcpy(place, &(bool){true}, sizeof(bool));
            continue;
        }
        if (++i == argc)
            net_die("value missing for", entry->name);
        if (entry->kind == OPTION_TEXT)
            memcpy(place, &argv[i], sizeof(char *));
        else
            memcpy(place, &(uint32_t){option_number(entry->name, argv[i])}, sizeof(uint32_t));
    }
    options_check(options);
    return i < argc ? i + 1 : argc;
}
