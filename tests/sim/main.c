// SPDX-License-Identifier: BSD-2-Clause
/*
 * The command: runs one of the simulations in as many processes as asked for and prints the sum.
 * A process that ends badly has printed the line that tells how to see it again.
 */
#include "base/log.h"
#include "sim/sim.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define JOBS_MAX 64

static const char *const count_names[SIM_COUNTS] = {
    [SIM_COUNT_STATES] = "states",
    [SIM_COUNT_DUPLICATES] = "duplicates_left_out",
    [SIM_COUNT_EPISODES] = "episodes",
    [SIM_COUNT_OPS] = "disk_operations",
    [SIM_COUNT_ACKS] = "durable_acks",
    [SIM_COUNT_FAULTS] = "failed_calls",
    [SIM_COUNT_CRASHES] = "crashes",
    [SIM_COUNT_NESTED] = "states_of_second_crashes",
    [SIM_COUNT_STEPS] = "steps",
    [SIM_COUNT_LOST_WRITTEN] = "written_batches_lost_with_the_power",
    [SIM_COUNT_CUT] = "cuts",
    [SIM_COUNT_SITES] = "call_sites",
    [SIM_COUNT_SIM_MS] = "simulated_ms",
    [SIM_COUNT_JOINS] = "joins",
    [SIM_COUNT_GENERATIONS] = "generations",
    [SIM_COUNT_COMMITS] = "commits",
    [SIM_COUNT_RECORDS] = "records",
    [SIM_COUNT_REFUSED] = "directories_refused_with_a_reason",
    [SIM_COUNT_WRONG] = "states_in_which_nothing_tells_whose_it_is",
    [SIM_COUNT_OFFLINE] = "runs_with_a_partition_offline",
    [SIM_COUNT_COSTLY] = "states_in_which_other_files_cost_records",
    [SIM_COUNT_HOLES] = "states_with_a_batch_unavailable",
};

static const struct what {
    const char *name;
    void (*run)(const struct sim_options *options);
    struct sim_options usual, brief;
    const char *text;
} whats[] = {
    {"states", sim_run_states, {.states = 1000000}, {.seconds = 20},
        "crash states of the engine: every point of recorded workloads"},
    {"damage", sim_run_damage, {.seconds = 600}, {.seconds = 12},
        "every byte of a data directory damaged, every file cut, gone, swapped or old"},
    {"errors", sim_run_errors, {.seconds = 300}, {.seconds = 12},
        "every call site of files failing with every errno, once and for good"},
    {"seeds", sim_run_seeds, {.states = 2000}, {.seconds = 15},
        "the whole broker with clients and crashes, by seeds; --states counts seeds"},
};

double sim_real_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

bool sim_go_on(const struct sim_options *options, double begun, uint64_t states)
{
    if (options->states > 0 && states * options->n_jobs >= options->states)
        return false;
    return options->seconds == 0 || sim_real_seconds() - begun < options->seconds;
}

static void usage(void)
{
    printf(
        "usage: sim WHAT [--seed N] [--seconds N | --states N] [--jobs N] [--short] [--once] "
        "[--verbose]\n"
        "  --seed N     where the chance begins (1); a line of a failure names the seed\n"
        "  --once       this seed and no other: replays a failure, and prints a hash of all that "
        "happened\n"
        "  --seconds N  at most so long\n"
        "  --states N   at least so many\n"
        "  --jobs N     processes (2)\n"
        "  --short      the form of script/test\n"
        "  --verbose    the log of the broker\n"
        "WHAT is one of:\n");
    for (size_t i = 0; i < ARRAY_COUNT(whats); i++)
        printf("  %-8s %s\n", whats[i].name, whats[i].text);
}

static const struct what *what_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_COUNT(whats); i++) {
        if (strcmp(whats[i].name, name) == 0)
            return &whats[i];
    }
    return NULL;
}

static bool parse(int argc, char **argv, const struct what *what, struct sim_options *options)
{
    *options = what->usual;
    options->seed = 1;
    options->n_jobs = 2;
    bool ended = false;
    for (int i = 2; i < argc; i++) {
        const char *name = argv[i];
        if (strcmp(name, "--short") == 0) {
            options->states = what->brief.states;
            options->seconds = what->brief.seconds;
            options->brief = true;
            continue;
        }
        if (strcmp(name, "--once") == 0 || strcmp(name, "--verbose") == 0) {
            *(name[2] == 'o' ? &options->once : &options->verbose) = true;
            continue;
        }
        if (i + 1 == argc)
            return false;
        char *end;
        unsigned long long number = strtoull(argv[++i], &end, 10);
        if (*end != '\0')
            return false;
        if (strcmp(name, "--seed") == 0)
            options->seed = number;
        else if (strcmp(name, "--jobs") == 0 && number > 0 && number <= JOBS_MAX)
            options->n_jobs = (unsigned)number;
        else if (strcmp(name, "--states") == 0 || strcmp(name, "--seconds") == 0) {
            if (!ended)
                options->states = options->seconds = 0;
            ended = true;
            if (name[3] == 't')
                options->states = number;
            else
                options->seconds = (unsigned)number;
        } else
            return false;
    }
    if (options->once) { /* ends by itself, or by a count: never by time */
        options->n_jobs = 1;
        options->seconds = 0;
        options->states = options->brief ? 300 : 0;
    }
    return true;
}

static int report(const struct what *what, const struct sim_options *options,
    const struct sim_job *jobs, unsigned bad, double seconds)
{
    struct sim_job sum = {.trace = 0};
    for (unsigned i = 0; i < options->n_jobs; i++) {
        for (unsigned j = 0; j < SIM_COUNTS; j++)
            sum.counts[j] += jobs[i].counts[j];
        sum.violations += jobs[i].violations;
        sum.trace ^= jobs[i].trace;
    }
    printf("%s: seed=%" PRIu64 " seconds=%.1f", what->name, options->seed, seconds);
    for (unsigned j = 0; j < SIM_COUNTS; j++) {
        if (sum.counts[j] > 0)
            printf(" %s=%" PRIu64, count_names[j], sum.counts[j]);
    }
    if (options->once)
        printf(" trace=%016" PRIx64, sum.trace);
    printf("\n%s: %u passed, %u failed\n", what->name, bad == 0, bad);
    return bad == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    const struct what *what = argc < 2 ? NULL : what_find(argv[1]);
    struct sim_options options;
    if (argc >= 2 && strcmp(argv[1], "--help") == 0) {
        usage();
        return 0;
    }
    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        for (size_t i = 0; i < ARRAY_COUNT(whats); i++)
            printf("%s\n", whats[i].name);
        return 0;
    }
    if (what == NULL || !parse(argc, argv, what, &options)) {
        usage();
        return 2;
    }
    log_set_level(options.verbose ? LOG_DEBUG : LOG_ERROR + 1);
    size_t size = JOBS_MAX * sizeof(struct sim_job);
    struct sim_job *jobs =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (jobs == MAP_FAILED)
        return 1;
    double begun = sim_real_seconds();
    for (options.job = 0; options.job < options.n_jobs; options.job++) {
        pid_t pid = fork();
        if (pid != 0)
            continue;
        sim_job = &jobs[options.job];
        sim_watch(20);
        what->run(&options);
        return 0;
    }
    unsigned bad = 0;
    int status;
    while (wait(&status) > 0)
        bad += status != 0;
    return report(what, &options, jobs, bad, sim_real_seconds() - begun);
}
