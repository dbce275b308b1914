// SPDX-License-Identifier: BSD-2-Clause
/* incremental_alter_configs: sets, deletes, appends to and subtracts from single keys; what is not
 * named stays. */
#include "api/configs.h"
#include "wire/incremental_alter_configs.gen.h"

/* Kafka's numbers: SET 0, DELETE 1, APPEND 2, SUBTRACT 3. */
static const enum topics_config_op operations[] = {
    TOPICS_CONFIG_SET, TOPICS_CONFIG_DELETE, TOPICS_CONFIG_APPEND, TOPICS_CONFIG_SUBTRACT};

static void op_add_config(struct request *req, struct topics_op *op,
    const struct incremental_alter_configs_request_config *asked, struct topics_config *config)
{
    *config = (struct topics_config){asked->name, asked->value, TOPICS_CONFIG_SET};
    if (asked->config_operation < 0 || (size_t)asked->config_operation >= ARRAY_COUNT(operations)) {
        topics_op_refuse(op, TOPICS_REQUEST_INVALID,
            arena_printf(&req->arena, "Unknown operation %d on key %.*s.",
                (int)asked->config_operation, SLICE_FMT(asked->name)));
        return;
    }
    config->op = operations[asked->config_operation];
    if (slice_is_null(asked->value) && config->op != TOPICS_CONFIG_DELETE)
        topics_op_refuse(op, TOPICS_REQUEST_INVALID,
            arena_printf(
                &req->arena, "Null value not supported for : %.*s", SLICE_FMT(asked->name)));
}

static void op_prepare(struct request *req, struct topics_op *op,
    const struct incremental_alter_configs_request *request, int32_t index)
{
    const struct incremental_alter_configs_request_resource *resource = &request->resources[index];
    struct topics_config *configs =
        arena_new_n(&req->arena, struct topics_config, (size_t)resource->configs_count + 1);
    configs_op_prepare(req, op, resource->resource_type, resource->resource_name);
    for (int32_t i = 0; i < resource->configs_count; i++)
        op_add_config(req, op, &resource->configs[i], &configs[i]);
    op->configs = configs;
    op->configs_count = (size_t)resource->configs_count;
    op->validate_only = request->validate_only;
}

static void incremental_alter_configs_finish(struct topics_join *join)
{
    const struct incremental_alter_configs_request *request = join->context;
    struct incremental_alter_configs_response *response = join->req->response;
    response->responses = arena_new_n(
        &join->req->arena, struct incremental_alter_configs_response_resource, join->count + 1);
    response->responses_count = (int32_t)join->count;
    for (size_t i = 0; i < join->count; i++) {
        response->responses[i] = (struct incremental_alter_configs_response_resource){
            .error_code = topics_error_code(&join->ops[i]),
            .error_message = join->ops[i].message,
            .resource_type = request->resources[i].resource_type,
            .resource_name = request->resources[i].resource_name,
        };
    }
}

enum handle_result incremental_alter_configs_handle(struct request *req,
    const struct incremental_alter_configs_request *request,
    struct incremental_alter_configs_response *response)
{
    struct topics_join *join = topics_join_new(
        req, TOPICS_CONFIGURE, (size_t)request->resources_count, incremental_alter_configs_finish);
    (void)response;
    join->context = (void *)request;
    for (int32_t i = 0; i < request->resources_count; i++)
        op_prepare(req, &join->ops[i], request, i);
    topics_join_refuse_duplicates(join);
    return topics_join_start(join);
}
