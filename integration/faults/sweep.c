// SPDX-License-Identifier: BSD-2-Clause
/*
 * sweep: kills the broker at the k-th mutating file call of a scripted run, restarts it, and holds
 * what it kept against what the client was told.
 *
 *   sweep BROKER PRELOAD DIR ROUNDS count              how many calls a whole run makes
 *   sweep BROKER PRELOAD DIR ROUNDS CALL...            kills before and after each of these calls
 *   sweep BROKER PRELOAD DIR ROUNDS sabotage CALL      as well, and takes a byte off a log: must
 * fail
 *
 * For each point: the script runs from an empty directory until the kill; then the recovery is
 * killed, too, up to SWEEP_NESTED times, at a call that moves on from point to point through all
 * those that a recovery makes; then the broker starts for good and model_check judges it. A script
 * is: ROUNDS/2 rounds, a clean stop, a start, the other rounds, a clean stop; so the points cover
 * starts and stops as well.
 *
 * Calls are read from standard input, one a line, when none are given. A violation is printed with
 * its point and leaves the directory; the exit status is then 1. Since the threads of the broker
 * are not scheduled alike twice, a point is repeated best by running it several times.
 */
#include "check.h"
#include "victim.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define SWEEP_NESTED      3
#define SWEEP_CALLS_MAX   4096 /* of a recovery */
#define SWEEP_STARTS_MAX  200000
#define SWEEP_FAULTS_STOP 5

struct sweep {
    struct victim victim;
    unsigned rounds;
    bool sabotage;
    uint64_t recovery_calls; /* the most that a recovery made */
    uint64_t recovery_next;  /* where to kill the next one */
    bool recovery_seen[SWEEP_CALLS_MAX];
    unsigned runs, kills, nested, violations, failed_starts, too_late;
    unsigned n_starts;
    float starts_ms[SWEEP_STARTS_MAX];
};

/* 0: it ran to its end; VICTIM_DIED: killed; -1: a violation. */
static int script_part(struct sweep *sweep, struct model *model, unsigned from, unsigned to)
{
    int r = victim_start(&sweep->victim);
    if (r == VICTIM_DIED)
        return r;
    if (r != 0)
        return model_fault(model, "the broker did not start");
    if (wire_connect(&model->wire, sweep->victim.port) == 0) {
        r = from == 0 ? model_setup(model) : 0;
        for (unsigned i = from; r == 0 && i < to; i++)
            r = model_round(model, i);
        if (r == 0)
            r = model_drain(model);
    } else
        r = -1;
    wire_close(&model->wire);
    if (model->fault[0] != '\0')
        return -1;
    if (r == 0) {
        r = victim_stop(&sweep->victim);
        return r == VICTIM_FAILED ? model_fault(model, "the broker did not stop cleanly") : r;
    }
    int status = victim_wait(&sweep->victim);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
        return VICTIM_DIED;
    return model_fault(model, "the broker ended with status %d", status);
}

static int script_run(struct sweep *sweep, struct model *model)
{
    int r = script_part(sweep, model, 0, sweep->rounds / 2);
    return r == 0 ? script_part(sweep, model, sweep->rounds / 2, sweep->rounds) : r;
}

/* Kills recoveries. */
static int sweep_nest(struct sweep *sweep, struct model *model)
{
    for (int i = 0; i < SWEEP_NESTED; i++) {
        uint64_t call = sweep->recovery_next / 2 + 1;
        atomic_store(&sweep->victim.page->calls, 0);
        victim_doom(&sweep->victim, call, sweep->recovery_next % 2 == 1);
        int r = victim_start(&sweep->victim);
        victim_kill(&sweep->victim);
        if (r == VICTIM_FAILED) {
            sweep->failed_starts++;
            return model_fault(model, "recovery %d did not start", i + 1);
        }
        sweep->nested += r == VICTIM_DIED;
        if (r == VICTIM_DIED && call < SWEEP_CALLS_MAX)
            sweep->recovery_seen[call] = true;
        sweep->recovery_next++;
        if (r == 0 || sweep->recovery_next / 2 >= sweep->recovery_calls)
            sweep->recovery_next = 0; /* it makes no more calls than that */
    }
    return 0;
}

static int sweep_judge(struct sweep *sweep, struct model *model)
{
    char line[MODEL_FAULT_MAX - 64];
    victim_doom(&sweep->victim, 0, false);
    atomic_store(&sweep->victim.page->calls, 0);
    if (victim_start(&sweep->victim) != 0) {
        sweep->failed_starts++;
        return model_fault(model, "the broker did not start again");
    }
    uint64_t calls = atomic_load(&sweep->victim.page->calls);
    if (calls > sweep->recovery_calls)
        sweep->recovery_calls = calls;
    if (sweep->n_starts < SWEEP_STARTS_MAX)
        sweep->starts_ms[sweep->n_starts++] = (float)sweep->victim.ready_ms;
    int r = wire_connect(&model->wire, sweep->victim.port);
    r = r < 0 ? r : model_check(model);
    if (r < 0)
        model_fault(model, "the broker died or does not answer");
    wire_close(&model->wire);
    victim_kill(&sweep->victim);
    if (r == 0 && victim_complained(&sweep->victim, line, sizeof(line)))
        return model_fault(model, "it logged: %s", line);
    return r;
}

/* Takes the last byte off the logs of topic `all`, as no kill ever could. */
static void sabotage(const struct sweep *sweep)
{
    char command[VICTIM_PATH_MAX + 128];
    snprintf(command, sizeof(command),
        "for d in '%s'/data/all-?; do f=$(ls $d/*.log | tail -n 1); [ ! -s $f ] || truncate -s -1 "
        "$f; done",
        sweep->victim.dir);
    if (system(command) != 0)
        printf("nothing to sabotage\n");
}

/* Tells it, and keeps the directory for whoever looks into it. */
static void sweep_violation(
    struct sweep *sweep, const struct model *model, uint64_t call, bool after)
{
    char command[2 * VICTIM_PATH_MAX + 64];
    sweep->violations++;
    printf("VIOLATION %s call %llu: %s\n", after ? "after" : "before", (unsigned long long)call,
        model->fault);
    fflush(stdout);
    if (sweep->sabotage)
        return;
    snprintf(command, sizeof(command), "cp -r '%s' '%s.violation-%u'", sweep->victim.dir,
        sweep->victim.dir, sweep->violations);
    if (system(command) != 0)
        printf("its directory could not be copied\n");
}

static void sweep_point(struct sweep *sweep, uint64_t call, bool after)
{
    struct model model;
    model_init(&model);
    victim_fresh(&sweep->victim);
    victim_doom(&sweep->victim, call, after);
    int r = script_run(sweep, &model);
    sweep->runs++;
    sweep->kills += r == VICTIM_DIED;
    sweep->too_late += r == 0;
    if (sweep->sabotage)
        sabotage(sweep);
    if (r >= 0)
        r = sweep_nest(sweep, &model);
    if (r == 0)
        r = sweep_judge(sweep, &model);
    victim_kill(&sweep->victim);
    if (r < 0)
        sweep_violation(sweep, &model, call, after);
    model_deinit(&model);
}

static uint64_t sweep_count(struct sweep *sweep)
{
    struct model model;
    model_init(&model);
    victim_fresh(&sweep->victim);
    int r = script_run(sweep, &model);
    uint64_t calls = atomic_load(&sweep->victim.page->calls);
    if (r != 0) {
        printf("VIOLATION without a kill: %s\n", model.fault);
        exit(1);
    }
    model_deinit(&model);
    return calls;
}

static int by_size(const void *a, const void *b)
{
    float left = *(const float *)a, right = *(const float *)b;
    return (left > right) - (left < right);
}

static void sweep_report(struct sweep *sweep)
{
    unsigned points = 0;
    for (unsigned i = 0; i < SWEEP_CALLS_MAX; i++)
        points += sweep->recovery_seen[i];
    qsort(sweep->starts_ms, sweep->n_starts, sizeof(float), by_size);
    float median = sweep->n_starts > 0 ? sweep->starts_ms[sweep->n_starts / 2] : 0;
    float high = sweep->n_starts > 0 ? sweep->starts_ms[sweep->n_starts * 99 / 100] : 0;
    printf("{\"runs\":%u,\"kills\":%u,\"nested\":%u,\"recovery_points\":%u,\"recovery_calls\":%llu,"
           "\"too_late\":%u,\"violations\":%u,\"failed_starts\":%u,\"start_ms_p50\":%.1f,"
           "\"start_ms_p99\":%.1f}\n",
        sweep->runs, sweep->kills, sweep->nested, points, (unsigned long long)sweep->recovery_calls,
        sweep->too_late, sweep->violations, sweep->failed_starts, (double)median, (double)high);
}

int main(int argc, char **argv)
{
    static struct sweep sweep;
    if (argc < 5) {
        fprintf(stderr, "usage: sweep BROKER PRELOAD DIR ROUNDS [count | CALL...]\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    sweep.rounds = (unsigned)strtoul(argv[4], NULL, 10);
    sweep.recovery_calls = 8;
    if (victim_init(&sweep.victim, argv[1], argv[2], argv[3]) < 0) {
        perror(argv[3]);
        return 2;
    }
    if (argc == 6 && strcmp(argv[5], "count") == 0) {
        printf("%llu\n", (unsigned long long)sweep_count(&sweep));
        victim_deinit(&sweep.victim);
        return 0;
    }
    char line[64];
    sweep.sabotage = argc == 7 && strcmp(argv[5], "sabotage") == 0;
    for (int i = sweep.sabotage ? 6 : 5; i < argc || argc == 5; i++) {
        if (argc == 5 && fgets(line, sizeof(line), stdin) == NULL)
            break;
        uint64_t call = strtoull(argc == 5 ? line : argv[i], NULL, 10);
        for (int after = 0; after < 2; after++)
            sweep_point(&sweep, call, after == 1);
        if (sweep.violations >= SWEEP_FAULTS_STOP)
            break;
    }
    sweep_report(&sweep);
    victim_deinit(&sweep.victim);
    return sweep.violations > 0;
}
