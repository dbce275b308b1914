// SPDX-License-Identifier: BSD-2-Clause
#include "admin.h"
#include "runner.h"
#include "wire/incremental_alter_configs.gen.h"
#include "wire/list_config_resources.gen.h"

static struct harness *harness;

static void setup(void)
{
    harness = harness_new(2, NULL);
    admin_create(harness, "orders", 1);
}

static void teardown(void)
{
    harness_free(harness);
}

static void configure_group(const char *name, int8_t operation)
{
    struct arena *arena = harness_arena(harness);
    struct incremental_alter_configs_request *request =
        harness_request(harness, &incremental_alter_configs_api_codec);
    request->resources = arena_new(arena, struct incremental_alter_configs_request_resource);
    request->resources_count = 1;
    request->resources->resource_type = 32;
    request->resources->resource_name = slice_from_str(name);
    request->resources->configs = arena_new(arena, struct incremental_alter_configs_request_config);
    request->resources->configs_count = 1;
    request->resources->configs[0] = (struct incremental_alter_configs_request_config){
        SLICE_LIT("consumer.session.timeout.ms"), operation, SLICE_LIT("50000")};
    const struct incremental_alter_configs_response *response =
        harness_call(harness, &incremental_alter_configs_api_codec, 1, request);
    ck_assert_int_eq(response->responses->error_code, KAFKA_ERROR_NONE);
}

/* `type` 0: all. */
static const struct list_config_resources_response *list(int16_t version, int8_t type)
{
    struct list_config_resources_request *request =
        harness_request(harness, &list_config_resources_api_codec);
    request->resource_types = arena_new(harness_arena(harness), int8_t);
    request->resource_types[0] = type;
    request->resource_types_count = type != 0;
    return harness_call(harness, &list_config_resources_api_codec, version, request);
}

static void lists_only(int8_t type, const char *name)
{
    const struct list_config_resources_response *response = list(1, type);
    ck_assert_int_eq(response->error_code, KAFKA_ERROR_NONE);
    ck_assert_int_eq(response->config_resources_count, name != NULL);
    if (name == NULL)
        return;
    ck_assert_slice(response->config_resources->name, name);
    ck_assert_int_eq(response->config_resources->resource_type, type);
}

START_TEST(lists_by_type)
{
    configure_group("g", 0);
    lists_only(2, "orders");
    lists_only(4, "1");
    lists_only(32, "g");
    lists_only(16, NULL);
    lists_only(8, NULL);
    ck_assert_int_eq(list(1, 0)->config_resources_count, 3);
    ck_assert_int_eq(list(0, 0)->config_resources_count, 0);
    ck_assert_int_eq(list(1, 3)->error_code, KAFKA_ERROR_UNSUPPORTED_VERSION);
}
END_TEST

START_TEST(lists_groups_while_something_is_set)
{
    lists_only(32, NULL);
    configure_group("g", 0);
    harness_restart(harness, NULL);
    lists_only(32, "g");
    configure_group("g", 1);
    lists_only(32, NULL);
}
END_TEST

TEST_MAIN_FIXTURE("api/list_config_resources", setup, teardown, lists_by_type,
    lists_groups_while_something_is_set)
