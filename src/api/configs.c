// SPDX-License-Identifier: BSD-2-Clause
#include "api/configs.h"
#include "api/nodes.h"

#include <assert.h>
#include <stdio.h>

#include "broker/topics/image.h"

int8_t configs_source_code(enum config_source source)
{
    switch (source) {
    case CONFIG_FROM_DEFAULT:
    case CONFIG_FROM_PROFILE: return CONFIGS_SOURCE_DEFAULT;
    case CONFIG_FROM_FILE:
    case CONFIG_FROM_ENVIRONMENT:
    case CONFIG_FROM_OVERRIDE: return CONFIGS_SOURCE_STATIC;
    case CONFIG_FROM_DYNAMIC_DEFAULT: return CONFIGS_SOURCE_DYNAMIC_DEFAULT;
    case CONFIG_FROM_DYNAMIC_BROKER: return CONFIGS_SOURCE_DYNAMIC_BROKER;
    case CONFIG_FROM_DYNAMIC_TOPIC: return CONFIGS_SOURCE_DYNAMIC_TOPIC;
    }
    assert(false);
    return 0;
}

int8_t configs_type_code(enum config_type type)
{
    switch (type) {
    case CONFIG_BOOL: return 1;
    case CONFIG_STRING:
    case CONFIG_ENUM: return 2;
    case CONFIG_INT: return 3;
    case CONFIG_LONG: return 5;
    case CONFIG_DOUBLE: return 6;
    case CONFIG_LIST: return 7;
    case CONFIG_PASSWORD: return 9;
    }
    assert(false);
    return 0;
}

struct configs_entry configs_topic_entry(struct arena *arena, const struct config *config,
    const struct topic *topic, const struct config_key *key)
{
    const struct topic_override *override = map_get(&topic->overrides, slice_from_str(key->name));
    struct config_number number;
    if (override != NULL)
        return (struct configs_entry){
            arena_copy_slice(arena, slice_from_str(override->value)), CONFIGS_SOURCE_DYNAMIC_TOPIC};
    struct config_value value = topic_config_default(config, key, &number);
    return (struct configs_entry){
        arena_copy_slice(arena, slice_from_str(value.value)), configs_source_code(value.source)};
}

bool configs_broker_name_valid(const struct request *req, struct slice name)
{
    struct broker *broker = request_broker(req);
    char id[16];
    for (int32_t i = 0; i < broker_nodes_count(broker); i++) {
        snprintf(id, sizeof(id), "%d", (int)broker_node_id(broker, i));
        if (slice_equal_str(name, id))
            return true;
    }
    return name.size == 0;
}

struct slice configs_broker_name_problem(struct request *req, struct slice name)
{
    return arena_printf(&req->arena,
        "Unexpected broker id, expected %d or empty string, but received %.*s",
        (int)request_node(req), SLICE_FMT(name));
}

void configs_op_prepare(struct request *req, struct topics_op *op, int8_t type, struct slice name)
{
    op->name = name;
    if (type == CONFIGS_TOPIC) {
        op->type = TOPICS_CONFIGURE;
        if (name.size == 0)
            topics_op_refuse(
                op, TOPICS_REQUEST_INVALID, SLICE_LIT("Default topic resources are not allowed."));
        return;
    }
    if (type == CONFIGS_GROUP) {
        op->type = TOPICS_CONFIGURE_GROUP;
        if (name.size == 0)
            topics_op_refuse(
                op, TOPICS_REQUEST_INVALID, SLICE_LIT("Default group resources are not allowed."));
        return;
    }
    op->type = TOPICS_CONFIGURE_BROKER;
    if (type != CONFIGS_BROKER)
        topics_op_refuse(op, TOPICS_REQUEST_INVALID,
            arena_printf(&req->arena, "Configuration of resource type %d cannot be altered here.",
                (int)type));
    else if (!configs_broker_name_valid(req, name))
        topics_op_refuse(op, TOPICS_REQUEST_INVALID, configs_broker_name_problem(req, name));
    else if (name.size > 0) /* virtual brokers are one process, with one configuration */
        op->name = arena_printf(&req->arena, "%d", (int)broker_id(request_broker(req)));
}
