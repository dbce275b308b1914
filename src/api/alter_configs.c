// SPDX-License-Identifier: BSD-2-Clause
/* alter_configs: the older of two ways to alter configuration. It replaces the whole set: what is
 * not named goes back to its default. */
#include "api/configs.h"
#include "wire/alter_configs.gen.h"

static void op_prepare(struct request *req, struct topics_op *op,
    const struct alter_configs_request *request, int32_t index)
{
    const struct alter_configs_request_resource *resource = &request->resources[index];
    struct topics_config *configs =
        arena_new_n(&req->arena, struct topics_config, (size_t)resource->configs_count + 1);
    for (int32_t i = 0; i < resource->configs_count; i++)
        configs[i] = (struct topics_config){
            resource->configs[i].name, resource->configs[i].value, TOPICS_CONFIG_SET};
    op->configs = configs;
    op->configs_count = (size_t)resource->configs_count;
    op->replace = true;
    op->validate_only = request->validate_only;
    configs_op_prepare(req, op, resource->resource_type, resource->resource_name);
}

static void alter_configs_finish(struct topics_join *join)
{
    const struct alter_configs_request *request = join->context;
    struct alter_configs_response *response = join->req->response;
    response->responses =
        arena_new_n(&join->req->arena, struct alter_configs_response_resource, join->count + 1);
    response->responses_count = (int32_t)join->count;
    for (size_t i = 0; i < join->count; i++) {
        response->responses[i] = (struct alter_configs_response_resource){
            .error_code = topics_error_code(&join->ops[i]),
            .error_message = join->ops[i].message,
            .resource_type = request->resources[i].resource_type,
            .resource_name = request->resources[i].resource_name,
        };
    }
}

enum handle_result alter_configs_handle(struct request *req,
    const struct alter_configs_request *request, struct alter_configs_response *response)
{
    struct topics_join *join = topics_join_new(
        req, TOPICS_CONFIGURE, (size_t)request->resources_count, alter_configs_finish);
    (void)response;
    join->context = (void *)request;
    for (int32_t i = 0; i < request->resources_count; i++)
        op_prepare(req, &join->ops[i], request, i);
    topics_join_refuse_duplicates(join);
    return topics_join_start(join);
}
