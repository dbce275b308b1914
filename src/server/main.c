// SPDX-License-Identifier: BSD-2-Clause
/*
 * main: reads the command line, the environment and the properties file, starts the broker and
 * waits for a signal. The first SIGTERM or SIGINT stops cleanly; a second one ends the process at
 * once. Exit code 0 after a clean stop, 1 when the broker could not start, 2 for a wrong command
 * line.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/error.h"
#include "base/log.h"
#include "server/options.h"
#include "server/properties.h"
#include "server/server.h"
#include "server/signals.h"

#define PROPERTIES_SIZE_MAX ((size_t)1 << 20)

extern char **environ;

static void say(FILE *out, struct slice text)
{
    fprintf(out, "%.*s", SLICE_FMT(text));
}

static int properties_load(struct config *config, const char *path)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        fprintf(stderr, "odradek: cannot read %s: %s\n", path, log_errno(errno).str);
        return -EINVAL;
    }
    _cleanup_(freep) char *text = xmalloc(PROPERTIES_SIZE_MAX + 1);
    size_t size = fread(text, 1, PROPERTIES_SIZE_MAX + 1, file);
    bool failed = ferror(file) != 0;
    fclose(file);
    if (failed || size > PROPERTIES_SIZE_MAX) {
        fprintf(stderr, "odradek: cannot read %s: %s\n", path,
            failed ? "it is no file that can be read" : "it is larger than 1 MiB");
        return -EINVAL;
    }
    properties_parse(config, slice_make(text, size), path);
    return 0;
}

/* As many descriptors as the system allows: connections and segments need them. */
static void raise_files_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static void signals_wait(int signal_fd)
{
    struct pollfd fd = {signal_fd, POLLIN, 0};
    while (poll(&fd, 1, -1) < 0 && errno == EINTR)
        continue;
}

static const char *cluster_id(const struct config *config)
{
    static const char *const names[] = {"CLUSTER_ID", "KAFKA_CLUSTER_ID", "KAFKA_KRAFT_CLUSTER_ID"};
    const struct config_key *key = config_key_find(SLICE_LIT("cluster.id"), CONFIG_SCOPE_BROKER);
    const char *value = config_get(config, key).value;
    for (size_t i = 0; (value == NULL || value[0] == '\0') && i < ARRAY_COUNT(names); i++)
        value = getenv(names[i]);
    return value == NULL || value[0] == '\0' ? NULL : value;
}

static void set_log_level(const struct config *config)
{
    const struct config_key *key = config_key_find(SLICE_LIT("log.level"), CONFIG_SCOPE_BROKER);
    enum log_level level;
    if (log_level_from_name(config_get(config, key).value, &level))
        log_set_level(level);
}

static void warn_http(const struct config *config)
{
    const struct config_key *key =
        config_key_find(SLICE_LIT("odradek.http.listener"), CONFIG_SCOPE_BROKER);
    struct config_value value = config_get(config, key);
    if (value.source > CONFIG_FROM_PROFILE && value.value[0] != '\0')
        log_warn("http.absent",
            "where=%s text=\"odradek.http.listener is set, but this version serves no HTTP\"",
            log_quote(slice_from_str(value.where)).str);
}

static int run(const struct config *config, const struct options *options)
{
    struct buffer problem = BUFFER_NULL;
    struct server *server;
    struct server_params params = {
        .config = config, .cluster_id = cluster_id(config), .ready_file = options->ready_file};
    raise_files_limit();
    int signal_fd = signals_take();
    if (signal_fd < 0 || settings_new(config, &problem, &params.settings) < 0) {
        say(stderr, buffer_slice(&problem));
        buffer_deinit(&problem);
        return 1;
    }
    set_log_level(config);
    config_report(config);
    warn_http(config);
    int r = server_start(&params, signal_fd, &server);
    if (r == 0) {
        signals_wait(signal_fd);
        signals_release(signal_fd);
        server_stop(server);
    }
    if (r >= 0)
        log_info("broker.stopped", "%s",
            params.settings->ephemeral ? "text=\"nothing was kept\""
                                       : "text=\"everything is on disk\"");
    settings_put(params.settings);
    close(signal_fd);
    return r < 0 ? 1 : 0;
}

static int act(const struct config *config, const struct options *options)
{
    struct buffer text = BUFFER_NULL;
    int code = 0;
    switch (options->action) {
    case OPTIONS_HELP: options_print_help(&text); break;
    case OPTIONS_VERSION: buffer_append_str(&text, "odradek " ODRADEK_VERSION "\n"); break;
    case OPTIONS_PRINT_CONFIG: config_print(config, &text); break;
    case OPTIONS_PRINT_REFERENCE: config_print_reference(&text); break;
    case OPTIONS_RUN:
    case OPTIONS_REFUSED: code = run(config, options); break;
    }
    say(stdout, buffer_slice(&text));
    buffer_deinit(&text);
    return code;
}

int main(int argc, char **argv)
{
    struct config *config = config_new();
    struct buffer problem = BUFFER_NULL;
    int code = 2;
    struct options options = options_parse(argc, argv, config, &problem);
    if (options.action != OPTIONS_REFUSED) {
        environment_load(config, environ);
        code = 1;
        if ((options.properties == NULL || properties_load(config, options.properties) == 0) &&
            config_check(config, &problem))
            code = act(config, &options);
    }
    say(stderr, buffer_slice(&problem));
    buffer_deinit(&problem);
    config_free(config);
    return code;
}
