// SPDX-License-Identifier: BSD-2-Clause
#include "sim/sim_crash.h"

#include <assert.h>

const char *const sim_crash_names[SIM_CRASH_HOWS] = {
    "kill", "nothing", "prefix", "drop-one", "subset", "no-names", "no-bytes", "torn"};

void sim_crash_start(
    struct sim_crash *crash, const struct sim_image *durable, const struct sim_log *log)
{
    *crash = (struct sim_crash){.log = log};
    sim_image_copy(&crash->durable, durable, true);
}

void sim_crash_end(struct sim_crash *crash)
{
    sim_image_deinit(&crash->durable);
    free(crash->pending);
}

static bool op_of_bytes(const struct sim_op *op)
{
    return op->type == SIM_OP_WRITE || op->type == SIM_OP_TRUNCATE;
}

/* Whether the sync brings the operation to the medium. */
static bool op_covered(const struct sim_op *op, const struct sim_op *sync)
{
    if (sync->type == SIM_OP_DISK_SYNC)
        return op_of_bytes(op);
    if (sync->type == SIM_OP_DIR_SYNC)
        return !op_of_bytes(op) && op->dir == sync->dir;
    return op_of_bytes(op) && op->inode == sync->inode;
}

static void crash_sync(struct sim_crash *crash, const struct sim_op *sync)
{
    size_t kept = 0;
    for (size_t i = 0; i < crash->n_pending; i++) {
        struct sim_pending *pending = &crash->pending[i];
        const struct sim_op *op = &crash->log->ops[pending->op];
        bool covered = op_covered(op, sync);
        if (covered && sync->type == SIM_OP_SYNC_FAILED)
            pending->orphan = op->type == SIM_OP_WRITE;
        else if (covered && !pending->orphan) {
            sim_op_apply(&crash->durable, crash->log, op);
            continue;
        } else if (covered) {
            /* The file's size is there, its bytes are not. */
            struct sim_inode *inode = crash->durable.inodes[op->inode];
            struct sim_op grow = *op;
            grow.type = SIM_OP_TRUNCATE;
            grow.size = op->pos + op->size;
            if (inode == NULL || inode->bytes.size < grow.size)
                sim_op_apply(&crash->durable, crash->log, &grow);
            continue;
        }
        crash->pending[kept++] = *pending;
    }
    crash->n_pending = kept;
}

void sim_crash_advance(struct sim_crash *crash)
{
    assert(crash->at < crash->log->count);
    const struct sim_op *op = &crash->log->ops[crash->at];
    if (op->type == SIM_OP_SYNC || op->type == SIM_OP_SYNC_FAILED || op->type == SIM_OP_DIR_SYNC ||
        op->type == SIM_OP_DISK_SYNC) {
        crash_sync(crash, op);
    } else {
        if (crash->n_pending == crash->capacity) {
            crash->capacity = crash->capacity == 0 ? 32 : crash->capacity * 2;
            crash->pending = xrealloc(crash->pending, crash->capacity * sizeof(*crash->pending));
        }
        crash->pending[crash->n_pending++] = (struct sim_pending){crash->at, false};
    }
    crash->at++;
}

/* --- pictures --- */

/* The file is as long as the write would have made it; what lies there is old. */
static void make_grown(struct sim_crash *crash, const struct sim_op *op, struct sim_random *random,
    struct sim_image *image)
{
    const struct sim_inode *inode = op->inode < image->n_inodes ? image->inodes[op->inode] : NULL;
    uint64_t before = inode == NULL ? 0 : inode->bytes.size, end = op->pos + op->size;
    if (end <= before)
        return;
    struct sim_op grow = *op;
    grow.type = SIM_OP_TRUNCATE;
    grow.size = end;
    sim_op_apply(image, crash->log, &grow);
    if (sim_chance(random, 70))
        return;
    uint8_t *bytes = image->inodes[op->inode]->bytes.data;
    for (uint64_t at = before; at < end; at++)
        bytes[at] = (uint8_t)sim_next(random);
}

static void make_part(struct sim_crash *crash, const struct sim_op *op, uint64_t from, uint64_t to,
    struct sim_image *image)
{
    struct sim_op part = *op;
    part.pos = op->pos + from;
    part.data = op->data + from;
    part.size = to - from;
    if (part.size > 0)
        sim_op_apply(image, crash->log, &part);
}

/* Some of the write's bytes. */
static void make_torn(struct sim_crash *crash, const struct sim_op *op, struct sim_random *random,
    struct sim_image *image)
{
    static const uint64_t units[] = {512, 4096, 1};
    uint64_t unit = units[sim_below(random, 3)];
    if (op->type != SIM_OP_WRITE) {
        if (sim_chance(random, 50))
            sim_op_apply(image, crash->log, op);
        return;
    }
    if (sim_chance(random, 40))
        make_grown(crash, op, random, image);
    if (unit == 1) {
        uint64_t cut = sim_below(random, op->size + 1);
        make_part(crash, op, 0, cut, image);
        return;
    }
    for (uint64_t at = 0; at < op->size;) {
        uint64_t next = (op->pos + at) / unit * unit + unit - op->pos;
        next = next < op->size ? next : op->size;
        if (sim_chance(random, 50))
            make_part(crash, op, at, next, image);
        at = next;
    }
}

static void make_some(
    struct sim_crash *crash, unsigned percent, struct sim_random *random, struct sim_image *image)
{
    for (size_t i = 0; i < crash->n_pending; i++) {
        const struct sim_op *op = &crash->log->ops[crash->pending[i].op];
        if (sim_chance(random, percent))
            sim_op_apply(image, crash->log, op);
        else if (op->type == SIM_OP_WRITE && sim_chance(random, 20))
            make_grown(crash, op, random, image);
    }
}

void sim_crash_make(struct sim_crash *crash, enum sim_crash_how how, struct sim_random *random,
    struct sim_image *ret_image)
{
    static const unsigned percents[] = {10, 50, 90};
    struct sim_image image;
    sim_image_copy(&image, &crash->durable, true);
    size_t n = crash->n_pending;
    size_t chosen = n == 0 ? 0 : (size_t)sim_below(random, n);
    if (how == SIM_CRASH_SUBSET)
        make_some(crash, percents[sim_below(random, 3)], random, &image);
    for (size_t i = 0; i < n; i++) {
        const struct sim_op *op = &crash->log->ops[crash->pending[i].op];
        bool keep = how == SIM_CRASH_KILL || (how == SIM_CRASH_PREFIX && i < chosen) ||
                    (how == SIM_CRASH_DROP_ONE && i != chosen) ||
                    (how == SIM_CRASH_NO_NAMES && op_of_bytes(op)) ||
                    (how == SIM_CRASH_NO_BYTES && !op_of_bytes(op)) ||
                    (how == SIM_CRASH_TORN && !op_of_bytes(op) && sim_chance(random, 80));
        if (keep)
            sim_op_apply(&image, crash->log, op);
        else if ((how == SIM_CRASH_PREFIX && i == chosen) ||
                 (how == SIM_CRASH_TORN && op_of_bytes(op)))
            make_torn(crash, op, random, &image);
    }
    sim_image_copy(ret_image, &image, false);
    sim_image_deinit(&image);
}
