// SPDX-License-Identifier: BSD-2-Clause
/*
 * Random histories against a model: keyed appends, tombstones, compaction, time, clean stops,
 * kills, and calls that fail. After each step that may have changed something everything is read,
 * and: every record that is there is the one that was appended at its offset, in order; the last
 * record of each key is there, unless it is a tombstone, and then nothing older of the key is.
 */
#include "support/cleaner_world.h"
#include "runner.h"

#include "store/part/part.h"

#include <errno.h>
#include <stdio.h>

enum { KEYS = 12, LOG_MAX = 4000, STEPS = 250 };

struct model_record {
    int key;   /* -1: without a key */
    int value; /* -1: a tombstone */
    int64_t timestamp;
};

static struct {
    struct model_record log[LOG_MAX];
    int64_t end;
    uint64_t seed;
    int32_t sequence;
} model;

static unsigned model_random(unsigned below)
{
    model.seed = model.seed * 6364136223846793005 + 1442695040888963407;
    return (unsigned)(model.seed >> 33) % below;
}

static void model_append(void)
{
    char keys[6][8], values[6][8];
    struct keyed records[6];
    unsigned count = 1 + model_random(6);
    if (model.end + 8 > LOG_MAX)
        return;
    for (unsigned i = 0; i < count; i++) {
        struct model_record *record = &model.log[model.end + i];
        record->key = (int)model_random(KEYS + 1) - 1;
        record->value = model_random(4) == 0 && record->key >= 0 ? -1 : (int)(model.end % 1000);
        record->timestamp = world.faulty.real_ms - (int64_t)model_random(50);
        snprintf(keys[i], sizeof(keys[i]), "k%d", record->key % 100);
        snprintf(values[i], sizeof(values[i]), "v%d", record->value % 1000);
        records[i] = (struct keyed){record->key < 0 ? NULL : keys[i],
            record->value < 0 ? NULL : values[i], record->timestamp};
    }
    struct keyed_batch batch = {.records = records,
        .n_records = count,
        .codec = (enum batch_compression)(model_random(3) == 0 ? model_random(5) : 0)};
    if (model_random(2) == 0) {
        batch.producer_id = 1 + model_random(3);
        batch.base_sequence = model.sequence;
        model.sequence += (int32_t)count;
    }
    int64_t offset = keyed_put(&batch);
    ck_assert_int_eq(offset, model.end);
    model.end += count;
}

static int model_key_of(const struct seen *seen)
{
    return seen->has_key ? (int)strtol(seen->key + 1, NULL, 10) : -1;
}

static void model_check(void)
{
    int64_t last_seen[KEYS], last[KEYS];
    for (int key = 0; key < KEYS; key++)
        last_seen[key] = last[key] = -1;
    for (int64_t i = 0; i < model.end; i++) {
        if (model.log[i].key >= 0)
            last[model.log[i].key] = i;
    }
    struct seen_log log = seen_read();
    ck_assert_int_eq(world_state(world.part).high_watermark, model.end);
    for (unsigned i = 0; i < log.n_records; i++) {
        const struct seen *seen = &log.records[i];
        ck_assert_int_lt(seen->offset, model.end);
        const struct model_record *record = &model.log[seen->offset];
        ck_assert_int_eq(record->key, model_key_of(seen));
        ck_assert_int_eq(record->timestamp, seen->timestamp);
        ck_assert(seen->has_value == (record->value >= 0));
        if (seen->has_value)
            ck_assert_int_eq(record->value, strtol(seen->value + 1, NULL, 10));
        if (record->key >= 0)
            last_seen[record->key] = seen->offset;
    }
    for (int key = 0; key < KEYS; key++) {
        bool deleted = last[key] >= 0 && model.log[last[key]].value < 0;
        ck_assert(last_seen[key] == last[key] || (deleted && last_seen[key] == -1));
    }
    seen_free(&log);
}

/* Any offset leads to the first record at or behind it, or to what stands in its place. */
static void model_check_a_read(void)
{
    int64_t offset = (int64_t)model_random((unsigned)model.end + 1);
    struct world_read read = world_read(world.part, offset, 200 + model_random(3000), true);
    ck_assert_int_eq(read.status, ENGINE_OK);
    ck_assert(offset == model.end || read.next_offset > offset);
    free(read.bytes);
}

static void model_restart(void)
{
    world.faulty.fail_at = 0;
    world.faulty.sticky = false;
    if (model_random(2) == 0)
        world_stop();
    else
        world_kill();
    world_start();
    ck_assert_uint_eq(world.n_failed, 0);
}

/* A compaction with a call that fails, for once or from then on. */
static void model_fail(void)
{
    world.faulty.sticky = model_random(2) == 0;
    world.faulty.fail_at = world.faulty.calls + 1 + model_random(25);
    cleaner_look_now();
    model_restart();
}

static void model_step(void)
{
    unsigned what = model_random(100);
    if (what < 70)
        model_append();
    else if (what < 80)
        world.faulty.real_ms += model_random(400);
    else if (what < 92)
        cleaner_look_now();
    else if (what < 95)
        model_restart();
    else if (what < 97)
        model_fail();
    else
        model_check_a_read();
    if (what >= 80)
        model_check();
}

static void model_run(uint64_t seed)
{
    memset(&model, 0, sizeof(model));
    model.seed = seed;
    cleaner_world_make();
    world.config.segment_size_max = 300 + model_random(1500);
    world.config.delete_retention_ms = model_random(3) == 0 ? 0 : model_random(1000);
    world.config.min_cleanable_ratio = model_random(2) == 0 ? 0 : 0.3;
    if (model_random(2) == 0)
        world.config.max_compaction_lag_ms = 100 + model_random(500);
    if (model_random(3) == 0)
        world.cleaner_map_size_max = 1;
    world_start();
    for (int i = 0; i < STEPS; i++)
        model_step();
    model_check();
    world_clear();
}

START_TEST(cleaner_model_holds)
{
    for (uint64_t seed = 1; seed <= 20; seed++)
        model_run(seed);
}
END_TEST

START_TEST(cleaner_model_holds_for_a_new_seed)
{
    const char *given = getenv("ODRADEK_TEST_SEED");
    uint64_t seed = (uint64_t)env_real_ms(env_posix());
    if (given != NULL)
        seed = strtoull(given, NULL, 10);
    fprintf(stderr, "# seed %llu\n", (unsigned long long)seed);
    model_run(seed);
}
END_TEST

TEST_MAIN("store/cleaner-model", cleaner_model_holds, cleaner_model_holds_for_a_new_seed)
