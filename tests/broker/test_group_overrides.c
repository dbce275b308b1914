// SPDX-License-Identifier: BSD-2-Clause
#include "broker/group/group_overrides.h"
#include "runner.h"
#include "wire/writer.h"

#define NAME SLICE_LIT("g")

static struct group_overrides *overrides_of(const char *name, int32_t session, int32_t heartbeat)
{
    int32_t values[GROUP_KEYS_COUNT] = {
        [GROUP_KEY_SESSION_MS] = session, [GROUP_KEY_HEARTBEAT_MS] = heartbeat};
    return group_overrides_new(slice_from_str(name), values);
}

START_TEST(keys_have_rows)
{
    for (int key = 0; key < GROUP_KEYS_COUNT; key++) {
        const struct config_key *row = group_key_row((enum group_key)key);
        ck_assert_ptr_nonnull(row);
        ck_assert_ptr_nonnull(row->broker_key);
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
    ck_assert_int_eq(after->values[GROUP_KEY_SESSION_MS], 50000);
    ck_assert_int_eq(after->values[GROUP_KEY_HEARTBEAT_MS], -1);
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
    ck_assert_int_eq(group_configs_find(first, SLICE_LIT("a"))->values[0], 1);
    ck_assert_int_eq(group_configs_find(first, SLICE_LIT("b"))->values[0], 3);
    ck_assert_ptr_null(group_configs_find(second, SLICE_LIT("a")));
    group_configs_unref(first);
    ck_assert_int_eq(group_configs_find(second, SLICE_LIT("b"))->values[0], 5);
    group_configs_unref(second);
    ck_assert_ptr_null(group_configs_find(NULL, SLICE_LIT("a")));
}
END_TEST

TEST_MAIN("broker/group_overrides", keys_have_rows, stored_and_read_back, what_is_read_is_checked,
    the_range_wins, a_copy_leaves_the_first_alone)
