// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * sim_store: a local engine and a meta journal on a simulated disk, a workload on them, and a model
 * of what was promised. Four partitions: one with small segments, one with retention and moving log
 * start, one that is compacted, one whose topic is deleted and made again under the same name. The
 * model holds each batch with what was said about it, and when (the length of the disk's log), so
 * that a picture of a crash at any point can be judged.
 *
 * What is checked after a recovery: everything opens; every batch is whole and one that was sent,
 * at the offset that was said; none was refused before; there is no hole (compacted: nothing that
 * nobody superseded is missing); everything acknowledged as durable is there (or deleted, by whom
 * it may); the log start neither falls below an acknowledged one nor goes further than it may; the
 * topic that was deleted stays so; the journal holds what it acknowledged; a new append works.
 *
 * The path behind "for a kill" also wants everything that was written.
 */
#include "sim/sim_crash.h"
#include "sim/sim_report.h"
#include "sim/sim_sched.h"
#include "store/engine.h"
#include "store/meta/meta.h"

#define STORE_DIR     "/data"
#define STORE_PARTS   4
#define STORE_LOOPS   2
#define STORE_NEVER   SIZE_MAX
#define STORE_BATCHES 4096

enum store_part_kind { STORE_PLAIN, STORE_TRIMMED, STORE_COMPACTED, STORE_REBORN };

enum store_said { STORE_NOTHING, STORE_WRITTEN, STORE_DURABLE, STORE_REFUSED, STORE_UNKNOWN };

struct store_batch {
    unsigned part, incarnation;
    int64_t base, end;
    uint32_t crc;
    size_t size;
    unsigned key;
    unsigned life;
    enum store_said said;
    size_t said_at;    /* length of the log then; STORE_NEVER: not yet */
    size_t durable_at; /* the same by a flush or as durable append */
};

struct store_start {
    unsigned part, incarnation;
    size_t at;
    int64_t offset;
    bool least; /* acknowledged: not below; else: may be up to here */
};

struct store_model {
    struct store_batch *batches; /* STORE_BATCHES */
    size_t n_batches;
    struct store_start *starts;
    size_t n_starts, starts_capacity;
    /* the journal: values of "seq" rise */
    struct {
        uint64_t seq;
        size_t acked_at;
        unsigned incarnation; /* of the reborn topic; 0: deleted */
    } * metas;
    size_t n_metas, metas_capacity;
    size_t *order; /* of batches, by crc; made by store_model_index */
    size_t n_order;
    uint64_t next_id;
    unsigned life;
    /* From here on what was only written may have been given up: the log is cut to what is durable.
     */
    size_t sync_failed_at;
};

struct store_part {
    struct store_world *world;
    unsigned index;
    enum store_part_kind kind;
    unsigned incarnation;
    struct part *part; /* NULL: not there */
    bool acquired, failed;
    bool busy; /* being deleted or made */
    int64_t log_start;
    char label[16];
};

struct store_world {
    struct sim_disk *disk;
    struct sim_random *random; /* NULL: no workload */
    struct store_model *model;
    struct loop *loops[STORE_LOOPS];
    struct engine *engine;
    struct meta *meta;
    struct offload *offload;
    struct store_part parts[STORE_PARTS];
    unsigned n_waiting; /* appends and calls without answer */
    bool ending;
    size_t noted_at; /* length of the log when the log starts were noted last */
};

void store_model_init(struct store_model *model);
void store_model_deinit(struct store_model *model);
/* Before states are judged. */
void store_model_index(struct store_model *model);
/* The process died when its log was `at` long: what was not said by then was never said. */
void store_model_crash(struct store_model *model, size_t at);

/* 0, or -errno when the directory does not open. */
int store_world_boot(struct store_world *world, struct sim_disk *disk, struct store_model *model,
    struct sim_random *random);
/* One random thing. */
void store_world_act(struct store_world *world);
/* Everything closes well, or (dead disk) just goes. */
void store_world_stop(struct store_world *world);
void store_world_kill(struct store_world *world);

/* Where the crash was and how. tolerant: the medium was damaged; only corrupt or foreign data is a
 * violation; returns how many batches are missing. */
struct store_verdict {
    size_t at;
    bool kill;
    bool tolerant;
    bool *note_present;   /* out, when not NULL: by batch of the model, whether it was read */
    const bool *baseline; /* tolerant: what was there before the damage */
    bool journal_damaged; /* tolerant: it is not judged */
    unsigned missing;     /* out: durable batches that are not there */
    unsigned corrupt;     /* out: reads that were answered with an error */
    unsigned served;      /* out: batches with a wrong checksum handed out */
    unsigned wrong;       /* out: batches that nobody sent so */
    bool mixed_up;        /* identity files were swapped: a partition may be offline */
    unsigned offline;     /* out: partitions that are */
};
void store_world_judge(struct store_world *world, struct store_verdict *verdict);
/* A new durable append on every partition must succeed. */
void store_world_judge_alive(struct store_world *world);
