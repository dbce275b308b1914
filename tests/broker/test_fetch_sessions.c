// SPDX-License-Identifier: BSD-2-Clause
#include "broker/fetch_sessions.h"
#include "base/env.h"
#include "runner.h"

#include <stdio.h>

#define DAY_MS ((int64_t)86400000)

static struct fetch_sessions *sessions_new(size_t slots, size_t size_max)
{
    return fetch_sessions_new(&(struct fetch_sessions_params){
        .env = env_posix(),
        .loop_index = 2,
        .loops_count = 3,
        .slots_max = slots,
        .size_max = size_max,
    });
}

static void session_fill(struct fetch_session *session, size_t count)
{
    for (size_t i = 0; i < count; i++)
        fetch_session_put(session, &(struct fetch_session_name){
                                       .topic = slice_from_str("orders"), .partition = (int32_t)i});
}

static struct fetch_session *session_open(
    struct fetch_sessions *sessions, size_t count, int64_t now_ms)
{
    struct fetch_session *session = fetch_sessions_open(sessions, count, false, now_ms);
    if (session != NULL) {
        session_fill(session, count);
        ck_assert(fetch_session_touch(session, now_ms));
    }
    return session;
}

START_TEST(ids_name_the_loop)
{
    struct fetch_sessions *sessions = sessions_new(100, SIZE_MAX);
    for (int i = 0; i < 100; i++) {
        struct fetch_session *session = session_open(sessions, 1, 0);
        ck_assert_int_gt(session->id, 0);
        ck_assert_int_eq(session->id % 3, 2);
        ck_assert_ptr_eq(fetch_sessions_get(sessions, session->id), session);
    }
    ck_assert_uint_eq(fetch_sessions_count(sessions), 100);
    fetch_sessions_free(sessions);
}
END_TEST

START_TEST(young_sessions_stay)
{
    struct fetch_sessions *sessions = sessions_new(2, SIZE_MAX);
    struct fetch_session *first = session_open(sessions, 1, 0);
    session_open(sessions, 1, 1000);
    ck_assert_ptr_null(session_open(sessions, 100, FETCH_SESSION_EVICTION_MS));
    ck_assert_uint_eq(fetch_sessions_count(sessions), 2);
    /* Not used for too long: the first goes whatever its size. */
    int32_t id = first->id;
    ck_assert_ptr_nonnull(session_open(sessions, 1, FETCH_SESSION_EVICTION_MS + 1));
    ck_assert_ptr_null(fetch_sessions_get(sessions, id));
    fetch_sessions_free(sessions);
}
END_TEST

START_TEST(small_old_sessions_make_room_for_larger)
{
    struct fetch_sessions *sessions = sessions_new(3, SIZE_MAX);
    struct fetch_session *small = session_open(sessions, 2, 0);
    struct fetch_session *large = session_open(sessions, 9, 0);
    int64_t now_ms = FETCH_SESSION_EVICTION_MS + 1;
    session_open(sessions, 1, now_ms); /* smallest, but young */
    fetch_session_touch(small, now_ms);
    fetch_session_touch(large, now_ms);
    ck_assert_ptr_null(session_open(sessions, 2, now_ms)); /* not larger */
    int32_t id = small->id;
    ck_assert_ptr_nonnull(session_open(sessions, 3, now_ms));
    ck_assert_ptr_null(fetch_sessions_get(sessions, id));
    ck_assert_ptr_nonnull(fetch_sessions_get(sessions, large->id));
    fetch_sessions_free(sessions);
}
END_TEST

START_TEST(memory_is_bounded)
{
    size_t max = 64 * 1024;
    struct fetch_sessions *sessions = sessions_new(1000, max);
    int opened = 0;
    while (session_open(sessions, 10, 0) != NULL)
        opened++;
    ck_assert_int_gt(opened, 10);
    ck_assert_uint_le(fetch_sessions_size(sessions), max + 16 * 1024);
    ck_assert_ptr_null(session_open(sessions, 1000000, DAY_MS));
    fetch_sessions_free(sessions);
    /* One that grows beyond is closed when it is used. */
    sessions = sessions_new(1000, max);
    struct fetch_session *session = session_open(sessions, 1, 0);
    fetch_session_ref(session);
    session_fill(session, 10000);
    ck_assert(!fetch_session_touch(session, 1));
    ck_assert_uint_eq(fetch_sessions_count(sessions), 0);
    ck_assert_uint_eq(fetch_sessions_size(sessions), 0);
    session_fill(session, 10001); /* a fetch under way still has it */
    fetch_session_unref(session);
    fetch_sessions_free(sessions);
}
END_TEST

START_TEST(partitions_come_and_go)
{
    struct fetch_sessions *sessions = sessions_new(1, SIZE_MAX);
    struct fetch_session *session = session_open(sessions, 3, 0);
    size_t size = fetch_sessions_size(sessions);
    struct fetch_session_name name = {.topic = slice_from_str("orders"), .partition = 1};
    struct fetch_session_part *part = fetch_session_put(session, &name);
    ck_assert_uint_eq(fetch_session_count(session), 3);
    ck_assert(slice_equal(part->name.topic, name.topic));
    fetch_session_rotate(session, part);
    ck_assert_ptr_eq(session->parts.prev, &part->link);
    fetch_session_forget(session, &name);
    fetch_session_forget(session, &name);
    ck_assert_uint_eq(fetch_session_count(session), 2);
    ck_assert_uint_lt(fetch_sessions_size(sessions), size);
    name.topic_id = uuid_from_random((const uint8_t *)"0123456789abcdef");
    name.topic = SLICE_NULL;
    part = fetch_session_put(session, &name);
    ck_assert(uuid_equal(part->name.topic_id, name.topic_id));
    ck_assert_uint_eq(part->name.topic.size, 0);
    ck_assert_uint_eq(fetch_session_count(session), 3);
    fetch_sessions_free(sessions);
}
END_TEST

START_TEST(epochs_wrap)
{
    ck_assert_int_eq(fetch_session_epoch_next(0), 1);
    ck_assert_int_eq(fetch_session_epoch_next(41), 42);
    ck_assert_int_eq(fetch_session_epoch_next(INT32_MAX), 1);
}
END_TEST

TEST_MAIN("broker/fetch_sessions", ids_name_the_loop, young_sessions_stay,
    small_old_sessions_make_room_for_larger, memory_is_bounded, partitions_come_and_go, epochs_wrap)
