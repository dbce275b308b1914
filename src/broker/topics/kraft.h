// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * kraft: what Apache Kafka's metadata log in a carried-over directory says of topics: their
 * configuration, and which producer ids were handed out. Read once before the loops run; blocks.
 */
#include "base/env.h"
#include "base/list.h"
#include "base/map.h"
#include "base/slice.h"

struct kraft_config {
    struct list_link link;
    char *name, *value;
};

struct kraft_topic {
    char *name;
    struct list_link configs; /* struct kraft_config */
};

struct kraft {
    bool found;           /* there is such a log, and it could be read */
    struct map topics;    /* name -> struct kraft_topic */
    int64_t producer_ids; /* the next one that was never handed out */
};

/* 0 (also when there is none) or -errno. A torn end is where the log ends. */
int kraft_read(struct kraft *kraft, struct env *env, const char *data_dir);
/* NULL: it is not known there. */
const struct kraft_topic *kraft_topic(const struct kraft *kraft, struct slice name);
void kraft_deinit(struct kraft *kraft);
