// SPDX-License-Identifier: BSD-2-Clause
/*
 * Crash states. An episode is a seeded workload on the engine whose disk operations are recorded;
 * then, at each point of the log, pictures of what a crash may have left there are opened by the
 * real recovery and judged by the model. From some of them a second life goes on, with a workload,
 * a log and pictures of its own: the crash points inside a recovery are among these.
 */
#include "sim/sim.h"
#include "sim/sim_store.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#define STATES_LIVES_MAX    3
#define STATES_PER_POINT    6
#define STATES_SEEN_BITS    18
#define STATES_NESTED_POINT 2 /* of so many points of an outer life one begins an inner one */

struct episode {
    const struct sim_options *options;
    uint64_t seed;
    struct sim_random random;
    double begun;
    uint64_t *seen; /* hashes of pictures; 0: free */
};

static bool episode_seen(struct episode *episode, uint64_t hash)
{
    uint64_t mask = (1U << STATES_SEEN_BITS) - 1;
    hash = hash == 0 ? 1 : hash;
    for (uint64_t i = 0; i < 64; i++) {
        uint64_t *slot = &episode->seen[(hash + i) & mask];
        if (*slot == hash)
            return true;
        if (*slot != 0)
            continue;
        *slot = hash;
        return false;
    }
    return false; /* full: counted twice rather than missed */
}

/* A fault in some of the lives: a failed sync, a full disk. */
static void life_fault(struct episode *episode, struct sim_disk *disk)
{
    static const int errors[] = {EIO, ENOSPC};
    static const unsigned calls[] = {1U << SIM_CALL_SYNC | 1U << SIM_CALL_DISK_SYNC,
        1U << SIM_CALL_WRITE, 1U << SIM_CALL_DIR_SYNC,
        1U << SIM_CALL_RENAME | 1U << SIM_CALL_UNLINK};
    struct sim_random *random = &episode->random;
    if (!sim_chance(random, 25))
        return;
    disk->fault = (struct sim_fault){
        .error = errors[sim_below(random, 2)],
        .calls = calls[sim_below(random, 4)],
        .after = sim_below(random, 60),
    };
}

/* The workload of one life; everything it did to the disk is in disk->log. */
static void life_work(
    struct episode *episode, struct sim_disk *disk, struct store_model *model, unsigned lives)
{
    struct store_world world;
    struct sim_random random = {sim_next(&episode->random)};
    unsigned acts =
        lives == 0 ? 40 + (unsigned)sim_below(&random, 120) : 5 + (unsigned)sim_below(&random, 40);
    int r = store_world_boot(&world, disk, model, &random);
    sim_check(r == 0, "a directory that was judged does not open a second time: %d", r);
    life_fault(episode, disk);
    for (unsigned i = 0; i < acts; i++)
        store_world_act(&world);
    sim_count(SIM_COUNT_FAULTS, disk->fault.n_failed);
    disk->fault = (struct sim_fault){0};
    if (sim_chance(&random, 30)) {
        store_world_stop(&world);
        disk->recording = false;
    } else {
        size_t count = disk->log.count;
        disk->recording = false;
        store_world_kill(&world);
        assert(disk->log.count == count);
    }
}

static const struct sim_image *shown_image;
static const struct sim_log *shown_log;
static size_t shown_at;

static void show_dir(const struct sim_image *image, uint32_t dir, int depth)
{
    const struct sim_inode *at = image->inodes[dir];
    for (uint32_t i = 0; i < at->n_entries; i++) {
        const struct sim_inode *inode = image->inodes[at->entries[i].inode];
        fprintf(stderr, "%*s%s inode=%u size=%zu\n", depth * 2, "", at->entries[i].name,
            at->entries[i].inode, inode->bytes.size);
        if (inode->is_dir)
            show_dir(image, at->entries[i].inode, depth + 1);
    }
}

/* The operations before the crash and what it left. */
static void show_state(void)
{
    static const char *const names[] = {"write", "truncate", "sync", "sync_failed", "link",
        "unlink", "rename", "dir_sync", "disk_sync"};
    if (shown_log == NULL)
        return;
    for (size_t i = 0; i < shown_at; i++) {
        const struct sim_op *op = &shown_log->ops[i];
        bool named = op->type == SIM_OP_LINK || op->type == SIM_OP_UNLINK;
        bool renamed = op->type == SIM_OP_RENAME;
        fprintf(stderr, "%zu %s inode=%u dir=%u pos=%" PRIu64 " size=%" PRIu64 " %s %s\n", i,
            names[op->type], op->inode, op->dir, op->pos, op->size,
            named || renamed ? (const char *)shown_log->data.data + op->name : "",
            renamed ? (const char *)shown_log->data.data + op->to : "");
    }
    show_dir(shown_image, 0, 0);
}

static void state_judge(struct episode *episode, struct sim_image *take_image,
    struct store_model *model, size_t at, enum sim_crash_how how)
{
    struct sim_disk disk;
    struct store_world world;
    struct store_verdict verdict = {.at = at, .kill = how == SIM_CRASH_KILL};
    struct sim_image shown;
    if (episode->options->once && episode->options->verbose) {
        sim_image_copy(&shown, take_image, false);
        shown_image = &shown;
    }
    sim_disk_init(&disk, episode->seed);
    sim_disk_reboot(&disk, take_image);
    int r = store_world_boot(&world, &disk, model, NULL);
    sim_check(r == 0, "the directory does not open: %d", r);
    store_world_judge(&world, &verdict);
    store_world_judge_alive(&world);
    store_world_kill(&world);
    sim_disk_deinit(&disk);
    if (shown_image != NULL)
        sim_image_deinit(&shown);
    sim_count(SIM_COUNT_STATES, 1);
}

static void episode_life(struct episode *episode, const struct sim_image *base,
    struct store_model *model, unsigned lives);

/* The life after a crash at `at`, from the picture given. */
static void episode_nest(struct episode *episode, const struct sim_image *image,
    const struct store_model *model, size_t at, unsigned lives)
{
    struct store_model copy;
    store_model_init(&copy);
    struct store_batch *batches = copy.batches;
    size_t *order = copy.order;
    copy = *model;
    copy.batches = batches;
    copy.order = order;
    memcpy(batches, model->batches, model->n_batches * sizeof(*batches));
    copy.starts = xmalloc(model->starts_capacity * sizeof(*copy.starts) + 1);
    copy.metas = xmalloc(model->metas_capacity * sizeof(*copy.metas) + 1);
    for (size_t i = 0; i < model->n_starts; i++)
        copy.starts[i] = model->starts[i];
    for (size_t i = 0; i < model->n_metas; i++)
        copy.metas[i] = model->metas[i];
    store_model_crash(&copy, at);
    episode_life(episode, image, &copy, lives + 1);
    store_model_deinit(&copy);
}

/* Pictures at one point of the log. */
static void episode_point(
    struct episode *episode, struct sim_crash *crash, struct store_model *model, unsigned lives)
{
    struct sim_random *random = &episode->random;
    for (unsigned i = 0; i < STATES_PER_POINT; i++) {
        struct sim_image image;
        enum sim_crash_how how =
            i < 2 ? (enum sim_crash_how)i
                  : (enum sim_crash_how)sim_between(random, SIM_CRASH_PREFIX, SIM_CRASH_HOWS - 1);
        sim_crash_make(crash, how, random, &image);
        sim_where("states --seed %" PRIu64 " (life %u, point %zu, picture %u: %s)", episode->seed,
            lives, crash->at, i, sim_crash_names[how]);
        shown_log = episode->options->verbose ? crash->log : NULL;
        shown_at = crash->at;
        uint64_t hash = sim_image_hash(&image);
        sim_trace(hash);
        if (episode_seen(episode, hash + crash->at * (how == SIM_CRASH_KILL))) {
            sim_count(SIM_COUNT_DUPLICATES, 1);
            sim_image_deinit(&image);
            continue;
        }
        struct sim_image copy;
        bool nest = lives + 1 < STATES_LIVES_MAX && how != SIM_CRASH_KILL &&
                    sim_below(random, lives == 0 ? 400 : 200) == 0;
        if (nest)
            sim_image_copy(&copy, &image, false);
        state_judge(episode, &image, model, crash->at, how);
        if (lives > 0)
            sim_count(SIM_COUNT_NESTED, 1);
        if (nest) {
            episode_nest(episode, &copy, model, crash->at, lives);
            sim_image_deinit(&copy);
        }
    }
}

static void episode_life(struct episode *episode, const struct sim_image *base,
    struct store_model *model, unsigned lives)
{
    struct sim_disk disk;
    struct sim_image image;
    struct sim_crash crash;
    sim_where("states --seed %" PRIu64 " (life %u, workload)", episode->seed, lives);
    sim_disk_init(&disk, sim_next(&episode->random));
    sim_image_copy(&image, base, false);
    sim_disk_reboot(&disk, &image);
    disk.recording = true;
    life_work(episode, &disk, model, lives);
    model->sync_failed_at = disk.sync_failed_at;
    store_model_index(model);
    sim_count(SIM_COUNT_OPS, disk.log.count);
    sim_crash_start(&crash, base, &disk.log);
    for (;;) {
        sim_alive();
        episode_point(episode, &crash, model, lives);
        if (crash.at == disk.log.count ||
            !sim_go_on(episode->options, episode->begun, sim_job->counts[SIM_COUNT_STATES]))
            break;
        sim_crash_advance(&crash);
    }
    sim_crash_end(&crash);
    sim_disk_deinit(&disk);
}

static void episode_run(struct episode *episode)
{
    struct store_model model;
    struct sim_image empty;
    store_model_init(&model);
    sim_image_init(&empty);
    memset(episode->seen, 0, sizeof(*episode->seen) << STATES_SEEN_BITS);
    episode->random = (struct sim_random){episode->seed};
    episode_life(episode, &empty, &model, 0);
    sim_count(SIM_COUNT_EPISODES, 1);
    store_model_deinit(&model);
    sim_image_deinit(&empty);
}

void sim_run_states(const struct sim_options *options)
{
    struct episode episode = {.options = options, .begun = sim_real_seconds()};
    sim_on_violation = show_state;
    episode.seen = xnew_n(uint64_t, (size_t)1 << STATES_SEEN_BITS);
    for (uint64_t i = options->job;; i += options->n_jobs) {
        episode.seed = options->seed + i;
        episode_run(&episode);
        if (options->once || !sim_go_on(options, episode.begun, sim_job->counts[SIM_COUNT_STATES]))
            break;
    }
    free(episode.seen);
}
