// SPDX-License-Identifier: BSD-2-Clause
#include "broker/topics/image.h"
#include "runner.h"

static struct config *config;
static struct broker_settings *settings;

static void setup(void)
{
    struct buffer problem = BUFFER_NULL;
    config = config_new();
    ck_assert_int_eq(settings_new(config, &problem, &settings), 0);
}

static void teardown(void)
{
    settings_put(settings);
    config_free(config);
}

static const struct config_key *key_of(const char *name)
{
    return config_key_find(slice_from_str(name), CONFIG_SCOPE_TOPIC);
}

static struct topic *topic_of(const char *name, uint8_t id, int32_t partitions)
{
    return topic_new(
        slice_from_str(name), (struct uuid){{id, [15] = id}}, partitions, NULL, 0, settings);
}

START_TEST(topic_names)
{
    static const char *const good[] = {"a", "A.b_c-9", "...", "__consumer_offsets"};
    static const char *const bad[] = {"", ".", "..", "a b", "a/b", "a:b", "\xc3\xa9", "a\n"};
    for (size_t i = 0; i < ARRAY_COUNT(good); i++)
        ck_assert_msg(topic_name_valid(slice_from_str(good[i])), "%s", good[i]);
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
        ck_assert_msg(!topic_name_valid(slice_from_str(bad[i])), "%s", bad[i]);
    char name[250];
    memset(name, 'x', sizeof(name));
    ck_assert(topic_name_valid(slice_make(name, 249)));
    ck_assert(!topic_name_valid(slice_make(name, 250)));
    ck_assert(topic_names_collide(SLICE_LIT("a.b_c"), SLICE_LIT("a_b.c")));
    ck_assert(!topic_names_collide(SLICE_LIT("a.b"), SLICE_LIT("a.b")));
    ck_assert(!topic_names_collide(SLICE_LIT("a.b"), SLICE_LIT("a-b")));
    ck_assert(!topic_names_collide(SLICE_LIT("a.b"), SLICE_LIT("a.bc")));
}
END_TEST

START_TEST(topic_is_stored_and_read)
{
    struct topic_override overrides[] = {{key_of("retention.ms"), (char *)"5000"},
        {key_of("cleanup.policy"), (char *)"compact,delete"}};
    struct buffer bytes = BUFFER_NULL;
    struct topic *topic =
        topic_new(SLICE_LIT("orders"), (struct uuid){{7}}, 12, overrides, 2, settings);
    ck_assert(topic->config.compact && topic->config.delete);
    topic_encode(topic, &bytes);
    struct topic *read = topic_decode(SLICE_LIT("orders"), buffer_slice(&bytes), settings);
    ck_assert_ptr_nonnull(read);
    ck_assert(uuid_equal(read->id, topic->id));
    ck_assert_int_eq(read->partitions_count, 12);
    ck_assert_int_eq(read->config.part.retention_ms, 5000);
    ck_assert(read->config.compact && read->config.delete);
    ck_assert_uint_eq(read->overrides.count, 2);
    for (size_t size = 0; size < bytes.size; size++)
        ck_assert_ptr_null(
            topic_decode(SLICE_LIT("orders"), slice_make(bytes.data, size), settings));
    topic_put(read);
    topic_put(topic);
    buffer_deinit(&bytes);
}
END_TEST

START_TEST(topic_derived)
{
    struct topic_override overrides[] = {
        {key_of("retention.ms"), (char *)"5000"}, {key_of("segment.bytes"), (char *)"100"}};
    struct topic *topic =
        topic_new(SLICE_LIT("orders"), (struct uuid){{7}}, 2, overrides, 2, settings);
    topic->shared->leader_epochs[1] = 9;
    struct override_change change = {key_of("retention.ms"), SLICE_NULL};
    struct topic *less = topic_derive(topic, 3, &change, 1, false, settings);
    ck_assert_int_eq(less->config.part.retention_ms, INT64_C(604800000));
    ck_assert_uint_eq(less->config.part.segment_size_max, 100);
    ck_assert_int_eq(topic_leader_epoch(less, 1), 9);
    ck_assert_int_eq(topic_leader_epoch(less, 2), 0);
    struct topic *replaced = topic_derive(topic, 2, NULL, 0, true, settings);
    ck_assert_uint_eq(replaced->overrides.count, 0);
    topic_put(replaced);
    topic_put(less);
    topic_put(topic);
}
END_TEST

START_TEST(image_finds_topics)
{
    struct topic **topics = xnew_n(struct topic *, 3);
    topics[0] = topic_of("b", 2, 3);
    topics[1] = topic_of("__consumer_offsets", 3, 8);
    topics[2] = topic_of("a", 1, 1);
    struct image *image = image_new(1, settings, topics, 3);
    ck_assert_int_eq(image->partitions_count, 12);
    ck_assert_str_eq(image->topics[0]->name, "__consumer_offsets");
    ck_assert_str_eq(image->topics[1]->name, "a");
    ck_assert_ptr_eq(image->offsets, image->topics[0]);
    ck_assert(image->offsets->internal && !image->topics[1]->internal);
    ck_assert_ptr_eq(image_topic(image, SLICE_LIT("b")), image->topics[2]);
    ck_assert_ptr_eq(image_topic_by_id(image, image->topics[1]->id), image->topics[1]);
    ck_assert_ptr_null(image_topic(image, SLICE_LIT("c")));
    ck_assert_ptr_null(image_topic_by_id(image, UUID_ZERO));
    image_put(image);
}
END_TEST

/* Partitions of a topic go round the loops; those of __consumer_offsets by number alone. */
START_TEST(topic_homes_are_spread)
{
    struct topic *topic = topic_of("orders", 5, 8), *offsets = topic_of("__consumer_offsets", 9, 8);
    unsigned first = topic_home_index(topic, 0, 4);
    for (int32_t i = 0; i < 8; i++) {
        ck_assert_uint_eq(topic_home_index(topic, i, 4), (first + (unsigned)i) % 4);
        ck_assert_uint_eq(topic_home_index(offsets, i, 4), (unsigned)i % 4);
    }
    topic_put(topic);
    topic_put(offsets);
}
END_TEST

TEST_MAIN_FIXTURE("broker/image", setup, teardown, topic_names, topic_is_stored_and_read,
    topic_derived, image_finds_topics, topic_homes_are_spread)
