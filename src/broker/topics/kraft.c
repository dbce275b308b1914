// SPDX-License-Identifier: BSD-2-Clause
/*
 * The metadata log is a partition's directory like any other (`__cluster_metadata-0`): segments of
 * record batches, and snapshots `<end offset>-<epoch>.checkpoint` in the same format that stand for
 * everything below their offset. A record's value is: frame version 1, api key, version (unsigned
 * varints), then the message. Of the many kinds three matter here; the others are passed over,
 * and so are later versions of the three.
 *
 * The newest snapshot is read, then the segments behind it, up to the first batch that is not
 * whole. What the quorum had not committed may be taken for true; on the single node whose
 * directory is carried over there is no such thing after a clean stop.
 */
#include "broker/topics/kraft.h"

#include "base/buffer.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/small_file.h"
#include "store/batch/batch.h"
#include "store/batch/records.h"
#include "wire/reader.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define KRAFT_DIR           "__cluster_metadata-0"
#define KRAFT_FILE_SIZE_MAX ((size_t)512 << 20)
#define KRAFT_FILES_MAX     100000

enum { KRAFT_TOPIC = 2, KRAFT_CONFIG = 4, KRAFT_PRODUCER_IDS = 15, KRAFT_RESOURCE_TOPIC = 2 };

/* --- records --- */

static void topic_forget_configs(struct kraft_topic *topic)
{
    struct kraft_config *config, *next;
    list_for_each_entry_safe (config, next, &topic->configs, link) {
        list_remove(&config->link);
        free(config->name);
        free(config->value);
        free(config);
    }
}

static struct kraft_topic *topic_make(struct kraft *kraft, struct slice name)
{
    struct kraft_topic *topic = map_get(&kraft->topics, name);
    if (topic == NULL) {
        topic = xnew(struct kraft_topic);
        topic->name = xstrdup_slice(name);
        list_init(&topic->configs);
        map_put(&kraft->topics, slice_from_str(topic->name), topic);
    }
    return topic;
}

/* A topic of this name is new: what was said of an older one is over. */
static void kraft_on_topic(struct kraft *kraft, struct reader *reader)
{
    struct slice name = reader_string(reader, true, false);
    if (reader_ok(reader) && memchr(name.data, '\0', name.size) == NULL)
        topic_forget_configs(topic_make(kraft, name));
}

static void kraft_on_config(struct kraft *kraft, struct reader *reader)
{
    int8_t type = reader_int8(reader);
    struct slice topic_name = reader_string(reader, true, false);
    struct slice name = reader_string(reader, true, false);
    struct slice value = reader_string(reader, true, true);
    if (!reader_ok(reader) || type != KRAFT_RESOURCE_TOPIC ||
        memchr(topic_name.data, '\0', topic_name.size) != NULL)
        return;
    struct kraft_topic *topic = topic_make(kraft, topic_name);
    struct kraft_config *config, *next;
    list_for_each_entry_safe (config, next, &topic->configs, link) {
        if (!slice_equal_str(name, config->name))
            continue;
        list_remove(&config->link);
        free(config->name);
        free(config->value);
        free(config);
    }
    if (slice_is_null(value))
        return;
    config = xnew(struct kraft_config);
    config->name = xstrdup_slice(name);
    config->value = xstrdup_slice(value);
    list_append(&topic->configs, &config->link);
}

static void kraft_on_record(struct kraft *kraft, struct slice value)
{
    struct reader reader = reader_make(value);
    uint32_t frame = reader_uvarint(&reader), key = reader_uvarint(&reader);
    uint32_t version = reader_uvarint(&reader);
    if (!reader_ok(&reader) || frame != 1 || version != 0)
        return;
    if (key == KRAFT_TOPIC) {
        kraft_on_topic(kraft, &reader);
    } else if (key == KRAFT_CONFIG) {
        kraft_on_config(kraft, &reader);
    } else if (key == KRAFT_PRODUCER_IDS) {
        reader_int32(&reader);
        reader_int64(&reader);
        int64_t next = reader_int64(&reader);
        if (reader_ok(&reader) && next > kraft->producer_ids)
            kraft->producer_ids = next;
    }
}

/* --- files --- */

/* Every record at or above `from`. */
static void kraft_walk(struct kraft *kraft, struct slice bytes, int64_t from)
{
    for (size_t at = 0; bytes.size - at >= BATCH_HEADER_SIZE;) {
        const uint8_t *batch = bytes.data + at;
        struct batch_header header = batch_header_parse(batch);
        if (!batch_header_sane(&header) || batch_size(&header) > bytes.size - at ||
            !batch_crc_valid(batch, &header))
            return;
        at += batch_size(&header);
        if ((header.attributes & (BATCH_CONTROL | BATCH_COMPRESSION_MASK)) != 0 ||
            header.records_count < 1)
            continue;
        struct record record;
        struct record_cursor cursor = record_cursor_make(
            slice_make(batch + BATCH_HEADER_SIZE, batch_size(&header) - BATCH_HEADER_SIZE),
            header.records_count);
        while (record_next(&cursor, &record)) {
            if (header.base_offset + record.offset_delta >= from)
                kraft_on_record(kraft, record.value);
        }
    }
}

static int kraft_read_file(
    struct kraft *kraft, struct env *env, const char *dir, const char *name, int64_t from)
{
    _cleanup_(freep) char *path = xasprintf("%s/%s", dir, name);
    _cleanup_(buffer_deinit) struct buffer bytes = BUFFER_NULL;
    int r = small_file_read(env, path, KRAFT_FILE_SIZE_MAX, &bytes);
    if (r != 0)
        return r > 0 ? -EFBIG : error_trace(r);
    if (bytes.size > 0)
        kraft_walk(kraft, buffer_slice(&bytes), from);
    return 0;
}

struct kraft_listing {
    char **names; /* of segments */
    size_t count;
    char snapshot[64]; /* the newest; "": none */
};

static bool digits(const char *text, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
    }
    return true;
}

static int kraft_on_name(void *ctx, const char *name)
{
    struct kraft_listing *listing = ctx;
    size_t size = strlen(name);
    if (size == 24 && digits(name, 20) && strcmp(name + 20, ".log") == 0) {
        if (listing->count == KRAFT_FILES_MAX)
            return -EFBIG;
        listing->names = xrealloc(listing->names, (listing->count + 1) * sizeof(char *));
        listing->names[listing->count++] = xstrdup(name);
    } else if (size == 42 && digits(name, 20) && name[20] == '-' && digits(name + 21, 10) &&
               strcmp(name + 31, ".checkpoint") == 0 && strcmp(name, listing->snapshot) > 0) {
        snprintf(listing->snapshot, sizeof(listing->snapshot), "%s", name);
    }
    return 0;
}

static int name_compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int kraft_read(struct kraft *kraft, struct env *env, const char *data_dir)
{
    struct kraft_listing listing = {.names = NULL};
    _cleanup_(freep) char *dir = xasprintf("%s/" KRAFT_DIR, data_dir);
    *kraft = (struct kraft){.topics = MAP_NULL};
    int r = env->ops->dir_list(env, dir, kraft_on_name, &listing);
    int64_t from = 0;
    if (r >= 0 && listing.snapshot[0] != '\0') {
        from = strtoll(listing.snapshot, NULL, 10);
        r = kraft_read_file(kraft, env, dir, listing.snapshot, INT64_MIN);
    }
    if (r >= 0 && listing.count > 1)
        qsort(listing.names, listing.count, sizeof(char *), name_compare);
    for (size_t i = 0; i < listing.count; i++) {
        if (r >= 0)
            r = kraft_read_file(kraft, env, dir, listing.names[i], from);
        free(listing.names[i]);
    }
    kraft->found = r >= 0 && (listing.count > 0 || listing.snapshot[0] != '\0');
    free(listing.names);
    return r == -ENOENT || r == -ENOTDIR ? 0 : error_trace(r < 0 ? r : 0);
}

const struct kraft_topic *kraft_topic(const struct kraft *kraft, struct slice name)
{
    return map_get(&kraft->topics, name);
}

void kraft_deinit(struct kraft *kraft)
{
    map_for_each (&kraft->topics, entry) {
        struct kraft_topic *topic = entry->value;
        topic_forget_configs(topic);
        free(topic->name);
        free(topic);
    }
    map_deinit(&kraft->topics);
}
