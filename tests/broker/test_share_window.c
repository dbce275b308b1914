// SPDX-License-Identifier: BSD-2-Clause
/*
 * A window is written as its runs: "0-4a1 5-5k 6-9v2" is five records acquired by member a for the
 * first time, one acknowledged, four available after two deliveries. x is archived; a member in
 * capitals: its acknowledgement is being written.
 */
#include "broker/share/share_window.h"
#include "runner.h"

#include <stdio.h>

static struct share_window window;
static struct share_limits limits;
static struct buffer acquired = BUFFER_NULL, changes = BUFFER_NULL;
static uint32_t written;

static void setup(void)
{
    share_window_init(&window, 0);
    limits = (struct share_limits){
        .now_ms = 1000, .lock_ms = 100, .count_max = 5, .records_max = 100, .renew = true};
}

static void teardown(void)
{
    share_window_deinit(&window);
    buffer_deinit(&acquired);
    buffer_deinit(&changes);
}

static char member_of(const struct share_run *run)
{
    map_for_each (&window.owners, entry) {
        if ((struct share_owner *)entry->value == run->owner)
            return (char)entry->key.data[0];
    }
    return '?';
}

static const char *shown(void)
{
    static char text[4096];
    size_t size = 0;
    text[0] = '\0';
    int64_t at = window.start;
    for (size_t i = 0; i < window.runs.count; i++) {
        const struct share_run *run = &window.runs.runs[i];
        char letter = 'v', count[8] = "";
        ck_assert_int_eq(run->first, at);
        at = run->last + 1;
        if (run->state == SHARE_RECORD_ACQUIRED)
            letter = (char)(member_of(run) - (run->write != 0 ? 'a' - 'A' : 0));
        else if (run->state != SHARE_RECORD_AVAILABLE)
            letter = run->state == SHARE_RECORD_ACKNOWLEDGED ? 'k' : 'x';
        if (run->state == SHARE_RECORD_AVAILABLE || run->state == SHARE_RECORD_ACQUIRED)
            snprintf(count, sizeof(count), "%d", run->count);
        size += (size_t)snprintf(text + size, sizeof(text) - size, "%s%d-%d%c%s", i > 0 ? " " : "",
            (int)run->first, (int)run->last, letter, count);
    }
    ck_assert_int_eq(at, window.end);
    return text;
}

#define expect(text) ck_assert_str_eq(shown(), text)

static const char *changes_shown(void)
{
    static char text[4096];
    size_t size = 0;
    text[0] = '\0';
    const struct share_state_batch *batches = (const struct share_state_batch *)changes.data;
    for (size_t i = 0; i < changes.size / sizeof(*batches); i++)
        size += (size_t)snprintf(text + size, sizeof(text) - size, "%s%d-%d:%d/%d",
            i > 0 ? " " : "", (int)batches[i].first_offset, (int)batches[i].last_offset,
            batches[i].delivery_state, batches[i].delivery_count);
    buffer_deinit(&changes);
    return text;
}

/* Batches of `each` records from `base` to before `end`; the one at `dead` is of an aborted
 * transaction. What was acquired: "0-4/1". */
struct take {
    const char *member;
    int records_max;
    bool exact;
    int batch_size;
    int base, end, each, dead;
};

static const char *take(struct take take)
{
    static char text[4096];
    struct share_span spans[100];
    size_t count = 0, size = 0;
    for (int at = take.base; at < take.end; at += take.each)
        spans[count++] =
            (struct share_span){at, at + take.each - 1, take.dead > 0 && take.dead == at};
    struct share_acquire acquire = {.member = slice_from_str(take.member),
        .from = share_window_next(&window),
        .spans = spans,
        .spans_count = count,
        .records_max = take.records_max,
        .exact = take.exact,
        .batch_size = take.batch_size == 0 ? 500 : take.batch_size,
        .ret_acquired = &acquired};
    share_window_acquire(&window, &limits, &acquire);
    text[0] = '\0';
    const struct share_acquired *ranges = (const struct share_acquired *)acquired.data;
    int64_t total = 0;
    for (size_t i = 0; i < acquired.size / sizeof(*ranges); i++) {
        total += ranges[i].last - ranges[i].first + 1;
        size += (size_t)snprintf(text + size, sizeof(text) - size, "%s%d-%d/%d", i > 0 ? " " : "",
            (int)ranges[i].first, (int)ranges[i].last, ranges[i].count);
    }
    ck_assert_int_eq(total, acquire.count);
    buffer_deinit(&acquired);
    return text;
}

#define took(text, ...) ck_assert_str_eq(take((struct take){__VA_ARGS__}), text)

static enum share_ack_error ack(const char *member, int first, int last, int8_t type)
{
    struct share_ack one = {first, last, &type, 1};
    return share_window_acknowledge(
        &window, &limits, slice_from_str(member), &one, 1, &changes, &written);
}

#define acked(...) ck_assert_int_eq(ack(__VA_ARGS__), SHARE_ACK_OK)

static void settle(bool kept)
{
    share_window_settle(&window, &limits, written, kept);
    buffer_deinit(&changes);
}

START_TEST(test_acquires_batches)
{
    took("0-19/1", "a", 15, .end = 40, .each = 10); /* to the end of the batch */
    expect("0-19a1");
    took("20-24/1", "b", 5, .exact = true, .base = 20, .end = 40, .each = 10);
    expect("0-19a1 20-24b1");
    took("25-39/1", "b", 50, .base = 20, .end = 40, .each = 10);
    expect("0-19a1 20-24b1 25-39b1");
}
END_TEST

START_TEST(test_batch_size_cuts_ranges)
{
    took("0-19/1 20-39/1", "a", 40, .batch_size = 15, .end = 40, .each = 10);
    took("40-69/1", "a", 40, .batch_size = 40, .base = 40, .end = 70, .each = 10);
}
END_TEST

START_TEST(test_accept_moves_start)
{
    took("0-9/1", "a", 10, .end = 10, .each = 10);
    acked("a", 3, 5, SHARE_ACK_ACCEPT);
    expect("0-2a1 3-5A1 6-9a1");
    ck_assert_int_eq(share_window_complete_count(&window), 3);
    ck_assert_str_eq(changes_shown(), "3-5:2/1");
    settle(true);
    expect("0-2a1 3-5k 6-9a1");
    acked("a", 0, 2, SHARE_ACK_ACCEPT);
    expect("0-2A1 3-5k 6-9a1");
    settle(true);
    expect("6-9a1");
    ck_assert_int_eq(window.start, 6);
    acked("a", 6, 9, SHARE_ACK_REJECT);
    ck_assert_str_eq(changes_shown(), "6-9:4/1");
    settle(true);
    expect("");
    ck_assert_int_eq(window.start, 10);
    ck_assert_int_eq(window.end, 10);
    acked("a", 0, 9, SHARE_ACK_ACCEPT); /* below the start: nothing to do */
    ck_assert_uint_eq(written, 0);
}
END_TEST

START_TEST(test_release_is_delivered_again)
{
    took("0-9/1", "a", 10, .end = 10, .each = 10);
    acked("a", 4, 6, SHARE_ACK_RELEASE);
    ck_assert_str_eq(changes_shown(), "4-6:0/1");
    ck_assert_int_eq(share_window_next(&window), 10); /* not before it is written */
    settle(true);
    expect("0-3a1 4-6v1 7-9a1");
    ck_assert_int_eq(share_window_next(&window), 4);
    took("4-6/2 10-19/1", "b", 13, .end = 20, .each = 10);
    expect("0-3a1 4-6b2 7-9a1 10-19b1");
}
END_TEST

START_TEST(test_types_per_offset)
{
    const int8_t types[] = {1, 1, 2, 3, 0, 1, 4, 4};
    struct share_ack one = {1, 8, types, 8};
    took("0-9/1", "a", 10, .end = 10, .each = 10);
    limits.now_ms = 1050;
    ck_assert_int_eq(
        share_window_acknowledge(&window, &limits, SLICE_LIT("a"), &one, 1, &changes, &written),
        SHARE_ACK_OK);
    ck_assert_str_eq(changes_shown(), "1-2:2/1 3-3:0/1 4-4:4/1 5-5:4/1 6-6:2/1");
    settle(true);
    expect("0-0a1 1-2k 3-3v1 4-5x 6-6k 7-8a1 9-9a1"); /* 7-8 are locked for longer */
    limits.now_ms = 1100;
    share_window_expire(&window, &limits, &changes);
    expect("0-0v1 1-2k 3-3v1 4-5x 6-6k 7-8a1 9-9v1");
    ck_assert_int_eq(share_window_deadline(&window), 1150);
}
END_TEST

/* Who may acknowledge what. */
static const struct {
    const char *member;
    int first, last;
    int8_t type;
    enum share_ack_error error;
} refusals[] = {
    {"b", 0, 4, SHARE_ACK_ACCEPT, SHARE_ACK_E_STATE},   /* another's */
    {"c", 0, 4, SHARE_ACK_ACCEPT, SHARE_ACK_E_STATE},   /* has nothing */
    {"a", 0, 5, SHARE_ACK_ACCEPT, SHARE_ACK_E_STATE},   /* the last one is another's */
    {"a", 10, 14, SHARE_ACK_ACCEPT, SHARE_ACK_E_STATE}, /* released */
    {"b", 15, 19, SHARE_ACK_ACCEPT, SHARE_ACK_E_STATE}, /* being written */
    {"b", 5, 20, SHARE_ACK_ACCEPT, SHARE_ACK_E_PAST},
    {"b", 5, 9, SHARE_ACK_RENEW, SHARE_ACK_E_STATE}, /* not allowed */
    {"b", 5, 9, SHARE_ACK_ACCEPT, SHARE_ACK_OK},
};

START_TEST(test_refusals)
{
    took("0-4/1", "a", 5, .end = 5, .each = 5);
    took("5-9/1", "b", 5, .base = 5, .end = 10, .each = 5);
    took("10-14/1", "a", 5, .base = 10, .end = 15, .each = 5);
    took("15-19/1", "b", 5, .base = 15, .end = 20, .each = 5);
    acked("a", 10, 14, SHARE_ACK_RELEASE);
    settle(true);
    acked("b", 15, 19, SHARE_ACK_ACCEPT);
    limits.renew = false;
    expect("0-4a1 5-9b1 10-14v1 15-19B1");
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        ck_assert_int_eq(
            ack(refusals[i].member, refusals[i].first, refusals[i].last, refusals[i].type),
            refusals[i].error);
        if (refusals[i].error != SHARE_ACK_OK)
            expect("0-4a1 5-9b1 10-14v1 15-19B1");
    }
}
END_TEST

START_TEST(test_all_or_nothing)
{
    const int8_t accept = SHARE_ACK_ACCEPT;
    struct share_ack acks[] = {{0, 1, &accept, 1}, {5, 5, &accept, 1}};
    struct share_ack twice[] = {{0, 1, &accept, 1}, {1, 2, &accept, 1}};
    took("0-4/1", "a", 5, .end = 5, .each = 5);
    took("5-9/1", "b", 5, .base = 5, .end = 10, .each = 5);
    ck_assert_int_eq(
        share_window_acknowledge(&window, &limits, SLICE_LIT("a"), acks, 2, &changes, &written),
        SHARE_ACK_E_STATE);
    ck_assert_int_eq(
        share_window_acknowledge(&window, &limits, SLICE_LIT("a"), twice, 2, &changes, &written),
        SHARE_ACK_E_STATE);
    expect("0-4a1 5-9b1");
    ck_assert_uint_eq(changes.size, 0);
}
END_TEST

START_TEST(test_write_that_failed)
{
    took("0-9/1", "a", 10, .end = 10, .each = 10);
    acked("a", 0, 4, SHARE_ACK_ACCEPT);
    settle(false);
    expect("0-9a1"); /* and can be acknowledged once more */
    acked("a", 0, 4, SHARE_ACK_ACCEPT);
    limits.now_ms = 1100;
    share_window_expire(&window, &limits, &changes);
    expect("0-4A1 5-9v1");
    settle(false); /* its lock ended meanwhile */
    expect("0-9v1");
}
END_TEST

START_TEST(test_lock_ends)
{
    took("0-4/1", "a", 5, .end = 5, .each = 5);
    limits.now_ms = 1050;
    took("5-9/1", "b", 5, .base = 5, .end = 10, .each = 5);
    ck_assert_int_eq(share_window_deadline(&window), 1100);
    limits.now_ms = 1099;
    share_window_expire(&window, &limits, &changes);
    expect("0-4a1 5-9b1");
    limits.now_ms = 1100;
    share_window_expire(&window, &limits, &changes);
    ck_assert_str_eq(changes_shown(), "0-4:0/1");
    expect("0-4v1 5-9b1");
    took("0-4/2", "b", 5, .end = 10, .each = 5);
    ck_assert_int_eq(ack("a", 0, 4, SHARE_ACK_ACCEPT), SHARE_ACK_E_STATE);
}
END_TEST

START_TEST(test_member_leaves)
{
    took("0-4/1", "a", 5, .end = 5, .each = 5);
    took("5-9/1", "b", 5, .base = 5, .end = 10, .each = 5);
    share_window_release(&window, &limits, SLICE_LIT("a"), &changes, &written);
    ck_assert_str_eq(changes_shown(), "0-4:0/1");
    settle(true);
    expect("0-4v1 5-9b1");
    share_window_release(&window, &limits, SLICE_LIT("a"), &changes, &written);
    ck_assert_uint_eq(written, 0);
    ck_assert_uint_eq(window.owners.count, 1);
}
END_TEST

START_TEST(test_last_delivery)
{
    limits.count_max = 2;
    took("0-4/1", "a", 5, .end = 5, .each = 5);
    acked("a", 0, 4, SHARE_ACK_RELEASE);
    settle(true);
    took("0-4/2", "a", 5, .end = 5, .each = 5);
    acked("a", 0, 0, SHARE_ACK_RELEASE);
    ck_assert_str_eq(changes_shown(), "0-0:4/2");
    settle(true);
    expect("1-4a2");
    limits.now_ms = 2000;
    share_window_expire(&window, &limits, &changes);
    ck_assert_str_eq(changes_shown(), "1-4:4/2");
    expect("");
}
END_TEST

/* Ten records that fail each time: all, all, all, then halves, and at last one by one. */
START_TEST(test_bad_records_come_in_smaller_portions)
{
    static const char *const portions[] = {
        "0-9/1", "0-9/2", "0-9/3", "0-4/4", "0-0/5", "1-1/5", "2-2/5", "3-3/5", "4-4/5", "5-9/4"};
    for (size_t i = 0; i < 10; i++) {
        const char *text = take((struct take){"a", 100, .end = 10, .each = 10});
        ck_assert_str_eq(text, portions[i]);
        share_window_release(&window, &limits, SLICE_LIT("a"), &changes, &written);
        settle(true);
    }
    expect("5-9v4");
    took("5-5/5", "a", 100, .end = 20, .each = 10); /* nothing else with it */
}
END_TEST

START_TEST(test_room)
{
    limits.records_max = 20;
    took("0-29/1", "a", 100, .end = 60, .each = 15);
    ck_assert(!share_window_has_room(&window, &limits));
    took("", "a", 100, .base = 30, .end = 60, .each = 15);
    acked("a", 5, 9, SHARE_ACK_RELEASE);
    settle(true);
    ck_assert(share_window_has_room(&window, &limits));
    took("5-9/2", "b", 100, .end = 60, .each = 15);
    acked("a", 0, 4, SHARE_ACK_ACCEPT);
    settle(true);
    ck_assert(!share_window_has_room(&window, &limits));
}
END_TEST

START_TEST(test_window_is_bounded)
{
    limits.records_max = INT32_MAX;
    char expected[40];
    snprintf(expected, sizeof(expected), "0-%d/1", SHARE_WINDOW_COUNT_MAX - 1);
    ck_assert_str_eq(
        take((struct take){"a", INT32_MAX, .batch_size = INT32_MAX, .end = 200000, .each = 50000}),
        expected);
    took("", "a", 10, .end = 200000, .base = 50000, .each = 50000);
}
END_TEST

START_TEST(test_gaps_in_the_log)
{
    /* 0-9 were compacted away; 20-29 is aborted; 30-39 is missing */
    struct share_span spans[] = {{10, 19, false}, {20, 29, true}, {40, 49, false}};
    struct share_acquire acquire = {.member = SLICE_LIT("a"),
        .from = 0,
        .spans = spans,
        .spans_count = 3,
        .records_max = 100,
        .batch_size = 100,
        .ret_acquired = &acquired};
    share_window_acquire(&window, &limits, &acquire);
    expect("10-19a1 20-39x 40-49a1");
    ck_assert_int_eq(acquire.count, 20);
    ck_assert_int_eq(share_window_complete_count(&window), 20);
    acked("a", 10, 19, SHARE_ACK_ACCEPT);
    settle(true);
    expect("40-49a1");
}
END_TEST

START_TEST(test_released_records_vanish_from_the_log)
{
    took("0-9/1", "a", 10, .end = 10, .each = 10);
    share_window_release(&window, &limits, SLICE_LIT("a"), &changes, &written);
    settle(true);
    expect("0-9v1");
    took("5-9/2", "a", 10, .base = 5, .end = 10, .each = 5);
    expect("5-9a2");
}
END_TEST

START_TEST(test_log_start_moves)
{
    took("0-9/1", "a", 10, .end = 10, .each = 10);
    acked("a", 2, 4, SHARE_ACK_ACCEPT);
    share_window_move_start(&window, 4);
    expect("4-4A1 5-9a1");
    settle(true);
    expect("5-9a1");
    acked("a", 0, 9, SHARE_ACK_ACCEPT); /* as much as is left of it */
    ck_assert_str_eq(changes_shown(), "5-9:2/1");
    share_window_move_start(&window, 100);
    expect("");
    ck_assert_int_eq(window.end, 100);
    settle(true);
    ck_assert_uint_eq(window.owners.count, 0);
    share_window_move_start(&window, 50);
    ck_assert_int_eq(window.start, 100);
}
END_TEST

START_TEST(test_load)
{
    struct share_state_batch stored[] = {
        {0, 4, SHARE_RECORD_ACKNOWLEDGED, 1},
        {6, 7, SHARE_RECORD_AVAILABLE, 2},
        {8, 8, SHARE_RECORD_ARCHIVED, 5},
        {9, 20, SHARE_RECORD_ACKNOWLEDGED, 1},
    };
    ck_assert(share_window_load(&window, stored, 4, 15));
    expect("5-5v0 6-7v2 8-8x 9-14k"); /* the log ends at 15 */
    took("5-5/1 6-7/3", "a", 10, .end = 15, .each = 15);
}
END_TEST

START_TEST(test_load_nonsense)
{
    struct share_state_batch below = {-1, 4, SHARE_RECORD_AVAILABLE, 1},
                             turned = {5, 4, SHARE_RECORD_AVAILABLE, 1},
                             state = {0, 4, SHARE_RECORD_ACQUIRED, 1};
    struct share_state_batch order[] = {
        {0, 4, SHARE_RECORD_AVAILABLE, 1}, {4, 5, SHARE_RECORD_AVAILABLE, 1}};
    ck_assert(!share_window_load(&window, &below, 1, 100));
    ck_assert(!share_window_load(&window, &turned, 1, 100));
    ck_assert(!share_window_load(&window, &state, 1, 100));
    ck_assert(!share_window_load(&window, order, 2, 100));
    expect("");
}
END_TEST

/* --- against the plainest model: one cell per offset --- */

#define CELLS 300
static struct {
    char letter; /* as in shown(); 0: beyond the end */
    int count, deadline;
} cells[CELLS];
static uint64_t random_state;

static uint32_t random_below(uint32_t bound)
{
    random_state = random_state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t)(random_state >> 33) % bound;
}

static void model_release(int at)
{
    cells[at].letter = cells[at].count >= limits.count_max ? 'x' : 'v';
}

static void model_check(void)
{
    int64_t start = CELLS, at;
    for (at = CELLS - 1; at >= 0; at--) {
        if (cells[at].letter != 0 && cells[at].letter != 'x' && cells[at].letter != 'k')
            start = at;
    }
    if (start < CELLS)
        ck_assert_int_eq(window.start, start);
    for (size_t i = 0; i < window.runs.count; i++) {
        const struct share_run *run = &window.runs.runs[i];
        for (at = run->first; at <= run->last; at++) {
            char letter = run->state == SHARE_RECORD_ACQUIRED    ? member_of(run)
                          : run->state == SHARE_RECORD_AVAILABLE ? 'v'
                          : cells[at].letter == 'k'              ? 'k'
                                                                 : 'x';
            ck_assert_int_eq(cells[at].letter, letter);
            if (letter == 'a' || letter == 'b' || letter == 'v')
                ck_assert_int_eq(cells[at].count, run->count);
        }
    }
}

static void model_take(const char *member)
{
    int base = (int)share_window_next(&window) / 10 * 10;
    struct share_span spans[CELLS / 10];
    size_t count = 0;
    for (int at = base; at < CELLS && count < 5; at += 10)
        spans[count++] = (struct share_span){at, at + 9, false};
    struct share_acquire acquire = {.member = slice_from_str(member),
        .from = share_window_next(&window),
        .spans = spans,
        .spans_count = count,
        .records_max = 1 + (int32_t)random_below(30),
        .exact = random_below(2) == 0,
        .batch_size = 20,
        .ret_acquired = &acquired};
    share_window_acquire(&window, &limits, &acquire);
    ck_assert(!acquire.exact || acquire.count <= acquire.records_max);
    const struct share_acquired *ranges = (const struct share_acquired *)acquired.data;
    for (size_t i = 0; i < acquired.size / sizeof(*ranges); i++) {
        for (int64_t at = ranges[i].first; at <= ranges[i].last; at++) {
            ck_assert(cells[at].letter == 0 || cells[at].letter == 'v');
            cells[at].letter = member[0];
            ck_assert_int_eq(++cells[at].count, ranges[i].count);
            cells[at].deadline = (int)(limits.now_ms + limits.lock_ms);
        }
    }
    buffer_deinit(&acquired);
}

static void model_expire(void)
{
    share_window_expire(&window, &limits, &changes);
    buffer_deinit(&changes);
    for (int at = 0; at < CELLS; at++) {
        if ((cells[at].letter == 'a' || cells[at].letter == 'b') &&
            cells[at].deadline <= limits.now_ms)
            model_release(at);
    }
}

static void model_ack(const char *member)
{
    int first = (int)random_below(CELLS), last = first + (int)random_below(15);
    int8_t type = (int8_t)random_below(4);
    bool allowed = true;
    for (int at = first; at <= last && at < CELLS; at++)
        allowed = allowed && (at < window.start || cells[at].letter == member[0]);
    if (last >= window.end && last >= window.start)
        allowed = false;
    enum share_ack_error error = ack(member, first, last, type);
    ck_assert_int_eq(error == SHARE_ACK_OK, allowed);
    if (!allowed)
        return;
    bool kept = random_below(4) > 0;
    int64_t start = window.start;
    settle(kept);
    for (int at = first; at <= last; at++) {
        if (at < start || (!kept && cells[at].deadline > limits.now_ms))
            continue;
        if (!kept || type == SHARE_ACK_RELEASE)
            model_release(at);
        else
            cells[at].letter = type == SHARE_ACK_ACCEPT ? 'k' : 'x';
    }
}

static void model_run(void)
{
    memset(cells, 0, sizeof(cells));
    limits.records_max = 60;
    for (int step = 0; step < 400; step++) {
        const char *member = random_below(2) == 0 ? "a" : "b";
        limits.now_ms += random_below(20);
        switch (random_below(4)) {
        case 0: model_take(member); break;
        case 1: model_expire(); break;
        default: model_ack(member); break;
        }
        model_check();
    }
}

START_TEST(test_against_model)
{
    for (uint64_t seed = 1; seed <= 100; seed++) {
        teardown();
        setup();
        random_state = seed;
        model_run();
    }
}
END_TEST

TEST_MAIN_FIXTURE("broker/share_window", setup, teardown, test_acquires_batches,
    test_batch_size_cuts_ranges, test_accept_moves_start, test_release_is_delivered_again,
    test_types_per_offset, test_refusals, test_all_or_nothing, test_write_that_failed,
    test_lock_ends, test_member_leaves, test_last_delivery,
    test_bad_records_come_in_smaller_portions, test_room, test_window_is_bounded,
    test_gaps_in_the_log, test_released_records_vanish_from_the_log, test_log_start_moves,
    test_load, test_load_nonsense, test_against_model)
