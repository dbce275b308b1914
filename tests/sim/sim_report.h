// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * sim_report: where a run is, so that whatever ends it (a broken invariant, an assert, a signal, a
 * hang) can be replayed from one line. Jobs are processes; their counts are in shared memory.
 */
#include "base/memory.h"

#include <stdbool.h>
#include <stdint.h>

enum sim_count {
    SIM_COUNT_STATES,
    SIM_COUNT_DUPLICATES,
    SIM_COUNT_EPISODES,
    SIM_COUNT_OPS,     /* of the disk, in recorded logs */
    SIM_COUNT_ACKS,    /* durable */
    SIM_COUNT_FAULTS,  /* calls that were made to fail */
    SIM_COUNT_CRASHES, /* of a running simulation */
    SIM_COUNT_NESTED,  /* states of a second crash */
    SIM_COUNT_STEPS,
    SIM_COUNT_LOST_WRITTEN, /* acks=1 records gone with the power: some must */
    SIM_COUNT_CUT,          /* recoveries that left less than was written */
    SIM_COUNT_SITES,
    SIM_COUNT_SIM_MS, /* simulated time */
    SIM_COUNT_JOINS,
    SIM_COUNT_GENERATIONS,
    SIM_COUNT_COMMITS,
    SIM_COUNT_RECORDS,
    SIM_COUNT_REFUSED, /* directories that refused to open, with a reason, after damage */
    SIM_COUNT_HOLES,   /* states in which a damaged batch was unavailable */
    SIM_COUNT_WRONG,   /* ... one whose header is not covered by its checksum */
    SIM_COUNT_OFFLINE, /* runs after which a partition was offline until the next start */
    SIM_COUNT_COSTLY,  /* states in which damage of something else than a log cost records */
    SIM_COUNTS,
};

struct sim_job {
    uint64_t counts[SIM_COUNTS];
    uint64_t violations;
    uint64_t trace; /* hash of everything that happened */
};

extern struct sim_job *sim_job; /* of this process */

/* What is being done, for the line that tells of a failure. */
void sim_where(const char *format, ...) _printf_(1, 2);
const char *sim_where_is(void);
/* Called before a violation ends the process: shows what it knows. */
extern void (*sim_on_violation)(void);
/* Prints the line of a broken invariant and ends the process. */
_Noreturn void sim_violation(const char *format, ...) _printf_(1, 2);
#define sim_check(condition, ...)       \
    do {                                \
        if (!(condition))               \
            sim_violation(__VA_ARGS__); \
    } while (0)
/* Signals tell where they hit; something that takes longer than `seconds` without sim_alive is a
 * hang. */
void sim_watch(unsigned seconds);
void sim_alive(void);
static inline void sim_count(enum sim_count count, uint64_t n)
{
    sim_job->counts[count] += n;
}
static inline void sim_trace(uint64_t value)
{
    uint64_t hash = (sim_job->trace ^ value) * 0x9e3779b97f4a7c15ULL;
    sim_job->trace = hash ^ hash >> 29;
}
