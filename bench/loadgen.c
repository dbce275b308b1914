// SPDX-License-Identifier: BSD-2-Clause
// loadgen MODE [--option value]... [-- command...]: the load generator. See options.h for the
// options and mode.h for the modes; every run prints one line of JSON.
#include "mode.h"
#include "net.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    void (*run)(const struct options *options);
} loadgen_modes[] = {
    {"produce", produce_mode},
    {"fetch", fetch_mode},
    {"pingpong", pingpong_mode},
    {"e2e", e2e_mode},
    {"wake", wake_mode},
    {"hold", hold_mode},
};

int main(int argc, char **argv)
{
    struct options options;
    int rest;

    if (argc < 2)
        net_die("usage", "loadgen produce|fetch|pingpong|e2e|wake|hold|start [--option value]...");
    (void)signal(SIGPIPE, SIG_IGN);
    rest = options_parse(&options, argc - 1, argv + 1) + 1;
    if (strcmp(argv[1], "start") == 0) {
        start_mode(&options, argv + (rest < argc ? rest : argc));
        return 0;
    }
    for (size_t i = 0; i < sizeof(loadgen_modes) / sizeof(loadgen_modes[0]); i++) {
        if (strcmp(argv[1], loadgen_modes[i].name) == 0) {
            loadgen_modes[i].run(&options);
            return 0;
        }
    }
    net_die("no such mode", argv[1]);
}
