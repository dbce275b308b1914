// SPDX-License-Identifier: BSD-2-Clause
/*
 * Damage. A workload leaves a data directory with every kind of file that the engine has; then each
 * of its bytes is flipped, zeroed and set, each file is cut at each length, removed, swapped with
 * another of its kind and replaced by an older copy of itself. Each such directory is opened and
 * judged: nothing crashes or hangs, what is read was sent, and only what lay in the damaged bytes
 * may be missing.
 *
 * What is let pass, because nothing could tell:
 *   - The journal of topics may refuse to open, with a reason, and what it has lost is not there.
 *   - After a death: a batch above the recovery point that is damaged looks as a torn write does,
 * so the log may be cut there (damage_judge: beyond). No sidecar covers what the active segment
 *     holds: nothing tells whose it is, or what leader epoch its batches had; and when the
 * partition is compacted and no checkpoint knew it yet, nor does anything tell whether an offset
 * may be missing before a batch, so its base offset is not known either (damage_may_be_wrong).
 *   - With the identity file of a deleted topic of its name, a directory is what is left of that
 *     (damage_may_cost).
 */
#include "sim/sim.h"
#include "sim/sim_store.h"

#include "base/small_file.h"
#include "store/batch/batch.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#define DAMAGE_FILES_MAX 256

struct damage_file {
    char path[160];
    uint32_t inode;
    bool is_log;
};

struct damage {
    const struct sim_options *options;
    uint64_t seed;
    double begun;
    struct sim_image image, older;
    struct store_model model;
    size_t at;
    bool clean;                     /* stopped well */
    bool mixed_up;                  /* identity files are swapped */
    bool outdated;                  /* the file is an older copy of itself */
    bool swapped;                   /* ... is another's */
    bool head;                      /* the byte is one of a head that only a sidecar covers */
    const struct damage_file *file; /* the damaged one; NULL: none */
    bool *noted;
    bool *baseline; /* by batch of the model: it can be read without damage */
    struct damage_file files[DAMAGE_FILES_MAX];
    unsigned n_files;
    uint64_t n_states;
};

/* --- the directory --- */

static void damage_collect(struct damage *damage, uint32_t dir, const char *path)
{
    const struct sim_inode *at = damage->image.inodes[dir];
    for (uint32_t i = 0; i < at->n_entries; i++) {
        char below[160];
        const char *name = at->entries[i].name;
        snprintf(below, sizeof(below), "%.60s/%.90s", path, name);
        if (damage->image.inodes[at->entries[i].inode]->is_dir) {
            damage_collect(damage, at->entries[i].inode, below);
            continue;
        }
        assert(damage->n_files < DAMAGE_FILES_MAX);
        struct damage_file *file = &damage->files[damage->n_files++];
        memcpy(file->path, below, sizeof(below));
        file->inode = at->entries[i].inode;
        size_t size = strlen(name);
        file->is_log = size > 4 && strcmp(name + size - 4, ".log") == 0;
    }
}

/* Kinds that the workload does not make. */
static void damage_add_files(struct store_world *world)
{
    static const struct engine_aborted aborted = {
        .producer_id = 7, .first_offset = 0, .last_offset = 1, .stable_offset = 1};
    struct store_part *part = &world->parts[STORE_PLAIN];
    struct env *env = &world->disk->env;
    world->engine->ops->part_aborted_put(part->part, &aborted, 1);
    sim_sched_settle();
    /* Of an earlier life: it does not say what is so any more. */
    int r =
        small_file_write(env, STORE_DIR "/topic0-0/quarantine", SLICE_LIT("0\n1\n0 1 2 130 240\n"));
    assert(r == 0);
}

static void damage_make(struct damage *damage)
{
    struct sim_disk disk;
    struct store_world world;
    struct sim_random random = {damage->seed};
    bool clean = damage->clean = damage->seed % 3 != 0;
    sim_where("damage --seed %" PRIu64 " (workload)", damage->seed);
    sim_disk_init(&disk, damage->seed);
    store_model_init(&damage->model);
    disk.recording = true;
    int r = store_world_boot(&world, &disk, &damage->model, &random);
    assert(r == 0);
    for (unsigned i = 0; i < 50; i++) {
        store_world_act(&world);
        if (i == 20)
            sim_image_copy(&damage->older, &disk.image, false);
    }
    damage_add_files(&world);
    if (clean)
        store_world_stop(&world);
    damage->at = disk.log.count;
    disk.recording = false;
    if (!clean)
        store_world_kill(&world);
    store_model_index(&damage->model);
    sim_image_copy(&damage->image, &disk.image, false);
    sim_disk_deinit(&disk);
    damage->n_files = 0;
    damage_collect(damage, 0, "");
    damage->noted = xnew_n(bool, STORE_BATCHES);
}

static void damage_judge(
    struct damage *damage, struct sim_image *take_image, unsigned allowed, bool journal);

/* What is there without damage. */
static void damage_note(struct damage *damage)
{
    struct sim_image image;
    sim_where("damage --seed %" PRIu64 " (no damage)", damage->seed);
    sim_image_copy(&image, &damage->image, false);
    damage_judge(damage, &image, 0, false);
    damage->baseline = damage->noted;
}

/* --- one damaged directory --- */

/* With the identity file of a topic of the same name that was deleted, a directory is what is left
 * of that. */
static bool damage_may_cost(const struct damage *damage)
{
    const char *path = damage->file == NULL ? "" : damage->file->path;
    return damage->outdated && strstr(path, "partition.metadata") != NULL;
}

static bool damage_may_be_wrong(const struct damage *damage)
{
    return !damage->clean && damage->file != NULL && damage->file->is_log &&
           (damage->swapped || damage->head);
}

/* How many batches of the log have bytes in [from, to). */
static unsigned damage_batches(
    const struct damage *damage, const struct damage_file *file, uint64_t from, uint64_t to)
{
    const struct buffer *bytes = &damage->image.inodes[file->inode]->bytes;
    unsigned count = 0;
    for (uint64_t at = 0; file->is_log && at + BATCH_HEADER_SIZE <= bytes->size;) {
        struct batch_header header = batch_header_parse(bytes->data + at);
        if (!batch_header_sane(&header))
            break;
        count += at < to && at + batch_size(&header) > from;
        at += batch_size(&header);
    }
    return count;
}

/* Whether the byte is one of a batch's leader epoch, or of its base offset in the compacted log. */
static bool damage_in_head(
    const struct damage *damage, const struct damage_file *file, uint64_t byte)
{
    const struct buffer *bytes = &damage->image.inodes[file->inode]->bytes;
    for (uint64_t at = 0; file->is_log && at + BATCH_HEADER_SIZE <= bytes->size;) {
        struct batch_header header = batch_header_parse(bytes->data + at);
        if (!batch_header_sane(&header))
            break;
        if (byte >= at + BATCH_POS_LEADER_EPOCH && byte < at + BATCH_POS_LEADER_EPOCH + 4)
            return true;
        if (byte >= at && byte < at + 8 && strstr(file->path, "/topic2-0/") != NULL)
            return true;
        at += batch_size(&header);
    }
    return false;
}

static void damage_judge(
    struct damage *damage, struct sim_image *take_image, unsigned allowed, bool journal)
{
    struct sim_disk disk;
    struct store_world world;
    struct store_verdict verdict = {.at = damage->at,
        .tolerant = damage->baseline != NULL,
        .baseline = damage->baseline,
        .journal_damaged = journal,
        .mixed_up = damage->mixed_up};
    if (damage->baseline == NULL)
        verdict.note_present = damage->noted;
    sim_disk_init(&disk, damage->seed);
    sim_disk_reboot(&disk, take_image);
    damage->n_states++;
    sim_count(SIM_COUNT_STATES, 1);
    int r = store_world_boot(&world, &disk, &damage->model, NULL);
    sim_check(r == 0 || journal, "the directory does not open: %d", r);
    sim_trace((uint64_t)r);
    if (r != 0) {
        sim_count(SIM_COUNT_REFUSED, 1);
        sim_disk_deinit(&disk);
        return;
    }
    store_world_judge(&world, &verdict);
    store_world_judge_alive(&world);
    store_world_kill(&world);
    sim_disk_deinit(&disk);
    sim_trace(verdict.missing | (uint64_t)verdict.corrupt << 32);
    sim_count(SIM_COUNT_HOLES, verdict.missing > 0 || verdict.corrupt > 0);
    sim_check(verdict.served == 0, "%u batches with a wrong checksum are served", verdict.served);
    sim_count(SIM_COUNT_WRONG, verdict.wrong > 0);
    sim_check(verdict.wrong == 0 || damage_may_be_wrong(damage),
        "%u batches are served that nobody sent so", verdict.wrong);
    bool costly = allowed == 0 && verdict.missing > 0 && !journal;
    sim_count(SIM_COUNT_COSTLY, costly);
    sim_check(
        !costly || damage_may_cost(damage), "damage of no log cost %u batches", verdict.missing);
    sim_count(SIM_COUNT_OFFLINE, verdict.offline > 0);
    /* After a death the tail is not known from rot; the log may be cut at the damage. */
    bool beyond = verdict.missing > allowed && allowed > 0 && damage->clean;
    sim_check(!beyond, "%u batches are missing, and %u were damaged", verdict.missing, allowed);
}

static bool damage_is_journal(const struct damage_file *file)
{
    return strstr(file->path, "/meta/") != NULL;
}

static bool damage_mine(struct damage *damage, uint64_t *turn)
{
    return (*turn)++ % damage->options->n_jobs == damage->options->job;
}

static bool damage_over(const struct damage *damage)
{
    return !sim_go_on(damage->options, damage->begun, damage->n_states);
}

/* --- all of them --- */

static void damage_bytes(struct damage *damage, const struct damage_file *file, uint64_t step)
{
    static const char *const hows[] = {"flipped", "zeroed", "set"};
    size_t size = damage->image.inodes[file->inode]->bytes.size;
    uint64_t turn = 0;
    for (size_t at = (size_t)(damage->seed % step); at < size; at += step) {
        for (unsigned how = 0; how < 3; how++) {
            struct sim_image image;
            if (!damage_mine(damage, &turn))
                continue;
            sim_image_copy(&image, &damage->image, false);
            uint8_t *byte = &image.inodes[file->inode]->bytes.data[at], before = *byte;
            *byte = (uint8_t)(how == 0 ? before ^ 1U << (at % 8) : how == 1 ? 0U : 0xffU);
            sim_where("damage --seed %" PRIu64 " (%s: byte %zu is %s)", damage->seed, file->path,
                at, hows[how]);
            damage->head = damage_in_head(damage, file, at);
            if (*byte == before)
                sim_image_deinit(&image);
            else
                damage_judge(damage, &image, damage_batches(damage, file, at, at + 1),
                    damage_is_journal(file));
        }
        damage->head = false;
        sim_alive();
        if (damage_over(damage))
            return;
    }
}

static void damage_lengths(struct damage *damage, const struct damage_file *file, uint64_t step)
{
    size_t size = damage->image.inodes[file->inode]->bytes.size;
    uint64_t turn = 0;
    for (size_t at = 0; at < size; at += step) {
        struct sim_image image;
        if (!damage_mine(damage, &turn))
            continue;
        sim_image_copy(&image, &damage->image, false);
        image.inodes[file->inode]->bytes.size = at;
        sim_where("damage --seed %" PRIu64 " (%s: cut at %zu)", damage->seed, file->path, at);
        damage_judge(
            damage, &image, damage_batches(damage, file, at, size), damage_is_journal(file));
        sim_alive();
        if (damage_over(damage))
            return;
    }
}

static void damage_replace(struct sim_image *image, uint32_t inode, const struct buffer *bytes)
{
    struct buffer *to = &image->inodes[inode]->bytes;
    to->size = 0;
    buffer_append(to, bytes->data, bytes->size);
}

static void damage_remove(struct sim_image *image, const char *path)
{
    char parent[160];
    snprintf(parent, sizeof(parent), "%s", path);
    char *slash = strrchr(parent, '/');
    *slash = '\0';
    struct sim_inode *dir = sim_image_find(image, parent);
    for (uint32_t i = 0; i < dir->n_entries; i++) {
        if (strcmp(dir->entries[i].name, slash + 1) == 0) {
            dir->entries[i] = dir->entries[--dir->n_entries];
            return;
        }
    }
    assert(false);
}

/* The same kind: the same end of the name, or the same name elsewhere, or checkpoints. */
static bool damage_same_kind(const struct damage_file *a, const struct damage_file *b)
{
    if (strstr(a->path, "checkpoint") != NULL && strstr(b->path, "checkpoint") != NULL)
        return true;
    const char *left = strrchr(a->path, '.'), *right = strrchr(b->path, '.');
    if (left == NULL || right == NULL)
        return strcmp(strrchr(a->path, '/'), strrchr(b->path, '/')) == 0;
    return strcmp(left, right) == 0;
}

static void damage_whole(struct damage *damage, unsigned at)
{
    const struct damage_file *file = damage->file = &damage->files[at];
    bool journal = damage_is_journal(file);
    unsigned all = damage_batches(damage, file, 0, UINT64_MAX);
    struct sim_image image;
    sim_where("damage --seed %" PRIu64 " (%s: removed)", damage->seed, file->path);
    sim_image_copy(&image, &damage->image, false);
    damage_remove(&image, file->path);
    damage_judge(damage, &image, all, journal);

    struct sim_inode *older = sim_image_find(&damage->older, file->path);
    if (older != NULL && !older->is_dir) {
        sim_where("damage --seed %" PRIu64 " (%s: an older copy)", damage->seed, file->path);
        sim_image_copy(&image, &damage->image, false);
        damage_replace(&image, file->inode, &older->bytes);
        damage->outdated = true;
        damage_judge(damage, &image, all, journal);
        damage->outdated = false;
    }
    for (unsigned i = at + 1; i < damage->n_files; i++) {
        const struct damage_file *other = &damage->files[i];
        if (!damage_same_kind(file, other))
            continue;
        sim_where("damage --seed %" PRIu64 " (%s: swapped with %s)", damage->seed, file->path,
            other->path);
        sim_image_copy(&image, &damage->image, false);
        damage_replace(&image, file->inode, &damage->image.inodes[other->inode]->bytes);
        damage_replace(&image, other->inode, &damage->image.inodes[file->inode]->bytes);
        damage->mixed_up = strstr(file->path, "/partition.metadata") != NULL;
        damage->swapped = true;
        damage_judge(damage, &image, all + damage_batches(damage, other, 0, UINT64_MAX), journal);
        damage->mixed_up = damage->swapped = false;
        sim_alive();
    }
}

static void damage_run(struct damage *damage)
{
    /* The short form takes every 29th byte, another one of them for each seed. */
    uint64_t step = damage->options->brief ? 29 : 1;
    damage->file = NULL;
    damage_make(damage);
    damage_note(damage);
    for (unsigned i = damage->options->job; i < damage->n_files && !damage_over(damage);
         i += damage->options->n_jobs)
        damage_whole(damage, i);
    for (unsigned i = 0; i < damage->n_files && !damage_over(damage); i++) {
        damage->file = &damage->files[i];
        damage_lengths(damage, &damage->files[i], step);
        damage_bytes(damage, &damage->files[i], step);
    }
    if (!damage_over(damage))
        sim_count(SIM_COUNT_EPISODES, damage->options->job == 0);
    store_model_deinit(&damage->model);
    free(damage->noted);
    damage->noted = damage->baseline = NULL;
    sim_image_deinit(&damage->image);
    sim_image_deinit(&damage->older);
}

void sim_run_damage(const struct sim_options *options)
{
    struct damage damage = {.options = options, .begun = sim_real_seconds()};
    for (uint64_t i = 0;; i++) {
        damage.seed = options->seed + i;
        damage_run(&damage);
        if (options->once || damage_over(&damage))
            break;
    }
}
