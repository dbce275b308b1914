// SPDX-License-Identifier: BSD-2-Clause
/* What compaction leaves and what it removes, one rule after the other, through the engine. */
#include "support/cleaner_world.h"
#include "runner.h"

#include "store/local.h"
#include "store/part/part.h"

#include <stdio.h>
#include <unistd.h>

static void begin(void)
{
    cleaner_world_make();
    world_start();
}

static void expect(const char *text)
{
    struct seen_log log = seen_read();
    ck_assert_str_eq(seen_text(&log), text);
    seen_free(&log);
}

/* The header of the batch that contains the offset. */
static struct batch_header header_at(int64_t offset)
{
    struct seen_log log = seen_read();
    struct batch_header header = {.base_offset = -1};
    for (unsigned i = 0; i < log.n_batches; i++) {
        if (log.batches[i].header.base_offset <= offset &&
            batch_last_offset(&log.batches[i].header) >= offset)
            header = log.batches[i].header;
    }
    seen_free(&log);
    return header;
}

START_TEST(cleaner_keeps_the_last_of_each_key)
{
    begin();
    keyed_put_one("a", "1");
    keyed_put_one("b", "1");
    keyed_put_one("a", "2");
    keyed_put_one("", "empty is a key");
    keyed_put_one("a", "3");
    keyed_roll();
    keyed_put_one("b", "2"); /* in the active segment: not looked at */
    cleaner_look_now();
    expect("b=1 =empty is a key a=3 b=2 ");
    struct seen_log log = seen_read();
    ck_assert_int_eq(log.records[0].offset, 1);
    ck_assert_int_eq(log.records[1].offset, 3);
    ck_assert_int_eq(log.records[2].offset, 4);
    seen_free(&log);
    world_stop();
    world_start();
    expect("b=1 =empty is a key a=3 b=2 ");
    keyed_roll();
    cleaner_look_now();
    expect("=empty is a key a=3 b=2 ");
    world_clear();
}
END_TEST

START_TEST(cleaner_keeps_offsets_and_header_fields_inside_a_batch)
{
    static const enum batch_compression codecs[] = {
        BATCH_NONE, BATCH_GZIP, BATCH_SNAPPY, BATCH_LZ4, BATCH_ZSTD};
    struct keyed records[] = {
        {"a", "1", 100}, {"b", "1", 300}, {"a", "2", 200}, {"b", "2", 150}, {"c", "1", 120}};
    begin();
    for (size_t i = 0; i < ARRAY_COUNT(codecs); i++)
        keyed_put(&(struct keyed_batch){.records = records,
            .n_records = 5,
            .codec = codecs[i],
            .producer_id = 77,
            .producer_epoch = 3,
            .base_sequence = 5 * (int32_t)i});
    keyed_put_one("a", "3");
    keyed_put_one("b", "3");
    keyed_roll();
    cleaner_look_now();
    expect("c=1 a=3 b=3 "); /* only of the last batch */
    struct batch_header header = header_at(24);
    ck_assert_int_eq(header.base_offset, 20);
    ck_assert_int_eq(header.last_offset_delta, 4);
    ck_assert_int_eq(header.attributes, BATCH_ZSTD);
    ck_assert_int_eq(header.producer_id, 77);
    ck_assert_int_eq(header.producer_epoch, 3);
    ck_assert_int_eq(header.base_sequence, 20);
    ck_assert_int_eq(header.records_count, 1);
    ck_assert_int_eq(header.max_timestamp, 120);
    struct seen_log log = seen_read();
    ck_assert_int_eq(log.records[0].offset, 24);
    ck_assert_int_eq(log.records[0].timestamp, 120);
    seen_free(&log);
    world_clear();
}
END_TEST

START_TEST(cleaner_rewrites_every_codec)
{
    static const enum batch_compression codecs[] = {
        BATCH_NONE, BATCH_GZIP, BATCH_SNAPPY, BATCH_LZ4, BATCH_ZSTD};
    for (size_t i = 0; i < ARRAY_COUNT(codecs); i++) {
        struct keyed records[] = {{"a", "old", 0}, {"b", "new", 0}, {"c", NULL, 0}};
        begin();
        keyed_put(&(struct keyed_batch){.records = records, .n_records = 3, .codec = codecs[i]});
        keyed_put_one("a", "new");
        keyed_roll();
        cleaner_look_now();
        expect("b=new c=- a=new ");
        struct batch_header header = header_at(1);
        ck_assert_int_eq(header.attributes, (int16_t)codecs[i] | BATCH_DELETE_HORIZON);
        ck_assert_int_eq(header.records_count, 2);
        ck_assert_int_eq(header.base_timestamp, world.faulty.real_ms + 1000);
        ck_assert_int_eq(header.max_timestamp, world.faulty.real_ms);
        world_clear();
    }
}
END_TEST

START_TEST(cleaner_removes_tombstones_after_their_time)
{
    begin();
    keyed_put_one("a", "1");
    keyed_put_one("b", "1");
    keyed_put_one("a", NULL);
    keyed_roll();
    cleaner_look_now();
    expect("b=1 a=- ");
    ck_assert_int_eq(header_at(2).base_timestamp, world.faulty.real_ms + 1000);
    keyed_roll();
    cleaner_look_now();
    expect("b=1 a=- ");
    world.faulty.real_ms += 999;
    keyed_roll();
    cleaner_look_now();
    expect("b=1 a=- ");
    ck_assert_int_eq(header_at(2).base_timestamp, world.faulty.real_ms + 1);
    world.faulty.real_ms += 1;
    keyed_roll();
    cleaner_look_now();
    expect("b=1 ");
    world_clear();
}
END_TEST

START_TEST(cleaner_tombstone_timestamps_survive_the_horizon)
{
    struct keyed records[] = {{"a", "1", 5}, {"a", NULL, 7}, {"b", "1", 6}};
    begin();
    keyed_put(&(struct keyed_batch){.records = records, .n_records = 3});
    keyed_roll();
    cleaner_look_now();
    struct seen_log log = seen_read();
    ck_assert_int_eq(log.records[0].timestamp, 7);
    ck_assert_int_eq(log.records[1].timestamp, 6);
    ck_assert_int_eq(log.batches[0].header.max_timestamp, 7);
    seen_free(&log);
    struct engine_call call = {.timestamp = 7};
    ck_assert_int_eq(
        world_call(world.part, world.engine->ops->part_offset_for_time, &call), ENGINE_OK);
    ck_assert_int_eq(call.offset, 0);
    world_clear();
}
END_TEST

START_TEST(cleaner_drops_records_without_keys)
{
    begin();
    keyed_put_one(NULL, "1");
    keyed_put_one("a", "1");
    keyed_put_one(NULL, "2");
    keyed_roll();
    cleaner_look_now();
    expect("a=1 ");
    world_clear();
}
END_TEST

START_TEST(cleaner_waits_for_the_dirty_share)
{
    begin();
    world.config.min_cleanable_ratio = 0.5;
    world.engine->ops->part_configure(world.part, &world.config);
    for (int i = 0; i < 10; i++) {
        char key[8];
        snprintf(key, sizeof(key), "k%d", i);
        keyed_put_one(key, "some bytes of value");
    }
    keyed_roll();
    cleaner_look_now(); /* all is dirty */
    uint64_t size = world_state(world.part).size;
    keyed_put_one("k0", "a new value");
    keyed_roll();
    cleaner_look_now();
    ck_assert_uint_gt(world_state(world.part).size, size);
    struct seen_log log = seen_read();
    ck_assert_str_eq(seen_last(&log, "k0")->value, "a new value");
    ck_assert_str_eq(log.records[0].key, "k0"); /* the old one is still there */
    seen_free(&log);
    world.config.max_compaction_lag_ms = 5000;
    world.engine->ops->part_configure(world.part, &world.config);
    world.faulty.real_ms += 5001;
    cleaner_look_now();
    log = seen_read();
    ck_assert_str_eq(log.records[0].key, "k1");
    seen_free(&log);
    world_clear();
}
END_TEST

START_TEST(cleaner_respects_the_lag)
{
    begin();
    world.config.min_compaction_lag_ms = 1000;
    world.engine->ops->part_configure(world.part, &world.config);
    keyed_put_one("a", "1");
    keyed_put_one("a", "2");
    keyed_roll();
    world.faulty.real_ms += 999;
    cleaner_look_now();
    expect("a=1 a=2 ");
    world.faulty.real_ms += 1;
    cleaner_look_now();
    expect("a=2 ");
    world_clear();
}
END_TEST

START_TEST(cleaner_rolls_what_waits_too_long)
{
    begin();
    world.config.max_compaction_lag_ms = 1000;
    world.engine->ops->part_configure(world.part, &world.config);
    keyed_put_one("a", "1");
    keyed_put_one("a", "2");
    cleaner_look_now();
    expect("a=1 a=2 ");
    world.faulty.real_ms += 1001;
    cleaner_look_now(); /* rolls */
    cleaner_look_now();
    expect("a=2 ");
    ck_assert_int_eq(world_state(world.part).high_watermark, 2);
    world_stop();
    world_start();
    expect("a=2 ");
    ck_assert_int_eq(keyed_put_one("b", "1"), 2);
    world_clear();
}
END_TEST

START_TEST(cleaner_leaves_other_policies_alone)
{
    begin();
    world.config.cleanup_compact = false;
    world.config.cleanup_delete = true;
    world.engine->ops->part_configure(world.part, &world.config);
    keyed_put_one("a", "1");
    keyed_put_one("a", "2");
    keyed_roll();
    cleaner_look_now();
    expect("a=1 a=2 ");
    world_clear();
}
END_TEST

START_TEST(cleaner_and_retention_go_together)
{
    begin();
    world.config.cleanup_delete = true;
    world.config.retention_ms = 10000;
    world.engine->ops->part_configure(world.part, &world.config);
    keyed_put_one("a", "1");
    keyed_put_one("a", "2");
    keyed_roll();
    world.faulty.real_ms += 5000;
    keyed_put_one("b", "1");
    world.config.segment_size_max = 100; /* the next ones stay apart */
    keyed_roll();
    cleaner_look_now();
    expect("a=2 b=1 ");
    world.faulty.real_ms += 5001;
    step_advance(300000);
    expect("b=1 ");
    ck_assert_int_eq(world_state(world.part).log_start, 2);
    world_clear();
}
END_TEST

START_TEST(cleaner_merges_small_segments)
{
    begin();
    world.config.segment_size_max = 1000;
    world.engine->ops->part_configure(world.part, &world.config);
    for (int i = 0; i < 40; i++)
        keyed_put_one(i % 2 == 0 ? "a" : "b", "a value of thirty bytes, not more");
    keyed_roll();
    for (int i = 0; i < 4; i++) {
        cleaner_look_now();
        keyed_roll();
    }
    cleaner_look_now();
    ck_assert_uint_le(world.part->n_segments, 3);
    struct seen_log log = seen_read();
    ck_assert_int_eq(seen_last(&log, "a")->offset, 38);
    ck_assert_int_eq(seen_last(&log, "b")->offset, 39);
    ck_assert_int_eq(log.records[0].offset, 38);
    seen_free(&log);
    /* each offset in the gap leads to what comes next */
    for (int64_t offset = 0; offset < 40; offset++) {
        struct world_read read = world_read(world.part, offset, 200, true);
        ck_assert_int_eq(read.status, ENGINE_OK);
        ck_assert_int_eq(read.first_offset, offset < 38 ? 38 : offset);
        free(read.bytes);
    }
    world_clear();
}
END_TEST

START_TEST(cleaner_makes_several_passes_when_memory_is_short)
{
    enum { COUNT = 100 };
    char key[16], value[16];
    cleaner_world_make();
    world.cleaner_map_size_max = 1; /* the smallest table */
    world_start();
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < COUNT; i++) {
            snprintf(key, sizeof(key), "k%d", i);
            snprintf(value, sizeof(value), "v%d", round);
            keyed_put_one(key, value);
        }
    }
    keyed_roll();
    cleaner_look_now();
    ck_assert(!world.part->clean_more);
    struct seen_log log = seen_read();
    ck_assert_uint_eq(log.n_records, COUNT + 1);
    for (int i = 0; i < COUNT; i++) {
        snprintf(key, sizeof(key), "k%d", i);
        ck_assert_str_eq(log.records[i].key, key);
        ck_assert_str_eq(log.records[i].value, "v2");
    }
    seen_free(&log);
    world_clear();
}
END_TEST

static bool clean_with_producer(void *ctx, struct part *part, struct engine_clean *clean)
{
    struct engine_clean_producer *producer = ctx;
    (void)part;
    buffer_append(&clean->producers, producer, sizeof(*producer));
    return true;
}

/* A part of its own, whose producers are known. */
static void begin_with(
    bool (*on_clean)(void *ctx, struct part *part, struct engine_clean *clean), void *ctx)
{
    static struct engine_sink sink;
    begin();
    world.engine->ops->part_close(world.part, NULL);
    step_settle();
    sink = world_sink;
    sink.on_clean = on_clean;
    struct part_id id = {.topic_id = {{1, 2, 3, 7}}, .partition = 0};
    world.part = world.engine->ops->part_open(
        world.engine, world.loop, &id, WORLD_LABEL, true, &world.config, &sink, ctx);
    step_settle();
}

START_TEST(cleaner_keeps_the_last_batch_of_a_live_producer)
{
    struct keyed record = {"a", "1", 0};
    struct keyed_batch batch = {
        .records = &record, .n_records = 1, .producer_id = 5, .producer_epoch = 1};
    struct engine_clean_producer producer = {.producer_id = 5, .last_offset = 1, .epoch = 1};
    begin_with(clean_with_producer, &producer);
    for (; batch.base_sequence < 2; batch.base_sequence++)
        keyed_put(&batch);
    batch.producer_id = 6; /* nobody knows it any more */
    keyed_put(&batch);
    keyed_put_one("a", "2");
    keyed_roll();
    cleaner_look_now();
    expect("a=2 ");
    /* No answer begins with the batch that is only a header: there are clients that would stall. */
    struct world_read read = world_read(world.part, 0, 1 << 20, true);
    ck_assert_int_eq(read.first_offset, 3);
    free(read.bytes);
    /* But it is there, for whoever rebuilds the producers' state. */
    char *path = world_path(WORLD_LOG0);
    FILE *file = fopen(path, "rb");
    uint8_t bytes[BATCH_HEADER_SIZE];
    ck_assert_uint_eq(fread(bytes, 1, sizeof(bytes), file), sizeof(bytes));
    fclose(file);
    free(path);
    struct batch_header header = batch_header_parse(bytes);
    ck_assert_int_eq(header.base_offset, 1);
    ck_assert_int_eq(header.records_count, 0);
    ck_assert_int_eq(header.producer_id, 5);
    ck_assert_int_eq(header.producer_epoch, 1);
    ck_assert_int_eq(header.base_sequence, 1);
    ck_assert(batch_crc_valid(bytes, &header));
    /* It stays until the producer is forgotten. */
    keyed_roll();
    cleaner_look_now();
    ck_assert_int_eq(world_state(world.part).log_start, 0);
    producer.producer_id = 8;
    keyed_roll();
    cleaner_look_now();
    ck_assert_int_eq(header_at(1).base_offset, -1);
    world_clear();
}
END_TEST

START_TEST(cleaner_serves_an_empty_batch_when_nothing_follows)
{
    begin();
    world.config.delete_retention_ms = 0;
    world.config.max_compaction_lag_ms = 1000;
    world.engine->ops->part_configure(world.part, &world.config);
    keyed_put_one("a", "1");
    keyed_put_one("a", NULL);
    world.faulty.real_ms += 1001;
    for (int i = 0; i < 4; i++) { /* rolls, sets the horizon */
        cleaner_look_now();
        world.faulty.real_ms += 1;
    }
    world.part->cleaned_end = 0; /* once more, although nothing came */
    cleaner_look_now();
    struct seen_log log = seen_read();
    ck_assert_uint_eq(log.n_records, 0);
    ck_assert_uint_eq(log.n_batches, 1);
    seen_free(&log);
    ck_assert_int_eq(keyed_put_one("b", "1"), 2);
    struct world_read read = world_read(world.part, 0, 1 << 20, true);
    ck_assert_int_eq(read.first_offset, 2);
    free(read.bytes);
    world_clear();
}
END_TEST

static bool clean_with_bound(void *ctx, struct part *part, struct engine_clean *clean)
{
    const int64_t *bound = ctx;
    (void)part;
    clean->bound = *bound;
    return true;
}

START_TEST(cleaner_removes_aborted_data_and_then_its_marker)
{
    struct keyed record = {"a", "aborted", 0};
    struct keyed_batch batch = {
        .records = &record, .n_records = 1, .producer_id = 5, .attributes = BATCH_TRANSACTIONAL};
    begin();
    keyed_put_one("a", "1");
    keyed_put(&batch);             /* 1 */
    keyed_put_marker(5, 0, false); /* 2 */
    record.value = "committed";
    record.key = "b";
    keyed_put(&batch);            /* 3 */
    keyed_put_marker(5, 0, true); /* 4 */
    keyed_roll();                 /* 5 */
    cleaner_look_now();
    struct seen_log log = seen_read();
    ck_assert_uint_eq(log.n_records, 5);
    ck_assert_int_eq(log.records[0].offset, 0); /* an aborted value supersedes nothing */
    ck_assert_int_eq(log.records[1].offset, 2);
    ck_assert_int_eq(log.records[2].offset, 3);
    ck_assert_int_eq(log.records[3].offset, 4);
    ck_assert_int_ne(log.batches[1].header.attributes & BATCH_DELETE_HORIZON, 0);
    ck_assert_int_eq(log.batches[3].header.attributes & BATCH_DELETE_HORIZON, 0);
    seen_free(&log);
    world.faulty.real_ms += 1000;
    keyed_roll();
    cleaner_look_now();
    log = seen_read();
    ck_assert_int_eq(log.records[1].offset, 3);
    ck_assert_int_eq(log.records[2].offset, 4); /* its data is there, so it stays */
    seen_free(&log);
    world_clear();
}
END_TEST

START_TEST(cleaner_stays_below_the_bound)
{
    int64_t bound = 1;
    begin_with(clean_with_bound, &bound);
    keyed_put_one("a", "1");
    keyed_put_one("a", "2");
    keyed_roll();
    cleaner_look_now();
    expect("a=1 a=2 ");
    bound = 2;
    cleaner_look_now();
    cleaner_look_now(); /* it was put off in favour of others */
    expect("a=2 ");
    world_clear();
}
END_TEST

START_TEST(cleaner_leaves_open_transactions_alone)
{
    struct keyed record = {"a", "perhaps", 0};
    struct keyed_batch batch = {
        .records = &record, .n_records = 1, .producer_id = 5, .attributes = BATCH_TRANSACTIONAL};
    begin();
    keyed_put_one("a", "1");
    keyed_put_one("a", "2");
    keyed_roll(); /* 2 */
    keyed_put(&batch);
    keyed_roll();
    cleaner_look_now();
    expect("a=2 a=perhaps "); /* what is before it is compacted */
    keyed_put_one("b", "1");
    keyed_put_one("b", "2");
    keyed_roll();
    cleaner_look_now();
    expect("a=2 a=perhaps b=1 b=2 ");
    keyed_put_marker(5, 0, false);
    keyed_roll();
    step_advance(120000);
    struct seen_log log = seen_read();
    ck_assert_int_eq(log.records[0].offset, 1);
    ck_assert_str_eq(seen_last(&log, "a")->value, "2");
    ck_assert_str_eq(seen_last(&log, "b")->value, "2");
    seen_free(&log);
    world_clear();
}
END_TEST

/* --- damage --- */

START_TEST(cleaner_stops_at_damage_and_removes_nothing)
{
    begin();
    keyed_put_one("a", "1");
    keyed_put_one("a", "2");
    keyed_put_one("b", "1");
    keyed_roll();
    uint64_t size = world_file_size(WORLD_LOG0);
    world_file_write(WORLD_LOG0, size - 3, "X", 1); /* in the last batch */
    cleaner_look_now();
    ck_assert(world.part->clean_blocked);
    ck_assert_uint_eq(world_file_size(WORLD_LOG0), size);
    ck_assert(!world_file_exists(WORLD_LOG0 ".cleaned"));
    keyed_put_one("a", "3");
    keyed_roll();
    cleaner_look_now();
    ck_assert_uint_eq(world_file_size(WORLD_LOG0), size);
    world_clear();
}
END_TEST

START_TEST(cleaner_stops_at_records_that_do_not_parse)
{
    begin();
    ck_assert_int_eq(world_put_durable(world.part, 1, 100), ENGINE_OK); /* noise with a checksum */
    keyed_put_one("a", "1");
    keyed_put_one("a", "2");
    keyed_roll();
    uint64_t size = world_file_size(WORLD_LOG0);
    cleaner_look_now();
    ck_assert(world.part->clean_blocked);
    ck_assert_uint_eq(world_file_size(WORLD_LOG0), size);
    world_clear();
}
END_TEST

/* --- beside other work --- */

START_TEST(cleaner_close_cancels_it)
{
    begin();
    keyed_put_one("a", "1");
    keyed_put_one("a", "2");
    keyed_roll();
    step_hold_pool(true);
    cleaner_look_now();
    ck_assert_ptr_nonnull(world.part->cleaning);
    world.depth++;
    world.engine->ops->part_close(world.part, NULL);
    world.depth--;
    step_hold_pool(false);
    step_settle();
    world.part = NULL;
    ck_assert(!world_file_exists(WORLD_LOG0 ".cleaned"));
    world.part = world_open_part(WORLD_LABEL, 7, false);
    expect("a=1 a=2 ");
    world_clear();
}
END_TEST

struct late_read {
    struct engine_read read;
    bool done;
    enum engine_status status;
};

static void late_on_read(struct engine_read *read, enum engine_status status)
{
    struct late_read *late = container_of(read, struct late_read, read);
    late->done = true;
    late->status = status;
}

static void late_read_start(struct late_read *late, int64_t offset)
{
    *late = (struct late_read){.read = {.offset = offset,
                                   .bound = INT64_MAX,
                                   .size_max = 1 << 20,
                                   .one_at_least = true,
                                   .done = late_on_read}};
    ck_assert_int_eq(world.engine->ops->part_read(world.part, &late->read), ENGINE_PENDING);
}

static void late_read_check(struct late_read *late, int64_t first)
{
    uint8_t bytes[BATCH_HEADER_SIZE];
    ck_assert(late->done);
    ck_assert_int_eq(late->status, ENGINE_OK);
    ck_assert_uint_eq(late->read.n_chunks, 1);
    struct chunk *chunk = &late->read.chunks[0];
    ck_assert_int_eq(pread(chunk->fd, bytes, sizeof(bytes), (off_t)chunk->pos), sizeof(bytes));
    struct batch_header header = batch_header_parse(bytes);
    ck_assert(batch_header_sane(&header));
    ck_assert_int_eq(header.base_offset, first);
    chunk_release(chunk);
}

START_TEST(cleaner_reads_before_and_after_the_swap_are_right)
{
    struct late_read before, between;
    begin();
    for (int i = 0; i < 20; i++)
        keyed_put_one(i % 2 == 0 ? "a" : "b", "a value");
    keyed_roll();
    step_hold_pool(true);
    step_turn();
    step_advance(CLEANER_BACKOFF_MS);
    ck_assert(step_pool_one()); /* the pass */
    late_read_start(&before, 0);
    step_turn(); /* submits the swap */
    late_read_start(&between, 3);
    ck_assert(world.part->swapping);
    step_hold_pool(false);
    step_settle();
    ck_assert(!world.part->swapping);
    late_read_check(&before, 0); /* read before the swap: the old file, held open */
    late_read_check(&between, 18);
    expect("a=a value b=a value ");
    world_clear();
}
END_TEST

START_TEST(cleaner_gives_way_to_retention)
{
    begin();
    keyed_put_one("a", "1");
    keyed_put_one("a", "2");
    keyed_roll();
    keyed_put_one("b", "1");
    keyed_roll();
    step_hold_pool(true);
    step_advance(CLEANER_BACKOFF_MS);
    ck_assert_ptr_nonnull(world.part->cleaning);
    struct engine_call call = {.offset = 2};
    step_hold_pool(false);
    ck_assert_int_eq(
        world_call(world.part, world.engine->ops->part_set_log_start, &call), ENGINE_OK);
    ck_assert_ptr_null(world.part->cleaning);
    ck_assert(!world_file_exists(WORLD_LOG0 ".cleaned"));
    cleaner_look_now();
    expect("b=1 ");
    world_clear();
}
END_TEST

START_TEST(cleaner_checkpoint_is_kafkas)
{
    char text[64] = {0};
    begin();
    keyed_put_one("a", "1");
    keyed_put_one("a", "2");
    keyed_roll();
    cleaner_look_now();
    world_stop();
    char *path = world_path("cleaner-offset-checkpoint");
    FILE *file = fopen(path, "r");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_gt(fread(text, 1, sizeof(text) - 1, file), 0);
    fclose(file);
    free(path);
    ck_assert_str_eq(text, "0\n1\norders 0 2\n");
    world_start();
    ck_assert_int_eq(world.part->cleaned_end, 2);
    world_clear();
}
END_TEST

#define PARTS 3

/* Something to compact in each of several partitions. */
static void dirty_parts(struct part *parts[PARTS])
{
    static const char *const labels[PARTS] = {WORLD_LABEL, "second-0", "third-0"};
    for (unsigned i = 0; i < PARTS; i++) {
        parts[i] = i == 0 ? world.part : world_open_part(labels[i], (uint8_t)(7 + i), true);
        world.part = parts[i];
        keyed_put_one("a", "1");
        keyed_put_one("a", "2");
        keyed_roll();
    }
    world.part = parts[0];
}

static unsigned parts_cleaning(struct part *parts[PARTS])
{
    unsigned count = 0;
    for (unsigned i = 0; i < PARTS; i++)
        count += parts[i]->cleaning != NULL;
    return count;
}

static void check_threads(unsigned threads, unsigned at_once)
{
    cleaner_world_make();
    world.cleaner_threads = threads;
    world_start();
    struct part *parts[PARTS];
    dirty_parts(parts);
    ck_assert_uint_eq(parts_cleaning(parts), 0);
    step_hold_pool(true);
    for (unsigned i = 0; i < 2 * PARTS; i++)
        step_advance(CLEANER_BACKOFF_MS);
    ck_assert_uint_eq(parts_cleaning(parts), at_once);
    ck_assert_uint_eq(atomic_load(&parts[0]->local->cleaners), at_once);
    for (bool newest = true; step_pool_count() > 0; newest = !newest) { /* they overtake */
        ck_assert(newest ? step_pool_newest() : step_pool_one());
        step_turn();
    }
    step_hold_pool(false);
    for (unsigned i = 0; i < PARTS; i++)
        cleaner_look_now();
    ck_assert_uint_eq(atomic_load(&parts[0]->local->cleaners), 0);
    for (unsigned i = 0; i < PARTS; i++) {
        world.part = parts[i];
        expect("a=2 ");
        if (i > 0)
            world_stop_part(parts[i]);
    }
    world.part = parts[0];
    world_clear();
}

START_TEST(cleaner_threads_are_logs_at_once)
{
    check_threads(0, 1);
    check_threads(1, 1);
    check_threads(2, 2);
    check_threads(9, 2); /* LOCAL_CLEANERS_MAX */
}
END_TEST

/* Nanoseconds of the rate that a pass over some 4 KiB takes, and how long it lasts. */
static int64_t throttled_ns(uint64_t rate, int64_t *ret_lasted_ns)
{
    static char value[] = "a value of thirty-six characters, so";
    cleaner_world_make();
    world.config.segment_size_max = 512;
    world.cleaner_rate = rate;
    world_start();
    for (unsigned i = 0; i < 40; i++)
        keyed_put_one("a", value);
    keyed_roll();
    struct env *env = &world.faulty.env;
    int64_t begin = env->ops->monotonic_ns(env);
    uint64_t size = world_state(world.part).size;
    ck_assert_uint_gt(size, 4096);
    cleaner_look_now();
    *ret_lasted_ns = env->ops->monotonic_ns(env) - begin;
    ck_assert_uint_lt(world_state(world.part).size, size);
    int64_t free_ns = atomic_load(&world.part->local->cleaner_free_ns);
    world_clear();
    return free_ns == 0 ? 0 : free_ns - begin;
}

START_TEST(cleaner_keeps_to_its_rate)
{
    int64_t lasted_ns;
    ck_assert_int_eq(throttled_ns(0, &lasted_ns), 0);
    /* All of it is read twice, for the map and for the filter: more than 8 KiB, at 20 KiB/s. Bytes
     * begin when their time comes, so only the last piece's own time is not waited for. */
    int64_t taken_ns = throttled_ns(20 << 10, &lasted_ns);
    ck_assert_int_gt(taken_ns, 400000000);
    ck_assert_int_gt(lasted_ns, 350000000);
}
END_TEST

TEST_MAIN("store/cleaner", cleaner_keeps_the_last_of_each_key,
    cleaner_keeps_offsets_and_header_fields_inside_a_batch, cleaner_rewrites_every_codec,
    cleaner_removes_tombstones_after_their_time, cleaner_tombstone_timestamps_survive_the_horizon,
    cleaner_drops_records_without_keys, cleaner_waits_for_the_dirty_share, cleaner_respects_the_lag,
    cleaner_rolls_what_waits_too_long, cleaner_leaves_other_policies_alone,
    cleaner_and_retention_go_together, cleaner_merges_small_segments,
    cleaner_makes_several_passes_when_memory_is_short,
    cleaner_keeps_the_last_batch_of_a_live_producer,
    cleaner_serves_an_empty_batch_when_nothing_follows,
    cleaner_removes_aborted_data_and_then_its_marker, cleaner_stays_below_the_bound,
    cleaner_leaves_open_transactions_alone, cleaner_stops_at_damage_and_removes_nothing,
    cleaner_stops_at_records_that_do_not_parse, cleaner_close_cancels_it,
    cleaner_reads_before_and_after_the_swap_are_right, cleaner_gives_way_to_retention,
    cleaner_checkpoint_is_kafkas, cleaner_threads_are_logs_at_once, cleaner_keeps_to_its_rate)
