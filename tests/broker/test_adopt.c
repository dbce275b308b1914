// SPDX-License-Identifier: BSD-2-Clause
/* Topics that lie in the data directory and that nobody knows. */
#include "runner.h"
#include "support/broker_harness.h"
#include "broker/broker_internal.h"
#include "store/batch/batch_builder.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static struct harness *harness;

static void put_bytes(const char *dir, const char *name, const void *data, size_t size)
{
    _cleanup_(freep) char *path = xasprintf("%s/%s", harness_dir(harness), dir);
    mkdir(path, 0777);
    _cleanup_(freep) char *file = xasprintf("%s/%s", path, name);
    FILE *stream = fopen(file, "wb");
    ck_assert_ptr_nonnull(stream);
    ck_assert_uint_eq(fwrite(data, 1, size, stream), size);
    ck_assert_int_eq(fclose(stream), 0);
}

static void put_dir(const char *dir, const char *id)
{
    _cleanup_(freep) char *text = xasprintf("version: 0\ntopic_id: %s\n", id);
    put_bytes(dir, "partition.metadata", text, strlen(text));
}

#define ID_A "GpzbrgFxSXCCjpDiYHkDnA"
#define ID_B "HpzbrgFxSXCCjpDiYHkDnA"

struct seen {
    const char *name;
    struct topic *topic;
};

static void look(void *ctx)
{
    struct seen *seen = ctx;
    struct image *image = broker_image(harness_broker(harness));
    seen->topic = image_topic(image, slice_from_str(seen->name));
}

static struct topic *topic_seen(const char *name)
{
    struct seen seen = {.name = name};
    harness_on_loop(harness, 0, look, &seen);
    return seen.topic;
}

START_TEST(adopts_what_says_whose_it_is)
{
    harness = harness_new(2, "log.dir=.", NULL);
    put_dir("orders-0", ID_A);
    put_dir("orders-2", ID_A);
    put_dir("copy-0", ID_A); /* of two with one id one at most can be */
    put_dir("torn-0", ID_A);
    put_dir("torn-1", ID_B);
    put_dir("bad name-0", ID_B);
    put_bytes("mute-0", "00000000000000000000.log", "", 0);
    put_dir("stray-0.0123-stray", ID_B);
    harness_restart(harness, NULL);
    struct topic *topic = topic_seen("orders");
    if (topic == NULL)
        topic = topic_seen("copy");
    else
        ck_assert_ptr_null(topic_seen("copy"));
    ck_assert_ptr_nonnull(topic);
    ck_assert_int_eq(topic->partitions_count, strcmp(topic->name, "orders") == 0 ? 3 : 1);
    ck_assert_str_eq(uuid_to_text(topic->id).str, ID_A);
    ck_assert_int_eq(topic->config.part.retention_ms, -1);
    ck_assert_ptr_null(topic_seen("torn"));
    ck_assert_ptr_null(topic_seen("mute"));
    ck_assert_ptr_null(topic_seen("bad name"));
    harness_restart(harness, NULL); /* known from now on */
    ck_assert((topic_seen("orders") != NULL) != (topic_seen("copy") != NULL));
    harness_free(harness);
}
END_TEST

static void put_string(struct buffer *buffer, const char *text)
{
    uint8_t size = (uint8_t)(strlen(text) + 1);
    buffer_append(buffer, &size, 1);
    buffer_append(buffer, text, strlen(text));
}

static void add_record(struct batch_builder *builder, struct buffer *value)
{
    struct batch_record record = {.key = SLICE_NULL, .value = buffer_slice(value)};
    batch_builder_append(builder, &record);
    value->size = 0;
}

static void add_config(struct batch_builder *builder, const char *name, const char *setting)
{
    struct buffer value = BUFFER_NULL;
    buffer_append(&value, "\1\4\0\2", 4);
    put_string(&value, "orders");
    put_string(&value, name);
    if (setting == NULL)
        buffer_append(&value, "", 1);
    else
        put_string(&value, setting);
    buffer_append(&value, "", 1);
    add_record(builder, &value);
    buffer_deinit(&value);
}

START_TEST(configuration_comes_from_the_metadata_log)
{
    harness = harness_new(1, "log.dir=.", NULL);
    put_dir("orders-0", ID_A);
    put_dir("__cluster_metadata-0", ID_B);
    struct batch_builder builder;
    struct buffer value = BUFFER_NULL;
    size_t size;
    batch_builder_init(&builder);
    add_config(&builder, "segment.bytes", "99999");
    buffer_append(&value, "\1\2\0", 3); /* the topic is made anew */
    put_string(&value, "orders");
    buffer_append(&value, "0123456789abcdef", 17);
    add_record(&builder, &value);
    add_config(&builder, "cleanup.policy", "compact");
    add_config(&builder, "retention.ms", "7");
    add_config(&builder, "retention.ms", NULL);
    add_config(&builder, "segment.ms", "no number");
    static const uint8_t ids[24] = {1, 15, 0, [6] = 1, [21] = 0x17, [22] = 0x70};
    buffer_append(&value, ids, sizeof(ids));
    add_record(&builder, &value);
    const uint8_t *bytes = batch_builder_finish(&builder, &size);
    put_bytes("__cluster_metadata-0", "00000000000000000000.log", bytes, size);
    batch_builder_deinit(&builder);
    buffer_deinit(&value);
    harness_restart(harness, NULL);
    struct topic *topic = topic_seen("orders");
    ck_assert_ptr_nonnull(topic);
    ck_assert(topic->config.compact && !topic->config.delete);
    ck_assert_int_eq(topic->config.part.retention_ms, 604800000);
    ck_assert_uint_eq(topic->config.part.segment_size_max, 1073741824);
    ck_assert_int_eq(harness_broker(harness)->producer_ids.next, 6000);
    ck_assert_ptr_null(topic_seen("__cluster_metadata"));
    harness_free(harness);
}
END_TEST

TEST_MAIN("broker/adopt", adopts_what_says_whose_it_is, configuration_comes_from_the_metadata_log)
