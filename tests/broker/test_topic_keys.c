// SPDX-License-Identifier: BSD-2-Clause
/*
 * Every topic key, one row each: its effect is absent in a topic without it, there in one that is
 * created with it, and there in one that gets it by IncrementalAlterConfigs. What has no row must
 * be known as a key without effect and be listed as such, with its reason, in
 * docs/configuration.md.
 *
 * Effects are looked at from outside: answers of Produce and Fetch, and the files of a partition.
 * Those that come with time are waited for; that they do not come is believed after a while.
 */
#include "api/configured.h"
#include "api/plane.h"
#include "runner.h"

#include "base/bytes.h"
#include "base/crc32c.h"
#include "broker/config/config.h"
#include "broker/partition/partition.h"
#include "store/batch/batch_check.h"
#include "store/batch/compression.h"
#include "wire/incremental_alter_configs.gen.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>

#define KEYS_PATIENCE_MS 20000 /* until what must come has not come */
#define KEYS_QUIET_MS    500   /* until what must not come has not come */
#define KEYS_CONFIGS_MAX 6

static struct harness *harness;

static void setup(void)
{
    harness = harness_new(2, "log.retention.check.interval.ms=20", "log.cleaner.backoff.ms=20",
        "odradek.replication.lenient=false", NULL);
}

static void teardown(void)
{
    harness_free(harness);
}

/* One look at one key. */
struct look {
    const char *topic;
    const char *value; /* of the key */
    bool expected;     /* the effect, by the table */
};

/* --- what is done to a topic --- */

struct said {
    const char *key, *value; /* value NULL: a tombstone */
    int64_t timestamp;       /* 0: now */
    enum batch_compression codec;
    size_t value_size; /* 0: as the text; else a text of that many bytes that compresses */
};

static struct buffer text_make(size_t size)
{
    struct buffer text = BUFFER_NULL;
    uint32_t state = 1;
    while (text.size < size) {
        state = state * 1664525 + 1013904223;
        buffer_printf(&text, "%s %u ", state >> 30 == 0 ? "orders" : "the customer's",
            (unsigned)(state >> 20) & 1023U);
    }
    text.size = size;
    return text;
}

static struct slice batch_make(const struct said *said)
{
    struct batch_builder builder;
    batch_builder_init(&builder);
    _cleanup_(buffer_deinit) struct buffer text = text_make(said->value_size);
    struct batch_record record = {
        .timestamp_ms = said->timestamp != 0 ? said->timestamp : env_real_ms(env_posix()),
        .key = slice_from_str(said->key),
        .value = said->value_size > 0 ? buffer_slice(&text) : slice_from_str(said->value)};
    batch_builder_append(&builder, &record);
    size_t size;
    const uint8_t *plain = batch_builder_finish(&builder, &size);
    _cleanup_(buffer_deinit) struct buffer batch = BUFFER_NULL;
    buffer_append(&batch, plain, BATCH_HEADER_SIZE);
    compression_deflate(
        said->codec, slice_make(plain + BATCH_HEADER_SIZE, size - BATCH_HEADER_SIZE), &batch);
    batch_builder_deinit(&builder);
    uint8_t *at = batch.data;
    bytes_put_u32(at + BATCH_POS_LENGTH, (uint32_t)(batch.size - BATCH_LENGTH_OVERHEAD));
    bytes_put_u16(at + BATCH_POS_ATTRIBUTES, (uint16_t)said->codec);
    bytes_put_u32(at + BATCH_POS_CRC,
        crc32c(0, at + BATCH_POS_ATTRIBUTES, batch.size - BATCH_POS_ATTRIBUTES));
    return arena_copy_slice(harness_arena(harness), buffer_slice(&batch));
}

static const struct produce_response_partition *say_to(
    const struct look *look, int32_t partition, const struct said *said, int16_t acks)
{
    return plane_produced(harness_call(harness, &produce_api_codec, 9,
        plane_produce_request(harness, look->topic, UUID_ZERO, partition, batch_make(said), acks)));
}

/* One record that must be taken. */
static void say(const struct look *look, const struct said *said)
{
    ck_assert_int_eq(say_to(look, 0, said, -1)->error_code, KAFKA_ERROR_NONE);
}

static void say_many(const struct look *look, int count, const struct said *said)
{
    for (int i = 0; i < count; i++)
        say(look, said);
}

/* --- what is seen of it --- */

static bool wait_for(const struct look *look, bool (*seen)(const struct look *look), bool expected)
{
    int64_t end_ms = env_real_ms(env_posix()) + (expected ? KEYS_PATIENCE_MS : KEYS_QUIET_MS);
    do {
        if (seen(look))
            return true;
        harness_forget(harness);
        usleep(5000);
    } while (env_real_ms(env_posix()) < end_ms);
    return false;
}

struct state_look {
    const struct look *look;
    struct part_state state;
};

static void state_on_loop(void *ctx)
{
    struct state_look *it = ctx;
    struct broker *broker = harness_broker(harness);
    const struct topic *topic = image_topic(broker_image(broker), slice_from_str(it->look->topic));
    ck_assert_ptr_nonnull(topic);
    struct part_id id = {topic->id, 0};
    if (broker_partition_home(broker, &id) == loop_current())
        partition_get_state(broker_partition(broker, &id), &it->state);
}

static struct part_state state_of(const struct look *look)
{
    struct state_look it = {.look = look};
    for (unsigned i = 0; i < 2; i++)
        harness_on_loop(harness, i, state_on_loop, &it);
    return it.state;
}

static bool seen_trimmed(const struct look *look)
{
    return state_of(look).log_start > 0;
}

static bool seen_durable(const struct look *look)
{
    return state_of(look).durable_end > 0;
}

/* The first batch that there is; the test fails when there is none. */
static struct slice first_batch(const struct look *look, struct batch_header *ret_header)
{
    const struct fetch_response_partition *answer = plane_fetch(harness, 11,
        (struct plane_fetch){.topic = look->topic, .offset = state_of(look).log_start});
    ck_assert_int_eq(answer->error_code, KAFKA_ERROR_NONE);
    struct slice records = plane_records(harness, answer);
    ck_assert_uint_ge(records.size, BATCH_HEADER_SIZE);
    *ret_header = batch_header_parse(records.data);
    return slice_make(records.data, batch_size(ret_header));
}

static bool seen_compacted(const struct look *look)
{
    struct batch_header header;
    first_batch(look, &header);
    return header.base_offset > 0;
}

/* Files of one partition with that suffix, or the size of the first of them by name. */
static unsigned files_of(
    const struct look *look, int32_t partition, const char *suffix, uint64_t *ret_first_size)
{
    char path[512], first[256] = "";
    unsigned count = 0;
    snprintf(path, sizeof(path), "%s/%s-%d", harness_dir(harness), look->topic, partition);
    DIR *dir = opendir(path);
    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        size_t size = strlen(entry->d_name), suffix_size = strlen(suffix);
        if (size < suffix_size || strcmp(entry->d_name + size - suffix_size, suffix) != 0)
            continue;
        if (count++ == 0 || strcmp(entry->d_name, first) < 0)
            snprintf(first, sizeof(first), "%s", entry->d_name);
    }
    if (dir != NULL)
        closedir(dir);
    struct stat stat_buffer = {.st_size = 0};
    char name[1024];
    snprintf(name, sizeof(name), "%s/%s", path, first);
    if (count > 0)
        (void)stat(name, &stat_buffer);
    if (ret_first_size != NULL)
        *ret_first_size = (uint64_t)stat_buffer.st_size;
    return count;
}

static bool seen_rolled(const struct look *look)
{
    return files_of(look, 0, ".log", NULL) > 1;
}

/* --- the effects --- */

#define HOUR_MS INT64_C(3600000)
#define ago(ms) (env_real_ms(env_posix()) - (ms))

static bool effect_retention_ms(const struct look *look)
{
    say_many(look, 3, &(struct said){.value = "old", .timestamp = ago(HOUR_MS)});
    return wait_for(look, seen_trimmed, look->expected);
}

static bool effect_retention_bytes(const struct look *look)
{
    say_many(look, 10, &(struct said){.value_size = 100});
    return wait_for(look, seen_trimmed, look->expected);
}

static bool effect_roll_by_size(const struct look *look)
{
    say_many(look, 10, &(struct said){.value_size = 100});
    return seen_rolled(look);
}

static bool effect_segment_ms(const struct look *look)
{
    say(look, &(struct said){.value = "1", .timestamp = ago(HOUR_MS)});
    say(look, &(struct said){.value = "2"});
    return seen_rolled(look);
}

/* Each segment lasts for a random part of segment.ms: of 20 partitions nearly all roll after five
 * sixths of it. */
static bool effect_segment_jitter(const struct look *look)
{
    bool rolled = false;
    for (int32_t i = 0; i < 20; i++) {
        say_to(look, i, &(struct said){.value = "1", .timestamp = ago(50000)}, -1);
        say_to(look, i, &(struct said){.value = "2"}, -1);
        rolled = rolled || files_of(look, i, ".log", NULL) > 1;
    }
    return rolled;
}

static bool effect_compacted(const struct look *look)
{
    say_many(look, 5, &(struct said){.key = "k", .value_size = 100, .timestamp = ago(HOUR_MS)});
    return wait_for(look, seen_compacted, look->expected);
}

static bool effect_not_compacted(const struct look *look)
{
    say_many(look, 5, &(struct said){.key = "k", .value_size = 100});
    return !wait_for(look, seen_compacted, !look->expected);
}

/* A first pass gives the tombstone its horizon, a later one removes it. */
static bool seen_tombstone_gone(const struct look *look)
{
    static int number;
    char key[32];
    snprintf(key, sizeof(key), "other-%d", number++);
    say(look, &(struct said){.key = key, .value_size = 100});
    struct batch_header header;
    first_batch(look, &header);
    return header.base_offset > 1;
}

static bool effect_delete_retention(const struct look *look)
{
    say(look, &(struct said){.key = "k", .value_size = 100});
    say(look, &(struct said){.key = "k"}); /* offset 1 */
    return wait_for(look, seen_tombstone_gone, look->expected);
}

static bool effect_too_large(const struct look *look)
{
    return say_to(look, 0, &(struct said){.value_size = 1000}, -1)->error_code ==
           KAFKA_ERROR_MESSAGE_TOO_LARGE;
}

static bool effect_stamped(const struct look *look)
{
    int64_t sent = ago(HOUR_MS);
    const struct produce_response_partition *answer =
        say_to(look, 0, &(struct said){.value = "1", .timestamp = sent}, -1);
    struct batch_header header;
    first_batch(look, &header);
    ck_assert_int_eq(answer->log_append_time_ms >= 0, header.max_timestamp > sent);
    return header.max_timestamp > sent && (header.attributes & BATCH_LOG_APPEND_TIME) != 0;
}

static bool effect_too_old(const struct look *look)
{
    return say_to(look, 0, &(struct said){.value = "1", .timestamp = ago(60000)}, -1)->error_code ==
           KAFKA_ERROR_INVALID_TIMESTAMP;
}

static bool effect_too_new(const struct look *look)
{
    return say_to(look, 0, &(struct said){.value = "1", .timestamp = ago(-60000)}, -1)
               ->error_code == KAFKA_ERROR_INVALID_TIMESTAMP;
}

/* What comes in another codec is stored in the topic's. */
static bool effect_codec(const struct look *look)
{
    static const char *const names[] = {"uncompressed", "gzip", "snappy", "lz4", "zstd"};
    enum batch_compression wanted = BATCH_NONE;
    for (unsigned i = 0; i < 5; i++) {
        if (strcmp(look->value, names[i]) == 0)
            wanted = (enum batch_compression)i;
    }
    struct said said = {
        .value_size = 5000, .codec = wanted == BATCH_NONE ? BATCH_GZIP : BATCH_NONE};
    say(look, &said);
    struct batch_header header;
    struct slice batch = first_batch(look, &header);
    ck_assert(batch_crc_valid(batch.data, &header));
    _cleanup_(buffer_deinit) struct buffer inflated = BUFFER_NULL, text = text_make(5000);
    enum batch_compression codec =
        (enum batch_compression)(header.attributes & BATCH_COMPRESSION_MASK);
    int r = compression_inflate(codec,
        slice_make(batch.data + BATCH_HEADER_SIZE, batch.size - BATCH_HEADER_SIZE),
        BATCH_INFLATED_SIZE_MAX, &inflated);
    ck_assert_int_eq(r, 0);
    ck_assert_ptr_nonnull(memmem(inflated.data, inflated.size, text.data, text.size));
    return codec == wanted;
}

/* The stored bytes are those of that level and not of the default one. */
static bool effect_level(const struct look *look, enum batch_compression codec)
{
    int32_t level = (int32_t)strtol(look->value, NULL, 10);
    struct compression_levels levels = {level, level, level};
    struct said said = {.value_size = 50000, .timestamp = ago(0)};
    struct slice sent = batch_make(&said);
    struct slice records = slice_make(sent.data + BATCH_HEADER_SIZE, sent.size - BATCH_HEADER_SIZE);
    _cleanup_(buffer_deinit) struct buffer plain = BUFFER_NULL, levelled = BUFFER_NULL;
    compression_deflate(codec, records, &plain);
    compression_deflate_at(codec, &levels, records, &levelled);
    ck_assert(!slice_equal(buffer_slice(&plain), buffer_slice(&levelled)));
    say(look, &said);
    struct batch_header header;
    struct slice batch = first_batch(look, &header);
    struct slice stored =
        slice_make(batch.data + BATCH_HEADER_SIZE, batch.size - BATCH_HEADER_SIZE);
    bool is_level = slice_equal(stored, buffer_slice(&levelled));
    ck_assert(is_level || slice_equal(stored, buffer_slice(&plain)));
    return is_level;
}

static bool effect_gzip_level(const struct look *look)
{
    return effect_level(look, BATCH_GZIP);
}
static bool effect_lz4_level(const struct look *look)
{
    return effect_level(look, BATCH_LZ4);
}
static bool effect_zstd_level(const struct look *look)
{
    return effect_level(look, BATCH_ZSTD);
}

static bool effect_insync(const struct look *look)
{
    ck_assert_int_eq(
        say_to(look, 0, &(struct said){.value = "1"}, 1)->error_code, KAFKA_ERROR_NONE);
    return say_to(look, 0, &(struct said){.value = "1"}, -1)->error_code ==
           KAFKA_ERROR_NOT_ENOUGH_REPLICAS;
}

/* acks=1 asks for nothing on the medium. */
static bool effect_flush(const struct look *look)
{
    ck_assert_int_eq(
        say_to(look, 0, &(struct said){.value = "1"}, 1)->error_code, KAFKA_ERROR_NONE);
    return wait_for(look, seen_durable, look->expected);
}

/* A sealed segment's index has more entries. */
static bool effect_index_interval(const struct look *look)
{
    say_many(look, 12, &(struct said){.value_size = 100});
    uint64_t size;
    ck_assert_uint_gt(files_of(look, 0, ".log", NULL), 1);
    ck_assert_uint_gt(files_of(look, 0, ".index", &size), 0);
    return size > 8;
}

/* --- the table --- */

struct topic_row {
    const char *key, *value;
    bool (*effect)(const struct look *look);
    const char *configs[2 * KEYS_CONFIGS_MAX]; /* what the topic has in any case */
    int32_t partitions;                        /* 0: one */
};

#define COMPACT "cleanup.policy", "compact", "segment.bytes", "200"

static const struct topic_row rows[] = {
    {"cleanup.policy", "compact", effect_compacted, {"segment.bytes", "200"}},
    {"compression.gzip.level", "1", effect_gzip_level, {"compression.type", "gzip"}},
    {"compression.lz4.level", "12", effect_lz4_level, {"compression.type", "lz4"}},
    {"compression.type", "gzip", effect_codec},
    {"compression.type", "lz4", effect_codec},
    {"compression.type", "snappy", effect_codec},
    {"compression.type", "uncompressed", effect_codec},
    {"compression.type", "zstd", effect_codec},
    {"compression.zstd.level", "19", effect_zstd_level, {"compression.type", "zstd"}},
    {"delete.retention.ms", "0", effect_delete_retention,
        {COMPACT, "min.cleanable.dirty.ratio", "0"}},
    {"flush.messages", "1", effect_flush},
    {"flush.ms", "1", effect_flush},
    {"index.interval.bytes", "1", effect_index_interval, {"segment.bytes", "1500"}},
    {"max.compaction.lag.ms", "1000", effect_compacted,
        {COMPACT, "min.cleanable.dirty.ratio", "1"}},
    {"max.message.bytes", "500", effect_too_large},
    {"message.timestamp.after.max.ms", "1000", effect_too_new},
    {"message.timestamp.before.max.ms", "1000", effect_too_old},
    {"message.timestamp.type", "LogAppendTime", effect_stamped},
    {"min.cleanable.dirty.ratio", "1", effect_not_compacted, {COMPACT}},
    {"min.compaction.lag.ms", "3600000", effect_not_compacted, {COMPACT}},
    {"min.insync.replicas", "2", effect_insync},
    {"retention.bytes", "400", effect_retention_bytes, {"segment.bytes", "200"}},
    {"retention.ms", "1000", effect_retention_ms,
        {"segment.bytes", "200", "message.timestamp.before.max.ms", "9223372036854775807"}},
    {"segment.bytes", "200", effect_roll_by_size},
    {"segment.index.bytes", "16", effect_roll_by_size, {"index.interval.bytes", "1"}},
    {"segment.jitter.ms", "60000", effect_segment_jitter, {"segment.ms", "60000"}, 20},
    {"segment.ms", "1000", effect_segment_ms},
};

static void topic_make(const struct topic_row *row, const char *name, bool with)
{
    struct create_topics_request *request =
        admin_create_request(harness, name, row->partitions == 0 ? 1 : row->partitions);
    struct create_topics_request_topic *topic = request->topics;
    topic->configs = arena_new_n(
        harness_arena(harness), struct create_topics_request_config, KEYS_CONFIGS_MAX + 1);
    for (unsigned i = 0; i < KEYS_CONFIGS_MAX && row->configs[2 * i] != NULL; i++)
        topic->configs[topic->configs_count++] = (struct create_topics_request_config){
            slice_from_str(row->configs[2 * i]), slice_from_str(row->configs[2 * i + 1])};
    if (with)
        topic->configs[topic->configs_count++] = (struct create_topics_request_config){
            slice_from_str(row->key), slice_from_str(row->value)};
    const struct create_topics_response_topic *answer = admin_create_call(harness, request);
    ck_assert_msg(answer->error_code == KAFKA_ERROR_NONE, "%s=%s: %.*s", row->key, row->value,
        SLICE_FMT(answer->error_message));
}

static void topic_alter(const struct topic_row *row, const char *name)
{
    struct incremental_alter_configs_request *request =
        harness_request(harness, &incremental_alter_configs_api_codec);
    struct incremental_alter_configs_request_resource *resource =
        arena_new(harness_arena(harness), struct incremental_alter_configs_request_resource);
    request->resources = resource;
    request->resources_count = 1;
    resource->resource_type = 2;
    resource->resource_name = slice_from_str(name);
    resource->configs =
        arena_new(harness_arena(harness), struct incremental_alter_configs_request_config);
    resource->configs_count = 1;
    resource->configs[0] = (struct incremental_alter_configs_request_config){
        slice_from_str(row->key), 0, slice_from_str(row->value)};
    const struct incremental_alter_configs_response *response =
        harness_call(harness, &incremental_alter_configs_api_codec, 1, request);
    ck_assert_msg(response->responses->error_code == KAFKA_ERROR_NONE, "%s=%s: %.*s", row->key,
        row->value, SLICE_FMT(response->responses->error_message));
}

enum way { WITHOUT, CREATED, ALTERED };

static void rows_run(enum way way)
{
    static const char *const ways[] = {"without", "created", "altered"};
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        const struct topic_row *row = &rows[i];
        char name[64];
        snprintf(name, sizeof(name), "%s-%zu", ways[way], i);
        topic_make(row, name, way == CREATED);
        if (way == ALTERED)
            topic_alter(row, name);
        struct look look = {name, row->value, way != WITHOUT};
        bool effect = row->effect(&look);
        ck_assert_msg(effect == look.expected, "%s=%s, %s: %s", row->key, row->value, ways[way],
            effect ? "has an effect" : "has no effect");
        harness_forget(harness);
    }
}

START_TEST(topic_keys_are_not_set)
{
    rows_run(WITHOUT);
}
END_TEST

START_TEST(topic_keys_at_creation)
{
    rows_run(CREATED);
}
END_TEST

START_TEST(topic_keys_later)
{
    rows_run(ALTERED);
}
END_TEST

/* --- no key is forgotten --- */

static bool row_exists(const char *key)
{
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        if (strcmp(rows[i].key, key) == 0)
            return true;
    }
    return false;
}

/* The part of docs/configuration.md about topic keys without effect. */
static struct buffer section_read(void)
{
    struct buffer page = BUFFER_NULL;
    FILE *file = fopen(getenv("CONFIGURATION_MD"), "r");
    ck_assert_ptr_nonnull(file);
    for (size_t size = 1; size > 0;) {
        uint8_t *to = buffer_reserve(&page, 65536);
        size = fread(to, 1, 65535, file);
        page.size += size;
    }
    fclose(file);
    *buffer_reserve(&page, 1) = '\0';
    char *start = strstr((char *)page.data, "## Topic keys without effect\n");
    ck_assert_ptr_nonnull(start);
    char *end = strstr(start + 3, "\n## ");
    struct buffer section = BUFFER_NULL;
    buffer_append(&section, start, end == NULL ? strlen(start) : (size_t)(end - start));
    buffer_append(&section, "", 1);
    buffer_deinit(&page);
    return section;
}

START_TEST(topic_keys_have_an_effect_or_a_reason)
{
    struct buffer section = section_read();
    for (size_t i = 0; i < config_keys_count; i++) {
        const struct config_key *key = &config_keys[i];
        if ((key->scope & CONFIG_SCOPE_TOPIC) == 0)
            continue;
        char line[160];
        snprintf(line, sizeof(line), "\n| `%s` |", key->name);
        const char *listed = strstr((const char *)section.data, line);
        bool ignored = (key->scope & CONFIG_SCOPE_IGNORED) != 0;
        ck_assert_msg(row_exists(key->name) != ignored,
            "%s is shown to have an effect: %d, it is "
            "known to have none: %d",
            key->name, row_exists(key->name), ignored);
        ck_assert_msg((listed != NULL) == ignored, "%s in docs/configuration.md", key->name);
        ck_assert_msg(strlen(key->text) > 10, "%s has no reason", key->name);
    }
    buffer_deinit(&section);
}
END_TEST

/* Kafka's topic keys: each is known. */
START_TEST(topic_keys_of_kafka_are_known)
{
    static const char *const names[] = {"cleanup.policy", "compression.type",
        "compression.gzip.level", "compression.lz4.level", "compression.zstd.level",
        "delete.retention.ms", "file.delete.delay.ms", "flush.messages", "flush.ms",
        "index.interval.bytes", "max.message.bytes", "max.compaction.lag.ms",
        "min.compaction.lag.ms", "message.timestamp.type", "message.timestamp.before.max.ms",
        "message.timestamp.after.max.ms", "message.downconversion.enable", "message.format.version",
        "min.cleanable.dirty.ratio", "min.insync.replicas", "preallocate", "retention.bytes",
        "retention.ms", "segment.bytes", "segment.index.bytes", "segment.jitter.ms", "segment.ms",
        "unclean.leader.election.enable", "leader.replication.throttled.replicas",
        "follower.replication.throttled.replicas", "remote.storage.enable", "local.retention.ms",
        "local.retention.bytes"};
    for (size_t i = 0; i < ARRAY_COUNT(names); i++)
        ck_assert_msg(
            config_key_find(slice_from_str(names[i]), CONFIG_SCOPE_TOPIC) != NULL, "%s", names[i]);
}
END_TEST

TEST_MAIN_FIXTURE("broker/topic_keys", setup, teardown, topic_keys_are_not_set,
    topic_keys_at_creation, topic_keys_later, topic_keys_have_an_effect_or_a_reason,
    topic_keys_of_kafka_are_known)
