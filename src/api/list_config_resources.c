// SPDX-License-Identifier: BSD-2-Clause
/*
 * list_config_resources: the names of what has configuration: every topic, every broker, and the
 * groups for which something is set. Version 0 asks for client metrics, which are not kept here,
 * and so gets none.
 */
#include "api/configs.h"
#include "api/nodes.h"
#include "broker/group/group_overrides.h"
#include "wire/errors.gen.h"
#include "wire/list_config_resources.gen.h"

static bool type_is_known(int8_t type)
{
    return type == CONFIGS_TOPIC || type == CONFIGS_BROKER || type == CONFIGS_BROKER_LOGGER ||
           type == CONFIGS_CLIENT_METRICS || type == CONFIGS_GROUP;
}

/* No types: all of them. */
static bool type_is_wanted(const struct list_config_resources_request *request, int8_t type)
{
    for (int32_t i = 0; i < request->resource_types_count; i++) {
        if (request->resource_types[i] == type)
            return true;
    }
    return request->resource_types_count <= 0;
}

static void resource_add(
    struct list_config_resources_response *response, int8_t type, struct slice name)
{
    response->config_resources[response->config_resources_count++] =
        (struct list_config_resources_response_config_resource){name, type};
}

static void topics_add(
    struct request *req, const struct image *image, struct list_config_resources_response *response)
{
    for (size_t i = 0; i < image->topics_count; i++)
        resource_add(response, CONFIGS_TOPIC,
            arena_copy_slice(&req->arena, slice_from_str(image->topics[i]->name)));
}

static void brokers_add(struct request *req, struct list_config_resources_response *response)
{
    struct broker *broker = request_broker(req);
    for (int32_t i = 0; i < broker_nodes_count(broker); i++)
        resource_add(response, CONFIGS_BROKER,
            arena_printf(&req->arena, "%d", (int)broker_node_id(broker, i)));
}

static void groups_add(
    struct request *req, const struct image *image, struct list_config_resources_response *response)
{
    map_for_each (&image->group_configs->by_name, entry) {
        const struct group_overrides *overrides = entry->value;
        resource_add(response, CONFIGS_GROUP,
            arena_copy_slice(&req->arena, slice_from_str(overrides->name)));
    }
}

enum handle_result list_config_resources_handle(struct request *req,
    const struct list_config_resources_request *request,
    struct list_config_resources_response *response)
{
    struct broker *broker = request_broker(req);
    const struct image *image = broker_image(broker);
    size_t groups = image->group_configs == NULL ? 0 : image->group_configs->by_name.count;
    if (req->version == 0)
        return HANDLE_DONE;
    for (int32_t i = 0; i < request->resource_types_count; i++) {
        if (!type_is_known(request->resource_types[i]))
            response->error_code = KAFKA_ERROR_UNSUPPORTED_VERSION;
    }
    if (response->error_code != KAFKA_ERROR_NONE)
        return HANDLE_DONE;
    response->config_resources =
        arena_new_n(&req->arena, struct list_config_resources_response_config_resource,
            image->topics_count + groups + (size_t)broker_nodes_count(broker));
    if (type_is_wanted(request, CONFIGS_TOPIC))
        topics_add(req, image, response);
    if (type_is_wanted(request, CONFIGS_BROKER))
        brokers_add(req, response);
    if (groups > 0 && type_is_wanted(request, CONFIGS_GROUP))
        groups_add(req, image, response);
    return HANDLE_DONE;
}
