// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/* configured: reads one configuration value back, for tests that alter it. */
#include "admin.h"
#include "wire/describe_configs.gen.h"

static inline const struct describe_configs_response_config *configured(
    struct harness *harness, int8_t type, const char *name, const char *key)
{
    struct describe_configs_request *request =
        harness_request(harness, &describe_configs_api_codec);
    request->resources =
        arena_new(harness_arena(harness), struct describe_configs_request_resource);
    request->resources_count = 1;
    request->resources->resource_type = type;
    request->resources->resource_name = slice_from_str(name);
    request->resources->configuration_keys = arena_new(harness_arena(harness), struct slice);
    request->resources->configuration_keys[0] = slice_from_str(key);
    request->resources->configuration_keys_count = 1;
    const struct describe_configs_response *response =
        harness_call(harness, &describe_configs_api_codec, 4, request);
    ck_assert_int_eq(response->results->error_code, KAFKA_ERROR_NONE);
    return response->results->configs_count == 0 ? NULL : response->results->configs;
}

#define ck_assert_configured(type, name, key, expected) \
    ck_assert_slice(configured(harness, type, name, key)->value, expected)
