// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * configs: what the configuration APIs share: resources, where values come from in Kafka's numbers,
 * and the two ways to alter. Any loop.
 */
#include "api/topics_join.h"
#include "broker/config/config.h"

enum configs_resource {
    CONFIGS_TOPIC = 2,
    CONFIGS_BROKER = 4,
    CONFIGS_BROKER_LOGGER = 8,
    CONFIGS_CLIENT_METRICS = 16,
    CONFIGS_GROUP = 32,
};

enum configs_source {
    CONFIGS_SOURCE_DYNAMIC_TOPIC = 1,
    CONFIGS_SOURCE_DYNAMIC_BROKER = 2,
    CONFIGS_SOURCE_DYNAMIC_DEFAULT = 3,
    CONFIGS_SOURCE_STATIC = 4,
    CONFIGS_SOURCE_DEFAULT = 5,
    CONFIGS_SOURCE_DYNAMIC_GROUP = 8,
};

struct configs_entry {
    struct slice value; /* null: none, or secret */
    int8_t source;      /* enum configs_source */
};

int8_t configs_source_code(enum config_source source);
/* Kafka's number of a type. */
int8_t configs_type_code(enum config_type type);
/* The effective value of a topic key (copied into the arena). */
struct configs_entry configs_topic_entry(struct arena *arena, const struct config *config,
    const struct topic *topic, const struct config_key *key);

/* Sets up an operation that alters `name` of a resource type; refuses what cannot be altered. */
void configs_op_prepare(struct request *req, struct topics_op *op, int8_t type, struct slice name);
/* True for the id of a broker that this process shows and, for the default of all brokers, "". */
bool configs_broker_name_valid(const struct request *req, struct slice name);
struct slice configs_broker_name_problem(struct request *req, struct slice name);
