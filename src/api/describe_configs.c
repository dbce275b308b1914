// SPDX-License-Identifier: BSD-2-Clause
/*
 * describe_configs: every key of a topic, the broker or a group with its value, where the value
 * came from and what else would be in effect without it (synonyms). Values of secrets are not told.
 */
#include "api/configs.h"
#include "api/nodes.h"
#include "broker/group/group_overrides.h"
#include "wire/describe_configs.gen.h"
#include "wire/errors.gen.h"

#define SYNONYMS_MAX 16

struct describe {
    struct request *req;
    const struct describe_configs_request *request;
    const struct describe_configs_request_resource *resource;
    const struct config *config;
    struct describe_configs_response_result *result;
};

static struct arena *describe_arena(const struct describe *describe)
{
    return &describe->req->arena;
}

static bool key_is_wanted(const struct describe *describe, const struct config_key *key)
{
    const struct describe_configs_request_resource *resource = describe->resource;
    if (resource->configuration_keys_count <= 0)
        return true;
    for (int32_t i = 0; i < resource->configuration_keys_count; i++) {
        if (slice_equal_str(resource->configuration_keys[i], key->name))
            return true;
    }
    return false;
}

static struct slice shown(struct arena *arena, const struct config_key *key, const char *value)
{
    return key->type == CONFIG_PASSWORD ? SLICE_NULL
                                        : arena_copy_slice(arena, slice_from_str(value));
}

static void synonym_add(const struct describe *describe,
    struct describe_configs_response_config *answer, const struct config_key *key,
    const char *value, int8_t source)
{
    if (value == NULL || answer->synonyms_count == SYNONYMS_MAX)
        return;
    answer->synonyms[answer->synonyms_count++] = (struct describe_configs_response_synonym){
        .name = slice_from_str(key->name),
        .value = shown(describe_arena(describe), key, value),
        .source = source,
    };
}

/* What a broker key was set to, strongest first, then its default. */
static void synonyms_of_broker_key(const struct describe *describe,
    struct describe_configs_response_config *answer, const struct config_key *key)
{
    struct config_value value;
    for (int source = CONFIG_FROM_DYNAMIC_BROKER; source >= CONFIG_FROM_FILE; source--) {
        if (config_get_from(describe->config, key, (enum config_source)source, &value))
            synonym_add(describe, answer, key, value.value,
                configs_source_code((enum config_source)source));
    }
    value = config_get(describe->config, key);
    bool profile = value.source == CONFIG_FROM_PROFILE;
    synonym_add(
        describe, answer, key, profile ? value.value : key->value_default, CONFIGS_SOURCE_DEFAULT);
}

static void synonyms_of_broker_family(const struct describe *describe,
    struct describe_configs_response_config *answer, const struct config_key *key)
{
    synonyms_of_broker_key(describe, answer, key);
    for (size_t i = 0; i < config_alternatives_count; i++) {
        const struct config_alternative *alternative = &config_alternatives[i];
        if (strcmp(alternative->name, key->name) == 0)
            synonyms_of_broker_key(describe, answer,
                config_key_find(slice_from_str(alternative->alternative), CONFIG_SCOPE_BROKER));
    }
}

static struct describe_configs_response_config *config_add(
    const struct describe *describe, const struct config_key *key, struct configs_entry entry)
{
    struct describe_configs_response_result *result = describe->result;
    struct describe_configs_response_config *answer = &result->configs[result->configs_count++];
    describe_configs_response_config_init(answer);
    answer->name = slice_from_str(key->name);
    answer->value = entry.value;
    answer->config_source = entry.source;
    answer->is_default = entry.source == CONFIGS_SOURCE_DEFAULT;
    answer->is_sensitive = key->type == CONFIG_PASSWORD;
    answer->config_type = configs_type_code(key->type);
    if (describe->request->include_documentation)
        answer->documentation = slice_from_str(key->text);
    answer->synonyms_count = 0;
    if (describe->request->include_synonyms)
        answer->synonyms = arena_new_n(
            describe_arena(describe), struct describe_configs_response_synonym, SYNONYMS_MAX);
    return answer;
}

static void configs_begin(const struct describe *describe)
{
    describe->result->configs = arena_new_n(
        describe_arena(describe), struct describe_configs_response_config, config_keys_count);
    describe->result->configs_count = 0;
}

static void describe_failed(const struct describe *describe, int16_t error, struct slice message)
{
    describe->result->error_code = error;
    describe->result->error_message = message;
}

/* --- topics --- */

static void describe_topic_key(
    const struct describe *describe, const struct topic *topic, const struct config_key *key)
{
    struct configs_entry entry =
        configs_topic_entry(describe_arena(describe), describe->config, topic, key);
    struct describe_configs_response_config *answer = config_add(describe, key, entry);
    if (!describe->request->include_synonyms)
        return;
    const struct topic_override *override = map_get(&topic->overrides, slice_from_str(key->name));
    if (override != NULL)
        synonym_add(describe, answer, key, override->value, CONFIGS_SOURCE_DYNAMIC_TOPIC);
    if (key->broker_key != NULL)
        synonyms_of_broker_family(describe, answer,
            config_key_find(slice_from_str(key->broker_key), CONFIG_SCOPE_BROKER));
    else
        synonym_add(describe, answer, key, key->value_default, CONFIGS_SOURCE_DEFAULT);
}

static void describe_topic(const struct describe *describe)
{
    struct slice name = describe->resource->resource_name;
    const struct topic *topic = image_topic(broker_image(request_broker(describe->req)), name);
    if (topic == NULL) {
        describe_failed(describe,
            topic_name_valid(name) ? KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION
                                   : KAFKA_ERROR_INVALID_REQUEST,
            arena_printf(describe_arena(describe), "There is no topic '%.*s'.", SLICE_FMT(name)));
        return;
    }
    configs_begin(describe);
    for (size_t i = 0; i < config_keys_count; i++) {
        const struct config_key *key = &config_keys[i];
        if ((key->scope & CONFIG_SCOPE_TOPIC) != 0 && key_is_wanted(describe, key))
            describe_topic_key(describe, topic, key);
    }
}

/* --- the broker --- */

/* The listeners with the ports that the kernel chose. */
static struct slice bound_listeners(const struct describe *describe)
{
    struct broker *broker = request_broker(describe->req);
    const struct broker_settings *settings = broker_settings(broker);
    int32_t nodes = broker_nodes_count(broker), node = 0;
    while (node + 1 < nodes && broker_node_id(broker, node) != request_node(describe->req))
        node++;
    struct slice text = SLICE_LIT("");
    for (size_t i = 0; i < settings->listeners_count; i++) {
        const struct listener_settings *listener = &settings->listeners[i];
        bool v6 = strchr(listener->host, ':') != NULL;
        text = arena_printf(describe_arena(describe), "%.*s%s%s://%s%s%s:%u", SLICE_FMT(text),
            i == 0 ? "" : ",", listener->name, v6 ? "[" : "", listener->host, v6 ? "]" : "",
            (unsigned)broker_ports(broker)[i * (size_t)nodes + (size_t)node]);
    }
    return text;
}

/* What is in effect where the key leaves it to the broker. */
static struct slice effective(
    const struct describe *describe, const struct config_key *key, const char *value)
{
    bool id = strcmp(key->name, "node.id") == 0 || strcmp(key->name, "broker.id") == 0;
    if (id)
        return arena_printf(describe_arena(describe), "%d", (int)request_node(describe->req));
    if (strcmp(key->name, "listeners") == 0)
        return bound_listeners(describe);
    return shown(describe_arena(describe), key, value);
}

static void describe_broker_key(const struct describe *describe, const struct config_key *key)
{
    struct config_value value = config_get(describe->config, key);
    struct configs_entry entry = {
        effective(describe, key, value.value), configs_source_code(value.source)};
    struct describe_configs_response_config *answer = config_add(describe, key, entry);
    answer->read_only = (key->scope & CONFIG_SCOPE_DYNAMIC) == 0;
    if (describe->request->include_synonyms)
        synonyms_of_broker_family(describe, answer, key);
}

/* The default of all brokers: only what was set for it. */
static void describe_broker_default(const struct describe *describe, const struct config_key *key)
{
    struct config_value value;
    if (!config_get_from(describe->config, key, CONFIG_FROM_DYNAMIC_DEFAULT, &value))
        return;
    struct configs_entry entry = {
        shown(describe_arena(describe), key, value.value), CONFIGS_SOURCE_DYNAMIC_DEFAULT};
    struct describe_configs_response_config *answer = config_add(describe, key, entry);
    if (describe->request->include_synonyms)
        synonym_add(describe, answer, key, value.value, CONFIGS_SOURCE_DYNAMIC_DEFAULT);
}

static void describe_broker(const struct describe *describe)
{
    struct slice name = describe->resource->resource_name;
    if (!configs_broker_name_valid(describe->req, name)) {
        describe_failed(describe, KAFKA_ERROR_INVALID_REQUEST,
            configs_broker_name_problem(describe->req, name));
        return;
    }
    configs_begin(describe);
    for (size_t i = 0; i < config_keys_count; i++) {
        const struct config_key *key = &config_keys[i];
        if ((key->scope & CONFIG_SCOPE_BROKER) == 0 || !key_is_wanted(describe, key))
            continue;
        if (name.size == 0)
            describe_broker_default(describe, key);
        else
            describe_broker_key(describe, key);
    }
}

/* --- groups --- */

static void describe_group_key(
    const struct describe *describe, const struct group_overrides *config, enum group_key group_key)
{
    const struct config_key *key = group_key_row(group_key);
    const struct config_key *broker_key =
        key->broker_key == NULL
            ? NULL
            : config_key_find(slice_from_str(key->broker_key), CONFIG_SCOPE_BROKER);
    const struct group_settings *settings = &broker_settings(request_broker(describe->req))->group;
    bool set = config != NULL && config->values.numbers[group_key] >= 0;
    struct slice value = group_value_text(config == NULL ? NULL : &config->values, group_key,
        group_overrides_effective(config, settings, group_key), describe_arena(describe));
    int8_t source = set ? (int8_t)CONFIGS_SOURCE_DYNAMIC_GROUP
                    : broker_key == NULL
                        ? (int8_t)CONFIGS_SOURCE_DEFAULT
                        : configs_source_code(config_get(describe->config, broker_key).source);
    struct describe_configs_response_config *answer =
        config_add(describe, key, (struct configs_entry){value, source});
    if (!describe->request->include_synonyms)
        return;
    if (set)
        answer->synonyms[answer->synonyms_count++] = (struct describe_configs_response_synonym){
            .name = answer->name, .value = value, .source = CONFIGS_SOURCE_DYNAMIC_GROUP};
    if (broker_key != NULL)
        synonyms_of_broker_key(describe, answer, broker_key);
    else
        synonym_add(describe, answer, key, key->value_default, CONFIGS_SOURCE_DEFAULT);
}

/* Any name will do: groups are configured before they exist. */
static void describe_group(const struct describe *describe)
{
    struct slice name = describe->resource->resource_name;
    if (name.size == 0) {
        describe_failed(
            describe, KAFKA_ERROR_INVALID_REQUEST, SLICE_LIT("Group name must not be empty"));
        return;
    }
    const struct image *image = broker_image(request_broker(describe->req));
    const struct group_overrides *config = group_configs_find(image->group_configs, name);
    configs_begin(describe);
    for (int key = 0; key < GROUP_KEYS_COUNT; key++) {
        if (key_is_wanted(describe, group_key_row((enum group_key)key)))
            describe_group_key(describe, config, (enum group_key)key);
    }
}

static void describe_resource(const struct describe *describe)
{
    switch (describe->resource->resource_type) {
    case CONFIGS_TOPIC: describe_topic(describe); return;
    case CONFIGS_BROKER: describe_broker(describe); return;
    case CONFIGS_GROUP: describe_group(describe); return;
    case CONFIGS_BROKER_LOGGER:
    case CONFIGS_CLIENT_METRICS: return; /* nothing can be set for these: no keys */
    default:
        describe_failed(describe, KAFKA_ERROR_INVALID_REQUEST,
            arena_printf(describe_arena(describe), "Unsupported resource type: %d",
                (int)describe->resource->resource_type));
    }
}

enum handle_result describe_configs_handle(struct request *req,
    const struct describe_configs_request *request, struct describe_configs_response *response)
{
    const struct config *config = broker_settings(request_broker(req))->config;
    size_t count = (size_t)request->resources_count;
    response->results =
        arena_new_n(&req->arena, struct describe_configs_response_result, count + 1);
    response->results_count = request->resources_count;
    for (size_t i = 0; i < count; i++) {
        struct describe_configs_response_result *result = &response->results[i];
        struct describe describe = {req, request, &request->resources[i], config, result};
        describe_configs_response_result_init(result);
        result->resource_type = request->resources[i].resource_type;
        result->resource_name = request->resources[i].resource_name;
        describe_resource(&describe);
    }
    return HANDLE_DONE;
}
