// SPDX-License-Identifier: BSD-2-Clause
#include "api/api_table.h"
#include "api/api_versions.h"
#include "runner.h"
#include "support/broker_harness.h"
#include "wire/api_versions.gen.h"
#include "wire/errors.gen.h"

static struct harness *harness;

static void setup(void)
{
    harness = harness_new(1, NULL);
}

static void teardown(void)
{
    harness_free(harness);
}

static const struct api_versions_response *ask(
    int16_t version, const char *name, const char *software_version)
{
    struct api_versions_request *request = harness_request(harness, &api_versions_api_codec);
    request->client_software_name = slice_from_str(name);
    request->client_software_version = slice_from_str(software_version);
    return harness_call(harness, &api_versions_api_codec, version, request);
}

START_TEST(api_versions_lists_the_table)
{
    const struct api_versions_response *response = ask(0, "", "");
    int32_t served = 0;
    ck_assert_int_eq(response->error_code, KAFKA_ERROR_NONE);
    for (size_t i = 0; i < api_table_count; i++)
        served += api_table[i] != NULL;
    ck_assert_int_eq(response->api_keys_count, served);
    for (int32_t i = 0; i < served; i++) {
        const struct api *api = api_table[response->api_keys[i].api_key];
        ck_assert_int_eq(response->api_keys[i].min_version, api->advertised_min);
        ck_assert_int_eq(response->api_keys[i].max_version, api->version_max);
        ck_assert(i == 0 || response->api_keys[i - 1].api_key < response->api_keys[i].api_key);
    }
}
END_TEST

/* The second answer comes from the bytes of the first. */
START_TEST(api_versions_answers_alike_each_time)
{
    for (int16_t version = 0; version <= api_versions_api_codec.version_max; version++) {
        const struct api_versions_response *first = ask(version, "a", "1");
        for (int i = 0; i < 3; i++) {
            const struct api_versions_response *next = ask(version, "a", "1");
            ck_assert_int_eq(next->error_code, KAFKA_ERROR_NONE);
            ck_assert_int_eq(next->api_keys_count, first->api_keys_count);
            ck_assert_mem_eq(next->api_keys, first->api_keys,
                (size_t)first->api_keys_count * sizeof(*first->api_keys));
            ck_assert_int_eq(
                next->finalized_features_count, version < 3 ? 0 : first->finalized_features_count);
        }
    }
}
END_TEST

START_TEST(api_versions_checks_the_software)
{
    static const char *const good[] = {"librdkafka", "apache-kafka-java", "a", "x.y-z9"};
    static const char *const bad[] = {"", "-a", "a-", "a b", "a_b", "."};
    for (size_t i = 0; i < ARRAY_COUNT(good); i++)
        ck_assert_int_eq(ask(3, good[i], "2.0.2")->error_code, KAFKA_ERROR_NONE);
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        ck_assert_int_eq(ask(3, bad[i], "1")->error_code, KAFKA_ERROR_INVALID_REQUEST);
        ck_assert_int_eq(ask(4, "a", bad[i])->error_code, KAFKA_ERROR_INVALID_REQUEST);
    }
}
END_TEST

/* The level of a finalized feature; 0: it is not among them. */
static int16_t level_of(const char *name)
{
    const struct api_versions_response *response = ask(4, "a", "1");
    int16_t level = 0;
    bool supported = false;
    for (int32_t i = 0; i < response->finalized_features_count; i++) {
        if (slice_equal_str(response->finalized_features[i].name, name))
            level = response->finalized_features[i].max_version_level;
    }
    for (int32_t i = 0; i < response->supported_features_count; i++)
        supported |= slice_equal_str(response->supported_features[i].name, name);
    ck_assert(supported);
    return level;
}

START_TEST(api_versions_features_follow_the_settings)
{
    ck_assert_int_eq(level_of("group.version"), 1);
    ck_assert_int_eq(level_of("transaction.version"), 2);
    ck_assert_int_eq(level_of("share.version"), 1);
    harness_restart(harness, "odradek.share.version=0", NULL);
    ck_assert_int_eq(level_of("share.version"), 0);
    ck_assert_int_eq(level_of("group.version"), 1);
    harness_restart(harness, "odradek.share.version=1", NULL);
    ck_assert_int_eq(level_of("share.version"), 1);
}
END_TEST

START_TEST(api_versions_unknown_version_is_answered_in_version_0)
{
    struct writer writer = WRITER_NULL;
    struct arena arena = ARENA_NULL;
    struct api_versions_response response;
    ck_assert(!api_versions_unsupported(NULL, 0, 99, &writer));
    ck_assert(api_versions_unsupported(NULL, 18, 99, &writer));
    struct reader reader = reader_make(buffer_slice(&writer.buffer));
    ck_assert(api_versions_response_decode(&reader, 0, &arena, &response));
    ck_assert_int_eq(response.error_code, KAFKA_ERROR_UNSUPPORTED_VERSION);
    ck_assert_int_eq(response.api_keys_count, 1);
    ck_assert_int_eq(response.api_keys[0].api_key, 18);
    ck_assert_int_eq(response.api_keys[0].min_version, 0);
    ck_assert_int_ge(response.api_keys[0].max_version, 4);
    writer_deinit(&writer);
    arena_deinit(&arena);
}
END_TEST

TEST_MAIN_FIXTURE("api/api_versions", setup, teardown, api_versions_lists_the_table,
    api_versions_answers_alike_each_time, api_versions_checks_the_software,
    api_versions_features_follow_the_settings,
    api_versions_unknown_version_is_answered_in_version_0)
