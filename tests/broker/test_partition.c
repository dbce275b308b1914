// SPDX-License-Identifier: BSD-2-Clause
/* The partition over a fake engine and a fake loop: what it does before, between and after
 * ownership. */
#include "broker/broker.h"
#include "broker/partition/partition.h"
#include "broker/partition/producers.h"
#include "broker/config/settings.h"
#include "broker/txn/txn_log.h"
#include "broker/txn/txns.h"
#include "store/batch/batch_builder.h"
#include "support/fake_engine.h"
#include "support/fake_loop.h"
#include "runner.h"

static struct broker_settings settings = {
    .producer = {.id_expiration_ms = 86400000, .id_expiration_check_ms = 600000},
};

/* All that a partition wants of its broker. */
const struct broker_settings *broker_settings(struct broker *broker)
{
    (void)broker;
    return &settings;
}

/* The coordinator of all transactions, by hand. */
static struct txns_op *asked;
static unsigned asked_count;

void txns_submit(struct txns_op *op)
{
    asked = op;
    asked_count++;
}

static void coordinator_answers(enum txn_error error)
{
    ck_assert_ptr_nonnull(asked);
    struct txns_op *op = asked;
    asked = NULL;
    op->error = error;
    op->done(op);
}

static struct fake_engine engine;
static struct loop *loop;
static struct topic topic = {.name = (char *)(uintptr_t) "orders", .partitions_count = 1};
static struct partition *partition;
static int usable_count, lost_count, failed_count, closed_count;

static void on_usable(void *ctx, struct partition *which, int32_t leader_epoch)
{
    (void)ctx, (void)which, (void)leader_epoch;
    usable_count++;
}

static void on_lost(void *ctx, struct partition *which)
{
    (void)ctx, (void)which;
    lost_count++;
}

static void on_failed(void *ctx, struct partition *which, int error)
{
    (void)ctx, (void)which, (void)error;
    failed_count++;
}

static const struct partition_events events = {on_usable, on_lost, on_failed};

static void topic_free(struct ref *ref)
{
    (void)ref;
    ck_abort_msg("the test holds a reference");
}

static void setup(void)
{
    loop = fake_loop_start();
    fake_engine_init(&engine);
    ref_init(&topic.ref, topic_free);
    usable_count = lost_count = failed_count = closed_count = 0;
    partition = partition_open(NULL, &engine.engine, loop, &topic, 0, true, &events, NULL);
}

static void on_closed(void *ctx, int result)
{
    (void)ctx;
    ck_assert_int_eq(result, 0);
    closed_count++;
}

static void teardown(void)
{
    partition_close(partition, false, on_closed, NULL);
    fake_loop_turn();
    ck_assert_int_eq(closed_count, 1);
    ck_assert_uint_eq(ref_count(&topic.ref), 1);
    ck_assert_uint_eq(fake_loop_timers_count(), 0);
}

/* --- appends --- */

struct write {
    struct partition_append append;
    struct batch_builder builder;
    int done_count;
    enum partition_error error;
};

static void write_on_done(struct partition_append *append, enum partition_error error)
{
    struct write *write = container_of(append, struct write, append);
    write->done_count++;
    write->error = error;
}

static void write_init(struct write *write, int64_t producer_id, int32_t sequence, int count)
{
    *write = (struct write){0};
    batch_builder_init(&write->builder);
    write->builder.producer_id = producer_id;
    write->builder.producer_epoch = producer_id < 0 ? -1 : 0;
    write->builder.base_sequence = sequence;
    for (int i = 0; i < count; i++) {
        struct batch_record record = {.timestamp_ms = 5000 + i, .value = SLICE_LIT("x")};
        batch_builder_append(&write->builder, &record);
    }
    write->append.data = batch_builder_finish(&write->builder, &write->append.size);
    write->append.header = batch_header_parse(write->append.data);
    write->append.done = write_on_done;
}

static enum partition_error write_start(
    struct write *write, int64_t producer_id, int32_t sequence, int count, bool durable)
{
    write_init(write, producer_id, sequence, count);
    write->append.durable = durable;
    return partition_append(partition, &write->append);
}

static void write_deinit(struct write *write)
{
    batch_builder_deinit(&write->builder);
}

START_TEST(partition_appends_in_two_phases)
{
    struct write a, b;
    setup();
    fake_loop_turn();
    ck_assert_int_eq(usable_count, 1);
    ck_assert_int_eq(write_start(&a, -1, -1, 3, false), PARTITION_PENDING);
    ck_assert_int_eq(write_start(&b, -1, -1, 2, true), PARTITION_PENDING);
    ck_assert_int_eq(a.append.base_offset, 0);
    ck_assert_int_eq(b.append.base_offset, 3);
    ck_assert_int_eq(a.done_count, 0);
    fake_part_commit(engine.part, 3);
    ck_assert_int_eq(a.done_count, 1);
    ck_assert_int_eq(a.error, PARTITION_OK);
    ck_assert_int_eq(b.done_count, 0);
    fake_part_commit(engine.part, 5);
    ck_assert_int_eq(b.done_count, 1);
    write_deinit(&a), write_deinit(&b);
    teardown();
}
END_TEST

START_TEST(partition_queues_what_comes_before_it_is_usable)
{
    struct write writes[3];
    setup();
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(write_start(&writes[i], 7, i, 1, false), PARTITION_PENDING);
    ck_assert_uint_eq(engine.part->batches_count, 0);
    fake_loop_turn();
    ck_assert_uint_eq(engine.part->batches_count, 3);
    fake_part_commit(engine.part, 3);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(writes[i].done_count, 1);
        ck_assert_int_eq(writes[i].error, PARTITION_OK);
        ck_assert_int_eq(writes[i].append.base_offset, i);
        write_deinit(&writes[i]);
    }
    teardown();
}
END_TEST

static void ready_on_fn(struct partition_ready *ready, enum partition_error error)
{
    (void)ready, (void)error;
}

START_TEST(partition_queue_is_bounded)
{
    static struct partition_ready ready[PARTITION_READY_MAX + 1];
    setup();
    for (int i = 0; i <= PARTITION_READY_MAX; i++) {
        ready[i] = (struct partition_ready){.fn = ready_on_fn};
        ck_assert_int_eq(partition_when_ready(partition, &ready[i]),
            i < PARTITION_READY_MAX ? PARTITION_PENDING : PARTITION_BUSY);
    }
    fake_loop_turn();
    teardown();
}
END_TEST

START_TEST(partition_refuses_gaps_and_repeats_answers)
{
    struct write first, gap, again, next;
    setup();
    engine.auto_commit = true;
    fake_loop_turn();
    ck_assert_int_eq(write_start(&first, 7, 0, 4, false), PARTITION_PENDING);
    fake_loop_turn();
    ck_assert_int_eq(write_start(&gap, 7, 5, 1, false), PARTITION_OUT_OF_ORDER_SEQUENCE);
    ck_assert_int_eq(gap.done_count, 0);
    ck_assert_int_eq(write_start(&again, 7, 0, 4, true), PARTITION_OK);
    ck_assert_int_eq(again.append.base_offset, 0);
    ck_assert_int_eq(again.append.duplicate_timestamp, 5003);
    ck_assert_int_eq(write_start(&next, 7, 4, 1, false), PARTITION_PENDING);
    ck_assert_int_eq(next.append.base_offset, 4);
    fake_loop_turn();
    ck_assert_uint_eq(engine.part->batches_count, 2);
    write_deinit(&first), write_deinit(&gap), write_deinit(&again), write_deinit(&next);
    teardown();
}
END_TEST

/* A retry that overtakes the answer to its original. */
START_TEST(partition_duplicate_waits_for_its_original)
{
    struct write first, again, durable;
    setup();
    fake_loop_turn();
    ck_assert_int_eq(write_start(&first, 7, 0, 1, false), PARTITION_PENDING);
    ck_assert_int_eq(write_start(&again, 7, 0, 1, false), PARTITION_PENDING);
    ck_assert_int_eq(write_start(&durable, 7, 0, 1, true), PARTITION_PENDING);
    ck_assert_uint_eq(engine.part->batches_count, 1);
    ck_assert_int_eq(again.done_count, 0);
    fake_part_commit(engine.part, 1);
    ck_assert_int_eq(again.done_count, 1);
    ck_assert_int_eq(again.error, PARTITION_OK);
    fake_loop_turn(); /* the flush */
    ck_assert_int_eq(durable.done_count, 1);
    ck_assert_int_eq(durable.error, PARTITION_OK);
    write_deinit(&first), write_deinit(&again), write_deinit(&durable);
    teardown();
}
END_TEST

START_TEST(partition_loss_ends_everything_and_the_log_tells_what_was)
{
    struct write first, second, duplicate, late, again;
    setup();
    fake_loop_turn();
    write_start(&first, 7, 0, 1, false);
    fake_part_commit(engine.part, 1);
    write_start(&second, 7, 1, 1, false); /* in the log, and never confirmed */
    write_start(&duplicate, 7, 1, 1, false);
    fake_part_lose(engine.part);
    ck_assert_int_eq(lost_count, 1);
    ck_assert_int_eq(second.error, PARTITION_NOT_OWNER);
    ck_assert_int_eq(duplicate.done_count, 1);
    ck_assert_int_eq(duplicate.error, PARTITION_NOT_OWNER);
    ck_assert_int_eq(write_start(&late, 7, 2, 1, false), PARTITION_NOT_OWNER);

    fake_part_acquire(engine.part);
    ck_assert_int_eq(write_start(&again, 7, 1, 1, false), PARTITION_PENDING); /* queued */
    fake_loop_turn();
    ck_assert_int_eq(usable_count, 2);
    ck_assert_int_eq(again.done_count, 1); /* it was in the log */
    ck_assert_int_eq(again.error, PARTITION_OK);
    ck_assert_int_eq(again.append.base_offset, 1);
    ck_assert_uint_eq(engine.part->batches_count, 2);
    write_deinit(&first), write_deinit(&second), write_deinit(&duplicate), write_deinit(&late);
    write_deinit(&again);
    teardown();
}
END_TEST

START_TEST(partition_forgets_what_a_failed_append_left)
{
    struct write first, broken, waiting, again;
    setup();
    fake_loop_turn();
    write_start(&first, 7, 0, 1, false);
    fake_part_commit(engine.part, 1);
    write_start(&broken, 7, 1, 1, true);
    write_start(&waiting, 7, 1, 1, false);
    fake_part_break(engine.part, ENGINE_STORAGE);
    ck_assert_int_eq(broken.error, PARTITION_STORAGE);
    ck_assert_int_eq(waiting.error, PARTITION_STORAGE);
    /* Sequence 1 is free again. */
    ck_assert_int_eq(write_start(&again, 7, 1, 1, false), PARTITION_PENDING);
    fake_loop_turn();
    ck_assert_int_eq(again.done_count, 0);
    fake_part_commit(engine.part, 2);
    ck_assert_int_eq(again.error, PARTITION_OK);
    ck_assert_int_eq(again.append.base_offset, 1);
    ck_assert_int_eq(usable_count, 1); /* a coordinator that lives on it is not to load again */
    ck_assert_int_eq(lost_count, 0);
    write_deinit(&first), write_deinit(&broken), write_deinit(&waiting), write_deinit(&again);
    teardown();
}
END_TEST

START_TEST(partition_lost_after_a_failed_append_is_told)
{
    struct write broken;
    setup();
    fake_loop_turn();
    write_start(&broken, 7, 0, 1, true);
    fake_part_break(engine.part, ENGINE_STORAGE);
    fake_part_lose(engine.part);
    fake_loop_turn();
    ck_assert_int_eq(lost_count, 1);
    fake_part_acquire(engine.part);
    fake_loop_turn();
    ck_assert_int_eq(usable_count, 2);
    write_deinit(&broken);
    teardown();
}
END_TEST

START_TEST(partition_refusals_change_nothing)
{
    struct write refused, again;
    setup();
    fake_loop_turn();
    engine.refuse = ENGINE_BUSY;
    ck_assert_int_eq(write_start(&refused, 7, 0, 1, false), PARTITION_BUSY);
    engine.refuse = ENGINE_STORAGE;
    ck_assert_int_eq(partition_append(partition, &refused.append), PARTITION_STORAGE);
    engine.refuse = ENGINE_OK;
    ck_assert_int_eq(write_start(&again, 7, 0, 1, false), PARTITION_PENDING);
    fake_part_commit(engine.part, 1);
    ck_assert_int_eq(refused.done_count, 0);
    write_deinit(&refused), write_deinit(&again);
    teardown();
}
END_TEST

START_TEST(partition_snapshot_shortens_the_replay)
{
    struct write write;
    setup();
    engine.auto_commit = true;
    fake_loop_turn();
    for (int i = 0; i < 10; i++) {
        write_start(&write, 7, i, 1, false);
        fake_loop_turn();
        write_deinit(&write);
    }
    struct buffer blob = BUFFER_NULL;
    int64_t upto = 6;
    { /* what a snapshot at 6 would have held: made by another partition of the same history */
        struct producers producers;
        producers_init(&producers);
        for (int i = 0; i < 6; i++)
            producers_record(&producers, &engine.part->batches[i].header, NULL, 0);
        producers_save(&producers, &blob);
        producers_clear(&producers);
    }
    engine.engine.ops->part_snapshot_put(
        (struct part *)(void *)engine.part, upto, buffer_slice(&blob));
    fake_part_lose(engine.part);
    fake_part_acquire(engine.part);
    fake_loop_turn();
    ck_assert_int_eq(engine.part->replayed_from, 6);
    ck_assert_int_eq(write_start(&write, 7, 9, 1, false), PARTITION_OK); /* from the replay */
    write_deinit(&write);
    /* A damaged one is as good as none. */
    blob.data[blob.size - 1] ^= 1;
    engine.engine.ops->part_snapshot_put(
        (struct part *)(void *)engine.part, upto, buffer_slice(&blob));
    fake_part_lose(engine.part);
    fake_part_acquire(engine.part);
    fake_loop_turn();
    ck_assert_int_eq(engine.part->replayed_from, 0);
    ck_assert_int_eq(write_start(&write, 7, 10, 1, false), PARTITION_PENDING);
    fake_loop_turn();
    write_deinit(&write);
    buffer_deinit(&blob);
    teardown();
}
END_TEST

START_TEST(partition_close_ends_what_waits)
{
    struct write queued;
    setup();
    engine.part->acquire_soon = false;
    fake_loop_turn();
    ck_assert_int_eq(write_start(&queued, -1, -1, 1, false), PARTITION_PENDING);
    teardown();
    ck_assert_int_eq(queued.done_count, 1);
    ck_assert_int_eq(queued.error, PARTITION_NOT_OWNER);
    write_deinit(&queued);
}
END_TEST

/* --- reads and waiters --- */

static struct partition_read read_at(int64_t offset, int32_t leader_epoch)
{
    return (struct partition_read){
        .offset = offset, .leader_epoch = leader_epoch, .size_max = 1000, .one_at_least = true};
}

START_TEST(partition_reads_below_the_high_watermark)
{
    struct write write;
    setup();
    engine.part->state.leader_epoch = 4;
    fake_loop_turn();
    write_start(&write, -1, -1, 3, false);
    struct partition_read read = read_at(0, -1);
    ck_assert_int_eq(partition_read(partition, &read), PARTITION_OK);
    ck_assert_uint_eq(read.engine.size, 0);
    ck_assert_int_eq(read.high_watermark, 0);
    fake_part_commit(engine.part, 3);
    read = read_at(0, 4);
    ck_assert_int_eq(partition_read(partition, &read), PARTITION_OK);
    ck_assert_uint_eq(read.engine.size, write.append.size);
    ck_assert_int_eq(read.last_stable_offset, 3);
    read = read_at(3, -1);
    ck_assert_int_eq(partition_read(partition, &read), PARTITION_OK);
    ck_assert_uint_eq(read.engine.size, 0);
    read = read_at(4, -1);
    ck_assert_int_eq(partition_read(partition, &read), PARTITION_OFFSET_OUT_OF_RANGE);
    read = read_at(-1, -1);
    ck_assert_int_eq(partition_read(partition, &read), PARTITION_OFFSET_OUT_OF_RANGE);
    read = read_at(0, 3);
    ck_assert_int_eq(partition_read(partition, &read), PARTITION_FENCED_LEADER_EPOCH);
    read = read_at(0, 5);
    ck_assert_int_eq(partition_read(partition, &read), PARTITION_UNKNOWN_LEADER_EPOCH);
    write_deinit(&write);
    teardown();
}
END_TEST

static void read_on_done(struct partition_read *read, enum partition_error error)
{
    (void)read;
    ck_assert_int_eq(error, PARTITION_OK);
}

/* What became readable while a read was under way is not in it: whoever waits for more than the
 * answer says must be woken for that. */
START_TEST(partition_late_read_says_how_far_it_saw)
{
    struct write first, second;
    setup();
    fake_loop_turn();
    write_start(&first, -1, -1, 1, false);
    fake_part_commit(engine.part, 1);
    engine.late_reads = true;
    struct partition_read read = read_at(0, -1);
    read.done = read_on_done;
    ck_assert_int_eq(partition_read(partition, &read), PARTITION_PENDING);
    write_start(&second, -1, -1, 1, false);
    fake_part_commit(engine.part, 2);
    fake_part_answer_read(engine.part);
    ck_assert_uint_eq(read.engine.size, first.append.size);
    ck_assert_int_eq(read.high_watermark, 1);
    ck_assert_int_eq(read.last_stable_offset, 1);
    write_deinit(&first);
    write_deinit(&second);
    teardown();
}
END_TEST

static int woken_count;

static void waiter_on_fn(struct partition_waiter *waiter)
{
    ck_assert(!list_linked(&waiter->link));
    woken_count++;
}

START_TEST(partition_wakes_waiters_once)
{
    struct write write;
    struct partition_waiter near = {.offset = 0, .fn = waiter_on_fn};
    struct partition_waiter far = {.offset = 1, .fn = waiter_on_fn};
    struct partition_waiter gone = {.offset = 0, .fn = waiter_on_fn};
    setup();
    fake_loop_turn();
    woken_count = 0;
    partition_wait(partition, &near);
    partition_wait(partition, &far);
    partition_wait(partition, &gone);
    partition_unwait(&gone);
    write_start(&write, -1, -1, 1, false);
    fake_part_commit(engine.part, 1);
    ck_assert_int_eq(woken_count, 1);
    write_deinit(&write);
    /* Too late already: from the loop, not from within. */
    partition_wait(partition, &near);
    ck_assert_int_eq(woken_count, 1);
    fake_loop_turn();
    ck_assert_int_eq(woken_count, 2);
    fake_part_lose(engine.part);
    ck_assert_int_eq(woken_count, 3); /* far */
    partition_unwait(&far);
    teardown();
}
END_TEST

/* --- transactions --- */

static enum partition_error write_in_txn(struct write *write, int32_t sequence, int count)
{
    *write = (struct write){.append.done = write_on_done};
    batch_builder_init(&write->builder);
    write->builder.attributes = BATCH_TRANSACTIONAL;
    write->builder.producer_id = 7;
    write->builder.producer_epoch = 0;
    write->builder.base_sequence = sequence;
    for (int i = 0; i < count; i++) {
        struct batch_record record = {.timestamp_ms = 5000 + i, .value = SLICE_LIT("x")};
        batch_builder_append(&write->builder, &record);
    }
    write->append.data = batch_builder_finish(&write->builder, &write->append.size);
    write->append.header = batch_header_parse(write->append.data);
    write->append.transactional_id = SLICE_LIT("t");
    return partition_append(partition, &write->append);
}

static int marked_count;

static void on_marked(void *ctx, enum partition_error error)
{
    (void)ctx;
    ck_assert_int_eq(error, PARTITION_OK);
    marked_count++;
}

static void write_marker(bool commit)
{
    struct txn_marker_facts facts = {7, 0, commit, 0};
    struct txn_write *write = txn_write_new();
    txn_write_marker(write, &facts, 6000);
    ck_assert_int_eq(txn_write_submit(write, partition, on_marked, NULL), PARTITION_PENDING);
}

START_TEST(partition_asks_before_it_opens_a_transaction)
{
    struct write a, b, c;
    setup();
    fake_loop_turn();
    asked_count = 0;
    ck_assert_int_eq(write_in_txn(&a, 0, 1), PARTITION_PENDING);
    ck_assert_int_eq(write_in_txn(&b, 1, 1), PARTITION_PENDING); /* behind the first */
    ck_assert_uint_eq(asked_count, 1);
    ck_assert_int_eq(asked->kind, TXNS_VERIFY);
    ck_assert(slice_equal_str(asked->id, "t"));
    ck_assert_int_eq(asked->producer_id, 7);
    ck_assert(slice_equal_str(asked->partitions->topic, "orders"));
    ck_assert_uint_eq(engine.part->batches_count, 0);
    coordinator_answers(TXN_OK);
    fake_loop_turn();
    ck_assert_uint_eq(engine.part->batches_count, 2);
    ck_assert_int_eq(write_in_txn(&c, 2, 1), PARTITION_PENDING); /* it is open: nothing to ask */
    ck_assert_uint_eq(asked_count, 1);
    fake_part_commit(engine.part, 3);
    ck_assert_int_eq(a.append.base_offset, 0);
    ck_assert_int_eq(b.append.base_offset, 1);
    ck_assert_int_eq(c.error, PARTITION_OK);
    ck_assert_int_eq(partition_last_stable_offset(partition), 0);
    marked_count = 0;
    write_marker(true);
    ck_assert_int_eq(partition_last_stable_offset(partition), 0); /* not readable yet */
    fake_part_commit(engine.part, 4);
    ck_assert_int_eq(marked_count, 1);
    ck_assert_int_eq(partition_last_stable_offset(partition), 4);
    write_deinit(&a), write_deinit(&b), write_deinit(&c);
    teardown();
}
END_TEST

START_TEST(partition_refuses_what_the_coordinator_does_not_know)
{
    static const struct {
        enum txn_error said;
        enum partition_error error;
    } cases[] = {{TXN_E_NOT_ADDED, PARTITION_NOT_IN_TXN},
        {TXN_E_FENCED, PARTITION_INVALID_PRODUCER_EPOCH},
        {TXN_E_UNKNOWN, PARTITION_UNKNOWN_TXN_PRODUCER},
        {TXN_E_CONCURRENT, PARTITION_TXN_UNAVAILABLE},
        {TXN_E_NOT_COORDINATOR, PARTITION_TXN_UNAVAILABLE}};
    setup();
    fake_loop_turn();
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct write a, b;
        write_in_txn(&a, 0, 1);
        write_in_txn(&b, 1, 1);
        coordinator_answers(cases[i].said);
        fake_loop_turn();
        ck_assert_int_eq(a.error, cases[i].error);
        ck_assert_int_eq(b.error, cases[i].error); /* never without the one before it */
        ck_assert_int_eq(b.done_count, 1);
        write_deinit(&a), write_deinit(&b);
    }
    ck_assert_uint_eq(engine.part->batches_count, 0);
    teardown();
}
END_TEST

START_TEST(partition_asks_again_when_a_marker_came_between)
{
    struct write a;
    setup();
    fake_loop_turn();
    asked_count = 0;
    write_in_txn(&a, 0, 1);
    write_marker(false);
    coordinator_answers(TXN_OK); /* said before the transaction ended */
    fake_loop_turn();
    ck_assert_uint_eq(asked_count, 2);
    ck_assert_int_eq(a.done_count, 0);
    coordinator_answers(TXN_E_NOT_ADDED);
    fake_loop_turn();
    ck_assert_int_eq(a.error, PARTITION_NOT_IN_TXN);
    ck_assert_uint_eq(engine.part->batches_count, 1);
    fake_part_commit(engine.part, 1);
    ck_assert_int_eq(partition_last_stable_offset(partition), 1);
    write_deinit(&a);
    teardown();
}
END_TEST

START_TEST(partition_loss_ends_questions_too)
{
    struct write a;
    setup();
    fake_loop_turn();
    write_in_txn(&a, 0, 1);
    fake_part_lose(engine.part);
    ck_assert_int_eq(a.error, PARTITION_NOT_OWNER);
    write_deinit(&a);
    fake_part_acquire(engine.part);
    fake_loop_turn();
    coordinator_answers(TXN_OK); /* nobody is there any more */
    fake_loop_turn();
    ck_assert_uint_eq(engine.part->batches_count, 0);
    teardown();
}
END_TEST

START_TEST(partition_replay_knows_transactions)
{
    struct write a, b;
    struct partition_read read;
    setup();
    fake_loop_turn();
    write_in_txn(&a, 0, 1);
    coordinator_answers(TXN_OK);
    fake_loop_turn();
    write_marker(false);
    write_in_txn(&b, 1, 1);
    coordinator_answers(TXN_OK);
    fake_loop_turn();
    fake_part_commit(engine.part, 3);
    for (int round = 0; round < 2; round++) {
        ck_assert_int_eq(partition_last_stable_offset(partition), 2);
        read = (struct partition_read){
            .leader_epoch = -1, .size_max = 1000, .one_at_least = true, .read_committed = true};
        ck_assert_int_eq(partition_read(partition, &read), PARTITION_OK);
        ck_assert_uint_eq(read.aborted_count, 1);
        ck_assert_int_eq(read.aborted->producer_id, 7);
        ck_assert_int_eq(read.aborted->first_offset, 0);
        free(read.aborted);
        for (unsigned i = 0; i < read.engine.n_chunks; i++)
            chunk_release(&read.engine.chunks[i]);
        fake_part_lose(engine.part);
        fake_part_acquire(engine.part);
        fake_loop_turn();
        fake_loop_turn();
    }
    write_deinit(&a), write_deinit(&b);
    teardown();
}
END_TEST

TEST_MAIN("broker/partition", partition_appends_in_two_phases,
    partition_queues_what_comes_before_it_is_usable, partition_queue_is_bounded,
    partition_refuses_gaps_and_repeats_answers, partition_duplicate_waits_for_its_original,
    partition_loss_ends_everything_and_the_log_tells_what_was,
    partition_forgets_what_a_failed_append_left, partition_lost_after_a_failed_append_is_told,
    partition_refusals_change_nothing, partition_snapshot_shortens_the_replay,
    partition_close_ends_what_waits, partition_reads_below_the_high_watermark,
    partition_late_read_says_how_far_it_saw, partition_wakes_waiters_once,
    partition_asks_before_it_opens_a_transaction,
    partition_refuses_what_the_coordinator_does_not_know,
    partition_asks_again_when_a_marker_came_between, partition_loss_ends_questions_too,
    partition_replay_knows_transactions)
