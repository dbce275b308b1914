// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * sim_crash: what may lie on the medium after a power failure. A walk goes through a log of
 * sim_disk and knows at each point what is durable and which operations are pending; from that it
 * makes pictures: everything durable, and of what is pending some, in one of the ways of enum
 * sim_crash_how. Bytes may be torn at sectors, pages or anywhere; a file may have grown without its
 * bytes (zeros, or what lay there before).
 */
#include "sim/sim_disk.h"

enum sim_crash_how {
    SIM_CRASH_KILL,     /* all of it: the process died, the machine did not */
    SIM_CRASH_NOTHING,  /* nothing of it */
    SIM_CRASH_PREFIX,   /* in order up to some point, the last one torn */
    SIM_CRASH_DROP_ONE, /* all but one */
    SIM_CRASH_SUBSET,   /* any of them */
    SIM_CRASH_NO_NAMES, /* bytes, no names */
    SIM_CRASH_NO_BYTES, /* names, no bytes */
    SIM_CRASH_TORN,     /* any part of any write */
    SIM_CRASH_HOWS,
};
extern const char *const sim_crash_names[SIM_CRASH_HOWS];

struct sim_crash {
    const struct sim_log *log;
    struct sim_image durable;
    size_t at; /* operations passed */
    struct sim_pending {
        size_t op;
        bool orphan; /* a sync of it failed: later ones do not bring it to the medium */
    } * pending;
    size_t n_pending, capacity;
};

/* From what was on the medium when the log began. */
void sim_crash_start(
    struct sim_crash *crash, const struct sim_image *durable, const struct sim_log *log);
void sim_crash_end(struct sim_crash *crash);
/* To behind the next operation. */
void sim_crash_advance(struct sim_crash *crash);
/* A picture after a failure here. */
void sim_crash_make(struct sim_crash *crash, enum sim_crash_how how, struct sim_random *random,
    struct sim_image *ret_image);
