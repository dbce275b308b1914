// SPDX-License-Identifier: BSD-2-Clause
/*
 * Damage. An index that does not grow strictly, points behind the log's end, has a torn entry, or
 * ends far before the log does is reported as damaged and rebuilt by the caller. One that is
 * plausible but wrong is found out at its use: the batch at the position must end with the entry's
 * offset (segment.c looks).
 */
#include "store/segment/index.h"

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/small_file.h"
#include "store/segment/segment.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>

/* An index that ends further than this before the end of its log is not believed to be whole. */
#define INDEX_TAIL_SIZE_MAX (16U << 20)
/* Files larger than this are not read: no segment needs that much. */
#define INDEX_FILE_SIZE_MAX (256U << 20)

static void index_free(struct ref *ref)
{
    struct index *index = container_of(ref, struct index, ref);
    free(index->offsets);
    free(index->times);
    free(index);
}

struct index *index_new(void)
{
    struct index *index = xnew(struct index);
    ref_init(&index->ref, index_free);
    index->max_timestamp = -1;
    return index;
}

void index_unref(struct index *index)
{
    if (index != NULL)
        ref_put(&index->ref);
}

static void index_add_offset(struct index *index, uint32_t delta, uint32_t pos)
{
    if (index->offsets_count == index->offsets_capacity) {
        index->offsets_capacity = index->offsets_capacity == 0 ? 4 : index->offsets_capacity * 2;
        index->offsets =
            xrealloc(index->offsets, index->offsets_capacity * sizeof(*index->offsets));
    }
    index->offsets[index->offsets_count++] = (struct index_offset){delta, pos};
}

/* Only what moves both the time and the offset forward is worth an entry. */
static void index_add_time(struct index *index, int64_t timestamp, uint32_t delta)
{
    if (index->times_count > 0) {
        const struct index_time *last = &index->times[index->times_count - 1];
        if (timestamp <= last->timestamp || delta <= last->delta)
            return;
    }
    if (index->times_count == index->times_capacity) {
        index->times_capacity = index->times_capacity == 0 ? 4 : index->times_capacity * 2;
        index->times = xrealloc(index->times, index->times_capacity * sizeof(*index->times));
    }
    index->times[index->times_count++] = (struct index_time){timestamp, delta};
}

void index_note(struct index *index, int64_t base, const struct batch_header *header, uint64_t pos,
    uint32_t interval_size)
{
    int64_t delta = batch_last_offset(header) - base;
    assert(delta >= 0 && delta <= INT32_MAX && pos <= UINT32_MAX);
    /* A batch that compaction emptied is nobody's answer to a question about times. */
    if (header->records_count != 0 && header->max_timestamp > index->max_timestamp) {
        index->max_timestamp = header->max_timestamp;
        index->max_timestamp_delta = (uint32_t)delta;
    }
    if (index->gap > interval_size) {
        index_add_offset(index, (uint32_t)delta, (uint32_t)pos);
        if (index->max_timestamp >= 0)
            index_add_time(index, index->max_timestamp, index->max_timestamp_delta);
        index->gap = 0;
    }
    index->gap += batch_size(header);
}

void index_seal(struct index *index)
{
    if (index->max_timestamp >= 0)
        index_add_time(index, index->max_timestamp, index->max_timestamp_delta);
}

void index_cut(struct index *index, uint64_t pos)
{
    while (index->offsets_count > 0 && index->offsets[index->offsets_count - 1].pos >= pos)
        index->offsets_count--;
    int64_t delta =
        index->offsets_count == 0 ? -1 : (int64_t)index->offsets[index->offsets_count - 1].delta;
    while (index->times_count > 0 && (int64_t)index->times[index->times_count - 1].delta > delta)
        index->times_count--;
    const struct index_time *last =
        index->times_count == 0 ? NULL : &index->times[index->times_count - 1];
    index->max_timestamp = last == NULL ? -1 : last->timestamp;
    index->max_timestamp_delta = last == NULL ? 0 : last->delta;
    index->gap = 0;
}

bool index_full(const struct index *index, uint32_t size_max)
{
    return (index->offsets_count + 1) * INDEX_OFFSET_ENTRY_SIZE > size_max ||
           (index->times_count + 1) * INDEX_TIME_ENTRY_SIZE > size_max;
}

size_t index_size(const struct index *index)
{
    return sizeof(*index) + index->offsets_capacity * sizeof(*index->offsets) +
           index->times_capacity * sizeof(*index->times);
}

struct index_offset index_find_delta(const struct index *index, int64_t delta)
{
    size_t low = 0, high = index->offsets_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if ((int64_t)index->offsets[middle].delta <= delta)
            low = middle + 1;
        else
            high = middle;
    }
    return low == 0 ? (struct index_offset){0, 0} : index->offsets[low - 1];
}

struct index_offset index_find_pos(const struct index *index, uint64_t pos)
{
    size_t low = 0, high = index->offsets_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (index->offsets[middle].pos <= pos)
            low = middle + 1;
        else
            high = middle;
    }
    return low == 0 ? (struct index_offset){0, 0} : index->offsets[low - 1];
}

uint32_t index_delta_for_time(const struct index *index, int64_t timestamp)
{
    size_t low = 0, high = index->times_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (index->times[middle].timestamp < timestamp)
            low = middle + 1;
        else
            high = middle;
    }
    return low == 0 ? 0 : index->times[low - 1].delta;
}

struct index *index_copy_below(const struct index *index, uint64_t pos)
{
    struct index *copy = index_new();
    size_t count = index->offsets_count, times = index->times_count;
    while (count > 0 && index->offsets[count - 1].pos >= pos)
        count--;
    while (times > 0 &&
           (count == 0 || index->times[times - 1].delta > index->offsets[count - 1].delta))
        times--;
    if (count > 0) {
        copy->offsets = xnew_n(struct index_offset, count);
        memcpy(copy->offsets, index->offsets, count * sizeof(*copy->offsets));
        copy->offsets_count = copy->offsets_capacity = count;
    }
    if (times > 0) {
        copy->times = xnew_n(struct index_time, times);
        memcpy(copy->times, index->times, times * sizeof(*copy->times));
        copy->times_count = copy->times_capacity = times;
        copy->max_timestamp = copy->times[times - 1].timestamp;
        copy->max_timestamp_delta = copy->times[times - 1].delta;
    }
    return copy;
}

static int index_parse_offsets(
    struct index *index, struct slice bytes, uint64_t log_size, bool whole)
{
    if (bytes.size % INDEX_OFFSET_ENTRY_SIZE != 0)
        return INDEX_E_DAMAGED;
    for (size_t at = 0; at < bytes.size; at += INDEX_OFFSET_ENTRY_SIZE) {
        uint32_t delta = bytes_get_u32(bytes.data + at), pos = bytes_get_u32(bytes.data + at + 4);
        const struct index_offset *last =
            index->offsets_count == 0 ? NULL : &index->offsets[index->offsets_count - 1];
        if (pos == 0 || pos >= log_size || delta > INT32_MAX ||
            (last != NULL && (delta <= last->delta || pos <= last->pos)))
            return INDEX_E_DAMAGED;
        index_add_offset(index, delta, pos);
    }
    uint64_t end = index->offsets_count == 0 ? 0 : index->offsets[index->offsets_count - 1].pos;
    return whole && log_size - end > INDEX_TAIL_SIZE_MAX ? INDEX_E_DAMAGED : 0;
}

static int index_parse_times(struct index *index, struct slice bytes)
{
    if (bytes.size % INDEX_TIME_ENTRY_SIZE != 0)
        return INDEX_E_DAMAGED;
    for (size_t at = 0; at < bytes.size; at += INDEX_TIME_ENTRY_SIZE) {
        int64_t timestamp = (int64_t)bytes_get_u64(bytes.data + at);
        uint32_t delta = bytes_get_u32(bytes.data + at + 8);
        size_t count = index->times_count;
        if (timestamp < 0 || delta > INT32_MAX)
            return INDEX_E_DAMAGED;
        index_add_time(index, timestamp, delta);
        if (index->times_count == count)
            return INDEX_E_DAMAGED; /* did not grow */
    }
    if (index->times_count > 0) {
        index->max_timestamp = index->times[index->times_count - 1].timestamp;
        index->max_timestamp_delta = index->times[index->times_count - 1].delta;
    }
    return 0;
}

static int index_read(
    struct env *env, const char *dir, int64_t base, const char *suffix, struct buffer *ret_bytes)
{
    _cleanup_(freep) char *path = segment_path(dir, base, suffix);
    int r = small_file_read(env, path, INDEX_FILE_SIZE_MAX, ret_bytes);
    return r == -ENOENT || r == SMALL_FILE_E_TOO_LARGE ? INDEX_E_DAMAGED : r;
}

int index_load(struct env *env, const char *dir, int64_t base, uint64_t log_size, bool whole,
    struct index **ret_index)
{
    _cleanup_(buffer_deinit) struct buffer offsets = BUFFER_NULL, times = BUFFER_NULL;
    int r = index_read(env, dir, base, ".index", &offsets);
    if (r == 0)
        r = index_read(env, dir, base, ".timeindex", &times);
    if (r != 0)
        return r;
    struct index *index = index_new();
    r = index_parse_offsets(index, buffer_slice(&offsets), log_size, whole);
    if (r == 0)
        r = index_parse_times(index, buffer_slice(&times));
    if (r != 0) {
        index_unref(index);
        return r;
    }
    *ret_index = index;
    return 0;
}

static void index_put_offsets(const struct index *index, struct buffer *bytes)
{
    for (size_t i = 0; i < index->offsets_count; i++) {
        uint8_t *at = buffer_reserve(bytes, INDEX_OFFSET_ENTRY_SIZE);
        bytes_put_u32(at, index->offsets[i].delta);
        bytes_put_u32(at + 4, index->offsets[i].pos);
        bytes->size += INDEX_OFFSET_ENTRY_SIZE;
    }
}

static void index_put_times(const struct index *index, struct buffer *bytes)
{
    for (size_t i = 0; i < index->times_count; i++) {
        uint8_t *at = buffer_reserve(bytes, INDEX_TIME_ENTRY_SIZE);
        bytes_put_u64(at, (uint64_t)index->times[i].timestamp);
        bytes_put_u32(at + 8, index->times[i].delta);
        bytes->size += INDEX_TIME_ENTRY_SIZE;
    }
}

static int index_save_by(struct env *env, const char *dir, int64_t base, const struct index *index,
    int (*write)(struct env *env, const char *path, struct slice bytes))
{
    _cleanup_(buffer_deinit) struct buffer offsets = BUFFER_NULL, times = BUFFER_NULL;
    _cleanup_(freep) char *offsets_path = segment_path(dir, base, ".index");
    _cleanup_(freep) char *times_path = segment_path(dir, base, ".timeindex");
    index_put_offsets(index, &offsets);
    index_put_times(index, &times);
    int r = write(env, times_path, buffer_slice(&times));
    if (r >= 0)
        r = write(env, offsets_path, buffer_slice(&offsets));
    return error_trace(r);
}

int index_save(struct env *env, const char *dir, int64_t base, const struct index *index)
{
    return index_save_by(env, dir, base, index, small_file_write_unsynced);
}

int index_save_durable(struct env *env, const char *dir, int64_t base, const struct index *index)
{
    return index_save_by(env, dir, base, index, small_file_write);
}
