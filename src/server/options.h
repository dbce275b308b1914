// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/* options: the command line. Main thread, before anything runs. */
#include "broker/config/config.h"

enum options_action {
    OPTIONS_RUN,
    OPTIONS_HELP,
    OPTIONS_VERSION,
    OPTIONS_PRINT_CONFIG,
    OPTIONS_PRINT_REFERENCE,
    OPTIONS_REFUSED, /* a sentence is in the problem buffer */
};

struct options {
    enum options_action action;
    const char *properties; /* the file; NULL: none */
    const char *ready_file; /* NULL: none */
};

/* Overrides go into the config. Strings point into argv. */
struct options options_parse(
    int argc, char **argv, struct config *config, struct buffer *ret_problem);
void options_print_help(struct buffer *buffer);
