// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/* sim: what the command line asks for, and the runs it can ask for. Each returns in its own
 * process; a violation ends it. */
#include "sim/sim_report.h"

struct sim_options {
    uint64_t seed;
    uint64_t states;  /* at least so many; 0: no such end */
    unsigned seconds; /* at most so long; 0: no such end */
    unsigned job, n_jobs;
    bool once;  /* nothing but this seed */
    bool brief; /* the short form: less of everything */
    bool verbose;
};

/* Monotonic seconds of the real clock, for the end of a run only. */
double sim_real_seconds(void);
/* Whether the run goes on: time and states. */
bool sim_go_on(const struct sim_options *options, double begun, uint64_t states);

void sim_run_states(const struct sim_options *options);
void sim_run_damage(const struct sim_options *options);
void sim_run_errors(const struct sim_options *options);
void sim_run_seeds(const struct sim_options *options);
