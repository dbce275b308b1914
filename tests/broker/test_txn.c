// SPDX-License-Identifier: BSD-2-Clause
/* The machine of one transactional id: its table, its epochs, and random walks against a model that
 * knows only what clients were told. */
#include "broker/txn/txn.h"
#include "runner.h"

static const struct txn_topic_partition orders = {{(const uint8_t *)"orders", 6}, 0},
                                        trades = {{(const uint8_t *)"trades", 6}, 3};

static struct txn *machine_at(int64_t producer_id, int16_t epoch)
{
    struct txn_facts facts = {.state = TXN_EMPTY,
        .producer_id = producer_id,
        .previous_producer_id = -1,
        .next_producer_id = -1,
        .epoch = epoch,
        .last_epoch = TXN_EPOCH_NONE,
        .timeout_ms = 1000,
        .start_ms = -1};
    return txn_new(SLICE_LIT("t"), &facts);
}

static enum txn_step init(struct txn *txn, int64_t expected_id, int16_t expected_epoch,
    int64_t fresh, enum txn_error *ret_error)
{
    struct txn_init ask = {.expected_producer_id = expected_id,
        .expected_epoch = expected_epoch,
        .timeout_ms = 1000,
        .fresh_producer_id = fresh};
    return txn_init(txn, &ask, 0, ret_error);
}

static enum txn_step add(struct txn *txn, int16_t epoch, enum txn_error *ret_error)
{
    return txn_add(txn, txn->now.producer_id, epoch, &orders, 1, 0, ret_error);
}

static void begin(struct txn *txn)
{
    enum txn_error error;
    ck_assert_int_eq(add(txn, txn->now.epoch, &error), TXN_WRITE);
    txn_written(txn);
}

static enum txn_step end(
    struct txn *txn, int16_t epoch, bool commit, bool v2, int64_t fresh, enum txn_error *ret_error)
{
    struct txn_end ask = {txn->now.producer_id, epoch, commit, v2, fresh};
    return txn_end(txn, &ask, 0, ret_error);
}

START_TEST(txn_table)
{
    static const bool legal[TXN_STATES_COUNT][TXN_STATES_COUNT] = {
        [TXN_EMPTY] = {[TXN_EMPTY] = 1, [TXN_ONGOING] = 1, [TXN_PREPARE_ABORT] = 1, [TXN_DEAD] = 1},
        [TXN_ONGOING] = {[TXN_ONGOING] = 1, [TXN_PREPARE_COMMIT] = 1, [TXN_PREPARE_ABORT] = 1},
        [TXN_PREPARE_COMMIT] = {[TXN_COMPLETE_COMMIT] = 1},
        [TXN_PREPARE_ABORT] = {[TXN_COMPLETE_ABORT] = 1},
        [TXN_COMPLETE_COMMIT] =
            {[TXN_EMPTY] = 1, [TXN_ONGOING] = 1, [TXN_PREPARE_ABORT] = 1, [TXN_DEAD] = 1},
        [TXN_COMPLETE_ABORT] =
            {[TXN_EMPTY] = 1, [TXN_ONGOING] = 1, [TXN_PREPARE_ABORT] = 1, [TXN_DEAD] = 1},
    };
    for (int from = 0; from < TXN_STATES_COUNT; from++) {
        for (int to = 0; to < TXN_STATES_COUNT; to++)
            ck_assert_int_eq(
                txn_transition_legal((enum txn_state)from, (enum txn_state)to), legal[from][to]);
    }
}
END_TEST

START_TEST(txn_failed_write_changes_nothing)
{
    struct txn *txn = machine_at(7, 0);
    enum txn_error error;
    ck_assert_int_eq(add(txn, 0, &error), TXN_WRITE);
    ck_assert(!txn_has(txn, &orders));
    txn_write_failed(txn);
    ck_assert_int_eq(txn->now.state, TXN_EMPTY);
    ck_assert_uint_eq(txn->partitions.count, 0);
    begin(txn);
    ck_assert(txn_has(txn, &orders));
    ck_assert_int_eq(txn_add(txn, 7, 0, &trades, 1, 0, &error), TXN_WRITE);
    txn_write_failed(txn);
    ck_assert(txn_has(txn, &orders));
    ck_assert(!txn_has(txn, &trades));
    ck_assert_int_eq(txn_verify(txn, 7, 0, &orders), TXN_OK);
    ck_assert_int_eq(txn_verify(txn, 7, 0, &trades), TXN_E_NOT_ADDED);
    ck_assert_int_eq(txn_verify(txn, 8, 0, &orders), TXN_E_UNKNOWN);
    ck_assert_int_eq(txn_verify(txn, 7, 1, &orders), TXN_E_FENCED);
    txn_free(txn);
}
END_TEST

START_TEST(txn_epochs_run_out_at_init)
{
    struct txn *txn = machine_at(7, TXN_EPOCH_LAST);
    enum txn_error error;
    ck_assert_int_eq(init(txn, -1, -1, -1, &error), TXN_WANT_PRODUCER_ID);
    ck_assert_int_eq(init(txn, 7, TXN_EPOCH_LAST, 8, &error), TXN_WRITE);
    txn_written(txn);
    ck_assert_int_eq(txn->now.producer_id, 8);
    ck_assert_int_eq(txn->now.epoch, 0);
    /* The answer was lost: the same again; nobody else may say so. */
    ck_assert_int_eq(init(txn, 7, TXN_EPOCH_LAST, -1, &error), TXN_ANSWER);
    ck_assert_int_eq(error, TXN_OK);
    ck_assert_int_eq(init(txn, 7, 5, -1, &error), TXN_ANSWER);
    ck_assert_int_eq(error, TXN_E_FENCED);
    txn_free(txn);
}
END_TEST

START_TEST(txn_epochs_run_out_at_the_end)
{
    struct txn *txn = machine_at(7, TXN_EPOCH_LAST);
    enum txn_error error;
    begin(txn);
    ck_assert_int_eq(end(txn, TXN_EPOCH_LAST, true, true, -1, &error), TXN_WANT_PRODUCER_ID);
    ck_assert_int_eq(end(txn, TXN_EPOCH_LAST, true, true, 8, &error), TXN_WRITE);
    txn_written(txn);
    int64_t producer_id;
    int16_t epoch;
    txn_successor(txn, &producer_id, &epoch);
    ck_assert_int_eq(producer_id, 8);
    ck_assert_int_eq(epoch, 0);
    ck_assert_int_eq(txn->now.producer_id, 7); /* the markers are still the old one's */
    ck_assert_int_eq(txn->now.epoch, INT16_MAX);
    txn_complete(txn, 0);
    txn_written(txn);
    ck_assert_int_eq(txn->now.producer_id, 8);
    ck_assert_int_eq(txn->now.epoch, 0);
    struct txn_end again = {7, TXN_EPOCH_LAST, true, true, -1};
    ck_assert_int_eq(txn_end(txn, &again, 0, &error), TXN_ANSWER);
    ck_assert_int_eq(error, TXN_OK);
    txn_free(txn);
}
END_TEST

START_TEST(txn_fenced_at_the_last_epoch)
{
    struct txn *txn = machine_at(7, TXN_EPOCH_LAST);
    enum txn_error error;
    begin(txn);
    ck_assert(!txn_is_late(txn, 1000));
    ck_assert(txn_is_late(txn, 1001));
    ck_assert_int_eq(init(txn, -1, -1, -1, &error), TXN_WRITE); /* the abort */
    txn_written(txn);
    ck_assert_int_eq(txn->now.state, TXN_PREPARE_ABORT);
    ck_assert_int_eq(txn->now.epoch, INT16_MAX);
    ck_assert_int_eq(init(txn, -1, -1, -1, &error), TXN_ANSWER);
    ck_assert_int_eq(error, TXN_E_CONCURRENT);
    txn_complete(txn, 0);
    txn_written(txn);
    ck_assert_int_eq(init(txn, -1, -1, -1, &error), TXN_WANT_PRODUCER_ID);
    ck_assert_int_eq(init(txn, -1, -1, 9, &error), TXN_WRITE);
    txn_written(txn);
    ck_assert_int_eq(txn->now.producer_id, 9);
    txn_free(txn);
}
END_TEST

START_TEST(txn_expires_only_at_rest)
{
    struct txn *txn = machine_at(7, 0);
    ck_assert(!txn_is_expired(txn, 99, 100));
    ck_assert(txn_is_expired(txn, 100, 100));
    begin(txn);
    ck_assert(!txn_is_expired(txn, 100, 100));
    txn_free(txn);
}
END_TEST

/* --- random walks --- */

/* A client: what it believes to be; stale once somebody else was given the id. */
struct walker {
    int64_t producer_id;
    int16_t epoch;
    bool fenced, open, v2;
};

struct walk {
    struct txn *txn;
    struct walker walkers[3];
    uint64_t random;
    int64_t next_id;
    int committed, aborted;
};

static uint32_t walk_random(struct walk *walk, uint32_t bound)
{
    walk->random = walk->random * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t)(walk->random >> 33) % bound;
}

/* A write that fails one time in eight. */
static bool walk_write(struct walk *walk)
{
    if (walk_random(walk, 8) == 0) {
        struct txn_facts before = walk->txn->now;
        txn_write_failed(walk->txn);
        ck_assert_int_eq(before.state, walk->txn->now.state);
        return false;
    }
    ck_assert(txn_transition_legal(walk->txn->now.state, walk->txn->next.state));
    ck_assert(walk->txn->next.producer_id != walk->txn->now.producer_id ||
              walk->txn->next.epoch >= walk->txn->now.epoch);
    txn_written(walk->txn);
    return true;
}

/* As the coordinator does: markers, then complete, until it is written. */
static void walk_complete(struct walk *walk)
{
    bool commit = walk->txn->now.state == TXN_PREPARE_COMMIT;
    do {
        ck_assert(txn_is_prepared(walk->txn));
        txn_complete(walk->txn, 0);
    } while (!walk_write(walk));
    walk->committed += commit;
    walk->aborted += !commit;
    for (int i = 0; i < 3; i++)
        walk->walkers[i].open = false;
}

static void walk_fence_others(struct walk *walk, struct walker *but)
{
    for (int i = 0; i < 3; i++) {
        if (&walk->walkers[i] != but)
            walk->walkers[i].fenced = true;
    }
}

static void walk_init(struct walk *walk, struct walker *walker)
{
    struct txn_init ask = {.expected_producer_id = -1,
        .expected_epoch = -1,
        .timeout_ms = 1000,
        .fresh_producer_id = -1};
    for (;;) {
        enum txn_error error;
        enum txn_step step = txn_init(walk->txn, &ask, 0, &error);
        if (step == TXN_WANT_PRODUCER_ID) {
            ask.fresh_producer_id = walk->next_id++;
            continue;
        }
        ck_assert_int_eq(step, TXN_WRITE);
        if (!walk_write(walk))
            return;
        if (!txn_is_prepared(walk->txn))
            break;
        walk_fence_others(walk, NULL);
        walk_complete(walk);
        ask.resumed = true;
    }
    *walker = (struct walker){.producer_id = walk->txn->now.producer_id,
        .epoch = walk->txn->now.epoch,
        .v2 = walk_random(walk, 2) == 0};
    walk_fence_others(walk, walker);
}

static void walk_add(struct walk *walk, struct walker *walker)
{
    enum txn_error error = TXN_OK;
    enum txn_step step =
        txn_add(walk->txn, walker->producer_id, walker->epoch, &orders, 1, 0, &error);
    if (walker->fenced) {
        ck_assert_int_eq(step, TXN_ANSWER);
        ck_assert_int_ne(error, TXN_OK);
        return;
    }
    if (step == TXN_WRITE)
        walker->open = walk_write(walk) || walker->open;
    else
        ck_assert_int_eq(error, TXN_OK);
    ck_assert_int_eq(
        txn_verify(walk->txn, walker->producer_id, walker->epoch, &orders) == TXN_OK, walker->open);
}

static void walk_end(struct walk *walk, struct walker *walker)
{
    bool commit = walk_random(walk, 2) == 0, was_open = walker->open;
    struct txn_end ask = {walker->producer_id, walker->epoch, commit, walker->v2, -1};
    enum txn_error error = TXN_OK;
    enum txn_step step = txn_end(walk->txn, &ask, 0, &error);
    if (step == TXN_WANT_PRODUCER_ID) {
        ask.fresh_producer_id = walk->next_id++;
        step = txn_end(walk->txn, &ask, 0, &error);
    }
    if (walker->fenced) {
        ck_assert_int_eq(step, TXN_ANSWER);
        /* One that ended its last transaction itself may hear so again; nothing happens. */
        return;
    }
    if (step != TXN_WRITE) {
        ck_assert(!was_open);
        return;
    }
    if (!walk_write(walk))
        return;
    int64_t producer_id;
    int16_t epoch;
    txn_successor(walk->txn, &producer_id, &epoch);
    ck_assert_int_eq(
        txn_verify(walk->txn, walker->producer_id, walker->epoch, &orders) != TXN_OK, 1);
    walk_complete(walk);
    ck_assert_int_eq(walk->txn->now.producer_id, producer_id);
    ck_assert_int_eq(walk->txn->now.epoch, epoch);
    if (walker->v2) { /* late ones of the transaction that ended find the door closed */
        ck_assert_int_ne(
            txn_verify(walk->txn, walker->producer_id, walker->epoch, &orders), TXN_OK);
        walker->producer_id = producer_id;
        walker->epoch = epoch;
    }
}

static void walk_time_out(struct walk *walk)
{
    if (!txn_is_late(walk->txn, 2000))
        return;
    txn_fence(walk->txn, 0);
    if (!walk_write(walk))
        return;
    walk_fence_others(walk, NULL);
    walk_complete(walk);
}

START_TEST(txn_random_walks)
{
    int committed = 0, aborted = 0;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        int16_t start = seed % 3 == 0 ? (int16_t)(TXN_EPOCH_LAST - 20) : 0;
        struct walk walk = {.txn = machine_at(1, start), .random = seed, .next_id = 2};
        for (int i = 0; i < 3; i++)
            walk.walkers[i].fenced = true;
        for (int i = 0; i < 400; i++) {
            struct walker *walker = &walk.walkers[walk_random(&walk, 3)];
            switch (walk_random(&walk, 12)) {
            case 0: walk_init(&walk, walker); break;
            case 1: walk_time_out(&walk); break;
            case 2:
            case 3:
            case 4: walk_end(&walk, walker); break;
            default: walk_add(&walk, walker); break;
            }
            ck_assert(!walk.txn->moving && !txn_is_prepared(walk.txn));
        }
        committed += walk.committed;
        aborted += walk.aborted;
        txn_free(walk.txn);
    }
    ck_assert_int_gt(committed, 1000); /* the walks do lead somewhere */
    ck_assert_int_gt(aborted, 1000);
}
END_TEST

TEST_MAIN("broker/txn", txn_table, txn_failed_write_changes_nothing, txn_epochs_run_out_at_init,
    txn_epochs_run_out_at_the_end, txn_fenced_at_the_last_epoch, txn_expires_only_at_rest,
    txn_random_walks)
