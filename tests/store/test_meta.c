// SPDX-License-Identifier: BSD-2-Clause
#include "store/meta/meta.h"
#include "support/store_world.h"
#include "runner.h"

#include <errno.h>
#include <stdio.h>

#define JOURNAL "meta/journal"

static struct meta *meta;

static void meta_begin(void)
{
    world.loop = step_loop_start(&world.faulty.env);
    ck_assert_int_eq(meta_open(&world.faulty.env, world.dir, NULL, world.loop, &meta), 0);
}

static void meta_restart(void)
{
    meta_free(meta);
    meta_begin();
}

struct commit {
    struct meta_txn txn;
    bool done;
    enum meta_status status;
};

static void on_commit(struct meta_txn *txn, enum meta_status status)
{
    struct commit *commit = container_of(txn, struct commit, txn);
    ck_assert_uint_eq(world.depth, 0);
    commit->done = true;
    commit->status = status;
}

static void add_op(struct commit *commit, const char *key, const char *value)
{
    commit->txn.ops[commit->txn.n_ops++] = (struct meta_op){
        value == NULL ? META_DELETE : META_PUT, slice_from_str(key), slice_from_str(value)};
}

static void add_compare(struct commit *commit, const char *key, uint64_t version)
{
    commit->txn.compares[commit->txn.n_compares++] =
        (struct meta_compare){slice_from_str(key), version};
}

static void start(struct commit *commit)
{
    commit->txn.done = on_commit;
    world.depth++;
    meta_commit(meta, &commit->txn);
    world.depth--;
    ck_assert(!commit->done);
}

static enum meta_status put(const char *key, const char *value)
{
    struct commit *commit = calloc(1, sizeof(*commit));
    add_op(commit, key, value);
    start(commit);
    step_settle();
    ck_assert(commit->done);
    enum meta_status status = commit->status;
    free(commit);
    return status;
}

static bool has(const char *key, const char *value)
{
    struct slice found = meta_get(meta, slice_from_str(key), NULL);
    return slice_is_null(found) ? value == NULL : value != NULL && slice_equal_str(found, value);
}

static void count_row(void *ctx, struct slice key, struct slice value)
{
    (void)key;
    (void)value;
    (*(unsigned *)ctx)++;
}

static unsigned count(const char *prefix)
{
    unsigned n = 0;
    meta_range(meta, slice_from_str(prefix), count_row, &n);
    return n;
}

START_TEST(meta_keeps_what_was_put)
{
    world_make();
    meta_begin();
    ck_assert_int_eq(put("topic/b", "1"), META_OK);
    ck_assert_int_eq(put("topic/a", ""), META_OK);
    ck_assert_int_eq(put("config/x", "y"), META_OK);
    ck_assert_int_eq(put("topic/b", "2"), META_OK);
    ck_assert_int_eq(put("topic/c", "3"), META_OK);
    ck_assert_int_eq(put("topic/c", NULL), META_OK);
    for (int i = 0; i < 2; i++, meta_restart()) {
        ck_assert(has("topic/a", ""));
        ck_assert(has("topic/b", "2"));
        ck_assert(has("topic/c", NULL));
        ck_assert_uint_eq(count("topic/"), 2);
        ck_assert_uint_eq(count(""), 3);
    }
    meta_free(meta);
    world_clear();
}
END_TEST

START_TEST(meta_is_visible_only_when_durable)
{
    struct commit one = {0}, two = {0};
    world_make();
    meta_begin();
    ck_assert_int_eq(put("first", "makes the file"), META_OK);
    step_hold_pool(true);
    add_op(&one, "a", "1");
    add_op(&two, "b", "2");
    start(&one);
    start(&two);
    step_settle();
    ck_assert(!one.done && !two.done);
    ck_assert(has("a", NULL));
    unsigned n_syncs = world.faulty.n_syncs;
    ck_assert(step_pool_one());
    ck_assert_uint_eq(world.faulty.n_syncs, n_syncs + 1); /* both in one */
    ck_assert(has("a", NULL));
    step_settle();
    ck_assert(one.done && two.done && one.status == META_OK && two.status == META_OK);
    ck_assert(has("a", "1") && has("b", "2"));
    meta_free(meta);
    world_clear();
}
END_TEST

START_TEST(meta_compares_against_earlier_ones_of_the_batch)
{
    struct commit first = {0}, second = {0}, third = {0};
    uint64_t version;
    world_make();
    meta_begin();
    add_compare(&first, "a", 0);
    add_op(&first, "a", "1");
    add_compare(&second, "a", 0);
    add_op(&second, "a", "2");
    add_compare(&third, "b", 0);
    add_op(&third, "b", "3");
    start(&first);
    start(&second);
    start(&third);
    step_settle();
    ck_assert_int_eq(first.status, META_OK);
    ck_assert_int_eq(second.status, META_CONFLICT);
    ck_assert_int_eq(third.status, META_OK);
    ck_assert(has("a", "1"));
    meta_restart();
    meta_get(meta, SLICE_LIT("a"), &version);
    ck_assert_uint_gt(version, 0);
    struct commit fourth = {0};
    add_compare(&fourth, "a", version);
    add_op(&fourth, "a", "4");
    start(&fourth);
    step_settle();
    ck_assert_int_eq(fourth.status, META_OK);
    meta_free(meta);
    world_clear();
}
END_TEST

static unsigned watched;
static void on_watch(void *ctx, struct slice key, struct slice value)
{
    ck_assert_ptr_eq(ctx, &watched);
    ck_assert(slice_equal_str(key, "topic/a"));
    ck_assert(watched == 0 ? slice_equal_str(value, "1") : slice_is_null(value));
    watched++;
}

START_TEST(meta_tells_the_watches)
{
    watched = 0;
    world_make();
    meta_begin();
    meta_watch(meta, "topic/", on_watch, &watched);
    put("config/a", "x");
    put("topic/a", "1");
    put("topic/a", NULL);
    ck_assert_uint_eq(watched, 2);
    meta_free(meta);
    world_clear();
}
END_TEST

/* Cut at every byte: what was complete is there, the rest is gone, and the journal goes on. */
START_TEST(meta_torn_at_every_byte)
{
    uint64_t ends[4];
    world_make();
    meta_begin();
    ends[0] = 16; /* the header */
    for (int i = 1; i <= 3; i++) {
        char key[8];
        snprintf(key, sizeof(key), "k%d", i);
        ck_assert_int_eq(put(key, "value"), META_OK);
        ends[i] = world_file_size(JOURNAL);
    }
    meta_free(meta);
    uint8_t *bytes = malloc(ends[3]);
    char *path = world_path(JOURNAL);
    FILE *file = fopen(path, "rb");
    ck_assert_uint_eq(fread(bytes, 1, ends[3], file), ends[3]);
    fclose(file);
    free(path);
    for (uint64_t size = ends[0]; size <= ends[3]; size++) {
        world_file_truncate(JOURNAL, 0);
        world_file_write(JOURNAL, 0, bytes, size);
        meta_begin();
        ck_assert(has("k1", size >= ends[1] ? "value" : NULL));
        ck_assert(has("k2", size >= ends[2] ? "value" : NULL));
        ck_assert(has("k3", size >= ends[3] ? "value" : NULL));
        ck_assert_int_eq(put("later", "x"), META_OK);
        meta_restart();
        ck_assert(has("later", "x"));
        ck_assert(has("k1", size >= ends[1] ? "value" : NULL));
        meta_free(meta);
    }
    free(bytes);
    world_clear();
}
END_TEST

/* Every byte flipped: damage at the end is cut, damage before it is refused; never a wrong value.
 */
START_TEST(meta_flipped_at_every_byte)
{
    world_make();
    meta_begin();
    ck_assert_int_eq(put("k1", "value"), META_OK);
    uint64_t first = world_file_size(JOURNAL);
    ck_assert_int_eq(put("k2", "value"), META_OK);
    uint64_t size = world_file_size(JOURNAL);
    meta_free(meta);
    uint8_t *bytes = malloc(size);
    char *path = world_path(JOURNAL);
    FILE *file = fopen(path, "rb");
    ck_assert_uint_eq(fread(bytes, 1, size, file), size);
    fclose(file);
    free(path);
    for (uint64_t at = 0; at < size; at++) {
        world_file_truncate(JOURNAL, 0);
        bytes[at] ^= 0x11;
        world_file_write(JOURNAL, 0, bytes, size);
        bytes[at] ^= 0x11;
        world.loop = step_loop_start(&world.faulty.env);
        int r = meta_open(&world.faulty.env, world.dir, NULL, world.loop, &meta);
        ck_assert(r == 0 || r == -EBADMSG);
        if (at >= 16 && at < first)
            ck_assert_int_eq(r, -EBADMSG);
        if (at >= first) {
            ck_assert_int_eq(r, 0);
            ck_assert(has("k1", "value") && has("k2", NULL));
        }
        if (r == 0)
            meta_free(meta);
    }
    free(bytes);
    world_clear();
}
END_TEST

START_TEST(meta_found_is_synced_before_it_is_used)
{
    world_make();
    meta_begin();
    ck_assert_int_eq(put("a", "1"), META_OK);
    unsigned n_syncs = world.faulty.n_syncs;
    meta_restart();
    ck_assert_uint_eq(world.faulty.n_syncs, n_syncs + 1);
    ck_assert(has("a", "1"));
    meta_free(meta);
    /* And is not used when that fails: the journal, its name, that of its directory. */
    for (unsigned call = 1;; call++) {
        world.loop = step_loop_start(&world.faulty.env);
        world.faulty.fail_at = world.faulty.calls + call;
        int r = meta_open(&world.faulty.env, world.dir, NULL, world.loop, &meta);
        world.faulty.fail_at = 0;
        if (r == 0) {
            meta_free(meta);
            ck_assert_uint_eq(call, 4);
            break;
        }
        ck_assert_int_lt(r, 0);
    }
    world_clear();
}
END_TEST

START_TEST(meta_failed_write_does_nothing_and_heals)
{
    world_make();
    meta_begin();
    ck_assert_int_eq(put("a", "1"), META_OK);
    world.faulty.fail_at = world.faulty.calls + 2; /* the sync behind the write */
    ck_assert_int_eq(put("a", "2"), META_STORAGE);
    ck_assert(has("a", "1"));
    ck_assert_int_eq(put("b", "3"), META_OK);
    meta_restart();
    ck_assert(has("a", "1") && has("b", "3"));
    /* For good: refused again and again, and then not. */
    world.faulty.fail_at = world.faulty.calls + 1;
    world.faulty.sticky = true;
    ck_assert_int_eq(put("c", "1"), META_STORAGE);
    ck_assert_int_eq(put("c", "2"), META_STORAGE);
    world.faulty.fail_at = 0;
    ck_assert_int_eq(put("c", "3"), META_OK);
    meta_restart();
    ck_assert(has("a", "1") && has("b", "3") && has("c", "3"));
    meta_free(meta);
    world_clear();
}
END_TEST

START_TEST(meta_journal_is_compacted)
{
    char value[2048];
    memset(value, 'v', sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    world_make();
    meta_begin();
    ck_assert_int_eq(put("kept", "1"), META_OK);
    uint64_t version, again;
    meta_get(meta, SLICE_LIT("kept"), &version);
    for (int i = 0; i < 1000; i++)
        ck_assert_int_eq(put("key", value), META_OK);
    ck_assert_uint_lt(world_file_size(JOURNAL), 1100 * 1024);
    meta_restart();
    ck_assert(has("key", value) && has("kept", "1"));
    meta_get(meta, SLICE_LIT("kept"), &again);
    ck_assert_uint_eq(version, again);
    meta_free(meta);
    world_clear();
}
END_TEST

TEST_MAIN("store/meta", meta_keeps_what_was_put, meta_is_visible_only_when_durable,
    meta_compares_against_earlier_ones_of_the_batch, meta_tells_the_watches,
    meta_torn_at_every_byte, meta_flipped_at_every_byte, meta_found_is_synced_before_it_is_used,
    meta_failed_write_does_nothing_and_heals, meta_journal_is_compacted)
