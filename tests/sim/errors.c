// SPDX-License-Identifier: BSD-2-Clause
/*
 * Errors. One seeded workload is run once to learn from which places of the code which calls of
 * files come; then again for every such place, every errno, once (the first, a middle and the last
 * call from there) and for good. In the end the process dies, or the power goes: nothing that was
 * acknowledged may be missing, nothing that was refused may be there, everything opens. The same
 * with calls that fail in the start itself: it may fail, the next one may not.
 *
 * A failed write leaves a part of its bytes (a short write), a failed sync none of what it was for.
 */
#include "sim/sim.h"
#include "sim/sim_store.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

static const int errors[] = {EIO, ENOSPC, EDQUOT, EMFILE, ENOMEM, EINTR};
static const char *const error_names[] = {"EIO", "ENOSPC", "EDQUOT", "EMFILE", "ENOMEM", "EINTR"};

struct error_run {
    const struct sim_options *options;
    uint64_t seed;
    double begun;
    uint64_t turn;
    uint64_t n_runs;
    struct sim_site sites[SIM_SITES_MAX]; /* of the workload, or of a start */
    unsigned n_sites;
    struct sim_image before; /* for starts: what the workload left */
    struct store_model model;
};

/* What the crash left is opened and judged; twice, for the first start may have changed it. */
static void error_judge(struct error_run *run, struct sim_disk *from, struct store_model *model,
    enum sim_crash_how how, const struct sim_image *base)
{
    struct sim_crash crash;
    struct sim_image image;
    struct sim_disk disk;
    struct store_world world;
    struct sim_random random = {run->seed};
    sim_crash_start(&crash, base, &from->log);
    while (crash.at < from->log.count)
        sim_crash_advance(&crash);
    sim_crash_make(&crash, how, &random, &image);
    sim_crash_end(&crash);
    sim_disk_init(&disk, run->seed);
    sim_disk_reboot(&disk, &image);
    for (unsigned i = 0; i < 2; i++) {
        struct store_verdict verdict = {.at = from->log.count, .kill = how == SIM_CRASH_KILL};
        int r = store_world_boot(&world, &disk, model, NULL);
        sim_check(r == 0, "the directory does not open: %d", r);
        store_world_judge(&world, &verdict);
        if (i == 1)
            store_world_judge_alive(&world);
        store_world_kill(&world);
        sim_image_copy(&image, &disk.image, false);
        sim_disk_reboot(&disk, &image);
    }
    sim_disk_deinit(&disk);
    sim_count(SIM_COUNT_STATES, 1);
}

static bool world_offline(const struct store_world *world)
{
    for (unsigned i = 0; i < STORE_PARTS; i++) {
        if (world->parts[i].failed)
            return true;
    }
    return false;
}

/* The workload with a fault (error 0: none, sites are noted instead). */
static void error_workload(struct error_run *run, const struct sim_fault *fault)
{
    struct sim_disk disk;
    struct store_world world;
    struct store_model model;
    struct sim_image empty;
    struct sim_random random = {run->seed};
    sim_disk_init(&disk, run->seed);
    sim_image_init(&empty);
    store_model_init(&model);
    disk.recording = true;
    int r = store_world_boot(&world, &disk, &model, &random);
    assert(r == 0);
    disk.fault = *fault;
    disk.keep_sites = fault->error == 0;
    for (unsigned i = 0; i < 60; i++)
        store_world_act(&world);
    sim_count(SIM_COUNT_FAULTS, disk.fault.n_failed);
    if (fault->error == 0)
        store_world_stop(&world);
    disk.recording = false;
    if (fault->error != 0) {
        sim_count(SIM_COUNT_OFFLINE, world_offline(&world));
        store_world_kill(&world);
    }
    model.sync_failed_at = disk.sync_failed_at;
    store_model_index(&model);
    sim_trace(disk.trace);
    if (fault->error == 0) {
        run->n_sites = disk.n_sites;
        memcpy(run->sites, disk.sites, sizeof(run->sites));
        sim_image_copy(&run->before, &disk.image, false);
        store_model_crash(&model, disk.log.count);
        run->model = model;
    } else if (disk.fault.n_failed > 0) {
        error_judge(run, &disk, &model, SIM_CRASH_KILL, &empty);
        error_judge(run, &disk, &model, SIM_CRASH_NOTHING, &empty);
    }
    if (fault->error != 0)
        store_model_deinit(&model);
    sim_image_deinit(&empty);
    sim_disk_deinit(&disk);
}

/* A start with a fault, on what the workload left. */
static void error_start(struct error_run *run, const struct sim_fault *fault)
{
    struct sim_disk disk;
    struct store_world world;
    struct sim_image image;
    sim_disk_init(&disk, run->seed);
    sim_image_copy(&image, &run->before, false);
    sim_disk_reboot(&disk, &image);
    disk.recording = true;
    disk.fault = *fault;
    disk.keep_sites = fault->error == 0;
    int r = store_world_boot(&world, &disk, &run->model, NULL);
    sim_count(SIM_COUNT_FAULTS, disk.fault.n_failed);
    bool failed = disk.fault.n_failed > 0;
    disk.recording = false;
    if (r == 0)
        store_world_kill(&world);
    if (fault->error == 0) {
        run->n_sites = disk.n_sites;
        memcpy(run->sites, disk.sites, sizeof(run->sites));
    } else if (failed) {
        run->model.sync_failed_at = disk.sync_failed_at;
        error_judge(run, &disk, &run->model, SIM_CRASH_KILL, &run->before);
        error_judge(run, &disk, &run->model, SIM_CRASH_NOTHING, &run->before);
        run->model.sync_failed_at = SIZE_MAX;
    }
    sim_disk_deinit(&disk);
}

static void error_site(struct error_run *run, const struct sim_site *site, unsigned n,
    void (*one)(struct error_run *run, const struct sim_fault *fault), const char *what)
{
    uint64_t afters[] = {0, site->count / 2, site->count - 1, 0, site->count / 2};
    for (unsigned i = 0; i < ARRAY_COUNT(errors); i++) {
        for (unsigned j = 0; j < ARRAY_COUNT(afters); j++) {
            if (run->turn++ % run->options->n_jobs != run->options->job)
                continue;
            struct sim_fault fault = {.error = errors[i],
                .site = site->site,
                .calls = 1U << site->call,
                .after = afters[j],
                .for_good = j >= 3};
            sim_where("errors --seed %" PRIu64 " (%s: site %u, %s after %" PRIu64
                      " fails with %s%s)",
                run->seed, what, n, sim_call_names[site->call], fault.after, error_names[i],
                fault.for_good ? " for good" : "");
            one(run, &fault);
            run->n_runs++;
            sim_alive();
        }
    }
}

static bool error_over(const struct error_run *run)
{
    return !sim_go_on(run->options, run->begun, run->n_runs);
}

static void error_run_seed(struct error_run *run)
{
    static const struct sim_fault none;
    static const struct {
        void (*one)(struct error_run *run, const struct sim_fault *fault);
        const char *name;
    } whats[] = {{error_workload, "workload"}, {error_start, "start"}};
    for (unsigned what = 0; what < ARRAY_COUNT(whats); what++) {
        sim_where("errors --seed %" PRIu64 " (%s without faults)", run->seed, whats[what].name);
        whats[what].one(run, &none);
        unsigned n_sites = run->n_sites;
        struct sim_site sites[SIM_SITES_MAX];
        memcpy(sites, run->sites, sizeof(sites));
        if (run->options->job == 0)
            sim_count(SIM_COUNT_SITES, n_sites);
        for (unsigned i = 0; i < n_sites && !error_over(run); i++)
            error_site(run, &sites[i], i, whats[what].one, whats[what].name);
    }
    sim_image_deinit(&run->before);
    store_model_deinit(&run->model);
    sim_count(SIM_COUNT_EPISODES, run->options->job == 0);
}

void sim_run_errors(const struct sim_options *options)
{
    struct error_run run = {.options = options, .begun = sim_real_seconds()};
    for (uint64_t i = 0;; i++) {
        run.seed = options->seed + i;
        error_run_seed(&run);
        if (options->once || error_over(&run))
            break;
    }
}
