// SPDX-License-Identifier: BSD-2-Clause
#include "broker/group/group_overrides.h"
#include "runner.h"
#include "wire/writer.h"

#define NAME SLICE_LIT("g")

static struct group_overrides *overrides_of(const char *name, int32_t session, int32_t heartbeat)
{
    struct group_values values = GROUP_VALUES_NULL;
    values.numbers[GROUP_KEY_SESSION_MS] = session;
    values.numbers[GROUP_KEY_HEARTBEAT_MS] = heartbeat;
    return group_overrides_new(slice_from_str(name), &values);
}

START_TEST(keys_have_rows)
{
    for (int key = 0; key < GROUP_KEYS_COUNT; key++) {
        const struct config_key *row = group_key_row((enum group_key)key);
        ck_assert_ptr_nonnull(row);
        ck_assert_int_eq(group_key_of(row), key);
    }
    ck_assert_int_eq(group_key_of(config_key_find(SLICE_LIT("retention.ms"), CONFIG_SCOPE_TOPIC)),
        GROUP_KEYS_COUNT);
}
END_TEST

START_TEST(stored_and_read_back)
{
    struct buffer bytes = BUFFER_NULL;
    struct group_overrides *before = overrides_of("g", 50000, -1);
    group_overrides_encode(before, &bytes);
    struct group_overrides *after = group_overrides_decode(NAME, buffer_slice(&bytes));
    ck_assert_ptr_nonnull(after);
    ck_assert_str_eq(after->name, "g");
    ck_assert_int_eq(after->values.numbers[GROUP_KEY_SESSION_MS], 50000);
    ck_assert_int_eq(after->values.numbers[GROUP_KEY_HEARTBEAT_MS], -1);
    for (size_t size = 0; size < bytes.size; size++) {
        struct group_overrides *cut = group_overrides_decode(NAME, slice_make(bytes.data, size));
        ck_assert_msg(cut == NULL || size == 1, "%zu", size); /* 1: the encoding, and no keys */
        if (cut != NULL)
            ref_put(&cut->ref);
    }
    ref_put(&before->ref);
    ref_put(&after->ref);
    buffer_deinit(&bytes);
}
END_TEST

static struct group_overrides *decode_pair(const char *key, const char *value)
{
    struct writer writer = WRITER_NULL;
    writer_int8(&writer, 1);
    writer_string(&writer, true, slice_from_str(key));
    writer_string(&writer, true, slice_from_str(value));
    struct group_overrides *overrides = group_overrides_decode(NAME, buffer_slice(&writer.buffer));
    writer_deinit(&writer);
    return overrides;
}

START_TEST(what_is_read_is_checked)
{
    ck_assert_ptr_null(decode_pair("consumer.session.timeout.ms", "soon"));
    ck_assert_ptr_null(decode_pair("consumer.session.timeout.ms", "0"));
    ck_assert_ptr_null(decode_pair("consumer.session.timeout.ms", "99999999999999999999"));
    struct group_overrides *later = decode_pair("of.a.later.version", "x");
    ck_assert_ptr_nonnull(later);
    ck_assert(group_overrides_is_empty(later));
    ref_put(&later->ref);
}
END_TEST

static void ck_assert_reset(const char *text, int reset, int64_t duration_ms)
{
    enum group_reset found = GROUP_RESET_LATEST;
    int64_t found_ms = -1;
    bool fine = group_reset_parse(slice_from_str(text), &found, &found_ms);
    ck_assert_msg(fine == (reset >= 0), "%s", text);
    if (fine) {
        ck_assert_int_eq(found, reset);
        ck_assert_msg(found_ms == duration_ms, "%s: %lld", text, (long long)found_ms);
    }
}

START_TEST(resets)
{
    ck_assert_reset("latest", GROUP_RESET_LATEST, 0);
    ck_assert_reset("earliest", GROUP_RESET_EARLIEST, 0);
    ck_assert_reset("by_duration:PT1H", GROUP_RESET_BY_DURATION, 3600000);
    ck_assert_reset("by_duration:P1DT2H3M4.5S", GROUP_RESET_BY_DURATION, 93784500);
    ck_assert_reset("by_duration:pt0.001s", GROUP_RESET_BY_DURATION, 1);
    ck_assert_reset("by_duration:P2D", GROUP_RESET_BY_DURATION, 172800000);
    const char *wrong[] = {"", "LATEST", "by_duration:", "by_duration:P", "by_duration:PT",
        "by_duration:P1DT", "by_duration:-PT1H", "by_duration:PT-1H", "by_duration:PT1M1H",
        "by_duration:P1H", "by_duration:PT1", "by_duration:PT1.5H", "by_duration:PT1Hx",
        "by_duration:P1D1D",
        "by_duration:PT00000000000000000000000000000000000000000000000000000000000001S"};
    for (size_t i = 0; i < ARRAY_COUNT(wrong); i++)
        ck_assert_reset(wrong[i], -1, 0);
}
END_TEST

START_TEST(share_keys_are_stored)
{
    static const struct {
        enum group_key key;
        const char *text;
        int32_t number;
    } cases[] = {{GROUP_KEY_SHARE_RESET, "by_duration:P1D", GROUP_RESET_BY_DURATION},
        {GROUP_KEY_SHARE_COMMITTED, "read_committed", 1}, {GROUP_KEY_SHARE_RENEW, "false", 0},
        {GROUP_KEY_SHARE_LOCK_MS, "16000", 16000}};
    struct group_values values = GROUP_VALUES_NULL;
    struct arena arena = ARENA_NULL;
    struct slice reason;
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
        ck_assert(
            group_value_set(&values, cases[i].key, slice_from_str(cases[i].text), &arena, &reason));
    ck_assert(!group_value_set(&values, GROUP_KEY_SHARE_RESET, SLICE_LIT("soon"), &arena, &reason));
    struct group_overrides *before = group_overrides_new(NAME, &values);
    struct buffer bytes = BUFFER_NULL;
    group_overrides_encode(before, &bytes);
    struct group_overrides *after = group_overrides_decode(NAME, buffer_slice(&bytes));
    ck_assert_ptr_nonnull(after);
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        ck_assert_int_eq(after->values.numbers[cases[i].key], cases[i].number);
        struct slice text = group_value_text(&after->values, cases[i].key, cases[i].number, &arena);
        ck_assert(slice_equal_str(text, cases[i].text));
    }
    struct group_settings settings = {0};
    int64_t duration_ms;
    ck_assert_int_eq(
        group_reset_effective(after, &settings, &duration_ms), GROUP_RESET_BY_DURATION);
    ck_assert_int_eq(duration_ms, 86400000);
    ck_assert_int_eq(group_reset_effective(NULL, &settings, &duration_ms), GROUP_RESET_LATEST);
    ref_put(&before->ref);
    ref_put(&after->ref);
    buffer_deinit(&bytes);
    arena_deinit(&arena);
}
END_TEST

START_TEST(the_range_wins)
{
    struct group_settings settings = {
        .consumer_session_timeout_ms = 5,
        .consumer_session_timeout_ms_min = 10,
        .consumer_session_timeout_ms_max = 20,
        .consumer_heartbeat_ms = 3,
        .consumer_heartbeat_ms_min = 1,
        .consumer_heartbeat_ms_max = 4,
    };
    struct group_overrides *overrides = overrides_of("g", 30, 2);
    ck_assert_int_eq(group_overrides_effective(NULL, &settings, GROUP_KEY_SESSION_MS), 10);
    ck_assert_int_eq(group_overrides_effective(NULL, &settings, GROUP_KEY_HEARTBEAT_MS), 3);
    ck_assert_int_eq(group_overrides_effective(overrides, &settings, GROUP_KEY_SESSION_MS), 20);
    ck_assert_int_eq(group_overrides_effective(overrides, &settings, GROUP_KEY_HEARTBEAT_MS), 2);
    ref_put(&overrides->ref);
}
END_TEST

START_TEST(a_copy_leaves_the_first_alone)
{
    struct group_configs *first = group_configs_copy(NULL);
    group_configs_put(first, overrides_of("a", 1, 2));
    group_configs_put(first, overrides_of("b", 3, 4));
    struct group_configs *second = group_configs_copy(first);
    group_configs_put(second, overrides_of("a", -1, -1));
    group_configs_put(second, overrides_of("b", 5, 6));
    ck_assert_int_eq(group_configs_find(first, SLICE_LIT("a"))->values.numbers[0], 1);
    ck_assert_int_eq(group_configs_find(first, SLICE_LIT("b"))->values.numbers[0], 3);
    ck_assert_ptr_null(group_configs_find(second, SLICE_LIT("a")));
    group_configs_unref(first);
    ck_assert_int_eq(group_configs_find(second, SLICE_LIT("b"))->values.numbers[0], 5);
    group_configs_unref(second);
    ck_assert_ptr_null(group_configs_find(NULL, SLICE_LIT("a")));
}
END_TEST

TEST_MAIN("broker/group_overrides", keys_have_rows, stored_and_read_back, what_is_read_is_checked,
    resets, share_keys_are_stored, the_range_wins, a_copy_leaves_the_first_alone)
