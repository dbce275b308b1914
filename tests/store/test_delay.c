// SPDX-License-Identifier: BSD-2-Clause
/* The delay engine over a fake one: late, in order within a part, and within the laws of the seam.
 */
#include "store/batch/batch_builder.h"
#include "support/fake_engine.h"
#include "support/fake_loop.h"
#include "runner.h"

#define PARTS  3
#define WRITES 40

static struct fake_engine inner;
static struct engine *engine;
static struct loop *loop;

struct owner {
    struct part *part;
    struct fake_part *fake;
    int acquired_count, lost_count;
    int64_t high_watermark;
};

struct write {
    struct engine_append append;
    struct batch_builder builder;
    struct owner *owner;
    int done_count;
    enum engine_status status;
};

static struct write *order[PARTS * WRITES];
static size_t order_count;

static void on_acquired(void *ctx, struct part *part, int32_t leader_epoch)
{
    struct owner *owner = ctx;
    struct part_state state;
    (void)leader_epoch;
    engine->ops->part_get_state(part, &state);
    ck_assert(state.owned);
    owner->high_watermark = state.high_watermark;
    owner->acquired_count++;
}

static void on_lost(void *ctx, struct part *part)
{
    struct owner *owner = ctx;
    struct part_state state;
    engine->ops->part_get_state(part, &state);
    ck_assert(!state.owned);
    owner->lost_count++;
}

static void on_committed(void *ctx, struct part *part, int64_t high_watermark)
{
    struct owner *owner = ctx;
    (void)part;
    ck_assert_int_gt(high_watermark, owner->high_watermark);
    owner->high_watermark = high_watermark;
}

static void on_log_start(void *ctx, struct part *part, int64_t log_start)
{
    (void)ctx, (void)part, (void)log_start;
}

static void on_failed(void *ctx, struct part *part, int error)
{
    (void)ctx, (void)part, (void)error;
}

static const struct engine_sink sink = {
    on_acquired, on_lost, on_committed, on_log_start, on_failed};

static void setup(uint64_t seed, int64_t delay_ms_max, unsigned loss_per_10000)
{
    loop = fake_loop_start();
    fake_engine_init(&inner);
    inner.auto_commit = true;
    struct engine_delay_config config = {
        .loops = &loop,
        .n_loops = 1,
        .seed = seed,
        .delay_ms_max = delay_ms_max,
        .loss_per_10000 = loss_per_10000,
    };
    engine = engine_delay_new(&config, &inner.engine);
    order_count = 0;
}

static void owner_open(struct owner *owner)
{
    struct part_id id = {.partition = 0};
    struct part_config config = {0};
    *owner = (struct owner){0};
    owner->part = engine->ops->part_open(engine, loop, &id, "t-0", true, &config, &sink, owner);
    owner->fake = inner.part;
}

static int closed_count;

static void on_closed(struct engine_call *call, enum engine_status status)
{
    (void)call;
    ck_assert_int_eq(status, ENGINE_OK);
    closed_count++;
}

static void owner_close(struct owner *owner)
{
    struct engine_call call = {.done = on_closed};
    closed_count = 0;
    engine->ops->part_close(owner->part, &call);
    ck_assert_int_eq(closed_count, 0);
    fake_loop_advance(0);
    ck_assert_int_eq(closed_count, 1);
}

static void teardown(void)
{
    engine->ops->free(engine);
    ck_assert(inner.freed);
    ck_assert_uint_eq(fake_loop_timers_count(), 0);
}

static void write_on_done(struct engine_append *append, enum engine_status status)
{
    struct write *write = container_of(append, struct write, append);
    write->done_count++;
    write->status = status;
    if (status == ENGINE_OK)
        ck_assert_int_ge(write->owner->high_watermark, append->end_offset);
    order[order_count++] = write;
}

static enum engine_status write_start(struct write *write, struct owner *owner)
{
    *write = (struct write){.owner = owner};
    batch_builder_init(&write->builder);
    struct batch_record record = {.timestamp_ms = 1, .value = SLICE_LIT("x")};
    batch_builder_append(&write->builder, &record);
    write->append.data = batch_builder_finish(&write->builder, &write->append.size);
    write->append.done = write_on_done;
    return engine->ops->part_append(owner->part, &write->append);
}

START_TEST(delay_keeps_order_within_a_part_and_not_across)
{
    static struct write writes[PARTS][WRITES];
    struct owner owners[PARTS];
    setup(1, 20, 0);
    for (int p = 0; p < PARTS; p++)
        owner_open(&owners[p]);
    fake_loop_advance(20);
    for (int i = 0; i < WRITES; i++) {
        for (int p = 0; p < PARTS; p++) {
            ck_assert_int_eq(write_start(&writes[p][i], &owners[p]), ENGINE_PENDING);
            ck_assert_int_eq(writes[p][i].append.base_offset, i);
        }
        fake_loop_advance(1);
    }
    fake_loop_advance(50);
    ck_assert_uint_eq(order_count, PARTS * WRITES);
    int64_t next[PARTS] = {0};
    bool mixed = false;
    for (size_t i = 0; i < order_count; i++) {
        ptrdiff_t p = order[i]->owner - owners;
        ck_assert_int_eq(order[i]->append.base_offset, next[p]++);
        mixed = mixed || (ptrdiff_t)(i % PARTS) != p;
    }
    ck_assert(mixed);
    for (int p = 0; p < PARTS; p++) {
        for (int i = 0; i < WRITES; i++)
            batch_builder_deinit(&writes[p][i].builder);
        owner_close(&owners[p]);
    }
    teardown();
}
END_TEST

START_TEST(delay_high_watermark_lags)
{
    struct write write;
    struct owner owner;
    setup(3, 1000, 0);
    owner_open(&owner);
    fake_loop_advance(1000);
    write_start(&write, &owner);
    fake_loop_advance(0);
    ck_assert_int_eq(owner.fake->state.high_watermark, 1);
    struct part_state state;
    engine->ops->part_get_state(owner.part, &state);
    ck_assert_int_eq(state.high_watermark, 0);
    ck_assert_int_eq(state.log_end, 1);
    fake_loop_advance(2000);
    engine->ops->part_get_state(owner.part, &state);
    ck_assert_int_eq(state.high_watermark, 1);
    ck_assert_int_eq(write.status, ENGINE_OK);
    batch_builder_deinit(&write.builder);
    owner_close(&owner);
    teardown();
}
END_TEST

static int reads_late;

static void read_on_done(struct engine_read *read, enum engine_status status)
{
    ck_assert_int_eq(status, ENGINE_OK);
    ck_assert_uint_gt(read->size, 0);
    reads_late++;
}

START_TEST(delay_reads_are_sometimes_late)
{
    struct write write;
    struct owner owner;
    struct engine_read reads[50];
    setup(5, 10, 0);
    owner_open(&owner);
    fake_loop_advance(10);
    write_start(&write, &owner);
    fake_loop_advance(20);
    int at_once = 0;
    reads_late = 0;
    for (size_t i = 0; i < ARRAY_COUNT(reads); i++) {
        reads[i] = (struct engine_read){
            .offset = 0, .bound = 1, .size_max = 1000, .one_at_least = true, .done = read_on_done};
        enum engine_status status = engine->ops->part_read(owner.part, &reads[i]);
        ck_assert(status == ENGINE_OK || status == ENGINE_PENDING);
        if (status == ENGINE_OK)
            ck_assert_uint_gt(reads[i].size, 0);
        at_once += status == ENGINE_OK;
    }
    ck_assert_int_eq(reads_late, 0);
    fake_loop_advance(20);
    ck_assert_int_gt(reads_late, 0);
    ck_assert_int_gt(at_once, 0);
    ck_assert_uint_eq((size_t)(reads_late + at_once), ARRAY_COUNT(reads));
    batch_builder_deinit(&write.builder);
    owner_close(&owner);
    teardown();
}
END_TEST

static int calls_done, calls_not_owner;

static void call_on_done(struct engine_call *call, enum engine_status status)
{
    (void)call;
    calls_done++;
    calls_not_owner += status == ENGINE_NOT_OWNER;
}

/* Each append is answered once, with OK only when it is in the log; ownership always comes back. */
START_TEST(delay_loses_and_returns_ownership)
{
    static struct write writes[400];
    struct owner owner;
    int ok = 0, not_owner = 0, refused = 0;
    setup(7, 5, 1000);
    owner_open(&owner);
    fake_loop_advance(5);
    for (size_t i = 0; i < ARRAY_COUNT(writes); i++) {
        order_count = 0;
        enum engine_status status = write_start(&writes[i], &owner);
        struct engine_call call = {.done = call_on_done};
        engine->ops->part_flush(owner.part, &call);
        fake_loop_advance(30);
        if (status == ENGINE_NOT_OWNER) {
            refused++;
            ck_assert_int_eq(writes[i].done_count, 0);
        } else {
            ck_assert_int_eq(writes[i].done_count, 1);
            ok += writes[i].status == ENGINE_OK;
            not_owner += writes[i].status == ENGINE_NOT_OWNER;
        }
        batch_builder_deinit(&writes[i].builder);
    }
    ck_assert_int_gt(owner.lost_count, 10);
    ck_assert_int_eq(owner.acquired_count, owner.lost_count + 1);
    ck_assert_int_gt(not_owner, 0);
    ck_assert_int_eq(calls_done, (int)ARRAY_COUNT(writes));
    ck_assert_int_gt(calls_not_owner, 0);
    ck_assert_int_eq(owner.fake->state.log_end, ok + not_owner);
    ck_assert_int_eq(ok + not_owner + refused, (int)ARRAY_COUNT(writes));
    owner_close(&owner);
    teardown();
}
END_TEST

START_TEST(delay_close_ends_what_is_pending)
{
    struct write writes[3];
    struct owner owner;
    setup(9, 1000, 0);
    owner_open(&owner);
    fake_loop_advance(1000);
    inner.auto_commit = false;
    for (int i = 0; i < 3; i++)
        write_start(&writes[i], &owner);
    fake_part_commit(owner.fake, 1);
    owner_close(&owner);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(writes[i].done_count, 1);
        ck_assert_int_eq(writes[i].status, ENGINE_NOT_OWNER);
        batch_builder_deinit(&writes[i].builder);
    }
    teardown();
}
END_TEST

TEST_MAIN("store/delay", delay_keeps_order_within_a_part_and_not_across, delay_high_watermark_lags,
    delay_reads_are_sometimes_late, delay_loses_and_returns_ownership,
    delay_close_ends_what_is_pending)
